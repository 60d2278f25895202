"""Staff look at carts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from carts.models import Cart
from storefront.contracts import Shopper, Sku
from storefront.models import Store
from tests.carts.conftest import quantities
from tests.carts.fakes import FakeCatalog

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.admin.urls")]
NewCart = Callable[..., Cart]


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", "anna@example.com", "a-Long-enough-1"))
    return client


def listed(staff: Client, **query: str) -> str:
    response = staff.get(reverse("admin:storefront_carts_cart_changelist"), query)
    assert response.status_code == 200
    return str(response.content.decode())


def test_the_list_finds_carts_by_id_shopper_state_and_size(
    staff: Client, store: Store, shopper: Shopper, stranger: Shopper, tea: Sku, cup: Sku, new_cart: NewCart
) -> None:
    small = new_cart(store, shopper, {tea: 1})
    large = new_cart(store, stranger, {tea: 1, cup: 4})
    old = new_cart(store, stranger, {tea: 1}, now=timezone.now() - timedelta(days=31))
    ordered = new_cart(store, stranger, {tea: 1})
    Cart.objects.filter(pk=ordered.pk).update(closed_at=timezone.now())
    every = {small.pk, large.pk, old.pk, ordered.pk}
    for query, expected in (
        ({}, every),
        ({"q": small.pk}, {small.pk}),
        ({"q": "guest-1"}, {small.pk}),
        ({"state": "open"}, {small.pk, large.pk}),
        ({"state": "expired"}, {old.pk}),
        ({"state": "ordered"}, {ordered.pk}),
        ({"size": "1"}, every - {large.pk}),
        ({"size": "2"}, {large.pk}),
        ({"size": "0"}, set()),
        ({"size": "6"}, set()),
        ({"size": "x"}, every),
    ):
        text = listed(staff, **query)
        assert {pk for pk in every if f"/{pk}/change/" in text} == expected, query


def test_the_list_asks_the_database_no_more_for_more_carts_and_prices_none(
    staff: Client, store: Store, shopper: Shopper, tea: Sku, cup: Sku, new_cart: NewCart
) -> None:
    counts = []
    for number in (1, 10):
        for _number in range(number):
            new_cart(store, shopper, {tea: 1, cup: 1})
        FakeCatalog.asked.clear()
        listed(staff)
        with CaptureQueriesContext(connection) as captured:
            listed(staff)
        counts.append(len(captured))
        assert FakeCatalog.asked == []
    assert counts[0] == counts[1]


def test_a_carts_page_shows_what_is_in_it_at_todays_prices(
    staff: Client, store: Store, shopper: Shopper, tea: Sku, cup: Sku, new_cart: NewCart
) -> None:
    cart = new_cart(store, shopper, {tea: 2, cup: 3}, customer_note="<b>Ring twice</b>")
    FakeCatalog.put(store.pk, "TEA", price="59", product_name="Assam <i>")
    del FakeCatalog.shelf[store.pk, cup]
    text = staff.get(reverse("admin:storefront_carts_cart_change", args=[cart.pk])).content.decode()
    assert "Assam &lt;i&gt;" in text and "CUP RED" in text
    assert "₹ 118.00" in text
    assert "An item is no longer available." in text
    assert "&lt;b&gt;Ring twice" in text


@pytest.mark.parametrize("ending", ["expired", "ordered", "empty"])
def test_a_page_of_a_cart_that_ended_answers_too(
    staff: Client, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, ending: str
) -> None:
    cart = new_cart(store, shopper, {tea: 2})
    if ending == "empty":
        cart.lines.all().delete()
    elif ending == "expired":
        Cart.objects.update(expires_at=timezone.now())
    else:
        Cart.objects.update(closed_at=timezone.now())
    assert staff.get(reverse("admin:storefront_carts_cart_change", args=[cart.pk])).status_code == 200


def test_staff_change_nothing(staff: Client, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart) -> None:
    cart = new_cart(store, shopper, {tea: 2})
    before: Any = Cart.objects.values().get()
    change = reverse("admin:storefront_carts_cart_change", args=[cart.pk])
    assert staff.post(change, {"customer_note": "x", "user_id": "me"}).status_code == 403
    assert staff.post(reverse("admin:storefront_carts_cart_delete", args=[cart.pk]), {"post": "yes"}).status_code == 403
    assert staff.get(reverse("admin:storefront_carts_cart_add")).status_code == 403
    assert Cart.objects.values().get() == before
    assert quantities(cart) == {tea: 2}
