"""`CLAIMS` of stock: an order takes units when it is made, sells them when it is paid, gives them back when it fails."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from storefront.claims import STOCK, read_stock_key
from storefront.contracts import Claim
from storefront.models import StockLocation

from . import changes, stock
from .errors import OutOfStock
from .models import BundleItem, Product, Stock, Variant
from .places import LocationStock, StockReservation
from .stock import Shift

MOST = 2**31  # beyond what a column holds


class _Part(NamedTuple):
    """What a claim takes of one variant: the sku's own units, or those of a component. `location_id` "": of any."""

    variant_id: str
    location_id: str
    units: int
    name: str
    claim: Claim
    each: int = 1  # units that one of the claim takes


class StockClaims:
    """See `storefront.contracts.Claims`. Locks the stock of all variants in the order of their ids before it reads."""

    def resources(self) -> Collection[str]:
        return (STOCK,)

    @transaction.atomic
    def hold(self, store_id: str, claims: Sequence[Claim]) -> None:
        """Reserves the units of these claims. Raises OutOfStock, having reserved nothing, naming all that is short.

        A claim that names no location takes from active ones first, the default one before the others, from several if
        it must. Beyond what is there only backorder goes. What is not tracked is not counted. Ten statements at most.
        """
        if any(not claim.owner for claim in claims):
            raise ValueError("stock is held for an order: a claim needs its owner")
        parts, short = _parts(store_id, claims)
        if short:
            raise _refusal(short)
        if not parts:
            return
        stocks = stock.lock(store_id=store_id, variant_ids={part.variant_id for part in parts})
        held = _held(store_id, claims)
        wanted = [part for part in parts if (part.claim.owner, part.claim.key) not in held]
        wanted = [part for part in wanted if part.variant_id not in stocks or stocks[part.variant_id].tracked]
        if wanted:
            _take(store_id, stocks, wanted)

    @transaction.atomic
    def confirm(self, store_id: str, owner: str) -> None:
        """Sells what `owner` holds: units leave the stock with a movement. What backorder promised and is not there is
        sold as it comes in. Nothing is left to do the second time."""
        rows = _locked(store_id, owner, confirmed_at__isnull=True)
        if not rows:
            return
        now = timezone.now()
        StockReservation.objects.filter(store=store_id, pk__in=[row.pk for row in rows]).update(confirmed_at=now)
        for row in rows:
            row.confirmed_at = now
        stock.sell(store_id=store_id, promised=rows)
        changes.note(store_id=store_id)

    @transaction.atomic
    def release(self, store_id: str, owner: str) -> None:
        """Gives back what `owner` holds and was not sold to it."""
        rows = _locked(store_id, owner)
        if not rows:
            return
        given: dict[tuple[str, str], int] = {}
        for row in rows:
            key = (row.variant_id, row.location_id)
            given[key] = given.get(key, 0) + row.quantity - row.sold
        mine = StockReservation.objects.filter(store=store_id, pk__in=[row.pk for row in rows])
        mine.filter(sold=0, returned=0).delete()
        mine.update(quantity=F("sold"))
        stock.shift(store_id=store_id, shifts=[Shift(*key, 0, -units) for key, units in given.items()])
        changes.note(store_id=store_id)

    @transaction.atomic
    def give_back(self, store_id: str, owner: str, parts: Sequence[Claim] | None) -> None:
        """Sold units go back to where they lay, with a movement, and on to paid orders that wait there; those that the
        owner itself still waits for go first. Eight statements, however many."""
        rows = StockReservation.objects.filter(store=store_id, owner=owner)
        if parts is None:
            promised = _with_stock_locked(store_id, rows.filter(quantity__gt=0))
            stock.give_back(store_id=store_id, wanted=[(row, row.quantity) for row in promised])
        else:
            spent = rows.filter(confirmed_at__isnull=False, key__in={part.key for part in parts})
            promised = _with_stock_locked(store_id, spent)
            stock.give_back(store_id=store_id, wanted=_due(promised, parts))
        if promised:
            changes.note(store_id=store_id)


def _due(rows: Sequence[StockReservation], parts: Sequence[Claim]) -> list[tuple[StockReservation, int]]:
    """How many units of each reservation must still come back, so that as many are back of each claim as it says."""
    totals = {part.key: int(part.amount) for part in parts}
    left: dict[tuple[str, str], int] = {}
    for row in rows:
        of_variant = (row.key, row.variant_id)
        left[of_variant] = left.get(of_variant, totals[row.key] * row.each) - row.returned
    found = []
    for row in sorted(rows, key=lambda row: row.sold == row.quantity):  # where it still waits for units, first
        of_variant = (row.key, row.variant_id)
        units = min(row.quantity, max(left[of_variant], 0))
        left[of_variant] -= units
        found.append((row, units))
    return found


def _locked(store_id: str, owner: str, **narrowed: bool) -> list[StockReservation]:
    """What the owner still holds, with the stock of it locked."""
    rows = StockReservation.objects.filter(store=store_id, owner=owner, sold__lt=F("quantity"), **narrowed)
    return _with_stock_locked(store_id, rows)


def _with_stock_locked(store_id: str, open_rows: QuerySet[StockReservation]) -> list[StockReservation]:
    """These reservations, with the stock of them locked. Asked twice: another may have been at it meanwhile."""
    variant_ids = set(open_rows.order_by().values_list("variant_id", flat=True))
    if not variant_ids:
        return []
    stock.lock(store_id=store_id, variant_ids=variant_ids)
    return list(open_rows.order_by("variant_id", "location_id", "pk"))


def _held(store_id: str, claims: Sequence[Claim]) -> set[tuple[str, str]]:
    rows = StockReservation.objects.filter(
        store=store_id, owner__in={claim.owner for claim in claims}, key__in={claim.key for claim in claims}
    )
    return set(rows.values_list("owner", "key"))


def _parts(store_id: str, claims: Sequence[Claim]) -> tuple[list[_Part], list[str]]:
    """What claims take, bundles as their components, and the names of what is not there at all. One or two queries."""
    asked = [(claim, *read_stock_key(claim.key)) for claim in claims if claim.amount > 0]
    rows = Variant.objects.filter(
        store=store_id, pk__in={sku.variant_id or sku.product_id for _claim, sku, _location in asked}
    ).values_list("pk", "product_id", "product__type", "product__name")
    known = {row[0]: row for row in rows}
    held_by: dict[str, list[tuple[str, int, bool]]] = {}
    bundles = {row[1] for row in known.values() if row[2] == Product.Type.BUNDLE}
    if bundles:
        items = BundleItem.objects.filter(store=store_id, bundle__in=bundles).order_by("pk")
        for item in items.values_list("bundle_id", "component_id", "quantity", "component__visible"):
            held_by.setdefault(item[0], []).append(item[1:])
    parts: list[_Part] = []
    short: list[str] = []
    for claim, sku, location_id in asked:
        pk, product_id, kind, name = known.get(sku.variant_id or sku.product_id, ("", "", "", sku.product_id))
        if product_id != sku.product_id:
            short.append(_left(name, 0))
            continue
        units = int(claim.amount)
        if kind != Product.Type.BUNDLE:
            parts.append(_Part(pk, location_id, units, name, claim))
            continue
        each: dict[str, int] = {}
        for component_id, quantity, sold in held_by.get(product_id, ()):
            if not sold:
                short.append(_left(name, 0))
                break
            each[component_id] = each.get(component_id, 0) + quantity
        else:
            parts += [
                _Part(component, location_id, units * count, name, claim, count) for component, count in each.items()
            ]
    return parts, short


def _take(store_id: str, stocks: dict[str, Stock], parts: Iterable[_Part]) -> None:
    shelf = _Shelf(store_id, stocks, stock.places(store_id=store_id, variant_ids=stocks))
    # Claims that name their location come first, so that those that do not leave it to them.
    for part in sorted(parts, key=lambda part: (part.variant_id, not part.location_id, part.location_id)):
        shelf.take(part)
    if shelf.short:
        raise _refusal(shelf.short)
    shelf.write()
    changes.note(store_id=store_id)


@dataclass(slots=True)
class _Shelf:
    """What lies where while parts are taken from it, and what was taken."""

    store_id: str
    stocks: dict[str, Stock]
    places: dict[tuple[str, str], LocationStock]
    locations: list[str] = field(init=False)  # every one of the store, in the order in which they give
    taken: dict[tuple[str, str, str, str], int] = field(default_factory=dict)  # by owner, key, variant, location
    each: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    short: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        rows = StockLocation.objects.filter(store=self.store_id).order_by("-active", "-is_default", "sort_order", "pk")
        self.locations = list(rows.values_list("pk", flat=True))

    def free(self, variant_id: str, location_id: str) -> int:
        place = self.places.get((variant_id, location_id))
        return max(0, place.on_hand - place.reserved) if place else 0

    def take(self, part: _Part) -> None:
        stocks = self.stocks.get(part.variant_id)
        allowed = [pk for pk in self.locations if part.location_id in ("", pk)]
        left = part.units
        for location_id in allowed:
            units = min(left, self.free(part.variant_id, location_id))
            if units:
                self.reserve(part, location_id, units)
                left -= units
        if not left:
            return
        if stocks is not None and stocks.backorder and allowed and stocks.reserved + left < MOST:
            self.reserve(part, allowed[0], left)
        else:
            self.short.append(_left(part.name, part.units - left))

    def reserve(self, part: _Part, location_id: str, units: int) -> None:
        place = self.places.get((part.variant_id, location_id))
        if place is None:
            place = self.places[part.variant_id, location_id] = LocationStock()
        place.reserved += units
        self.stocks[part.variant_id].reserved += units  # as it will be; what is written is the difference
        key = (part.claim.owner, part.claim.key, part.variant_id, location_id)
        self.taken[key] = self.taken.get(key, 0) + units
        self.each[key] = part.each

    def write(self) -> None:
        sums: dict[tuple[str, str], int] = {}
        for (_owner, _key, variant_id, location_id), units in self.taken.items():
            sums[variant_id, location_id] = sums.get((variant_id, location_id), 0) + units
        missing = [key for key in sums if self.places[key]._state.adding]
        stock.open_places(stocks=self.stocks, wanted=missing)
        stock.shift(store_id=self.store_id, shifts=[Shift(*key, 0, units) for key, units in sums.items()])
        StockReservation.objects.bulk_create(
            StockReservation(
                store_id=self.store_id,
                owner=owner,
                key=key,
                variant_id=variant_id,
                location_id=location_id,
                quantity=units,
                each=self.each[owner, key, variant_id, location_id],
            )
            for (owner, key, variant_id, location_id), units in self.taken.items()
        )


def _left(name: str, count: int) -> str:
    if count > 0:
        return _("Only %(count)d of %(name)s are left.") % {"count": count, "name": name}
    return _("%(name)s is out of stock.") % {"name": name}


def _refusal(short: Sequence[str]) -> OutOfStock:
    return OutOfStock(short[0], errors={"items": list(dict.fromkeys(short))})
