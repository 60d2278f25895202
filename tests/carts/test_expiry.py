"""A cart lives for some days after its last write (D-18)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from carts import lifecycle
from carts.models import Cart, CartLine
from storefront import services as kernel
from storefront.contracts import Shopper, Sku
from storefront.models import Store
from tests.carts.conftest import body, make_shopper, quantities
from tests.conftest import Api
from tests.contract import assert_is_error, assert_matches

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.carts.urls")]
NewCart = Callable[..., Cart]
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAYS = timedelta(days=30)


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def test_a_cart_tells_when_it_expires(api: Api, tea: Sku, clock: Any) -> None:
    cart = assert_matches("create-cart", api.post("/carts", {"items": [body(tea, 1)]}))["cart"]
    assert cart["expires_at"] == "2026-03-31T12:00:00Z"


def test_a_store_decides_for_how_long(store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart) -> None:
    store.cart_days = 3
    assert new_cart(store, shopper, {tea: 1}, now=START).expires_at == START + timedelta(days=3)


def test_a_cart_lives_up_to_its_last_moment_and_no_longer(
    api: Api, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, clock: Any
) -> None:
    cart = new_cart(store, shopper, {tea: 1})
    clock.move_to(START + DAYS - timedelta(seconds=1))
    assert_matches("get-cart", api.get(f"/carts/{cart.pk}"))
    assert_matches("get-user-cart", api.get("/carts/users/guest-1"))
    clock.move_to(START + DAYS)
    for response in (
        api.get(f"/carts/{cart.pk}"),
        api.get("/carts/users/guest-1"),
        api.post(f"/carts/{cart.pk}/items", body(tea, 2)),
        api.delete(f"/carts/{cart.pk}"),
        api.delete("/carts/users/guest-1"),
    ):
        assert_is_error(response, 404, "cart_expired")
    assert quantities(cart) == {tea: 1}


@pytest.mark.parametrize("quantity", [1, 2, 0])
def test_every_write_moves_the_expiry_on_and_no_read_does(
    api: Api, store: Store, shopper: Shopper, tea: Sku, cup: Sku, new_cart: NewCart, clock: Any, quantity: int
) -> None:
    cart = new_cart(store, shopper, {tea: 1, cup: 1})
    clock.move_to(START + timedelta(days=10))
    assert api.get(f"/carts/{cart.pk}").json()["content"]["cart"]["expires_at"] == "2026-03-31T12:00:00Z"
    changed = api.post(f"/carts/{cart.pk}/items", body(tea, quantity)).json()["content"]["cart"]
    assert changed["expires_at"] == "2026-04-10T12:00:00Z"
    assert Cart.objects.get().expires_at == START + timedelta(days=40)


def test_a_refused_write_does_not_move_the_expiry(
    api: Api, store: Store, shopper: Shopper, tea: Sku, cup: Sku, new_cart: NewCart, clock: Any
) -> None:
    cart = new_cart(store, shopper, {tea: 1})
    clock.move_to(START + timedelta(days=10))
    assert_is_error(api.post(f"/carts/{cart.pk}/items", body(cup, 11)), 400)
    assert Cart.objects.get().expires_at == START + DAYS


def test_an_older_cart_that_lives_is_current_once_the_newer_has_expired(
    api: Api, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, clock: Any
) -> None:
    older = new_cart(store, shopper, {tea: 1})
    clock.move_to(START + timedelta(days=1))
    newer = new_cart(store, shopper, {tea: 1})
    assert api.get("/carts/users/guest-1").json()["content"]["cart"]["id"] == newer.pk
    clock.move_to(START + timedelta(days=20))
    api.post(f"/carts/{older.pk}/items", body(tea, 2))
    clock.move_to(START + timedelta(days=32))
    assert api.get("/carts/users/guest-1").json()["content"]["cart"]["id"] == older.pk


def test_expired_carts_are_purged_in_batches_and_others_stay(
    store: Store, other_store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart
) -> None:
    from tests.carts.fakes import FakeCatalog

    FakeCatalog.put(other_store.pk, "TEA")
    old = [new_cart(store, shopper, {tea: 1}, now=START + timedelta(minutes=number)) for number in range(3)]
    old.append(new_cart(other_store, make_shopper(other_store), {tea: 1}, now=START + timedelta(minutes=3)))
    closed = new_cart(store, shopper, {tea: 1}, now=START)
    Cart.objects.filter(pk=closed.pk).update(closed_at=START)
    live = new_cart(store, shopper, {tea: 1}, now=START + timedelta(days=29))
    later = START + DAYS + timedelta(days=1)
    lifecycle.purge_expired(now=later, batch=2)
    assert set(Cart.objects.values_list("pk", flat=True)) == {old[2].pk, old[3].pk, closed.pk, live.pk}
    for _time in range(2):
        lifecycle.purge_expired(now=later, batch=100)
    assert set(Cart.objects.values_list("pk", flat=True)) == {closed.pk, live.pk}
    assert CartLine.objects.count() == 2


def test_the_sweep_purges(store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart) -> None:
    new_cart(store, shopper, {tea: 1}, now=START)
    kernel.purge_expired(now=max(START + DAYS, timezone.now()))
    assert not Cart.objects.exists()


def test_a_purged_cart_is_simply_not_found(
    api: Api, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, clock: Any
) -> None:
    cart = new_cart(store, shopper, {tea: 1})
    clock.move_to(START + DAYS)
    lifecycle.purge_expired(now=timezone.now(), batch=10)
    assert_is_error(api.get(f"/carts/{cart.pk}"), 404, "cart_not_found")
    assert_is_error(api.get("/carts/users/guest-1"), 404, "cart_not_found")
