"""`CLAIMS` of uses of coupons and promotions: counters that no limit is passed on, and a ledger behind them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from storefront.contracts import Claim
from storefront.errors import DomainError
from storefront.pricing import Quote

from . import sql
from .errors import CouponLimitReached, PromotionLimitReached
from .models import OfferUse

COUPON, PROMOTION = "coupon", "promotion"


class Use(NamedTuple):
    """What a claim's key says. The offer comes first, so that claims sort by it."""

    offer_id: str
    code_id: int
    customer_id: str
    user_id: str
    saving: Decimal
    revenue: Decimal


def of_use(quote: Quote, resource: str, noted: Mapping[str, Any], *, saving: Decimal, revenue: Decimal) -> Claim:
    """The claim of one use of an offer by an order of this quote."""
    known = (quote.customer_id if quote.is_logged_in else None) or ""
    key = [noted["id"], noted.get("code_id", 0), known, quote.user_id, str(saving), str(revenue)]
    return Claim(resource=resource, key=orjson.dumps(key).decode(), amount=Decimal(1))


def read(claim: Claim) -> Use:
    offer_id, code_id, customer_id, user_id, saving, revenue = orjson.loads(claim.key)
    return Use(offer_id, code_id, customer_id, user_id, Decimal(saving), Decimal(revenue))


class OfferClaims:
    """See `storefront.contracts.Claims`. A use locks the offer's row, then the code's, then the customer's; claims come
    in the order of offers, coupons first, so that orders never wait for each other in a circle. Orders with an offer
    that has no limit do not wait for each other at all."""

    def resources(self) -> Collection[str]:
        return (COUPON, PROMOTION)

    def hold(self, store_id: str, claims: Sequence[Claim]) -> None:
        """At most six statements a claim, three for an offer without limits. Raises CouponLimitReached or PromotionLimitReached: used up, or stopped a
        moment ago. Its caller rolls back."""
        for claim in claims:
            use = read(claim)
            if not sql.hold_use(store_id=store_id, owner=claim.owner, use=use, now=timezone.now()):
                continue  # held or spent already
            if not self._count(store_id, claim.owner, use):
                raise _refusal(claim)

    def _count(self, store_id: str, owner: str, use: Use) -> bool:
        limits = sql.live_limits(store_id=store_id, offer_id=use.offer_id)
        if limits is None:
            return False
        if limits.shared and not sql.count_use(store_id=store_id, owner=owner, use=use, limits=limits):
            return False
        if not use.customer_id:
            return limits.of_customer is None
        return sql.count_customer(store_id=store_id, use=use, limit=limits.of_customer)

    def confirm(self, store_id: str, owner: str) -> None:
        """One statement."""
        OfferUse.objects.filter(store=store_id, owner=owner, state=OfferUse.State.HELD).update(
            state=OfferUse.State.CONFIRMED, settled_at=timezone.now()
        )

    def release(self, store_id: str, owner: str) -> None:
        self._end(OfferUse.objects.filter(store=store_id, owner=owner, state=OfferUse.State.HELD))

    def give_back(self, store_id: str, owner: str, parts: Sequence[Claim] | None) -> None:
        """A use comes back whole or not at all."""
        taken = OfferUse.objects.filter(store=store_id, owner=owner)
        if parts is None:
            self._end(taken.filter(state__in=OfferUse.TAKEN))
            return
        named = {read(part).offer_id for part in parts if part.amount >= 1}
        self._end(taken.filter(offer__in=named, state=OfferUse.State.CONFIRMED))

    def _end(self, uses: QuerySet[OfferUse]) -> None:
        """Takes them out of the counters: one statement for all, up to four for each."""
        with transaction.atomic():
            rows = uses.select_for_update(of=("self",)).select_related("offer").order_by("offer__kind", "offer_id")
            for row in rows:
                spent = row.state == OfferUse.State.CONFIRMED
                row.state = OfferUse.State.RETURNED if spent else OfferUse.State.RELEASED
                row.settled_at = timezone.now()
                row.save(update_fields=["state", "settled_at"])
                store_id = row.store_id
                use = Use(row.offer_id, row.code_id or 0, row.customer_id, row.user_id, row.saving, row.revenue)
                sql.uncount(store_id=store_id, use=use, counted=row.counted)


def _refusal(claim: Claim) -> DomainError:
    return CouponLimitReached(field="coupon_code") if claim.resource == COUPON else PromotionLimitReached()
