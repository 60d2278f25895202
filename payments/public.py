"""What clients of a store may know of its providers, for `storefront.provided`."""

from __future__ import annotations

from typing import Any

from storefront.models import Store

from . import gateways, selectors, serializers


def payment_providers(*, store: Store) -> list[dict[str, Any]]:
    """The contract's `PaymentProvider` of each that works here, in the store's order. One query."""
    return [
        serializers.provider(row, takes_mandates=gateways.takes_mandates(row))
        for row in selectors.active_providers(store=store)
        if gateways.usable(row)
    ]
