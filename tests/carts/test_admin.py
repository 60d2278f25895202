"""Staff look at carts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from carts.models import Cart, WishlistItem
from customers.models import Customer
from storefront.contracts import Shopper, Sku
from storefront.models import Store
from tests.carts.conftest import quantities
from tests.carts.fakes import PLUGS, FakeCatalog, FakeOffers

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


def test_large_amounts_are_grouped(staff: Client, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart) -> None:
    cart = new_cart(store, shopper, {tea: 1})
    FakeCatalog.put(store.pk, "TEA", price="2360")
    text = staff.get(reverse("admin:storefront_carts_cart_change", args=[cart.pk])).content.decode()
    assert "₹ 2,360.00" in text
    assert "₹ 2360.00" not in text


@pytest.fixture
def zubeida(store: Store) -> User:
    customer = Customer.objects.create(store=store)
    return User.objects.create(store=store, customer=customer, first_name="Zubeida", last_name="Quinn")


def test_pages_name_registered_shoppers_and_lead_to_them(
    staff: Client, store: Store, shopper: Shopper, zubeida: User, tea: Sku, new_cart: NewCart
) -> None:
    cart = new_cart(store, shopper, {tea: 1})
    address = reverse("admin:storefront_carts_cart_change", args=[cart.pk])
    assert f"Visitor ({shopper.user_id})" in staff.get(address).content.decode()
    Cart.objects.filter(pk=cart.pk).update(user_id=zubeida.pk)
    text = staff.get(address).content.decode()
    assert f'/storefront_accounts/user/{zubeida.pk}/change/"' in text
    assert ">Zubeida Quinn</a>" in text
    assert "Visitor" not in text


def test_wishlist_items_name_products_and_shoppers_by_few_questions(
    staff: Client, store: Store, zubeida: User, cup: Sku
) -> None:
    def wish(sku: Sku) -> WishlistItem:
        return WishlistItem.objects.create(store=store, user_id=zubeida.pk, **sku._asdict())

    item, gone = wish(cup), wish(Sku("GONE"))
    address = reverse("admin:storefront_carts_wishlistitem_changelist")
    FakeCatalog.asked.clear()
    with CaptureQueriesContext(connection) as few:
        text = staff.get(address).content.decode()
    assert len(FakeCatalog.asked) == 1
    assert "Product CUP – RED" in text and ">Zubeida Quinn</a>" in text
    assert ">GONE</a>" in text, "by its id where nobody sells it any more"
    for row, name in ((item, "Product CUP – RED"), (gone, "GONE")):
        page = staff.get(reverse("admin:storefront_carts_wishlistitem_change", args=[row.pk])).content.decode()
        assert name in page and ">Zubeida Quinn</a>" in page
    for number in range(8):
        wish(Sku(f"TEA-{number}"))
    with CaptureQueriesContext(connection) as many:
        staff.get(address)
    assert len(many) <= len(few)


def test_staff_change_nothing(staff: Client, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart) -> None:
    cart = new_cart(store, shopper, {tea: 2})
    before: Any = Cart.objects.values().get()
    change = reverse("admin:storefront_carts_cart_change", args=[cart.pk])
    assert staff.post(change, {"customer_note": "x", "user_id": "me"}).status_code == 403
    assert staff.post(reverse("admin:storefront_carts_cart_delete", args=[cart.pk]), {"post": "yes"}).status_code == 403
    assert staff.get(reverse("admin:storefront_carts_cart_add")).status_code == 403
    assert Cart.objects.values().get() == before
    assert quantities(cart) == {tea: 2}


def act(staff: Client, action: str, *carts: Cart) -> str:
    sent = {"action": action, "_selected_action": [cart.pk for cart in carts], "confirmed": "1"}
    response = staff.post(reverse("admin:storefront_carts_cart_changelist"), sent, follow=True)
    assert response.status_code == 200
    return str(response.content.decode())


def test_lists_tell_abandoned_carts_and_those_with_wishes(
    staff: Client, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart
) -> None:
    plain, left, coupon, credit, card, sent = (new_cart(store, shopper, {tea: 1}) for _number in range(6))
    now = timezone.now()
    for cart, wishes in (
        (left, {"abandoned_at": now}),
        (coupon, {"coupon_code": "TEN"}),
        (credit, {"credit_asked": 5, "points_asked": 3, "shipping_address": {"city": "Pune"}}),
        (card, {"gift_card_id": "card-1", "gift_card_last4": "1234"}),
        (sent, {"shipping_address": {"city": "Pune"}, "fulfillment": {"fulfillment_type": "delivery"}}),
    ):
        Cart.objects.filter(pk=cart.pk).update(**wishes)
    every = {cart.pk for cart in (plain, left, coupon, credit, card, sent)}
    for query, expected in (
        ({"state": "abandoned"}, {left.pk}),
        ({"wish": "coupon"}, {coupon.pk}),
        ({"wish": "points"}, {credit.pk}),
        ({"wish": "credit"}, {credit.pk}),
        ({"wish": "gift-card"}, {card.pk}),
        ({"q": "ten"}, {coupon.pk}),
        ({"checkout": "delivery"}, {sent.pk}),
        ({"checkout": "addresses"}, {credit.pk}),
        ({"checkout": "none"}, every - {credit.pk, sent.pk}),
        ({"wish": "x", "checkout": "y", "state": "z"}, every),
    ):
        text = listed(staff, **query)
        assert {pk for pk in every if f"/{pk}/change/" in text} == expected, query


def test_staff_let_carts_live_on(staff: Client, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart) -> None:
    old, expired, ordered = (
        new_cart(store, shopper, {tea: 1}, now=timezone.now() - timedelta(days=days)) for days in (20, 31, 20)
    )
    Cart.objects.filter(pk=ordered.pk).update(closed_at=timezone.now())
    before = Cart.objects.get(pk=ordered.pk).expires_at
    text = act(staff, "extend", old, expired, ordered)
    assert "2 carts live on." in text
    assert "1 were passed over" in text
    assert all(Cart.objects.get(pk=cart.pk).expires_at > timezone.now() + timedelta(days=29) for cart in (old, expired))
    assert Cart.objects.get(pk=ordered.pk).expires_at == before


def test_staff_delete_carts_but_none_that_became_an_order(
    staff: Client, store: Store, shopper: Shopper, stranger: Shopper, tea: Sku, new_cart: NewCart
) -> None:
    gone, ordered, other = (new_cart(store, one, {tea: 1}) for one in (shopper, shopper, stranger))
    Cart.objects.filter(pk=ordered.pk).update(closed_at=timezone.now())
    assert "1 carts were deleted." in act(staff, "remove", gone, ordered)
    assert set(Cart.objects.values_list("pk", flat=True)) == {ordered.pk, other.pk}
    assert (quantities(ordered), quantities(other)) == ({tea: 1}, {tea: 1})


@pytest.mark.parametrize(
    ("permissions", "allowed"), [(["view_cart"], set()), (["view_cart", "delete_cart"], {"remove"}),
    (["view_cart", "change_cart"], {"extend"})]
)  # fmt: skip
def test_actions_need_a_permission(
    db: None, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, permissions: list[str], allowed: set[str]
) -> None:
    member = get_user_model().objects.create_user("ben", "ben@example.com", "a-Long-enough-1", is_staff=True)
    member.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(member)
    cart = new_cart(store, shopper, {tea: 1}, now=timezone.now() - timedelta(days=20))
    for action in ("extend", "remove"):
        before = list(Cart.objects.values())
        act(client, action, cart)
        assert (list(Cart.objects.values()) != before) == (action in allowed), action


def test_the_page_shows_each_amount_and_why_a_wish_does_not_count(
    staff: Client, store: Store, shopper: Shopper, tea: Sku, new_cart: NewCart, configure: Any
) -> None:
    configure(**PLUGS)
    cart = new_cart(store, shopper, {tea: 2})
    Cart.objects.filter(pk=cart.pk).update(
        coupon_code="TEN", gift_card_id="card-1", gift_card_last4="1234", shipping_address={"pincode": "411001"},
        billing_address={"pincode": "411001"}, fulfillment={"fulfillment_type": "delivery", "shipments": []},
    )  # fmt: skip
    FakeCatalog.asked.clear()
    address = reverse("admin:storefront_carts_cart_change", args=[cart.pk])
    text = staff.get(address).content.decode()
    assert len(FakeCatalog.asked) == 1, "priced once for all panels"
    for told in (
        "− ₹ 23.60",
        "CGST 9%",
        "₹ 19.80",
        "₹ 47.20",
        "₹ 259.60",
        "− ₹ 50.00",
        "₹ 209.60",
        "•••• 1234",
        "Sent",
    ):
        assert told in text, told
    FakeOffers.LAPSED.add("TEN")
    assert "This coupon is not valid." in staff.get(address).content.decode()
