"""`GIFT_CARDS` over this app's cards."""

from __future__ import annotations

from storefront.contracts import GiftCardFound
from storefront.errors import DomainError


class StoreGiftCards:
    def find(self, store_id: str, *, code: str, pin: str) -> GiftCardFound:
        raise DomainError(code="invalid_gift_card")
