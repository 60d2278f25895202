"""Which offers fit a cart, which do not, and what to add."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from promotions.plugs import StoreOffers
from storefront.contracts import Offer, Sku
from tests.carts.fakes import FakeCatalog
from tests.contract import assert_component
from tests.promotions.conftest import STEPS_WITH_POST, TENTH, NewOffer, Till

pytestmark = pytest.mark.django_db
LOGGED_IN = {"customer_id": "C1", "user_id": "U1", "is_logged_in": True}


def evaluated(quote: Any, kind: str = "coupon") -> dict[str, Offer]:
    """By code or, of promotions, name; each fits the contract."""
    found = {}
    for offer in StoreOffers().evaluate(quote, kind=kind):
        schema = f"{'Applicable' if offer.applicable else 'Inapplicable'}{kind.title()}"
        assert_component(schema, offer.details)
        told = {"estimated_discount", "savings_message"} if offer.applicable else {"reason", "suggestion"}
        assert set(offer.details) == {"id", "name", f"{kind}_type"} | told | (
            {"coupon_code"} if kind == "coupon" else set()
        )
        found[offer.details["coupon_code"][0] if kind == "coupon" else offer.details["name"]] = offer
    return found


def on(product_id: str, **entry: Any) -> dict[str, Any]:
    return TENTH | {"products": [{"product_id": product_id, **entry}]}


def test_coupons_that_fit_say_what_they_save(till: Till, offer: NewOffer) -> None:
    offer(codes=["TENTH"])
    offer(
        type_="free-goods",
        codes=["GIFT"],
        applies_to="product",
        details={
            "spending_criteria_type": "minimum-quantity",
            "products": [{"product_id": "TEA", "auto_scale": True, "slab": {"buy_quantity": 2, "get_quantity": 1}}],
        },
    )
    offer(
        type_="accelerated-rewards",
        codes=["POINTS"],
        applies_to="category",
        details={"category_id": ["tea"], "bonus_loyalty_point": 70},
    )
    found = evaluated(till(TEA=4))
    assert {code: (o.applicable, float(o.saving), o.details["savings_message"]) for code, o in found.items()} == {
        "TENTH": (True, 40, "You save ₹40.00."),
        "GIFT": (True, 200, "You get 2 × Tea free."),
        "POINTS": (True, 0, "You get 70 bonus points."),
    }


def test_coupons_that_do_not_fit_say_why_and_what_to_add(till: Till, offer: NewOffer) -> None:
    offer(codes=["MORE"], applies_to="product", details=on("TEA", minimum_quantity=3))
    offer(codes=["POT"], applies_to="product", details=on("POT"))
    offer(codes=["LARGE"], minimum_order_total=Decimal(220))
    offer(codes=["LOGIN"], requires_login=True)
    offer(codes=["WARE"], applies_to="category", details=TENTH | {"category_id": ["ware"]})
    found = evaluated(till(TEA=1))
    assert not any(offer.applicable for offer in found.values())
    assert {code: offer.suggestion for code, offer in found.items()} == {
        "MORE": "Add 2 more of Tea.",
        "POT": "Add 1 more of Pot.",
        "LARGE": "Spend ₹120.00 more.",
        "LOGIN": "",
        "WARE": "Add 1 product of this offer.",
    }
    assert "log in" in found["LOGIN"].reason
    assert all(offer.reason for offer in found.values())


def test_the_coupon_in_the_cart_is_measured_like_the_others(till: Till, offer: NewOffer) -> None:
    offer(codes=["HALF"], details=TENTH | {"discount_percent": 50})
    offer(codes=["TENTH"])
    with_coupon, without = evaluated(till("HALF", TEA=1)), evaluated(till(TEA=1))
    assert with_coupon == without
    assert {code: float(offer.saving) for code, offer in without.items()} == {"HALF": 50, "TENTH": 10}


def test_coupons_know_of_the_promotions_in_the_cart(till: Till, offer: NewOffer) -> None:
    offer("promotion", applies_to="product", details=on("TEA"))
    offer(codes=["ALONE"])
    offer(codes=["BOTH"], combinable=True)
    found = evaluated(till(TEA=10))
    assert (found["ALONE"].applicable, found["BOTH"].applicable) == (False, True)
    assert found["BOTH"].saving == 90
    assert "promotions" in found["ALONE"].reason


def test_free_shipping_is_worth_what_the_cart_would_pay(till: Till, offer: NewOffer, configure: Any) -> None:
    offer(type_="free-shipping")
    assert evaluated(till(TEA=1))["SAVE"].saving == 0
    configure(PRICING_STEPS=STEPS_WITH_POST)
    assert evaluated(till(TEA=1))["SAVE"].saving == 60
    assert evaluated(till("SAVE", TEA=1))["SAVE"].saving == 60


def test_promotions_that_apply_and_those_that_give_way(till: Till, offer: NewOffer) -> None:
    offer("promotion", name="Half", details=TENTH | {"discount_percent": 50})
    offer("promotion", name="Tenth")
    offer("promotion", name="Pot", applies_to="product", details=on("POT"))
    found = evaluated(till(TEA=1), "promotion")
    assert {name: offer.applicable for name, offer in found.items()} == {"Half": True, "Tenth": False, "Pot": False}
    assert found["Half"].saving == 50
    assert "save you more" in found["Tenth"].reason
    assert found["Pot"].suggestion == "Add 1 more of Pot."


def test_what_is_not_the_shoppers_is_not_evaluated(till: Till, offer: NewOffer) -> None:
    offer(codes=["SECRET"], public=False)
    offer(codes=["HERS"], eligibility="customer", audience=["C2"])
    offer(codes=["DRAFT"], live=False)
    assert evaluated(till(TEA=1)) == {}
    assert evaluated(till(TEA=1, **LOGGED_IN)) == {}
    assert list(evaluated(till(TEA=1, **LOGGED_IN | {"customer_id": "C2"}))) == ["HERS"]


def test_nothing_applies_to_an_empty_cart(till: Till, offer: NewOffer) -> None:
    offer()
    offer("promotion", name="Week")
    assert not evaluated(till())["SAVE"].applicable
    assert not evaluated(till(), "promotion")["Week"].applicable


def test_what_to_add_names_the_category_where_the_catalogue_does(
    till: Till, offer: NewOffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[set[str]] = []

    def category_names(_self: Any, store_id: str, category_ids: Any) -> dict[str, str]:
        asked.append(set(category_ids))
        return {pk: name for pk, name in (("ware", "Tea ware"), ("gone", "Gone")) if pk in category_ids}

    for codes, details in (
        (["ONE"], {"category_id": ["ware"]}),
        (["NAMELESS"], {"category_id": ["secret"]}),
        (["OTHER"], {"category_id": ["gone"]}),
    ):
        offer(codes=codes, applies_to="category", details=TENTH | details)
    exchange = {"buy_from_category_id": "ware", "get_from_category_id": "ware", "get_quantity": 1}
    for code, buy in (("THREE", {"minimum_quantity": 3}), ("SPEND", {"minimum_purchase_amount": 900})):
        kind = "minimum-quantity" if code == "THREE" else "minimum-purchase-amount"
        row = {"get_offer_type": "free", "get_discount_percent": None, **exchange, **buy}
        offer(
            type_="buy-x-get-y", codes=[code], applies_to="product",
            details={"spending_criteria_type": kind, "products": [row]},
        )  # fmt: skip
    assert evaluated(till(TEA=1))["ONE"].suggestion == "Add 1 product of this offer."  # it names none
    monkeypatch.setattr(FakeCatalog, "category_names", category_names, raising=False)
    found = {code: verdict.suggestion for code, verdict in evaluated(till(TEA=1, CUP=1)).items()}
    assert {code: found[code] for code in ("NAMELESS", "OTHER", "THREE", "SPEND")} == {
        "NAMELESS": "Add 1 product of this offer.",
        "OTHER": "Add 1 product from Gone.",
        "THREE": "Add 2 products from Tea ware.",
        "SPEND": "Add products from Tea ware for ₹650.00 more.",
    }
    assert asked == [{"ware", "secret", "gone"}]
    assert evaluated(till(TEA=1))["ONE"].suggestion == "Add 1 product from Tea ware."


@pytest.mark.parametrize("count", [1, 40])
def test_it_costs_the_same_however_many_there_are(till: Till, offer: NewOffer, count: int) -> None:
    for number in range(count):
        FakeCatalog.put("demo", f"P{number}")
        offer(codes=[f"C{number}"], applies_to="product", details=on(f"P{number}"), total_limit=9)
        offer("promotion", applies_to="product", details=on(f"P{number}"), name=f"N{number}")
    quote = till(TEA=1)
    for kind, queries in (("coupon", 3), ("promotion", 1)):
        evaluated(quote, kind)
        FakeCatalog.asked.clear()
        with CaptureQueriesContext(connection) as captured:
            assert len(evaluated(quote, kind)) == count
        assert len(captured) == queries
        assert [len(asked) for asked in FakeCatalog.asked] == [count]
        assert FakeCatalog.asked[0][0].variant_id == Sku("P").variant_id
