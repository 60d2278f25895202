"""The pricing step of delivery."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from storefront import selectors as kernel
from storefront.addresses import place_of
from storefront.contracts import ShippingRate
from storefront.errors import DomainError, StoreNotFound, Unavailable
from storefront.money import HUNDREDTH, ZERO, number, percent_of, tax_on
from storefront.pricing import Problem, Quote

from . import planning, selectors, serializers, wishes
from .planning import Decision, Situation
from .selectors import DeliveryRules
from .wishes import COLLECT, Wish

UNKNOWN = _("We cannot tell what delivery costs right now. Please try again in a moment.")


@dataclass(frozen=True, slots=True)
class Gathered:
    rules: DeliveryRules
    wish: Wish | None = None
    refusal: DomainError | None = None  # a wish that cannot be read
    found: Situation | None = None  # None: there is nothing to price


class Shipping:
    """What the chosen way of delivery costs, with tax, and which location sends what.

    The chosen wish (`quote.fulfillment`) is tried again at every reading. When it is no longer possible, the store's
    own choice takes its place where staff want that; else shipping is unknown and a refusal says why.
    Costs no query while neither address nor wish is known, beyond a look at the store's rules every few seconds;
    otherwise one for the stock, where it lies in more than one place.
    """

    def gather(self, quote: Quote) -> Gathered | None:
        try:
            store = kernel.store(quote.store_id)
        except StoreNotFound:  # closed; staff may still look at its carts
            return None
        rules = selectors.rules(store=store)
        if quote.fulfillment is None and (quote.shipping_address is None or not rules.auto_preference):
            return Gathered(rules)
        wish: Wish | None = None
        refusal: DomainError | None = None
        if quote.fulfillment is not None:
            try:
                wish = wishes.read(quote.fulfillment)
            except DomainError as error:
                refusal = error
        place = place_of(store=store, address=quote.shipping_address)
        deliver = wish is None or wish.kind != COLLECT
        found = planning.look(store=store, quote=quote, rules=rules, place=place, deliver=deliver, wish=wish)
        return Gathered(rules, wish, refusal, found)

    def apply(self, quote: Quote, facts: Gathered | None) -> Quote:
        if facts is None:
            return quote
        rules, found = facts.rules, facts.found
        threshold = rules.free_shipping_threshold
        quote = quote.noted(free_shipping_threshold=None if threshold is None else number(threshold))
        if found is None or not found.goods:
            return quote
        source = planning.free_source(quote, rules)
        refusal = facts.refusal
        decision: Decision | None = None
        if facts.wish is not None:
            if facts.wish.kind != COLLECT and found.plan is None:
                return quote  # no address yet; the cart says so itself
            try:
                decision = planning.decide(found, facts.wish, free=bool(source))
            except Unavailable:
                return _unknown(quote)
            except DomainError as error:
                refusal = error
        if decision is None and rules.auto_preference and (facts.wish is None or facts.wish.kind == wishes.DELIVERY):
            decision = planning.choose(found, free=bool(source))
        if decision is None:
            if refusal is None:
                plan = found.plan
                return _unknown(quote) if plan and (found.rates_unavailable or plan.deliverable) else quote
            return quote.refused("fulfillment", refusal.code, refusal.message)  # the cart makes a problem of it
        quote = quote._replace(fulfillment=decision.preference).noted(allocations=decision.allocations)
        return _priced(quote, decision, source) if decision.priced else _waiting(_unknown(quote), decision)


def _unknown(quote: Quote) -> Quote:
    """Rates cannot be had: the cart can be read, and not be paid."""
    return quote._replace(problems=(*quote.problems, Problem("shipping_unavailable", message=UNKNOWN)))


def _waiting(quote: Quote, decision: Decision) -> Quote:
    shipments = [serializers.cart_shipment(shipment, rate, amount=None, tax=ZERO) for shipment, rate in decision.ways]
    return quote.noted(shipments=shipments)


def _priced(quote: Quote, decision: Decision, source: str) -> Quote:
    """Tax is rounded once for each shipment, so that shipments add up to the cart."""
    cost = discount = tax = ZERO
    taxes: dict[Decimal, Decimal] = {}  # by rate
    shipments: list[dict[str, Any]] = []
    rates: list[ShippingRate] = []
    for shipment, rate in decision.ways:
        amount = planning.payable(rate, free=bool(source))
        due = tax_on(amount, rate.tax_rate, quote.currency)
        cost, discount, tax = cost + rate.amount, discount + rate.amount - amount, tax + due
        taxes[rate.tax_rate] = taxes.get(rate.tax_rate, ZERO) + due
        shipments.append(serializers.cart_shipment(shipment, rate, amount=amount, tax=due))
        rates.append(rate)
    days = [day for rate in rates if (day := rate.days if rate.days_to is None else rate.days_to) is not None]
    different = {rate.tax_rate for rate in rates}
    if len(different) > 1:
        tax_rate = percent_of(tax, cost - discount).quantize(HUNDREDTH)  # of all shipments together
    else:
        tax_rate = next(iter(different), ZERO)
    return quote._replace(
        shipping_cost=cost,
        shipping_discount=discount,
        shipping_discount_source=source if discount else "",
        shipping_tax=tax,
        shipping_tax_rate=tax_rate,
    ).noted(
        shipments=shipments,
        shipping_taxes=taxes,
        estimated_delivery_days=max(days) if days and len(rates) == len(days) else None,
        cash_on_delivery=all(rate.cash_on_delivery for rate in rates),
    )
