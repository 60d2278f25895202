"""Does every counter of uses follow from the ledger?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from django.db import transaction
from django.db.models import Count, Q

from .models import Code, CustomerUses, Offer, OfferUse

_BATCH = 500


class Mismatch(NamedTuple):
    """`what` is offer, code or customer, with the id of the code or customer."""

    store_id: str
    offer_id: str
    what: str
    key: str
    kept: int
    counted: int


def mismatches(*, store_id: str | None = None) -> Iterator[Mismatch]:
    """Every counter that is not what the ledger says, of one store or all; seven queries for each 500 offers.

    What does not agree is counted again with the offer locked, so that a shop need not stop for it.
    """
    last = ""
    while True:
        rows = Offer.objects.filter(pk__gt=last).order_by("pk")
        ids = list((rows.filter(store=store_id) if store_id else rows).values_list("pk", flat=True)[:_BATCH])
        if not ids:
            return
        for offer_id in sorted({found.offer_id for found in _check(ids)}):
            with transaction.atomic():  # orders wait, in case one was written meanwhile
                if Offer.objects.select_for_update().filter(pk=offer_id).first():
                    yield from list(_check([offer_id]))
        last = ids[-1]


def _check(ids: list[str]) -> Iterator[Mismatch]:
    taken = OfferUse.objects.filter(offer__in=ids).filter(state__in=OfferUse.TAKEN).order_by()
    in_counters = taken.filter(counted=True)
    by_offer = dict(in_counters.values_list("offer").annotate(n=Count("pk")))
    for store, pk, kept in Offer.objects.filter(pk__in=ids).values_list("store_id", "pk", "redemption_count"):
        if kept != by_offer.get(pk, 0):
            yield Mismatch(store, pk, "offer", pk, kept, by_offer.get(pk, 0))
    by_code = dict(in_counters.exclude(code=None).values_list("code").annotate(n=Count("pk")))
    codes = Code.objects.filter(offer__in=ids).filter(Q(use_count__gt=0) | Q(pk__in=list(by_code)))
    for store, offer_id, code_id, kept in codes.values_list("store_id", "offer_id", "pk", "use_count"):
        if kept != by_code.get(code_id, 0):
            yield Mismatch(store, offer_id, "code", str(code_id), kept, by_code.get(code_id, 0))
    customers = taken.exclude(customer_id="").values_list("offer", "customer_id").annotate(n=Count("pk"))
    by_customer = {(offer_id, pk): n for offer_id, pk, n in customers}
    kept_rows = CustomerUses.objects.filter(offer__in=ids).values_list("store_id", "offer_id", "customer_id", "count")
    for store, offer_id, customer_id, kept in kept_rows:
        counted = by_customer.pop((offer_id, customer_id), 0)
        if kept != counted:
            yield Mismatch(store, offer_id, "customer", customer_id, kept, counted)
    stores = dict(Offer.objects.filter(pk__in=[pk for pk, _customer in by_customer]).values_list("pk", "store_id"))
    for (offer_id, customer_id), counted in by_customer.items():
        yield Mismatch(stores[offer_id], offer_id, "customer", customer_id, 0, counted)
