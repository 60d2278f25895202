"""What tests of the newsletter and of analytics share."""

from __future__ import annotations

import re
from typing import Any

import pytest

from engagement.newsletter import links, services
from engagement.newsletter.models import NewsletterSubscription
from messaging.models import Message
from storefront import selectors
from storefront.models import Store
from tests.messaging.conftest import _no_breaker_remembers, add_account, provider

__all__ = ["_no_breaker_remembers", "add_account", "provider"]  # its recording provider


@pytest.fixture
def change(store: Store) -> Any:
    """`change(newsletter_double_opt_in=True)`: the store's settings, known at once."""

    def set_fields(**fields: Any) -> Store:
        Store.objects.filter(pk=store.pk).update(**fields)
        selectors.forget()
        for name, value in fields.items():
            setattr(store, name, value)
        return store

    return set_fields


@pytest.fixture
def subscribe(visitor: Any) -> Any:
    """Sends the form in, and works off what came in."""

    def send(email: Any = "Asha@Example.com ", **headers: Any) -> Any:
        answer = visitor.post("/campaigns/newsletter-subscribe", {"email": email}, **headers)
        services.drain()
        return answer

    return send


def state_of(store: Store, email: str = "asha@example.com") -> str:
    row = NewsletterSubscription.objects.filter(store=store, email=email).first()
    return row.state if row else ""


def history(store: Store, email: str = "asha@example.com") -> list[tuple[str, str]]:
    row = NewsletterSubscription.objects.get(store=store, email=email)
    return list(row.consents.order_by("pk").values_list("kind", "source"))


def link_in(message: Message, kind: str = links.CONFIRM) -> str:
    """The path of the link that a message shows when it leaves."""
    from messaging import rendering, secrets
    from messaging import selectors as plans

    store = Store.objects.get(pk=message.store_id)
    rendered = rendering.render(
        message,
        store=store,
        channel="email",
        overrides=plans.plan(store.pk).overrides,
        secret=secrets.resolve(message.secret_ref, now=message.created_at),
    )
    found = re.search(rf"https?://[^/\s]+(/newsletter/{store.pk}/{kind}/[\w=-]+)", rendered.text)
    assert found, rendered.text
    assert found[1] in rendered.html
    return found[1]
