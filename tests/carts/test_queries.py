"""What a cart costs in statements, whatever its size. BEGIN and COMMIT count; the catalogue adds its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from carts.models import Cart
from fulfillment import selectors as delivery
from storefront import selectors as kernel
from storefront.contracts import Shopper, Sku
from storefront.models import Store
from tests.carts.conftest import body
from tests.carts.fakes import FakeCatalog
from tests.conftest import Api
from tests.contract import assert_matches

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.carts.urls")]
NewCart = Callable[..., Cart]
CATALOGUE = 2  # what the catalogue may cost at most
OFFERS = 1  # the version of the store's promotions


@pytest.fixture(params=[1, 50, 250])
def skus(request: pytest.FixtureRequest, store: Store) -> list[Sku]:
    return [FakeCatalog.put(store.pk, f"P{number}", available=99) for number in range(request.param)]


def statements(call: Callable[[], Any], operation: str) -> list[str]:
    """What one call sends to the database. The store with its default location and its rules of delivery is known
    already, as in a process that has served before."""
    found = kernel.store("demo")
    kernel.default_location(store=found)
    delivery.rules(store=found)
    FakeCatalog.asked.clear()
    with CaptureQueriesContext(connection) as captured:
        response = call()
    assert_matches(operation, response)
    assert len(FakeCatalog.asked) <= 1
    return [query["sql"] for query in captured.captured_queries]


def test_a_read_by_id(api: Api, store: Store, shopper: Shopper, skus: list[Sku], new_cart: NewCart) -> None:
    cart = new_cart(store, shopper, dict.fromkeys(skus, 1))
    found = statements(lambda: api.get(f"/carts/{cart.pk}"), "get-cart")
    assert len(found) + CATALOGUE == 4 + OFFERS, found


def test_a_read_by_user(api: Api, store: Store, shopper: Shopper, skus: list[Sku], new_cart: NewCart) -> None:
    new_cart(store, shopper, dict.fromkeys(skus, 1))
    found = statements(lambda: api.get("/carts/users/guest-1"), "get-user-cart")
    assert len(found) + CATALOGUE == 4 + OFFERS, found


def test_a_new_cart(api: Api, skus: list[Sku]) -> None:
    items = [body(sku, 1) for sku in skus]
    found = statements(lambda: api.post("/carts", {"items": items}), "create-cart")
    assert len(found) + CATALOGUE == 6 + OFFERS, found


def test_a_new_cart_with_a_key(api: Api, skus: list[Sku]) -> None:
    items = [body(sku, 1) for sku in skus]
    found = statements(lambda: api.post("/carts", {"items": items}, Idempotency_Key="k"), "create-cart")
    assert len(found) + CATALOGUE == 9 + OFFERS, found
    assert not [sql for sql in found if "SAVEPOINT" in sql]


@pytest.mark.parametrize(("quantity", "count"), [(2, 8), (1, 7), (0, 8)], ids=["change", "repeat", "remove"])
def test_setting_an_item(
    api: Api, store: Store, shopper: Shopper, skus: list[Sku], new_cart: NewCart, quantity: int, count: int
) -> None:
    cart = new_cart(store, shopper, dict.fromkeys(skus, 1))
    found = statements(lambda: api.post(f"/carts/{cart.pk}/items", body(skus[0], quantity)), "update-cart")
    assert len(found) + CATALOGUE == count + OFFERS, found


def test_adding_an_item(api: Api, store: Store, shopper: Shopper, tea: Sku, skus: list[Sku], new_cart: NewCart) -> None:
    cart = new_cart(store, shopper, dict.fromkeys(skus[:249], 1))
    found = statements(lambda: api.post(f"/carts/{cart.pk}/items", body(tea, 1)), "update-cart")
    assert len(found) + CATALOGUE == 8 + OFFERS, found


def test_removing_what_is_not_there(api: Api, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart) -> None:
    cart = new_cart(store, shopper, {tea: 1})
    found = statements(lambda: api.post(f"/carts/{cart.pk}/items", body(Sku("X"), 0)), "update-cart")
    assert len(found) + CATALOGUE == 7 + OFFERS, found
