"""Who may have an offer, and how often. Asked in batch; the answers are pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.apps import apps

from storefront import selectors as kernel
from storefront.contracts import Shopper
from storefront.errors import DomainError
from storefront.plugs import plug
from storefront.pricing import Quote

from . import errors, sql
from .models import Eligibility
from .rulebook import LiveOffer
from .sql import Counts


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who asks for an offer, when. A shopper who is not logged in has no customer here, whoever they may be (D-4)."""

    store_id: str
    customer_id: str = ""
    group_id: str | None = None
    now: datetime

    @classmethod
    def of_quote(cls, quote: Quote, now: datetime) -> Caller:
        known = quote.customer_id if quote.is_logged_in else None
        return cls(store_id=quote.store_id, customer_id=known or "", group_id=quote.group_id, now=now)

    @classmethod
    def of_shopper(cls, shopper: Shopper, *, group_id: str | None, now: datetime) -> Caller:
        known = shopper.customer_id if shopper.is_logged_in else None
        return cls(store_id=shopper.store_id, customer_id=known or "", group_id=group_id, now=now)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What had to be asked of a caller."""

    group_id: str | None = None  # their own, or the store's default
    segments: Collection[str] = frozenset()
    has_ordered: bool = False
    counts: Mapping[str, Counts] = field(default_factory=dict)


def group_of(store_id: str, group_id: str | None) -> str | None:
    """The group that a caller counts as: the store's default where they have none. Usually no query."""
    if group_id is not None:
        return group_id
    default = kernel.default_group(store=kernel.store(store_id))
    return default.pk if default else None


def standing(caller: Caller, offers: Iterable[LiveOffer], *, counts: Mapping[str, Counts] | None = None) -> Standing:
    """Asks what these offers make worth asking, each at most once: uses and names (one query), segments (one query),
    first orders (the PURCHASES plug). `counts` spares the first."""
    offers = list(offers)
    if counts is None:
        counted = [offer.id for offer in offers if offer.counted]
        counts = sql.counts(store_id=caller.store_id, offer_ids=counted, customer_id=caller.customer_id)
    group_id, segments, has_ordered = caller.group_id, frozenset[str](), False
    if any(offer.eligibility == Eligibility.GROUP for offer in offers):
        group_id = group_of(caller.store_id, group_id)
    if caller.customer_id:
        if any(offer.eligibility == Eligibility.SEGMENT for offer in offers) and apps.is_installed("customers"):
            from customers import selectors as customers

            segments = customers.segment_ids(store=kernel.store(caller.store_id), customer_id=caller.customer_id)
        if any(offer.first_order_only for offer in offers):
            has_ordered = plug("PURCHASES").has_ordered(caller.store_id, caller.customer_id)
    return Standing(group_id=group_id, segments=segments, has_ordered=has_ordered, counts=counts)


def refusal(offer: LiveOffer, caller: Caller, known: Standing) -> type[DomainError] | None:
    """Why the caller may not have it now, or None. Nothing about what is in the cart."""
    if caller.now < offer.starts_at:
        return errors.CouponNotStarted
    if not offer.runs(caller.now):
        return errors.CouponExpired
    return (
        ineligible(offer, caller, known)
        or (errors.CouponLimitReached if used_up(offer, known) else None)
    )  # fmt: skip


def ineligible(offer: LiveOffer, caller: Caller, known: Standing) -> type[DomainError] | None:
    """Why it is not for the caller, or None; limits aside."""
    if offer.eligibility == Eligibility.GROUP and known.group_id not in offer.audience:
        return errors.CouponNotEligible
    if offer.requires_login and not caller.customer_id:
        return errors.CouponLoginRequired
    counts = known.counts.get(offer.id)
    if offer.eligibility == Eligibility.CUSTOMER and not (counts and counts.is_named):
        return errors.CouponNotEligible
    if offer.eligibility == Eligibility.SEGMENT and offer.audience.isdisjoint(known.segments):
        return errors.CouponNotEligible
    if offer.first_order_only and known.has_ordered:
        return errors.CouponFirstOrderOnly
    return None


def used_up(offer: LiveOffer, known: Standing) -> bool:
    """Whether a limit in all or per customer is reached."""
    counts = known.counts.get(offer.id)
    if counts is None:
        return False
    return (offer.total_limit is not None and counts.total >= offer.total_limit) or (
        offer.customer_limit is not None and counts.of_customer >= offer.customer_limit
    )


def may_see(offer: LiveOffer, caller: Caller, known: Standing) -> bool:
    """Whether it is listed for the caller (D-30). A visitor sees what they could have once they log in, unless only
    some customers can."""
    reason = ineligible(offer, caller, known)
    return reason is None or (
        reason is errors.CouponLoginRequired and offer.eligibility in (Eligibility.ALL, Eligibility.GROUP)
    )
