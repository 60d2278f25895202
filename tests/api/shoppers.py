"""Shoppers made through the API, as a client makes them."""

from __future__ import annotations

from typing import Any

from storefront import services
from storefront.models import Store
from tests.conftest import Api


def visitor(store: Store) -> Api:
    return Api(store, services.create_key(store=store, name="Test").text).become_visitor()


def registered(store: Store, email: str) -> Api:
    """A shopper who registered with a code; the store must be in debug mode and OTP_DEBUG on."""
    api = visitor(store)
    asked = api.post("/auth/login/email", {"email": email, "register_if_not_exists": True}, X_Debug_Mode="true")
    assert asked.status_code == 200, asked.content
    return verify(api, asked)


def verify(api: Api, asked: Any) -> Api:
    """Sends back the code of an answer that carries one, and keeps the tokens."""
    content = asked.json()["content"]
    body = {name: content[name] for name in ("otp", "otp_token", "otp_action")}
    answer = api.post("/auth/verify-otp", body)
    assert answer.status_code == 200, answer.content
    return api.take(answer)
