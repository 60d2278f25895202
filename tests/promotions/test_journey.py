"""The demo's coupons on a cart of the demo's products, through the API."""

from __future__ import annotations

from typing import Any

import pytest

from catalog import demo as catalog
from promotions import demo
from storefront.models import Store
from tests.conftest import Api
from tests.contract import assert_is_error, assert_matches

pytestmark = pytest.mark.django_db

# What each code saves on two tawas of 1,150, where the cart has nothing else.
SAVINGS = {
    "DISCOUNT10": 230,
    "FLAT100": 100,
    "FREEGOODS": 2300,
    "FIXED99": 1051,
    "FREESHIP": 0,
    "BXGY": 575,
    "VOLUME": 115,
    "REWARDS": 0,
    "LIMIT5": 115,
}


@pytest.fixture
def shop(store: Store, visitor: Api) -> Api:
    catalog.build(store=store, pictures=False)
    demo.build(store=store, user_id="u", customer_id="c")
    return visitor


def product(api: Api, sku: str) -> str:
    found: str = api.get(f"/catalog/skus?limit=1&sku={sku}").json()["content"]["skus"][0]["product_id"]
    return found


def cart_of(api: Api, **wanted: int) -> dict[str, Any]:
    items = [
        {"product_id": product(api, sku.replace("_", "-")), "variant_id": None, "quantity": quantity}
        for sku, quantity in wanted.items()
    ]
    found: dict[str, Any] = assert_matches("create-cart", api.post("/carts", {"items": items}))["cart"]
    return found


def test_every_demo_coupon_works_and_the_next_replaces_it(shop: Api) -> None:
    cart = cart_of(shop, TAWA_26=2)
    assert cart["promotion_savings"] == 0
    for code, saving in SAVINGS.items():
        answer = shop.post(f"/carts/{cart['id']}/coupon", {"coupon_code": f" {code.lower()} "})
        after = assert_matches("apply-coupon", answer)["cart"]
        assert (after["coupon_code"], after["coupon_savings"]) == (code, saving), code
        assert sum(row["savings"] for row in after["applied_coupons"]) == saving
        assert [row["coupon_type"] for row in after["applied_coupons"]]
        gifts = [item for item in after["cart_items"] if item["is_free_item"]]
        assert [item["free_quantity"] for item in gifts] == ([2] if code == "FREEGOODS" else [])
    assert_matches("remove-coupon", shop.delete(f"/carts/{cart['id']}/coupon"))
    after = assert_matches("get-cart", shop.get(f"/carts/{cart['id']}"))["cart"]
    assert (after["coupon_code"], after["coupon_savings"], after["grand_total"]) == (None, 0, cart["grand_total"])


def test_an_unknown_code_changes_nothing(shop: Api) -> None:
    cart = cart_of(shop, TAWA_26=1)
    shop.post(f"/carts/{cart['id']}/coupon", {"coupon_code": "DISCOUNT10"})
    refused = shop.post(f"/carts/{cart['id']}/coupon", {"coupon_code": "NOPE"})
    assert_is_error(refused, 400, "coupon_not_found", "coupon_code")
    after = assert_matches("get-cart", shop.get(f"/carts/{cart['id']}"))["cart"]
    assert after["coupon_code"] == "DISCOUNT10"


def test_the_promoted_product_and_a_coupon_go_together(shop: Api) -> None:
    cart = cart_of(shop, CANDLE_MOGRA=1, TAWA_26=1)
    assert (cart["promotion_savings"], cart["applied_promotions"][0]["product_name"]) == (64, "Mogra candle")
    for item in cart["cart_items"]:
        shown = shop.get(f"/catalog/products/{item['product_id']}").json()["content"]["product"]
        assert item["on_promotion"] == shown["on_promotion"] == (item["product_name"] == "Mogra candle")
    after = assert_matches("apply-coupon", shop.post(f"/carts/{cart['id']}/coupon", {"coupon_code": "DISCOUNT10"}))[
        "cart"
    ]
    assert (after["promotion_savings"], after["coupon_savings"]) == (64, 172.6)  # a tenth of 576 and 1,150


def test_what_fits_and_what_to_add_is_told(shop: Api) -> None:
    cart = cart_of(shop, TAWA_26=1)
    found = assert_matches("evaluate-coupons", shop.get(f"/carts/{cart['id']}/evaluate-coupons"))
    fits = {coupon["coupon_code"][0]: coupon["estimated_discount"] for coupon in found["applicable_coupons"]}
    assert set(fits) == set(SAVINGS) - {"BXGY"}
    assert [coupon["suggestion"] for coupon in found["inapplicable_coupons"]] == ["Add 1 more of Cast-iron tawa."]
    promotions = assert_matches("evaluate-promotions", shop.get(f"/carts/{cart['id']}/evaluate-promotions"))
    assert [row["suggestion"] for row in promotions["inapplicable_promotions"]] == ["Add 1 more of Mogra candle."]
