"""Changing how many there are and where: always with a movement that says why, never below what orders have reserved.

Each of these locks the variant's `Stock`, several in the order of their variants, before it touches the rows below: so
the sum and its parts never disagree, and two callers never wait for each other in a circle.
"""
# ruff: noqa: S608 -- what is formatted into statements is names of tables and columns, never a value

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from storefront import selectors as kernel
from storefront.errors import Invalid
from storefront.models import StockLocation, Store

from . import changes
from .ledger import Reason, StockMovement
from .models import Stock, Variant
from .places import LocationStock, StockReservation


class NotEnough(Exception):
    """Fewer units than none would be left, or fewer than orders have reserved."""


class Shift(NamedTuple):
    """By how much the numbers of one variant change at one location."""

    variant_id: str
    location_id: str
    on_hand: int = 0
    reserved: int = 0


def lock(*, store_id: str, variant_ids: Collection[str]) -> dict[str, Stock]:
    """The stock of these variants, theirs until the transaction ends. One query."""
    rows = Stock.objects.select_for_update().filter(store_id=store_id, pk__in=variant_ids).order_by("pk")
    return {row.pk: row for row in rows}


def places(*, store_id: str, variant_ids: Collection[str]) -> dict[tuple[str, str], LocationStock]:
    """What lies where, by variant and location. One query. The caller has locked their stock."""
    rows = LocationStock.objects.filter(store_id=store_id, variant__in=variant_ids)
    return {(row.variant_id, row.location_id): row for row in rows}


def open_places(*, stocks: dict[str, Stock], wanted: Iterable[tuple[str, str]]) -> None:
    """Makes the rows of these variants at these locations where there are none yet. One query, or none."""
    rows = [
        LocationStock(
            store_id=stocks[variant_id].store_id,
            variant_id=variant_id,
            location_id=location_id,
            backorder=stocks[variant_id].backorder,
        )
        for variant_id, location_id in wanted
    ]
    if rows:
        LocationStock.objects.bulk_create(rows, ignore_conflicts=True)


def shift(*, store_id: str, shifts: Sequence[Shift]) -> None:
    """Moves the numbers of locations and of the sums above them. Two statements for each row, sent together.

    The caller has locked their stock and opened the places. The condition is part of every update: raises NotEnough, and
    the caller's transaction must not be committed then.
    """
    sums: dict[str, tuple[int, int]] = {}
    for row in shifts:
        on_hand, reserved = sums.get(row.variant_id, (0, 0))
        sums[row.variant_id] = on_hand + row.on_hand, reserved + row.reserved
    _shift(Stock, store_id, "variant_id = %s", [(*deltas, (key,)) for key, deltas in sorted(sums.items())])
    keyed = [(row.on_hand, row.reserved, (row.variant_id, row.location_id)) for row in sorted(shifts)]
    _shift(LocationStock, store_id, "variant_id = %s AND location_id = %s", keyed)


def _shift(
    model: type[Stock | LocationStock], store_id: str, key: str, rows: Sequence[tuple[int, int, tuple[str, ...]]]
) -> None:
    if not rows:
        return
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.executemany(
            f"""UPDATE {model._meta.db_table}
                SET on_hand = on_hand + %s, reserved = reserved + %s, modified_at = %s
                WHERE {key} AND store_id = %s AND on_hand + %s >= 0 AND reserved + %s >= 0
                  AND (backorder = TRUE OR reserved + %s <= on_hand + %s)""",
            [
                (on_hand, reserved, now, *keys, store_id, on_hand, reserved, reserved, on_hand)
                for on_hand, reserved, keys in rows
            ],
        )
        if cursor.rowcount != len(rows):
            raise NotEnough


def _location(store: Store, location: StockLocation | None) -> StockLocation:
    """The named one, or where goods lie whose place nobody named. Raises Invalid for another store's."""
    found = location or kernel.default_location(store=store)
    if found.store_id != store.pk:
        raise Invalid(_("There is no such location."), field="location")
    return found


@transaction.atomic
def adjust(
    *,
    store: Store,
    variant: Variant,
    delta: int,
    reason: str,
    location: StockLocation | None = None,
    note: str = "",
    made_by: str = "",
) -> StockMovement:
    """Adds `delta` units at a location (the default one), or takes them away.

    Raises Invalid when that leaves fewer than none or than are reserved there. What comes in goes first to paid orders
    that wait for it.
    """
    if delta == 0:
        raise Invalid(_("Enter by how much the stock changes."), field="delta")
    place = _location(store, location)
    refused = Invalid(_("That would leave fewer than orders have reserved, or fewer than none."), field="delta")
    stocks = lock(store_id=store.pk, variant_ids=[variant.pk])
    if abs(delta) >= 2**31 or not stocks:
        raise refused
    movement = _add(store, stocks, Shift(variant.pk, place.pk, delta), refused, reason, note, made_by)
    changes.note(store_id=store.pk)
    return movement


def _add(
    store: Store, stocks: dict[str, Stock], moved: Shift, refused: Invalid, reason: str, note: str, made_by: str
) -> StockMovement:
    """One movement of locked stock; what came in is sold to paid orders that wait for it."""
    open_places(stocks=stocks, wanted=[moved[:2]])
    row = LocationStock.objects.get(store=store, variant=moved.variant_id, location=moved.location_id)
    if row.on_hand + moved.on_hand >= 2**31 or stocks[moved.variant_id].on_hand + moved.on_hand >= 2**31:
        raise refused
    try:
        shift(store_id=store.pk, shifts=[moved])
    except NotEnough as error:
        raise refused from error
    movement = StockMovement.objects.create(
        store=store,
        variant_id=moved.variant_id,
        location_id=moved.location_id,
        delta=moved.on_hand,
        on_hand=row.on_hand + moved.on_hand,
        reason=reason,
        note=note[:200],
        made_by=made_by[:150],
    )
    if moved.on_hand > 0:
        arrived(store_id=store.pk, places=[moved[:2]])
    return movement


@transaction.atomic
def change(
    *,
    store: Store,
    variant: Variant,
    reason: str = Reason.COUNTED,
    location: StockLocation | None = None,
    made_by: str = "",
    on_hand: int | None = None,
    **fields: Any,
) -> None:
    """Sets what is named of a variant's stock: `tracked` and `backorder` everywhere, `on_hand` at a location (the default
    one), where it becomes a movement by the difference. Raises Invalid when more is reserved than would be left."""
    place = _location(store, location)
    Stock.objects.get_or_create(variant=variant, defaults={"store": store})
    stocks = lock(store_id=store.pk, variant_ids=[variant.pk])
    refused = Invalid(_("Orders have reserved more than that."), field="on_hand")
    if fields.get("backorder"):  # before the units are counted: it may be what allows the count
        _set(store, variant, fields)
        stocks[variant.pk].backorder = True
    if on_hand is not None:
        rows = places(store_id=store.pk, variant_ids=[variant.pk])
        known = rows.get((variant.pk, place.pk))
        delta = on_hand - (known.on_hand if known else 0)
        if delta:
            _add(store, stocks, Shift(variant.pk, place.pk, delta), refused, reason, "", made_by)
    if fields and not fields.get("backorder"):
        try:
            with transaction.atomic():
                _set(store, variant, fields)
        except IntegrityError as error:
            raise refused from error
    changes.note(store_id=store.pk)


def _set(store: Store, variant: Variant, fields: dict[str, Any]) -> None:
    Stock.objects.filter(store=store, pk=variant.pk).update(**fields, modified_at=timezone.now())
    if "backorder" in fields:
        LocationStock.objects.filter(store=store, variant=variant).update(backorder=fields["backorder"])


@transaction.atomic
def transfer(
    *,
    store: Store,
    variant: Variant,
    source: StockLocation,
    target: StockLocation,
    quantity: int,
    note: str = "",
    made_by: str = "",
) -> None:
    """Moves units that nobody has reserved from one location to another. Raises Invalid when there are fewer."""
    _location(store, source)
    if source.pk == _location(store, target).pk:
        raise Invalid(_("Choose two different locations."), field="target")
    if quantity < 1:
        raise Invalid(_("Enter how many to move."), field="quantity")
    stocks = lock(store_id=store.pk, variant_ids=[variant.pk])
    here = places(store_id=store.pk, variant_ids=[variant.pk]).get((variant.pk, source.pk)) if stocks else None
    if here is None or here.on_hand - here.reserved < quantity:
        raise Invalid(_("Fewer than that are free to be moved."), field="quantity")
    refused = Invalid(_("Fewer than that are free to be moved."), field="quantity")
    for location, delta in ((source, -quantity), (target, quantity)):
        _add(store, stocks, Shift(variant.pk, location.pk, delta), refused, Reason.MOVED, note, made_by)
    changes.note(store_id=store.pk)


# --- what orders were promised --------------------------------------------------------------------------------------
def promised(*, store: Store, variant_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """How many units orders have reserved and not yet taken, by variant and location. One query."""
    rows = StockReservation.objects.filter(store=store, variant__in=variant_ids, sold__lt=F("quantity"))
    found: dict[str, dict[str, int]] = {}
    summed = rows.order_by().values_list("variant_id", "location_id").annotate(units=Sum(F("quantity") - F("sold")))
    for variant_id, location_id, units in summed:
        found.setdefault(variant_id, {})[location_id] = units
    return found


def arrived(*, store_id: str, places: Collection[tuple[str, str]]) -> None:
    """Sells what came in at these locations of variants to the paid orders that wait for it, first come, first served.

    The caller has locked their stock. One query where nobody waits.
    """
    waiting = StockReservation.objects.filter(
        store=store_id,
        variant__in={variant_id for variant_id, _location in places},
        confirmed_at__isnull=False,
        sold__lt=F("quantity"),
    ).order_by("confirmed_at", "pk")
    wanted = set(places)
    sell(store_id=store_id, promised=[row for row in waiting if (row.variant_id, row.location_id) in wanted])


def sell(*, store_id: str, promised: Sequence[StockReservation]) -> None:
    """Takes out of stock what these paid reservations wait for, in their order, as far as it is there.

    The caller has locked their stock. Five statements, however many; none for none.
    """
    if not promised:
        return
    rows = places(store_id=store_id, variant_ids={row.variant_id for row in promised})
    movements, sold = [], []
    for row in promised:
        place = rows[row.variant_id, row.location_id]
        units = min(row.quantity - row.sold, place.on_hand)
        if not units:
            continue
        place.on_hand -= units
        row.sold += units
        sold.append((row, units))
        movements.append(
            StockMovement(
                store_id=store_id,
                variant_id=row.variant_id,
                location_id=row.location_id,
                delta=-units,
                on_hand=place.on_hand,
                reason=Reason.SOLD,
                note=row.owner,
            )
        )
    sums: dict[tuple[str, str], int] = {}
    for row, units in sold:
        key = (row.variant_id, row.location_id)
        sums[key] = sums.get(key, 0) + units
    shift(store_id=store_id, shifts=[Shift(*key, -units, -units) for key, units in sums.items()])
    StockMovement.objects.bulk_create(movements)
    StockReservation.objects.bulk_update([row for row, _units in sold], ["sold"])


def give_back(*, store_id: str, wanted: Sequence[tuple[StockReservation, int]]) -> None:
    """Takes so many units back from each reservation: what it waits for is dropped, what was sold lies again where it
    lay, and goes on to paid orders that wait there. A reservation that nobody paid for goes when nothing is left of it.

    The caller has locked their stock. Seven statements, however many; none for no units.
    """
    wanted = [(row, units) for row, units in wanted if units]
    if not wanted:
        return
    rows = places(store_id=store_id, variant_ids={row.variant_id for row, _units in wanted})
    movements = []
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for row, units in wanted:
        key = (row.variant_id, row.location_id)
        waiting = min(units, row.quantity - row.sold)
        back = units - waiting
        on_hand, reserved = sums.get(key, (0, 0))
        sums[key] = on_hand + back, reserved - waiting
        row.quantity -= units
        row.sold -= back
        row.returned += units
        if back:
            rows[key].on_hand += back
            movements.append(
                StockMovement(
                    store_id=store_id,
                    variant_id=row.variant_id,
                    location_id=row.location_id,
                    delta=back,
                    on_hand=rows[key].on_hand,
                    reason=Reason.RETURNED,
                    note=row.owner,
                )
            )
    shift(store_id=store_id, shifts=[Shift(*key, *deltas) for key, deltas in sums.items()])
    StockMovement.objects.bulk_create(movements)
    gone = [row.pk for row, _units in wanted if not row.quantity and row.confirmed_at is None]
    StockReservation.objects.filter(store=store_id, pk__in=gone).delete()
    left = [row for row, _units in wanted if row.quantity or row.confirmed_at is not None]
    StockReservation.objects.bulk_update(left, ["quantity", "sold", "returned"])
    if movements:
        arrived(store_id=store_id, places=[(row.variant_id, row.location_id) for row in movements])


# --- new rows -------------------------------------------------------------------------------------------------------
def opened(stocks: Iterable[Stock]) -> None:
    """Puts the units of new stock rows into their stores' default locations, with a first movement each. Two queries."""
    having = [row for row in stocks if row.on_hand]
    stores = {row.store_id for row in having}
    at = dict(StockLocation.objects.filter(store__in=stores, is_default=True).values_list("store_id", "pk"))
    LocationStock.objects.bulk_create(
        LocationStock(
            store_id=row.store_id,
            variant_id=row.variant_id,
            location_id=at[row.store_id],
            on_hand=row.on_hand,
            reserved=row.reserved,
            backorder=row.backorder,
        )
        for row in having
    )
    StockMovement.objects.bulk_create(
        StockMovement(
            store_id=row.store_id,
            variant_id=row.variant_id,
            location_id=at[row.store_id],
            delta=row.on_hand,
            on_hand=row.on_hand,
            reason=Reason.OPENING,
        )
        for row in having
    )
