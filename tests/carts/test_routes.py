"""The six cart routes: shapes, owners, what a body may say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from carts.models import Cart, CartLine
from carts.rules import MAX_QUANTITY
from storefront import events
from storefront.contracts import Shopper, Sku
from storefront.models import IdempotencyRecord, Store
from tests.carts.conftest import body, make_shopper, quantities
from tests.carts.fakes import FakeCatalog
from tests.conftest import Api
from tests.contract import assert_is_error, assert_matches

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.carts.urls")]
NewCart = Callable[..., Cart]


def create(api: Api, *items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return dict(assert_matches("create-cart", api.post("/carts", {"items": list(items), **more}))["cart"])


def test_a_cart_is_created_with_items_and_totals(api: Api, tea: Sku, cup: Sku) -> None:
    cart = create(api, body(tea, 1), body(cup, 3), metadata={"source": "app"}, customer_note="Ring twice")
    assert [(item["product_id"], item["variant_id"], item["quantity"]) for item in cart["cart_items"]] == [
        ("TEA", None, 1),
        ("CUP", "RED", 3),
    ]
    assert cart["cart_items_count"] == 2
    assert (cart["subtotal"], cart["items_tax_amount"], cart["subtotal_including_tax"]) == (250.0, 45.0, 295.0)
    assert cart["grand_total"] == cart["to_be_paid"] == 295.0
    assert cart["metadata"] == {"source": "app"}
    assert cart["customer_note"] == "Ring twice"
    assert cart["currency"] == {"name": "Indian Rupee", "code": "INR", "symbol": "₹"}
    assert cart["active"] is True
    row = Cart.objects.get()
    assert (row.pk, row.user_id, row.store_id) == (cart["id"], "guest-1", "demo")
    assert len(row.pk) == 26


def test_all_routes_answer_in_the_contracts_shapes(api: Api, tea: Sku) -> None:
    cart = create(api, body(tea, 1))
    assert cart["metadata"] is None and cart["customer_note"] is None
    by_id = assert_matches("get-cart", api.get(f"/carts/{cart['id']}"))["cart"]
    by_user = assert_matches("get-user-cart", api.get("/carts/users/guest-1"))["cart"]
    assert by_id == by_user == cart
    changed = assert_matches("update-cart", api.post(f"/carts/{cart['id']}/items", body(tea, 2)))["cart"]
    assert changed["cart_items"][0]["quantity"] == 2
    assert "content" not in assert_matches("delete-cart", api.delete(f"/carts/{cart['id']}"))
    create(api, body(tea, 1))
    assert "content" not in assert_matches("delete-user-cart", api.delete("/carts/users/guest-1"))
    assert not Cart.objects.exists()
    assert not CartLine.objects.exists()


def test_the_current_cart_is_the_newest(api: Api, tea: Sku) -> None:
    first = create(api, body(tea, 1))
    second = create(api, body(tea, 2))
    assert api.get("/carts/users/guest-1").json()["content"]["cart"]["id"] == second["id"]
    assert_matches("get-cart", api.get(f"/carts/{first['id']}"))


def test_deleting_by_user_leaves_no_older_cart_to_come_back(api: Api, tea: Sku) -> None:
    create(api, body(tea, 1))
    create(api, body(tea, 1))
    assert_matches("delete-user-cart", api.delete("/carts/users/guest-1"))
    assert_is_error(api.get("/carts/users/guest-1"), 404, "cart_not_found")
    assert_is_error(api.delete("/carts/users/guest-1"), 404, "cart_not_found")


def test_a_deleted_cart_is_gone(api: Api, tea: Sku) -> None:
    cart = create(api, body(tea, 1))
    api.delete(f"/carts/{cart['id']}")
    for response in (
        api.get(f"/carts/{cart['id']}"),
        api.delete(f"/carts/{cart['id']}"),
        api.post(f"/carts/{cart['id']}/items", body(tea, 1)),
        api.get("/carts/users/guest-1"),
    ):
        assert_is_error(response, 404, "cart_not_found")


def test_a_cart_that_became_an_order_is_not_found_and_not_changed(
    api: Api, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart
) -> None:
    cart = new_cart(store, shopper, {tea: 1})
    Cart.objects.update(closed_at=timezone.now())
    for response in (
        api.get(f"/carts/{cart.pk}"),
        api.get("/carts/users/guest-1"),
        api.delete(f"/carts/{cart.pk}"),
        api.delete("/carts/users/guest-1"),
        api.post(f"/carts/{cart.pk}/items", body(tea, 0)),
    ):
        assert_is_error(response, 404, "cart_not_found")
    assert quantities(cart) == {tea: 1}


def test_another_shoppers_cart_is_not_found_and_not_touched(
    store: Store, shopper: Shopper, stranger: Shopper, tea: Sku, new_cart: NewCart, client_of: Any
) -> None:
    cart = new_cart(store, shopper, {tea: 1})
    theirs = client_of(store, stranger)
    for response in (
        theirs.get(f"/carts/{cart.pk}"),
        theirs.delete(f"/carts/{cart.pk}"),
        theirs.post(f"/carts/{cart.pk}/items", body(tea, 5)),
        theirs.get("/carts/users/guest-1"),
        theirs.delete("/carts/users/guest-1"),
    ):
        assert_is_error(response, 404, "cart_not_found")
    assert quantities(cart) == {tea: 1}
    assert Cart.objects.get().version == 1


def test_a_cart_of_another_store_is_not_found_even_for_the_same_user_id(
    store: Store, other_store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, client_of: Any
) -> None:
    cart = new_cart(store, shopper, {tea: 1})
    FakeCatalog.put(other_store.pk, "TEA")
    there = client_of(other_store, make_shopper(other_store))
    for response in (
        there.get(f"/carts/{cart.pk}"),
        there.delete(f"/carts/{cart.pk}"),
        there.post(f"/carts/{cart.pk}/items", body(tea, 5)),
        there.get("/carts/users/guest-1"),
        there.delete("/carts/users/guest-1"),
    ):
        assert_is_error(response, 404, "cart_not_found")
    assert quantities(cart) == {tea: 1}


@pytest.mark.parametrize("path", ["/carts/x", "/carts/users/guest-1"])
def test_nobody_sees_a_cart_without_a_token(api: Api, path: str) -> None:
    api.token = ""
    assert_is_error(api.get(path), 401, "unauthorized")
    assert_is_error(api.delete(path), 401, "unauthorized")


def test_a_token_is_needed_to_write(api: Api, tea: Sku) -> None:
    api.token = ""
    assert_is_error(api.post("/carts", {"items": [body(tea, 1)]}), 401)
    assert_is_error(api.post("/carts/x/items", body(tea, 1)), 401)
    assert not Cart.objects.exists()


# --- bodies ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("items", [None, [], {}, "x", [None], [[]], [1]])
def test_a_cart_needs_items(api: Api, items: Any) -> None:
    error = assert_is_error(api.post("/carts", {"items": items}), 400, "validation_error")
    assert all(field.startswith("items") for field in error["errors"])
    assert not Cart.objects.exists()


@pytest.mark.parametrize("sent", [b"", b"[]", b"7", b'"x"', b"null"])
def test_a_body_that_is_no_object_is_refused(
    api: Api, sent: bytes, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart
) -> None:
    cart = new_cart(store, shopper, {tea: 1})
    assert_is_error(api.post("/carts", sent), 400)
    assert_is_error(api.post(f"/carts/{cart.pk}/items", sent), 400)
    assert quantities(cart) == {tea: 1}


@pytest.mark.parametrize("quantity", [2.5, -1, "2", True, None, [], {}, 1_000_001, 1e300, -0.5])
def test_a_quantity_is_a_whole_number_in_bounds(
    api: Api, quantity: Any, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart
) -> None:
    cart = new_cart(store, shopper, {tea: 1})
    assert_is_error(api.post(f"/carts/{cart.pk}/items", body(tea, quantity)), 400)
    assert_is_error(api.post("/carts", {"items": [body(tea, 1), body(tea, quantity)]}), 400)
    assert quantities(cart) == {tea: 1}
    assert Cart.objects.count() == 1


def test_a_refused_quantity_is_named(api: Api, tea: Sku) -> None:
    error = assert_is_error(api.post("/carts", {"items": [body(tea, 1), body(tea, 2.5)]}), 400, "validation_error")
    assert set(error["errors"]) == {"items.1.quantity"}
    assert_is_error(api.post("/carts/x/items", body(tea, 2.5)), 400, field="quantity")
    assert_is_error(api.post("/carts", {"items": [body(tea, 0)]}), 400, field="items.0.quantity")


def test_a_whole_number_may_be_written_with_a_fraction_of_zero(api: Api, tea: Sku) -> None:
    assert create(api, body(tea, 2.0))["cart_items"][0]["quantity"] == 2


@pytest.mark.parametrize("variant", [{"variant_id": None}, {"variant_id": ""}, {}])
def test_no_variant_may_be_said_in_three_ways(api: Api, tea: Sku, variant: dict[str, Any]) -> None:
    cart = create(api, {"product_id": "TEA", "quantity": 1, **variant})
    assert cart["cart_items"][0]["variant_id"] is None
    changed = api.post(f"/carts/{cart['id']}/items", {"product_id": "TEA", "quantity": 4, **variant})
    assert [item["quantity"] for item in changed.json()["content"]["cart"]["cart_items"]] == [4]


def test_a_sku_named_twice_is_wanted_twice(api: Api, tea: Sku, cup: Sku) -> None:
    cart = create(api, body(tea, 1), body(cup, 1), body(tea, 2))
    assert [(item["product_id"], item["quantity"]) for item in cart["cart_items"]] == [("TEA", 3), ("CUP", 1)]


def test_rules_hold_for_the_sum_of_a_sku_named_twice(api: Api, cup: Sku) -> None:
    response = api.post("/carts", {"items": [body(cup, 6), body(cup, 5)]})
    assert_is_error(response, 400, "out_of_stock", field="items.1.quantity")
    assert not Cart.objects.exists()


def test_naming_a_sku_many_times_does_not_pass_the_most_of_a_line(api: Api, store: Store) -> None:
    endless = FakeCatalog.put(store.pk, "E-BOOK", available=None)
    response = api.post("/carts", {"items": [body(endless, MAX_QUANTITY), body(endless, 1)]})
    assert_is_error(response, 400, "above_maximum", field="items.1.quantity")
    assert not Cart.objects.exists()
    create(api, body(endless, MAX_QUANTITY - 1), body(endless, 1))


@pytest.mark.parametrize(
    "metadata",
    [
        {"n": {}},
        {"n": None},
        {"n": ["x"]},
        [],
        "x",
        {"n": "x" * 501},
        {"n" * 65: "x"},
        {str(n): "x" for n in range(51)},
    ],
)
def test_metadata_holds_texts_in_bounds(api: Api, tea: Sku, metadata: Any) -> None:
    error = assert_is_error(api.post("/carts", {"items": [body(tea, 1)], "metadata": metadata}), 400)
    assert all(field.startswith("metadata") for field in error["errors"])
    assert not Cart.objects.exists()


@pytest.mark.parametrize("note", ["x" * 1001, {}, [], True])
def test_a_note_is_a_text_in_bounds(api: Api, tea: Sku, note: Any) -> None:
    assert_is_error(api.post("/carts", {"items": [body(tea, 1)], "customer_note": note}), 400, field="customer_note")


def test_nothing_but_items_metadata_and_note_is_read(api: Api, tea: Sku) -> None:
    cart = create(
        api,
        {**body(tea, 1), "selling_price": 1, "is_free_item": True, "tax_rate": 0},
        id="01ARZ3NDEKTSV4RRFFQ69G5FAV",
        user_id="guest-2",
        expires_at="2099-01-01T00:00:00Z",
        coupon_code="FREE",
        grand_total=1,
        store_id="other",
    )
    row = Cart.objects.get()
    assert cart["grand_total"] == 118.0 and cart["coupon_code"] is None
    assert row.pk != "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert (row.user_id, row.store_id) == ("guest-1", "demo")
    assert row.expires_at.year == timezone.now().year or row.expires_at.year == timezone.now().year + 1


# --- items ----------------------------------------------------------------------------------------------------------
def test_a_quantity_is_absolute_and_zero_removes(api: Api, tea: Sku, cup: Sku) -> None:
    cart = create(api, body(tea, 2))

    def put(sku: Sku, quantity: int) -> list[tuple[str, int]]:
        changed = assert_matches("update-cart", api.post(f"/carts/{cart['id']}/items", body(sku, quantity)))["cart"]
        stored = api.get(f"/carts/{cart['id']}").json()["content"]["cart"]
        assert changed == stored
        return [(item["product_id"], item["quantity"]) for item in changed["cart_items"]]

    assert put(tea, 3) == [("TEA", 3)]
    assert put(cup, 1) == [("TEA", 3), ("CUP", 1)]
    assert put(tea, 1) == [("TEA", 1), ("CUP", 1)]
    assert put(tea, 0) == [("CUP", 1)]
    assert put(tea, 0) == [("CUP", 1)]
    assert put(cup, 0) == []


def test_an_emptied_cart_stays_and_can_be_filled_again(api: Api, tea: Sku) -> None:
    cart = create(api, body(tea, 2))
    empty = assert_matches("update-cart", api.post(f"/carts/{cart['id']}/items", body(tea, 0)))["cart"]
    assert (empty["cart_items"], empty["grand_total"], empty["status"]) == ([], 0.0, "not-ready-for-payment")
    assert empty["status_error_message"] == "Your cart is empty."
    again = assert_matches("update-cart", api.post(f"/carts/{cart['id']}/items", body(tea, 1)))["cart"]
    assert again["cart_items_count"] == 1


def test_what_the_catalogue_no_longer_knows_can_be_removed(
    api: Api, store: Store, shopper: Shopper, tea: Sku, cup: Sku, new_cart: NewCart
) -> None:
    cart = new_cart(store, shopper, {tea: 1, cup: 1})
    del FakeCatalog.shelf[store.pk, tea]
    changed = assert_matches("update-cart", api.post(f"/carts/{cart.pk}/items", body(tea, 0)))["cart"]
    assert [item["product_id"] for item in changed["cart_items"]] == ["CUP"]


def test_a_cart_holds_a_bounded_number_of_lines(
    api: Api, store: Store, shopper: Shopper, new_cart: NewCart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("carts.rules.MAX_LINES", 3)
    skus = [FakeCatalog.put(store.pk, f"P{number}") for number in range(4)]
    cart = new_cart(store, shopper, dict.fromkeys(skus[:3], 1))
    assert_is_error(api.post(f"/carts/{cart.pk}/items", body(skus[3], 1)), 400, "too_many_lines", field="product_id")
    assert len(quantities(cart)) == 3
    assert_matches("update-cart", api.post(f"/carts/{cart.pk}/items", body(skus[0], 2)))


def test_a_new_cart_of_too_many_items_is_refused(api: Api, tea: Sku) -> None:
    assert_is_error(api.post("/carts", {"items": [body(tea, 1)] * 251}), 400, "validation_error", field="items")
    assert not Cart.objects.exists()


def test_the_items_of_an_endless_list_are_not_looked_at(api: Api, tea: Sku, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []
    monkeypatch.setattr("carts.serializers.WholeNumber.to_internal_value", lambda field, data: looked.append(data))
    assert_is_error(api.post("/carts", {"items": [body(tea, 1)] * 10_000}), 400, "validation_error", field="items")
    assert looked == []


def test_a_cart_of_as_many_lines_as_allowed_works(api: Api, store: Store) -> None:
    skus = [FakeCatalog.put(store.pk, f"P{number}") for number in range(250)]
    cart = create(api, *(body(sku, 1) for sku in skus))
    assert cart["cart_items_count"] == 250
    assert cart["grand_total"] == 250 * 118


# --- repeats and brakes ---------------------------------------------------------------------------------------------
def test_a_repeated_key_makes_one_cart_and_gets_the_same_answer(api: Api, tea: Sku, cup: Sku) -> None:
    first = api.post("/carts", {"items": [body(tea, 1)]}, Idempotency_Key="k-1")
    again = api.post("/carts", {"items": [body(tea, 1)]}, Idempotency_Key="k-1")
    assert_matches("create-cart", first)
    assert again.status_code == 200 and again.content == first.content
    assert Cart.objects.count() == 1
    other = api.post("/carts", {"items": [body(cup, 1)]}, Idempotency_Key="k-1")
    assert_is_error(other, 400, "idempotency_key_reused")
    assert Cart.objects.count() == 1


def test_a_refused_cart_leaves_its_key_free(api: Api, tea: Sku, cup: Sku) -> None:
    assert_is_error(api.post("/carts", {"items": [body(cup, 11)]}, Idempotency_Key="k-2"), 400, "out_of_stock")
    assert not IdempotencyRecord.objects.exists()
    assert_matches("create-cart", api.post("/carts", {"items": [body(cup, 1)]}, Idempotency_Key="k-2"))


def test_a_key_belongs_to_one_shopper(api: Api, store: Store, stranger: Shopper, tea: Sku, client_of: Any) -> None:
    mine = api.post("/carts", {"items": [body(tea, 1)]}, Idempotency_Key="k-3").json()
    theirs = client_of(store, stranger).post("/carts", {"items": [body(tea, 1)]}, Idempotency_Key="k-3").json()
    assert mine["content"]["cart"]["id"] != theirs["content"]["cart"]["id"]


def test_carts_are_created_at_a_bounded_rate(
    api: Api, store: Store, stranger: Shopper, tea: Sku, configure: Any, client_of: Any
) -> None:
    configure(LIMITS={"cart_create": "2/60", "cart_create_network": "3/60"}, LIMITS_ENABLED=True)
    for _number in range(2):
        create(api, body(tea, 1))
    response = api.post("/carts", {"items": [body(tea, 1)]})
    assert_is_error(response, 429, "too_many_requests")
    assert int(response["Retry-After"]) >= 1
    other = client_of(store, stranger)
    create(other, body(tea, 1))
    assert_is_error(other.post("/carts", {"items": [body(tea, 1)]}), 429)  # the network's turn to wait
    assert Cart.objects.count() == 3


# --- events ---------------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_a_write_is_told_once_it_is_committed(api: Api, tea: Sku, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setitem(events._listeners, "cart.updated", [lambda *, store, cart_id, user_id: told.append(cart_id)])
    cart = create(api, body(tea, 1))
    api.post(f"/carts/{cart['id']}/items", body(tea, 2))
    assert told == [cart["id"]] * 2
    api.post(f"/carts/{cart['id']}/items", body(tea, 2.5))
    api.post(f"/carts/{cart['id']}/items", body(Sku("NONE"), 1))
    api.get(f"/carts/{cart['id']}")
    assert told == [cart["id"]] * 2


@pytest.mark.django_db(transaction=True)
def test_a_failing_listener_does_not_undo_the_write(api: Api, tea: Sku, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**payload: Any) -> None:
        raise RuntimeError

    monkeypatch.setitem(events._listeners, "cart.updated", [fail])
    assert create(api, body(tea, 1))["cart_items_count"] == 1
