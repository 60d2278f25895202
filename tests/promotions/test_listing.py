"""The lists of coupons and promotions, as a client gets them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from promotions import services
from promotions.models import Offer
from storefront import selectors as kernel
from storefront.models import CustomerGroup, Store
from tests.api import shoppers
from tests.conftest import Api
from tests.contract import assert_is_error, assert_matches
from tests.promotions.conftest import TENTH, NewOffer
from tests.promotions.test_rules import SHAPES

pytestmark = pytest.mark.django_db


def codes(api: Api, **headers: str) -> list[str]:
    found = assert_matches("list-coupons", api.get("/carts/available-coupons", **headers))["coupons"]
    return [code for coupon in found for code in coupon["coupon_code"]]


def names(api: Api, **headers: str) -> list[str]:
    found = assert_matches("list-promotions", api.get("/carts/available-promotions", **headers))["promotions"]
    return [promotion["name"] for promotion in found]


def test_every_shape_of_coupon_is_listed_in_the_contracts_words(visitor: Api, offer: NewOffer) -> None:
    for number, (_schema, type_, applies_to, details) in enumerate(SHAPES):
        offer(type_=type_, applies_to=applies_to, details=details, codes=[f"C{number}"])
    offer(type_="free-shipping", codes=["SHIP"], total_limit=5, max_items=2, combinable=True)
    found = assert_matches("list-coupons", visitor.get("/carts/available-coupons"))["coupons"]
    assert len(found) == len(SHAPES) + 1
    for number, (_schema, type_, applies_to, details) in enumerate(SHAPES):
        coupon = next(coupon for coupon in found if coupon["coupon_code"] == [f"C{number}"])
        assert (coupon["coupon_type"], coupon["applies_to_product"], coupon["details"]) == (type_, applies_to, details)
        assert (coupon["application_rules"], coupon["redemption_limits"]) == (None, None)
    shipping = next(coupon for coupon in found if coupon["coupon_code"] == ["SHIP"])
    assert not {"details", "applies_to_product"} & set(shipping)
    assert shipping["application_rules"] == {"max_applicable_items": 2, "application_priority": "cheapest_first"}
    assert shipping["redemption_limits"]["total_redemptions"] == 5
    assert shipping["can_be_used_with_promotion"] is True


def test_every_shape_of_promotion_is_listed_but_fixed_prices(visitor: Api, offer: NewOffer) -> None:
    for number, (_schema, type_, applies_to, details) in enumerate(SHAPES):
        if type_ != "accelerated-rewards":
            offer("promotion", type_, applies_to=applies_to, details=details, name=f"P{number}")
    offer("promotion", "free-shipping", name="Ship")
    wanted = {
        f"P{number}" for number, shape in enumerate(SHAPES) if shape[1] not in ("accelerated-rewards", "fixed-price")
    }
    assert set(names(visitor)) == wanted | {"Ship"}
    older = assert_matches("list-offer-promotions", visitor.get("/offer/promotions"))["promotions"]
    assert {promotion["name"] for promotion in older} == wanted | {"Ship"}


def test_what_is_not_live_public_and_in_date_is_not_listed(store: Store, visitor: Api, offer: NewOffer) -> None:
    now = timezone.now()
    offer(codes=["LIVE"])
    offer(codes=["DRAFT"], live=False)
    offer(codes=["SECRET"], public=False)
    offer(codes=["LATER"], starts_at=now + timedelta(hours=1))
    stopped = offer(codes=["STOPPED"])
    services.stop_offer(store=store, offer_id=stopped.pk)
    ended = offer(codes=["ENDED"])
    Offer.objects.filter(pk=ended.pk).update(
        starts_at=now - timedelta(days=2), expires_at=now - timedelta(days=1), revision=9
    )
    services.touch(store_id=store.pk)
    assert codes(visitor) == ["LIVE"]


def test_an_ended_offer_is_not_listed_even_before_the_sweep(visitor: Api, offer: NewOffer) -> None:
    now = timezone.now()
    offer(codes=["ENDED"], starts_at=now - timedelta(days=1), expires_at=now + timedelta(seconds=1))
    offer(codes=["RUNS"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("promotions.views.timezone.now", lambda: now + timedelta(seconds=2))
        assert codes(visitor) == ["RUNS"]


def test_other_stores_offers_are_not_listed(other_store: Store, visitor: Api, offer: NewOffer) -> None:
    offer(store=other_store)
    offer("promotion", store=other_store)
    assert (codes(visitor), names(visitor)) == ([], [])


def test_generated_codes_are_nobody_elses_business(store: Store, visitor: Api, offer: NewOffer) -> None:
    made = offer(codes=["SHARED"])
    services.generate_codes(store=store, offer_id=made.pk, count=50, name="Mailing")
    only = offer(codes=["GONE"])
    services.generate_codes(store=store, offer_id=only.pk, count=5, name="Mailing")
    services.delete_codes(store=store, offer_id=only.pk, code_ids=[only.codes.get(batch=None).pk])
    assert codes(visitor) == ["SHARED"]


def test_a_coupon_of_many_codes_shows_some_of_them(visitor: Api, offer: NewOffer) -> None:
    offer(codes=[f"CODE{number:03d}" for number in range(60)])
    assert codes(visitor) == [f"CODE{number:03d}" for number in range(20)]


def test_the_header_steers_what_is_listed(store: Store, visitor: Api, offer: NewOffer) -> None:
    trade = CustomerGroup.objects.create(store=store, name="Trade", slug="trade")
    retail = CustomerGroup.objects.get(store=store, is_default=True)
    kernel.forget()
    offer(codes=["TRADE"], eligibility="group", audience=[trade.pk])
    offer(codes=["RETAIL"], eligibility="group", audience=[retail.pk])
    offer("promotion", name="Trade week", eligibility="group", audience=[trade.pk])
    assert (codes(visitor), names(visitor)) == (["RETAIL"], [])
    assert codes(visitor, X_Customer_Group_Id=trade.pk) == ["TRADE"]
    assert names(visitor, X_Customer_Group_Id=trade.pk) == ["Trade week"]
    assert codes(visitor, X_Customer_Group_Id="unknown") == ["RETAIL"]


def test_personal_coupons_are_listed_for_their_customers_only(
    store: Store, visitor: Api, offer: NewOffer, configure: Any
) -> None:
    configure(OTP_DEBUG=True)
    asha = shoppers.registered(store, "asha@example.com")
    customer_id = asha.get(f"/auth/user/{asha.user_id}").json()["content"]["user"]["customer_id"]
    offer(codes=["ASHA"], eligibility="customer", audience=[customer_id])
    offer(codes=["OTHER"], eligibility="customer", audience=["somebody"])
    offer(codes=["ONCE"], customer_limit=1)
    assert codes(visitor) == ["ONCE"]  # theirs as soon as they log in
    assert set(codes(asha)) == {"ASHA", "ONCE"}


def test_the_older_lists_have_a_row_for_each_code(visitor: Api, offer: NewOffer) -> None:
    offer(codes=["ONE", "TWO"], terms="No cash.\n\n One each. ", total_limit=7, tags=["sale"], description="Save!")
    offer("promotion", name="Week", details=TENTH, expires_at=timezone.now() + timedelta(days=1))
    rows = assert_matches("list-offer-coupons", visitor.get("/offer/coupons"))["coupons"]
    assert [row["code"] for row in rows] == ["ONE", "TWO"]
    assert rows[0]["terms_and_conditions"] == ["No cash.", "One each."]
    assert (rows[0]["has_redemption_limit"], rows[0]["redemption_limit"]) == (True, 7)
    assert "expires_at" not in rows[0]
    (week,) = assert_matches("list-offer-promotions", visitor.get("/offer/promotions"))["promotions"]
    assert (week["name"], week["has_redemption_limit"]) == ("Week", False)
    assert week["expires_at"]


@pytest.mark.parametrize(
    "path", ["/carts/available-coupons", "/carts/available-promotions", "/offer/coupons", "/offer/promotions"]
)
def test_the_lists_need_a_token(api: Api, path: str) -> None:
    assert_is_error(api.get(path), 401, "unauthorized")
    assert_is_error(api.get(path, X_Api_Key=api.key), 401)


def test_the_lists_cost_the_same_however_long_they_are(store: Store, visitor: Api, offer: NewOffer) -> None:
    def asked(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert visitor.get(path).status_code == 200
        return len(captured)

    offer(codes=["C0"], total_limit=9)
    offer("promotion", total_limit=9)
    for path in ("/carts/available-coupons", "/carts/available-promotions"):
        asked(path)  # the process learns the rules
    assert asked("/carts/available-coupons") == 3
    assert asked("/carts/available-promotions") == 2
    for number in range(1, 30):
        offer(codes=[f"C{number}"], total_limit=9)
        offer("promotion", total_limit=9)
    for path in ("/carts/available-coupons", "/carts/available-promotions"):
        asked(path)
    assert asked("/carts/available-coupons") == 3
    assert asked("/offer/coupons") == 3
    assert asked("/carts/available-promotions") == 2
    assert asked("/offer/promotions") == 2
