"""The default `PURCHASES`, for a shop that keeps no orders here."""

from __future__ import annotations

from collections.abc import Sequence

from storefront.contracts import DeliveredLine


class NoPurchases:
    """Nobody has bought anything, so nobody can write a review."""

    def has_ordered(self, store_id: str, customer_id: str) -> bool:
        return False

    def delivered_lines(self, store_id: str, user_id: str, *, limit: int) -> Sequence[DeliveredLine]:
        return ()

    def delivered_line(self, store_id: str, user_id: str, order_number: str, product_id: str) -> bool:
        return False
