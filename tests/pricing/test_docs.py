"""docs/pricing.md says what the code does."""

from __future__ import annotations

from storefront.conf import Conf
from storefront.pricing import Line, Totals
from tests.pricing import tables


def test_the_worked_tables_are_what_the_code_computes() -> None:
    page = tables.PAGE.read_text()
    assert tables.filled(page) == page, "run: python -m tests.pricing.tables"


def test_every_amount_and_every_step_is_explained() -> None:
    page = tables.PAGE.read_text()
    amounts = [name for name, kind in Line.__annotations__.items() if "Decimal" in str(kind)]
    for name in (*amounts, "discounted", *Totals._fields):
        assert f"`{name}`" in page, name
    for path in Conf.PRICING_STEPS:
        assert f"`{path}`" in page, path
