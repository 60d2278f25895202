"""`GIFT_CARDS` over this app's cards."""

from __future__ import annotations

from storefront.contracts import GiftCardFound

from .services import gift_cards


class StoreGiftCards:
    def find(self, store_id: str, *, code: str, pin: str) -> GiftCardFound:
        return gift_cards.find(store_id=store_id, code=code, pin=pin)
