"""The worked tables of docs/pricing.md, computed by the code that they explain.

`python -m tests.pricing.tables` writes them into the page; a test fails when the page says something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

from carts.steps import Handling, ListPrice
from storefront.money import INR, allocate, tax_on
from storefront.pricing import Discount, Line, PricingStep, Quote, price
from tests.pricing.offline import Tax
from tests.pricing.test_pipeline import Off, quote_of, sellable

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pricing.md"
PLAIN: tuple[PricingStep, ...] = (ListPrice(), Tax(), Handling())


def _grid(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [headers, ["---"] + ["---:"] * (len(headers) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _amount(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _of(quote: Quote, names: Sequence[str]) -> str:
    """A row per line and one of totals, with these amounts of `Line`."""
    totals = quote.totals()._asdict() | {"tax": quote.totals().items_tax, "net": quote.totals().items_net}
    headers = ["", "units", "unit price", *names]
    rows: list[list[str]] = [
        [_title(line), str(line.quantity), _amount(line.unit_price), *(_amount(getattr(line, name)) for name in names)]
        for line in quote.lines
    ]
    rows.append(["**cart**", "", "", *(f"**{_amount(totals[name])}**" for name in names)])
    return _grid(headers, rows)


def _title(line: Line) -> str:
    assert line.sellable is not None
    kind = "incl." if line.sellable.price_including_tax else "excl."
    return f"{line.sku.product_id}, {kind} {line.sellable.tax_rate.normalize():f}%"


def _totals(quote: Quote, names: Sequence[str]) -> str:
    totals = quote.totals()
    return _grid(["total", "amount"], [[f"`{name}`", _amount(getattr(totals, name))] for name in names])


def _goods() -> Quote:
    return quote_of(
        [
            (sellable(1, selling_price="99", tax_rate="18"), 3),
            (sellable(2, selling_price="1299.50", tax_rate="5"), 1),
            (sellable(3, selling_price="250", tax_rate="12", price_including_tax=False), 2),
        ]
    )


def taxes() -> str:
    return _of(price(_goods(), PLAIN), ["amount", "subtotal", "tax", "net"])


def once() -> str:
    line = price(quote_of([(sellable(1, selling_price="99", tax_rate="18"), 3)]), PLAIN).lines[0]
    unit = price(quote_of([(sellable(1, selling_price="99", tax_rate="18"), 1)]), PLAIN).lines[0]
    return _grid(
        ["99.00 including 18%", "tax", "net"],
        [
            ["one unit", _amount(unit.tax), _amount(unit.net)],
            ["three times that", _amount(unit.tax * 3), _amount(unit.net * 3)],
            ["a line of three, rounded once", _amount(line.tax), _amount(line.net)],
        ],
    )


def handling() -> str:
    goods = [
        (sellable(1, selling_price="100", tax_rate="12", price_including_tax=False,
                  handling_charge="7.555", handling_tax_rate="18"), 3),
        (sellable(2, selling_price="118", tax_rate="18", handling_charge="20"), 1),
    ]  # fmt: skip
    quote = price(quote_of(goods), PLAIN)
    return (
        _of(quote, ["net", "tax", "handling", "handling_tax"])
        + "\n\n"
        + _totals(quote, ["subtotal", "items_tax", "handling", "handling_tax", "total_tax", "grand_total"])
    )


def sharing() -> str:
    weights = [Decimal("297.00"), Decimal("1299.50"), Decimal("500.00")]
    total = Decimal("100.00")
    rows = [
        [_amount(weight), f"{total * weight / sum(weights):.4f}", _amount(share)]
        for weight, share in zip(weights, allocate(total, weights, INR), strict=True)
    ]
    rows.append([f"**{_amount(sum(weights, Decimal(0)))}**", "**100.0000**", f"**{_amount(total)}**"])
    return _grid(["line", "exact share", "share"], rows)


def discounts() -> str:
    steps = (ListPrice(), Off("promotion:1", Decimal(10)), Fixed("coupon:1", Decimal(100)), Tax(), Handling())
    quote = price(_goods(), steps)
    return (
        _of(quote, ["amount", "discount", "subtotal", "net", "tax"])
        + "\n\n"
        + _totals(
            quote,
            [
                "amount",
                "promotion_discount",
                "coupon_discount",
                "discount",
                "subtotal",
                "items_net",
                "items_tax",
                "subtotal_including_tax",
                "grand_total",
            ],
        )
    )


class Fixed:
    """An amount off what is left of the cart, as a coupon of 100 off takes it."""

    def __init__(self, source: str, amount: Decimal) -> None:
        self.source = source
        self.amount = amount

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        shares = allocate(self.amount, [line.discounted for line in quote.lines], quote.currency)
        return quote._replace(
            lines=tuple(
                line._replace(discounts=(*line.discounts, Discount(self.source, share)))
                for line, share in zip(quote.lines, shares, strict=True)
            )
        )


def tax_parts() -> str:
    rows: list[list[str]] = []
    for where, state in (("Pune", "Maharashtra"), ("Chennai", "Tamil Nadu")):
        quote = price(_goods()._replace(shipping_address={"state": state}), PLAIN)
        for line, shares in zip(quote.lines, quote.facts["tax_parts"], strict=True):
            said = ", ".join(f"{share.name} {share.rate.normalize():f}% {_amount(share.amount)}" for share in shares)
            rows.append([f"{line.sku.product_id} to {where}", _amount(line.tax), said])
    return _grid(["", "tax", "parts"], rows)


def gift() -> str:
    tea = sellable(1, selling_price="118", tax_rate="18")
    quote = quote_of([(tea, 3)])
    given = Line(tea.sku, 1, free_quantity=1, is_free_item=True, free_source="promotion:1")
    quote = price(quote._replace(lines=(*quote.lines, given)), PLAIN)
    rows = [
        [
            "gift" if line.is_free_item else "P1",
            str(line.quantity),
            *(_amount(getattr(line, name)) for name in ("unit_price", "amount", "net", "tax", "free_value")),
        ]
        for line in quote.lines
    ]
    return (
        _grid(["", "units", "unit price", "amount", "net", "tax", "free_value"], rows)
        + "\n\n"
        + _totals(quote, ["discount", "promotion_savings", "grand_total"])
    )


class Ship:
    """A parcel of 60 before tax, free to the extent of 20, taxed at 18%."""

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        cost, off, rate = Decimal("60.00"), Decimal("20.00"), Decimal(18)
        return quote._replace(
            shipping_cost=cost,
            shipping_discount=off,
            shipping_discount_source="promotion:2",
            shipping_tax_rate=rate,
            shipping_tax=tax_on(cost - off, rate, quote.currency),
        )


class Pay:
    """Points worth 100, then 50 of credit, then a card of 5,000."""

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        left = quote.totals().grand_total - 150
        return quote._replace(
            points_redeemed=200,
            points_value=Decimal(100),
            credit_used=Decimal(50),
            gift_card_used=min(left, Decimal(5000)),
        )


def _parts(quote: Quote, names: Sequence[str]) -> str:
    values = quote.totals()._asdict() | quote._asdict()
    return _grid(["amount", ""], [[f"`{name}`", _amount(values[name])] for name in names])


def shipping() -> str:
    steps = (ListPrice(), Off("promotion:1", Decimal(10)), Tax(), Handling(), Ship())
    names = [
        *("subtotal_including_tax", "discount", "shipping_cost", "shipping_discount", "shipping", "shipping_tax"),
        *("total_tax", "grand_total", "promotion_savings"),
    ]
    return _parts(price(_goods(), steps), names)


def paying() -> str:
    steps = (ListPrice(), Tax(), Handling(), Ship(), Pay())
    names = ["grand_total", "points_value", "credit_used", "gift_card_used", "other_savings", "to_be_paid"]
    return _parts(price(_goods(), steps), names)


TABLES: dict[str, Callable[[], str]] = {
    "taxes": taxes,
    "once": once,
    "handling": handling,
    "sharing": sharing,
    "discounts": discounts,
    "tax parts": tax_parts,
    "gift": gift,
    "shipping": shipping,
    "paying": paying,
}


def filled(page: str) -> str:
    """The page with every table as the code computes it now."""
    for name, table in TABLES.items():
        pattern = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        assert len(pattern.findall(page)) == 1, f"docs/pricing.md needs one place for the table {name}"
        page = pattern.sub(rf"\1\n{table()}\n\n\2", page)
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
