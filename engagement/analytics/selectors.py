"""Reads of analytics: what is known of a shopper, what clients may know of services."""

from __future__ import annotations

from typing import Any

from storefront.models import Store

from . import providers
from .models import AnalyticsEvent, AnalyticsProvider

EXPORTED = 1000


def personal_data(*, store: Store, user_id: str, customer_id: str | None) -> list[dict[str, Any]]:
    """For `storefront.privacy`: a shopper's latest events, 1,000 at most; one query."""
    if not user_id:
        return []
    rows = AnalyticsEvent.objects.filter(store=store, user_id=user_id).order_by("-occurred_at", "-pk")[:EXPORTED]
    return [
        {
            "event": row.name,
            "at": row.occurred_at.isoformat(),
            "properties": row.properties,
            "context": row.context,
        }
        for row in rows
    ]


def client_providers(*, store: Store) -> list[dict[str, Any]]:
    """For `storefront.provided`: the services whose script clients run, as the contract's AnalyticsProvider; one query."""
    rows = AnalyticsProvider.objects.filter(store=store, active=True).order_by("kind")
    return [shape for row in rows if (shape := providers.shape(row)) is not None]
