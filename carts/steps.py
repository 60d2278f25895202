"""The pricing steps of a plain shop: list price, tax, handling. Others go between them in `PRICING_STEPS`."""

from __future__ import annotations

from collections.abc import Mapping

from storefront.contracts import Sellable, Sku
from storefront.money import ZERO, rounded, tax_inside, tax_on
from storefront.plugs import plug
from storefront.pricing import Line, Quote

from . import rules

Sellables = Mapping[Sku, Sellable | None]


class ListPrice:
    """What the catalogue asks for each line now, for the shopper's own group (D-22), and which lines it cannot sell.

    A line that cannot be bought keeps its price, so that the shopper sees what was meant; one that the catalogue does
    not know costs nothing. Either way the cart cannot be paid.
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
        for line in quote.lines:
            sellable = facts[line.sku]
            problem = rules.line_problem(sellable, line.quantity)
            if problem is not None:
                problems.append(problem)
            if sellable is None or sellable.needs_variant:
                lines.append(line._replace(sellable=sellable))
                continue
            price = sellable.selling_price
            lines.append(
                line._replace(sellable=sellable, unit_price=price, amount=rounded(price * line.quantity, currency))
            )
        return quote._replace(lines=tuple(lines), sellables=facts, problems=tuple(problems))


class Tax:
    """Tax on what is left after discounts: backed out where prices include it, put on top where they do not.

    Rounded once per line; `net + tax` is exactly the discounted amount where prices include tax.
    """

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        currency = quote.currency
        lines: list[Line] = []
        for line in quote.lines:
            sellable = line.sellable
            if sellable is None:
                lines.append(line)
                continue
            rate, discounted = sellable.tax_rate, line.discounted
            if sellable.price_including_tax:
                tax = tax_inside(discounted, rate, currency)
                net = discounted - tax
                subtotal = line.amount - tax_inside(line.amount, rate, currency) if line.discounts else net
                if line.quantity == 1:
                    unit = subtotal
                else:
                    unit = line.unit_price - tax_inside(line.unit_price, rate, currency)
            else:
                tax, net = tax_on(discounted, rate, currency), discounted
                subtotal, unit = line.amount, line.unit_price
            lines.append(line._replace(unit_price_excluding_tax=unit, subtotal=subtotal, net=net, tax=tax))
        return quote._replace(lines=tuple(lines))


class Handling:
    """The packing charge of each unit, free ones included, with its own tax on top."""

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        if not any(line.sellable is not None and line.sellable.handling_charge for line in quote.lines):
            return quote
        currency = quote.currency
        lines: list[Line] = []
        for line in quote.lines:
            charge = line.sellable.handling_charge if line.sellable is not None else ZERO
            if line.sellable is None or not charge:
                lines.append(line)
                continue
            handling = rounded(charge * line.quantity, currency)
            tax = tax_on(handling, line.sellable.handling_tax_rate, currency)
            lines.append(line._replace(handling=handling, handling_tax=tax))
        return quote._replace(lines=tuple(lines))
