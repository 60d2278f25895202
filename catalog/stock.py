"""Changing how many there are: always with a movement that says why, never below what orders have reserved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from storefront.errors import Invalid
from storefront.models import Store

from . import changes
from .ledger import Reason, StockMovement
from .models import Stock, Variant


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A variant whose movements do not add up to what is on hand."""

    store_id: str
    variant_id: str
    on_hand: int
    moved: int


@transaction.atomic
def adjust(
    *, store: Store, variant: Variant, delta: int, reason: str, note: str = "", made_by: str = ""
) -> StockMovement:
    """Adds `delta` units, or takes them away. Raises Invalid when that leaves fewer than none or than are reserved.

    The condition is part of the update, so two adjustments at once can never take the same unit.
    """
    if delta == 0:
        raise Invalid(_("Enter by how much the stock changes."), field="delta")
    stock = Stock.objects.filter(store=store, variant=variant)
    left = F("on_hand") + delta
    enough = stock.alias(left=left).filter(Q(backorder=True) | Q(left__gte=F("reserved")), left__gte=0)
    if abs(delta) >= 2**31 or not enough.update(on_hand=left, modified_at=timezone.now()):
        raise Invalid(_("That would leave fewer than orders have reserved, or fewer than none."), field="delta")
    changes.note(store_id=store.pk)
    return StockMovement.objects.create(
        store=store,
        variant=variant,
        delta=delta,
        on_hand=stock.values_list("on_hand", flat=True).get(),
        reason=reason,
        note=note[:200],
        made_by=made_by[:150],
    )


@transaction.atomic
def change(*, store: Store, variant: Variant, reason: str = Reason.COUNTED, made_by: str = "", **fields: Any) -> None:
    """Sets what is named of a variant's stock; a new `on_hand` becomes a movement by the difference.

    Raises Invalid when more is reserved than would be left.
    """
    Stock.objects.get_or_create(variant=variant, defaults={"store": store})
    stock = Stock.objects.select_for_update().get(store=store, variant=variant)
    try:
        with transaction.atomic():
            Stock.objects.filter(store=store, pk=stock.pk).update(**fields, modified_at=timezone.now())
    except IntegrityError as error:
        raise Invalid(_("Orders have reserved more than that."), field="on_hand") from error
    changes.note(store_id=store.pk)
    delta = fields.get("on_hand", stock.on_hand) - stock.on_hand
    if delta:
        StockMovement.objects.create(
            store=store,
            variant=variant,
            delta=delta,
            on_hand=fields["on_hand"],
            reason=reason,
            made_by=made_by[:150],
        )


def opened(stocks: Iterable[Stock]) -> None:
    """The first movements of stock rows that were created with units. One query."""
    StockMovement.objects.bulk_create(
        StockMovement(
            store_id=stock.store_id,
            variant_id=stock.variant_id,
            delta=stock.on_hand,
            on_hand=stock.on_hand,
            reason=Reason.OPENING,
        )
        for stock in stocks
        if stock.on_hand
    )


def mismatches(*, store: Store | None = None) -> Iterator[Mismatch]:
    """Where ledger and stock disagree, of one store or of all. One query, read as it comes."""
    moved = (
        StockMovement.objects.filter(variant=OuterRef("variant"))
        .order_by()
        .values("variant")
        .annotate(sum=Sum("delta"))
    )
    rows = Stock.objects.all() if store is None else Stock.objects.filter(store=store)
    found = rows.annotate(moved=Coalesce(Subquery(moved.values("sum")), 0)).exclude(on_hand=F("moved"))
    for row in found.order_by("store_id", "pk").values_list("store_id", "variant_id", "on_hand", "moved").iterator():
        yield Mismatch(*row)


@transaction.atomic
def reconcile(*, mismatch: Mismatch, made_by: str = "") -> None:
    """Adds the movement that is missing, so that what is on hand now is explained. Asks again under a lock."""
    stock = Stock.objects.select_for_update().get(store_id=mismatch.store_id, variant_id=mismatch.variant_id)
    moved = StockMovement.objects.filter(variant_id=stock.variant_id).aggregate(sum=Sum("delta"))["sum"] or 0
    if stock.on_hand != moved:
        StockMovement.objects.create(
            store_id=stock.store_id,
            variant_id=stock.variant_id,
            delta=stock.on_hand - moved,
            on_hand=stock.on_hand,
            reason=Reason.CORRECTED,
            made_by=made_by,
        )
