"""Which tax a cart owes, and to whom."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from carts.tax import GoodsAndServicesTax, TaxShare, summary
from storefront.contracts import Place, TaxPart
from storefront.money import INR, ZERO
from storefront.pricing import Quote, price
from storefront.testing import TaxContract
from tests.pricing.test_pipeline import JPY, PLAIN, carts, priced, quote_of, sellable

PUNE = Place(country="IN", state="27")
CHENNAI = {"state": "Tamil Nadu", "city": "Chennai"}


class TestGoodsAndServicesTax(TaxContract):
    def tax(self) -> GoodsAndServicesTax:
        return GoodsAndServicesTax()


@pytest.mark.parametrize(
    ("origin", "to", "parts"),
    [
        (PUNE, None, [("CGST", "9"), ("SGST", "9")]),
        (PUNE, Place(country="IN", state="27", pincode="400001"), [("CGST", "9"), ("SGST", "9")]),
        (PUNE, Place(country="IN", state="33"), [("IGST", "18")]),
        (PUNE, Place(country="NP", state="27"), [("IGST", "18")]),
        (Place(country="AE"), Place(country="AE"), [("GST", "18")]),
    ],
)
def test_the_places_decide_who_gets_the_tax(origin: Place, to: Place | None, parts: Any) -> None:
    found = GoodsAndServicesTax().parts(Decimal(18), origin=origin, to=to)
    assert list(found) == [TaxPart(name, Decimal(rate)) for name, rate in parts]


def test_halves_of_an_odd_tax_add_up() -> None:
    """45.31 of 18% in 297: one half has the odd paisa."""
    quote = priced((sellable(1, selling_price="99", tax_rate="18"), 3))
    ((central, state),) = quote.facts["tax_parts"]
    assert central == TaxShare("CGST", Decimal(9), Decimal("22.66"))
    assert state == TaxShare("SGST", Decimal(9), Decimal("22.65"))


def test_what_leaves_the_state_is_taxed_whole() -> None:
    quote = quote_of([(sellable(1, selling_price="99", tax_rate="18"), 3)])._replace(shipping_address=CHENNAI)
    assert price(quote, PLAIN).facts["tax_parts"] == ((TaxShare("IGST", Decimal(18), Decimal("45.31")),),)


def test_a_summary_names_each_part_of_each_rate_once() -> None:
    quote = priced(
        (sellable(1, selling_price="118", tax_rate="18", handling_charge="10", handling_tax_rate="18"), 1),
        (sellable(2, selling_price="118", tax_rate="18"), 1),
        (sellable(3, selling_price="105", tax_rate="5"), 1),
        (sellable(4, selling_price="50"), 1),
    )
    quote = quote._replace(shipping_cost=Decimal(40), shipping_tax_rate=Decimal(18), shipping_tax=Decimal("7.20"))
    assert summary(quote) == [
        TaxShare("CGST", Decimal("2.5"), Decimal("2.50")),
        TaxShare("CGST", Decimal(9), Decimal("22.50")),
        TaxShare("SGST", Decimal("2.5"), Decimal("2.50")),
        TaxShare("SGST", Decimal(9), Decimal("22.50")),
    ]


@given(carts, some.sampled_from([{}, {"state": "Maharashtra"}, CHENNAI]), some.sampled_from([INR, JPY]))
def test_the_parts_of_every_cart_add_up_to_its_tax(goods: Any, address: Any, currency: Any) -> None:
    quote: Quote = price(quote_of(goods, currency)._replace(shipping_address=address), PLAIN)
    for line, shares in zip(quote.lines, quote.facts["tax_parts"], strict=True):
        assert sum((share.amount for share in shares), ZERO) == line.tax
        assert all(share.amount >= 0 for share in shares)
    totals = quote.totals()
    assert sum((share.amount for share in summary(quote)), ZERO) == totals.items_tax + totals.handling_tax
