"""Does the stock add up? Each location's units with its movements, what is reserved with the reservations, the sum of a
variant with its locations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from storefront.models import Store

from . import changes, stock
from .ledger import Reason, StockMovement
from .models import Stock
from .places import LocationStock, StockReservation


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Two numbers of a variant that should be the same. `location_id` is "" for those of all locations together."""

    store_id: str
    variant_id: str
    location_id: str
    what: str  # on hand | reserved
    kept: int
    counted: int


def mismatches(*, store: Store | None = None) -> Iterator[Mismatch]:
    """Where the numbers disagree, of one store or of all. Four queries, read as they come."""
    scope = Q() if store is None else Q(store=store)
    here = Q(variant=OuterRef("variant"), location=OuterRef("location"))
    moved = StockMovement.objects.filter(here).order_by().values("variant").annotate(sum=Sum("delta"))
    held = (
        StockReservation.objects.filter(here, sold__lt=F("quantity"))
        .order_by()
        .values("variant")
        .annotate(sum=Sum(F("quantity") - F("sold")))
    )
    for what, column, counted in (("on hand", "on_hand", moved), ("reserved", "reserved", held)):
        rows = LocationStock.objects.filter(scope).annotate(counted=Coalesce(Subquery(counted.values("sum")), 0))
        wrong = rows.exclude(**{column: F("counted")}).order_by("store_id", "variant_id", "location_id")
        found = wrong.values_list("store_id", "variant_id", "location_id", column, "counted")
        for store_id, variant_id, location_id, kept, total in found.iterator():
            yield Mismatch(store_id, variant_id, location_id, what, kept, total)
    strays = (
        StockMovement.objects.filter(scope)
        .filter(~Exists(LocationStock.objects.filter(here)))
        .order_by("store_id", "variant_id", "location_id")
        .values_list("store_id", "variant_id", "location_id")
        .annotate(sum=Sum("delta"))
        .exclude(sum=0)
    )
    for store_id, variant_id, location_id, total in strays.iterator():
        yield Mismatch(store_id, variant_id, location_id, "on hand", 0, total)
    parts = LocationStock.objects.filter(variant=OuterRef("variant")).order_by().values("variant")
    sums = Stock.objects.filter(scope).annotate(
        units=Coalesce(Subquery(parts.annotate(sum=Sum("on_hand")).values("sum")), 0),
        promised=Coalesce(Subquery(parts.annotate(sum=Sum("reserved")).values("sum")), 0),
    )
    differing = sums.exclude(on_hand=F("units"), reserved=F("promised")).order_by("store_id", "pk")
    for store_id, variant_id, on_hand, units, reserved, promised in differing.values_list(
        "store_id", "variant_id", "on_hand", "units", "reserved", "promised"
    ).iterator():
        if on_hand != units:
            yield Mismatch(store_id, variant_id, "", "on hand", on_hand, units)
        if reserved != promised:
            yield Mismatch(store_id, variant_id, "", "reserved", reserved, promised)


def reconcile(*, store_id: str, variant_id: str, made_by: str = "") -> bool:
    """Makes a variant's numbers agree: what lies at each location is believed and explained by a movement where one is
    missing, what is reserved follows from the reservations, and the sum from the locations. Asks again under a lock.

    False when orders were promised more than there is: that is for staff to settle, and nothing was changed.
    """
    try:
        with transaction.atomic():
            _reconcile(store_id, variant_id, made_by)
    except IntegrityError:
        return False
    return True


def _reconcile(store_id: str, variant_id: str, made_by: str) -> None:
    stocks = stock.lock(store_id=store_id, variant_ids=[variant_id])
    moves = StockMovement.objects.filter(store=store_id, variant=variant_id).order_by()
    moved = dict(moves.values_list("location_id").annotate(sum=Sum("delta")))
    stock.open_places(stocks=stocks, wanted=[(variant_id, location_id) for location_id in moved])
    rows = LocationStock.objects.filter(store=store_id, variant=variant_id).order_by("location_id")
    waiting = StockReservation.objects.filter(store=store_id, variant=variant_id, sold__lt=F("quantity")).order_by()
    held = dict(waiting.values_list("location_id").annotate(sum=Sum(F("quantity") - F("sold"))))
    for row in rows:
        missing = row.on_hand - moved.get(row.location_id, 0)
        if missing:
            StockMovement.objects.create(
                store_id=store_id,
                variant_id=variant_id,
                location_id=row.location_id,
                delta=missing,
                on_hand=row.on_hand,
                reason=Reason.CORRECTED,
                made_by=made_by,
            )
        if row.reserved != held.get(row.location_id, 0):
            LocationStock.objects.filter(store=store_id, pk=row.pk).update(reserved=held.get(row.location_id, 0))
    sums = rows.order_by().aggregate(on_hand=Coalesce(Sum("on_hand"), 0), reserved=Coalesce(Sum("reserved"), 0))
    Stock.objects.filter(store=store_id, pk=variant_id).update(**sums)
    changes.note(store_id=store_id)
