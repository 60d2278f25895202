"""Whatever offers meet in a cart, it adds up."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from promotions import baskets, rulebook, steps
from promotions.engine.basket import Item
from promotions.engine.rules import FreeShipping, Rule
from promotions.models import Offer
from promotions.rulebook import LiveOffer
from storefront.contracts import Sellable
from storefront.money import INR, ZERO
from storefront.pricing import Line, Quote
from tests.promotions.conftest import TENTH, Posted
from tests.promotions.test_engine_properties import items, limits, rules
from tests.promotions.test_steps import consistent

NOW = timezone.now()


def live(kind: str, pk: str, rule: Rule, combinable: bool, priority: int, limit: Any, applies_to: str) -> LiveOffer:
    type_ = "free-shipping" if isinstance(rule, FreeShipping) else "discount"
    row = Offer(id=pk, kind=kind, type="discount", details=TENTH, combinable=combinable, priority=priority, name=pk)
    found = rulebook.compiled(row)
    assert found is not None
    return replace(found, rule=rule, type=type_, limit=limit, applies_to=applies_to)


offers = st.tuples(
    rules | st.just(FreeShipping()), st.booleans(), st.integers(1, 3), limits, st.sampled_from(["all", "product"])
)


def quote_of(found: list[Item]) -> Quote:
    lines = [
        Line(
            one.sku,
            one.quantity,
            sellable=Sellable(
                sku=one.sku,
                code=None,
                slug="x",
                product_name=one.sku.product_id,
                selling_price=one.unit_price,
                category_ids=one.category_ids,
                available=None if one.spare is None else one.quantity + one.spare,
            ),
            unit_price=one.unit_price,
            amount=one.amount,
        )
        for one in found
    ]
    return Quote(store_id="demo", currency=INR, now=NOW, lines=tuple(lines))


def priced(quote: Quote, promotions: list[LiveOffer], coupon: LiveOffer | None) -> Quote:
    facts = steps.PromotionFacts(baskets.of_quote(quote), {offer.id: offer for offer in promotions})
    quote = steps.Promotions().apply(quote, facts)
    if coupon is not None:
        quote = steps.Coupon().apply(quote, steps.CouponFacts(None, coupon, "SAVE", 1))
    quote = quote._replace(lines=tuple(line._replace(net=line.discounted) for line in quote.lines))
    quote = Posted().apply(quote, None)
    return steps.Applied().apply(quote, None)


@settings(max_examples=250, deadline=None)
@given(items(), st.lists(offers, max_size=4), st.none() | offers, st.randoms())
def test_rows_add_up_to_savings_nothing_is_negative_and_order_does_not_matter(
    found: list[Item], promotions: list[Any], coupon: Any, random: Any
) -> None:
    automatic = [
        live("promotion", f"P{number}", rule, both, priority, limit, where)
        for number, (rule, both, priority, limit, where) in enumerate(promotions)
    ]
    asked = None if coupon is None else live("coupon", "C", *coupon)
    first = priced(quote_of(found), automatic, asked)
    consistent(first)
    totals = first.totals()
    assert totals.grand_total >= 0
    assert totals.promotion_discount + totals.coupon_discount + sum((line.net for line in first.lines), ZERO) == (
        totals.amount
    )
    assert {claim.amount for claim in first.claims} <= {Decimal(1)}
    assert priced(quote_of(found), automatic, asked) == first
    uses_positions = any(limit is not None and limit.order == "first_added" for _r, _b, _p, limit, _w in promotions)
    if not uses_positions and not (coupon and coupon[3] and coupon[3].order == "first_added"):
        shuffled = list(found)
        random.shuffle(shuffled)
        random.shuffle(automatic)
        again = priced(quote_of(shuffled), automatic, asked)
        assert again.totals() == totals
        assert sorted((*line.sku, line.discount, line.quantity) for line in again.lines) == sorted(
            (*line.sku, line.discount, line.quantity) for line in first.lines
        )
