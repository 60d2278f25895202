"""Reads of the newsletter: one address, whether it wants a message, the list."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from messaging.models import Category, ChannelName
from messaging.secrets import Gone
from storefront import provided
from storefront.conf import conf
from storefront.models import Store

from . import links
from .models import NewsletterConsent, NewsletterSubscription

State = NewsletterSubscription.State
EXPORT_COLUMNS = ("email", "state", "since", "created_at", "language", "shopper")


def subscription(*, store: Store, email: str) -> NewsletterSubscription | None:
    """One query."""
    return NewsletterSubscription.objects.filter(store=store, email=email).first()


def text_version(store: Store) -> str:
    """The version of the words that the store shows beside its form; "" while it shows none."""
    text = store.newsletter_text.strip()
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else ""


def wants(*, store: Store, to: str, channel: str, category: str) -> bool:
    """For `messaging.consent`. The newsletter goes to who subscribed; offers to who did not refuse them. One query."""
    if channel != ChannelName.EMAIL:
        return True
    found = subscription(store=store, email=to)
    if category == Category.NEWSLETTER:
        return found is not None and found.state == State.SUBSCRIBED
    return found is None or (found.state != State.SUPPRESSED and not found.refuses_promotions)


def opt_out(*, store: Store, to: str, channel: str, category: str) -> str:
    """For `messaging.consent`: where this address ends such messages; "" while the deployment has no public address."""
    base = conf().PUBLIC_URL.rstrip("/")
    if channel != ChannelName.EMAIL or not base:
        return ""
    sealed = links.seal(store=store, kind=links.UNSUBSCRIBE, email=to, now=timezone.now())
    return base + links.path(store=store, kind=links.UNSUBSCRIBE, sealed=sealed)


def reveal(secret_id: str, /, *, now: datetime) -> dict[str, str]:
    """For `messaging.secrets`: the link that confirms a waiting subscription. Raises Gone."""
    row = NewsletterSubscription.objects.select_related("store").filter(pk=secret_id, state=State.PENDING).first()
    if row is None:
        raise Gone
    return {"sealed": links.seal(store=row.store, kind=links.CONFIRM, email=row.email, now=now)}


def export_rows(*, store: Store, state: str = "") -> Iterator[tuple[Any, ...]]:
    """The list as `EXPORT_COLUMNS`, streamed: a few hundred rows in memory, whatever their number."""
    rows = NewsletterSubscription.objects.filter(store=store).order_by("pk")
    if state:
        rows = rows.filter(state=state)
    for row in rows.iterator(chunk_size=500):
        yield (
            row.email,
            row.state,
            row.state_since.isoformat(),
            row.created_at.isoformat(),
            row.language,
            row.user_id,
        )


def personal_data(*, store: Store, user_id: str, customer_id: str | None) -> list[dict[str, Any]]:
    """For `storefront.privacy`: the addresses that a shopper subscribed or has proved, with their history; two queries
    and those for the contacts."""
    proved = provided.ask("proved_contacts", default=[], store=store, user_id=user_id)
    theirs = Q(user_id=user_id) & ~Q(user_id="") | Q(email__in=[contact for contact in proved if "@" in contact])
    rows = NewsletterSubscription.objects.filter(theirs, store=store)
    consents: dict[str, list[dict[str, Any]]] = {}
    for consent in NewsletterConsent.objects.filter(store=store, subscription__in=rows).order_by("pk"):
        consents.setdefault(consent.subscription_id, []).append(
            {
                "kind": consent.kind,
                "source": consent.source,
                "network": consent.network,
                "text_version": consent.text_version,
                "at": consent.created_at.isoformat(),
            }
        )
    return [
        {"email": row.email, "state": row.state, "history": consents.get(row.pk, [])} for row in rows.order_by("pk")
    ]
