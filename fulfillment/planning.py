"""From the lines of a quote to shipments with what they may cost, and from a wish to what is done about it.

`look` asks everything that there is to ask; what follows it is pure.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _

from storefront import locations as kernel_locations
from storefront import selectors as kernel
from storefront.addresses import country_of
from storefront.contracts import Parcel, Place, ShippingRate, Sku, StockByLocation
from storefront.errors import DomainError, Unavailable
from storefront.models import StockLocation, Store
from storefront.money import ZERO, rounded
from storefront.places import state_of
from storefront.plugs import plug
from storefront.pricing import THRESHOLD, Line, Quote

from . import errors, geography
from .allocation import NO_RECIPES, Recipes, StockOf, allocate, fitting
from .selectors import DeliveryRules
from .wishes import AUTO, COLLECT, DELIVERY, PARTIAL, USER, Way, Wish

logger = logging.getLogger(__name__)

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_FAR = 10**6


class Part(NamedTuple):
    """Units of one line of the quote that travel together."""

    line: Line
    quantity: int
    free_quantity: int


@dataclass(frozen=True, slots=True)
class Shipment:
    """What one location sends, and the ways to send it. The id stays while the same cart sends the same from there."""

    id: str
    location: StockLocation
    units: Mapping[Sku, int]
    parts: tuple[Part, ...]
    parcel: Parcel
    rates: tuple[ShippingRate, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    shipments: tuple[Shipment, ...]
    missing: Mapping[Sku, int]  # units that no location can send

    @property
    def deliverable(self) -> bool:
        return not self.missing and all(shipment.rates for shipment in self.shipments)


@dataclass(frozen=True, slots=True)
class Situation:
    """What was found out: enough to decide about any wish of the kind it was asked for."""

    rules: DeliveryRules
    goods: Mapping[Sku, int]  # what has to move: units by sku, gifts among them, digital goods not
    names: Mapping[Sku, Line]  # a line of each of them
    locations: Mapping[str, StockLocation]
    stock: StockOf
    recipes: Recipes  # of bundles, where stock is known by location
    place: Place | None = None
    plan: Plan | None = None  # None where nothing is delivered, or the place is not known
    rates_unavailable: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """A wish that can be granted: as the cart keeps it, and what follows from it."""

    preference: Mapping[str, Any]
    ways: tuple[tuple[Shipment, ShippingRate], ...]
    allocations: Mapping[str, Mapping[Sku, int]]

    @property
    def priced(self) -> bool:
        return all(rate.answered for _shipment, rate in self.ways)


# --- asking ---------------------------------------------------------------------------------------------------------
def movable(quote: Quote) -> list[Line]:
    """The lines with something to send or collect."""
    return [
        line
        for line in quote.lines
        if (found := line.sellable) is not None
        and found.active
        and not found.needs_variant
        and found.product_type != "digital"
    ]


def place_at(*, store: Store, pincode: str) -> Place:
    """Where a bare postal code is, in the store's first country; its state is left to the zones."""
    return Place(country=country_of(store=store, text=None), pincode=pincode)


def origin_of(location: StockLocation) -> Place:
    state = state_of(location.country, location.state)
    return Place(country=location.country, state=state.gst_code if state else location.state, pincode=location.pincode)


def distance(location: StockLocation, place: Place | None) -> float | None:
    """Kilometres between a location and about where a place is, one within its own postal code; None where either is
    unknown."""
    if place is None:
        return None
    if place.country == location.country and place.pincode and place.pincode == location.pincode:
        return 1.0
    end = geography.point_of(place.country, place.pincode)
    if location.latitude is not None and location.longitude is not None:
        start: geography.Point | None = geography.Point(float(location.latitude), float(location.longitude))
    else:
        start = geography.point_of(location.country, location.pincode)
    return None if start is None or end is None else geography.kilometres(start, end)


def look(
    *,
    store: Store,
    quote: Quote,
    rules: DeliveryRules,
    place: Place | None,
    deliver: bool,
    wish: Wish | None = None,
) -> Situation:
    """Stock and locations, and with `deliver` the shipments to `place` with their rates: of all goods, or of what a
    partial wish wants delivered. One query, none where all stock lies in one place."""
    lines = movable(quote)
    goods: dict[Sku, int] = {}
    names: dict[Sku, Line] = {}
    for line in lines:
        goods[line.sku] = goods.get(line.sku, 0) + line.quantity
        names.setdefault(line.sku, line)
    locations = kernel.locations(store=store) if goods else {}
    recipes, stock = _stock(store, quote, names, locations)
    found = Situation(rules, goods, names, locations, stock, recipes, place)
    if not deliver or place is None:
        return found
    if wish is not None and wish.kind == PARTIAL:
        plan = _plan(store, quote, _without_collected(found, wish), _within(wish.delivered or {}, goods), lines)
    else:
        plan = _plan(store, quote, found, goods, lines)
    try:
        return replace(found, plan=_with_rates(store, plan, place))
    except Unavailable:
        return replace(found, plan=plan, rates_unavailable=True)


def _within(wanted: Mapping[Sku, int], goods: Mapping[Sku, int]) -> dict[Sku, int]:
    return {sku: min(count, goods[sku]) for sku, count in wanted.items() if sku in goods}


def _without_collected(found: Situation, wish: Wish) -> Situation:
    """The stock that is left to be sent when the collected part is taken from its shop."""
    stock: dict[Sku, Mapping[str, int | None]] = dict(found.stock)
    for sku, count in (wish.collected or {}).items():
        for part, each in ((sku, 1), *found.recipes.get(sku, ())):
            there = stock.get(part, {}).get(wish.pickup_location_id)
            if there is not None:
                stock[part] = {**stock[part], wish.pickup_location_id: there - count * each}
    return replace(found, stock=stock)


def _stock(
    store: Store, quote: Quote, names: Mapping[Sku, Line], locations: Mapping[str, StockLocation]
) -> tuple[Recipes, StockOf]:
    """By location, with that of what bundles hold. Where there is but one location, or the catalogue knows of none, the
    quote's own lines say it, each beside the others."""
    if not names or not locations:
        return NO_RECIPES, {}
    stock: dict[Sku, dict[str, int | None]] = {}
    if len(locations) > 1 and isinstance(plug("CATALOG"), StockByLocation):
        recipes = {
            sku: [(part.sku, part.units) for part in line.sellable.components]
            for sku, line in names.items()
            if line.sellable is not None and line.sellable.components
        }
        skus = dict.fromkeys([*names, *(part for parts in recipes.values() for part, _units in parts)])
        return recipes, kernel_locations.stock(store=store, skus=list(skus), group_id=quote.group_id)
    default = next(iter(locations))
    for sku, line in names.items():
        assert line.sellable is not None  # `movable` left the others out
        stock[sku] = {default: None if line.sellable.backorder else line.sellable.available}
    return NO_RECIPES, stock


def _plan(store: Store, quote: Quote, found: Situation, wanted: Mapping[Sku, int], lines: Sequence[Line]) -> Plan:
    senders = sorted(
        (location for location in found.locations.values() if location.can_deliver),
        key=lambda location: (
            location.sort_order,
            _FAR if (far := distance(location, found.place)) is None else far,
            not location.is_default,
            location.pk,
        ),
    )
    answer = allocate(
        *(wanted, found.stock, [location.pk for location in senders]),
        split=found.rules.split_shipments,
        recipes=found.recipes,
    )
    parts = _parts(answer.sent, lines)
    shipments = tuple(
        _shipment(store, quote, found.locations[location_id], units, parts[location_id])
        for location_id, units in answer.sent.items()
    )
    return Plan(shipments, answer.missing)


def _parts(sent: Mapping[str, Mapping[Sku, int]], lines: Sequence[Line]) -> dict[str, list[Part]]:
    """The units of each location, taken off the lines in their order."""
    left: dict[Sku, list[Part]] = {}
    for line in lines:
        left.setdefault(line.sku, []).append(Part(line, line.quantity, line.free_quantity))
    parts: dict[str, list[Part]] = {}
    for location_id, units in sent.items():
        mine = parts[location_id] = []
        for sku, count in units.items():
            wanted = count
            while wanted:
                part = left[sku].pop(0)
                quantity = min(wanted, part.quantity)
                free = min(quantity, part.free_quantity)
                if quantity < part.quantity:
                    left[sku].insert(0, Part(part.line, part.quantity - quantity, part.free_quantity - free))
                mine.append(Part(part.line, quantity, free))
                wanted -= quantity
    return parts


def _shipment(
    store: Store, quote: Quote, location: StockLocation, units: Mapping[Sku, int], parts: Sequence[Part]
) -> Shipment:
    value, weight = ZERO, 0
    for part in parts:
        line = part.line
        value += (line.net + line.tax) * part.quantity / line.quantity
        weight += (line.sellable.weight if line.sellable else 0) * part.quantity
    parcel = Parcel(
        location_id=location.pk,
        quantities=units,
        weight=weight,
        value=rounded(value, store.currency),
        origin=origin_of(location),
    )
    return Shipment(shipment_id(quote.cart_id, location.pk, units), location, units, tuple(parts), parcel)


def shipment_id(cart_id: str, location_id: str, units: Mapping[Sku, int]) -> str:
    """Always the same for the same goods of a cart from the same place (D-45); 26 characters that tell nothing."""
    rows = [f"{sku.product_id}\x1f{sku.variant_id}\x1f{count}" for sku, count in sorted(units.items())]
    digest = hashlib.sha256("\x1e".join((cart_id, location_id, *rows)).encode()).digest()
    number = int.from_bytes(digest[:17], "big") >> 6  # 130 bits: 26 digits of 5
    return "".join(_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))


def _with_rates(store: Store, plan: Plan, place: Place) -> Plan:
    """Raises Unavailable, for whatever a plug does wrong: a cart must be readable while its rates are not."""
    if not plan.shipments:
        return plan
    parcels = [shipment.parcel for shipment in plan.shipments]
    try:
        answers = plug("SHIPPING_RATES").rates(store.pk, parcels, to=place)
        shipments = tuple(
            replace(
                shipment, rates=tuple(replace(rate, amount=rounded(rate.amount, store.currency)) for rate in answer)
            )
            for shipment, answer in zip(plan.shipments, answers, strict=True)
        )
    except DomainError as error:
        raise Unavailable from error
    except Exception as error:
        logger.exception("shipping_rates_failed")
        raise Unavailable from error
    return replace(plan, shipments=shipments)


# --- deciding -------------------------------------------------------------------------------------------------------
def free_source(quote: Quote, rules: DeliveryRules) -> str:
    """What makes shipping free: the first source that promotions or a coupon left, else the threshold against the
    items after discounts with tax (D-24), else "" for nothing."""
    if quote.free_shipping:
        return quote.free_shipping[0]
    threshold = rules.free_shipping_threshold
    if threshold is not None and sum((line.net + line.tax for line in quote.lines), ZERO) >= threshold:
        return THRESHOLD
    return ""


def payable(rate: ShippingRate, *, free: bool) -> Decimal:
    """What the shopper pays for a way, before tax."""
    return ZERO if free and rate.can_be_free else rate.amount


def best(rates: Iterable[ShippingRate], *, free: bool = False) -> ShippingRate | None:
    """The cheapest for the shopper, then for the shop, then the fastest, then the best rated; None where none answered."""
    return min(
        (rate for rate in rates if rate.answered),
        key=lambda rate: (
            payable(rate, free=free),
            rate.amount,
            _FAR if rate.days is None else (rate.days_to or rate.days),
            -rate.rating,
        ),
        default=None,
    )


def can_collect(found: Situation, location: StockLocation, wanted: Mapping[Sku, int]) -> bool:
    """Whether all of it lies in a shop that hands goods out."""
    return location.can_collect and fitting(found.stock, wanted, location.pk, found.recipes) == wanted


def decide(found: Situation, wish: Wish, *, free: bool) -> Decision:
    """What the wish comes to. Raises a DomainError naming the field at fault; the rates must be there to be read."""
    if not found.goods:
        raise errors.NothingToDeliver
    if wish.kind == COLLECT:
        location = _pickup(found, wish.pickup_location_id, found.goods, "pickup_location_id")
        preference = {
            "fulfillment_type": COLLECT,
            "preference_type": USER,
            "pickup_location_id": location.pk,
            "pickup_location_name": location.name,
        }
        return Decision(preference, (), {location.pk: found.goods})
    if wish.kind == PARTIAL:
        return _partial(found, wish, free)
    plan = _deliverable(found)
    wanted = wish.ways or {}
    if {shipment.id for shipment in plan.shipments} != set(wanted):
        raise errors.ShipmentsChanged(field="shipments")
    order = {pk: index for index, pk in enumerate(wanted)}
    ways = tuple(
        (shipment, _rate(shipment, wanted[shipment.id], f"shipments.{order[shipment.id]}", free))
        for shipment in plan.shipments
    )
    return _delivery(ways, USER)


def choose(found: Situation, *, free: bool) -> Decision | None:
    """The delivery that is chosen for a shopper who has not: the best way for each shipment. None where there is none."""
    plan = found.plan
    if plan is None or not plan.shipments or not plan.deliverable:
        return None
    ways = []
    for shipment in plan.shipments:
        rate = best(shipment.rates, free=free)
        if rate is None:
            return None
        ways.append((shipment, rate))
    return _delivery(tuple(ways), AUTO)


def _delivery(ways: tuple[tuple[Shipment, ShippingRate], ...], chosen_by: str) -> Decision:
    preference = {
        "fulfillment_type": DELIVERY,
        "preference_type": chosen_by,
        "shipments": [{"id": shipment.id, **_named(rate)} for shipment, rate in ways],
    }
    return Decision(preference, ways, {shipment.location.pk: shipment.units for shipment, _rate in ways})


def _named(rate: ShippingRate) -> dict[str, Any]:
    return {
        "shipping_provider_id": rate.method_id,
        "shipping_provider_name": rate.name,
        "courier_company_id": rate.courier or None,
        "courier_company_name": rate.courier_name or None,
    }


def _partial(found: Situation, wish: Wish, free: bool) -> Decision:
    collected, delivered = wish.collected or {}, wish.delivered or {}
    total = {sku: collected.get(sku, 0) + delivered.get(sku, 0) for sku in {**collected, **delivered}}
    if total != dict(found.goods):
        raise errors.ItemsDiffer(field=f"{COLLECT}.items")
    location = _pickup(found, wish.pickup_location_id, collected, f"{COLLECT}.pickup_location_id")
    plan = _deliverable(found)
    way = wish.way or Way("")
    ways = tuple((shipment, _rate(shipment, way, DELIVERY, free)) for shipment in plan.shipments)
    allocations: dict[str, dict[Sku, int]] = {location.pk: dict(collected)}
    for shipment, _rate_of_it in ways:
        mine = allocations.setdefault(shipment.location.pk, {})
        for sku, count in shipment.units.items():
            mine[sku] = mine.get(sku, 0) + count
    preference = {
        "fulfillment_type": PARTIAL,
        "preference_type": USER,
        COLLECT: {
            "pickup_location_id": location.pk,
            "pickup_location_name": location.name,
            "items": _items(found, collected),
        },
        DELIVERY: {**_named(ways[0][1]), "items": _items(found, delivered)},
    }
    return Decision(preference, ways, allocations)


def _items(found: Situation, units: Mapping[Sku, int]) -> list[dict[str, Any]]:
    rows = []
    for sku, count in units.items():
        sellable = found.names[sku].sellable
        rows.append(
            {
                "product_id": sku.product_id,
                "product_name": sellable.product_name if sellable else "",
                "variant_id": sku.variant_id or None,
                "variant_name": sellable.variant_name if sellable else None,
                "quantity": count,
            }
        )
    return rows


def _pickup(found: Situation, location_id: str, wanted: Mapping[Sku, int], field: str) -> StockLocation:
    location = found.locations.get(location_id)
    if location is None or not location.can_collect:
        raise errors.PickupUnavailable(field=field)
    if not can_collect(found, location, wanted):
        raise errors.PickupOutOfStock(field=field)
    return location


def _deliverable(found: Situation) -> Plan:
    if found.plan is None:
        raise errors.AddressMissing
    if found.plan.missing:
        sellable = found.names[next(iter(found.plan.missing))].sellable
        raise errors.NotDeliverable(
            _("%(name)s cannot be delivered in this quantity.") % {"name": sellable.product_name if sellable else ""}
        )
    if found.rates_unavailable:
        raise Unavailable
    if not found.plan.deliverable:
        raise errors.NotDeliverable
    return found.plan


def _rate(shipment: Shipment, way: Way, at: str, free: bool) -> ShippingRate:
    """The rate that a way means. Without a courier, the best of the method's. May be one that did not answer."""
    rates = [rate for rate in shipment.rates if rate.method_id == way.method_id]
    if not rates:
        raise errors.MethodUnavailable(field=f"{at}.shipping_provider_id")
    if way.courier and any(rate.courier for rate in rates):
        rates = [rate for rate in rates if rate.courier == way.courier]
        if not rates:
            raise errors.CourierUnavailable(field=f"{at}.courier_company_id")
    return best(rates, free=free) or rates[0]
