"""What e-mail services report: read in their own shapes, believed only with proof, and heeded."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from itertools import permutations
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from django.utils import timezone

from engagement.models import NewsletterSubscription
from engagement.newsletter import links
from engagement.newsletter import services as newsletter
from messaging import delivery, selectors, services
from messaging.drivers.email import Email
from messaging.models import Message, MessageAttempt, ProviderAccount, Status, UnmatchedReport, UnreachableAddress
from storefront.contracts import RenderedMessage
from storefront.models import Store
from tests.messaging.conftest import fresh

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore::Warning:anymail")]
ASHA = "asha@example.com"
PUBLIC = "https://shop.example"


class Callbacks:
    """One service: how it addresses a message, and its callback for each thing that may happen, with its proof."""

    def __init__(self, backend: str, identifier: str, credentials: dict[str, str], bodies: dict[str, Any]) -> None:
        self.backend, self.identifier, self.credentials, self.bodies = backend, identifier, credentials, bodies

    def proof(self, body: bytes, address: str) -> dict[str, str]:
        return {"Authorization": "Basic " + base64.b64encode(b"hook:s3cret").decode()}

    def encode(self, document: Any) -> tuple[bytes, str]:
        return json.dumps(document).encode(), "application/json"


class Mailgun(Callbacks):
    def encode(self, document: Any) -> tuple[bytes, str]:
        signature = hmac.new(b"mg-key", b"1893456000" + b"tok", hashlib.sha256).hexdigest()
        signed = {"signature": {"timestamp": "1893456000", "token": "tok", "signature": signature}}
        return json.dumps({**signed, "event-data": document}).encode(), "application/json"

    def proof(self, body: bytes, address: str) -> dict[str, str]:
        return {}


class MailerSend(Callbacks):
    def proof(self, body: bytes, address: str) -> dict[str, str]:
        return {"Signature": hmac.new(b"ms-key", body, hashlib.sha256).hexdigest()}


class Mailtrap(Callbacks):
    def proof(self, body: bytes, address: str) -> dict[str, str]:
        return {"Mailtrap-Signature": hmac.new(b"mt-key", body, hashlib.sha256).hexdigest()}


class Mandrill(Callbacks):
    def encode(self, document: Any) -> tuple[bytes, str]:
        return urlencode({"mandrill_events": json.dumps([document])}).encode(), "application/x-www-form-urlencoded"

    def proof(self, body: bytes, address: str) -> dict[str, str]:
        from urllib.parse import parse_qsl

        text = address + "".join(name + value for name, value in sorted(parse_qsl(body.decode())))
        digest = hmac.new(b"md-key", text.encode(), hashlib.sha1).digest()
        return {"X-Mandrill-Signature": base64.b64encode(digest).decode()}


_SENDGRID = ec.generate_private_key(ec.SECP256R1())


class SendGrid(Callbacks):
    def proof(self, body: bytes, address: str) -> dict[str, str]:
        signature = _SENDGRID.sign(b"1893456000" + body, ec.ECDSA(hashes.SHA256()))
        return {
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": "1893456000",
        }


class AmazonSES(Callbacks):
    def encode(self, document: Any) -> tuple[bytes, str]:
        envelope = {"Type": "Notification", "MessageId": "n-1", "TopicArn": "arn:aws:sns:eu-west-1:1:ses"}
        return json.dumps({**envelope, "Message": json.dumps(document)}).encode(), "text/plain; charset=UTF-8"

    def proof(self, body: bytes, address: str) -> dict[str, str]:
        return super().proof(body, address) | {"x-amz-sns-message-type": "Notification", "x-amz-sns-message-id": "n-1"}


def _mailgun(event: str, **more: Any) -> dict[str, Any]:
    return {
        "event": event,
        "id": "e1",
        "timestamp": 1893456000.5,
        "recipient": ASHA,
        "message": {"headers": {"message-id": "1@mg.shop.example", "to": ASHA}},
        "user-variables": {},
        "tags": [],
        **more,
    }


def _ses(kind: str, **more: Any) -> dict[str, Any]:
    mail = {"timestamp": "2030-01-01T00:00:00.000Z", "messageId": "ses-1", "destination": [ASHA], "headers": []}
    return {"eventType": kind, "mail": mail, **more}


def _sendgrid(event: str, **more: Any) -> list[dict[str, Any]]:
    return [{"email": ASHA, "timestamp": 1893456000, "event": event, "anymail_id": "sg-1", "sg_event_id": "x", **more}]


def _postmark(kind: str, **more: Any) -> dict[str, Any]:
    return {"RecordType": kind, "MessageID": "pm-1", "Recipient": ASHA, "Email": ASHA, "Metadata": {}, **more}


def _sparkpost(kind: str, **more: Any) -> list[dict[str, Any]]:
    event = {"type": kind, "transmission_id": "sp-1", "rcpt_to": ASHA, "timestamp": "1893456000", **more}
    return [{"msys": {"message_event": event}}]


def _mandrill(event: str, **more: Any) -> dict[str, Any]:
    return {"event": event, "_id": "md-1", "ts": 1893456000, "msg": {"_id": "md-1", "email": ASHA, **more}}


def _mailersend(kind: str) -> dict[str, Any]:
    message = {"id": "ms-1", "recipient": {"email": ASHA}}
    data = {"email": {"message": message, "recipient": {"email": ASHA}, "tags": None}, "type": kind, "morph": None}
    return {"type": f"activity.{kind}", "created_at": "2030-01-01T00:00:00.000000Z", "data": data}


SERVICES = {
    "mailgun": Mailgun(
        "anymail.backends.mailgun.EmailBackend",
        "<1@mg.shop.example>",
        {"api_key": "k", "signing_key": "mg-key"},
        {
            "delivered": _mailgun("delivered", **{"delivery-status": {"code": 250, "message": "OK"}}),
            "bounced": _mailgun(
                "failed",
                severity="permanent",
                reason="bounce",
                **{"delivery-status": {"code": 550, "message": "5.1.1 No such user"}},
            ),
            "soft": _mailgun("failed", severity="temporary", reason="generic"),
            "complained": _mailgun("complained"),
            "unsubscribed": _mailgun("unsubscribed"),
        },
    ),
    "postmark": Callbacks(
        "anymail.backends.postmark.EmailBackend",
        "pm-1",
        {"server_token": "k", "callback_secret": "hook:s3cret"},
        {
            "delivered": _postmark("Delivery", DeliveredAt="2030-01-01T00:00:00Z", Details="OK"),
            "bounced": _postmark("Bounce", Type="HardBounce", ID=1, BouncedAt="2030-01-01T00:00:00Z"),
            "soft": _postmark("Bounce", Type="SoftBounce", ID=2, BouncedAt="2030-01-01T00:00:00Z"),
            "complained": _postmark("SpamComplaint", Type="SpamComplaint", ID=3, BouncedAt="2030-01-01T00:00:00Z"),
            "unsubscribed": _postmark(
                "SubscriptionChange",
                SuppressSending=True,
                SuppressionReason="ManualSuppression",
                ChangedAt="2030-01-01T00:00:00Z",
            ),
        },
    ),
    "brevo": Callbacks(
        "anymail.backends.brevo.EmailBackend",
        "<1@smtp-relay.mailin.fr>",
        {"api_key": "k", "callback_secret": "s3cret"},
        {
            "delivered": {"event": "delivered", "email": ASHA, "message-id": "<1@smtp-relay.mailin.fr>"},
            "bounced": {"event": "hard_bounce", "email": ASHA, "message-id": "<1@smtp-relay.mailin.fr>"},
            "soft": {"event": "soft_bounce", "email": ASHA, "message-id": "<1@smtp-relay.mailin.fr>"},
            "complained": {"event": "spam", "email": ASHA, "message-id": "<1@smtp-relay.mailin.fr>"},
            "unsubscribed": {"event": "unsubscribe", "email": ASHA, "message-id": "<1@smtp-relay.mailin.fr>"},
        },
    ),
    "amazon_ses": AmazonSES(
        "anymail.backends.amazon_ses.EmailBackend",
        "ses-1",
        {"callback_secret": "hook:s3cret"},
        {
            "delivered": _ses("Delivery", delivery={"recipients": [ASHA], "smtpResponse": "250 ok"}),
            "bounced": _ses(
                "Bounce",
                bounce={
                    "bounceType": "Permanent",
                    "bounceSubType": "General",
                    "bouncedRecipients": [{"emailAddress": ASHA, "diagnosticCode": "smtp; 550 5.1.1 unknown"}],
                },
            ),
            "soft": _ses(
                "Bounce",
                bounce={
                    "bounceType": "Transient",
                    "bounceSubType": "MailboxFull",
                    "bouncedRecipients": [{"emailAddress": ASHA}],
                },
            ),
            "complained": _ses("Complaint", complaint={"complainedRecipients": [{"emailAddress": ASHA}]}),
        },
    ),
    "sendgrid": SendGrid(
        "anymail.backends.sendgrid.EmailBackend",
        "sg-1",
        {
            "api_key": "k",
            "signing_key": base64.b64encode(
                _SENDGRID.public_key().public_bytes(
                    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
                )
            ).decode(),
        },
        {
            "delivered": _sendgrid("delivered", response="250 OK"),
            "bounced": _sendgrid("bounce", type="bounce", status="5.1.1", reason="550 5.1.1 unknown"),
            "soft": _sendgrid("bounce", type="blocked", status="4.0.0", reason="421 later"),
            "complained": _sendgrid("spamreport"),
            "unsubscribed": _sendgrid("unsubscribe"),
        },
    ),
    "sparkpost": Callbacks(
        "anymail.backends.sparkpost.EmailBackend",
        "sp-1",
        {"api_key": "k", "callback_secret": "hook:s3cret"},
        {
            "delivered": _sparkpost("delivery"),
            "bounced": _sparkpost("bounce", bounce_class="10", raw_reason="550 5.1.1 unknown"),
            "soft": _sparkpost("bounce", bounce_class="22", raw_reason="552 5.2.2 full"),
            "complained": _sparkpost("spam_complaint"),
        },
    ),
    "mandrill": Mandrill(
        "anymail.backends.mandrill.EmailBackend",
        "md-1",
        {"api_key": "k", "signing_key": "md-key"},
        {
            "delivered": _mandrill("open"),  # django-anymail knows no other proof of its arrival
            "bounced": _mandrill("hard_bounce", bounce_description="bad_mailbox", diag="smtp;550 5.1.1"),
            "soft": _mandrill("soft_bounce", bounce_description="mailbox_full"),
            "complained": _mandrill("spam"),
            "unsubscribed": _mandrill("unsub"),
        },
    ),
    "mailersend": MailerSend(
        "anymail.backends.mailersend.EmailBackend",
        "ms-1",
        {"api_token": "k", "signing_key": "ms-key"},
        {
            "delivered": _mailersend("delivered"),
            "bounced": _mailersend("hard_bounced"),
            "soft": _mailersend("soft_bounced"),
            "complained": _mailersend("spam_complaint"),
            "unsubscribed": _mailersend("unsubscribed"),
        },
    ),
    "mailtrap": Mailtrap(
        "anymail.backends.mailtrap.EmailBackend",
        "mt-1",
        {"api_token": "k", "signing_key": "mt-key"},
        {
            kind: {
                "events": [
                    {
                        "event": event,
                        "message_id": "mt-1",
                        "email": ASHA,
                        "timestamp": 1893456000,
                        "event_id": "x",
                        "sending_stream": "transactional",
                    }
                ]
            }
            for kind, event in (
                ("delivered", "delivery"),
                ("bounced", "bounce"),
                ("soft", "soft bounce"),
                ("complained", "spam"),
                ("unsubscribed", "unsubscribe"),
            )
        },
    ),
    "resend": Callbacks(
        "anymail.backends.resend.EmailBackend",
        "rs-1",
        {"api_key": "k", "callback_secret": "s3cret"},
        {
            kind: {
                "type": f"email.{event}",
                "created_at": "2030-01-01T00:00:00.000Z",
                "data": {
                    "email_id": "rs-1",
                    "to": [ASHA],
                    "created_at": "2030-01-01T00:00:00.000Z",
                    "bounce": {
                        "type": bounce,
                        "subType": "General",
                        "message": f"The provider sent a {bounce} bounce message.",
                    },
                },
            }
            for kind, event, bounce in (
                ("delivered", "delivered", ""),
                ("bounced", "bounced", "Permanent"),
                ("soft", "bounced", "Transient"),
                ("complained", "complained", ""),
            )
        },
    ),
    "mailjet": Callbacks(
        "anymail.backends.mailjet.EmailBackend",
        "1234567890",
        {"api_key": "k", "secret_key": "s", "callback_secret": "hook:s3cret"},
        {
            "delivered": {"event": "sent", "email": ASHA, "MessageID": 1234567890, "time": 1893456000},
            "bounced": {
                "event": "bounce",
                "email": ASHA,
                "MessageID": 1234567890,
                "time": 1893456000,
                "hard_bounce": True,
                "error": "user unknown",
            },
            "soft": {
                "event": "bounce",
                "email": ASHA,
                "MessageID": 1234567890,
                "time": 1893456000,
                "hard_bounce": False,
                "error": "quota exceeded",
            },
            "complained": {"event": "spam", "email": ASHA, "MessageID": 1234567890, "time": 1893456000},
            "unsubscribed": {"event": "unsub", "email": ASHA, "MessageID": 1234567890, "time": 1893456000},
        },
    ),
}
EVERY = sorted(SERVICES)
Report = Callable[..., Any]


class Mail:
    """An account at one service, a message that it took, and its callbacks."""

    def __init__(self, store: Store, service: Callbacks, client: Client) -> None:
        self.store, self.service, self.client = store, service, client
        self.account = ProviderAccount.objects.create(
            store=store,
            name="Mail",
            channel="email",
            driver="email",
            sender="shop@shop.example",
            credentials=service.credentials,
            options={"backend": service.backend},
        )
        self.message: Message = self.send()

    def send(self, **changes: Any) -> Message:
        fields = {"store": self.store, "to": ASHA, "channel": "email", "template": "welcome", "values": {"name": "A"}}
        message = services.queue(**(fields | changes))
        delivery.drain()
        return fresh(message)

    def report(self, kind: str, *, tamper: Callable[[bytes], bytes] = bytes, **headers: str) -> Any:
        body, content_type = self.service.encode(self.service.bodies[kind])
        path = f"/hooks/messages/{self.store.pk}/{self.account.pk}"
        proof = self.service.proof(body, PUBLIC + path)
        return self.client.generic("POST", path, tamper(body), content_type=content_type, headers=proof | headers)

    def state(self) -> tuple[str, str]:
        message = fresh(self.message)
        return message.status.value, message.reason

    def marks(self) -> list[str]:
        return list(UnreachableAddress.objects.values_list("reason", flat=True))


@pytest.fixture(autouse=True)
def _public(configure: Any) -> None:
    configure(PUBLIC_URL=PUBLIC)


@pytest.fixture
def mail(request: pytest.FixtureRequest, store: Store, client: Client, monkeypatch: pytest.MonkeyPatch) -> Mail:
    service = SERVICES[request.param]
    if request.param == "amazon_ses":  # Amazon's library is for those to install who send through it
        monkeypatch.setattr("anymail.webhooks.amazon_ses._get_anymail_boto3_params", lambda **_: ({}, {}))

    def send(self: Email, message: RenderedMessage) -> str:
        return service.identifier

    monkeypatch.setattr(Email, "send", send)
    return Mail(store, service, client)


def each(*names: str) -> Any:
    return pytest.mark.parametrize("mail", names or EVERY, indirect=True)


# --- what they mean ---------------------------------------------------------------------------------------------------
@each()
def test_a_delivered_message_is_delivered(mail: Mail) -> None:
    assert mail.state() == ("sent", "")
    answer = mail.report("delivered")
    assert answer.status_code == 200, answer.content
    assert answer.json()["content"] == {"reports": 1, "known": 1}
    assert mail.state() == ("delivered", "")
    assert mail.marks() == []


@each()
def test_an_address_that_nobody_reads_gets_what_is_essential_and_nothing_else(mail: Mail, store: Store) -> None:
    newsletter.subscribe(store=store, email=ASHA)
    assert mail.report("bounced").status_code == 200
    assert mail.state() == ("failed", "bounced")
    assert mail.marks() == ["bounced"]
    assert NewsletterSubscription.objects.get().state == "suppressed"
    offer = mail.send(category="promotional")
    assert (offer.status.value, offer.reason) == ("failed", "address_unreachable")
    assert mail.send().status == Status.SENT  # a code, an order
    assert mail.send(to="ravi@example.com", category="promotional").status == Status.SENT


@each()
def test_a_full_mailbox_fails_the_message_at_most_and_marks_nobody(mail: Mail, store: Store) -> None:
    newsletter.subscribe(store=store, email=ASHA)
    assert mail.report("soft").status_code == 200
    assert mail.state() in [("sent", ""), ("failed", "soft_bounce"), ("failed", "bounced_blocked")]
    assert mail.marks() == []
    assert NewsletterSubscription.objects.get().state == "subscribed"
    assert mail.report("delivered").status_code == 200  # the service went on trying
    assert mail.state() == ("delivered", "")


@each()
def test_who_calls_it_spam_has_it_and_gets_no_more_of_it(mail: Mail, store: Store) -> None:
    newsletter.subscribe(store=store, email=ASHA)
    mail.report("delivered")
    assert mail.report("complained").status_code == 200
    assert mail.state() == ("delivered", "")
    assert mail.marks() == ["complained"]
    assert NewsletterSubscription.objects.get().state == "suppressed"


@each(*(name for name in EVERY if "unsubscribed" in SERVICES[name].bodies))
def test_who_unsubscribes_at_the_service_has_left_the_list(mail: Mail, store: Store) -> None:
    newsletter.subscribe(store=store, email=ASHA)
    for _repeat in (1, 2):
        assert mail.report("unsubscribed").status_code == 200
    row = NewsletterSubscription.objects.get()
    assert (row.state, row.refuses_promotions) == ("unsubscribed", True)
    assert mail.marks() == []
    assert mail.state() == ("sent", "")
    assert list(row.consents.values_list("kind", flat=True)) == ["subscribed", "unsubscribed"]


@each("mailgun")
@pytest.mark.parametrize("order", list(permutations(["delivered", "bounced", "complained"])))
def test_the_order_of_reports_and_their_number_change_nothing(mail: Mail, order: tuple[str, ...]) -> None:
    for kind in order:
        for _repeat in range(3):
            assert mail.report(kind).status_code == 200
    assert mail.state() == ("failed", "bounced")  # taken, and sent back later: it has no reader
    assert len(mail.marks()) == 1
    reported = MessageAttempt.objects.filter(reason__startswith="reported_").values_list("reason", flat=True)
    assert sorted(reported) == ["reported_bounced", "reported_complained"]


@each("mailgun")
def test_a_report_that_overtakes_our_own_note_is_applied_when_that_is_written(mail: Mail) -> None:
    MessageAttempt.objects.all().delete()
    Message.objects.update(
        state="pending", sent_at=None, provider_message_id="", account=None, next_attempt_at=timezone.now()
    )
    for kind in ("delivered", "bounced", "complained"):
        assert mail.report(kind).json()["content"] == {"reports": 1, "known": 0}
    assert UnmatchedReport.objects.count() == 3
    delivery.drain()
    assert mail.state() == ("failed", "bounced")
    assert mail.marks() == ["bounced"]


@each("mailgun")
def test_a_bounce_that_is_told_again_after_staff_lifted_the_mark_marks_nobody(mail: Mail, store: Store) -> None:
    mail.report("bounced")
    assert services.reachable_again(store=store, channel="email", address="Asha@Example.com")
    assert not services.reachable_again(store=store, channel="email", address=ASHA)
    mail.report("bounced")
    assert mail.marks() == []
    services.send_again(ids=[mail.message.pk])
    delivery.drain()
    assert mail.state()[0] == "sent"


@each("mailgun")
def test_a_complaint_of_long_ago_still_finds_its_address(mail: Mail, store: Store) -> None:
    newsletter.subscribe(store=store, email=ASHA)
    services._mask([mail.message])
    assert mail.report("complained").status_code == 200
    assert NewsletterSubscription.objects.get().state == "suppressed"
    assert selectors.is_unreachable(store=store, channel="email", address=ASHA)


@each("mailgun")
def test_a_forgotten_address_is_not_believed_to_be_another(mail: Mail) -> None:
    mail.message.to = "zoe@example.com"
    services._mask([mail.message])
    assert mail.report("complained").status_code == 200
    assert mail.marks() == []


# --- proof ------------------------------------------------------------------------------------------------------------
@each()
def test_a_changed_or_unproven_report_changes_nothing(mail: Mail, store: Store) -> None:
    if "callback_secret" in mail.service.credentials:
        guesses = ("Basic " + base64.b64encode(b"hook:guess").decode(), "Basic !!", "Bearer hook:s3cret", "")
        forgeries = [{"Authorization": guess} for guess in guesses]
    else:
        names = mail.service.proof(b"", "")
        forgeries = [dict.fromkeys(names, guess) for guess in ("AAAA", "é", "")] if names else []
        if isinstance(mail.service, Mailgun):
            changes = [(b'"tok"', b'"tik"'), (b"1893456000", b"1893456001"), (b"signature", b"sign")]
        else:
            changes = [(b"asha", b"ravi"), (b"bounce", b"bounc"), (b"example", b"example1")]
        for before, after in changes:
            assert mail.report("bounced", tamper=lambda body, b=before, a=after: body.replace(b, a)).status_code == 401
        assert mail.report("bounced", tamper=lambda body: b"").status_code == 401
    for headers in forgeries:
        assert mail.report("bounced", **headers).status_code == 401
    assert mail.state() == ("sent", "")
    assert mail.marks() == []
    assert not UnmatchedReport.objects.exists()


@each("mailgun")
def test_an_account_with_both_secrets_wants_both(mail: Mail) -> None:
    """Mailgun signs no more than a time and a token."""
    mail.account.credentials = {**mail.service.credentials, "callback_secret": "s3cret"}
    mail.account.save()
    assert mail.report("delivered").status_code == 401
    password = base64.b64encode(b"anybody:s3cret").decode()
    assert (
        mail.report(
            "delivered", tamper=lambda body: body.replace(b"tok", b"tik"), Authorization=f"Basic {password}"
        ).status_code
        == 401
    )
    assert mail.report("delivered", Authorization=f"Basic {password}").status_code == 200
    assert mail.state() == ("delivered", "")


@each("amazon_ses")
def test_amazon_is_asked_for_its_password_and_confirmed(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    from anymail.webhooks.amazon_ses import AmazonSESTrackingWebhookView

    confirmed: list[dict[str, str]] = []

    class Sns:
        def confirm_subscription(self, **arguments: str) -> None:
            confirmed.append(arguments)

        def close(self) -> None:
            pass

    monkeypatch.setattr(AmazonSESTrackingWebhookView, "get_boto_client", lambda *_, **__: Sns())
    body = {
        "Type": "SubscriptionConfirmation",
        "MessageId": "n-1",
        "Token": "t",
        "TopicArn": "arn:aws:sns:eu-west-1:1:ses",
    }
    path = f"/hooks/messages/demo/{mail.account.pk}"
    asked = mail.client.generic("POST", path, json.dumps(body), content_type="text/plain")
    assert (asked.status_code, asked["WWW-Authenticate"]) == (401, 'Basic realm="reports"')
    assert confirmed == []
    proof = mail.service.proof(b"", "")
    assert (
        mail.client.generic("POST", path, json.dumps(body), content_type="text/plain", headers=proof).status_code == 200
    )
    assert [found["Token"] for found in confirmed] == ["t"]


@each("mailgun", "postmark", "mandrill")
def test_without_a_secret_nothing_is_believed_whatever_the_deployment_has(mail: Mail, settings: Any) -> None:
    settings.ANYMAIL = {"WEBHOOK_SECRET": "hook:s3cret", "MAILGUN_WEBHOOK_SIGNING_KEY": "mg-key"}
    mail.account.credentials = {"api_key": "k"}
    mail.account.save()
    assert mail.report("bounced").status_code == 401
    assert mail.state() == ("sent", "")


@each("postmark")
@pytest.mark.parametrize("way", ["?token=hook:s3cret", "X-Callback-Secret"])
def test_the_secret_may_come_in_the_address_or_a_header(mail: Mail, client: Client, way: str) -> None:
    path = f"/hooks/messages/demo/{mail.account.pk}"
    headers = {} if way.startswith("?") else {way: "hook:s3cret"}
    path += way if way.startswith("?") else ""
    body = json.dumps(mail.service.bodies["delivered"])
    assert client.post(path, body, content_type="application/json", headers=headers).status_code == 200
    assert mail.state() == ("delivered", "")


@each("postmark")
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"RecordType": 5}', b"\xff\xfe", b'"x"', b"[" * 50_000])
def test_what_cannot_be_read_holds_no_reports(mail: Mail, client: Client, body: bytes) -> None:
    path = f"/hooks/messages/demo/{mail.account.pk}?token=hook:s3cret"
    answer = client.generic("POST", path, body, content_type="application/json")
    assert (answer.status_code, answer.json()["content"]["known"]) == (200, 0)
    assert mail.state() == ("sent", "")


@each("mailgun")
def test_an_account_of_another_store_hears_nothing(mail: Mail, other_store: Store, client: Client) -> None:
    other = Mail(other_store, mail.service, client)
    assert other.report("bounced").status_code == 200
    assert mail.state() == ("sent", "")
    assert [mark.store_id for mark in UnreachableAddress.objects.all()] == [other_store.pk]
    assert not selectors.is_unreachable(store=mail.store, channel="email", address=ASHA)


@each("mandrill")
def test_a_look_whether_anybody_is_there_is_answered_and_tells_nothing(mail: Mail, client: Client) -> None:
    for account in (mail.account.pk, "nobody"):
        answer = client.head(f"/hooks/messages/demo/{account}")
        assert (answer.status_code, answer.content) == (200, b"")


def test_plain_smtp_sends_no_reports(store: Store, client: Client) -> None:
    account = ProviderAccount.objects.create(
        store=store,
        name="Mail",
        channel="email",
        driver="email",
        credentials={"callback_secret": "s3cret"},
        options={"backend": "django.core.mail.backends.smtp.EmailBackend"},
    )
    path = f"/hooks/messages/demo/{account.pk}?token=s3cret"
    assert client.post(path, "{}", content_type="application/json").status_code == 401


# --- marks ------------------------------------------------------------------------------------------------------------
@each("mailgun")
def test_a_mark_holds_no_address_and_outlives_a_change_of_the_secret(mail: Mail, settings: Any, store: Store) -> None:
    mail.report("bounced")
    row = UnreachableAddress.objects.values().get()
    assert "asha" not in str(row) and ASHA not in str(row)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another one, long enough to be one"
    assert selectors.is_unreachable(store=store, channel="email", address=ASHA)


@each("mailgun")
def test_a_marked_address_must_click_to_subscribe_and_is_reachable_by_it(mail: Mail, store: Store) -> None:
    mail.report("bounced")
    newsletter.subscribe(store=store, email=ASHA)
    assert NewsletterSubscription.objects.get().state == "pending"
    sealed = links.seal(store=store, kind=links.CONFIRM, email=ASHA, now=timezone.now())
    newsletter.confirm(store=store, sealed=sealed)
    assert NewsletterSubscription.objects.get().state == "subscribed"
    assert mail.marks() == []


@each("mailgun")
def test_a_person_who_is_forgotten_takes_the_mark_along(mail: Mail, store: Store) -> None:
    mail.report("bounced")
    services.forget_contacts(store=store, contacts=[ASHA])
    assert mail.marks() == []
