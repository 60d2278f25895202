"""A provider that records what it is asked to send and answers as told, and the helpers around it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone

from messaging import breaker, secrets, services
from messaging.drivers.base import Driver
from messaging.models import Message, ProviderAccount
from storefront.contracts import DeliveryFailed, DeliveryReport, RenderedMessage
from storefront.models import Store


@dataclass
class Provider:
    """What every recording driver shares. `answers` are used up in order; then everything is accepted."""

    sent: list[tuple[str, RenderedMessage]] = field(default_factory=list)
    answers: list[Exception] = field(default_factory=list)
    always: dict[str, Exception] = field(default_factory=dict)  # by sender
    before: Callable[[str, RenderedMessage], None] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, sender: str, message: RenderedMessage) -> str:
        if self.before:
            self.before(sender, message)
        with self.lock:
            if sender in self.always:
                raise self.always[sender]
            if self.answers:
                raise self.answers.pop(0)
            self.sent.append((sender, message))
            return f"{sender}-{len(self.sent)}"

    @property
    def texts(self) -> list[str]:
        return [message.text for _sender, message in self.sent]

    @property
    def senders(self) -> list[str]:
        return [sender for sender, _message in self.sent]


_provider = Provider()


class Recording(Driver):
    channels = ("whatsapp", "sms", "email")
    credential_names = ("token",)

    def __init__(self, *, token: str = "", **options: Any) -> None:
        super().__init__(**options)
        self.token = token

    def send(self, message: RenderedMessage) -> str:
        return _provider.take(self.sender, message)

    def reports(self, *, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> list[DeliveryReport]:
        if query.get("token") != self.token:
            raise PermissionError
        status, _, identifier = body.decode().partition(" ")
        return [DeliveryReport(provider_message_id=identifier, status=status, reason="gone")]


@pytest.fixture(autouse=True)
def _no_breaker_remembers() -> None:
    breaker.forget()


@pytest.fixture
def provider(configure: Any) -> Provider:
    """The recording provider; accounts with the driver "recording" send through it."""
    global _provider
    _provider = Provider()
    configure(CHANNELS={"recording": "tests.messaging.conftest.Recording"})
    return _provider


@pytest.fixture
def add_account(store: Store, provider: Provider) -> Callable[..., ProviderAccount]:
    def add(channel: str, **fields: Any) -> ProviderAccount:
        defaults = {"store": store, "name": channel, "driver": "recording", "sender": channel}
        credentials = {"token": "callback-token"}
        return ProviderAccount.objects.create(**{**defaults, "credentials": credentials, **fields}, channel=channel)

    return add


@pytest.fixture
def sms(add_account: Callable[..., ProviderAccount]) -> ProviderAccount:
    return add_account("sms")


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The codes behind "otp:<id>"; take one out and it is gone."""
    known = {"1": "482913"}

    def resolve(secret_id: str, /, *, now: datetime) -> dict[str, str]:
        if secret_id not in known:
            raise secrets.Gone
        return {"code": known[secret_id]}

    monkeypatch.setitem(secrets._resolvers, "otp", resolve)
    return known


@pytest.fixture
def queue(store: Store, code: dict[str, str]) -> Callable[..., Message]:
    """`queue(channel="sms")`: a one-time code on its way."""

    def make(**fields: Any) -> Message:
        given = {
            "store": store,
            "to": "+919876543210",
            "channel": "sms",
            "template": "otp_login",
            "secret_ref": "otp:1",
            "ttl": 300,
        }
        return services.queue(**{**given, **fields})

    return make


@pytest.fixture
def failing() -> Callable[..., DeliveryFailed]:
    def make(reason: str = "http_503", *, retry: bool = True, retry_after: int | None = None) -> DeliveryFailed:
        return DeliveryFailed(reason, retry=retry, retry_after=retry_after)

    return make


def fresh(message: Message) -> Message:
    """The message as the database has it now."""
    found: Message = Message.objects.get(pk=message.pk)
    return found


def due_now(message: Message) -> None:
    """Makes a waiting message due, as time would."""
    Message.objects.filter(pk=message.pk).update(next_attempt_at=timezone.now())
