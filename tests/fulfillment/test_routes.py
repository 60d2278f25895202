"""Delivery as a client meets it: through carts, over the wire."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Api
from tests.contract import assert_is_error, assert_matches
from tests.fulfillment.conftest import BENGALURU, MUMBAI, World
from tests.fulfillment.fakes import BrokenRates

pytestmark = pytest.mark.django_db

PERSON = {
    "first_name": "Asha",
    "phone": "9876543210",
    "address_line1": "1 Road",
    "city": "Bengaluru",
    "state": "Karnataka",
    "pincode": BENGALURU,
    "country": "India",
}


@pytest.fixture
def cart_id(world: World, visitor: Api) -> str:
    """Two packets of tea, with an address in Bengaluru."""
    world.rate(amount="50", days=2)
    world.put("TEA")
    item = {"product_id": "TEA", "variant_id": None, "quantity": 2}
    cart = assert_matches("create-cart", visitor.post("/carts", {"items": [item]}))["cart"]
    addresses = {"billing_address": PERSON, "shipping_address": PERSON}
    assert visitor.post(f"/carts/{cart['id']}/address", addresses).status_code == 200
    return str(cart["id"])


def options(visitor: Api, cart_id: str) -> Any:
    response = visitor.post("/carts/fulfillment-options", {"cart_id": cart_id})
    return assert_matches("get-fulfillment-options", response)


def test_a_cart_becomes_ready_by_a_choice_and_waits_again_after_a_change(visitor: Api, cart_id: str) -> None:
    (shipment,) = options(visitor, cart_id)["deliver"]["shipments"]
    way = {"id": shipment["id"], "shipping_provider_id": shipment["shipping_methods"][0]["id"]}
    wish = {"fulfillment_type": "delivery", "shipments": [way]}
    response = visitor.post(f"/carts/{cart_id}/fulfillment-preference", wish)
    cart = assert_matches("update-fulfillment-preference", response)["cart"]
    assert (cart["status"], cart["shipping_amount"], cart["shipping_tax_amount"]) == ("ready-for-payment", 50, 9)
    assert cart["grand_total"] == 295
    assert cart["shipments"][0]["id"] == shipment["id"]
    item = {"product_id": "TEA", "variant_id": None, "quantity": 3}
    changed = assert_matches("update-cart", visitor.post(f"/carts/{cart_id}/items", item))["cart"]
    assert changed["status"] == "not-ready-for-payment" and changed["shipping_amount"] is None
    assert "choose the delivery again" in changed["status_error_message"]
    assert options(visitor, cart_id)["deliver"]["shipments"][0]["id"] != shipment["id"]
    response = visitor.post(f"/carts/{cart_id}/fulfillment-preference", wish)
    assert_is_error(response, 400, "shipments_changed", "shipments")


def test_a_refused_wish_changes_nothing(visitor: Api, cart_id: str) -> None:
    before = visitor.get(f"/carts/{cart_id}").json()
    wish = {"fulfillment_type": "collect-in-store", "pickup_location_id": "nowhere"}
    response = visitor.post(f"/carts/{cart_id}/fulfillment-preference", wish)
    assert_is_error(response, 400, "pickup_unavailable", "pickup_location_id")
    assert visitor.get(f"/carts/{cart_id}").json() == before


def test_collecting_makes_a_cart_ready(visitor: Api, cart_id: str, world: World) -> None:
    shop = world.location("Fort", MUMBAI, can_collect=True)
    world.put("TEA", {shop: 5})
    wish = {"fulfillment_type": "collect-in-store", "pickup_location_id": shop.pk}
    response = visitor.post(f"/carts/{cart_id}/fulfillment-preference", wish)
    cart = assert_matches("update-fulfillment-preference", response)["cart"]
    assert (cart["status"], cart["shipping_amount"], cart["grand_total"]) == ("ready-for-payment", 0, 236)
    assert cart["fulfillment_preference"]["pickup_location_name"] == "Fort"


def test_rates_that_fail_are_a_503_where_they_are_asked_for_and_no_failure_of_the_cart(
    visitor: Api, cart_id: str, configure: Any
) -> None:
    (shipment,) = options(visitor, cart_id)["deliver"]["shipments"]
    way = {"id": shipment["id"], "shipping_provider_id": shipment["shipping_methods"][0]["id"]}
    wish = {"fulfillment_type": "delivery", "shipments": [way]}
    assert visitor.post(f"/carts/{cart_id}/fulfillment-preference", wish).status_code == 200
    configure(SHIPPING_RATES=f"{BrokenRates.__module__}.BrokenRates")
    assert_is_error(visitor.post("/carts/fulfillment-options", {"cart_id": cart_id}), 503)
    older = {"cart_id": cart_id, "delivery_pincode": BENGALURU}
    assert_is_error(visitor.post("/shipping/fulfillment-options", older), 503)
    assert_is_error(visitor.post("/fulfillment/serviceability", older), 503)
    cart = assert_matches("get-cart", visitor.get(f"/carts/{cart_id}"))["cart"]
    assert cart["status"] == "not-ready-for-payment" and cart["shipping_amount"] is None
    assert "cannot tell what delivery costs" in cart["status_error_message"]


def test_serviceability_by_cart_and_by_items(visitor: Api, cart_id: str) -> None:
    body = {"delivery_pincode": BENGALURU, "cart_id": cart_id}
    found = assert_matches("check-fulfillment", visitor.post("/fulfillment/serviceability", body))
    assert found == {"is_serviceable": True, "unserviceable_items": []}
    items = [{"product_id": "TEA", "variant_id": None}, {"product_id": "NO-SUCH", "variant_id": None}]
    response = visitor.post("/fulfillment/serviceability", {"delivery_pincode": BENGALURU, "items": items})
    found = assert_matches("check-fulfillment", response)
    assert [row["product_id"] for row in found["unserviceable_items"]] == ["NO-SUCH"]
    response = visitor.post("/fulfillment/serviceability", {**body, "delivery_pincode": "12"})
    assert_is_error(response, 400, "validation_error", "delivery_pincode")
