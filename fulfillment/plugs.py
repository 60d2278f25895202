"""`FULFILLMENT` over this app's zones, rates and shops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from storefront import selectors as kernel
from storefront.addresses import place_of
from storefront.contracts import Place, Sku
from storefront.errors import Invalid, Unavailable
from storefront.models import StockLocation, Store
from storefront.money import ZERO
from storefront.places import valid_pincode
from storefront.plugs import plug
from storefront.pricing import Line, Quote

from . import planning, selectors, serializers, wishes
from .allocation import fitting
from .planning import Shipment, Situation
from .selectors import DeliveryRules
from .wishes import COLLECT, DELIVERY

PINCODE = "delivery_pincode"


class StoreFulfillment:
    """See `storefront.contracts.FulfillmentPlug`. Each call costs the catalogue's queries (`serviceability` alone asks
    for the goods), one for stock where it lies in more than one place, and a look at the rules every few seconds."""

    def serviceability(
        self, store_id: str, wanted: Mapping[Sku, int], *, pincode: str | None, kind: str | None, group_id: str | None
    ) -> dict[str, Any]:
        """Weights and prices are those of the catalogue; `max_available_quantity` is what the place can give: for
        delivery all that can be sent there together, for collecting what lies in the shop that has most of it."""
        store = kernel.store(store_id)
        kind = kind or (DELIVERY if pincode else COLLECT)
        if kind == DELIVERY and not pincode:
            raise Invalid(_("Enter the PIN code that it should go to."), field=PINCODE)
        place = _place(store, pincode) if pincode else None
        sellables = plug("CATALOG").sellables(store_id, list(wanted), group_id=group_id)
        lines = []
        for sku, quantity in wanted.items():
            found = sellables.get(sku)
            lines.append(Line(sku, quantity, found, net=found.selling_price * quantity if found else ZERO))
        quote = Quote(store_id=store_id, currency=store.currency, group_id=group_id, lines=tuple(lines))
        rules = selectors.rules(store=store)
        situation = planning.look(store=store, quote=quote, rules=rules, place=place, deliver=kind == DELIVERY)
        missing = _lost(quote)
        short = _short_of_collect(situation, place) if kind == COLLECT else _short_of_delivery(situation)
        items = [
            serializers.unserviceable_item(sku, sellables.get(sku), missing=count, available=available)
            for sku, (count, available) in {**missing, **short}.items()
        ]
        return {"is_serviceable": not items, "unserviceable_items": items}

    def options(self, quote: Quote, *, pincode: str | None, kind: str | None) -> dict[str, Any]:
        """A shop is listed when it has everything; the nearest is recommended. Delivery is recommended wherever it is
        possible. Asked for collecting alone, silent carriers are no reason not to answer."""
        view = _overview(quote, pincode, need_rates=kind != COLLECT)
        out: dict[str, Any] = {"summary": view.summary}
        if kind != DELIVERY:
            out["collect"] = view.shops
        if kind != COLLECT:
            out["deliver"] = serializers.delivery_option(
                view.shipments if view.serviceable else (),
                serviceable=view.serviceable,
                threshold=view.rules.free_shipping_threshold,
                free=view.free,
                currency=quote.currency,
            )
        return out

    def older_options(self, quote: Quote, *, pincode: str | None) -> dict[str, Any]:
        view = _overview(quote, pincode, need_rates=True)
        rates = serializers.together(view.shipments) if view.serviceable else []
        methods = serializers.shipping_methods(rates, free=view.free, currency=quote.currency)
        summary = dict(view.summary)
        if view.shops:
            summary["recommended_store"] = serializers.older(view.shops[0])
        return {
            "summary": summary,
            "collect": [serializers.older(shop) for shop in view.shops],
            "deliver": {"is_serviceable": view.serviceable, "shipping_methods": methods},
        }

    def preference(self, quote: Quote, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises Unavailable when the chosen carrier does not answer: a price that nobody knows cannot be chosen."""
        read = wishes.read(wish)
        store = kernel.store(quote.store_id)
        rules = selectors.rules(store=store)
        place = place_of(store=store, address=quote.shipping_address)
        deliver = read.kind != COLLECT
        situation = planning.look(store=store, quote=quote, rules=rules, place=place, deliver=deliver, wish=read)
        decision = planning.decide(situation, read, free=bool(planning.free_source(quote, rules)))
        if not decision.priced:
            raise Unavailable
        return decision.preference


@dataclass(frozen=True, slots=True)
class Overview:
    rules: DeliveryRules
    shops: list[dict[str, Any]]
    shipments: Sequence[Shipment]
    serviceable: bool
    free: bool

    @property
    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "collect_available": bool(self.shops),
            "deliver_available": self.serviceable,
            "recommended_fulfillment_type": COLLECT if self.shops and not self.serviceable else DELIVERY,
        }
        return found | ({"recommended_store": self.shops[0]} if self.shops else {})


def _overview(quote: Quote, pincode: str | None, *, need_rates: bool) -> Overview:
    """Raises Unavailable when rates are needed and a shipment has ways, none of which can be had now."""
    store = kernel.store(quote.store_id)
    rules = selectors.rules(store=store)
    place = _place(store, pincode, quote) if pincode else place_of(store=store, address=quote.shipping_address)
    situation = planning.look(store=store, quote=quote, rules=rules, place=place, deliver=True)
    plan = situation.plan
    shipments = plan.shipments if plan is not None else ()
    silent = any(row.rates and not any(rate.answered for rate in row.rates) for row in shipments)
    if need_rates and (silent or situation.rates_unavailable):
        raise Unavailable
    return Overview(
        rules=rules,
        shops=_shops(situation, place),
        shipments=shipments,
        serviceable=plan is not None and plan.deliverable,
        free=bool(planning.free_source(quote, rules)),
    )


def _place(store: Store, pincode: str, quote: Quote | None = None) -> Place:
    """Raises Invalid for what cannot be a postal code. The cart's own address tells more when the code is its."""
    text = "".join(str(pincode).split())
    address = place_of(store=store, address=quote.shipping_address) if quote is not None else None
    if address is not None and address.pincode == text:
        return address
    place = planning.place_at(store=store, pincode=text)
    if not valid_pincode(place.country, text):
        raise Invalid(_("Enter a valid PIN code."), field=PINCODE)
    return place


def _lost(quote: Quote) -> dict[Sku, tuple[int, int]]:
    """Lines that nobody can send: unknown or no longer sold. By sku, how many are missing and how many there are."""
    return {
        line.sku: (line.quantity, 0)
        for line in quote.lines
        if line.sellable is None or line.sellable.needs_variant or not line.sellable.active
    }


def _short_of_delivery(situation: Situation) -> dict[Sku, tuple[int, int]]:
    plan, goods = situation.plan, situation.goods
    if situation.rates_unavailable:
        raise Unavailable
    if plan is None or not goods:
        return {}
    stuck = {sku for shipment in plan.shipments if not shipment.rates for sku in shipment.units}
    if stuck and not any(shipment.rates for shipment in plan.shipments):
        return {sku: (count, 0) for sku, count in goods.items()}
    short = {sku: (count, goods[sku] - count) for sku, count in plan.missing.items()}
    for shipment in plan.shipments:
        for sku, count in shipment.units.items() if not shipment.rates else ():
            missing, available = short.get(sku, (0, goods[sku]))
            short[sku] = (missing + count, available - count)
    return short


def _short_of_collect(situation: Situation, place: Place | None) -> dict[Sku, tuple[int, int]]:
    """What the shop that has most of it lacks; everything where no shop hands goods out."""
    goods = situation.goods
    if not goods:
        return {}

    def units(location: StockLocation | None) -> dict[Sku, int]:
        if location is None:
            return dict.fromkeys(goods, 0)
        there = fitting(situation.stock, goods, location.pk, situation.recipes)
        return {sku: there.get(sku, 0) for sku in goods}

    shops = [location for location, _far in _near(situation, place)]
    most = max(map(units, shops), key=lambda found: sum(found.values()), default=units(None))
    return {sku: (count - most[sku], most[sku]) for sku, count in goods.items() if count > most[sku]}


def _near(situation: Situation, place: Place | None) -> list[tuple[StockLocation, float | None]]:
    """The shops that hand goods out within the store's distance, the nearest first, unknown ones last."""
    most = situation.rules.maximum_collect_kilometres
    found = [
        (location, planning.distance(location, place))
        for location in situation.locations.values()
        if location.can_collect
    ]
    near = [(location, far) for location, far in found if far is None or most is None or far <= most]
    return sorted(near, key=lambda row: (row[1] is None, row[1] or 0.0, row[0].sort_order, row[0].pk))


def _shops(situation: Situation, place: Place | None) -> list[dict[str, Any]]:
    """`CollectInStore`s of the shops that have everything, the recommended one first."""
    if not situation.goods:
        return []
    ready = [
        (location, far)
        for location, far in _near(situation, place)
        if planning.can_collect(situation, location, situation.goods)
    ]
    return [
        serializers.collect_store(location, kilometres=far, recommended=index == 0)
        for index, (location, far) in enumerate(ready)
    ]
