"""What a cart of 50 lines costs in statements with everything installed: promotions, a coupon, points, credit, a gift
card, delivery (R-29). The shop is as large as it gets: 1,000 live promotions, an account, a book of addresses.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from carts.models import Cart
from fulfillment.models import ShippingMethod, ShippingZone, ZoneRate
from promotions import services as promotions
from promotions.models import Offer
from storefront.ids import new_id
from storefront.models import Store
from tests.api import shoppers
from tests.catalog.factories import make_product
from tests.conftest import Api
from tests.contract import assert_matches
from wallets.models import Programme
from wallets.services import credit, gift_cards, loyalty

pytestmark = pytest.mark.django_db(transaction=True)
READ, CHANGE = 8, 14
LINES, OFFERS = 50, 1000
ADDRESS = {
    "first_name": "Asha",
    "last_name": "Rao",
    "phone": "9876543210",
    "address_line1": "12 Lake Road",
    "pincode": "411001",
    "city": "Pune",
    "state": "Maharashtra",
}


@pytest.fixture(autouse=True)
def _real(_plugs: None, configure: Any) -> None:
    configure(
        CATALOG="catalog.plugs.DefaultCatalog",
        SHOPPER="accounts.plugs.TokenShoppers",
        OTP_DEBUG=True,
        STORE_CACHE_SECONDS=3600,
    )


def offer_rules(store: Store) -> None:
    """Ten percent off, a thousand times over, each for carts of another size; and a coupon."""
    tenth = {"discount_type": "percentage", "discount_percent": 10}
    made = promotions.create_offer(store=store, kind="promotion", type="discount", name="Ten", details=tenth)
    promotions.publish_offer(store=store, offer_id=made.pk, now=timezone.now() - timedelta(minutes=1))
    row = Offer.objects.get(pk=made.pk)
    copies = []
    for number in range(OFFERS - 1):
        copy = Offer(**{field.attname: getattr(row, field.attname) for field in Offer._meta.concrete_fields})
        copy.pk, copy.name, copy.minimum_order_total = new_id(), f"Ten {number}", Decimal(number)
        copies.append(copy)
    Offer.objects.bulk_create(copies)
    coupon = promotions.create_offer(
        store=store, kind="coupon", type="discount", name="Save", details=tenth, codes=["SAVE"],
        combinable=True,
    )  # fmt: skip
    promotions.publish_offer(store=store, offer_id=coupon.pk, now=timezone.now() - timedelta(minutes=1))
    promotions.touch(store_id=store.pk)


def send_for(store: Store, amount: str) -> None:
    zone = ShippingZone.objects.create(store=store, name="India", pincodes="")
    method = ShippingMethod.objects.create(store=store, name="Post", kind="flat")
    ZoneRate.objects.create(store=store, zone=zone, method=method, amount=Decimal(amount))


class Shop:
    def __init__(self, api: Api, cart_id: str, goods: list[str], card: Any) -> None:
        self.api, self.path, self.goods, self.card = api, f"/carts/{cart_id}", goods, card
        self.cart_id = cart_id

    def item(self, number: int, quantity: int) -> dict[str, Any]:
        return {"product_id": self.goods[number], "variant_id": None, "quantity": quantity}


@pytest.fixture
def shop(store: Store) -> Shop:
    goods = [make_product(store, price=str(100 + number), on_hand=1000).pk for number in range(LINES + 1)]
    offer_rules(store)
    send_for(store, "60")
    Programme.objects.create(store=store, base_tier="Silver", active=True)
    api = shoppers.registered(store, "asha@example.com")
    customer_id = User.objects.get(pk=api.user_id).customer_id
    credit.grant(store=store, customer_id=customer_id, amount=Decimal(500))
    loyalty.give_bonus(store=store, customer_id=customer_id, points=500, owner="start")
    card = gift_cards.issue(store=store, amount=Decimal(300))
    items = [{"product_id": pk, "variant_id": None, "quantity": 1} for pk in goods[:LINES]]
    cart = assert_matches("create-cart", api.post("/carts", {"items": items}))["cart"]
    return Shop(api, cart["id"], goods, card)


def delivery(shop: Shop) -> dict[str, Any]:
    options = assert_matches(
        "get-fulfillment-options", shop.api.post("/carts/fulfillment-options", {"cart_id": shop.cart_id})
    )
    shipments = [
        {"id": parcel["id"], "shipping_provider_id": parcel["shipping_methods"][0]["id"]}
        for parcel in options["deliver"]["shipments"]
    ]
    return {"fulfillment_type": "delivery", "shipments": shipments}


def filled(shop: Shop) -> None:
    """Everything that a cart can hold, one after the other."""
    for name, sent in (
        ("address", {"billing_address": ADDRESS, "shipping_address": ADDRESS}),
        ("coupon", {"coupon_code": "SAVE"}),
        ("loyalty-points", {"loyalty_point_redeemed": 100}),
        ("credit-balance", {"credit_balance_used": 100}),
        ("gift-card", {"gift_card_code": shop.card.code}),
        ("fulfillment-preference", None),
    ):
        answer = shop.api.post(f"{shop.path}/{name}", delivery(shop) if sent is None else sent)
        assert answer.status_code == 200, answer.content


def cost(call: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer = call()
    assert answer.status_code == 200, answer.content
    for query in captured.captured_queries:
        print(query["sql"][:160])  # shown when the budget breaks
    return len(captured)


def test_a_cart_with_everything_in_it_stays_within_its_budget(shop: Shop) -> None:
    api, path = shop.api, shop.path
    filled(shop)
    read = assert_matches("get-cart", api.get(path))["cart"]
    assert (len(read["cart_items"]), read["status"]) == (LINES, "ready-for-payment")
    for name in ("coupon_discount_amount", "promotion_discount_amount", "credit_balance_used", "gift_card_amount"):
        assert read[name] > 0, name
    assert (read["loyalty_points_redeemed"], read["shipping_amount"]) == (100, 60.0)
    assert cost(lambda: api.get(path)) <= READ
    assert cost(lambda: api.get(f"/carts/users/{api.user_id}")) <= READ
    customer = User.objects.get(pk=api.user_id).customer_id
    book = f"/customers/{customer}/addresses"
    first, second = (api.post(book, ADDRESS).json()["content"]["address"]["id"] for _number in range(2))
    costs = {
        name: cost(call)
        for name, call in {
            "change": lambda: api.post(f"{path}/items", shop.item(0, 2)),
            "add": lambda: api.post(f"{path}/items", shop.item(LINES, 1)),
            "remove": lambda: api.post(f"{path}/items", shop.item(LINES, 0)),
            "coupon": lambda: api.post(f"{path}/coupon", {"coupon_code": "save"}),
            "points": lambda: api.post(f"{path}/loyalty-points", {"loyalty_point_redeemed": 50}),
            "credit": lambda: api.post(f"{path}/credit-balance", {"credit_balance_used": 50}),
            "address": lambda: api.post(f"{path}/address", {"billing_address": ADDRESS, "shipping_address": ADDRESS}),
            "address of the book": lambda: api.post(
                f"{path}/address", {"billing_address_id": first, "shipping_address_id": second}
            ),
            "gift card": lambda: api.post(f"{path}/gift-card", {"gift_card_code": shop.card.code}),
            "no coupon": lambda: api.delete(f"{path}/coupon"),
            "no points": lambda: api.delete(f"{path}/loyalty-points"),
            "no credit": lambda: api.delete(f"{path}/credit-balance"),
            "no gift card": lambda: api.delete(f"{path}/gift-card"),
        }.items()
    }
    way = delivery(shop)
    costs["delivery"] = cost(lambda: api.post(f"{path}/fulfillment-preference", way))
    assert max(costs.values()) <= CHANGE, costs
    assert Cart.objects.get().version > len(costs)


def test_a_plain_cart_costs_no_more_for_what_it_does_not_use(shop: Shop) -> None:
    assert cost(lambda: shop.api.get(shop.path)) <= READ - 2
    assert cost(lambda: shop.api.post(f"{shop.path}/items", shop.item(0, 2))) <= CHANGE - 3
