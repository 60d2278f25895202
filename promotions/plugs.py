"""`OFFERS` over this app's coupons and promotions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from storefront.contracts import Offer, Sku
from storefront.pricing import Quote


class StoreOffers:
    def evaluate(self, quote: Quote, *, kind: str) -> list[Offer]:
        return []


class ShownPromotions:
    """See `storefront.contracts.ProductPromotions`."""

    def shown(
        self,
        store_id: str,
        prices: Mapping[Sku, tuple[Decimal, tuple[str, ...]]],
        *,
        group_id: str | None,
        now: datetime,
    ) -> dict[Sku, dict[str, Any]]:
        return {}

    def version(self, store_id: str, *, now: datetime) -> str:
        return ""
