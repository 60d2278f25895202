"""Calls to addresses that staff or partners typed in: webhooks, pictures to import and the like. They must not reach into our own network.

The name is looked up once, every address that it has is checked, and the connection is made to a checked one, so a name
that changes its mind between check and call gains nothing. No redirects, no proxies of the environment, limits on the
time of it all (looking the name up among it) and on the size of the answer. Hosts that may be reached all the same, for development and for services of one's own,
are listed in `OUTGOING_ALLOWED`.
"""

from __future__ import annotations

import ipaddress
import math
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore
from typing import Any

import httpcore2
import httpx2

from storefront.conf import conf

MAX_ANSWER_BYTES = 65_536
CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
LONGEST_URL = 2000
_REFUSED_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; the metadata of clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",  # unspecified, loopback, IPv4-compatible
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",  # Teredo, ORCHID and other protocols
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """We do not call that: a bad address, or one inside. `reason` is short and stable."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unreachable(Exception):
    """Nobody answered properly: no such name, no connection, bad TLS, too late. `reason` is short and stable."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is cut at the limit of the call."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def is_public(address: Address) -> bool:
    """Whether an address is a host of the open internet, whatever it is wrapped in."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address.version == network.version and address in network for network in _REFUSED_NETWORKS):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def check_url(url: str) -> httpx2.URL:
    """The address, if it may be called as far as its text tells. For forms; a call checks again. Raises Refused."""
    if not 0 < len(url) <= LONGEST_URL or any(character.isspace() or ord(character) < 32 for character in url):
        raise Refused("bad_url")
    try:
        parsed = httpx2.URL(url)
        port = parsed.port or {"https": 443, "http": 80}.get(parsed.scheme)
    except (httpx2.InvalidURL, ValueError, UnicodeError) as error:
        raise Refused("bad_url") from error
    if parsed.scheme not in ("https", "http") or not parsed.host or port is None or port > 65_535:
        raise Refused("bad_url")
    if parsed.userinfo:
        raise Refused("userinfo")
    if _allowed(parsed.host, port):
        return parsed
    if parsed.scheme != "https":
        raise Refused("not_https")
    if port < 1024 and port != 443:
        raise Refused("port")
    literal = _literal(parsed.host)
    if literal is not None and not is_public(literal):
        raise Refused("private_address")
    return parsed


def post(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    connect_seconds: float = CONNECT_SECONDS,
    total_seconds: float = TOTAL_SECONDS,
) -> Answer:
    """One POST. Any status is an answer, redirects too. Raises Refused and Unreachable. Nothing is logged."""
    return _call("POST", url, body, headers, connect_seconds, total_seconds, MAX_ANSWER_BYTES)


def get(
    url: str,
    *,
    headers: Mapping[str, str],
    limit: int,
    connect_seconds: float = CONNECT_SECONDS,
    total_seconds: float = TOTAL_SECONDS,
) -> Answer:
    """One GET, whose body is cut at `limit` bytes. Any status is an answer, redirects too. Raises Refused and
    Unreachable."""
    return _call("GET", url, None, headers, connect_seconds, total_seconds, limit)


def _call(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    connect_seconds: float,
    total_seconds: float,
    limit: int,
) -> Answer:
    parsed = check_url(url)
    deadline = time.monotonic() + total_seconds
    _deadline.set(deadline)
    timeout = httpx2.Timeout(total_seconds, connect=connect_seconds)
    content = bytearray()
    try:
        with _client().stream(method, parsed, content=body, headers=dict(headers), timeout=timeout) as response:
            for chunk in response.iter_raw():  # as it came: an answer that unpacks to gigabytes stays small
                content += chunk
                if len(content) >= limit:
                    break
                if time.monotonic() > deadline:
                    raise Unreachable("timeout")
            return Answer(response.status_code, dict(response.headers), bytes(content[:limit]))
    except httpx2.TimeoutException as error:
        raise Unreachable("timeout") from error
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, UnicodeError) as error:
        raise Refused("bad_url") from error
    except httpx2.HTTPError as error:
        raise Unreachable("unreachable") from error


_deadline: ContextVar[float] = ContextVar("outgoing_deadline", default=math.inf)  # of the call under way, monotonic


class _Stream(httpcore2.NetworkStream):  # type: ignore[misc,unused-ignore]
    """A connection that ends with its call. The library's own limits begin anew with every byte that comes."""

    def __init__(self, inner: Any, deadline: float) -> None:
        self._inner, self._deadline = inner, deadline

    def _left(self, timeout: float | None, late: type[Exception]) -> float | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise late
        if math.isinf(left):
            return timeout
        return left if timeout is None else min(timeout, left)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return bytes(self._inner.read(max_bytes, self._left(timeout, httpcore2.ReadTimeout)))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:
        left = self._left(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class GuardedBackend(httpcore2.SyncBackend):  # type: ignore[misc,unused-ignore]
    """Connects to checked addresses only."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Any:
        ends = min(_deadline.get(), time.monotonic() + (CONNECT_SECONDS if timeout is None else timeout))
        addresses = checked_addresses(host, port, seconds=ends - time.monotonic())
        last: Exception = httpcore2.ConnectError("no address")
        for address in addresses[:4]:
            left = ends - time.monotonic()
            if left <= 0:
                raise httpcore2.ConnectTimeout
            try:
                stream = super().connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last = error
            else:
                return _Stream(stream, _deadline.get())
        raise last

    def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:
        raise Refused("private_address")


LOOKUPS = 32  # under way at once in this process; those of a resolver that hangs are given up, but end by themselves
_lookups = BoundedSemaphore(LOOKUPS)


def _looked_up(host: str, port: int, seconds: float) -> list[Any]:
    """`getaddrinfo`, which knows no limit of time, in a thread that nobody waits for longer than `seconds`.

    A thread each, not a pool: a pool's threads are waited for when a process ends, and a few dead names would fill it.
    """
    answer: SimpleQueue[list[Any] | Exception] = SimpleQueue()
    room = _lookups

    def ask() -> None:
        try:
            answer.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:
            answer.put(error)
        finally:
            room.release()

    if seconds <= 0 or not room.acquire(timeout=seconds):
        raise Unreachable("timeout")
    try:
        threading.Thread(target=ask, name="look-up", daemon=True).start()
    except RuntimeError as error:  # no more threads
        room.release()
        raise Unreachable("timeout") from error
    try:
        found = answer.get(timeout=seconds)
    except Empty:
        raise Unreachable("timeout") from None
    if isinstance(found, Exception):
        raise Unreachable("unknown_host") from found
    return found


class TimedBackend(httpcore2.SyncBackend):  # type: ignore[misc,unused-ignore]
    """Connects within its time, the look-up of the name included. For services that the deployment itself trusts: it
    checks no addresses."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Any:
        ends = time.monotonic() + (CONNECT_SECONDS if timeout is None else timeout)
        try:
            addresses = _addresses(_looked_up(host, port, ends - time.monotonic()))
        except Unreachable as error:
            late = error.reason == "timeout"
            raise (httpcore2.ConnectTimeout if late else httpcore2.ConnectError)(error.reason) from error
        last: Exception = httpcore2.ConnectError("no address")
        for address in addresses[:4]:
            left = ends - time.monotonic()
            if left <= 0:
                raise httpcore2.ConnectTimeout
            try:
                return super().connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last = error
        raise last


class TimedTransport(httpx2.HTTPTransport):
    """httpx's own, with the look-up of names within the time to connect."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._pool._network_backend = TimedBackend()


def _addresses(found: list[Any]) -> list[str]:
    """IPv4 first."""
    return list(dict.fromkeys(str(entry[4][0]) for entry in sorted(found, key=lambda entry: entry[0])))


def checked_addresses(host: str, port: int, *, seconds: float = CONNECT_SECONDS) -> list[str]:
    """The addresses of a name, IPv4 first. Raises Refused if one of them is inside, Unreachable if there is none, or
    none in time."""
    found = _looked_up(host, port, seconds)
    addresses = _addresses(found)
    if not _allowed(host, port) and not all(is_public(_parsed(address)) for address in addresses):
        raise Refused("private_address")
    return addresses


def _parsed(address: str) -> Address:
    """Unreadable ones count as inside."""
    try:
        return ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ipaddress.IPv4Address("0.0.0.0")  # noqa: S104  an address that is refused; nothing listens


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _allowed(host: str, port: int) -> bool:
    return f"{host}:{port}" in conf().OUTGOING_ALLOWED


@cache
def _client() -> httpx2.Client:
    return httpx2.Client(
        transport=_Transport(),
        follow_redirects=False,
        trust_env=False,
        headers={"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "storefront"},
    )


class _Transport(httpx2.HTTPTransport):
    """httpx's own, over a pool that connects through the guard. Connections are not kept: each call is checked."""

    def __init__(self) -> None:
        super().__init__(trust_env=False)
        self._pool.close()
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpx2.create_ssl_context(trust_env=False),
            max_connections=20,
            max_keepalive_connections=0,
            network_backend=GuardedBackend(),
        )
