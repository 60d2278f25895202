"""The whole pipeline with made-up facts: any goods, promotions, coupon, address and wallets."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

from carts.steps import Handling, ListPrice
from carts.tax import summary
from promotions import baskets
from promotions.steps import Applied, Coupon, CouponFacts, PromotionFacts, Promotions
from storefront.contracts import Sellable
from storefront.money import INR, ZERO, tax_on
from storefront.pricing import Line, Quote
from tests.pricing.offline import Tax
from tests.pricing.test_pipeline import sellable
from tests.promotions.test_engine_properties import limits, rules
from tests.promotions.test_steps_properties import FreeShipping, live
from wallets.rules import Rules, TierRule
from wallets.selectors import Wallet
from wallets.steps import Credit, GiftCard, Points, Wallets

NOW = datetime(2026, 3, 1, tzinfo=UTC)
amounts = some.decimals(min_value=0, max_value=5000, places=2)
goods = some.lists(
    some.tuples(
        some.fixed_dictionaries(
            {
                "selling_price": some.decimals(min_value="0", max_value="2000", places=2),
                "price_including_tax": some.booleans(),
                "tax_rate": some.sampled_from([Decimal(rate) for rate in ("0", "5", "12", "18", "28")]),
                "handling_charge": some.sampled_from([ZERO, Decimal("7.55")]),
                "handling_tax_rate": some.sampled_from([ZERO, Decimal(18)]),
            }
        ),
        some.integers(min_value=1, max_value=9),
    ),
    min_size=1,
    max_size=6,
)
offers = some.tuples(
    rules | some.just(FreeShipping()), some.booleans(), some.integers(1, 3), limits, some.sampled_from(["all"])
)
wallets = some.fixed_dictionaries(
    {
        "points": some.integers(0, 3000),
        "points_asked": some.integers(0, 3000),
        "credit": amounts,
        "credit_asked": amounts,
        "card": amounts,
        "card_used": some.booleans(),
    }
)
addresses = some.sampled_from([None, {"state": "Maharashtra"}, {"state": "Kerala"}])


class Post:
    """Sends everything for 60, or for nothing where a promotion or the coupon says so."""

    def apply(self, quote: Quote) -> Quote:
        cost = Decimal(60)
        free = cost if quote.free_shipping else ZERO
        return quote._replace(
            shipping_cost=cost,
            shipping_discount=free,
            shipping_discount_source=quote.free_shipping[0] if free else "",
            shipping_tax_rate=Decimal(18),
            shipping_tax=tax_on(cost - free, Decimal(18), quote.currency),
        )


def programme() -> Rules:
    tier = TierRule(1, "Silver", ZERO, Decimal(1), 0)
    return Rules("Points", Decimal("0.5"), 0, None, Decimal(100), 0, None, 0, None, Decimal(100), True, (tier,), NOW)


def priced(found: Any, promotions: list[Any], coupon: Any, address: Any, wallet: Any) -> Quote:
    wares: list[Sellable] = [sellable(number, **facts) for number, facts, _units in found]
    quote = Quote(
        store_id="demo",
        currency=INR,
        now=NOW,
        cart_id="cart",
        customer_id="customer",
        is_logged_in=True,
        lines=tuple(Line(ware.sku, units) for ware, (_n, _f, units) in zip(wares, found, strict=True)),
        sellables={ware.sku: ware for ware in wares},
        shipping_address=address,
        coupon_code="SAVE" if coupon else "",
        points_asked=wallet["points_asked"],
        credit_asked=wallet["credit_asked"],
        gift_card_id="card" if wallet["card_used"] else "",
    )
    quote = ListPrice().apply(quote, quote.sellables)
    automatic = [
        live("promotion", f"P{number}", rule, both, priority, limit, where)
        for number, (rule, both, priority, limit, where) in enumerate(promotions)
    ]
    quote = Promotions().apply(quote, PromotionFacts(baskets.of_quote(quote), {offer.id: offer for offer in automatic}))
    if coupon:
        quote = Coupon().apply(quote, CouponFacts(None, live("coupon", "C", *coupon), "SAVE", 1))
    tax, handling = Tax(), Handling()
    quote = tax.apply(quote, tax.gather(quote))
    quote = handling.apply(quote, handling.gather(quote))
    quote = Applied().apply(Post().apply(quote), None)
    facts = Wallets(
        programme(),
        {
            "points": Wallet("a", Decimal(wallet["points"]), 1),
            "credit": Wallet("b", wallet["credit"]),
            "gift_card": Wallet("c", wallet["card"], None, True, "1234"),
        },
    )
    for step in (Points(), Credit(), GiftCard()):
        quote = step.apply(quote, facts)
    return quote


def numbered(found: Any) -> list[tuple[int, Any, int]]:
    return [(number, facts, units) for number, (facts, units) in enumerate(found)]


@settings(max_examples=100, deadline=None)
@given(goods, some.lists(offers, max_size=3), some.none() | offers, addresses, wallets)
def test_a_cart_adds_up_to_the_last_unit_and_nothing_in_it_is_negative(
    found: Any, promotions: list[Any], coupon: Any, address: Any, wallet: Any
) -> None:
    quote = priced(numbered(found), promotions, coupon, address, wallet)
    totals = quote.totals()
    assert min(totals) >= 0
    assert all(min(line.amount, line.discounted, line.net, line.tax, line.handling) >= 0 for line in quote.lines)
    for name, of_line in (
        ("amount", lambda line: line.amount),
        ("discount", lambda line: line.discount),
        ("items_net", lambda line: line.net),
        ("items_tax", lambda line: line.tax),
        ("handling", lambda line: line.handling),
    ):
        assert getattr(totals, name) == sum(map(of_line, quote.lines), ZERO), name
    shipping = totals.shipping + quote.shipping_tax
    handling = totals.handling + totals.handling_tax
    assert totals.grand_total == totals.subtotal_including_tax - totals.discount + handling + shipping
    assert totals.grand_total == totals.to_be_paid + totals.other_savings
    assert all(amount == amount.quantize(INR.unit) for amount in totals)
    assert sum((share.amount for share in summary(quote)), ZERO) == totals.total_tax
    rows = quote.facts.get("applied_promotions", []) + quote.facts.get("applied_coupons", [])
    saved = sum((Decimal(str(row["savings"])) for row in rows), ZERO)
    assert saved == totals.promotion_savings + totals.coupon_savings


@settings(max_examples=80, deadline=None)
@given(goods, some.lists(offers, max_size=3), some.none() | offers, addresses, wallets, some.randoms())
def test_it_does_not_matter_in_which_order_goods_were_put_into_the_cart(
    found: Any, promotions: list[Any], coupon: Any, address: Any, wallet: Any, random: Any
) -> None:
    limited = [offer[3] for offer in [*promotions, *([coupon] if coupon else [])]]
    if any(limit is not None and limit.order == "first_added" for limit in limited):
        return  # these ask for it
    lines = numbered(found)
    first = priced(lines, promotions, coupon, address, wallet)
    random.shuffle(lines)
    second = priced(lines, promotions, coupon, address, wallet)
    assert second.totals() == first.totals()
    assert sorted((line.sku, line.quantity, line.net, line.tax) for line in second.lines) == sorted(
        (line.sku, line.quantity, line.net, line.tax) for line in first.lines
    )
    assert (second.points_redeemed, second.credit_used, second.gift_card_used) == (
        first.points_redeemed,
        first.credit_used,
        first.gift_card_used,
    )


@settings(max_examples=60, deadline=None)
@given(goods, some.lists(offers, max_size=2), offers, wallets)
def test_wishes_only_ever_lower_what_is_paid_and_claims_are_what_they_take(
    found: Any, promotions: list[Any], coupon: Any, wallet: Any
) -> None:
    nothing = {"points": 0, "points_asked": 0, "credit": ZERO, "credit_asked": ZERO, "card": ZERO, "card_used": False}
    plain = priced(numbered(found), promotions, None, None, nothing)
    paying = priced(numbered(found), promotions, None, None, wallet)
    assert paying.totals().grand_total == plain.totals().grand_total
    assert paying.totals().to_be_paid <= plain.totals().to_be_paid
    taken = {claim.resource: claim.amount for claim in paying.claims}
    assert taken.get("points", 0) == paying.points_redeemed <= min(wallet["points"], wallet["points_asked"])
    assert taken.get("credit", ZERO) == paying.credit_used <= min(wallet["credit"], wallet["credit_asked"])
    assert taken.get("gift_card", ZERO) == paying.gift_card_used <= wallet["card"]
    cheaper = priced(numbered(found), promotions, coupon, None, nothing)
    if "coupon" in cheaper.refusals:
        assert cheaper.totals() == plain.totals()
