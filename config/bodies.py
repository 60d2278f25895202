"""Request bodies as they arrive: senders that are slow may occupy some threads of the web server for a while, never all.

The server hands a request to a thread as soon as its head is read, and reading the body then waits for the sender.
Behind a proxy that buffers requests nobody is slow; without one, a few callers could otherwise stop the shop.
"""

from __future__ import annotations

import contextlib
import io
import ipaddress
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storefront import middleware
from storefront.errors import DomainError, MalformedBody, Unavailable

PIECE = 65_536  # bytes; the most that a sender's whole allowance of time is for
SPARE = 3  # threads that never wait for a body
PATIENCE = 0.5  # seconds for which a thread waits until another has its piece
_LAST_DATA_SENT = 8 + 9 * 4  # in struct tcp_info

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Wait:
    """A thread that waits for a piece of a body."""

    since: float
    address: str
    port: int


class Bodies:
    """A WSGI application that hands on requests with the first piece of their body, all of it in most cases.

    - At most `threads` less SPARE threads wait for bodies; more callers are answered 503 with `Retry-After`.
    - Who takes longer than `seconds` for a piece loses the connection (Linux only).
    - A body of unknown length, sent in chunks, is read up to what its address may take and gets its length.
    - A body that breaks off reaches no view: half a request must not look like an empty one.
    """

    def __init__(self, application: Application, *, threads: int, seconds: float = 10.0) -> None:
        self.application = application
        self.seconds = seconds
        self._slots = threading.BoundedSemaphore(max(1, threads - SPARE))
        self._waits: dict[int, Wait] = {}

    def start(self) -> Bodies:
        """Begins to watch the clock."""
        threading.Thread(target=self._watch, name="bodies", daemon=True).start()
        return self

    def __call__(self, meta: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = meta.get("CONTENT_LENGTH") or "0"
        chunked = "HTTP_TRANSFER_ENCODING" in meta
        if length == "0" and not chunked:
            return self.application(meta, start_response)
        if not chunked and not length.isdigit():
            return self._refuse(MalformedBody(), meta, start_response)
        path = meta.get("PATH_INFO", "")
        limit = middleware.body_limit(path, meta.get("CONTENT_TYPE", ""))
        wanted = limit + 1 if chunked else int(length)
        if not chunked and wanted > limit and path.startswith(middleware.API_PREFIX):
            return self.application(meta, start_response)  # which refuses it without a look at the body
        stream = Stream(self, meta, wanted)
        try:
            if chunked:
                body = b"".join(iter(lambda: stream.read(PIECE), b""))
                meta["CONTENT_LENGTH"] = str(len(body))
                del meta["HTTP_TRANSFER_ENCODING"]
                meta["wsgi.input"] = io.BytesIO(body)
            else:
                first = stream.read(PIECE)
                if len(first) < min(wanted, PIECE):
                    return self._refuse(MalformedBody(), meta, start_response)
                meta["wsgi.input"] = (
                    io.BytesIO(first) if wanted <= PIECE else io.BufferedReader(stream.again(first), PIECE)
                )
        except BlockingIOError:
            return self._refuse(Unavailable(retry_after=1), meta, start_response)
        return self.application(meta, start_response)

    def _refuse(self, error: DomainError, meta: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The application words the refusal, as it does all others, and never looks at the body."""
        meta |= {middleware.REFUSED: error, "CONTENT_LENGTH": "0", "wsgi.input": io.BytesIO()}
        return self.application(meta, start_response)

    def piece(self, source: Any, size: int, address: str, port: int) -> bytes:
        """Up to `size` bytes of `source`. Raises BlockingIOError when too many threads wait already."""
        if not self._turn():
            raise BlockingIOError
        me = threading.get_ident()
        self._waits[me] = Wait(time.monotonic(), address, port)
        try:
            found: bytes = source.read(size)
            return found
        finally:
            del self._waits[me]
            self._slots.release()

    def _turn(self) -> bool:
        """Takes a slot. On a busy machine those who have read a body that was there still wait for the processor, so
        their slots are waited for; with slow senders on all of them, waiting would hold the spare threads, too."""
        if self._slots.acquire(blocking=False):
            return True
        long_ago, waits = time.monotonic() - PATIENCE, self._waits.copy().values()
        if waits and all(wait.since < long_ago for wait in waits):
            return False
        return self._slots.acquire(timeout=PATIENCE)

    def _watch(self) -> None:
        while True:
            time.sleep(min(1.0, self.seconds / 4))
            overdue = time.monotonic() - self.seconds
            waits = [wait for wait in self._waits.copy().values() if wait.since < overdue]
            for address, port in {(wait.address, wait.port) for wait in waits}:
                hang_up(address, port, silent_for=self.seconds)


class Stream(io.RawIOBase):
    """What is left of a body, in pieces that each may take a while."""

    def __init__(self, bodies: Bodies, meta: dict[str, Any], length: int) -> None:
        self._bodies = bodies
        self._source = meta["wsgi.input"]
        self._address = str(meta.get("REMOTE_ADDR", ""))
        self._port = int(meta.get("SERVER_PORT") or 0)
        self._left = length
        self._ready = b""

    def again(self, first: bytes) -> Stream:
        """The same, from the start: `first` was read already."""
        self._ready = first
        return self

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), PIECE)
        found, self._ready = self._ready[:size], self._ready[size:]
        if not found and (size := min(size, self._left)):
            found = self._bodies.piece(self._source, size, self._address, self._port)
            self._left -= len(found)
        buffer[: len(found)] = found
        return len(found)


def hang_up(address: str, port: int, *, silent_for: float) -> int:
    """Closes this process's connections of a peer that were sent nothing for so long; returns how many.

    The server does not tell which connection a request came by. Of the same peer, those that wait for their next
    request may go as well, which clients must always expect.
    """
    if sys.platform != "linux":
        return 0
    closed = 0
    for file in Path("/proc/self/fd").iterdir():
        connection = _opened(int(file.name))
        if connection is None:
            continue
        with contextlib.suppress(OSError, ValueError), connection:
            if not _is_of(connection, address, port):
                continue
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_SENT + 4)
            if struct.unpack_from("I", info, _LAST_DATA_SENT)[0] >= silent_for * 1000:
                connection.shutdown(socket.SHUT_RDWR)
                closed += 1
    return closed


def _opened(number: int) -> socket.socket | None:
    """A handle of our own on a file of this process, if it is a socket; the number may be another's by then."""
    try:
        copy = os.dup(number)
    except OSError:
        return None
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        return None


def _is_of(connection: socket.socket, address: str, port: int) -> bool:
    """Whether it is a connection to our port by that peer."""
    if connection.family not in (socket.AF_INET, socket.AF_INET6) or connection.type != socket.SOCK_STREAM:
        return False
    ours, theirs = connection.getsockname(), connection.getpeername()
    return ours[1] == port and ipaddress.ip_address(theirs[0]) == ipaddress.ip_address(address)
