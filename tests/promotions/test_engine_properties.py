"""What holds of every rule and every basket."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from promotions.engine.basket import Basket, Item, Limit
from promotions.engine.effects import effect
from promotions.engine.rules import PercentageDiscount, Rule, reads
from promotions.engine.sequence import Candidate, choose
from promotions.rules import parse
from storefront.contracts import Sku
from storefront.money import INR, ZERO, rounded

from . import plain

SKUS = [Sku("A"), Sku("B", "B1"), Sku("B", "B2"), Sku("C"), Sku("D")]
CATEGORIES = ["x", "y"]
amounts = st.decimals(min_value=Decimal("0.01"), max_value=Decimal(5000), places=2)
quantities = st.integers(min_value=1, max_value=12)
percents = st.sampled_from([1, 5, 12.5, 33.33, 50, 99.99, 100])


@st.composite
def items(draw: Any) -> list[Item]:
    found = []
    for position, sku in enumerate(draw(st.permutations(SKUS))[: draw(st.integers(0, 5))]):
        quantity, price = draw(quantities), draw(amounts)
        found.append(
            Item(
                sku,
                quantity,
                price,
                rounded(price * quantity, INR),
                tuple(draw(st.sets(st.sampled_from(CATEGORIES)))),
                draw(st.none() | st.integers(-2, 5)),
                position,
            )
        )
    return found


def products(more: dict[str, Any]) -> Any:
    named = st.sampled_from([{"product_id": sku.product_id, "variant_id": sku.variant_id or None} for sku in SKUS])
    both = st.builds(lambda name, rest: name | rest, named | st.just({"product_id": "B"}), st.fixed_dictionaries(more))
    return st.lists(both, min_size=1, max_size=3)


optional = st.none() | amounts.map(float)
ranges = {
    "minimum_quantity": st.none() | st.integers(1, 3),
    "maximum_quantity": st.none() | st.integers(3, 9),
    "minimum_value": st.none() | st.just(10),
    "maximum_value": st.none() | st.floats(10, 900).map(lambda value: round(value, 2)),
}
exchanges = st.fixed_dictionaries(
    {
        "minimum_quantity": st.integers(1, 4),
        "minimum_purchase_amount": amounts.map(float),
        "get_quantity": st.integers(1, 3),
        "get_offer_type": st.sampled_from(["free", "discount"]),
        "get_discount_percent": percents,
    }
)
sides = st.sampled_from(["product_id:A", "product_id:B", "variant_id:B2", "from_category_id:x", "from_category_id:y"])


def named(side: str, text: str) -> dict[str, str]:
    name, pk = text.split(":")
    return {f"{side}_{name}": pk}


def discount(kind: str, percent: float, amount: float, maximum: float | None, found: Any, applies_to: str) -> Rule:
    details = {
        "discount_type": kind,
        "discount_percent": percent,
        "fixed_discount_amount": amount,
        "maximum_discount_amount": maximum,
        "products": found,
        "category_id": ["x"],
    }
    return parse(type="discount", applies_to=applies_to, details=details).rule


def by(type_: str, criterion: str, found: Any, maximum: float | None = None) -> Rule:
    details = {"spending_criteria_type": criterion, "products": found, "maximum_discount_amount": maximum}
    return parse(type=type_, applies_to="product", details=details).rule


criteria = st.sampled_from(["minimum-quantity", "minimum-purchase-amount"])
money = amounts.map(float)
rules = st.one_of(
    st.builds(
        discount,
        st.sampled_from(["percentage", "fixed-amount"]),
        percents,
        money,
        optional,
        products(ranges),
        st.sampled_from(["all", "product", "category"]),
    ),
    st.builds(
        by,
        st.just("fixed-price"),
        criteria,
        products(
            {
                "minimum_quantity": st.integers(1, 3),
                "maximum_quantity": st.none() | st.integers(3, 9),
                "minimum_purchase_amount": st.just(5),
                "maximum_purchase_amount": st.none() | st.floats(5, 900).map(lambda value: round(value, 2)),
                "offer_price": money,
            }
        ),
    ),
    st.builds(
        by,
        st.just("free-goods"),
        criteria,
        products(
            {
                "auto_scale": st.just(True),
                "slab": st.fixed_dictionaries(
                    {
                        "buy_quantity": st.integers(1, 4),
                        "minimum_purchase_amount": money,
                        "get_quantity": st.integers(1, 3),
                    }
                ),
            }
        ),
    ),
    st.builds(
        by,
        st.just("buy-x-get-y"),
        criteria,
        st.lists(
            st.builds(lambda buy, get, rest: named("buy", buy) | named("get", get) | rest, sides, sides, exchanges),
            min_size=1,
            max_size=3,
        ),
        optional,
    ),
    st.builds(
        by,
        st.just("volume-based"),
        criteria,
        products(
            {
                "slabs": st.lists(
                    st.fixed_dictionaries(
                        {
                            "quantity": st.integers(1, 9),
                            "condition": st.sampled_from(["less-or-equal", "greater"]),
                            "discount_percent": percents,
                        }
                    ),
                    min_size=1,
                    max_size=3,
                    unique_by=lambda slab: (slab["quantity"], slab["condition"]),
                )
            }
        ),
        optional,
    ),
)
limits = st.none() | st.builds(
    Limit, st.integers(1, 6), st.sampled_from(["cheapest_first", "most_expensive_first", "first_added"])
)


@settings(max_examples=300)
@given(rules, items(), limits, st.data())
def test_no_rule_takes_more_than_is_left_or_gives_more_than_there_is(
    rule: Rule, found: list[Item], limit: Limit | None, data: Any
) -> None:
    basket = Basket(found)
    left = [data.draw(st.decimals(ZERO, amount, places=2)) for amount in basket.amounts]
    result = effect(rule, basket, currency=INR, left=left, limit=limit)
    for index, share in result.discounts.items():
        assert 0 < share <= left[index]
        assert share == rounded(share, INR)
    for index, units in result.gifts.items():
        assert units > 0
        assert basket.items[index].spare is None or units <= basket.items[index].spare
    maximum = getattr(rule, "maximum", None)
    if maximum is not None:
        assert sum(result.discounts.values(), ZERO) <= rounded(maximum, INR)
    if limit is not None:
        assert sum(result.gifts.values()) <= limit.units
        assert len(result.discounts) <= limit.units


@settings(max_examples=300)
@given(rules, items(), limits, st.randoms())
def test_the_order_of_lines_makes_no_difference(
    rule: Rule, found: list[Item], limit: Limit | None, random: Any
) -> None:
    """Positions stay, for `first_added` is about them; what they stand in may come in any order."""
    shuffled = list(found)
    random.shuffle(shuffled)
    first = effect(rule, Basket(found), currency=INR, limit=limit)
    assert effect(rule, Basket(shuffled), currency=INR, limit=limit) == first
    if limit is None or limit.order != "first_added":
        moved = [item._replace(position=len(found) - item.position) for item in shuffled]
        assert effect(rule, Basket(moved), currency=INR, limit=limit) == first


@settings(max_examples=200)
@given(st.lists(st.tuples(rules, st.integers(1, 3), st.booleans()), max_size=5), items(), st.randoms())
def test_promotions_together_take_no_more_than_the_cart_and_do_not_depend_on_any_order(
    found: list[tuple[Rule, int, bool]], lines: list[Item], random: Any
) -> None:
    candidates = [
        Candidate(str(number), rule, priority, combinable) for number, (rule, priority, combinable) in enumerate(found)
    ]
    basket = Basket(lines)
    chosen = choose(candidates, basket, currency=INR)
    taken = [ZERO] * len(basket.items)
    given_away = [0] * len(basket.items)
    for applied in chosen:
        for index, share in applied.effect.discounts.items():
            taken[index] += share
        for index, units in applied.effect.gifts.items():
            given_away[index] += units
    assert all(share <= amount for share, amount in zip(taken, basket.amounts, strict=True))
    for units, one in zip(given_away, basket.items, strict=True):
        assert one.spare is None or units <= max(one.spare, 0)
    standing_alone = [applied for applied in chosen if not candidates[int(applied.id)].combinable]
    assert not standing_alone or len(chosen) == 1
    random.shuffle(candidates)
    random.shuffle(lines)
    assert choose(candidates, Basket(lines), currency=INR) == chosen


limited = st.tuples(rules, st.integers(1, 2), st.booleans(), limits, st.sampled_from([0, 0, 50]))


@settings(max_examples=400)
@given(st.lists(limited, max_size=6), items())
def test_the_sequence_is_that_of_working_out_every_promotion_twice(
    found: list[tuple[Rule, int, bool, Limit | None, int]], lines: list[Item]
) -> None:
    """What the engine leaves out, for nobody touched the lines before, would have come to the same."""
    candidates = [
        Candidate(str(number), rule, priority, combinable, limit, Decimal(minimum))
        for number, (rule, priority, combinable, limit, minimum) in enumerate(found)
    ]
    basket = Basket(lines)
    chosen = choose(candidates, basket, currency=INR)
    assert [(one.id, one.effect, one.saving) for one in chosen] == plain.choose(candidates, basket, currency=INR)


@given(percents, st.lists(sides, min_size=1, max_size=3), items())
def test_a_bare_percentage_is_taken_off_each_line_that_is_named(
    percent: float, named_ones: list[str], lines: list[Item]
) -> None:
    targets = [dict([side.split(":")]) for side in named_ones if not side.startswith("from_category")]
    details = {"discount_type": "percentage", "discount_percent": percent, "products": targets or [{"product_id": "A"}]}
    rule = parse(type="discount", applies_to="product", details=details).rule
    basket = Basket(lines)
    assert isinstance(rule, PercentageDiscount)
    result = effect(rule, basket, currency=INR)
    assert result.discounts == plain.percent_off_products(rule, basket, currency=INR)
    assert list(result.discounts) == sorted(result.discounts)


@settings(max_examples=300)
@given(rules, items(), limits, st.data())
def test_what_a_rule_does_not_read_changes_nothing_for_it(
    rule: Rule, lines: list[Item], limit: Limit | None, data: Any
) -> None:
    basket = Basket(lines)
    read = {index for target in reads(rule) for index in basket.matching(target)}
    rest = [index for index in basket.everything if index not in read]
    left, given_away = list(basket.amounts), {}
    for index in rest:
        left[index] = data.draw(st.decimals(ZERO, basket.amounts[index], places=2))
        given_away[index] = data.draw(st.integers(0, 5))
    later = effect(rule, basket, currency=INR, left=left, given=given_away, limit=limit)
    assert later == effect(rule, basket, currency=INR, limit=limit)
