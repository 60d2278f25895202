"""Addresses that others typed in never lead into our own network (R-24)."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpcore2
import pytest

from storefront import outgoing
from storefront.outgoing import Refused, Unreachable

LITERALS = [
    "127.0.0.1",
    "127.0.0.2",
    "127.1",
    "0",
    "0.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.0.1",
    "192.168.255.255",
    "169.254.169.254",
    "169.254.0.1",
    "100.64.0.1",
    "100.127.255.254",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "192.88.99.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "2130706433",
    "0x7f000001",
    "0x7f.0x0.0x0.0x1",
    "017700000001",
    "0177.0.0.1",
    "0x7f.1",
    "127.0.1",
    "3232235521",
    "0xa9fea9fe",
    "2852039166",
    "[::1]",
    "[::]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::10.0.0.1]",
    "[2002:7f00:1::]",
    "[2002:a00:1::1]",
    "[2001::1]",
    "[2001:0:7f00:1::]",
    "[2001:db8::1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[fec0::1]",
    "[ff02::1]",
    "[0:0:0:0:0:0:0:1]",
    "[100::1]",
    "[3fff::1]",
    "[5f00::1]",
]
SPELLINGS = [
    *(f"https://{host}/hook" for host in LITERALS),
    "https://127.0.0.1:8443/hook",
    "https://user@127.0.0.1/hook",
    "https://good.example@127.0.0.1/hook",
    "https://127.0.0.1#@good.example/",
    "https://127.0.0.1\\@good.example/",
    "https://①②⑦.⓪.⓪.①/hook",
    "https://127。0。0。1/hook",
    "https://localhost/hook",
    "https://localhost./hook",
    "https://LOCALHOST/hook",
    "http://93.184.216.34/hook",
    "https://93.184.216.34:22/hook",
    "https://user:pass@93.184.216.34/hook",
    "ftp://93.184.216.34/hook",
    "file:///etc/passwd",
    "gopher://93.184.216.34:70/",
    "//93.184.216.34/hook",
    "https:///hook",
    "https://[::1/hook",
    "https://93.184.216.34:99999/",
    "https://a b.example/",
    "https://good.example/\r\nHost: other",
    "",
    "https://" + "a" * 3000,
]


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where connections were made to; none is really made."""
    made: list[str] = []

    def connect(self: Any, host: str, port: int, *_: Any) -> Any:
        made.append(host)
        raise httpcore2.ConnectError("not really")

    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", connect)
    return made


def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Makes every name lead to these addresses, one list a look-up; returns the names that are asked for."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        addresses = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    monkeypatch.setattr(outgoing.socket, "getaddrinfo", look_up)
    return asked


def call(url: str, **options: Any) -> outgoing.Answer:
    return outgoing.post(url, body=b"{}", headers={}, **options)


def test_there_are_spellings_enough() -> None:
    assert len(set(SPELLINGS)) >= 60


@pytest.mark.parametrize("url", SPELLINGS)
def test_no_spelling_reaches_inside(url: str, connected: list[str]) -> None:
    with pytest.raises((Refused, Unreachable)):
        call(url)
    assert connected == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["93.184.216.34", "10.1.2.3"],
        ["2606:2800:220:1::1", "::1"],
        ["::ffff:10.0.0.1"],
        ["fe80::1%lo"],
        ["junk"],
    ],
)
def test_a_name_with_any_address_inside_is_refused(
    addresses: list[str], connected: list[str], monkeypatch: Any
) -> None:
    names(monkeypatch, addresses)
    with pytest.raises(Refused, match="private_address"):
        call("https://hooks.example/")
    assert connected == []


def test_a_name_that_changes_between_check_and_call_gains_nothing(connected: list[str], monkeypatch: Any) -> None:
    asked = names(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    with pytest.raises(Unreachable):
        call("https://rebind.example/")
    assert asked == ["rebind.example"]
    assert connected == ["93.184.216.34"]


def test_a_public_name_is_called_at_its_addresses_one_after_the_other(connected: list[str], monkeypatch: Any) -> None:
    names(monkeypatch, ["2606:4700::1111", "93.184.216.34"])
    with pytest.raises(Unreachable, match="unreachable"):
        call("https://hooks.example:8443/")
    assert connected == ["93.184.216.34", "2606:4700::1111"]


def test_a_name_that_there_is_not_is_unreachable(monkeypatch: Any) -> None:
    def nothing(*_: Any, **__: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(outgoing.socket, "getaddrinfo", nothing)
    with pytest.raises(Unreachable, match="unknown_host"):
        call("https://nowhere.example/")


# --- a resolver that hangs --------------------------------------------------------------------------------------------
@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Nothing is answered until it is let go."""
    let_go = threading.Event()

    def hang(host: str, *_: Any, **__: Any) -> Any:
        let_go.wait(30)
        raise socket.gaierror

    monkeypatch.setattr(outgoing.socket, "getaddrinfo", hang)
    monkeypatch.setattr(outgoing, "_lookups", threading.BoundedSemaphore(2))
    yield let_go
    let_go.set()


def test_a_resolver_that_hangs_holds_nobody_beyond_the_time_of_the_call(
    hanging: threading.Event, connected: list[str]
) -> None:
    for options in ({"total_seconds": 0.05}, {"connect_seconds": 0.05}):
        with pytest.raises(Unreachable, match="timeout"):
            call("https://slow.example/", **options)
    assert not hanging.is_set()  # it was not waited for
    assert connected == []


def test_look_ups_that_hang_do_not_pile_up(hanging: threading.Event, connected: list[str]) -> None:
    before = threading.active_count()
    for _call in range(6):
        with pytest.raises(Unreachable, match="timeout"):
            call("https://slow.example/", total_seconds=0.02)
    assert threading.active_count() <= before + 2
    assert connected == []


def test_look_ups_go_on_once_the_resolver_answers_again(
    hanging: threading.Event, connected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _call in range(2):
        with pytest.raises(Unreachable, match="timeout"):
            call("https://slow.example/", total_seconds=0.02)
    hanging.set()
    names(monkeypatch, ["93.184.216.34"])
    with pytest.raises(Unreachable, match="unreachable"):
        call("https://hooks.example/")
    assert connected == ["93.184.216.34"]


# --- a receiver on this machine -------------------------------------------------------------------------------------
class _Receiver(http.server.BaseHTTPRequestHandler):
    answer: tuple[int, dict[str, str], bytes] = (200, {}, b"ok")
    seen: list[tuple[str, dict[str, str], bytes]] = []
    release = threading.Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append((self.path, dict(self.headers), body))
        status, headers, content = self.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status == 297:  # headers without end, one now and then
            for _header in range(200):
                if self.release.wait(0.05):
                    return
                self.wfile.write(b"X-More: yes\r\n")
        self.end_headers()
        if status == 299:  # says nothing more until it is let go
            self.release.wait(10)
            return
        if status == 298:  # a byte now and then
            for _byte in range(200):
                if self.release.wait(0.05):
                    return
                self.wfile.write(b"x")
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver(configure: Any) -> Iterator[str]:
    """The address of a receiver that may be reached though it is on this machine."""
    _Receiver.answer, _Receiver.seen = (200, {}, b"ok"), []
    _Receiver.release.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    configure(OUTGOING_ALLOWED=(f"127.0.0.1:{server.server_port}",))
    yield f"http://127.0.0.1:{server.server_port}"
    _Receiver.release.set()
    server.shutdown()
    server.server_close()


def test_a_listed_host_is_reached_with_body_and_headers(receiver: str) -> None:
    answer = outgoing.post(f"{receiver}/hook?a=1", body=b'{"a":1}', headers={"X-Signature": "abc"})
    assert (answer.status, answer.body) == (200, b"ok")
    path, headers, body = _Receiver.seen[0]
    assert (path, body, headers["X-Signature"]) == ("/hook?a=1", b'{"a":1}', "abc")


def test_only_the_listed_port_of_it_is_reached(receiver: str, connected: list[str]) -> None:
    with pytest.raises(Refused):
        call("https://127.0.0.1:9/")
    assert connected == []


def test_a_redirect_is_an_answer_and_not_followed(receiver: str) -> None:
    _Receiver.answer = (302, {"Location": f"{receiver}/inside"}, b"")
    assert call(receiver).status == 302
    assert len(_Receiver.seen) == 1


def test_an_answer_without_end_is_cut(receiver: str) -> None:
    _Receiver.answer = (200, {}, b"x" * 1_000_000)
    assert len(call(receiver).body) == outgoing.MAX_ANSWER_BYTES


@pytest.mark.parametrize("how", [299, 298, 297])
def test_silence_ends_in_time_and_so_does_an_answer_that_drips(receiver: str, how: int) -> None:
    _Receiver.answer = (how, {}, b"")
    with pytest.raises(Unreachable, match="timeout"):
        call(receiver, total_seconds=0.3)


def test_headers_without_measure_are_no_answer(receiver: str) -> None:
    _Receiver.answer = (200, {f"X-{number}": "x" * 60_000 for number in range(40)}, b"ok")
    with pytest.raises(Unreachable, match="unreachable"):
        call(receiver)


def test_a_redirect_that_drips_ends_in_time_too(receiver: str) -> None:
    _Receiver.answer = (298, {"Location": f"{receiver}/inside"}, b"")
    with pytest.raises(Unreachable, match="timeout"):
        call(receiver, total_seconds=0.3)
    assert len(_Receiver.seen) == 1


def test_proxies_of_the_environment_are_not_used(receiver: str, monkeypatch: Any) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    outgoing._client.cache_clear()
    assert call(receiver).status == 200
    outgoing._client.cache_clear()
