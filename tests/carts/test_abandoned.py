"""Carts that their shoppers left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from carts import reminders
from carts.models import Cart, CartLine
from customers.models import Customer
from messaging import rendering, wording
from messaging.models import Message
from storefront import events, services
from storefront.contracts import Shopper, Sku
from storefront.ids import new_ulid
from storefront.models import Store
from tests.carts.conftest import body, make_shopper
from tests.conftest import Api
from tests.threads import in_parallel

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.carts.urls")]
NewCart = Callable[..., Cart]
NOW = timezone.now()
HOURS = timedelta(hours=24)


@pytest.fixture
def told() -> Iterator[list[str]]:
    """The ids of the carts that listeners were told about."""
    heard: list[str] = []

    def listen(*, store: Store, cart_id: str, user_id: str) -> None:
        assert Cart.objects.get(pk=cart_id, store=store).user_id == user_id
        heard.append(cart_id)

    events.on("cart.abandoned", listen)
    yield heard
    events._listeners["cart.abandoned"].remove(listen)


def sweep(now: Any = NOW) -> None:
    reminders.tell_abandoned(now=now, batch=1000)


def test_a_cart_that_nobody_changed_for_the_stores_hours_is_told_once(
    store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, told: list[str]
) -> None:
    cart = new_cart(store, shopper, {tea: 1}, now=NOW)
    sweep(NOW + HOURS - timedelta(seconds=1))
    assert told == []
    for _time in range(2):
        sweep(NOW + HOURS)
    assert told == [cart.pk]
    assert Cart.objects.get().abandoned_at == NOW + HOURS
    assert (Cart.objects.get().version, Cart.objects.get().modified_at) == (1, NOW)


def test_a_change_puts_it_off_and_a_later_absence_is_not_told_again(
    api: Api, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, told: list[str]
) -> None:
    cart = new_cart(store, shopper, {tea: 1}, now=NOW - HOURS + timedelta(minutes=1))
    assert api.post(f"/carts/{cart.pk}/items", body(tea, 2)).status_code == 200
    sweep(timezone.now() + HOURS - timedelta(minutes=5))
    assert told == []
    sweep(timezone.now() + HOURS)
    api.post(f"/carts/{cart.pk}/items", body(tea, 3))
    sweep(timezone.now() + 2 * HOURS)
    assert told == [cart.pk]


def test_the_sweep_tells(store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, told: list[str]) -> None:
    cart = new_cart(store, shopper, {tea: 1}, now=NOW - HOURS)
    services.purge_expired(now=NOW)
    assert told == [cart.pk]


def test_carts_that_are_empty_ordered_expired_or_not_current_are_not_told(
    store: Store, tea: Sku, new_cart: NewCart, told: list[str]
) -> None:
    past = NOW - HOURS
    owners = {name: make_shopper(store, name) for name in ("empty", "ordered", "expired", "two", "old")}
    empty, ordered, expired = (
        new_cart(store, owners[name], {tea: 1}, now=past) for name in ("empty", "ordered", "expired")
    )
    CartLine.objects.filter(cart=empty).delete()
    Cart.objects.filter(pk=ordered.pk).update(closed_at=NOW)
    Cart.objects.filter(pk=expired.pk).update(expires_at=NOW)
    two = [new_cart(store, owners["two"], {tea: 1}, now=past).pk for _number in range(2)]
    new_cart(store, owners["old"], {tea: 1}, now=past - reminders.PERIOD)
    sweep()
    assert told == [max(two)]


@pytest.mark.parametrize(("changed", "count"), [({"cart_abandoned_hours": 0}, 0), ({"active": False}, 0), ({}, 1)])
def test_a_store_decides(
    store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, told: list[str], changed: Any, count: int
) -> None:
    new_cart(store, shopper, {tea: 1}, now=NOW - HOURS)
    Store.objects.update(**changed)
    sweep()
    assert len(told) == count


def test_it_costs_the_same_for_many_carts_and_goes_on_where_it_stopped(
    store: Store, tea: Sku, new_cart: NewCart, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reminders, "MOST", 5)
    for number in range(8):
        new_cart(store, make_shopper(store, f"guest-{number}"), {tea: 1}, now=NOW - HOURS - timedelta(minutes=number))
    with CaptureQueriesContext(connection) as captured:
        sweep()
    asked = [query["sql"] for query in captured.captured_queries if '"storefront_carts_cartline"' in query["sql"]]
    assert len(told) == 5
    assert len(asked) == 1
    sweep()
    assert len(set(told)) == 8


# --- the message ----------------------------------------------------------------------------------------------------
@pytest.fixture
def wanting(store: Store) -> None:
    Store.objects.update(cart_reminders=True, message_fallback=["sms", "email"])


def owner(store: Store, shopper: Shopper, **facts: Any) -> None:
    """The account behind a shopper: a verified e-mail address, and a wish for promotional messages there."""
    customer = Customer.objects.create(pk=new_ulid(), store=store)
    wishes = {"promotional": {"email": True, "sms": True}}
    values = {"email": "asha@example.com", "is_email_verified": True, "first_name": "Asha"}
    values |= {"notification_preferences": wishes} | facts
    User.objects.create(pk=shopper.user_id, store=store, customer=customer, **values)


def test_a_shopper_who_wants_such_messages_is_reminded_once(
    store: Store, shopper: Shopper, tea: Sku, cup: Sku, new_cart: NewCart, wanting: None
) -> None:
    owner(store, shopper)
    new_cart(store, shopper, {tea: 2, cup: 1}, now=NOW - HOURS)
    for _time in range(2):
        sweep()
    message = Message.objects.get()
    assert (message.to, message.channel, message.category) == ("asha@example.com", "email", "promotional")
    assert message.values == {"name": "Asha", "count": "3"}


def test_the_channel_is_the_first_of_the_stores_that_is_the_shoppers_own_and_wanted(
    store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, wanting: None
) -> None:
    owner(store, shopper, phone="+919876543210", is_phone_verified=True)
    new_cart(store, shopper, {tea: 1}, now=NOW - HOURS)
    sweep()
    assert (Message.objects.get().to, Message.objects.get().channel) == ("+919876543210", "sms")


@pytest.mark.parametrize(
    "facts",
    [
        {"notification_preferences": {}},
        {"notification_preferences": {"newsletter": {"email": True}}},
        {"is_email_verified": False},
        {"deactivated_at": NOW},
        {"deleted_at": NOW},
    ],
)
def test_whoever_does_not_want_it_or_cannot_be_reached_is_left_alone(
    store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, wanting: None, told: list[str], facts: Any
) -> None:
    owner(store, shopper, **facts)
    new_cart(store, shopper, {tea: 1}, now=NOW - HOURS)
    sweep()
    assert len(told) == 1
    assert not Message.objects.exists()


def test_visitors_get_none_and_a_store_sends_none_unless_it_says_so(
    store: Store, shopper: Shopper, stranger: Shopper, tea: Sku, new_cart: NewCart, told: list[str]
) -> None:
    owner(store, shopper)
    for one in (shopper, stranger):
        new_cart(store, one, {tea: 1}, now=NOW - HOURS)
    sweep()
    assert len(told) == 2
    assert not Message.objects.exists()


def test_a_listener_that_fails_leaves_the_carts_for_the_next_time(
    store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, wanting: None
) -> None:
    owner(store, shopper)
    new_cart(store, shopper, {tea: 1}, now=NOW - HOURS)

    def fail(**_: Any) -> None:
        raise ZeroDivisionError

    events.on("cart.abandoned", fail)
    try:
        with pytest.raises(ZeroDivisionError):
            sweep()
    finally:
        events._listeners["cart.abandoned"].remove(fail)
    assert Cart.objects.get().abandoned_at is None
    assert not Message.objects.exists()
    sweep()
    assert Message.objects.count() == 1


@pytest.mark.parametrize("language", ["en", "hi"])
def test_the_message_is_worded(store: Store, language: str) -> None:
    found = wording.definition(reminders.TEMPLATE)
    assert found is not None
    text = rendering.fill(found.wording[language].text, {**found.samples, "store": store.name})
    assert store.name in text
    assert "Asha" in text
    assert "{" not in text


# --- in parallel ----------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_parallel_sweeps_tell_each_cart_once(
    store: Store, tea: Sku, new_cart: NewCart, told: list[str], wanting: None
) -> None:
    for number in range(20):
        shopper = make_shopper(store, f"guest-{number}")
        owner(store, shopper, email=f"asha{number}@example.com")
        new_cart(store, shopper, {tea: 1}, now=NOW - HOURS)
    in_parallel(lambda _number: sweep(), 6)
    sweep()
    assert len(told) == len(set(told)) == Message.objects.count() == 20
