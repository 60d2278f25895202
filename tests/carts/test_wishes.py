"""What a cart holds beside its lines: coupon, points, credit, gift card, addresses, delivery.

The apps that keep these are tried in their own tests; here fakes answer for them (`tests.carts.fakes`).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from carts.models import Cart
from storefront import conf
from storefront import selectors as kernel
from storefront.contracts import Shopper, Sku
from storefront.models import Store
from tests.carts.conftest import body, make_shopper, quantities
from tests.carts.fakes import PLUGS, FakeCatalog, FakeOffers, FakeWallets
from tests.conftest import Api
from tests.contract import assert_is_error, assert_matches, problems

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.carts.urls")]
NewCart = Callable[..., Cart]
ADDRESS = {
    "first_name": "Asha",
    "last_name": None,
    "phone": "9876543210",
    "address_line1": "12 Lake Road",
    "pincode": "411001",
    "city": "Pune",
    "state": "maharashtra",
}


@pytest.fixture(autouse=True)
def _neighbours(_plugs: None, configure: Any) -> None:
    configure(**PLUGS)


@pytest.fixture
def buyer(store: Store) -> Shopper:
    """Somebody logged in."""
    return make_shopper(store, "buyer", is_logged_in=True, is_anonymous=False, customer_id="customer-1")


@pytest.fixture
def theirs(store: Store, buyer: Shopper, client_of: Any) -> Api:
    return client_of(store, buyer)  # type: ignore[no-any-return]


@pytest.fixture
def cart(store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart) -> Cart:
    """A visitor's: two of 118."""
    return new_cart(store, shopper, {tea: 2})


@pytest.fixture
def buyers_cart(store: Store, buyer: Shopper, tea: Sku, new_cart: NewCart) -> Cart:
    return new_cart(store, buyer, {tea: 2})


def shown(operation: str, response: Any) -> dict[str, Any]:
    return dict(assert_matches(operation, response)["cart"])


def read(api: Api, cart: Cart) -> dict[str, Any]:
    return shown("get-cart", api.get(f"/carts/{cart.pk}"))


# --- coupon ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("code", ["TEN", "ten", "  Ten\t", "ＴＥＮ"])
def test_a_coupon_is_applied_in_any_spelling(api: Api, cart: Cart, code: str) -> None:
    found = shown("apply-coupon", api.post(f"/carts/{cart.pk}/coupon", {"coupon_code": code}))
    assert (found["coupon_code"], found["is_coupon_applied"]) == ("TEN", True)
    assert (found["coupon_discount_amount"], found["coupon_savings"], found["coupon_discount_percent"]) == (
        *(23.6, 23.6, 10.0),
    )
    assert found["to_be_paid"] == 212.4
    assert found == read(api, cart)


@pytest.mark.parametrize(
    ("code", "error"), [("NONE", "coupon_not_found"), ("LOGIN", "coupon_needs_login"), ("BIG", "coupon_minimum")]
)
def test_a_coupon_that_does_not_count_is_refused_and_the_one_before_it_stays(
    api: Api, cart: Cart, code: str, error: str
) -> None:
    api.post(f"/carts/{cart.pk}/coupon", {"coupon_code": "TEN"})
    before = Cart.objects.values().get()
    assert_is_error(api.post(f"/carts/{cart.pk}/coupon", {"coupon_code": code}), 400, error, "coupon_code")
    assert Cart.objects.values().get() == before


def test_a_second_coupon_replaces_the_first(theirs: Api, buyers_cart: Cart) -> None:
    for code in ("TEN", "LOGIN"):
        found = shown("apply-coupon", theirs.post(f"/carts/{buyers_cart.pk}/coupon", {"coupon_code": code}))
        assert (found["coupon_code"], found["coupon_discount_amount"]) == (code, 23.6)


def test_a_coupon_is_removed_and_removing_none_does_no_harm(api: Api, cart: Cart) -> None:
    before = read(api, cart)
    api.post(f"/carts/{cart.pk}/coupon", {"coupon_code": "TEN"})
    for _time in range(2):
        found = shown("remove-coupon", api.delete(f"/carts/{cart.pk}/coupon"))
        assert {**found, "expires_at": ""} == {**before, "expires_at": ""}


def test_a_coupon_that_a_change_made_invalid_is_dropped_and_the_answer_says_why(
    api: Api, store: Store, cart: Cart, tea: Sku
) -> None:
    api.post(f"/carts/{cart.pk}/items", body(tea, 10))
    shown("apply-coupon", api.post(f"/carts/{cart.pk}/coupon", {"coupon_code": "BIG"}))
    answer = api.post(f"/carts/{cart.pk}/items", body(tea, 1))
    found = shown("update-cart", answer)
    assert "Add more for this coupon." in answer.json()["message"]
    assert (found["coupon_code"], found["is_coupon_applied"], found["to_be_paid"]) == (None, False, 118.0)
    assert Cart.objects.get().coupon_code == ""
    assert shown("update-cart", api.post(f"/carts/{cart.pk}/items", body(tea, 10)))["coupon_code"] is None


def test_a_coupon_that_lapsed_does_not_count_when_read_but_is_kept_until_the_next_write(
    api: Api, cart: Cart, tea: Sku
) -> None:
    api.post(f"/carts/{cart.pk}/coupon", {"coupon_code": "TEN"})
    FakeOffers.LAPSED.add("TEN")
    answer = api.get(f"/carts/{cart.pk}")
    assert (shown("get-cart", answer)["coupon_code"], shown("get-cart", answer)["to_be_paid"]) == (None, 236.0)
    assert "This coupon is not valid." in answer.json()["message"]
    assert Cart.objects.get().coupon_code == "TEN"
    FakeOffers.LAPSED.clear()
    assert read(api, cart)["is_coupon_applied"] is True


def test_a_change_that_is_refused_does_not_drop_the_coupon(api: Api, store: Store, cart: Cart, cup: Sku) -> None:
    api.post(f"/carts/{cart.pk}/coupon", {"coupon_code": "TEN"})
    FakeOffers.LAPSED.add("TEN")
    assert_is_error(api.post(f"/carts/{cart.pk}/items", body(cup, 11)), 400, "out_of_stock")
    assert Cart.objects.get().coupon_code == "TEN"


# --- points, credit, gift card --------------------------------------------------------------------------------------
def test_points_then_credit_then_a_gift_card_pay(theirs: Api, buyers_cart: Cart) -> None:
    path = f"/carts/{buyers_cart.pk}"
    found = shown("redeem-loyalty-points", theirs.post(f"{path}/loyalty-points", {"loyalty_point_redeemed": 36}))
    assert (found["loyalty_points_redeemed"], found["to_be_paid"], found["grand_total"]) == (36, 200.0, 236.0)
    found = shown("redeem-credit-balance", theirs.post(f"{path}/credit-balance", {"credit_balance_used": 120.5}))
    assert (found["credit_balance_used"], found["to_be_paid"]) == (120.5, 79.5)
    answer = theirs.post(f"{path}/gift-card", {"gift_card_code": " GIFT-1234 ", "pin": "7"})
    found = shown("redeem-gift-card", answer)
    assert (found["gift_card_amount"], found["gift_card_last4"], found["to_be_paid"]) == (50.0, "1234", 29.5)
    assert (found["other_savings"], found["total_savings"]) == (206.5, 206.5)
    content = answer.json()["content"]
    assert {name: content[name] for name in found} == found, "older clients read the cart's members beside it"
    assert found == read(theirs, buyers_cart)
    assert "GIFT" not in str(Cart.objects.values().get())
    for operation, name in (
        ("remove-loyalty-points", "loyalty-points"),
        ("remove-credit-balance", "credit-balance"),
        ("remove-gift-card", "gift-card"),
    ):
        for _time in range(2):
            found = shown(operation, theirs.delete(f"{path}/{name}"))
    assert (found["to_be_paid"], found["gift_card_last4"], found["other_savings"]) == (236.0, None, 0.0)


@pytest.mark.parametrize(
    ("name", "sent", "code", "field"),
    [
        ("loyalty-points", {"loyalty_point_redeemed": 101}, "insufficient_points", "loyalty_point_redeemed"),
        ("loyalty-points", {"loyalty_point_redeemed": 0}, "validation_error", "loyalty_point_redeemed"),
        ("loyalty-points", {"loyalty_point_redeemed": -3}, "validation_error", "loyalty_point_redeemed"),
        ("loyalty-points", {"loyalty_point_redeemed": 2.5}, "validation_error", "loyalty_point_redeemed"),
        ("loyalty-points", {"loyalty_point_redeemed": 10**18}, "validation_error", "loyalty_point_redeemed"),
        ("loyalty-points", {}, "validation_error", "loyalty_point_redeemed"),
        ("credit-balance", {"credit_balance_used": 500.01}, "insufficient_credit", "credit_balance_used"),
        ("credit-balance", {"credit_balance_used": 0.001}, "validation_error", "credit_balance_used"),
        ("credit-balance", {"credit_balance_used": 1e-300}, "validation_error", "credit_balance_used"),
        ("credit-balance", {"credit_balance_used": 1e18}, "validation_error", "credit_balance_used"),
        ("credit-balance", {"credit_balance_used": 0}, "validation_error", "credit_balance_used"),
        ("credit-balance", {"credit_balance_used": "5"}, "validation_error", "credit_balance_used"),
        ("credit-balance", {"credit_balance_used": True}, "validation_error", "credit_balance_used"),
        ("gift-card", {"gift_card_code": "GIFT-1234", "pin": "8"}, "invalid_gift_card", "gift_card_code"),
        ("gift-card", {"gift_card_code": "GIFT-1234"}, "invalid_gift_card", "gift_card_code"),
        ("gift-card", {"gift_card_code": "X", "pin": None}, "invalid_gift_card", "gift_card_code"),
        ("gift-card", {"gift_card_code": None}, "validation_error", "gift_card_code"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_and_changes_nothing(
    theirs: Api, buyers_cart: Cart, name: str, sent: Any, code: str, field: str
) -> None:
    before = Cart.objects.values().get()
    assert_is_error(theirs.post(f"/carts/{buyers_cart.pk}/{name}", sent), 400, code, field)
    assert Cart.objects.values().get() == before


@pytest.mark.parametrize("flags", [{}, {"is_anonymous": False}], ids=["visitor", "logged out"])
@pytest.mark.parametrize("name", ["loyalty-points", "credit-balance"])
def test_points_and_credit_need_a_login(
    store: Store, tea: Sku, new_cart: NewCart, client_of: Any, name: str, flags: Any
) -> None:
    guest = make_shopper(store, **flags)
    cart = new_cart(store, guest, {tea: 1})
    sent = {"loyalty_point_redeemed": 1, "credit_balance_used": 1}
    assert_is_error(client_of(store, guest).post(f"/carts/{cart.pk}/{name}", sent), 401, "login_required")
    assert (Cart.objects.get().points_asked, Cart.objects.get().credit_asked) == (0, 0)


def test_what_is_left_to_pay_caps_what_pays_and_grows_again_with_the_cart(
    theirs: Api, buyers_cart: Cart, tea: Sku
) -> None:
    path = f"/carts/{buyers_cart.pk}"
    found = shown("redeem-credit-balance", theirs.post(f"{path}/credit-balance", {"credit_balance_used": 500}))
    assert (found["credit_balance_used"], found["to_be_paid"]) == (236.0, 0.0)
    found = shown("update-cart", theirs.post(f"{path}/items", body(tea, 5)))
    assert (found["credit_balance_used"], found["to_be_paid"]) == (500.0, 90.0)


def test_wrong_gift_cards_are_counted_and_right_ones_are_not(
    api: Api, store: Store, cart: Cart, stranger: Shopper, client_of: Any, new_cart: NewCart, tea: Sku, configure: Any
) -> None:
    configure(LIMITS_ENABLED=True, LIMITS={"gift_card": "3/3600", "gift_card_network": "4/3600"})
    path = f"/carts/{cart.pk}/gift-card"
    right, wrong = {"gift_card_code": "GIFT-1234", "pin": "7"}, {"gift_card_code": "GIFT-9999", "pin": "7"}
    for _time in range(5):
        assert_matches("redeem-gift-card", api.post(path, right))
    for _time in range(3):
        assert_is_error(api.post(path, wrong), 400, "invalid_gift_card")
    asked = len(FakeWallets.asked)
    for sent in (wrong, right):
        refused = api.post(path, sent)
        assert_is_error(refused, 429, "too_many_requests")
        assert int(refused["Retry-After"]) > 0
    assert len(FakeWallets.asked) == asked, "nobody is asked any more"
    other = client_of(store, stranger)
    path = f"/carts/{new_cart(store, stranger, {tea: 1}).pk}/gift-card"
    assert_is_error(other.post(path, wrong), 400, "invalid_gift_card")
    assert_is_error(other.post(path, wrong), 429)


def test_codes_that_there_are_not_are_counted_and_other_refusals_are_not(
    api: Api, store: Store, cart: Cart, stranger: Shopper, client_of: Any, new_cart: NewCart, tea: Sku, configure: Any
) -> None:
    configure(LIMITS_ENABLED=True, LIMITS={"coupon": "3/3600", "coupon_network": "4/3600"})
    path = f"/carts/{cart.pk}/coupon"
    right, wrong = {"coupon_code": "TEN"}, {"coupon_code": "NONE"}
    for _time in range(5):
        assert_matches("apply-coupon", api.post(path, right))
        assert_is_error(api.post(path, {"coupon_code": "BIG"}), 400, "coupon_minimum")
        assert_is_error(api.post("/carts/NOBODYS/coupon", wrong), 404, "cart_not_found")
    for _time in range(3):
        assert_is_error(api.post(path, wrong), 400, "coupon_not_found")
    for sent in (wrong, right):
        refused = api.post(path, sent)
        assert_is_error(refused, 429, "too_many_requests")
        assert int(refused["Retry-After"]) > 0
    assert Cart.objects.get().coupon_code == "TEN", "what was there stays"
    other = client_of(store, stranger)
    path = f"/carts/{new_cart(store, stranger, {tea: 1}).pk}/coupon"
    assert_is_error(other.post(path, wrong), 400, "coupon_not_found")
    assert_is_error(other.post(path, wrong), 429)


def test_a_gift_card_on_a_foreign_cart_is_not_even_tried(
    store: Store, cart: Cart, stranger: Shopper, client_of: Any
) -> None:
    answer = client_of(store, stranger).post(f"/carts/{cart.pk}/gift-card", {"gift_card_code": "GIFT-1234", "pin": "7"})
    assert_is_error(answer, 404, "cart_not_found")
    assert FakeWallets.asked == []


def test_whatever_is_applied_and_removed_again_leaves_the_cart_as_it_was(
    theirs: Api, buyers_cart: Cart, tea: Sku, cup: Sku
) -> None:
    path = f"/carts/{buyers_cart.pk}"
    there_and_back: list[tuple[str, Any, str, Any]] = [
        ("coupon", {"coupon_code": "TEN"}, "DELETE", None),
        ("loyalty-points", {"loyalty_point_redeemed": 9}, "DELETE", None),
        ("credit-balance", {"credit_balance_used": 9.5}, "DELETE", None),
        ("gift-card", {"gift_card_code": "GIFT-1234", "pin": "7"}, "DELETE", None),
        ("items", body(cup, 3), "POST", body(cup, 0)),
        ("items", body(tea, 7), "POST", body(tea, 2)),
    ]
    for order in (there_and_back, there_and_back[::-1]):
        before = {**read(theirs, buyers_cart), "expires_at": ""}
        for name, sent, _method, _undo in order:
            assert theirs.post(f"{path}/{name}", sent).status_code == 200
        assert {**read(theirs, buyers_cart), "expires_at": ""} != before
        for name, _sent, method, undo in order:
            assert theirs.request(method, f"{path}/{name}", undo).status_code == 200
        assert {**read(theirs, buyers_cart), "expires_at": ""} == before


# --- addresses ------------------------------------------------------------------------------------------------------
def test_two_typed_addresses_are_cleaned_and_the_cart_is_priced_for_them(api: Api, cart: Cart) -> None:
    sent = {"billing_address": ADDRESS, "shipping_address": {**ADDRESS, "email": "asha@example.com", "id": "mine"}}
    found = shown("create-cart-address", api.post(f"/carts/{cart.pk}/address", sent))
    assert (found["billing_address"]["state"], found["billing_address"]["country"]) == ("Maharashtra", "India")
    assert (found["shipping_address"]["id"], found["shipping_address"]["is_phone_verified"]) == (None, False)
    assert found["status_error_message"] == "Please choose how you want to get your order."
    assert found == read(api, cart)


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({}, ["billing_address", "shipping_address"]),
        ({"billing_address": ADDRESS}, ["shipping_address"]),
        ({"billing_address_id": "1"}, ["shipping_address_id"]),
        ({"billing_address_id": "1", "shipping_address": ADDRESS}, ["shipping_address_id"]),
        (
            {"billing_address": {**ADDRESS, "pincode": "0"}, "shipping_address": {**ADDRESS, "phone": "1"}},
            ["billing_address.pincode", "shipping_address.phone"],
        ),
        (
            {"billing_address": {**ADDRESS, "city": None}, "shipping_address": ADDRESS},
            ["billing_address.city"],
        ),
        ({"billing_address": [], "shipping_address": "x"}, ["billing_address", "shipping_address"]),
    ],
)
def test_addresses_come_in_pairs_and_what_is_wrong_is_named(api: Api, cart: Cart, sent: Any, fields: list[str]) -> None:
    before = Cart.objects.values().get()
    answer = assert_is_error(api.post(f"/carts/{cart.pk}/address", sent), 400, "validation_error")
    assert {field.removesuffix(".non_field_errors") for field in answer["errors"]} == set(fields)
    assert Cart.objects.values().get() == before


def test_a_visitor_has_no_address_book(api: Api, cart: Cart) -> None:
    sent = {"billing_address_id": "1", "shipping_address_id": "2"}
    assert_is_error(api.post(f"/carts/{cart.pk}/address", sent), 404, "address_not_found")
    assert Cart.objects.get().billing_address is None


# --- delivery -------------------------------------------------------------------------------------------------------
def with_addresses(api: Api, cart: Cart, **changed: Any) -> None:
    sent = {"billing_address": ADDRESS, "shipping_address": {**ADDRESS, **changed}}
    assert_matches("create-cart-address", api.post(f"/carts/{cart.pk}/address", sent))


def test_a_cart_with_a_way_to_its_shopper_is_ready_and_says_what_it_costs(api: Api, cart: Cart) -> None:
    with_addresses(api, cart)
    options = assert_matches("get-fulfillment-options", api.post("/carts/fulfillment-options", {"cart_id": cart.pk}))
    chosen = [
        {"id": shipment["id"], "shipping_provider_id": shipment["shipping_methods"][0]["id"]}
        for shipment in options["deliver"]["shipments"]
    ]
    sent = {"fulfillment_type": "delivery", "shipments": chosen, "shipping_amount": 0}
    answer = api.post(f"/carts/{cart.pk}/fulfillment-preference", sent)
    found = shown("update-fulfillment-preference", answer)
    assert (found["status"], found["status_error_message"]) == ("ready-for-payment", None)
    assert found["fulfillment_preference"]["shipments"] == chosen
    assert (found["shipping_amount"], found["shipping_tax_amount"], found["to_be_paid"]) == (40.0, 7.2, 283.2)
    assert found == read(api, cart)


def test_a_way_that_ends_with_a_new_address_is_not_shown_and_the_cart_waits(api: Api, cart: Cart) -> None:
    with_addresses(api, cart)
    way = {"fulfillment_type": "delivery", "shipments": []}
    assert_matches("update-fulfillment-preference", api.post(f"/carts/{cart.pk}/fulfillment-preference", way))
    with_addresses(api, cart, pincode="600001", state="Tamil Nadu")
    found = read(api, cart)
    assert found["status"] == "not-ready-for-payment"
    assert "fulfillment_preference" not in found
    assert found["status_error_message"] == "We do not deliver there."


def test_goods_are_collected(api: Api, cart: Cart) -> None:
    with_addresses(api, cart)
    path = f"/carts/{cart.pk}/fulfillment-preference"
    wrong = {"fulfillment_type": "collect-in-store", "pickup_location_id": "S2"}
    assert_is_error(api.post(path, wrong), 400, "not_collectable", "pickup_location_id")
    assert Cart.objects.get().fulfillment is None
    found = shown("update-fulfillment-preference", api.post(path, {**wrong, "pickup_location_id": "S1"}))
    assert found["fulfillment_preference"]["pickup_location_name"] == "Shop"
    assert (found["status"], found["shipping_amount"]) == ("ready-for-payment", 0.0)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "fulfillment_type"),
        ({"fulfillment_type": "by-kite"}, "fulfillment_type"),
        ({"fulfillment_type": ["delivery"]}, "fulfillment_type"),
        ({"fulfillment_type": "delivery"}, "shipments"),
        ({"fulfillment_type": "delivery", "shipments": [{"id": "1"}]}, "shipments.0.shipping_provider_id"),
        ({"fulfillment_type": "collect-in-store"}, "pickup_location_id"),
        ({"fulfillment_type": "partial-collect-and-delivery", "delivery": {}}, "delivery.shipping_provider_id"),
    ],
)
def test_a_wish_for_delivery_that_makes_no_sense_is_refused(api: Api, cart: Cart, sent: Any, field: str) -> None:
    answer = api.post(f"/carts/{cart.pk}/fulfillment-preference", sent)
    assert_is_error(answer, 400, "validation_error", field)
    assert Cart.objects.get().fulfillment is None


def test_older_clients_ask_for_a_pincode_and_need_not_name_the_cart(api: Api, cart: Cart) -> None:
    for sent in ({"cart_id": cart.pk, "delivery_pincode": "411001"}, {"delivery_pincode": "411001"}):
        found = assert_matches("get-shipping-fulfillment-options", api.post("/shipping/fulfillment-options", sent))
        (method,) = found["deliver"]["shipping_methods"]
        assert method["id"] == "flat"
    found = assert_matches("get-shipping-fulfillment-options", api.post("/shipping/fulfillment-options", {}))
    assert found["deliver"]["shipping_methods"] == []
    assert_is_error(api.post("/shipping/fulfillment-options", {"delivery_pincode": "x"}), 400, field="delivery_pincode")


def test_goods_can_be_asked_about_in_a_cart_and_without_one(api: Api, cart: Cart, tea: Sku) -> None:
    for subject in ({"cart_id": cart.pk}, {"items": [{"product_id": "TEA", "variant_id": None}]}):
        for pincode, able in (("411001", True), ("600001", False), (None, True)):
            answer = api.post("/fulfillment/serviceability", {**subject, "delivery_pincode": pincode})
            found = assert_matches("check-fulfillment", answer)
            assert found["is_serviceable"] is able
            units = [item["unserviceable_quantity"] for item in found["unserviceable_items"]]
            assert units == ([] if able else [2 if "cart_id" in subject else 1])
    for sent in ({}, {"items": []}, {"items": None}, {"items": [None]}, {"items": [{}], "cart_id": cart.pk}):
        assert_is_error(api.post("/fulfillment/serviceability", sent), 400, "validation_error")


# --- offers ---------------------------------------------------------------------------------------------------------
def test_offers_are_told_with_what_keeps_some_from_counting(api: Api, cart: Cart) -> None:
    found = assert_matches("evaluate-coupons", api.get(f"/carts/{cart.pk}/evaluate-coupons"))
    assert [offer["id"] for offer in found["applicable_coupons"]] == ["1"]
    assert [offer["reason"] for offer in found["inapplicable_coupons"]] == ["Too small."]
    found = assert_matches("evaluate-promotions", api.get(f"/carts/{cart.pk}/evaluate-promotions"))
    assert found == {"applicable_promotions": [], "inapplicable_promotions": []}


# --- a shop without those apps --------------------------------------------------------------------------------------
@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, configure: Any) -> None:
    """No promotions, wallets or fulfillment installed."""
    configure(**{name: getattr(conf.Conf, name) for name in PLUGS})
    monkeypatch.setattr("storefront.plugs._installed", lambda path: path.startswith(("carts.", "accounts.")))


def test_a_shop_without_offers_wallets_and_delivery_answers_sensibly(
    alone: None, theirs: Api, buyers_cart: Cart
) -> None:
    path = f"/carts/{buyers_cart.pk}"
    before = Cart.objects.values().get()
    for name, sent, code in (
        ("coupon", {"coupon_code": "TEN"}, "coupon_not_found"),
        ("loyalty-points", {"loyalty_point_redeemed": 1}, "points_not_available"),
        ("credit-balance", {"credit_balance_used": 1}, "credit_not_available"),
        ("gift-card", {"gift_card_code": "GIFT-1234", "pin": "7"}, "invalid_gift_card"),
        (
            "fulfillment-preference",
            {"fulfillment_type": "delivery", "shipments": []},
            "fulfillment_not_available",
        ),
    ):
        assert_is_error(theirs.post(f"{path}/{name}", sent), 400, code)
    assert Cart.objects.values().get() == before
    found = assert_matches("evaluate-coupons", theirs.get(f"{path}/evaluate-coupons"))
    assert found == {"applicable_coupons": [], "inapplicable_coupons": []}
    asked = {"cart_id": buyers_cart.pk, "delivery_pincode": "411001"}
    assert assert_matches("check-fulfillment", theirs.post("/fulfillment/serviceability", asked)) == {
        "is_serviceable": False,
        "unserviceable_items": [],
    }
    options = assert_matches("get-fulfillment-options", theirs.post("/carts/fulfillment-options", asked))
    assert options["summary"]["deliver_available"] is False
    with_addresses(theirs, buyers_cart)
    assert read(theirs, buyers_cart)["status"] == "ready-for-payment", "nobody could choose a way of delivery"


# --- readiness ------------------------------------------------------------------------------------------------------
def test_a_store_without_guest_orders_tells_visitors_to_log_in(
    api: Api, theirs: Api, store: Store, cart: Cart, buyers_cart: Cart
) -> None:
    Store.objects.update(guest_orders=False)
    kernel.forget()
    with_addresses(api, cart)
    found = read(api, cart)
    assert (found["status"], found["status_error_message"]) == ("not-ready-for-payment", "Please log in to order.")
    assert read(theirs, buyers_cart)["status_error_message"] == "Please add a billing and a shipping address."


# --- everybody else -------------------------------------------------------------------------------------------------
WRITES = [
    ("POST", "coupon", {"coupon_code": "TEN"}),
    ("DELETE", "coupon", None),
    ("POST", "loyalty-points", {"loyalty_point_redeemed": 1}),
    ("DELETE", "loyalty-points", None),
    ("POST", "credit-balance", {"credit_balance_used": 1}),
    ("DELETE", "credit-balance", None),
    ("POST", "gift-card", {"gift_card_code": "GIFT-1234", "pin": "7"}),
    ("DELETE", "gift-card", None),
    ("POST", "address", {"billing_address": ADDRESS, "shipping_address": ADDRESS}),
    ("POST", "fulfillment-preference", {"fulfillment_type": "delivery", "shipments": []}),
]


@pytest.mark.parametrize(("method", "name", "sent"), WRITES)
def test_nobody_else_finds_the_cart_and_a_cart_that_ended_is_gone(
    theirs: Api, store: Store, cart: Cart, buyers_cart: Cart, method: str, name: str, sent: Any
) -> None:
    assert_is_error(theirs.request(method, f"/carts/{cart.pk}/{name}", sent), 404, "cart_not_found")
    Cart.objects.filter(pk=buyers_cart.pk).update(closed_at=buyers_cart.created_at)
    assert_is_error(theirs.request(method, f"/carts/{buyers_cart.pk}/{name}", sent), 404, "cart_not_found")
    Cart.objects.filter(pk=buyers_cart.pk).update(closed_at=None, expires_at=buyers_cart.created_at)
    assert_is_error(theirs.request(method, f"/carts/{buyers_cart.pk}/{name}", sent), 404, "cart_expired")


def test_members_that_are_not_the_clients_to_say_are_ignored(theirs: Api, buyers_cart: Cart) -> None:
    sent = {"coupon_code": "TEN", "points_asked": 9, "grand_total": 1, "user_id": "guest-1", "version": 99}
    found = shown("apply-coupon", theirs.post(f"/carts/{buyers_cart.pk}/coupon", sent))
    assert found["grand_total"] == 212.4
    row = Cart.objects.get()
    assert (row.points_asked, row.user_id, row.version) == (0, "buyer", 2)


def test_wishes_that_came_between_are_kept(
    theirs: Api, store: Store, buyer: Shopper, buyers_cart: Cart, tea: Sku
) -> None:
    """The competing write runs exactly while the catalogue is being asked."""
    path = f"/carts/{buyers_cart.pk}"

    def compete() -> None:
        assert theirs.post(f"{path}/credit-balance", {"credit_balance_used": 20}).status_code == 200
        assert theirs.post(f"{path}/items", body(tea, 3)).status_code == 200

    FakeCatalog.meanwhile.append(compete)
    found = shown("apply-coupon", theirs.post(f"{path}/coupon", {"coupon_code": "TEN"}))
    assert (found["credit_balance_used"], found["coupon_discount_amount"]) == (20.0, 35.4)
    assert (quantities(buyers_cart), Cart.objects.get().credit_asked) == ({tea: 3}, Decimal(20))


def test_a_coupon_that_a_write_in_between_made_invalid_is_refused(api: Api, cart: Cart, tea: Sku) -> None:
    api.post(f"/carts/{cart.pk}/items", body(tea, 10))
    FakeCatalog.meanwhile.append(lambda: api.post(f"/carts/{cart.pk}/items", body(tea, 1)))
    answer = api.post(f"/carts/{cart.pk}/coupon", {"coupon_code": "BIG"})
    assert_is_error(answer, 400, "coupon_minimum", "coupon_code")
    assert Cart.objects.get().coupon_code == ""


def test_the_gift_cards_members_beside_the_cart_break_no_contract(api: Api, cart: Cart) -> None:
    answer = api.post(f"/carts/{cart.pk}/gift-card", {"gift_card_code": "GIFT-1234", "pin": "7"})
    assert problems("redeem-gift-card", answer.json()) == []
