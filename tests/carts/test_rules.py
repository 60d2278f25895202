"""What may be put into a cart, at its edges (D-20), and what a cart shows when the shop changes afterwards."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from carts import rules, serializers
from carts.models import Cart
from carts.selectors import PricedCart, cart_detail
from storefront.contracts import Shopper, Sku
from storefront.models import Store
from storefront.pricing import Problem, Quote
from tests.carts.conftest import body, make_shopper, quantities
from tests.carts.fakes import FakeCatalog
from tests.conftest import Api
from tests.contract import assert_component, assert_is_error, assert_matches

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.carts.urls")]
NewCart = Callable[..., Cart]

EDGES = [
    ({"min_quantity": 2}, 1, "below_minimum"),
    ({"min_quantity": 2}, 2, ""),
    ({"max_quantity": 5}, 5, ""),
    ({"max_quantity": 5}, 6, "above_maximum"),
    ({"min_quantity": 2, "step": 2}, 3, "wrong_step"),
    ({"min_quantity": 2, "step": 2}, 4, ""),
    ({"min_quantity": 2, "step": 3}, 5, ""),  # counted from the minimum
    ({"min_quantity": 2, "step": 3}, 6, "wrong_step"),
    ({"min_quantity": 1, "max_quantity": 7, "step": 5}, 6, ""),
    ({"min_quantity": 1, "max_quantity": 7, "step": 5}, 11, "above_maximum"),
    ({"available": 4}, 4, ""),
    ({"available": 4}, 5, "out_of_stock"),
    ({"available": 0}, 1, "out_of_stock"),
    ({"available": 0, "min_quantity": 2}, 1, "out_of_stock"),
    ({"available": -3}, 1, "out_of_stock"),
    ({"available": None}, 1_000_000, ""),
    ({"available": 0, "backorder": True}, 9, ""),
    ({"available": 0, "backorder": True, "max_quantity": 5}, 9, "above_maximum"),
]


@pytest.mark.parametrize(("facts", "quantity", "code"), EDGES)
def test_a_rule_decides_at_its_edge(
    api: Api,
    store: Store,
    shopper: Shopper,
    tea: Sku,
    new_cart: NewCart,
    facts: dict[str, Any],
    quantity: int,
    code: str,
) -> None:
    sku = FakeCatalog.put(store.pk, "RULED", "A", **facts)
    cart = new_cart(store, shopper, {tea: 1})
    changed = api.post(f"/carts/{cart.pk}/items", body(sku, quantity))
    created = api.post("/carts", {"items": [body(tea, 1), body(sku, quantity)]})
    if code:
        assert_is_error(changed, 400, code, field="quantity")
        assert_is_error(created, 400, code, field="items.1.quantity")
        assert quantities(cart) == {tea: 1}
        assert Cart.objects.count() == 1
    else:
        assert_matches("update-cart", changed)
        assert_matches("create-cart", created)
        assert quantities(cart) == {tea: 1, sku: quantity}


@pytest.mark.parametrize("sku", [Sku("NONE"), Sku("CUP", "BLUE"), Sku("TEA", "RED"), Sku("GONE")])
def test_what_the_catalogue_does_not_sell_is_not_found(
    api: Api, store: Store, shopper: Shopper, tea: Sku, cup: Sku, new_cart: NewCart, sku: Sku
) -> None:
    FakeCatalog.put(store.pk, "GONE", active=False)
    cart = new_cart(store, shopper, {tea: 1})
    assert_is_error(api.post(f"/carts/{cart.pk}/items", body(sku, 1)), 404, "product_not_found")
    assert_is_error(api.post("/carts", {"items": [body(tea, 1), body(sku, 1)]}), 404, "product_not_found")
    assert quantities(cart) == {tea: 1}
    assert Cart.objects.count() == 1


def test_a_product_with_variants_needs_one(
    api: Api, store: Store, shopper: Shopper, tea: Sku, cup: Sku, new_cart: NewCart
) -> None:
    FakeCatalog.put(store.pk, "CUP", needs_variant=True)
    cart = new_cart(store, shopper, {tea: 1})
    response = api.post(f"/carts/{cart.pk}/items", body(Sku("CUP"), 1))
    assert_is_error(response, 400, "variant_required", field="variant_id")
    response = api.post("/carts", {"items": [body(Sku("CUP"), 1)]})
    assert_is_error(response, 400, "variant_required", field="items.0.variant_id")
    assert quantities(cart) == {tea: 1}


def test_rules_of_other_lines_do_not_block_a_write(
    api: Api, store: Store, shopper: Shopper, tea: Sku, cup: Sku, new_cart: NewCart
) -> None:
    cart = new_cart(store, shopper, {tea: 1, cup: 5})
    FakeCatalog.put(store.pk, "CUP", "RED", available=1)
    assert_matches("update-cart", api.post(f"/carts/{cart.pk}/items", body(tea, 2)))
    assert quantities(cart) == {tea: 2, cup: 5}


def test_a_stale_line_can_be_lowered_to_what_is_left(
    api: Api, store: Store, shopper: Shopper, cup: Sku, new_cart: NewCart
) -> None:
    cart = new_cart(store, shopper, {cup: 5})
    FakeCatalog.put(store.pk, "CUP", "RED", available=2)
    assert_is_error(api.post(f"/carts/{cart.pk}/items", body(cup, 4)), 400, "out_of_stock")
    assert_matches("update-cart", api.post(f"/carts/{cart.pk}/items", body(cup, 2)))


# --- reads ----------------------------------------------------------------------------------------------------------
def test_a_read_shows_todays_price(api: Api, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart) -> None:
    cart = new_cart(store, shopper, {tea: 2})
    FakeCatalog.put(store.pk, "TEA", price="59")
    read = assert_matches("get-cart", api.get(f"/carts/{cart.pk}"))["cart"]
    assert (read["cart_items"][0]["selling_price"], read["grand_total"]) == (59.0, 118.0)


STALE = [
    ({"available": 2}, False, "There are not enough units of Product CUP left."),
    ({"available": 0}, False, "There are not enough units of Product CUP left."),
    ({"active": False}, False, "Product CUP is no longer available."),
    ({"needs_variant": True}, False, "Product CUP is no longer available."),
    ({"min_quantity": 4}, True, "Product CUP cannot be ordered in this quantity."),
    ({"max_quantity": 2}, True, "Product CUP cannot be ordered in this quantity."),
    ({"step": 3}, True, "Product CUP cannot be ordered in this quantity."),
]


@pytest.mark.parametrize(("facts", "in_stock", "message"), STALE)
def test_a_line_that_cannot_be_bought_stays_visible_and_blocks_payment(
    api: Api,
    store: Store,
    shopper: Shopper,
    tea: Sku,
    cup: Sku,
    new_cart: NewCart,
    facts: dict[str, Any],
    in_stock: bool,
    message: str,
) -> None:
    cart = new_cart(store, shopper, {tea: 1, cup: 3})
    FakeCatalog.put(store.pk, "CUP", "RED", price="59", **facts)
    read = assert_matches("get-cart", api.get(f"/carts/{cart.pk}"))["cart"]
    line = read["cart_items"][1]
    assert (line["product_id"], line["quantity"], line["stock_available"]) == ("CUP", 3, in_stock)
    assert read["cart_items"][0]["stock_available"] is True
    assert (read["status"], read["status_error_message"]) == ("not-ready-for-payment", message)


def test_a_line_that_the_catalogue_forgot_stays_visible_and_costs_nothing(
    api: Api, store: Store, shopper: Shopper, tea: Sku, cup: Sku, new_cart: NewCart
) -> None:
    cart = new_cart(store, shopper, {cup: 3, tea: 1})
    del FakeCatalog.shelf[store.pk, cup]
    read = assert_matches("get-cart", api.get(f"/carts/{cart.pk}"))["cart"]
    gone = read["cart_items"][0]
    assert (gone["product_id"], gone["variant_id"], gone["quantity"]) == ("CUP", "RED", 3)
    assert gone["stock_available"] is False
    assert gone["product_name"] == "No longer available"
    assert read["grand_total"] == 118.0
    assert read["status_error_message"] == "An item is no longer available."


def test_a_physical_cart_waits_for_an_address_and_then_for_delivery(
    api: Api, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart
) -> None:
    cart = new_cart(store, shopper, {tea: 1})
    read = api.get(f"/carts/{cart.pk}").json()["content"]["cart"]
    assert read["status"] == "not-ready-for-payment"
    assert read["status_error_message"] == "Please add a billing and a shipping address."
    Cart.objects.update(billing_address={"city": "Pune"}, shipping_address={"city": "Pune"})
    read = api.get(f"/carts/{cart.pk}").json()["content"]["cart"]
    assert read["status_error_message"] == "Please choose how you want to get your order."


def test_a_cart_with_everything_is_ready(store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart) -> None:
    cart = new_cart(store, shopper, {tea: 1})
    Cart.objects.update(billing_address={"city": "Pune"}, shipping_address={"city": "Pune"})
    priced = cart_detail(store=store, shopper=shopper, cart_id=cart.pk, now=cart.created_at)
    delivery = {"fulfillment_type": "delivery", "shipments": []}
    quote = priced.quote._replace(fulfillment=delivery, shipping_cost=Decimal(50), shipping_tax=Decimal(9))
    shown = serializers.cart(PricedCart(priced.cart, quote), shopper=shopper)
    assert (shown["status"], shown["status_error_message"]) == ("ready-for-payment", None)
    assert shown["fulfillment_preference"] == delivery
    assert (shown["shipping_amount"], shown["shipping_amount_including_tax"]) == (50.0, 59.0)
    assert (shown["total_tax"], shown["grand_total"]) == (27.0, 177.0)


def test_a_cart_of_digital_goods_is_ready_at_once(api: Api, store: Store) -> None:
    sku = FakeCatalog.put(store.pk, "BOOK", product_type="digital")
    cart = assert_matches("create-cart", api.post("/carts", {"items": [body(sku, 1)]}))["cart"]
    assert (cart["status"], cart["status_error_message"]) == ("ready-for-payment", None)


def test_a_problem_without_a_text_of_its_own_is_still_told() -> None:
    assert rules.problem_text(Problem("from_a_step")) == "This cart cannot be paid yet."


def test_a_percent_sign_in_a_name_does_no_harm(api: Api, store: Store, shopper: Shopper, new_cart: NewCart) -> None:
    sku = FakeCatalog.put(store.pk, "P", product_name="100% wool %(x)s", available=5)
    cart = new_cart(store, shopper, {sku: 5})
    FakeCatalog.put(store.pk, "P", product_name="100% wool %(x)s", available=1)
    read = assert_matches("get-cart", api.get(f"/carts/{cart.pk}"))["cart"]
    assert read["status_error_message"] == "There are not enough units of 100% wool %(x)s left."


# --- prices ---------------------------------------------------------------------------------------------------------
def test_prices_are_those_of_the_tokens_group_and_never_the_headers(store: Store, tea: Sku, client_of: Any) -> None:
    FakeCatalog.groups[store.pk, tea, "wholesale"] = Decimal(59)
    FakeCatalog.groups[store.pk, tea, "retail"] = Decimal(236)
    retail = client_of(store, make_shopper(store, "r", group_id="retail"))
    wholesale = client_of(store, make_shopper(store, "w", group_id="wholesale"))
    for client, total in ((retail, 236.0), (wholesale, 59.0)):
        cart = client.post("/carts", {"items": [body(tea, 1)]}, x_customer_group_id="wholesale")
        content = assert_matches("create-cart", cart)["cart"]
        assert content["grand_total"] == total
        again = client.get(f"/carts/{content['id']}", x_customer_group_id="wholesale").json()
        assert again["content"]["cart"]["grand_total"] == total


def test_handling_has_its_own_tax_and_adds_up(api: Api, store: Store) -> None:
    sku = FakeCatalog.put(
        store.pk,
        "BOX",
        price="100",
        tax_rate="12",
        price_including_tax=False,
        handling_charge=Decimal("7.555"),
        handling_tax_rate=Decimal(18),
    )
    cart = assert_matches("create-cart", api.post("/carts", {"items": [body(sku, 3)]}))["cart"]
    line = cart["cart_items"][0]
    assert (cart["subtotal"], cart["items_tax_amount"]) == (300.0, 36.0)
    assert cart["handling_charge_excluding_tax"] == line["handling_charge_excluding_tax"] == 22.67
    assert (cart["handling_charge_tax_amount"], line["handling_charge_tax_rate"]) == (4.08, 18.0)
    assert cart["handling_charge_including_tax"] == line["handling_charge_including_tax"] == 26.75
    assert (cart["total_tax"], cart["grand_total"]) == (40.08, 362.75)


def test_an_item_shows_what_the_catalogue_says_of_it(api: Api, store: Store) -> None:
    details = {
        "associated_options": {"size": {"name": "Size", "type": "single-select", "value": "M"}},
        "attributes": [{"id": "1", "name": "Leaf", "key": "leaf", "type": "text", "value": "whole"}],
        "on_promotion": True,
    }
    sku = FakeCatalog.put(
        store.pk,
        "SHIRT",
        "M",
        min_quantity=2,
        max_quantity=8,
        step=2,
        available=8,
        details=details,
        image_url="https://example.com/shirt.jpg",
    )
    cart = assert_matches("create-cart", api.post("/carts", {"items": [body(sku, 2)]}))["cart"]
    line = cart["cart_items"][0]
    assert_component("CartItem", line)
    assert (line["min_order_quantity"], line["max_order_quantity"], line["incremental_quantity"]) == (2, 8, 2)
    assert line["associated_options"] == details["associated_options"]
    assert line["attributes"] == details["attributes"]
    assert (line["on_promotion"], line["on_subscription"], line["subscriptions"]) == (True, False, None)
    assert (line["listing_price"], line["selling_price"], line["selling_price_excluding_tax"]) == (128.0, 118.0, 100.0)
    assert (line["tax_rate"], line["tax_amount"]) == (18.0, 36.0)


# --- personal data --------------------------------------------------------------------------------------------------
ADDRESS = {
    "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "first_name": "Asha",
    "last_name": "Rao",
    "country_code": "+91",
    "phone": "9876543210",
    "email": "asha@example.com",
    "address_line1": "12 Lake Road",
    "address_line2": None,
    "landmark": "Temple",
    "pincode": "411001",
    "city": "Pune",
    "state": "Maharashtra",
    "country": "India",
    "tax_identification_number": "27AAPFU0939F1ZV",
    "business_name": "Asha Teas",
    "is_default_billing": False,
    "is_default_shipping": False,
    "is_phone_verified": True,
    "is_email_verified": True,
    "nickname": "Home",
}


@pytest.mark.parametrize(
    ("flags", "masked"),
    [
        ({"is_logged_in": True, "is_anonymous": False, "customer_id": "guest-1"}, False),
        ({"is_logged_in": False, "is_anonymous": True}, False),
        ({"is_logged_in": False, "is_anonymous": False}, True),
    ],
)
def test_a_logged_out_shopper_sees_the_cart_without_who_it_is_for(
    store: Store, tea: Sku, new_cart: NewCart, client_of: Any, flags: dict[str, Any], masked: bool
) -> None:
    shopper = make_shopper(store, **flags)
    cart = new_cart(store, shopper, {tea: 1}, customer_note="For Asha")
    Cart.objects.update(billing_address=ADDRESS, shipping_address=ADDRESS)
    response = client_of(store, shopper).get(f"/carts/{cart.pk}")
    read = assert_matches("get-cart", response)["cart"]
    if not masked:
        assert read["shipping_address"] == read["billing_address"] == ADDRESS
        assert read["customer_note"] == "For Asha"
        return
    assert read["shipping_address"]["city"] == "Pune"
    assert read["customer_note"] is None
    for secret in ("Asha", "Rao", "98765432", "asha@", "Lake", "Temple", "27AAPFU", "Home", ADDRESS["id"]):
        assert str(secret) not in response.content.decode()


def test_masking_survives_an_address_of_which_little_is_known() -> None:
    assert serializers.address({"first_name": ""}, masked=True) == {
        "first_name": None,
        "last_name": None,
        "id": None,
        "phone": "0000000000",
        "email": "",
    }
    assert serializers.address(None, masked=True) is None


def test_a_quote_without_lines_has_totals_of_zero(store: Store) -> None:
    assert set(Quote(store_id=store.pk, currency=store.currency).totals()) == {Decimal(0)}
