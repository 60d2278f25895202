from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from carts import services
from carts.models import Cart
from storefront.contracts import Shopper, Sku
from storefront.models import Store
from tests.carts.fakes import FakeCatalog, FakeOffers, FakeShoppers, FakeWallets
from tests.conftest import Api


@pytest.fixture(autouse=True)
def _plugs(configure: Any) -> Iterator[None]:
    configure(CATALOG="tests.carts.fakes.FakeCatalog", SHOPPER="tests.carts.fakes.FakeShoppers")
    kept = (FakeShoppers.known, FakeOffers.LAPSED, FakeWallets.asked)
    for things in kept:
        things.clear()
    FakeCatalog.clear()
    yield
    FakeCatalog.clear()
    for things in kept:
        things.clear()


def make_shopper(store: Store, user_id: str = "guest-1", **facts: Any) -> Shopper:
    """A visitor unless `facts` say otherwise; its token is the user id."""
    shopper = Shopper(store_id=store.pk, user_id=user_id, **facts)
    FakeShoppers.known[user_id] = shopper
    return shopper


@pytest.fixture
def shopper(store: Store) -> Shopper:
    return make_shopper(store)


@pytest.fixture
def stranger(store: Store) -> Shopper:
    return make_shopper(store, "guest-2")


@pytest.fixture
def client_of() -> Callable[[Store, Shopper], Api]:
    """`client_of(store, shopper)`: an API client that sends that shopper's token."""

    def make(store: Store, shopper: Shopper) -> Api:
        client = Api(store, "")
        client.token = client.user_id = shopper.user_id
        return client

    return make


@pytest.fixture
def api(store: Store, shopper: Shopper, client_of: Any) -> Api:
    return client_of(store, shopper)  # type: ignore[no-any-return]


@pytest.fixture
def tea(store: Store) -> Sku:
    """118 including 18% tax; any number of it."""
    return FakeCatalog.put(store.pk, "TEA")


@pytest.fixture
def cup(store: Store) -> Sku:
    """A variant; 59 including tax, ten left."""
    return FakeCatalog.put(store.pk, "CUP", "RED", price="59", available=10)


@pytest.fixture
def new_cart() -> Callable[..., Cart]:
    """`new_cart(store, shopper, {sku: quantity})`, through the service."""

    def make(store: Store, shopper: Shopper, skus: dict[Sku, int], now: datetime | None = None, **facts: Any) -> Cart:
        priced = services.create_cart(
            store=store, shopper=shopper, items=list(skus.items()), now=now or timezone.now(), **facts
        )
        return Cart.objects.get(pk=priced.cart.id)

    return make


def quantities(cart: Cart | str) -> dict[Sku, int]:
    """What a cart holds, from the database."""
    found = Cart.objects.get(pk=cart if isinstance(cart, str) else cart.pk)
    return {line.sku: line.quantity for line in found.lines.all()}


def body(sku: Sku, quantity: float) -> dict[str, Any]:
    return {"product_id": sku.product_id, "variant_id": sku.variant_id or None, "quantity": quantity}


def money(text: str) -> Decimal:
    return Decimal(text)
