"""Points, credit and a gift card for the demo store and its shopper."""

from __future__ import annotations

from storefront.models import Store


def build(*, store: Store, user_id: str, customer_id: str) -> None:
    """Safe to repeat."""
