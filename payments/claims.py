"""`CLAIMS` of credit lines: what an order on credit takes is held, then utilised or given back."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from storefront.contracts import Claim

from . import credit

CREDIT_LINE = "credit_line"


class CreditLineClaims:
    """The key of a claim is the customer's id."""

    def resources(self) -> Collection[str]:
        return (CREDIT_LINE,)

    def hold(self, store_id: str, claims: Sequence[Claim]) -> None:
        """Raises CreditLineNotEligible, CreditLineExceeded."""
        for claim in sorted(claims, key=lambda claim: claim.key):
            credit.hold(store_id=store_id, customer_id=claim.key, owner=claim.owner, amount=claim.amount)

    def confirm(self, store_id: str, owner: str) -> None:
        credit.confirm(store_id=store_id, owner=owner)

    def release(self, store_id: str, owner: str) -> None:
        credit.release(store_id=store_id, owner=owner)

    def give_back(self, store_id: str, owner: str, parts: Sequence[Claim] | None) -> None:
        """At most what the order still owes: what was repaid is money, and goes back as money."""
        totals = None if parts is None else {part.key: part.amount for part in parts}
        credit.give_back(store_id=store_id, owner=owner, totals=totals)
