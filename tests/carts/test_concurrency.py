"""Carts under parallel calls: nothing is lost, nothing answers 5xx. The same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.utils import timezone

from carts import lifecycle, services
from carts.models import Cart, CartLine
from storefront import events
from storefront.contracts import Shopper, Sku
from storefront.models import Store
from tests.carts.conftest import body, make_shopper, quantities
from tests.carts.fakes import PLUGS, FakeCatalog
from tests.conftest import Api
from tests.contract import assert_matches
from tests.threads import in_parallel

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.carts.urls")]
NewCart = Callable[..., Cart]
WORKERS = 8


def together(count: int = WORKERS) -> Callable[[], None]:
    """A gate that opens when all have come."""
    gate = Barrier(count, timeout=300)
    return lambda: gate.wait() and None


def test_parallel_writes_of_different_items_are_all_kept(
    store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, client_of: Any
) -> None:
    cart = new_cart(store, shopper, {tea: 1})
    skus = [FakeCatalog.put(store.pk, f"P{number}") for number in range(WORKERS)]
    start = together()

    def put(number: int) -> int:
        client = client_of(store, shopper)
        start()
        for quantity in (3, 5, number + 1):
            response = client.post(f"/carts/{cart.pk}/items", body(skus[number], quantity))
            shown = assert_matches("update-cart", response)["cart"]
            mine = [item["quantity"] for item in shown["cart_items"] if item["product_id"] == f"P{number}"]
            assert mine == [quantity]
        return int(response.status_code)

    assert in_parallel(put, WORKERS) == [200] * WORKERS
    assert quantities(cart) == {tea: 1} | {sku: number + 1 for number, sku in enumerate(skus)}
    assert Cart.objects.get().version == 1 + 3 * WORKERS


def test_parallel_writes_of_one_item_leave_one_line_with_one_of_the_quantities(
    store: Store, shopper: Shopper, tea: Sku, cup: Sku, new_cart: NewCart, client_of: Any
) -> None:
    cart = new_cart(store, shopper, {tea: 1})
    for _round in range(5):
        start = together()

        def put(number: int, start: Callable[[], None] = start) -> int:
            client = client_of(store, shopper)
            start()
            return int(client.post(f"/carts/{cart.pk}/items", body(cup, number)).status_code)

        assert in_parallel(put, WORKERS) == [200] * WORKERS
        held = quantities(cart)
        assert held.pop(tea) == 1
        assert held == {} or (list(held) == [cup] and held[cup] in range(1, WORKERS))


def test_a_write_that_came_between_is_in_the_answer(
    api: Api, store: Store, shopper: Shopper, tea: Sku, cup: Sku, new_cart: NewCart
) -> None:
    """The competing write runs exactly while the catalogue is being asked."""
    cart = new_cart(store, shopper, {tea: 1})
    pot = FakeCatalog.put(store.pk, "POT")

    def compete() -> None:
        now = timezone.now()
        services.set_quantity(store=store, shopper=shopper, cart_id=cart.pk, sku=pot, quantity=4, now=now)
        services.set_quantity(store=store, shopper=shopper, cart_id=cart.pk, sku=tea, quantity=0, now=now)

    FakeCatalog.meanwhile.append(compete)
    shown = assert_matches("update-cart", api.post(f"/carts/{cart.pk}/items", body(cup, 2)))["cart"]
    assert [(item["product_id"], item["quantity"]) for item in shown["cart_items"]] == [("POT", 4), ("CUP", 2)]
    assert quantities(cart) == {pot: 4, cup: 2}
    assert shown == api.get(f"/carts/{cart.pk}").json()["content"]["cart"]


@pytest.mark.parametrize("ending", ["deleted", "closed", "merged"])
def test_a_cart_that_ended_while_it_was_written_to_is_not_found_and_not_changed(
    api: Api, store: Store, shopper: Shopper, tea: Sku, cup: Sku, new_cart: NewCart, ending: str
) -> None:
    cart = new_cart(store, shopper, {tea: 1})

    def end() -> None:
        if ending == "deleted":
            services.delete_cart(store=store, shopper=shopper, cart_id=cart.pk, now=timezone.now())
        elif ending == "closed":
            Cart.objects.update(closed_at=timezone.now(), version=9)
        else:
            lifecycle.merge_carts(store=store, from_user_id="guest-1", to_user_id="account", strategy="merge")

    FakeCatalog.meanwhile.append(end)
    response = api.post(f"/carts/{cart.pk}/items", body(cup, 2))
    assert (response.status_code, response.json()["code"]) == (404, "cart_not_found")
    assert CartLine.objects.filter(product_id="CUP").count() == 0


def test_the_limit_of_lines_holds_for_writes_that_came_between(
    api: Api, store: Store, shopper: Shopper, tea: Sku, cup: Sku, new_cart: NewCart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("carts.rules.MAX_LINES", 2)
    cart = new_cart(store, shopper, {tea: 1})
    pot = FakeCatalog.put(store.pk, "POT")
    FakeCatalog.meanwhile.append(
        lambda: services.set_quantity(
            store=store, shopper=shopper, cart_id=cart.pk, sku=pot, quantity=1, now=timezone.now()
        )
    )
    response = api.post(f"/carts/{cart.pk}/items", body(cup, 2))
    assert (response.status_code, response.json()["code"]) == (400, "too_many_lines")
    assert quantities(cart) == {tea: 1, pot: 1}
    assert Cart.objects.get().version == 2


def test_parallel_creates_make_a_cart_each(store: Store, shopper: Shopper, tea: Sku, client_of: Any) -> None:
    start = together()

    def create(number: int) -> str:
        client = client_of(store, shopper)
        start()
        content = assert_matches("create-cart", client.post("/carts", {"items": [body(tea, number + 1)]}))
        return str(content["cart"]["id"])

    ids = in_parallel(create, WORKERS)
    assert len(set(ids)) == WORKERS
    current = client_of(store, shopper).get("/carts/users/guest-1").json()["content"]["cart"]
    assert current["id"] == max(ids)


def test_parallel_repeats_with_one_key_make_one_cart(store: Store, shopper: Shopper, tea: Sku, client_of: Any) -> None:
    start = together()

    def create(number: int) -> Any:
        client = client_of(store, shopper)
        start()
        return client.post("/carts", {"items": [body(tea, 1)]}, Idempotency_Key="once")

    answers = in_parallel(create, WORKERS)
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert Cart.objects.count() == 1


def test_writes_and_a_delete_in_parallel_never_fail(
    store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, client_of: Any
) -> None:
    skus = [FakeCatalog.put(store.pk, f"P{number}") for number in range(WORKERS)]
    for _round in range(3):
        cart = new_cart(store, shopper, {tea: 1})
        start = together()

        def act(number: int, cart: Cart = cart, start: Callable[[], None] = start) -> int:
            client = client_of(store, shopper)
            start()
            if number == 0:
                return int(client.delete(f"/carts/{cart.pk}").status_code)
            return int(client.post(f"/carts/{cart.pk}/items", body(skus[number], 1)).status_code)

        statuses = in_parallel(act, WORKERS)
        assert statuses[0] == 200
        assert set(statuses[1:]) <= {200, 404}
    assert not Cart.objects.exists()
    assert not CartLine.objects.exists()


def test_parallel_deletes_delete_once(
    store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, client_of: Any
) -> None:
    cart = new_cart(store, shopper, {tea: 1})
    start = together()

    def delete(number: int) -> int:
        client: Api = client_of(store, shopper)
        start()
        path = f"/carts/{cart.pk}" if number % 2 else "/carts/users/guest-1"
        return int(client.delete(path).status_code)

    assert Counter(in_parallel(delete, WORKERS)) == {200: 1, 404: WORKERS - 1}


def test_one_login_told_in_parallel_merges_once(
    store: Store, shopper: Shopper, tea: Sku, cup: Sku, new_cart: NewCart
) -> None:
    account = make_shopper(store, "account")
    for _round in range(3):
        Cart.objects.all().delete()
        guest = new_cart(store, shopper, {tea: 3})
        new_cart(store, account, {tea: 1, cup: 2})
        start = together()

        def log_in(number: int, start: Callable[[], None] = start) -> None:
            start()
            events.send("shopper.merged", store=store, from_user_id="guest-1", to_user_id="account", strategy="merge")

        in_parallel(log_in, WORKERS)
        assert list(Cart.objects.values_list("pk", "user_id")) == [(guest.pk, "account")]
        assert quantities(guest) == {tea: 3, cup: 2}


def test_many_visitors_who_log_in_to_one_account_leave_one_cart_with_everything(
    store: Store, tea: Sku, new_cart: NewCart
) -> None:
    account = make_shopper(store, "account")
    new_cart(store, account, {tea: 1})
    skus = [FakeCatalog.put(store.pk, f"P{number}") for number in range(WORKERS)]
    for number in range(WORKERS):
        new_cart(store, make_shopper(store, f"visitor-{number}"), {skus[number]: 1, tea: number + 2})
    start = together()

    def log_in(number: int) -> None:
        start()
        lifecycle.merge_carts(store=store, from_user_id=f"visitor-{number}", to_user_id="account", strategy="merge")

    in_parallel(log_in, WORKERS)
    cart = Cart.objects.get()
    assert cart.user_id == "account"
    assert quantities(cart) == dict.fromkeys(skus, 1) | {tea: WORKERS + 1}


def test_parallel_logins_and_wishes_leave_one_cart_with_a_coupon_that_counts(
    store: Store, tea: Sku, new_cart: NewCart, client_of: Any, configure: Any
) -> None:
    configure(**PLUGS)
    account = make_shopper(store, "account", is_logged_in=True, is_anonymous=False)
    new_cart(store, account, {tea: 1})
    for number in range(WORKERS):
        new_cart(store, make_shopper(store, f"visitor-{number}"), {tea: number + 2})
    Cart.objects.exclude(user_id="account").update(coupon_code="BIG", gift_card_id="card-1", gift_card_last4="1234")
    start = together()

    def act(number: int) -> int:
        start()
        lifecycle.merge_carts(store=store, from_user_id=f"visitor-{number}", to_user_id="account", strategy="merge")
        cart = Cart.objects.filter(user_id="account").latest("pk")
        sent = {"coupon_code": "LOGIN"}
        return int(client_of(store, account).post(f"/carts/{cart.pk}/coupon", sent).status_code)

    assert set(in_parallel(act, WORKERS)) <= {200, 404}
    cart = Cart.objects.get()
    assert quantities(cart) == {tea: WORKERS + 1}
    assert cart.coupon_code in ("", "LOGIN", "BIG")
    shown = client_of(store, account).get(f"/carts/{cart.pk}").json()["content"]["cart"]
    assert shown["gift_card_last4"] == "1234"
    assert shown["coupon_code"] == (cart.coupon_code or None)


def test_parallel_wishes_of_all_kinds_are_all_kept(
    store: Store, tea: Sku, new_cart: NewCart, client_of: Any, configure: Any
) -> None:
    configure(**PLUGS)
    buyer = make_shopper(store, "buyer", is_logged_in=True, is_anonymous=False, customer_id="c")
    cart = new_cart(store, buyer, {tea: 1})
    address = {
        "first_name": "Asha",
        "phone": "9876543210",
        "address_line1": "12 Lake Road",
        "pincode": "411001",
        "city": "Pune",
        "state": "Maharashtra",
    }
    calls: list[tuple[str, Any]] = [
        ("coupon", {"coupon_code": "TEN"}),
        ("loyalty-points", {"loyalty_point_redeemed": 5}),
        ("credit-balance", {"credit_balance_used": 7.5}),
        ("gift-card", {"gift_card_code": "GIFT-1234", "pin": "7"}),
        ("address", {"billing_address": address, "shipping_address": address}),
        ("items", body(tea, 4)),
        ("items", body(FakeCatalog.put(store.pk, "POT"), 1)),
        ("items", body(FakeCatalog.put(store.pk, "PAN"), 1)),
    ]
    start = together(len(calls))

    def act(number: int) -> int:
        start()
        name, sent = calls[number]
        return int(client_of(store, buyer).post(f"/carts/{cart.pk}/{name}", sent).status_code)

    assert in_parallel(act, len(calls)) == [200] * len(calls)
    row = Cart.objects.get()
    assert (row.coupon_code, row.points_asked, row.credit_asked) == ("TEN", 5, Decimal("7.5"))
    assert (row.gift_card_last4, row.version) == ("1234", 1 + len(calls))
    assert row.shipping_address["city"] == "Pune"
    assert sorted(quantities(cart).values()) == [1, 1, 4]


def test_a_cart_under_a_rush_of_writes_is_priced_with_its_row_locked(
    api: Api, store: Store, shopper: Shopper, tea: Sku, cup: Sku, new_cart: NewCart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("carts.changes.TRIES", 1)
    cart = new_cart(store, shopper, {tea: 1})
    now = timezone.now()
    where = {"store": store, "shopper": shopper, "cart_id": cart.pk, "now": now}
    FakeCatalog.meanwhile.append(lambda: services.set_quantity(**where, sku=tea, quantity=7))
    assert_matches("update-cart", api.post(f"/carts/{cart.pk}/items", body(cup, 2)))
    assert quantities(cart) == {tea: 7, cup: 2}


def test_writes_by_the_visitor_during_the_login_are_kept_or_refused(
    store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, client_of: Any
) -> None:
    account = make_shopper(store, "account")
    cart = new_cart(store, shopper, {tea: 1})
    new_cart(store, account, {tea: 5})
    skus = [FakeCatalog.put(store.pk, f"P{number}") for number in range(WORKERS)]
    start = together()

    def act(number: int) -> int:
        client = client_of(store, shopper)
        start()
        if number == 0:
            lifecycle.merge_carts(store=store, from_user_id="guest-1", to_user_id="account", strategy="merge")
            return 200
        return int(client.post(f"/carts/{cart.pk}/items", body(skus[number], 1)).status_code)

    statuses = in_parallel(act, WORKERS)
    assert set(statuses) <= {200, 404}
    kept = {skus[number]: 1 for number in range(1, WORKERS) if statuses[number] == 200}
    assert quantities(cart) == kept | {tea: 5}


def test_parallel_purges_delete_each_cart_once(store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart) -> None:
    past = timezone.now() - timedelta(days=40)
    for _number in range(20):
        new_cart(store, shopper, {tea: 1}, now=past)
    live = new_cart(store, shopper, {tea: 1})
    start = together(4)

    def purge(number: int) -> None:
        start()
        lifecycle.purge_expired(now=timezone.now(), batch=100)

    in_parallel(purge, 4)
    lifecycle.purge_expired(now=timezone.now(), batch=100)  # what each took for locked by the other
    assert list(Cart.objects.values_list("pk", flat=True)) == [live.pk]
