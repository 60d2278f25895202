"""Reads of delivery: the rules of a store as one frozen value, kept in the process."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from storefront.conf import conf
from storefront.contracts import Place
from storefront.models import Store
from storefront.selectors import ShortMemory

from . import geography
from .models import DeliverySettings, RateSlab, ShippingMethod, ShippingZone, ZoneRate
from .patterns import BadPattern, Pincodes


@dataclass(frozen=True, slots=True)
class Method:
    id: str
    name: str
    kind: str
    carrier: str
    tax_rate: Decimal
    can_be_free: bool
    cash_on_delivery: bool


@dataclass(frozen=True, slots=True)
class Rate:
    """A `ZoneRate` with its slabs, the smallest first."""

    method: Method
    amount: Decimal
    slabs: tuple[tuple[Decimal, Decimal], ...]
    further: tuple[Decimal, Decimal] | None  # each so much more, and what it costs
    free_from: Decimal | None
    days: int | None
    days_to: int | None
    weights: tuple[int | None, int | None]
    values: tuple[Decimal | None, Decimal | None]


@dataclass(frozen=True, slots=True)
class Zone:
    id: str
    name: str
    country: str
    states: frozenset[str]
    pincodes: Pincodes
    rates: tuple[Rate, ...]

    def holds(self, place: Place) -> bool:
        if place.country != self.country:
            return False
        if not self.states and not self.pincodes:
            return True
        return place.pincode in self.pincodes or (bool(place.state) and place.state in self.states)


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """All that a store's staff decided about delivery. Shared: treat it as read-only."""

    version: str
    free_shipping_threshold: Decimal | None
    auto_preference: bool
    split_shipments: bool
    maximum_collect_kilometres: int | None
    zones: tuple[Zone, ...]

    def zone_of(self, place: Place) -> Zone | None:
        """The first zone that holds a place. Without a state, that of most codes like this one is taken."""
        if not place.state:
            state = geography.gst_state_of(place.country, place.pincode)
            place = Place(country=place.country, state=state, pincode=place.pincode)
        return next((zone for zone in self.zones if zone.holds(place)), None)


_believed: ShortMemory[DeliveryRules] = ShortMemory(size=1024, seconds=lambda: conf().STORE_CACHE_SECONDS)
_known: ShortMemory[DeliveryRules] = ShortMemory(size=1024, seconds=lambda: 86_400)


def rules(*, store: Store) -> DeliveryRules:
    """The store's rules. No query within STORE_CACHE_SECONDS of the last look, else one; five after a change."""
    found = _believed.get(store.pk)
    if found is not None:
        return found
    settings = DeliverySettings.objects.filter(store=store).first() or DeliverySettings(store=store, version="")
    known = _known.get(store.pk)
    if known is None or known.version != settings.version:
        known = _known.put(store.pk, _read(store, settings))
    return _believed.put(store.pk, known)


def forget(*, store_id: str) -> None:
    """After a change here: the next look asks the database. Other processes follow within STORE_CACHE_SECONDS."""
    _believed.drop(store_id)
    _known.drop(store_id)


def _read(store: Store, settings: DeliverySettings) -> DeliveryRules:
    """Four queries. Read after the version, so that what changes meanwhile is read again."""
    methods = {
        row.pk: Method(
            id=row.pk,
            name=row.name,
            kind=row.kind,
            carrier=row.carrier,
            tax_rate=settings.shipping_tax_rate if row.tax_rate is None else row.tax_rate,
            can_be_free=row.can_be_free,
            cash_on_delivery=row.cash_on_delivery,
        )
        for row in ShippingMethod.objects.filter(store=store, active=True)
    }
    slabs: dict[int, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for rate_id, up_to, amount in (
        RateSlab.objects.filter(store=store).order_by("up_to").values_list("rate_id", "up_to", "amount")
    ):
        slabs[rate_id].append((up_to, amount))
    rates: dict[str, list[Rate]] = defaultdict(list)
    rows = ZoneRate.objects.filter(store=store, active=True).order_by("method__sort_order", "method_id")
    for row in rows:
        if row.method_id in methods:
            rates[row.zone_id].append(_rate(row, methods[row.method_id], tuple(slabs[row.pk])))
    zones = [
        Zone(row.pk, row.name, row.country, frozenset(row.states), pincodes, tuple(rates[row.pk]))
        for row in ShippingZone.objects.filter(store=store, active=True)
        if (pincodes := _pincodes(row)) is not None
    ]
    return DeliveryRules(
        version=settings.version,
        free_shipping_threshold=settings.free_shipping_threshold,
        auto_preference=settings.auto_preference,
        split_shipments=settings.split_shipments,
        maximum_collect_kilometres=settings.maximum_collect_kilometres,
        zones=tuple(zones),
    )


def _rate(row: ZoneRate, method: Method, slabs: tuple[tuple[Decimal, Decimal], ...]) -> Rate:
    further = None
    if row.further_step is not None and row.further_amount is not None:
        further = (row.further_step, row.further_amount)
    return Rate(
        method=method,
        amount=row.amount,
        slabs=slabs,
        further=further,
        free_from=row.free_from,
        days=row.days,
        days_to=row.days_to,
        weights=(row.minimum_weight, row.maximum_weight),
        values=(row.minimum_value, row.maximum_value),
    )


def _pincodes(row: ShippingZone) -> Pincodes | None:
    """None for a zone whose patterns cannot be read, written past the forms: it serves nobody rather than everybody."""
    try:
        return Pincodes.read(row.pincodes, country=row.country)
    except BadPattern:
        return None
