"""Request bodies on their way in: late, in chunks, broken off."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from config.bodies import PIECE, Bodies, hang_up
from storefront.conf import conf
from storefront.middleware import REFUSED

JSON = {"REQUEST_METHOD": "POST", "PATH_INFO": "/api/v1/shop/storefront/carts", "CONTENT_TYPE": "application/json"}


class Application:
    """Keeps what reached it, and answers 200 or with the refusal that came along."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.environs: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.environs.append(environ)
        self.bodies.append(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        refused = environ.get(REFUSED)
        start_response(f"{refused.status if refused else 200} Text", [])
        return [refused.code.encode() if refused else b"{}"]


def send(bodies: Bodies, source: Any, **environ: str) -> tuple[int, bytes]:
    said: list[Any] = []
    answer = bodies(JSON | {"wsgi.input": source} | environ, lambda *head: said.extend(head))
    return int(said[0].split()[0]), b"".join(answer)


class Late:
    """A body that comes when it is let go."""

    def __init__(self) -> None:
        self.asked, self.come = threading.Event(), threading.Event()

    def read(self, size: int) -> bytes:
        self.asked.set()
        assert self.come.wait(60)
        return b"{}"


def test_a_body_reaches_the_application_whole() -> None:
    application = Application()
    bodies = Bodies(application, threads=8)
    for size in (1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 7):
        sent = b"x" * size
        assert send(bodies, io.BytesIO(sent + b"next request"), CONTENT_LENGTH=str(size))[0] == 200
        assert application.bodies[-1] == sent


def test_a_request_without_a_body_is_passed_on_as_it_is() -> None:
    application = Application()
    assert send(Bodies(application, threads=8), io.BytesIO(), CONTENT_LENGTH="")[0] == 200
    assert application.bodies == [b""]


def test_a_body_in_chunks_gets_its_length() -> None:
    application = Application()
    source = io.BytesIO(b'{"a": 1}')
    assert send(Bodies(application, threads=8), source, HTTP_TRANSFER_ENCODING="chunked")[0] == 200
    assert application.bodies == [b'{"a": 1}']
    assert application.environs[0]["CONTENT_LENGTH"] == "8"
    assert "HTTP_TRANSFER_ENCODING" not in application.environs[0]


def test_a_body_in_chunks_is_read_to_the_limit_and_no_further() -> None:
    application = Application()
    limit = conf().MAX_BODY_BYTES
    source = io.BytesIO(b"x" * (limit + 10 * PIECE))
    send(Bodies(application, threads=8), source, HTTP_TRANSFER_ENCODING="chunked")
    assert application.environs[0]["CONTENT_LENGTH"] == str(limit + 1)
    assert source.tell() == limit + 1


def test_a_body_that_breaks_off_reaches_nobody() -> None:
    application = Application()
    assert send(Bodies(application, threads=8), io.BytesIO(b'{"a"'), CONTENT_LENGTH="500") == (400, b"malformed_body")
    assert application.bodies == [b""]


def test_slow_senders_never_hold_the_last_threads() -> None:
    application = Application()
    bodies = Bodies(application, threads=4)  # one may wait
    late = Late()
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(send(bodies, late, CONTENT_LENGTH="2")[0]))
    waiting.start()
    assert late.asked.wait(60)

    assert send(bodies, io.BytesIO(b"{}"), CONTENT_LENGTH="2") == (503, b"temporarily_unavailable")
    assert send(bodies, io.BytesIO(), CONTENT_LENGTH="0")[0] == 200  # without a body there is nothing to wait for
    assert application.bodies == [b"", b""]

    late.come.set()
    waiting.join(60)
    assert answers == [200]
    assert send(bodies, io.BytesIO(b"{}"), CONTENT_LENGTH="2")[0] == 200
    assert application.bodies == [b"", b"", b"{}", b"{}"]


def test_where_slow_senders_wait_already_nobody_waits_for_their_turn(monkeypatch: Any) -> None:
    monkeypatch.setattr("config.bodies.PATIENCE", 60.0)
    application = Application()
    bodies = Bodies(application, threads=4)  # one may wait
    late = Late()
    waiting = threading.Thread(target=lambda: send(bodies, late, CONTENT_LENGTH="2"))
    waiting.start()
    assert late.asked.wait(60)
    ((thread, wait),) = bodies._waits.items()
    bodies._waits[thread] = replace(wait, since=wait.since - 61)

    monkeypatch.setattr(
        bodies._slots, "acquire", lambda blocking=True, timeout=None: pytest.fail("waited") if blocking else False
    )
    assert send(bodies, io.BytesIO(b"{}"), CONTENT_LENGTH="2") == (503, b"temporarily_unavailable")
    late.come.set()
    waiting.join(60)


def test_hanging_up_closes_the_silent_connections_of_one_peer_at_our_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours, socket.create_server(("127.0.0.1", 0)) as another:
        port = ours.getsockname()[1]
        slow, elsewhere = (socket.create_connection(server.getsockname()) for server in (ours, another))
        accepted, kept = ours.accept()[0], another.accept()[0]
        with slow, elsewhere, accepted, kept:
            assert hang_up("127.0.0.9", port, silent_for=0) == 0
            assert hang_up("127.0.0.1", port, silent_for=3600) == 0
            assert hang_up("127.0.0.1", port, silent_for=0) == 1
            slow.settimeout(60)
            assert slow.recv(1) == b""
            kept.sendall(b"!")
            elsewhere.settimeout(60)
            assert elsewhere.recv(1) == b"!"
