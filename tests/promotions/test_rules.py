"""Reading rules: the contract's shapes and nothing else, every field at fault named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotions.rules import APPLIES_TO, RuleError, parse
from tests.contract import assert_component

P = {"product_id": "P1", "variant_id": None}
LIMITS = {"minimum_quantity": 2, "maximum_quantity": 5, "minimum_value": 10.5, "maximum_value": None}
GET = {"get_product_id": "P2", "get_variant_id": None, "get_from_category_id": None, "get_quantity": 1}
BUY = {"buy_product_id": None, "buy_variant_id": None, "buy_from_category_id": "C1"}
FREE = {"get_offer_type": "free", "get_discount_percent": None}
SLAB = {"get_quantity": 1, "condition": "greater-or-equal"}
VOLUME = [
    {"quantity": 5, "condition": "less-or-equal", "discount_percent": 5},
    {"quantity": 5, "condition": "greater", "discount_percent": 12.5},
]
BY_QUANTITY, BY_AMOUNT = "minimum-quantity", "minimum-purchase-amount"

SHAPES: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "PercentageDiscountRule", "discount", "all",
        {"discount_type": "percentage", "discount_percent": 10, "maximum_discount_amount": None, "products": [], "category_id": []},
    ),
    (
        "PercentageDiscountRule", "discount", "product",
        {"discount_type": "percentage", "discount_percent": 12.5, "maximum_discount_amount": 200, "products": [P | LIMITS], "category_id": []},
    ),
    (
        "FixedAmountDiscountRule", "discount", "category",
        {"discount_type": "fixed-amount", "fixed_discount_amount": 99.5, "products": [], "category_id": ["C1", "C2"]},
    ),
    (
        "FixedPriceRuleBasedQuantity", "fixed-price", "product",
        {"spending_criteria_type": BY_QUANTITY, "products": [P | {"minimum_quantity": 1, "maximum_quantity": 3, "offer_price": 99}]},
    ),
    (
        "FixedPriceRuleBasedAmount", "fixed-price", "product",
        {
            "spending_criteria_type": BY_AMOUNT,
            "products": [P | {"minimum_purchase_amount": 100, "maximum_purchase_amount": None, "offer_price": 0}],
        },
    ),
    (
        "AutoScaleBasedOnQuantity", "free-goods", "product",
        {"spending_criteria_type": BY_QUANTITY, "products": [P | {"auto_scale": True, "slab": SLAB | {"buy_quantity": 2}}]},
    ),
    (
        "AutoScaleBasedOnAmount", "free-goods", "product",
        {"spending_criteria_type": BY_AMOUNT, "products": [P | {"auto_scale": True, "slab": SLAB | {"minimum_purchase_amount": 500}}]},
    ),
    (
        "CustomSlabsBasedOnQuantity", "free-goods", "product",
        {"spending_criteria_type": BY_QUANTITY, "products": [P | {"slabs": [SLAB | {"buy_quantity": 2}, SLAB | {"buy_quantity": 9}]}]},
    ),
    (
        "CustomSlabsBasedOnAmount", "free-goods", "product",
        {"spending_criteria_type": BY_AMOUNT, "products": [P | {"slabs": [SLAB | {"minimum_purchase_amount": 500}]}]},
    ),
    (
        "BuyXGetYRuleBasedOnQuantity", "buy-x-get-y", "product",
        {
            "spending_criteria_type": BY_QUANTITY, "maximum_discount_amount": None,
            "products": [BUY | GET | FREE | {"minimum_quantity": 2}],
        },
    ),
    (
        "BuyXGetYRuleBasedOnAmount", "buy-x-get-y", "product",
        {
            "spending_criteria_type": BY_AMOUNT, "maximum_discount_amount": 300,
            "products": [BUY | GET | {"minimum_purchase_amount": 900, "get_offer_type": "discount", "get_discount_percent": 50}],
        },
    ),
    ("VolumeBasedRule", "volume-based", "product", {"products": [P | {"slabs": VOLUME}], "maximum_discount_amount": None}),
    (
        "AcceleratedRewardRule", "accelerated-rewards", "product",
        {"products": [P | {"minimum_quantity": 2, "minimum_value": None}], "category_id": [], "bonus_loyalty_point": 50},
    ),
    (
        "AcceleratedRewardRule", "accelerated-rewards", "category",
        {"products": [], "category_id": ["C1"], "bonus_loyalty_point": 50},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "type_", "applies_to", "details"), SHAPES, ids=[f"{shape[0]}-{shape[2]}" for shape in SHAPES]
)
def test_each_shape_of_the_contract_is_kept_as_it_is(
    schema: str, type_: str, applies_to: str, details: dict[str, Any]
) -> None:
    assert_component(schema, details)  # the shape that we feed is the contract's
    parsed = parse(type=type_, applies_to=applies_to, details=details)
    assert parsed.details == details
    assert_component(schema, parsed.details)
    assert parse(type=type_, applies_to=applies_to, details=parsed.details) == parsed


def test_free_shipping_has_no_rule() -> None:
    assert parse(type="free-shipping", applies_to="all", details={"anything": 1}).details == {}


WRONG: list[tuple[str, str, Any, str]] = [
    ("discount", "all", [], "details"),
    ("discount", "all", {}, "details.discount_type"),
    ("discount", "all", {"discount_type": "percentage"}, "details.discount_percent"),
    ("discount", "all", {"discount_type": "percentage", "discount_percent": 0}, "details.discount_percent"),
    ("discount", "all", {"discount_type": "percentage", "discount_percent": 100.5}, "details.discount_percent"),
    ("discount", "all", {"discount_type": "percentage", "discount_percent": True}, "details.discount_percent"),
    ("discount", "all", {"discount_type": "percentage", "discount_percent": "nan"}, "details.discount_percent"),
    ("discount", "all", {"discount_type": "percentage", "discount_percent": 33.333}, "details.discount_percent"),
    ("discount", "all", {"discount_type": "fixed-amount", "fixed_discount_amount": -5}, "details.fixed_discount_amount"),
    ("discount", "all", {"discount_type": "fixed-amount", "fixed_discount_amount": 1e300}, "details.fixed_discount_amount"),
    ("discount", "product", {"discount_type": "percentage", "discount_percent": 5, "products": []}, "details.products"),
    ("discount", "product", {"discount_type": "percentage", "discount_percent": 5, "products": [3]}, "details.products.0"),
    ("discount", "product", {"discount_type": "percentage", "discount_percent": 5, "products": [{}]}, "details.products.0.product_id"),
    (
        "discount", "product",
        {"discount_type": "percentage", "discount_percent": 5, "products": [P | {"minimum_quantity": 5, "maximum_quantity": 2}]},
        "details.products.0.maximum_quantity",
    ),
    ("discount", "category", {"discount_type": "percentage", "discount_percent": 5}, "details.category_id"),
    ("discount", "category", {"discount_type": "percentage", "discount_percent": 5, "category_id": [7]}, "details.category_id.0"),
    ("fixed-price", "product", {"spending_criteria_type": "x", "products": [P]}, "details.spending_criteria_type"),
    ("fixed-price", "product", {"spending_criteria_type": BY_QUANTITY, "products": [P]}, "details.products.0.offer_price"),
    ("free-goods", "product", {"spending_criteria_type": BY_QUANTITY, "products": [P]}, "details.products.0.auto_scale"),
    (
        "free-goods", "product",
        {"spending_criteria_type": BY_QUANTITY, "products": [P | {"auto_scale": True, "slab": {"buy_quantity": 1.5, "get_quantity": 1}}]},
        "details.products.0.slab.buy_quantity",
    ),
    (
        "free-goods", "product",
        {"spending_criteria_type": BY_QUANTITY, "products": [P | {"slabs": [SLAB | {"buy_quantity": 2}] * 2}]},
        "details.products.0.slabs",
    ),
    (
        "buy-x-get-y", "product",
        {"spending_criteria_type": BY_QUANTITY, "products": [BUY | GET | {"minimum_quantity": 1, "get_offer_type": "discount"}]},
        "details.products.0.get_discount_percent",
    ),
    (
        "buy-x-get-y", "product",
        {"spending_criteria_type": BY_QUANTITY, "products": [BUY | GET | FREE | {"minimum_quantity": 1, "buy_product_id": "P1"}]},
        "details.products.0.buy_from_category_id",
    ),
    ("volume-based", "product", {"products": [P | {"slabs": []}]}, "details.products.0.slabs"),
    ("volume-based", "category", {}, "applies_to"),
    ("accelerated-rewards", "category", {"category_id": ["C1"]}, "details.bonus_loyalty_point"),
    ("lottery", "all", {}, "type"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "applies_to", "details", "field"), WRONG, ids=[f"{w[0]} {w[3]}" for w in WRONG])
def test_the_field_at_fault_is_named(type_: str, applies_to: str, details: Any, field: str) -> None:
    with pytest.raises(RuleError) as refusal:
        parse(type=type_, applies_to=applies_to, details=details)
    assert field in refusal.value.errors, refusal.value.errors


def test_amounts_are_read_exactly() -> None:
    parsed = parse(
        type="discount", applies_to="all", details={"discount_type": "fixed-amount", "fixed_discount_amount": 0.1}
    )
    assert parsed.rule.amount == Decimal("0.1")  # type: ignore[union-attr]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=10,
)
names = sorted({name for shape in SHAPES for name in shape[3]} | {"slab", "slabs", *P, *LIMITS, *GET, *BUY})
documents = st.dictionaries(
    st.sampled_from(names), values | st.lists(st.dictionaries(st.sampled_from(names), values), max_size=2)
)


@given(st.sampled_from(sorted(APPLIES_TO)), st.sampled_from(["all", "product", "category", ""]), values | documents)
def test_any_json_is_a_rule_or_a_clear_refusal(type_: str, applies_to: str, details: Any) -> None:
    try:
        parsed = parse(type=type_, applies_to=applies_to, details=details)
    except RuleError as error:
        assert error.errors
    else:
        assert parse(type=type_, applies_to=applies_to, details=parsed.details) == parsed
