"""`CLAIMS` of points, credit and gift cards. A claim's key is the account's id."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.utils import timezone

from storefront import provided
from storefront.contracts import Claim

from .models import Account
from .services import ledger, spending


class WalletClaims:
    def resources(self) -> Collection[str]:
        return Account.Kind.values

    def hold(self, store_id: str, claims: Sequence[Claim]) -> None:
        """Raises `insufficient_points`, `insufficient_credit` or `invalid_gift_card`."""
        for claim in sorted(claims, key=lambda claim: (claim.resource, claim.key)):
            ledger.hold(store_id=store_id, account_id=claim.key, owner=claim.owner, amount=claim.amount)

    def confirm(self, store_id: str, owner: str) -> None:
        """The entries carry the number by which shoppers know the order, where an app provides `order_number`."""
        number = provided.ask("order_number", default="", store_id=store_id, order_id=owner)
        ledger.confirm(store_id=store_id, owner=owner, reference=number or "")

    def release(self, store_id: str, owner: str) -> None:
        ledger.release(store_id=store_id, owner=owner)

    def give_back(self, store_id: str, owner: str, parts: Sequence[Claim] | None) -> None:
        """Counts also what `spending.give_back` gave back before."""
        totals = None if parts is None else {part.key: part.amount for part in parts}
        spending.give_back_all(store_id=store_id, order_id=owner, totals=totals, now=timezone.now())
