"""The pricing steps of a plain shop: list price, tax, handling. Others go between them in `PRICING_STEPS`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from storefront.contracts import Place, Sellable, Sku, TaxedGoods, TaxPart
from storefront.contracts import Tax as TaxPlug
from storefront.money import ZERO, rounded, tax_inside, tax_on
from storefront.plugs import plug
from storefront.pricing import Line, Lines, Quote

from . import rules, tax

Sellables = Mapping[Sku, Sellable | None]


class ListPrice:
    """What the catalogue asks for each line now, for the shopper's own group (D-22), and which lines it cannot sell.

    A line that cannot be bought keeps its price, so that the shopper sees what was meant; one that the catalogue does
    not know costs nothing. Either way the cart cannot be paid. A gift costs nothing and keeps no cart from being paid.
    What a line's sellable says to be available is so beside the other lines: a bundle takes the stock of what it holds.
    """

    def gather(self, quote: Quote) -> Sellables:
        """One call of the catalogue for all skus that the quote does not bring along; none when it brings them all."""
        wanted = [line.sku for line in quote.lines if line.sku not in quote.sellables]
        if not wanted:
            return quote.sellables
        found: dict[Sku, Sellable] = plug("CATALOG").sellables(quote.store_id, wanted, group_id=quote.group_id)
        return {**quote.sellables, **{sku: found.get(sku) for sku in wanted}}

    def apply(self, quote: Quote, facts: Sellables) -> Quote:
        currency = quote.currency
        lines: list[Line] = []
        problems = list(quote.problems)
        paid = [(line.sku, line.quantity) for line in quote.lines if not line.is_free_item]
        left = rules.beside_each_other(paid, facts)
        for line in quote.lines:
            sellable = facts[line.sku]
            if sellable is not None and line.sku in left:
                sellable = sellable._replace(available=left[line.sku])
            problem = None if line.is_free_item else rules.line_problem(sellable, line.quantity)
            if problem is not None:
                problems.append(problem)
            if sellable is None or sellable.needs_variant:
                lines.append(line._replace(sellable=sellable))
                continue
            price = sellable.selling_price
            amount = rounded(price * line.quantity, currency)
            if line.is_free_item:
                lines.append(line._replace(sellable=sellable, unit_price=price, amount=ZERO, free_value=amount))
            else:
                lines.append(line._replace(sellable=sellable, unit_price=price, amount=amount))
        return quote._replace(lines=tuple(lines), sellables=facts, problems=tuple(problems))


class TaxFacts(NamedTuple):
    """The rate of each line in percent, in order, the parts of each rate, and between which places they apply."""

    rates: Sequence[Decimal]
    parts: Mapping[Decimal, Sequence[TaxPart]]
    places: tuple[Place, Place | None]


class Tax:
    """Tax on what is left after discounts: backed out where prices include it, put on top where they do not.

    Rounded once per line; `net + tax` is exactly the discounted amount where prices include tax. The fact `tax_parts`
    has, for each line, its tax by name (CGST, SGST, IGST), adding up to it. A gift is taxed on what it costs: nothing.
    """

    def gather(self, quote: Quote) -> TaxFacts:
        """One call of the TAX plug, for all lines."""
        origin, to = places = tax.places(quote)
        goods = [
            TaxedGoods(sku=line.sku, amount=line.discounted, rate_hint=line.sellable.tax_rate)
            if line.sellable is not None
            else TaxedGoods(sku=line.sku, amount=ZERO, rate_hint=ZERO)
            for line in quote.lines
        ]
        taxes: TaxPlug = plug("TAX")
        rates = taxes.rates(quote.store_id, goods, origin=origin, to=to) if goods else []
        return TaxFacts(rates, tax.parts_of(rates, origin=origin, to=to), places)

    def apply(self, quote: Quote, facts: TaxFacts) -> Quote:
        currency = quote.currency
        lines: list[Line] = []
        parts: list[tuple[tax.TaxShare, ...]] = []
        for line, rate in zip(quote.lines, facts.rates, strict=True):
            sellable = line.sellable
            if sellable is None:
                lines.append(line)
                parts.append(())
                continue
            discounted = line.discounted
            if sellable.price_including_tax:
                owed = tax_inside(discounted, rate, currency)
                net = discounted - owed
                subtotal = line.amount - tax_inside(line.amount, rate, currency) if line.discounts else net
                if line.quantity == 1 and not line.is_free_item:
                    unit = subtotal
                else:
                    unit = line.unit_price - tax_inside(line.unit_price, rate, currency)
            else:
                owed, net = tax_on(discounted, rate, currency), discounted
                subtotal, unit = line.amount, line.unit_price
            lines.append(
                line._replace(unit_price_excluding_tax=unit, subtotal=subtotal, net=net, tax=owed, tax_rate=rate)
            )
            parts.append(tax.split(owed, facts.parts[rate], currency))
        return quote._replace(lines=Lines(lines)).noted(**{"tax_parts": tuple(parts), tax.PLACES: facts.places})


class Handling:
    """The packing charge of each unit, free ones included, with its own tax on top. The fact `handling_tax_parts` is to
    it what `tax_parts` is to the goods."""

    def gather(self, quote: Quote) -> Mapping[Decimal, Sequence[TaxPart]]:
        """Nothing is asked: the parts of the rates that charges have."""
        rates = {
            line.sellable.handling_tax_rate
            for line in quote.lines
            if line.sellable is not None and line.sellable.handling_charge
        }
        if not rates or tax.PLACES not in quote.facts:
            return {}
        origin, to = quote.facts[tax.PLACES]
        return tax.parts_of(rates, origin=origin, to=to)

    def apply(self, quote: Quote, facts: Mapping[Decimal, Sequence[TaxPart]]) -> Quote:
        if not any(line.sellable is not None and line.sellable.handling_charge for line in quote.lines):
            return quote
        currency = quote.currency
        lines: list[Line] = []
        parts: list[tuple[tax.TaxShare, ...]] = []
        for line in quote.lines:
            charge = line.sellable.handling_charge if line.sellable is not None else ZERO
            if line.sellable is None or not charge:
                lines.append(line)
                parts.append(())
                continue
            rate = line.sellable.handling_tax_rate
            handling = rounded(charge * line.quantity, currency)
            owed = tax_on(handling, rate, currency)
            lines.append(line._replace(handling=handling, handling_tax=owed))
            parts.append(tax.split(owed, facts.get(rate, ()), currency))
        return quote._replace(lines=Lines(lines)).noted(handling_tax_parts=tuple(parts))
