"""`CLAIMS` of stock."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from storefront.contracts import Claim


class StockClaims:
    def resources(self) -> Collection[str]:
        return ()

    def hold(self, store_id: str, claims: Sequence[Claim]) -> None:
        return None

    def confirm(self, store_id: str, owner: str) -> None:
        return None

    def release(self, store_id: str, owner: str) -> None:
        return None
