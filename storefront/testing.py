"""Contract tests that any replacement of a plug can run, and the stub server that they run against.

    class TestMyGateway(ChannelContract):
        def make(self, *, base_url, timeout, callback_url): return MyGateway(base_url=base_url, ...)
        def accepted(self, identifier): return StubAnswer(body={"id": identifier})
        ...

Needs no test framework but one that collects `Test...` classes and calls `setup_method` and `teardown_method`.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl

from storefront.contracts import Channel, DeliveryFailed, DeliveryReport, RenderedMessage


@dataclass(frozen=True, slots=True)
class StubRequest:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class StubAnswer:
    """What a stub answers. `body` that is not bytes goes out as JSON. `hang`: no answer until the stub closes.
    `cut`: the connection breaks in the middle of the answer."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    cut: bool = False


Answering = Callable[[StubRequest], StubAnswer]


class StubServer:
    """A provider on a free loopback port, in threads of this process.

    Answers come from `next` in order, then from `default`. `requests` holds what arrived.
    """

    def __init__(self, default: Answering | StubAnswer | None = None) -> None:
        self.default: Answering | StubAnswer = default or StubAnswer(404)
        self.next: deque[StubAnswer] = deque()
        self.requests: list[StubRequest] = []
        self._closing = threading.Event()
        self._lock = threading.Lock()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                request = StubRequest(self.command, self.path, dict(self.headers), self.rfile.read(length))
                answer = stub._choose(request)
                if answer.hang:
                    stub._closing.wait(10)
                    self.close_connection = True
                    return
                content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                if not isinstance(answer.body, bytes):
                    self.send_header("Content-Type", "application/json")
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content) + (10 if answer.cut else 0)))
                self.end_headers()
                self.wfile.write(content)
                if answer.cut:
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  the names that the server looks for

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Silent: tests read `requests`."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                """A caller that was killed or gave up is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def _choose(self, request: StubRequest) -> StubAnswer:
        with self._lock:
            self.requests.append(request)
            if self.next:
                return self.next.popleft()
        return self.default(request) if callable(self.default) else self.default

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Callback:
    """A provider's report as it arrives over HTTP."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


class ChannelContract(ABC):
    """What every `Channel` must do, whoever delivers. Subclass it as `Test...` and say how your provider talks."""

    callback_url: ClassVar[str] = "https://shop.example/hooks/messages/demo/account"
    message: ClassVar[RenderedMessage] = RenderedMessage(
        to="+919876543210",
        subject="Your code",
        text="482913 is your code.",
        template={"code": "otp_login", "name": "otp_login_v1", "language": "en"},
        values={"code": "482913"},
        ttl=300,
        key="01JABCDEFGHJKMNPQRSTVWXYZ0",
    )

    # -- what a provider's test says --
    @abstractmethod
    def make(self, *, base_url: str, timeout: float, callback_url: str) -> Channel:
        """The channel, sending to `base_url`, giving up after `timeout` seconds."""

    @abstractmethod
    def accepted(self, identifier: str) -> StubAnswer:
        """The provider's answer to a message that it accepts under that id."""

    @abstractmethod
    def dead_address(self) -> StubAnswer:
        """The provider's answer to an address that does not exist."""

    @abstractmethod
    def assert_request(self, request: StubRequest) -> None:
        """Checks that a request says all of `message`, to the right place, with the right credentials."""

    def callback(self, identifier: str, status: str) -> Callback | None:
        """A genuine report (status: delivered or failed); None for a provider without reports."""
        return None

    # -- the contract --
    def setup_method(self) -> None:
        self.stub = StubServer()
        self.channel = self.make(base_url=self.stub.url, timeout=0.5, callback_url=self.callback_url)

    def teardown_method(self) -> None:
        self.stub.close()

    def _fail(self, answer: StubAnswer) -> DeliveryFailed:
        self.stub.next.append(answer)
        before = len(self.stub.requests)
        error = self._failure_of_a_send()
        shown = f"{error} {error.reason}"
        assert "482913" not in shown, "a failure must not repeat the text"
        assert self.message.to not in shown, "a failure must not name the person"
        assert len(error.reason) <= 60, "reasons are short"
        assert len(self.stub.requests) == before + 1, "one send is one request: repeating is the queue's business"
        return error

    def _failure_of_a_send(self) -> DeliveryFailed:
        try:
            self.channel.send(self.message)
        except DeliveryFailed as error:
            return error
        raise AssertionError("The channel took this for a success.")

    def test_a_success_returns_the_providers_id(self) -> None:
        self.stub.next.append(self.accepted("provider-id-1"))
        assert self.channel.send(self.message) == "provider-id-1"
        assert len(self.stub.requests) == 1
        self.assert_request(self.stub.requests[0])

    def test_a_provider_that_does_not_answer_in_time_is_tried_again(self) -> None:
        error = self._fail(StubAnswer(hang=True))
        assert error.retry
        assert error.reason == "timeout"

    def test_an_answer_that_breaks_off_is_tried_again(self) -> None:
        assert self._fail(StubAnswer(body={"cut": True}, cut=True)).retry

    def test_a_provider_that_is_down_is_tried_again(self) -> None:
        for status in (500, 502, 503):
            error = self._fail(StubAnswer(status, body={"message": "482913 down"}))
            assert error.retry, status

    def test_a_dead_address_is_not_tried_again(self) -> None:
        assert not self._fail(self.dead_address()).retry

    def test_refused_credentials_are_not_tried_again(self) -> None:
        assert not self._fail(StubAnswer(401, body={"message": "no"})).retry

    def test_a_rate_limit_says_how_long_to_wait(self) -> None:
        error = self._fail(StubAnswer(429, body={}, headers={"Retry-After": "17"}))
        assert error.retry
        assert error.retry_after == 17

    def test_a_redirect_is_not_followed(self) -> None:
        with StubServer() as elsewhere:
            self._fail(StubAnswer(302, headers={"Location": elsewhere.url + "/stolen"}))
            assert not elsewhere.requests

    def test_a_genuine_report_is_understood_each_time_it_comes(self) -> None:
        for status in ("delivered", "failed"):
            callback = self.callback("provider-id-1", status)
            if callback is None:
                return
            for _repeat in (1, 2):
                reports = self._reports(callback)
                assert [(report.provider_message_id, report.status) for report in reports] == [
                    ("provider-id-1", status)
                ]

    def test_a_report_that_is_not_genuine_is_refused(self) -> None:
        callback = self.callback("provider-id-1", "delivered")
        if callback is None:
            self._assert_refused(Callback(b"{}"))
            return
        self._assert_refused(Callback(callback.body))
        broken = {name: value[:-2] + ("AA" if value[-2:] != "AA" else "BB") for name, value in callback.headers.items()}
        spoilt = {name: value + "x" for name, value in callback.query.items()}
        self._assert_refused(Callback(callback.body, broken, spoilt))

    def test_a_report_of_something_else_is_passed_over(self) -> None:
        callback = self.callback("provider-id-1", "some-new-status")
        if callback is not None:
            assert self._reports(callback) == []

    def _reports(self, callback: Callback) -> list[DeliveryReport]:
        return self.channel.reports(headers=CaseInsensitive(callback.headers), body=callback.body, query=callback.query)

    def _assert_refused(self, callback: Callback) -> None:
        try:
            self._reports(callback)
        except PermissionError:
            return
        raise AssertionError("A forged report was accepted.")


class CaseInsensitive(dict[str, str]):
    """Headers as a server hands them over: found in any spelling."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())
