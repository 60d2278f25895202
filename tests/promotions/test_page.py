"""The examples of docs/promotions.md are true."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from promotions.engine.basket import Basket, Item
from promotions.engine.effects import effect
from promotions.models import OfferType
from promotions.rules import parse
from storefront.contracts import Sku
from storefront.money import INR

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "promotions.md").read_text()
EXAMPLE = re.compile(
    r"<!-- rule: (\S+) (\S+) -->\n\n```json\n(.*?)\n```\n\n\| basket \| gives \|\n.*?\n(.*?)\n\n", re.DOTALL
)
CASES = [
    (type_, applies_to, json.loads(rule), *(part.strip() for part in row.strip("|").split("|")))
    for type_, applies_to, rule, rows in EXAMPLE.findall(PAGE)
    for row in rows.splitlines()
]


def test_every_type_with_a_rule_has_examples() -> None:
    assert {case[0] for case in CASES} == set(OfferType.values) - {"free-shipping"}
    assert PAGE.count("<!-- rule:") == len(EXAMPLE.findall(PAGE)) == 12


@pytest.mark.parametrize(("type_", "applies_to", "details", "basket", "gives"), CASES)
def test_an_example_is_true(type_: str, applies_to: str, details: object, basket: str, gives: str) -> None:
    parsed = parse(type=type_, applies_to=applies_to, details=details)
    assert parsed.details == details
    held = [
        Item(
            Sku(name), int(units), Decimal(price), int(units) * Decimal(price), ("Tea-shelf",) if "Tea" in name else ()
        )
        for units, name, price in re.findall(r"(\d+) × (\w+) at ([\d.]+)", basket)
    ]
    found = effect(parsed.rule, Basket(held), currency=INR)
    told = [f"{sum(found.discounts.values()):.2f} off"] if found.discounts else []
    told += [f"{units} × {Basket(held).items[index].sku.product_id} free" for index, units in found.gifts.items()]
    told += [f"{found.points} points"] if found.points else []
    assert (", ".join(told) or "nothing") == gives
