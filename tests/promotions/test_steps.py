"""What offers do to a cart's price, and what the cart says of them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from customers import services as customers
from customers.models import Customer
from promotions import services
from promotions.models import Offer
from storefront.conf import DEFAULT_PRICING_STEPS
from storefront.models import CustomerGroup, Store
from storefront.pricing import Discount, Quote
from tests.carts.fakes import FakeCatalog
from tests.contract import assert_component
from tests.promotions.conftest import STEPS_WITH_POST, TENTH, NewOffer, Till

pytestmark = pytest.mark.django_db
TEA_TENTH = TENTH | {"products": [{"product_id": "TEA"}]}
ONE_FREE = {
    "spending_criteria_type": "minimum-quantity",
    "products": [{"product_id": "TEA", "auto_scale": True, "slab": {"buy_quantity": 2, "get_quantity": 1}}],
}
LOGGED_IN = {"customer_id": "C1", "user_id": "U1", "is_logged_in": True}


@pytest.fixture
def posted(configure: Any, shop: Any) -> None:
    configure(PRICING_STEPS=STEPS_WITH_POST)


def refusal(quote: Quote) -> str:
    """The code of what keeps the coupon from counting; it left no other trace then."""
    found = quote.refusals["coupon"]
    assert quote.totals().coupon_savings == 0
    assert not quote.facts.get("applied_coupons")
    assert not [claim for claim in quote.claims if claim.resource == "coupon"]
    assert str(found.message)
    return found.code


def consistent(quote: Quote) -> Quote:
    """Rows of what was applied fit the contract and add up to the totals."""
    totals = quote.totals()
    for kind, saved in (("promotion", totals.promotion_savings), ("coupon", totals.coupon_savings)):
        rows = quote.facts.get(f"applied_{kind}s", [])
        for row in rows:
            assert_component(f"Applied{kind.title()}", row)
        assert sum(Decimal(str(row["savings"])) for row in rows) == saved
    assert all(line.discounted >= 0 for line in quote.lines)
    return quote


# --- coupons --------------------------------------------------------------------------------------------------------
def test_a_coupon_takes_a_tenth_off_the_cart(till: Till, offer: NewOffer) -> None:
    made = offer()
    quote = consistent(till("save", TEA=2, CUP=1))
    assert quote.totals().coupon_discount == 45
    assert quote.totals().grand_total == 405
    assert quote.facts["applied_coupons"] == [
        {
            "coupon_id": made.pk,
            "coupon_type": "discount",
            "savings": 45.0,
            "product_id": None,
            "variant_id": None,
            "product_name": None,
            "variant_name": None,
        }
    ]
    assert [(claim.resource, claim.amount, claim.owner) for claim in quote.claims] == [("coupon", 1, "")]


def test_a_coupon_on_products_names_them(till: Till, offer: NewOffer) -> None:
    offer(applies_to="product", details=TEA_TENTH)
    quote = consistent(till("SAVE", TEA=2, CUP=1))
    assert [(row["product_id"], row["product_name"], row["savings"]) for row in quote.facts["applied_coupons"]] == [
        ("TEA", "Tea", 20.0)
    ]


def test_free_goods_come_as_a_line_of_their_own(till: Till, offer: NewOffer) -> None:
    made = offer(type_="free-goods", applies_to="product", details=ONE_FREE)
    quote = consistent(till("SAVE", TEA=5))
    paid, gift = quote.lines
    assert (paid.quantity, paid.amount, paid.discounts) == (5, 500, ())
    assert (gift.sku, gift.quantity, gift.free_quantity, gift.is_free_item) == (paid.sku, 2, 2, True)
    assert (gift.amount, gift.free_value, gift.free_source) == (0, 200, f"coupon:{made.pk}")
    totals = quote.totals()
    assert (totals.grand_total, totals.coupon_discount, totals.coupon_savings) == (500, 0, 200)


def test_gifts_end_with_the_stock(till: Till, offer: NewOffer, shop: type[FakeCatalog]) -> None:
    shop.put("demo", "TEA", price="100", available=5)
    offer(type_="free-goods", applies_to="product", details=ONE_FREE)
    assert [line.quantity for line in till("SAVE", TEA=4).lines] == [4, 1]
    quote = till("SAVE", TEA=5)
    assert [line.quantity for line in quote.lines] == [5]
    assert refusal(quote) == "coupon_not_applicable"


def test_bonus_points_change_no_price(till: Till, offer: NewOffer) -> None:
    details = {"category_id": ["tea"], "bonus_loyalty_point": 70}
    offer(type_="accelerated-rewards", applies_to="category", details=details)
    quote = consistent(till("SAVE", TEA=1))
    assert (quote.bonus_points, quote.totals().grand_total) == (70, 100)
    assert [row["savings"] for row in quote.facts["applied_coupons"]] == [0]


def test_free_shipping_saves_what_it_would_cost(posted: None, till: Till, offer: NewOffer) -> None:
    offer(type_="free-shipping")
    quote = consistent(till("SAVE", TEA=1))
    assert (quote.totals().shipping, quote.totals().coupon_savings, quote.totals().coupon_discount) == (0, 60, 0)
    assert quote.facts["applied_coupons"][0]["product_id"] is None


def test_shipping_that_a_promotion_made_free_is_not_saved_twice(posted: None, till: Till, offer: NewOffer) -> None:
    offer("promotion", "free-shipping")
    offer(type_="free-shipping", combinable=True)
    quote = consistent(till("SAVE", TEA=1))
    assert (quote.totals().promotion_savings, quote.totals().coupon_savings) == (60, 0)


def test_a_coupon_comes_after_promotions_on_what_they_left(till: Till, offer: NewOffer) -> None:
    offer("promotion", applies_to="product", details=TEA_TENTH)
    offer(combinable=True)
    totals = consistent(till("SAVE", TEA=10)).totals()
    assert (totals.promotion_discount, totals.coupon_discount, totals.grand_total) == (100, 90, 810)


def test_a_coupon_that_is_not_for_promoted_carts_is_refused_there(till: Till, offer: NewOffer) -> None:
    offer("promotion", applies_to="product", details=TEA_TENTH)
    offer()
    assert refusal(till("SAVE", TEA=1)) == "coupon_not_combinable"
    assert till("SAVE", CUP=1).totals().coupon_discount == 25


def test_the_minimum_is_of_what_promotions_left(till: Till, offer: NewOffer) -> None:
    offer("promotion", applies_to="product", details=TEA_TENTH)
    offer(combinable=True, minimum_order_total=Decimal(450))
    quote = till("SAVE", TEA=4)
    assert refusal(quote) == "coupon_minimum_not_reached"
    assert "₹90.00" in str(quote.refusals["coupon"].message)
    assert till("SAVE", TEA=5).totals().coupon_discount == 45


def test_what_to_add_is_said_by_name(till: Till, offer: NewOffer) -> None:
    offer(applies_to="product", details=TENTH | {"products": [{"product_id": "POT", "minimum_quantity": 2}]})
    quote = till("SAVE", TEA=1)
    assert refusal(quote) == "coupon_not_applicable"
    assert "2 more of Pot" in str(quote.refusals["coupon"].message)
    assert "1 more of Pot" in str(till("SAVE", POT=1).refusals["coupon"].message)


@pytest.mark.parametrize("code", ["NOPE", "x" * 100, "\x00", "ﷺ" * 40])
def test_an_unknown_code_is_refused(till: Till, offer: NewOffer, code: str) -> None:
    offer()
    assert refusal(till(code, TEA=1)) == "coupon_not_found"


def test_drafts_stopped_coupons_and_other_stores_ones_are_as_unknown(
    store: Store, other_store: Store, till: Till, offer: NewOffer
) -> None:
    offer(live=False, codes=["DRAFT"])
    stopped = offer(codes=["STOPPED"])
    services.stop_offer(store=store, offer_id=stopped.pk)
    offer(store=other_store, codes=["FOREIGN"])
    messages = set()
    for code in ("DRAFT", "STOPPED", "FOREIGN", "NOPE"):
        quote = till(code, TEA=1)
        assert refusal(quote) == "coupon_not_found"
        messages.add(str(quote.refusals["coupon"].message))
    assert len(messages) == 1


def test_a_coupon_counts_from_its_beginning_to_its_end(till: Till, offer: NewOffer) -> None:
    now = timezone.now()
    begin, end = now + timedelta(hours=1), now + timedelta(hours=2)
    made = offer(starts_at=begin, expires_at=end)
    assert refusal(till("SAVE", TEA=1, now=begin - timedelta(seconds=1))) == "coupon_not_started"
    assert till("SAVE", TEA=1, now=begin).totals().coupon_discount == 10
    assert refusal(till("SAVE", TEA=1, now=end)) == "coupon_expired"
    services.expire_offers(now=end, batch=10)
    assert Offer.objects.get(pk=made.pk).state == "expired"
    assert refusal(till("SAVE", TEA=1, now=begin)) == "coupon_expired"


def test_some_coupons_need_a_login(till: Till, offer: NewOffer) -> None:
    offer(requires_login=True)
    offer(codes=["ONCE"], customer_limit=1)
    for code in ("SAVE", "ONCE"):
        assert refusal(till(code, TEA=1)) == "coupon_login_required"
        assert till(code, TEA=1, **LOGGED_IN).totals().coupon_discount == 10


def test_one_who_logged_out_counts_as_a_visitor(till: Till, offer: NewOffer) -> None:
    offer(eligibility="customer", audience=["C1"])
    assert till("SAVE", TEA=1, **LOGGED_IN).totals().coupon_discount == 10
    assert refusal(till("SAVE", TEA=1, **LOGGED_IN | {"is_logged_in": False})) == "coupon_login_required"


def test_a_coupon_may_be_for_some_customers(till: Till, offer: NewOffer) -> None:
    offer(eligibility="customer", audience=["C2"])
    assert refusal(till("SAVE", TEA=1, **LOGGED_IN)) == "coupon_not_eligible"


def test_a_coupon_may_be_for_a_group_whose_default_is_everybody_without_one(
    store: Store, till: Till, offer: NewOffer
) -> None:
    trade = CustomerGroup.objects.create(store=store, name="Trade", slug="trade")
    retail = CustomerGroup.objects.get(store=store, is_default=True)
    offer(eligibility="group", audience=[trade.pk])
    offer(eligibility="group", audience=[retail.pk], codes=["RETAIL"])
    assert refusal(till("SAVE", TEA=1)) == "coupon_not_eligible"
    assert till("SAVE", TEA=1, group_id=trade.pk).totals().coupon_discount == 10
    assert till("RETAIL", TEA=1).totals().coupon_discount == 10
    assert refusal(till("RETAIL", TEA=1, group_id=trade.pk)) == "coupon_not_eligible"


def test_a_coupon_may_be_for_a_segment(store: Store, till: Till, offer: NewOffer) -> None:
    from customers.models import Segment, SegmentMember

    customers.create_customer(store=store, customer_id="C1")
    segment = Segment.objects.create(store=store, name="Tea lovers", kind=Segment.Kind.MANUAL)
    offer(eligibility="segment", audience=[segment.pk])
    assert refusal(till("SAVE", TEA=1, **LOGGED_IN)) == "coupon_not_eligible"
    SegmentMember.objects.create(store=store, segment=segment, customer=Customer.objects.get(pk="C1"))
    assert till("SAVE", TEA=1, **LOGGED_IN).totals().coupon_discount == 10


class HasOrdered:
    def has_ordered(self, store_id: str, customer_id: str) -> bool:
        return customer_id == "C1"


def test_a_coupon_may_be_for_a_first_order(till: Till, offer: NewOffer, configure: Any) -> None:
    configure(PURCHASES="tests.promotions.test_steps.HasOrdered")
    offer(first_order_only=True)
    assert refusal(till("SAVE", TEA=1, **LOGGED_IN)) == "coupon_first_order_only"
    assert refusal(till("SAVE", TEA=1)) == "coupon_login_required"
    assert till("SAVE", TEA=1, **LOGGED_IN | {"customer_id": "C2"}).totals().coupon_discount == 10


def test_a_coupon_touches_as_many_units_as_it_may(till: Till, offer: NewOffer) -> None:
    offer(max_items=1, item_priority="most_expensive_first")
    assert till("SAVE", TEA=2, POT=2).totals().coupon_discount == 100


def test_a_coupon_for_an_empty_cart_is_refused(till: Till, offer: NewOffer) -> None:
    offer()
    assert refusal(till("SAVE")) == "coupon_not_applicable"


# --- promotions -----------------------------------------------------------------------------------------------------
def test_promotions_say_in_which_order_they_applied_and_to_what(posted: None, till: Till, offer: NewOffer) -> None:
    tea = offer("promotion", applies_to="product", details=TEA_TENTH, combinable=True, priority=1)
    post = offer("promotion", "free-shipping", combinable=True, priority=3)
    cart = offer("promotion", combinable=True, priority=2)
    quote = consistent(till(TEA=10, CUP=2))
    assert [
        (row["promotion_id"], row["applied_sequence"], row["scope"], row["product_id"], row["savings"])
        for row in quote.facts["applied_promotions"]
    ] == [
        (tea.pk, 1, "product", "TEA", 100.0),
        (cart.pk, 2, "cart", None, 140.0),
        (post.pk, 3, "shipping", None, 60.0),
    ]
    assert [claim.resource for claim in quote.claims] == ["promotion"] * 3


def test_a_fixed_price_is_told_as_a_discount(till: Till, offer: NewOffer) -> None:
    details = {
        "spending_criteria_type": "minimum-quantity",
        "products": [{"product_id": "TEA", "minimum_quantity": 1, "offer_price": 79}],
    }
    offer("promotion", "fixed-price", applies_to="product", details=details)
    quote = consistent(till(TEA=2))
    assert quote.totals().promotion_discount == 42
    assert quote.facts["applied_promotions"][0]["promotion_type"] == "discount"


def test_a_promotion_for_others_does_nothing(till: Till, offer: NewOffer) -> None:
    offer("promotion", eligibility="customer", audience=["C2"])
    offer("promotion", requires_login=True, details=TENTH | {"discount_percent": 1})
    assert till(TEA=1).totals().discount == 0
    assert till(TEA=1, **LOGGED_IN).totals().discount == 1
    assert till(TEA=1, **LOGGED_IN | {"customer_id": "C2"}).totals().discount == 10


def test_a_change_counts_at_the_next_read(store: Store, till: Till, offer: NewOffer) -> None:
    made = offer("promotion")
    assert till(TEA=1).totals().discount == 10
    services.update_offer(
        store=store, offer_id=made.pk, revision=made.revision, details=TENTH | {"discount_percent": 25}
    )
    assert till(TEA=1).totals().discount == 25
    services.stop_offer(store=store, offer_id=made.pk)
    assert till(TEA=1).totals().discount == 0


def test_promotions_of_another_store_do_nothing(other_store: Store, till: Till, offer: NewOffer) -> None:
    offer("promotion", store=other_store)
    assert till(TEA=1).totals().discount == 0


def test_a_rule_that_somebody_broke_by_hand_is_left_out(store: Store, till: Till, offer: NewOffer) -> None:
    broken = offer("promotion")
    offer("promotion", details=TENTH | {"discount_percent": 5})
    Offer.objects.filter(pk=broken.pk).update(details={"discount_type": "?"})
    services.touch(store_id=store.pk)
    assert till(TEA=1).totals().discount == 5


def test_pricing_twice_gives_the_same(till: Till, offer: NewOffer) -> None:
    offer("promotion", applies_to="product", details=TEA_TENTH, combinable=True)
    offer(type_="free-goods", applies_to="product", details=ONE_FREE, combinable=True)
    now = timezone.now()
    assert till("SAVE", TEA=4, CUP=1, now=now) == till("SAVE", TEA=4, CUP=1, now=now)


class Thirds:
    """A shop's own step, which leaves a fraction of the smallest unit."""

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        third = [line._replace(discounts=(Discount("shop:third", line.amount / 3),)) for line in quote.lines]
        return quote._replace(lines=tuple(third))


def test_what_other_steps_left_is_no_trouble(till: Till, offer: NewOffer, configure: Any) -> None:
    steps = list(DEFAULT_PRICING_STEPS)
    steps.insert(steps.index("promotions.steps.Coupon"), "tests.promotions.test_steps.Thirds")
    configure(PRICING_STEPS=tuple(steps))
    offer(details={"discount_type": "fixed-amount", "fixed_discount_amount": 500})
    quote = till("SAVE", TEA=1, CUP=1)
    assert quote.totals().coupon_discount == Decimal("233.32")  # 66.66 and 166.66
    assert all(line.discounted >= 0 for line in quote.lines)


# --- what the cart says of its lines --------------------------------------------------------------------------------
def on_promotion(quote: Quote) -> dict[str, bool]:
    return {line.sku.product_id: line.on_promotion for line in quote.lines}


def test_a_line_that_a_promotion_takes_something_off_is_on_promotion(till: Till, offer: NewOffer) -> None:
    offer("promotion", applies_to="product", details=TEA_TENTH, minimum_order_total=Decimal(200))
    assert on_promotion(till(TEA=1, CUP=1)) == {"TEA": True, "CUP": False}
    assert on_promotion(till(TEA=1)) == {"TEA": False}, "not shown in the catalogue, and the cart is too small"


def test_so_is_one_that_the_catalogue_shows_a_promotion_beside(till: Till, offer: NewOffer) -> None:
    offer("promotion", "free-goods", applies_to="product", details=ONE_FREE)
    quote = till(TEA=1, CUP=1)
    assert quote.totals().promotion_savings == 0
    assert on_promotion(quote) == {"TEA": True, "CUP": False}
    gift = till(TEA=2)
    assert [(line.is_free_item, line.on_promotion) for line in gift.lines] == [(False, True), (True, True)]


def test_a_coupon_is_no_promotion(till: Till, offer: NewOffer) -> None:
    offer()
    quote = till("SAVE", TEA=1)
    assert quote.totals().coupon_discount == 10
    assert on_promotion(quote) == {"TEA": False}


def test_a_group_sees_its_own_promotions_in_its_cart(store: Store, till: Till, offer: NewOffer) -> None:
    trade = CustomerGroup.objects.create(store=store, name="Trade", slug="trade")
    offer("promotion", "free-goods", applies_to="product", details=ONE_FREE, eligibility="group", audience=[trade.pk])
    assert on_promotion(till(TEA=1)) == {"TEA": False}
    assert on_promotion(till(TEA=1, group_id=trade.pk)) == {"TEA": True}


class Always:
    """Another app's `PRODUCT_PROMOTIONS`: cups are on promotion."""

    def shown(self, store_id: str, prices: Any, *, group_id: str | None, now: Any) -> dict[Any, Any]:
        return {sku: {"id": "theirs"} for sku in prices if sku.product_id == "CUP"}


def test_the_plug_decides_what_is_shown(till: Till, offer: NewOffer, configure: Any) -> None:
    configure(PRODUCT_PROMOTIONS="tests.promotions.test_steps.Always")
    assert on_promotion(till(TEA=1, CUP=1)) == {"TEA": False, "CUP": True}
    offer("promotion", "free-goods", applies_to="product", details=ONE_FREE)
    assert on_promotion(till(TEA=1, CUP=1)) == {"TEA": False, "CUP": True}
    configure(PRODUCT_PROMOTIONS="")
    assert on_promotion(till(TEA=1, CUP=1)) == {"TEA": False, "CUP": False}
