"""What is measured: requests of the API, made from what `shop.prepare` left in the database."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import load
from benchmarks.full_carts import FullShop
from benchmarks.shop import Shop

SEARCHED = ("indigo", "saffron", "hammered", "glazed", "kurta", "lamp", "cushion", "bottle")  # in names of the shop


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""

    def raw(self) -> bytes:
        return load.raw(self.method, self.path, self.headers, self.body)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A kind of request. `budget` is how many SQL statements it may take, `total` how many requests make a round.

    `alone` says that the hand-written application has no such route, `full` that it is about `full_carts`.
    """

    key: str
    name: str
    budget: int
    total: int
    calls: Callable[[Shop], list[Call]]
    alone: bool = False
    full: bool = False

    def two_calls(self, shop: Shop) -> tuple[Call, Call]:
        """One to warm up with, and one that is counted. A write is not repeated, for that might write less: of an item,
        the same cart gets another quantity."""
        calls = self.calls(shop)
        return calls[0], calls[0] if calls[0].method == "GET" else calls[len(calls) // 5]


def _key(shop: Shop) -> dict[str, str]:
    return {"X-Api-Key": shop.api_key}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def anonymous(shop: Shop) -> list[Call]:
    return [Call("POST", f"{shop.base}/auth/anonymous", _key(shop))]


def product_list(shop: Shop) -> list[Call]:
    pages = shop.product_count // 20
    return [
        Call("GET", f"{shop.base}/catalog/products?page={page}&limit=20", _key(shop)) for page in range(1, pages + 1)
    ]


def product_detail(shop: Shop) -> list[Call]:
    return [Call("GET", f"{shop.base}/catalog/products/{slug}", _key(shop)) for slug in shop.slugs]


def _search(shop: Shop, **asked: object) -> Call:
    return Call("POST", f"{shop.base}/catalog/products/search", _key(shop), json.dumps(asked).encode())


def search_word(shop: Shop) -> list[Call]:
    return [_search(shop, query=word, limit=20) for word in SEARCHED]


def search_facets(shop: Shop) -> list[Call]:
    return [
        _search(
            shop,
            query=word,
            filter="product_type = physical AND pricing.selling_price >= 1",
            facets=["product_type", "categories.name", "pricing.selling_price"],
            limit=20,
        )
        for word in SEARCHED
    ]


def cart_create(shop: Shop) -> list[Call]:
    calls = []
    for index, cart in enumerate(shop.small_carts):
        sku = shop.skus[index % len(shop.skus)]
        body = b'{"items":[{"product_id":"%s","variant_id":%s,"quantity":1}]}' % sku
        calls.append(Call("POST", f"{shop.base}/carts", _bearer(cart.token), body))
    return calls


def cart_read_10(shop: Shop) -> list[Call]:
    return [Call("GET", f"{shop.base}/carts/{cart.id}", _bearer(cart.token)) for cart in shop.small_carts]


def cart_read_50(shop: Shop) -> list[Call]:
    return [Call("GET", f"{shop.base}/carts/{cart.id}", _bearer(cart.token)) for cart in shop.large_carts]


def set_item(shop: Shop) -> list[Call]:
    """Each time another cart, and the next time another quantity of the same thing in it, so that every request writes."""
    calls = []
    for quantity in range(1, 6):
        for index, cart in enumerate(shop.small_carts):
            product_id, variant_id = cart.skus[index % len(cart.skus)]
            body = b'{"product_id":"%s","variant_id":%s,"quantity":%d}' % (product_id, variant_id, quantity)
            calls.append(Call("POST", f"{shop.base}/carts/{cart.id}/items", _bearer(cart.token), body))
    return calls


# --- carts with everything in them ------------------------------------------------------------------------------------
def _full(shop: Shop) -> FullShop:
    assert shop.full is not None, "prepared with `full`"
    return shop.full


def full_read(shop: Shop) -> list[Call]:
    full = _full(shop)
    return [Call("GET", f"{full.base}/carts/{cart.id}", _bearer(cart.token)) for cart in full.read_carts]


def full_change(shop: Shop) -> list[Call]:
    """As `set_item`."""
    full = _full(shop)
    calls = []
    for quantity in range(1, 6):
        for index, cart in enumerate(full.change_carts):
            product_id, variant_id = cart.skus[index % len(cart.skus)]
            body = b'{"product_id":"%s","variant_id":%s,"quantity":%d}' % (product_id, variant_id, quantity)
            calls.append(Call("POST", f"{full.base}/carts/{cart.id}/items", _bearer(cart.token), body))
    return calls


def coupon_apply(shop: Shop) -> list[Call]:
    """Each time another code than the cart has."""
    full = _full(shop)
    return [
        Call("POST", f"{full.base}/carts/{cart.id}/coupon", _bearer(cart.token), b'{"coupon_code":"%s"}' % code)
        for code in (b"SAVE11", b"SAVE12", b"SAVE10")
        for cart in full.change_carts
    ]


def coupons_evaluate(shop: Shop) -> list[Call]:
    full = _full(shop)
    return [
        Call("GET", f"{full.base}/carts/{cart.id}/evaluate-coupons", _bearer(cart.token)) for cart in full.read_carts
    ]


def delivery_options(shop: Shop) -> list[Call]:
    full = _full(shop)
    return [
        Call(
            "POST",
            f"{full.base}/carts/fulfillment-options",
            _bearer(cart.token),
            b'{"cart_id":"%s"}' % cart.id.encode(),
        )
        for cart in full.read_carts
    ]


def wishlist_read(shop: Shop) -> list[Call]:
    full = _full(shop)
    return [
        Call("GET", f"{full.base}/wishlist/{user_id}", _bearer(cart.token))
        for user_id, cart in zip(full.user_ids, full.read_carts, strict=True)
    ]


JOBS = (
    Job(key="anonymous", name="visitor token", budget=0, total=1600, calls=anonymous),
    Job(key="product_list", name="product list (20)", budget=3, total=800, calls=product_list),
    Job(key="product_detail", name="product detail", budget=4, total=1200, calls=product_detail),
    Job(key="search", name="search (a word)", budget=4, total=200, calls=search_word, alone=True),
    Job(
        key="search_facets",
        name="search (word, filter, 3 facets)",
        budget=5,
        total=100,
        calls=search_facets,
        alone=True,
    ),
    Job(key="cart_create", name="cart create", budget=8, total=800, calls=cart_create),
    Job(key="cart_read_10", name="cart read (10 lines)", budget=4, total=800, calls=cart_read_10),
    Job(key="cart_read_50", name="cart read (50 lines)", budget=4, total=400, calls=cart_read_50),
    Job(key="set_item", name="set item (cart of 10)", budget=8, total=800, calls=set_item),
    Job(key="full_read", name="full cart read (50 lines)", budget=8, total=300, calls=full_read, full=True),
    Job(key="full_change", name="full cart change (50 lines)", budget=14, total=300, calls=full_change, full=True),
    Job(key="coupon_apply", name="coupon apply", budget=14, total=200, calls=coupon_apply, alone=True, full=True),
    Job(
        key="coupons_evaluate",
        name="evaluate 20 coupons",
        budget=9,
        total=200,
        calls=coupons_evaluate,
        alone=True,
        full=True,
    ),
    Job(
        key="delivery_options",
        name="fulfillment options",
        budget=8,
        total=200,
        calls=delivery_options,
        alone=True,
        full=True,
    ),
    Job(key="wishlist", name="wishlist (20)", budget=6, total=200, calls=wishlist_read, alone=True, full=True),
)
