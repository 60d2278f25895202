"""A second shop, for carts with everything in them: 1,000 live promotions, coupons, points, credit and delivery.

It is beside the first one so that plain carts are still measured in a shop without promotions. Every cart holds 50
products, and two promotions touch each of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from benchmarks.shop import LARGE, CartOf, Shop, answer, find_products, make_cart

STORE = "bench-full"
PRODUCTS = 600  # of which 500 are promoted
PROMOTED = 500
PROMOTIONS = 2 * PROMOTED
COUPONS = 20
CODE = "SAVE10"
SHOPPERS = 40  # more than there are clients: each has a cart to read and a cart to change
WISHES = 20
POINTS, CREDIT = 100_000, Decimal(100_000)
ADDRESS = {
    "first_name": "Asha",
    "last_name": "Rao",
    "phone": "9876543210",
    "address_line1": "12 Lake Road",
    "pincode": "411001",
    "city": "Pune",
    "state": "Maharashtra",
}


@dataclass(slots=True)
class FullShop:
    base: str
    read_carts: list[CartOf] = field(default_factory=list)
    change_carts: list[CartOf] = field(default_factory=list)
    user_ids: list[str] = field(default_factory=list)  # of the carts' shoppers, in their order


def prepare() -> FullShop:
    """Needs the migrated database of `shop.prepare`. Raises RuntimeError for an answer other than 200."""
    from django.utils import timezone

    from catalog import demo
    from catalog.models import Stock
    from storefront import services
    from storefront.models import Store

    store = Store.objects.filter(pk=STORE).first() or services.create_store(store_id=STORE, name="Benchmark, full")
    shop = Shop(f"/api/v1/{STORE}/storefront", services.create_key(store=store, name="Benchmark").text)
    demo.build_many(store=store, count=PRODUCTS)
    Stock.objects.filter(store=store).update(on_hand=1_000_000)
    find_products(shop, PRODUCTS)
    if len(shop.skus) < PROMOTED:
        raise RuntimeError(f"Only {len(shop.skus)} of {PRODUCTS} products can be bought one by one.")
    del shop.skus[PROMOTED:]
    now = timezone.now()
    _make_delivery(store)
    _make_programme(store)
    _make_offers(store, [product_id.decode() for product_id, _variant_id in shop.skus], now)
    full = FullShop(shop.base)
    for number in range(SHOPPERS):
        user_id, token = _log_in(store, number, now)
        full.user_ids.append(user_id)
        for carts, first in ((full.read_carts, 11 * number), (full.change_carts, 11 * number + 5)):
            cart = make_cart(shop, token, first, LARGE)
            carts.append(cart)
            _fill(shop.base, cart)
        for product_id, variant_id in shop.skus[number : number + WISHES]:
            wish = {"product_id": product_id.decode(), "variant_id": json.loads(variant_id)}
            _post(f"{shop.base}/wishlist/{user_id}", token, wish)
    return full


def _make_offers(store: Any, product_ids: list[str], now: Any) -> None:
    """Ten and then five percent off each product, and coupons of which every cart has one."""
    from promotions import services
    from promotions.models import Kind, Offer, State

    if Offer.objects.filter(store=store).exists():
        return
    for number, (priority, percent) in enumerate([(10, 10), (20, 5)]):
        made = services.create_offer(
            store=store,
            kind="promotion",
            type="discount",
            name=f"{percent} percent off",
            applies_to="product",
            details=_percent(percent, product_ids[0]),
            combinable=True,
            priority=priority,
        )
        services.publish_offer(store=store, offer_id=made.pk, now=now)
        row = Offer.objects.get(pk=made.pk)
        columns = [field.attname for field in Offer._meta.concrete_fields if not field.primary_key]
        facts = {name: getattr(row, name) for name in columns}
        # As the services would write them, but in one statement.
        Offer.objects.bulk_create(
            Offer(**facts | {"name": f"{percent} percent off {number}", "details": row.details | _of(product_id)})
            for number, product_id in enumerate(product_ids[1:], 1)
        )
    for number in range(COUPONS):
        made = services.create_offer(
            store=store,
            kind="coupon",
            type="discount",
            name=f"Coupon {number}",
            codes=[f"SAVE{10 + number}"],
            details={"discount_type": "percentage", "discount_percent": 10},
            combinable=True,
        )
        services.publish_offer(store=store, offer_id=made.pk, now=now)
    services.touch(store_id=store.pk)
    live = Offer.objects.filter(store=store, kind=Kind.PROMOTION, state=State.LIVE).count()
    if live != PROMOTIONS:
        raise RuntimeError(f"{live} promotions are live, not {PROMOTIONS}.")


def _percent(percent: int, product_id: str) -> dict[str, Any]:
    return {"discount_type": "percentage", "discount_percent": percent, **_of(product_id)}


def _of(product_id: str) -> dict[str, Any]:
    return {"products": [{"product_id": product_id}]}


def _make_delivery(store: Any) -> None:
    from fulfillment.models import DeliverySettings, ShippingMethod, ShippingZone, ZoneRate

    if ShippingZone.objects.filter(store=store).exists():
        return
    DeliverySettings.objects.create(store=store, auto_preference=True)  # so that a changed cart is still delivered
    zone = ShippingZone.objects.create(store=store, name="India")
    for name, amount, days in (("Post", 60, 4), ("Express", 149, 2)):
        method = ShippingMethod.objects.create(store=store, name=name, kind="flat")
        ZoneRate.objects.create(store=store, zone=zone, method=method, amount=Decimal(amount), days=days)


def _make_programme(store: Any) -> None:
    from wallets.models import Programme

    Programme.objects.get_or_create(store=store, defaults={"base_tier": "Member"})


def _log_in(store: Any, number: int, now: Any) -> tuple[str, str]:
    """A registered shopper with points and credit, and an access token of theirs."""
    from accounts import sessions
    from accounts.models import User
    from customers import services as customers
    from storefront.ids import new_id
    from storefront.models import Channel
    from wallets.services import credit, loyalty

    user_id = new_id()
    customer = customers.create_customer(store=store, customer_id=user_id)
    user = User.objects.create(
        pk=user_id,
        store=store,
        customer=customer,
        first_name="Asha",
        last_name="Rao",
        email=f"asha-{user_id.lower()}@example.com",
        is_email_verified=True,
    )
    channel = Channel.objects.filter(store=store).order_by("pk")[0]
    opened = sessions.open_session(
        store=store,
        user=user,
        channel={"id": channel.pk, "name": channel.name, "type": channel.type},
        anonymous_id="",
        method="email",
        now=now,
    )
    loyalty.give_bonus(store=store, customer_id=customer.pk, points=POINTS, owner=f"bench-{number}")
    credit.grant(store=store, customer_id=customer.pk, amount=CREDIT)
    return user_id, opened.pair.access


def _fill(base: str, cart: CartOf) -> None:
    """Address, coupon, points, credit, and delivery by the dearer way, which nobody would choose for the shopper."""
    path = f"{base}/carts/{cart.id}"
    _post(f"{path}/address", cart.token, {"billing_address": ADDRESS, "shipping_address": ADDRESS})
    _post(f"{path}/coupon", cart.token, {"coupon_code": CODE})
    _post(f"{path}/loyalty-points", cart.token, {"loyalty_point_redeemed": 100})
    _post(f"{path}/credit-balance", cart.token, {"credit_balance_used": 100})
    options = _post(f"{base}/carts/fulfillment-options", cart.token, {"cart_id": cart.id})
    shipments = [
        {"id": parcel["id"], "shipping_provider_id": _named(parcel["shipping_methods"], "Express")}
        for parcel in options["deliver"]["shipments"]
    ]
    _post(f"{path}/fulfillment-preference", cart.token, {"fulfillment_type": "delivery", "shipments": shipments})
    full = answer("GET", path, {"Authorization": f"Bearer {cart.token}"})["content"]["cart"]
    touching = len(full["applied_promotions"])
    if full["status"] != "ready-for-payment" or touching != 2 * LARGE or not full["coupon_discount_amount"]:
        raise RuntimeError(f"A cart is {full['status']}, with {touching} promotions.")


def _named(methods: list[dict[str, Any]], name: str) -> str:
    return next(str(method["id"]) for method in methods if method["name"] == name)


def _post(path: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = answer("POST", path, {"Authorization": f"Bearer {token}"}, json.dumps(body).encode())[
        "content"
    ]
    return found
