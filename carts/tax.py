"""`TAX`: the rates of the catalogue, split as India's GST wants it, and what pricing steps do with any such plug."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from storefront import selectors
from storefront.addresses import place_of
from storefront.contracts import Place, Tax, TaxedGoods, TaxPart
from storefront.models import StockLocation
from storefront.money import ZERO, Currency, allocate
from storefront.places import state_of
from storefront.plugs import plug
from storefront.pricing import Quote

PLACES = "tax_places"  # the fact that the Tax step leaves: (origin, to)
COLLECT = "collect-in-store"
HALF = Decimal(2)


class GoodsAndServicesTax:
    """See `storefront.contracts.Tax`. Within a state the tax is halves of the centre and of the state, across states and
    borders it is the union's (IGST Act, section 7; CGST Act, section 9). While the place isn't known, the origin's is
    meant. Outside India the tax has no parts."""

    def rates(
        self, store_id: str, goods: Sequence[TaxedGoods], *, origin: Place, to: Place | None
    ) -> Sequence[Decimal]:
        return [item.rate_hint for item in goods]

    def parts(self, rate: Decimal, *, origin: Place, to: Place | None) -> Sequence[TaxPart]:
        if not rate:
            return []
        if origin.country != "IN":
            return [TaxPart("GST", rate)]
        if to is not None and (to.country, to.state) != (origin.country, origin.state):
            return [TaxPart("IGST", rate)]
        return [TaxPart("CGST", rate / HALF), TaxPart("SGST", rate / HALF)]


class TaxShare(NamedTuple):
    """A part of the tax on something: CGST of 9% is 4.50 of it."""

    name: str
    rate: Decimal  # percent
    amount: Decimal


def places(quote: Quote) -> tuple[Place, Place | None]:
    """Where the quote's goods come from and go to: the store's default location and the shipping address. What is
    collected is handed over, and so supplied, in the shop, wherever its buyer lives (IGST Act, section 10).

    No query in a process that knows the store already.
    """
    store = selectors.store(quote.store_id)
    wish = quote.fulfillment or {}
    shop = selectors.locations(store=store).get(wish.get("pickup_location_id") or "")
    if shop is not None and wish.get("fulfillment_type") == COLLECT:
        return _place(shop), _place(shop)
    return _place(selectors.default_location(store=store)), place_of(store=store, address=quote.shipping_address)


def _place(location: StockLocation) -> Place:
    state = state_of(location.country, location.state)
    return Place(country=location.country, state=state.gst_code if state else location.state, pincode=location.pincode)


def split(tax: Decimal, parts: Sequence[TaxPart], currency: Currency) -> tuple[TaxShare, ...]:
    """A rounded tax by its parts, which add up to it; of an odd unit the first part has more."""
    if not tax or not parts:
        return ()
    if len(parts) == 1:
        return (TaxShare(parts[0].name, parts[0].rate, tax),)
    if len(parts) == 2 and parts[0].rate == parts[1].rate:  # CGST and SGST, of every line: not worth the general way
        half = (tax / HALF).quantize(currency.unit, ROUND_DOWN)
        return (
            TaxShare(parts[0].name, parts[0].rate, tax - half),
            TaxShare(parts[1].name, parts[1].rate, half),
        )
    amounts = allocate(tax, [part.rate for part in parts], currency)
    return tuple(TaxShare(part.name, part.rate, amount) for part, amount in zip(parts, amounts, strict=True))


def parts_of(rates: Iterable[Decimal], *, origin: Place, to: Place | None) -> Mapping[Decimal, Sequence[TaxPart]]:
    """The parts of each of these rates, once."""
    taxes: Tax = plug("TAX")
    return {rate: taxes.parts(rate, origin=origin, to=to) for rate in set(rates)}


def summary(quote: Quote) -> list[TaxShare]:
    """All that a priced quote owes in tax, by part and rate: what an invoice says below its lines."""
    found: dict[tuple[str, Decimal], Decimal] = {}
    goods: Sequence[Sequence[TaxShare]] = quote.facts.get("tax_parts", ())
    handling: Sequence[Sequence[TaxShare]] = quote.facts.get("handling_tax_parts", ())
    for shares in (*goods, *handling, _of_shipping(quote)):
        for share in shares:
            found[share.name, share.rate] = found.get((share.name, share.rate), Decimal(0)) + share.amount
    return [TaxShare(name, rate, amount) for (name, rate), amount in sorted(found.items())]


def _of_shipping(quote: Quote) -> Sequence[TaxShare]:
    """The parts of the tax on shipping, at each rate that the fact `shipping_taxes` names, else at its one rate."""
    if not quote.shipping_tax or PLACES not in quote.facts:
        return ()
    origin, to = quote.facts[PLACES]
    alone = {quote.shipping_tax_rate or ZERO: quote.shipping_tax}
    owed: Mapping[Decimal, Decimal] = quote.facts.get("shipping_taxes") or alone
    parts = parts_of(owed, origin=origin, to=to)
    return [share for rate, tax in owed.items() for share in split(tax, parts[rate], quote.currency)]
