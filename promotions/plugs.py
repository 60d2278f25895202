"""`OFFERS` over this app's coupons and promotions."""

from __future__ import annotations

from storefront.contracts import Offer
from storefront.pricing import Quote


class StoreOffers:
    def evaluate(self, quote: Quote, *, kind: str) -> list[Offer]:
        return []
