"""Every shape of a rule, with numbers that can be checked by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from promotions.engine.basket import Basket, Effect, Item, Limit
from promotions.engine.effects import effect
from promotions.engine.missing import Missing, missing
from promotions.engine.rules import Target
from promotions.engine.sequence import Candidate, choose
from promotions.rules import parse
from storefront.contracts import Sku
from storefront.money import INR, Currency

JPY = Currency(code="JPY", name="Yen", symbol="¥", exponent=0)


def item(product: str, quantity: int, price: Any, *, variant: str = "", position: int = 0, **facts: Any) -> Item:
    unit = Decimal(str(price))
    facts["category_ids"] = tuple(facts.pop("categories", ()))
    return Item(Sku(product, variant), quantity, unit, unit * quantity, position=position, **facts)


def run(
    type_: str,
    details: dict[str, Any],
    *items: Item,
    applies_to: str = "product",
    limit: Limit | None = None,
    left: list[Any] | None = None,
    currency: Currency = INR,
) -> Effect:
    rule = parse(type=type_, applies_to=applies_to, details=details).rule
    given = None if left is None else [Decimal(str(amount)) for amount in left]
    return effect(rule, Basket(items), currency=currency, limit=limit, left=given)


def discounts(found: Effect) -> dict[int, float]:
    """By place in the order of skus."""
    return {index: float(amount) for index, amount in found.discounts.items()}


# --- discount -------------------------------------------------------------------------------------------------------
PERCENT = {"discount_type": "percentage", "discount_percent": 10}
FLAT = {"discount_type": "fixed-amount", "fixed_discount_amount": 100}


def test_a_percentage_of_the_cart_is_rounded_once_and_shared() -> None:
    items = item("A", 3, 99), item("B", 1, "1299.50"), item("C", 2, 250)
    found = run("discount", PERCENT, *items, applies_to="all")
    assert discounts(found) == {0: 29.70, 1: 129.95, 2: 50.00}
    assert found.saving(Basket(items)) == Decimal("209.65")


def test_a_percentage_stops_at_its_maximum() -> None:
    found = run(
        "discount",
        PERCENT | {"maximum_discount_amount": 100},
        item("A", 1, 1000),
        item("B", 1, 500),
        item("C", 1, 500),
        applies_to="all",
    )
    assert discounts(found) == {0: 50, 1: 25, 2: 25}


def test_a_percentage_is_of_what_earlier_offers_left() -> None:
    found = run("discount", PERCENT, item("A", 1, 1000), item("B", 1, 500), applies_to="all", left=[900, 0])
    assert discounts(found) == {0: 90}


def test_an_amount_off_the_cart_counts_once_and_never_more_than_there_is() -> None:
    assert discounts(run("discount", FLAT, item("A", 3, 99), item("B", 1, 3), applies_to="all")) == {0: 99, 1: 1}
    assert discounts(run("discount", FLAT, item("A", 1, 40), item("B", 1, 30), applies_to="all")) == {0: 40, 1: 30}


def test_an_amount_off_products_counts_for_each_unit() -> None:
    details = FLAT | {"products": [{"product_id": "A"}]}
    assert discounts(run("discount", details, item("A", 3, 250), item("B", 1, 250))) == {0: 300}
    assert discounts(run("discount", details, item("A", 2, 60))) == {0: 120}


@pytest.mark.parametrize(
    ("entry", "quantity", "off"),
    [
        ({}, 1, 10),
        ({"minimum_quantity": 3}, 2, 0),
        ({"minimum_quantity": 3}, 3, 30),
        ({"maximum_quantity": 3}, 5, 30),
        ({"minimum_quantity": 2, "maximum_quantity": 3}, 5, 30),
        ({"minimum_value": 300}, 2, 0),
        ({"minimum_value": 300}, 3, 30),
        ({"maximum_value": 250}, 2, 20),
        ({"maximum_value": 250}, 4, 25),
    ],
)
def test_a_product_counts_from_its_minimum_up_to_its_maximum(entry: dict[str, int], quantity: int, off: int) -> None:
    details = PERCENT | {"products": [{"product_id": "A", **entry}]}
    assert sum(discounts(run("discount", details, item("A", quantity, 100))).values()) == off


def test_the_variants_of_a_product_count_together_and_a_named_variant_alone() -> None:
    red, blue = item("A", 1, 100, variant="red"), item("A", 2, 100, variant="blue")
    together = PERCENT | {"products": [{"product_id": "A", "minimum_quantity": 3}]}
    assert discounts(run("discount", together, red, blue)) == {0: 20, 1: 10}  # blue sorts first
    alone = PERCENT | {"products": [{"product_id": "A", "variant_id": "red"}]}
    assert discounts(run("discount", alone, red, blue)) == {1: 10}


def test_the_better_of_two_entries_counts_for_a_line() -> None:
    details = PERCENT | {
        "products": [{"product_id": "A", "maximum_quantity": 1}, {"product_id": "A", "minimum_quantity": 4}]
    }
    assert discounts(run("discount", details, item("A", 3, 100))) == {0: 10}
    assert discounts(run("discount", details, item("A", 4, 100))) == {0: 40}


def test_a_category_means_what_lies_in_it_and_below() -> None:
    details = PERCENT | {"category_id": ["tea", "none"]}
    tea = item("A", 1, 200, categories=["black", "tea"])
    assert discounts(run("discount", details, tea, item("B", 1, 200), applies_to="category")) == {0: 20}


@pytest.mark.parametrize(
    ("order", "off"), [("cheapest_first", 5 + 10), ("most_expensive_first", 30 + 30), ("first_added", 10 + 10)]
)
def test_a_limit_of_units_takes_them_in_its_order(order: str, off: int) -> None:
    items = (
        item("A", 2, 300, position=1),
        item("B", 2, 100, position=0),
        item("C", 1, 50, position=2),
    )
    found = run("discount", PERCENT, *items, applies_to="all", limit=Limit(2, order))
    assert sum(discounts(found).values()) == off


def test_a_currency_without_decimals_gets_whole_units() -> None:
    found = run("discount", PERCENT, item("A", 1, 55), item("B", 1, 99), applies_to="all", currency=JPY)
    assert discounts(found) == {0: 5, 1: 10}


# --- fixed price ----------------------------------------------------------------------------------------------------
def price_of(product: str, **bounds: Any) -> dict[str, Any]:
    by = "minimum-purchase-amount" if any("amount" in name for name in bounds) else "minimum-quantity"
    least = {"minimum_quantity": 1} if by == "minimum-quantity" else {"minimum_purchase_amount": 0}
    entry = {"product_id": product, **least, "offer_price": 99, **bounds}
    return {"spending_criteria_type": by, "products": [entry]}


@pytest.mark.parametrize(
    ("bounds", "quantity", "off"),
    [
        ({}, 3, 153),  # three units for 99 each in place of 150
        ({"minimum_quantity": 4}, 3, 0),
        ({"maximum_quantity": 2}, 3, 102),
        ({"offer_price": 200}, 3, 0),
        ({"offer_price": 0}, 2, 300),
        ({"minimum_purchase_amount": 500}, 3, 0),
        ({"minimum_purchase_amount": 450}, 3, 153),
        ({"minimum_purchase_amount": 300, "maximum_purchase_amount": 400}, 3, 102),  # two units fit into 400
    ],
)
def test_a_fixed_price_is_the_price_of_a_unit(bounds: dict[str, int], quantity: int, off: int) -> None:
    found = run("fixed-price", price_of("A", **bounds), item("A", quantity, 150))
    assert sum(discounts(found).values()) == off


# --- free goods -----------------------------------------------------------------------------------------------------
def gifts_for(units: Any, *, spare: int | None = None, price: int = 100, **entry: Any) -> dict[int, int]:
    by = "minimum-purchase-amount" if "amount" in str(entry) else "minimum-quantity"
    details = {"spending_criteria_type": by, "products": [{"product_id": "A", **entry}]}
    return dict(run("free-goods", details, item("A", units, price, spare=spare)).gifts)


@pytest.mark.parametrize(("units", "free"), [(1, 0), (2, 1), (3, 1), (4, 2), (9, 4)])
def test_one_slab_repeats(units: int, free: int) -> None:
    found = gifts_for(units, auto_scale=True, slab={"buy_quantity": 2, "get_quantity": 1})
    assert found == ({0: free} if free else {})


@pytest.mark.parametrize(("units", "free"), [(4, 0), (5, 1), (10, 2), (12, 2), (15, 3)])
def test_one_slab_of_an_amount_repeats(units: int, free: int) -> None:
    found = gifts_for(units, auto_scale=True, slab={"minimum_purchase_amount": 500, "get_quantity": 1})
    assert found == ({0: free} if free else {})


@pytest.mark.parametrize(("units", "free"), [(2, 0), (3, 1), (9, 1), (10, 5), (40, 5)])
def test_of_several_slabs_the_highest_reached_counts_once(units: int, free: int) -> None:
    slabs = [{"buy_quantity": 10, "get_quantity": 5}, {"buy_quantity": 3, "get_quantity": 1}]
    assert gifts_for(units, slabs=slabs) == ({0: free} if free else {})


@pytest.mark.parametrize(("spare", "free"), [(None, 4), (9, 4), (3, 3), (0, 0), (-2, 0)])
def test_gifts_last_as_long_as_the_stock(spare: int | None, free: int) -> None:
    found = gifts_for(4, spare=spare, auto_scale=True, slab={"buy_quantity": 1, "get_quantity": 1})
    assert found == ({0: free} if free else {})


def test_a_gift_is_worth_its_price_and_touches_no_amount() -> None:
    items = (item("A", 2, 150),)
    details = {
        "spending_criteria_type": "minimum-quantity",
        "products": [{"product_id": "A", "auto_scale": True, "slab": {"buy_quantity": 2, "get_quantity": 1}}],
    }
    found = run("free-goods", details, *items)
    assert (found.saving(Basket(items)), found.discounts) == (150, {})


def test_a_gift_of_a_product_is_its_cheapest_variant_in_the_cart() -> None:
    details = {
        "spending_criteria_type": "minimum-quantity",
        "products": [{"product_id": "A", "auto_scale": True, "slab": {"buy_quantity": 2, "get_quantity": 2}}],
    }
    large, small = item("A", 1, 300, variant="a-large", spare=9), item("A", 1, 200, variant="b-small", spare=1)
    assert dict(run("free-goods", details, large, small).gifts) == {1: 1, 0: 1}


# --- buy x, get y ---------------------------------------------------------------------------------------------------
def exchange(buy: str, get: str, *, quantity: int = 0, amount: int = 0, units: int = 1, **more: Any) -> dict[str, Any]:
    """`buy` and `get` are products, or categories when they begin with a small letter."""

    def named(side: str, pk: str) -> dict[str, str]:
        return {f"{side}_from_category_id" if pk[0].islower() else f"{side}_product_id": pk}

    percent = more.pop("percent", None)
    entry = {
        **named("buy", buy),
        **named("get", get),
        **({"minimum_quantity": quantity} if quantity else {"minimum_purchase_amount": amount}),
        "get_quantity": units,
        "get_offer_type": "discount" if percent else "free",
        "get_discount_percent": percent,
    }
    by = "minimum-quantity" if quantity else "minimum-purchase-amount"
    return {"spending_criteria_type": by, "products": [entry], **more}


@pytest.mark.parametrize(
    ("bought", "present", "off"), [(1, 1, 0), (2, 0, 0), (2, 1, 50), (2, 9, 50), (5, 9, 100), (6, 2, 100)]
)
def test_each_full_trigger_makes_units_of_another_product_free(bought: int, present: int, off: int) -> None:
    items = [item("A", bought, 200)] + ([item("B", present, 50)] if present else [])
    assert sum(discounts(run("buy-x-get-y", exchange("A", "B", quantity=2), *items)).values()) == off


@pytest.mark.parametrize(("units", "free"), [(2, 0), (3, 1), (5, 1), (6, 2), (8, 2), (9, 3)])
def test_of_one_product_no_unit_is_both_trigger_and_free(units: int, free: int) -> None:
    found = run("buy-x-get-y", exchange("A", "A", quantity=2), item("A", units, 100))
    assert sum(discounts(found).values()) == 100 * free


def test_within_a_category_the_cheapest_units_are_the_free_ones() -> None:
    items = (
        item("A", 1, 300, categories=["tea"]),
        item("B", 2, 100, categories=["tea"]),
        item("C", 1, 200, categories=["tea"]),
        item("D", 5, 10),
    )
    assert discounts(run("buy-x-get-y", exchange("tea", "tea", quantity=1), *items)) == {1: 200}


@pytest.mark.parametrize(("units", "off"), [(1, 0), (2, 25), (4, 50), (7, 75)])
def test_a_percent_and_an_amount_as_trigger(units: int, off: int) -> None:
    found = run("buy-x-get-y", exchange("A", "B", amount=500, percent=50), item("A", units, 250), item("B", 9, 50))
    assert sum(discounts(found).values()) == off


def test_what_becomes_free_does_not_count_towards_the_amount() -> None:
    details = exchange("A", "A", amount=300)
    assert discounts(run("buy-x-get-y", details, item("A", 3, 100))) == {}
    assert discounts(run("buy-x-get-y", details, item("A", 4, 100))) == {0: 100}


def test_an_exchange_stops_at_its_maximum_and_at_the_limit_of_units() -> None:
    details = exchange("A", "B", quantity=1, maximum_discount_amount=70)
    assert sum(discounts(run("buy-x-get-y", details, item("A", 9, 10), item("B", 9, 50))).values()) == 70
    limited = run(
        "buy-x-get-y",
        exchange("A", "B", quantity=1),
        item("A", 9, 10),
        item("B", 9, 50),
        limit=Limit(3, "cheapest_first"),
    )
    assert sum(discounts(limited).values()) == 150


def test_a_free_unit_is_worth_what_is_left_of_it() -> None:
    found = run("buy-x-get-y", exchange("A", "B", quantity=1), item("A", 1, 10), item("B", 2, 50), left=[10, 60])
    assert discounts(found) == {1: 30}


def test_a_million_units_are_no_work() -> None:
    found = run("buy-x-get-y", exchange("A", "A", quantity=2), item("A", 1_000_000, 1))
    assert discounts(found) == {0: 333333}


# --- volume ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("units", "percent"), [(1, 5), (5, 5), (6, 10), (10, 10), (11, 15), (90, 15)])
def test_the_slab_of_the_quantity_counts_for_all_units(units: int, percent: int) -> None:
    slabs = [
        {"quantity": 10, "condition": "greater", "discount_percent": 15},
        {"quantity": 10, "condition": "less-or-equal", "discount_percent": 10},
        {"quantity": 5, "condition": "less-or-equal", "discount_percent": 5},
    ]
    found = run("volume-based", {"products": [{"product_id": "A", "slabs": slabs}]}, item("A", units, 100))
    assert discounts(found) == {0: units * percent}


def test_below_the_first_slab_nothing_happens_and_above_all_the_maximum_holds() -> None:
    slabs = [{"quantity": q, "condition": "greater", "discount_percent": p} for q, p in ((5, 10), (10, 20))]
    details = {"products": [{"product_id": "A", "slabs": slabs}], "maximum_discount_amount": 150}
    assert not run("volume-based", details, item("A", 5, 100))
    assert discounts(run("volume-based", details, item("A", 6, 100))) == {0: 60}
    assert discounts(run("volume-based", details, item("A", 11, 100))) == {0: 150}


@pytest.mark.parametrize(("units", "percent"), [(3, 5), (7, 8), (11, 8)])
def test_where_two_slabs_hold_the_better_counts(units: int, percent: int) -> None:
    slabs = [
        {"quantity": 10, "condition": "less-or-equal", "discount_percent": 5},
        {"quantity": 5, "condition": "greater", "discount_percent": 8},
    ]
    found = run("volume-based", {"products": [{"product_id": "A", "slabs": slabs}]}, item("A", units, 100))
    assert discounts(found) == {0: units * percent}


# --- points, shipping -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("units", "points"), [(1, 0), (2, 50), (9, 50)])
def test_bonus_points_come_once_and_change_no_price(units: int, points: int) -> None:
    details = {"products": [{"product_id": "A", "minimum_quantity": 2}], "bonus_loyalty_point": 50}
    found = run("accelerated-rewards", details, item("A", units, 100))
    assert (found.points, found.discounts, found.gifts) == (points, {}, {})


def test_bonus_points_for_a_category() -> None:
    details = {"category_id": ["tea"], "bonus_loyalty_point": 50}
    tea, cup = item("A", 1, 100, categories=["tea"]), item("B", 1, 100)
    assert run("accelerated-rewards", details, tea, applies_to="category").points == 50
    assert not run("accelerated-rewards", details, cup, applies_to="category")


def test_free_shipping_needs_something_to_send() -> None:
    assert run("free-shipping", {}, item("A", 1, 1), applies_to="all").free_shipping
    assert not run("free-shipping", {}, applies_to="all")


# --- several promotions ---------------------------------------------------------------------------------------------
def promotion(pk: str, percent: int, *, priority: int = 100, combinable: bool = True, minimum: int = 0) -> Candidate:
    details = {"discount_type": "percentage", "discount_percent": percent}
    rule = parse(type="discount", applies_to="all", details=details).rule
    return Candidate(pk, rule, priority, combinable, None, Decimal(minimum))


def chosen(*candidates: Candidate) -> list[tuple[str, float]]:
    found = choose(candidates, Basket([item("A", 1, 1000)]), currency=INR)
    return [(applied.id, float(applied.saving)) for applied in found]


def test_combinable_promotions_apply_one_after_the_other_by_priority() -> None:
    assert chosen(promotion("a", 10, priority=2), promotion("b", 20, priority=1)) == [("b", 200), ("a", 80)]


def test_ties_go_to_the_larger_saving_then_to_the_id() -> None:
    assert [pk for pk, _saving in chosen(promotion("a", 5), promotion("c", 20), promotion("b", 20))] == ["b", "c", "a"]


def test_one_that_stands_alone_applies_if_it_saves_more() -> None:
    together = promotion("a", 10), promotion("b", 10)
    assert chosen(*together, promotion("z", 19, combinable=False)) == [("a", 100), ("b", 90)]  # a tie
    assert chosen(*together, promotion("z", 20, combinable=False)) == [("z", 200)]
    alone = promotion("y", 20, combinable=False, priority=1), promotion("z", 30, combinable=False, priority=9)
    assert chosen(*alone) == [("z", 300)]


def test_a_promotion_waits_for_its_minimum() -> None:
    assert chosen(promotion("a", 10, minimum=1001)) == []
    assert chosen(promotion("a", 10, minimum=1000)) == [("a", 100)]


def test_promotions_never_take_more_than_there_is() -> None:
    found = chosen(*(promotion(str(number), 90) for number in range(9)))
    assert sum(saving for _pk, saving in found) <= 1000


def test_two_promotions_do_not_give_the_same_unit_away() -> None:
    details = {
        "spending_criteria_type": "minimum-quantity",
        "products": [{"product_id": "A", "auto_scale": True, "slab": {"buy_quantity": 1, "get_quantity": 1}}],
    }
    rule = parse(type="free-goods", applies_to="product", details=details).rule
    candidates = [Candidate(pk, rule, 1, True) for pk in "abc"]
    found = choose(candidates, Basket([item("A", 2, 100, spare=3)]), currency=INR)
    assert [(applied.id, dict(applied.effect.gifts)) for applied in found] == [("a", {0: 2}), ("b", {0: 1})]


# --- what is missing ------------------------------------------------------------------------------------------------
def lacking(type_: str, details: dict[str, Any], *items: Item, applies_to: str = "product") -> Missing | None:
    rule = parse(type=type_, applies_to=applies_to, details=details).rule
    basket = Basket(items)
    return missing(rule, basket, basket.amounts)


A, B = Target(product_id="A"), Target(product_id="B")


def test_it_is_said_how_many_more_are_needed() -> None:
    details = PERCENT | {"products": [{"product_id": "A", "minimum_quantity": 3}]}
    assert lacking("discount", details, item("A", 1, 10)) == Missing(A, 2)
    assert lacking("discount", details, item("B", 1, 10)) == Missing(A, 3)


def test_it_is_said_how_much_more_is_needed() -> None:
    details = PERCENT | {"products": [{"product_id": "A", "minimum_value": 250}]}
    assert lacking("discount", details, item("A", 2, 100)) == Missing(A, amount=Decimal(50))


def test_of_several_ways_one_that_has_begun_is_named() -> None:
    details = PERCENT | {
        "products": [{"product_id": "A", "minimum_quantity": 2}, {"product_id": "B", "minimum_quantity": 2}]
    }
    assert lacking("discount", details, item("B", 1, 10)) == Missing(B, 1)


def test_after_the_trigger_the_reward_is_missing() -> None:
    assert lacking("buy-x-get-y", exchange("A", "B", quantity=2), item("A", 1, 10)) == Missing(A, 1)
    assert lacking("buy-x-get-y", exchange("A", "B", quantity=2), item("A", 2, 10)) == Missing(B, 1)
    assert lacking("buy-x-get-y", exchange("A", "A", quantity=2), item("A", 2, 10)) == Missing(A, 1)


def test_a_gift_that_is_out_of_stock_is_told_apart() -> None:
    details = {
        "spending_criteria_type": "minimum-quantity",
        "products": [{"product_id": "A", "auto_scale": True, "slab": {"buy_quantity": 2, "get_quantity": 1}}],
    }
    assert lacking("free-goods", details, item("A", 2, 10, spare=0)) == Missing(A)
    assert lacking("free-goods", details, item("A", 1, 10, spare=0)) == Missing(A, 1)
