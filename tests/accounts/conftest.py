"""Shoppers and their codes, as a phone would show them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone

from accounts import otp, selectors
from accounts.models import OtpChallenge
from messaging.models import Message
from storefront import events
from tests.conftest import Api


@pytest.fixture(autouse=True)
def _fresh_accounts() -> Iterator[None]:
    selectors.forget()
    yield
    selectors.forget()


def last_code(contact: str = "") -> str:
    """The code in the newest message (to `contact`)."""
    messages = Message.objects.exclude(secret_ref="").order_by("-created_at", "-pk")
    message = (messages.filter(to=contact) if contact else messages).first()
    assert message is not None, "no code was sent"
    return otp.reveal(message.secret_ref.removeprefix("otp:"), now=timezone.now())["code"]


def newest_challenge() -> OtpChallenge:
    return OtpChallenge.objects.order_by("-created_at", "-pk")[0]


def answer(api: Api, asked: Any, code: str | None = None, action: str | None = None) -> Any:
    """Sends the code of `asked` back."""
    assert asked.status_code == 200, asked.content
    content = asked.json()["content"]
    return api.post(
        "/auth/verify-otp",
        {
            "otp": last_code() if code is None else code,
            "otp_token": content["otp_token"],
            "otp_action": action or content["otp_action"],
        },
    )


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"


Enter = Callable[..., Api]


@pytest.fixture
def enter(new_api: Any, store: Any) -> Enter:
    """`enter("a@example.com")` or `enter(phone="9876543210")`: a client logged in by code, registered if need be."""

    def make(email: str = "", phone: str = "", api: Api | None = None) -> Api:
        api = api or new_api(store).become_visitor()
        if phone:
            asked = api.post("/auth/login/phone", {"phone": phone, "register_if_not_exists": True})
        else:
            asked = api.post("/auth/login/email", {"email": email, "register_if_not_exists": True})
        answered = answer(api, asked)
        assert answered.status_code == 200, answered.content
        return api.take(answered)

    return make


@pytest.fixture
def shopper(enter: Enter) -> Api:
    """Someone who is logged in, with e-mail asha@example.com."""
    return enter("asha@example.com")


@pytest.fixture
def heard() -> Any:
    """Every event of this app that was sent: (name, payload)."""
    found: list[tuple[str, dict[str, Any]]] = []
    names = ("shopper.registered", "shopper.merged", "shopper.logged_in", "shopper.erased")
    listeners = {name: (lambda _name=name, **payload: found.append((_name, payload))) for name in names}
    for name, listener in listeners.items():
        events.on(name, listener)
    yield found
    for name, listener in listeners.items():
        events._listeners[name].remove(listener)


def named(heard: Any, name: str) -> list[dict[str, Any]]:
    return [payload for found, payload in heard if found == name]
