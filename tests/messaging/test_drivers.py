"""Every driver keeps the channel contract, against a provider that is a stub on loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import socketserver
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core import mail

from messaging import drivers
from messaging.drivers.base import retry_after
from storefront.contracts import Channel, DeliveryFailed, RenderedMessage
from storefront.testing import Callback, CaseInsensitive, ChannelContract, StubAnswer, StubRequest, StubServer


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class TestTwilio(ChannelContract):
    def make(self, *, base_url: str, timeout: float, callback_url: str) -> Channel:
        from messaging.drivers.twilio import Twilio

        return Twilio(
            account_sid="AC1",
            auth_token="token",
            sender="+15005550006",
            base_url=base_url,
            timeout=timeout,
            callback_url=callback_url,
        )

    def accepted(self, identifier: str) -> StubAnswer:
        return StubAnswer(201, {"sid": identifier, "status": "queued", "error_code": None})

    def dead_address(self) -> StubAnswer:
        return StubAnswer(400, {"code": 21211, "message": "The 'To' number +919876543210 is not valid", "status": 400})

    def assert_request(self, request: StubRequest) -> None:
        assert request.path == "/2010-04-01/Accounts/AC1/Messages.json"
        assert request.headers["Authorization"] == _basic("AC1", "token")
        assert request.form == {
            "To": "+919876543210",
            "From": "+15005550006",
            "Body": "482913 is your code.",
            "ValidityPeriod": "300",
            "StatusCallback": self.callback_url,
        }

    def callback(self, identifier: str, status: str) -> Callback:
        fields = {"MessageSid": identifier, "MessageStatus": status, "AccountSid": "AC1", "To": "+919876543210"}
        if status == "failed":
            fields |= {"MessageStatus": "undelivered", "ErrorCode": "30005"}
        text = self.callback_url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
        signature = base64.b64encode(hmac.digest(b"token", text.encode(), hashlib.sha1)).decode()
        return Callback(urlencode(fields).encode(), {"X-Twilio-Signature": signature})

    def test_the_reason_is_twilios_code(self) -> None:
        assert self._fail(self.dead_address()).reason == "twilio_21211"

    def test_a_messaging_service_is_named_as_such(self) -> None:
        from messaging.drivers.twilio import Twilio

        channel = Twilio(account_sid="AC1", auth_token="token", sender="MG9", base_url=self.stub.url)
        self.stub.next.append(self.accepted("x"))
        channel.send(self.message)
        assert self.stub.requests[0].form["MessagingServiceSid"] == "MG9"
        assert "From" not in self.stub.requests[0].form
        assert "StatusCallback" not in self.stub.requests[0].form  # no public address, nothing to report to

    def test_a_message_that_twilio_took_and_failed_at_once_is_a_failure(self) -> None:
        error = self._fail(StubAnswer(201, {"sid": "SM1", "status": "failed", "error_code": 30004}))
        assert (error.reason, error.retry) == ("twilio_30004", False)

    def test_the_published_example_of_a_signature_holds(self) -> None:
        from messaging.drivers.twilio import Twilio

        channel = Twilio(account_sid="AC1", auth_token="12345")
        fields = [
            ("Digits", "1234"),
            ("To", "+18005551212"),
            ("From", "+14158675310"),
            ("Caller", "+14158675310"),
            ("CallSid", "CA1234567890ABCDE"),
        ]
        address = "https://example.com/myapp.php?foo=1&bar=2"
        assert channel.signature(address, fields) == "L/OH5YylLD5NRKLltdqwSvS0BnU="


class TestMsg91(ChannelContract):
    def make(self, *, base_url: str, timeout: float, callback_url: str) -> Channel:
        from messaging.drivers.msg91 import Msg91

        return Msg91(
            auth_key="key",
            callback_secret="shared",
            dlt_entity_id="1101",
            sender="TEASHP",
            base_url=base_url,
            timeout=timeout,
            callback_url=callback_url,
        )

    def accepted(self, identifier: str) -> StubAnswer:
        return StubAnswer(200, {"type": "success", "message": identifier})

    def dead_address(self) -> StubAnswer:
        return StubAnswer(400, {"type": "error", "code": "306", "message": "mobile +919876543210 invalid"})

    def assert_request(self, request: StubRequest) -> None:
        assert request.path == "/api/v5/flow"
        assert {name.lower(): value for name, value in request.headers.items()}["authkey"] == "key"
        assert request.json == {
            "template_id": "otp_login_v1",
            "short_url": "0",
            "recipients": [{"mobiles": "919876543210", "VAR1": "482913"}],
            "sender": "TEASHP",
            "PE_ID": "1101",
        }

    def callback(self, identifier: str, status: str) -> Callback:
        report = {"date": "2026-11-21 10:00:00", "status": {"delivered": "1", "failed": "2"}.get(status, "77")}
        rows = [{"senderId": "TEASHP", "requestId": identifier, "report": [report]}]
        return Callback(urlencode({"data": json.dumps(rows)}).encode(), {"X-Callback-Secret": "shared"})

    def test_a_report_in_the_json_form_with_the_secret_in_the_query_is_understood(self) -> None:
        body = json.dumps({"requestId": "r1", "status": "17", "desc": "BLOCKED"}).encode()
        found = self.channel.reports(headers=CaseInsensitive({}), body=body, query={"token": "shared"})
        assert [(report.provider_message_id, report.status, report.reason) for report in found] == [
            ("r1", "failed", "blocked")
        ]

    def test_a_refusal_with_status_200_is_a_refusal(self) -> None:
        error = self._fail(StubAnswer(200, {"type": "error", "message": "Template 482913 missing"}))
        assert (error.reason, error.retry) == ("refused", False)

    def test_a_template_that_has_only_a_dlt_id_goes_out_as_text(self) -> None:
        self.stub.next.append(self.accepted("r2"))
        message = RenderedMessage(
            to="+919876543210", subject="", text="कोड 482913", template={"dlt_template_id": "1107", "variables": []}
        )
        assert self.channel.send(message) == "r2"
        request = self.stub.requests[0]
        assert request.path == "/api/v2/sendsms"
        assert request.json["sms"] == [{"message": "कोड 482913", "to": ["919876543210"]}]
        assert (request.json["DLT_TE_ID"], request.json["PE_ID"], request.json["unicode"]) == ("1107", "1101", 1)

    def test_a_template_that_is_not_registered_is_not_sent(self) -> None:
        with pytest.raises(DeliveryFailed, match="template_not_registered") as caught:
            self.channel.send(RenderedMessage(to="+919876543210", subject="", text="x"))
        assert not caught.value.retry
        assert not self.stub.requests


class TestMeta(ChannelContract):
    def make(self, *, base_url: str, timeout: float, callback_url: str) -> Channel:
        from messaging.drivers.meta import Meta

        return Meta(
            access_token="token",
            app_secret="secret",
            verify_token="verify",
            sender="1059",
            base_url=base_url,
            timeout=timeout,
            callback_url=callback_url,
        )

    def accepted(self, identifier: str) -> StubAnswer:
        contact = {"input": "919876543210", "wa_id": "919876543210"}
        return StubAnswer(
            200, {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": identifier}]}
        )

    def dead_address(self) -> StubAnswer:
        return StubAnswer(400, {"error": {"code": 131026, "message": "(#131026) Message undeliverable"}})

    def assert_request(self, request: StubRequest) -> None:
        assert request.path == "/v23.0/1059/messages"
        assert request.headers["Authorization"] == "Bearer token"
        text = {"type": "text", "text": "482913"}
        assert request.json["to"] == "919876543210"
        assert request.json["template"] == {
            "name": "otp_login_v1",
            "language": {"code": "en"},
            "components": [
                {"type": "body", "parameters": [text]},
                {"type": "button", "sub_type": "url", "index": "0", "parameters": [text]},
            ],
        }

    def callback(self, identifier: str, status: str) -> Callback:
        state: dict[str, Any] = {"id": identifier, "status": status, "recipient_id": "919876543210"}
        if status == "failed":
            state["errors"] = [{"code": 131026, "title": "Message undeliverable"}]
        change = {"field": "messages", "value": {"messaging_product": "whatsapp", "statuses": [state]}}
        body = json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}).encode()
        return Callback(body, {"X-Hub-Signature-256": "sha256=" + hmac.digest(b"secret", body, "sha256").hex()})

    def test_the_check_of_the_address_is_answered_only_with_the_right_word(self) -> None:
        query = {"hub.mode": "subscribe", "hub.verify_token": "verify", "hub.challenge": "1158201444"}
        assert self.channel.challenge(query) == "1158201444"  # type: ignore[attr-defined]
        with pytest.raises(PermissionError):
            self.channel.challenge(query | {"hub.verify_token": "guess"})  # type: ignore[attr-defined]

    @pytest.mark.parametrize("code", [130429, 131056, 80007])
    def test_a_rate_limit_in_the_code_is_a_rate_limit(self, code: int) -> None:
        error = self._fail(StubAnswer(400, {"error": {"code": code}}))
        assert (error.reason, error.retry) == ("rate_limited", True)

    def test_a_passing_fault_in_the_code_is_tried_again(self) -> None:
        assert self._fail(StubAnswer(400, {"error": {"code": 131000}})).retry

    def test_an_account_without_an_app_secret_accepts_no_reports(self) -> None:
        from messaging.drivers.meta import Meta

        genuine = self.callback("x", "delivered")
        forged = {"X-Hub-Signature-256": "sha256=" + hmac.digest(b"", genuine.body, "sha256").hex()}
        with pytest.raises(PermissionError):
            Meta(access_token="token").reports(headers=CaseInsensitive(forged), body=genuine.body, query={})


class TestGupshup(ChannelContract):
    def make(self, *, base_url: str, timeout: float, callback_url: str) -> Channel:
        from messaging.drivers.gupshup import Gupshup

        return Gupshup(
            api_key="key",
            callback_secret="shared",
            app_name="TeaHouse",
            sender="+917834811114",
            base_url=base_url,
            timeout=timeout,
            callback_url=callback_url,
        )

    def accepted(self, identifier: str) -> StubAnswer:
        return StubAnswer(202, {"status": "submitted", "messageId": identifier})

    def dead_address(self) -> StubAnswer:
        return StubAnswer(400, {"status": "error", "message": "Invalid Destination"})

    def assert_request(self, request: StubRequest) -> None:
        assert request.path == "/wa/api/v1/template/msg"
        assert {name.lower(): value for name, value in request.headers.items()}["apikey"] == "key"
        assert request.form == {
            "channel": "whatsapp",
            "source": "917834811114",
            "destination": "919876543210",
            "src.name": "TeaHouse",
            "template": json.dumps({"id": "otp_login_v1", "params": ["482913", "482913"]}),
        }

    def callback(self, identifier: str, status: str) -> Callback:
        event: dict[str, Any] = {"id": "gBEGkYaYVSEE", "gsId": identifier, "type": status, "payload": {"ts": 1}}
        if status == "failed":
            event = {"id": identifier, "type": "failed", "payload": {"code": 1002, "reason": "not on WhatsApp"}}
        body = json.dumps({"app": "TeaHouse", "version": 2, "type": "message-event", "payload": event}).encode()
        return Callback(body, {"X-Callback-Secret": "shared"})

    def test_the_newer_form_of_a_report_is_understood_by_gupshups_own_id(self) -> None:
        status = {"gs_id": "g1", "id": "wamid.1", "status": "delivered"}
        body = json.dumps({"entry": [{"changes": [{"value": {"statuses": [status]}}]}]}).encode()
        found = self.channel.reports(headers=CaseInsensitive({}), body=body, query={"token": "shared"})
        assert [(report.provider_message_id, report.status) for report in found] == [("g1", "delivered")]


class TestEmailThroughAnymail(ChannelContract):
    message = RenderedMessage(
        to="shopper@example.com",
        subject="Your code",
        text="482913 is your code.",
        html="<p>482913 is your code.</p>",
        key="01JABCDEFGHJKMNPQRSTVWXYZ0",
    )

    def make(self, *, base_url: str, timeout: float, callback_url: str) -> Channel:
        from messaging.drivers.email import Email

        return Email(
            backend="anymail.backends.postmark.EmailBackend",
            sender="Tea House <codes@tea.example>",
            server_token="token",
            api_url=base_url + "/",
            timeout=timeout,
            callback_url=callback_url,
        )

    def accepted(self, identifier: str) -> StubAnswer:
        return StubAnswer(200, {"ErrorCode": 0, "Message": "OK", "MessageID": identifier, "To": "shopper@example.com"})

    def dead_address(self) -> StubAnswer:
        text = "Found inactive addresses: shopper@example.com. Inactive recipients have bounced."
        return StubAnswer(422, {"ErrorCode": 406, "Message": text})

    def assert_request(self, request: StubRequest) -> None:
        assert request.path == "/email"
        assert request.headers["X-Postmark-Server-Token"] == "token"
        sent = request.json
        assert (sent["To"], sent["Subject"], sent["TextBody"], sent["HtmlBody"]) == (
            "shopper@example.com",
            "Your code",
            "482913 is your code.",
            "<p>482913 is your code.</p>",
        )

    def test_a_redirect_is_not_followed(self) -> None:
        """The library under the backend follows redirects, so this driver promises only that it is no success."""
        with StubServer() as elsewhere:
            self.stub.next.append(StubAnswer(302, headers={"Location": elsewhere.url + "/moved"}))
            with pytest.raises(DeliveryFailed):
                self.channel.send(self.message)


class _Smtp(socketserver.StreamRequestHandler):
    """A mail server that knows just enough to accept, refuse or stay silent."""

    def handle(self) -> None:
        server: Any = self.server
        if server.silent:
            server.closing.wait(120)
            return
        self.wfile.write(b"220 stub\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b""
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    text += part
                server.mails.append(text)
                self.wfile.write(server.after_data + b"\r\n")
            elif word == b"RCPT":
                self.wfile.write(server.after_recipient + b"\r\n")
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def smtp() -> Iterator[Any]:
    server: Any = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Smtp)
    server.daemon_threads = True
    server.mails, server.silent, server.closing = [], False, threading.Event()
    server.after_recipient = server.after_data = b"250 ok"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()


def _over_smtp(server: Any) -> Any:
    return drivers.build(
        "email",
        backend="django.core.mail.backends.smtp.EmailBackend",
        sender="codes@tea.example",
        host="127.0.0.1",
        port=server.server_address[1],
    )


def test_a_mail_over_smtp_carries_an_id_that_repeats_with_the_message(smtp: Any) -> None:
    channel = _over_smtp(smtp)
    first = channel.send(TestEmailThroughAnymail.message)
    assert first == channel.send(TestEmailThroughAnymail.message) == "<01JABCDEFGHJKMNPQRSTVWXYZ0@tea.example>"
    assert first.encode() in smtp.mails[0]
    assert b"Subject: Your code" in smtp.mails[0]


@pytest.mark.parametrize(
    ("where", "answer", "retry", "reason"),
    [
        ("after_recipient", b"550 no such user", False, "address_refused"),
        ("after_recipient", b"451 greylisted", True, "address_refused"),
        ("after_data", b"554 spam", False, "smtp_554"),
        ("after_data", b"421 busy", True, "smtp_421"),
    ],
)
def test_a_mail_servers_refusal_says_whether_to_try_again(
    smtp: Any, where: str, answer: bytes, retry: bool, reason: str
) -> None:
    setattr(smtp, where, answer)
    with pytest.raises(DeliveryFailed) as caught:
        _over_smtp(smtp).send(TestEmailThroughAnymail.message)
    assert (caught.value.retry, caught.value.reason) == (retry, reason)
    assert caught.value.__cause__ is None  # the cause quotes the address


def test_a_mail_server_that_stays_silent_or_is_away_is_tried_again(smtp: Any, configure: Any) -> None:
    configure(MESSAGE_TIMEOUT_SECONDS=0.3)
    smtp.silent = True
    with pytest.raises(DeliveryFailed) as caught:
        _over_smtp(smtp).send(TestEmailThroughAnymail.message)
    assert (caught.value.retry, caught.value.reason) == (True, "timeout")
    away = drivers.build(
        "email", backend="django.core.mail.backends.smtp.EmailBackend", host="127.0.0.1", port=1, sender="a@b.example"
    )
    with pytest.raises(DeliveryFailed) as caught:
        away.send(TestEmailThroughAnymail.message)
    assert (caught.value.retry, caught.value.reason) == (True, "unreachable")


def test_without_options_the_deployments_own_mail_settings_are_used() -> None:
    drivers.build("email").send(TestEmailThroughAnymail.message)
    assert mail.outbox[0].to == ["shopper@example.com"]
    assert mail.outbox[0].from_email == "shop@localhost"


def test_the_console_hides_the_text_outside_debugging(settings: Any) -> None:
    lines = io.StringIO()
    channel = drivers.build("console", stream=lines)
    message = RenderedMessage(to="+919876543210", subject="", text="482913", template={"code": "otp_login"}, key="k")
    channel.send(message)
    assert lines.getvalue() == "message to +91******3210: otp_login\n"
    settings.DEBUG = True
    channel.send(message)
    assert "482913" in lines.getvalue()


def test_a_driver_that_nobody_named_or_with_wrong_options_cannot_be_made() -> None:
    with pytest.raises(LookupError):
        drivers.build("pigeon")
    with pytest.raises(TypeError):
        drivers.build("twilio")
    with pytest.raises(TypeError):
        drivers.build("twilio", account_sid="a", auth_token="b", colour="red")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", None), ("7", 7), ("99999999", 3600), ("soon", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("-5", None)],
)
def test_retry_after_is_read_in_both_forms_and_bounded(text: str, seconds: int | None) -> None:
    assert retry_after({"Retry-After": text}) == seconds


def test_a_resolver_that_hangs_holds_a_worker_no_longer_than_the_time_of_a_send(monkeypatch: Any) -> None:
    """Beyond that the lease would end, and another worker would send the message again."""
    let_go = threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        let_go.wait(60)
        raise OSError

    monkeypatch.setattr("storefront.outgoing.socket.getaddrinfo", hang)
    options = {"account_sid": "AC1", "auth_token": "token", "base_url": "https://slow.example"}
    driver = drivers.driver_class("twilio")(sender="+15005550006", timeout=0.1, callback_url="", **options)
    try:
        with pytest.raises(DeliveryFailed, match="timeout") as failure:
            driver.send(RenderedMessage(to="+919876543210", subject="", text="Hello", template={"code": "x"}, key="1"))
        assert failure.value.retry
        assert not let_go.is_set()
    finally:
        let_go.set()
