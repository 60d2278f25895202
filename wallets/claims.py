"""`CLAIMS` of points, credit and gift cards. A claim's key is the account's id."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from storefront.contracts import Claim

from .models import Account
from .services import ledger


class WalletClaims:
    def resources(self) -> Collection[str]:
        return Account.Kind.values

    def hold(self, store_id: str, claims: Sequence[Claim]) -> None:
        """Raises `insufficient_points`, `insufficient_credit` or `invalid_gift_card`."""
        for claim in sorted(claims, key=lambda claim: (claim.resource, claim.key)):
            ledger.hold(store_id=store_id, account_id=claim.key, owner=claim.owner, amount=claim.amount)

    def confirm(self, store_id: str, owner: str) -> None:
        ledger.confirm(store_id=store_id, owner=owner)

    def release(self, store_id: str, owner: str) -> None:
        ledger.release(store_id=store_id, owner=owner)
