"""What becomes of a visitor's cart at login (D-21), and of everything at erasure (D-14)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from carts import rules
from carts.models import Cart, CartLine
from storefront import events
from storefront.contracts import Shopper, Sku
from storefront.errors import Unavailable
from storefront.models import Store
from tests.carts.conftest import make_shopper, quantities
from tests.carts.fakes import PLUGS, FakeCatalog, FakeOffers

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.carts.urls")]
NewCart = Callable[..., Cart]
STRATEGIES = ["merge", "guest_wins", "account_wins"]


@pytest.fixture
def account(store: Store) -> Shopper:
    return make_shopper(store, "account", is_logged_in=True, is_anonymous=False)


@pytest.fixture
def pot(store: Store) -> Sku:
    return FakeCatalog.put(store.pk, "POT")


def log_in(store: Store, strategy: str = "merge") -> None:
    events.send("shopper.merged", store=store, from_user_id="guest-1", to_user_id="account", strategy=strategy)


def of(user_id: str) -> dict[str, dict[Sku, int]]:
    return {cart.pk: quantities(cart) for cart in Cart.objects.filter(user_id=user_id)}


@pytest.mark.parametrize(
    ("strategy", "held"),
    [
        ("merge", {"TEA": 3, "CUP": 4, "POT": 1}),
        ("guest_wins", {"TEA": 3, "CUP": 1}),
        ("account_wins", {"TEA": 2, "CUP": 4, "POT": 1}),
    ],
)
def test_the_cart_in_hand_keeps_its_id_and_the_strategy_fills_it(
    store: Store,
    shopper: Shopper,
    account: Shopper,
    tea: Sku,
    cup: Sku,
    pot: Sku,
    new_cart: NewCart,
    strategy: str,
    held: Any,
) -> None:
    guest = new_cart(store, shopper, {tea: 3, cup: 1})
    new_cart(store, account, {tea: 2, cup: 4, pot: 1})
    log_in(store, strategy)
    assert {cart: {sku.product_id: n for sku, n in lines.items()} for cart, lines in of("account").items()} == {
        guest.pk: held
    }
    assert of("guest-1") == {}
    assert CartLine.objects.count() == len(held)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_it_is_the_same_whichever_cart_is_the_newer(
    store: Store,
    shopper: Shopper,
    account: Shopper,
    tea: Sku,
    pot: Sku,
    new_cart: NewCart,
    client_of: Any,
    strategy: str,
) -> None:
    new_cart(store, account, {pot: 1})
    guest = new_cart(store, shopper, {tea: 1})
    new_cart(store, account, {pot: 2})
    log_in(store, strategy)
    assert client_of(store, account).get("/carts/users/account").json()["content"]["cart"]["id"] == guest.pk
    assert list(of("account")) == [guest.pk]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_visitors_cart_becomes_the_accounts_first(
    store: Store, shopper: Shopper, account: Shopper, tea: Sku, new_cart: NewCart, client_of: Any, strategy: str
) -> None:
    guest = new_cart(store, shopper, {tea: 1})
    log_in(store, strategy)
    assert of("account") == {guest.pk: {tea: 1}}
    assert client_of(store, shopper).get(f"/carts/{guest.pk}").status_code == 404
    assert client_of(store, account).get(f"/carts/{guest.pk}").status_code == 200


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_carts_that_a_visitor_left_for_a_newer_one_are_not_united_by_a_repeated_login(
    store: Store, shopper: Shopper, account: Shopper, tea: Sku, cup: Sku, pot: Sku, new_cart: NewCart, strategy: str
) -> None:
    new_cart(store, shopper, {pot: 5})
    guest = new_cart(store, shopper, {tea: 3})
    new_cart(store, account, {cup: 1})
    log_in(store, strategy)
    once = of("account")
    assert list(once) == [guest.pk]
    assert pot not in once[guest.pk]
    log_in(store, strategy)
    assert of("account") == once
    assert of("guest-1") == {}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_account_keeps_its_cart_when_the_visitor_has_none(
    store: Store, account: Shopper, tea: Sku, new_cart: NewCart, strategy: str
) -> None:
    kept = new_cart(store, account, {tea: 1})
    log_in(store, strategy)
    assert of("account") == {kept.pk: {tea: 1}}
    assert Cart.objects.get().version == 1


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("empty", ["guest", "account"])
def test_an_empty_cart_wins_over_nothing(
    store: Store, shopper: Shopper, account: Shopper, tea: Sku, new_cart: NewCart, strategy: str, empty: str
) -> None:
    guest = new_cart(store, shopper, {tea: 1})
    other = new_cart(store, account, {tea: 2})
    CartLine.objects.filter(cart=guest if empty == "guest" else other).delete()
    log_in(store, strategy)
    assert of("account") == {guest.pk: {tea: 2 if empty == "guest" else 1}}


def test_two_empty_carts_become_one(
    store: Store, shopper: Shopper, account: Shopper, tea: Sku, new_cart: NewCart
) -> None:
    guest = new_cart(store, shopper, {tea: 1})
    new_cart(store, account, {tea: 2})
    CartLine.objects.all().delete()
    log_in(store)
    assert of("account") == {guest.pk: {}}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_repeat_changes_nothing(
    store: Store, shopper: Shopper, account: Shopper, tea: Sku, cup: Sku, new_cart: NewCart, strategy: str
) -> None:
    new_cart(store, shopper, {tea: 1})
    new_cart(store, account, {cup: 2})
    log_in(store, strategy)
    before = list(Cart.objects.values()), list(CartLine.objects.values())
    log_in(store, strategy)
    assert (list(Cart.objects.values()), list(CartLine.objects.values())) == before


def test_a_shopper_who_is_the_account_already_is_left_alone(
    store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart
) -> None:
    new_cart(store, shopper, {tea: 1})
    before = list(Cart.objects.values())
    events.send("shopper.merged", store=store, from_user_id="guest-1", to_user_id="guest-1", strategy="merge")
    assert list(Cart.objects.values()) == before


def test_carts_of_others_closed_and_expired_ones_are_left_alone(
    store: Store, other_store: Store, shopper: Shopper, account: Shopper, stranger: Shopper, tea: Sku, new_cart: NewCart
) -> None:
    FakeCatalog.put(other_store.pk, "TEA")
    left = [
        new_cart(store, stranger, {tea: 1}),
        new_cart(other_store, make_shopper(other_store), {tea: 1}),
        new_cart(store, shopper, {tea: 1}, now=timezone.now() - timedelta(days=31)),
    ]
    ordered = new_cart(store, account, {tea: 9})
    Cart.objects.filter(pk=ordered.pk).update(closed_at=timezone.now())
    before = list(Cart.objects.order_by("pk").values())
    log_in(store)
    assert list(Cart.objects.order_by("pk").values()) == before
    assert len(left) + 1 == len(before)


def test_a_merge_does_not_mind_rules_but_the_cart_tells(
    store: Store, shopper: Shopper, account: Shopper, cup: Sku, new_cart: NewCart, client_of: Any
) -> None:
    guest = new_cart(store, shopper, {cup: 1})
    new_cart(store, account, {cup: 8})
    FakeCatalog.put(store.pk, "CUP", "RED", available=2)
    log_in(store)
    assert of("account") == {guest.pk: {cup: 8}}
    read = client_of(store, account).get(f"/carts/{guest.pk}").json()["content"]["cart"]
    assert read["cart_items"][0]["stock_available"] is False


def test_what_clients_noted_is_united_with_the_visitors_on_top(
    store: Store, shopper: Shopper, account: Shopper, tea: Sku, new_cart: NewCart
) -> None:
    new_cart(store, shopper, {tea: 1}, metadata={"a": "guest"})
    new_cart(store, account, {tea: 1}, metadata={"a": "account", "b": "account"}, customer_note="Ring twice")
    Cart.objects.filter(user_id="account").update(shipping_address={"city": "Pune"})
    log_in(store)
    cart = Cart.objects.get()
    assert cart.metadata == {"a": "guest", "b": "account"}
    assert (cart.customer_note, cart.shipping_address) == ("Ring twice", {"city": "Pune"})


def test_an_account_that_wins_brings_its_note_and_address(
    store: Store, shopper: Shopper, account: Shopper, tea: Sku, new_cart: NewCart
) -> None:
    new_cart(store, shopper, {tea: 1}, metadata={"a": "guest"}, customer_note="Guest")
    new_cart(store, account, {tea: 1}, metadata={"b": "account"})
    log_in(store, "account_wins")
    cart = Cart.objects.get()
    assert (cart.metadata, cart.customer_note) == ({"b": "account"}, "")


def test_a_merge_moves_the_expiry_on(
    store: Store, shopper: Shopper, account: Shopper, tea: Sku, new_cart: NewCart
) -> None:
    now = timezone.now()
    new_cart(store, shopper, {tea: 1}, now=now - timedelta(days=20))
    log_in(store)
    assert Cart.objects.get().expires_at >= now + timedelta(days=30)


# --- erasure --------------------------------------------------------------------------------------------------------
def test_erasing_a_shopper_deletes_their_carts_and_nobody_elses(
    store: Store, other_store: Store, shopper: Shopper, stranger: Shopper, tea: Sku, new_cart: NewCart
) -> None:
    FakeCatalog.put(other_store.pk, "TEA")
    kept = {new_cart(store, stranger, {tea: 1}).pk, new_cart(other_store, make_shopper(other_store), {tea: 1}).pk}
    new_cart(store, shopper, {tea: 1})
    new_cart(store, shopper, {tea: 1}, now=timezone.now() - timedelta(days=99))
    ordered = new_cart(store, shopper, {tea: 1}, metadata={"n": "Asha"}, customer_note="For Asha")
    Cart.objects.filter(pk=ordered.pk).update(closed_at=timezone.now(), shipping_address={"first_name": "Asha"})
    for _time in range(2):
        events.send("shopper.erased", store=store, user_id="guest-1", customer_id=None)
        assert set(Cart.objects.values_list("pk", flat=True)) == kept | {ordered.pk}
    left = Cart.objects.get(pk=ordered.pk)
    assert (left.metadata, left.customer_note, left.shipping_address, left.billing_address) == ({}, "", None, None)
    assert quantities(left) == {tea: 1}


def test_a_united_cart_has_no_more_lines_than_any_other(
    store: Store, shopper: Shopper, account: Shopper, new_cart: NewCart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MAX_LINES", 4)
    a, b, c, d, e, f = (FakeCatalog.put(store.pk, name) for name in "ABCDEF")
    guest = new_cart(store, shopper, {a: 1, b: 3, c: 1})
    new_cart(store, account, {e: 1, f: 1, a: 2, b: 1})
    for _time in range(2):
        log_in(store)
        assert of("account") == {guest.pk: {a: 2, b: 3, c: 1, e: 1}}
    new_cart(store, shopper, {d: 1})
    log_in(store)
    assert set(next(iter(of("account").values()))) == {d, a, b, c}


# --- wishes ---------------------------------------------------------------------------------------------------------
WISHES = (
    *("coupon_code", "points_asked", "credit_asked", "gift_card_id", "gift_card_last4"),
    *("billing_address", "shipping_address", "fulfillment"),
)
GUESTS: dict[str, Any] = {
    "coupon_code": "TEN",
    "points_asked": 1,
    "credit_asked": Decimal(1),
    "gift_card_id": "g",
    "gift_card_last4": "gggg",
    "billing_address": {"city": "Goa"},
    "shipping_address": {"city": "Goa"},
    "fulfillment": {"fulfillment_type": "delivery", "shipments": []},
}
ACCOUNTS: dict[str, Any] = {
    "coupon_code": "LOGIN",
    "points_asked": 2,
    "credit_asked": Decimal(2),
    "gift_card_id": "a",
    "gift_card_last4": "aaaa",
    "billing_address": {"city": "Pune"},
    "shipping_address": {"city": "Pune"},
    "fulfillment": {"fulfillment_type": "collect-in-store", "pickup_location_id": "S1"},
}


@pytest.fixture
def both(store: Store, shopper: Shopper, account: Shopper, tea: Sku, new_cart: NewCart, configure: Any) -> Any:
    """`both(guests, accounts)`: a cart of each with these wishes, in a shop where TEN and LOGIN are coupons."""
    configure(**PLUGS)

    def make(guests: Any, accounts: Any) -> None:
        for owner, wishes in ((shopper, guests), (account, accounts)):
            cart = new_cart(store, owner, {tea: 1})
            Cart.objects.filter(pk=cart.pk).update(**wishes)

    return make


def wishes() -> dict[str, Any]:
    return dict(Cart.objects.values(*WISHES).get())


@pytest.mark.parametrize(("strategy", "kept"), [("merge", GUESTS), ("guest_wins", GUESTS), ("account_wins", ACCOUNTS)])
def test_the_strategy_says_whose_wishes_stay(both: Any, store: Store, strategy: str, kept: Any) -> None:
    both(GUESTS, ACCOUNTS)
    for _time in range(2):
        log_in(store, strategy)
        assert wishes() == kept


def test_what_only_the_accounts_cart_wishes_comes_along_in_a_merge(both: Any, store: Store) -> None:
    both({}, ACCOUNTS)
    log_in(store)
    assert wishes() == ACCOUNTS


def test_addresses_and_the_way_to_them_stay_together(both: Any, store: Store) -> None:
    both({**GUESTS, "fulfillment": None}, ACCOUNTS)
    log_in(store)
    assert (wishes()["shipping_address"], wishes()["fulfillment"]) == ({"city": "Goa"}, None)


@pytest.mark.parametrize(
    ("guests", "accounts", "lapsed", "kept"),
    [
        ("LOGIN", "", (), "LOGIN"),  # it counts now that they are logged in
        ("BIG", "", (), ""),
        ("BIG", "TEN", (), "TEN"),
        ("BIG", "TEN", ("TEN",), ""),
        ("", "BIG", (), ""),
        ("TEN", "LOGIN", ("TEN",), "LOGIN"),
    ],
)
def test_a_coupon_is_looked_at_anew(
    both: Any, store: Store, guests: str, accounts: str, lapsed: tuple[str, ...], kept: str
) -> None:
    both({"coupon_code": guests}, {"coupon_code": accounts})
    FakeOffers.LAPSED.update(lapsed)
    log_in(store)
    assert wishes()["coupon_code"] == kept


def test_a_coupon_is_looked_at_anew_where_the_account_has_no_cart(
    store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, configure: Any
) -> None:
    configure(**PLUGS)
    new_cart(store, shopper, {tea: 1})
    Cart.objects.update(coupon_code="BIG")
    log_in(store)
    assert wishes()["coupon_code"] == ""


def test_a_catalogue_that_does_not_answer_keeps_nobody_from_logging_in(both: Any, store: Store) -> None:
    both({"coupon_code": "TEN"}, {"coupon_code": "LOGIN"})

    def fail() -> None:
        raise Unavailable

    FakeCatalog.meanwhile.append(fail)
    log_in(store)
    assert wishes()["coupon_code"] == "TEN"


def test_a_login_that_fails_after_the_merge_leaves_both_carts(both: Any, store: Store) -> None:
    both(GUESTS, ACCOUNTS)
    before = list(Cart.objects.order_by("pk").values())
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        log_in(store)
        raise ZeroDivisionError
    assert list(Cart.objects.order_by("pk").values()) == before
