"""Reads of offers, each of one store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from django.db.models import F, Window
from django.db.models.functions import RowNumber

from storefront.models import Store

from . import eligibility, rulebook, sql
from .eligibility import Caller
from .errors import OfferNotFound
from .models import Code, Kind, Offer, OfferUse
from .rulebook import LiveOffer

MAX_LISTED_CODES = 20  # of one coupon


class Listed(NamedTuple):
    offer: LiveOffer
    redemption_count: int
    codes: list[str]


def listed(*, store: Store, caller: Caller, kind: Kind) -> list[Listed]:
    """The offers that are live, public, in date and for the caller (D-30), in sequence; coupons that have a code to
    show. Three queries for coupons and two for promotions, beside what their eligibility asks."""
    book = rulebook.book(store.pk, kind, rulebook.version(store.pk))
    offers = [offer for offer in book.running(caller.now) if offer.public]
    if not offers:
        return []
    counts = sql.counts(store_id=store.pk, offer_ids=[offer.id for offer in offers], customer_id=caller.customer_id)
    known = eligibility.standing(caller, offers, counts=counts)
    offers = [offer for offer in offers if eligibility.may_see(offer, caller, known)]
    codes: dict[str, list[str]] = {}
    if kind == Kind.COUPON:
        codes = listed_codes(store_id=store.pk, offer_ids=[offer.id for offer in offers])
        offers = [offer for offer in offers if offer.id in codes]
    return [
        Listed(offer, counts[offer.id].total if offer.id in counts else 0, codes.get(offer.id, [])) for offer in offers
    ]


def listed_codes(*, store_id: str, offer_ids: Collection[str]) -> dict[str, list[str]]:
    """The codes to show of these coupons, the first of each: none of those that were generated, for each of these is
    somebody's own. One query."""
    if not offer_ids:
        return {}
    rows = Code.objects.filter(store=store_id, offer__in=offer_ids, batch=None).annotate(
        place=Window(RowNumber(), partition_by=F("offer_id"), order_by="id")
    )
    found: dict[str, list[str]] = {}
    shown = rows.filter(place__lte=MAX_LISTED_CODES).order_by("offer_id", "place")
    for offer_id, text in shown.values_list("offer_id", "text"):
        found.setdefault(offer_id, []).append(text)
    return found


def offer(*, store: Store, offer_id: str) -> Offer:
    """One query. Raises OfferNotFound."""
    found: Offer | None = Offer.objects.filter(store=store, pk=offer_id).first()
    if found is None:
        raise OfferNotFound
    return found


def redemption_counts(*, store: Store, offer_ids: Sequence[str]) -> dict[str, int]:
    """How often these offers are used, held and confirmed: one query, up to the second."""
    found = sql.counts(store_id=store.pk, offer_ids=offer_ids, customer_id="")
    return {offer_id: counts.total for offer_id, counts in found.items()}


def uses_of(*, store: Store, user_id: str, customer_id: str | None) -> list[dict[str, object]]:
    """What the ledger knows of a shopper, newest first, JSON-ready; one query. For their data export."""
    rows = OfferUse.objects.filter(store=store, user_id=user_id).select_related("offer", "code").order_by("-held_at")
    return [
        {
            "kind": row.offer.kind,
            "name": row.offer.name,
            "code": row.code.text if row.code else None,
            "order": row.owner,
            "state": row.state,
            "saving": str(row.saving),
            "used_at": row.held_at.isoformat(),
        }
        for row in rows
    ]
