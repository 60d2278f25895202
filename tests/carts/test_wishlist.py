"""What a shopper likes to remember."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from carts.errors import WishlistFull
from carts.models import WishlistItem
from carts.wishlist import selectors, services
from storefront import events, privacy
from storefront import selectors as kernel
from storefront import services as kernel_services
from storefront.contracts import Shopper, Sku
from storefront.models import Store
from tests.carts.conftest import make_shopper
from tests.carts.fakes import FakeCatalog
from tests.conftest import Api
from tests.contract import assert_is_error, assert_matches
from tests.threads import in_parallel

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.carts.urls")]
PATH = "/wishlist/guest-1"
OPERATIONS = {"GET": "get-wishlist", "POST": "add-to-wishlist", "DELETE": "delete-from-wishlist"}


def of(sku: Sku) -> dict[str, Any]:
    return {"product_id": sku.product_id, "variant_id": sku.variant_id or None}


def shown(api: Api, method: str = "GET", sku: Sku | None = None, path: str = PATH) -> list[Sku]:
    answer = api.request(method, path, of(sku) if sku else None)
    products = assert_matches(OPERATIONS[method], answer)["products"]
    return [Sku(item["product_id"], item["variant_id"] or "") for item in products]


def kept(user_id: str = "guest-1") -> set[Sku]:
    return {item.sku for item in WishlistItem.objects.filter(user_id=user_id)}


def test_a_wishlist_begins_empty_and_every_call_answers_all_of_it(api: Api, tea: Sku, cup: Sku) -> None:
    assert shown(api) == []
    assert shown(api, "POST", tea) == [tea]
    assert shown(api, "POST", cup) == [cup, tea], "newest first"
    assert shown(api, "POST", tea) == [cup, tea], "once is enough, and it stays where it is"
    assert shown(api) == [cup, tea]
    assert shown(api, "DELETE", cup) == [tea]
    assert shown(api, "DELETE", cup) == [tea], "repeating does no harm"
    assert shown(api, "DELETE", Sku("NEVER", "KNOWN")) == [tea]


def test_a_product_may_be_wished_for_without_its_variant_and_beside_it(api: Api, store: Store) -> None:
    product = FakeCatalog.put(store.pk, "SHIRT", needs_variant=True)
    medium = FakeCatalog.put(store.pk, "SHIRT", "M")
    assert shown(api, "POST", product) == [product]
    assert shown(api, "POST", medium) == [medium, product]
    assert shown(api, "DELETE", product) == [medium]


def test_a_catalogue_that_shows_no_product_without_its_variant_wants_one(
    api: Api, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = FakeCatalog.put(store.pk, "SHIRT", needs_variant=True)
    monkeypatch.setattr(FakeCatalog, "items", lambda *_args, **_kwargs: {})
    assert_is_error(api.post(PATH, of(product)), 400, "variant_required", "variant_id")
    assert kept() == set()


def test_what_is_not_sold_cannot_be_wished_for(api: Api, store: Store, other_store: Store) -> None:
    gone = FakeCatalog.put(store.pk, "GONE", active=False)
    elsewhere = FakeCatalog.put(other_store.pk, "ELSEWHERE")
    for sku in (gone, elsewhere, Sku("NONE"), Sku("TEA", "BLUE")):
        assert_is_error(api.post(PATH, of(sku)), 404, "product_not_found")
    assert not WishlistItem.objects.exists()


def test_what_is_no_longer_sold_is_left_out_until_it_is_sold_again(api: Api, store: Store, tea: Sku, cup: Sku) -> None:
    for sku in (tea, cup):
        shown(api, "POST", sku)
    FakeCatalog.put(store.pk, "TEA", active=False)
    del FakeCatalog.shelf[store.pk, cup]
    assert shown(api) == []
    FakeCatalog.put(store.pk, "TEA")
    assert shown(api) == [tea]
    del FakeCatalog.shelf[store.pk, tea]
    assert shown(api, "DELETE", tea) == []
    assert kept() == {cup}


def test_prices_are_those_of_the_shoppers_own_group(store: Store, tea: Sku, client_of: Any) -> None:
    FakeCatalog.groups[store.pk, tea, "wholesale"] = FakeCatalog.shelf[store.pk, tea].selling_price / 2
    client = client_of(store, make_shopper(store, "w", group_id="wholesale"))
    answer = client.post("/wishlist/w", of(tea))
    assert assert_matches("add-to-wishlist", answer)["products"][0]["pricing"]["selling_price"] == 59.0


def test_a_seller_may_be_asked_for(api: Api, store: Store, tea: Sku) -> None:
    sold = FakeCatalog.put(store.pk, "SOLD", details={"seller_id": "seller-1"})
    for sku in (tea, sold):
        shown(api, "POST", sku)
    assert shown(api, path=f"{PATH}?seller_id=seller-1") == [sold]
    assert shown(api, path=f"{PATH}?seller_id=seller-2") == []
    assert shown(api, path=f"{PATH}?seller_id=") == [sold, tea]


@pytest.mark.parametrize(
    "sent", [{}, {"product_id": None}, {"product_id": "x" * 65}, {"product_id": "TEA", "variant_id": ["x"]}, [], "x"]
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_what_makes_no_sense_is_refused(api: Api, tea: Sku, method: str, sent: Any) -> None:
    shown(api, "POST", tea)
    assert_is_error(api.request(method, PATH, sent), 400, "validation_error")
    assert kept() == {tea}


def test_a_list_has_an_end(api: Api, store: Store, tea: Sku, cup: Sku, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "MAX_ITEMS", 2)
    pot = FakeCatalog.put(store.pk, "POT")
    for sku in (tea, cup):
        shown(api, "POST", sku)
    assert_is_error(api.post(PATH, of(pot)), 400, "wishlist_full", "product_id")
    assert shown(api, "POST", tea) == [cup, tea]
    shown(api, "DELETE", cup)
    assert shown(api, "POST", pot) == [pot, tea]


@pytest.mark.parametrize("user_id", ["guest-2", "nobody"])
def test_everybody_elses_list_is_not_found(
    api: Api, store: Store, stranger: Shopper, tea: Sku, client_of: Any, user_id: str
) -> None:
    assert shown(client_of(store, stranger), "POST", tea, "/wishlist/guest-2") == [tea]
    for method in OPERATIONS:
        body = None if method == "GET" else of(tea)
        assert_is_error(api.request(method, f"/wishlist/{user_id}", body), 404, "not_found")
    assert (kept("guest-2"), kept("nobody"), kept()) == ({tea}, set(), set())


def test_lists_of_two_stores_know_nothing_of_each_other(api: Api, other_store: Store, tea: Sku, client_of: Any) -> None:
    shown(api, "POST", tea)
    FakeCatalog.put(other_store.pk, "TEA")
    assert shown(client_of(other_store, make_shopper(other_store))) == []


@pytest.mark.parametrize("count", [1, 50])
def test_a_call_costs_the_same_however_long_the_list(api: Api, store: Store, count: int) -> None:
    for number in range(count):
        shown(api, "POST", FakeCatalog.put(store.pk, f"P{number}"))
    another = FakeCatalog.put(store.pk, "ANOTHER")
    kernel.store(store.pk)
    for method, sku, most in (("GET", None, 1), ("POST", another, 7), ("DELETE", another, 4)):
        with CaptureQueriesContext(connection) as captured:
            shown(api, method, sku)
        assert len([row for row in captured if "SAVEPOINT" not in row["sql"]]) <= most, captured.captured_queries


# --- login and erasure ----------------------------------------------------------------------------------------------
def log_in(store: Store, from_user_id: str = "guest-1") -> None:
    events.send("shopper.merged", store=store, from_user_id=from_user_id, to_user_id="account", strategy="account_wins")


def test_lists_are_united_at_login_newest_first(api: Api, store: Store, tea: Sku, cup: Sku, client_of: Any) -> None:
    account = make_shopper(store, "account", is_logged_in=True, is_anonymous=False)
    theirs = client_of(store, account)
    pot = FakeCatalog.put(store.pk, "POT")
    start = datetime(2026, 3, 1, tzinfo=UTC)
    for number, (client, sku, path) in enumerate(
        [(api, tea, PATH), (theirs, cup, "/wishlist/account"), (api, pot, PATH), (theirs, tea, "/wishlist/account")]
    ):
        with time_machine.travel(start + timedelta(minutes=number), tick=False):
            shown(client, "POST", sku, path)
    for _time in range(2):
        log_in(store)
        assert shown(theirs, path="/wishlist/account") == [tea, pot, cup]
        assert kept() == set()


def test_a_shopper_who_is_the_account_already_keeps_the_list(api: Api, store: Store, tea: Sku) -> None:
    shown(api, "POST", tea)
    events.send("shopper.merged", store=store, from_user_id="guest-1", to_user_id="guest-1", strategy="merge")
    assert kept() == {tea}


def test_an_erased_shoppers_list_is_gone_and_nobody_elses(
    api: Api, store: Store, other_store: Store, stranger: Shopper, tea: Sku, client_of: Any
) -> None:
    FakeCatalog.put(other_store.pk, "TEA")
    shown(api, "POST", tea)
    shown(client_of(store, stranger), "POST", tea, "/wishlist/guest-2")
    shown(client_of(other_store, make_shopper(other_store)), "POST", tea)
    for _time in range(2):
        events.send("shopper.erased", store=store, user_id="guest-1", customer_id=None)
    assert set(WishlistItem.objects.values_list("store_id", "user_id")) == {("demo", "guest-2"), ("other", "guest-1")}


def test_a_shoppers_copy_of_their_data_has_cart_and_wishlist(
    api: Api, store: Store, shopper: Shopper, tea: Sku, new_cart: Any
) -> None:
    shown(api, "POST", tea)
    new_cart(store, shopper, {tea: 2}, customer_note="Ring twice")
    found = privacy.export(store=store, user_id="guest-1", customer_id=None)
    assert [item["product_id"] for item in found["wishlist"]] == ["TEA"]
    assert found["carts"][0]["customer_note"] == "Ring twice"
    assert found["carts"][0]["lines"] == [{"product_id": "TEA", "variant_id": "", "quantity": 2}]
    assert not privacy.export(store=store, user_id="guest-2", customer_id=None)


def test_an_account_s_list_takes_the_newest_of_a_visitor_s_as_far_as_there_is_room(
    api: Api, store: Store, tea: Sku, cup: Sku, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "MAX_ITEMS", 3)
    theirs = client_of(store, make_shopper(store, "account", is_logged_in=True, is_anonymous=False))
    old, new = (FakeCatalog.put(store.pk, name) for name in ("OLD", "NEW"))
    for sku in (tea, cup):
        shown(theirs, "POST", sku, "/wishlist/account")
    for sku in (old, cup, new):
        shown(api, "POST", sku)
    for _time in range(2):
        log_in(store)
        assert kept("account") == {tea, cup, new}
        assert kept() == set()


# --- the end of its time --------------------------------------------------------------------------------------------
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAYS = timedelta(days=90)


def test_a_visitor_s_list_is_forgotten_some_time_after_its_last_change(api: Api, tea: Sku, cup: Sku) -> None:
    with time_machine.travel(START, tick=False) as clock:
        shown(api, "POST", tea)
        clock.move_to(START + timedelta(days=40))
        shown(api, "POST", cup)
        for now, left in (
            (START + DAYS, {tea, cup}),
            (START + timedelta(days=40) + DAYS - timedelta(seconds=1), {tea, cup}),
            (START + timedelta(days=40) + DAYS, set()),
        ):
            kernel_services.purge_expired(now=now)
            assert kept() == left


def test_a_wish_that_is_repeated_keeps_the_list_alive(
    api: Api, store: Store, tea: Sku, stranger: Shopper, client_of: Any
) -> None:
    with time_machine.travel(START, tick=False) as clock:
        shown(api, "POST", tea)
        shown(client_of(store, stranger), "POST", tea, "/wishlist/guest-2")
        clock.move_to(START + timedelta(days=80))
        shown(api, "POST", tea)
        services.purge_expired(now=START + DAYS, batch=100)
    assert (kept(), kept("guest-2")) == ({tea}, set())


def test_lists_are_forgotten_in_batches(api: Api, store: Store) -> None:
    for number in range(5):
        shown(api, "POST", FakeCatalog.put(store.pk, f"P{number}"))
    later = timezone.now() + DAYS + timedelta(days=1)
    for left in (3, 1, 0, 0):
        services.purge_expired(now=later, batch=2)
        assert WishlistItem.objects.count() == left


def test_who_has_an_account_keeps_the_list_for_good(api: Api, store: Store, tea: Sku, cup: Sku, client_of: Any) -> None:
    account = make_shopper(store, "account", is_logged_in=True, is_anonymous=False)
    logged_out = make_shopper(store, "known", is_logged_in=False, is_anonymous=False)
    for shopper in (account, logged_out):
        shown(client_of(store, shopper), "POST", tea, f"/wishlist/{shopper.user_id}")
    shown(api, "POST", cup)
    log_in(store)  # what comes along stays, too
    shown(api, "POST", cup)
    events.send("shopper.registered", store=store, user_id="guest-1", customer_id="guest-1")
    services.purge_expired(now=timezone.now() + 100 * DAYS, batch=100)
    assert (kept("account"), kept("known"), kept()) == ({tea, cup}, {tea}, {cup})


def test_a_visitor_whose_registration_nobody_told_keeps_the_list_from_their_next_wish_on(
    api: Api, store: Store, tea: Sku, cup: Sku, client_of: Any
) -> None:
    shown(api, "POST", tea)
    registered = make_shopper(store, "guest-1", is_logged_in=True, is_anonymous=False)
    shown(client_of(store, registered), "POST", cup)
    services.purge_expired(now=timezone.now() + 100 * DAYS, batch=100)
    assert kept() == {tea, cup}


# --- in parallel ----------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_no_list_grows_beyond_its_end_whatever_comes_at_once(
    store: Store, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "MAX_ITEMS", 5)
    skus = [FakeCatalog.put(store.pk, f"P{number}") for number in range(16)]
    for sku in skus[:3]:
        services.add(store=store, shopper=shopper, user_id="guest-1", sku=sku, now=timezone.now())

    def act(number: int) -> bool:
        account = Shopper(store_id=store.pk, user_id="account", is_logged_in=True, is_anonymous=False)
        if number == 8:
            log_in(store)
            return False
        try:
            services.add(store=store, shopper=account, user_id="account", sku=skus[number], now=timezone.now())
        except WishlistFull:
            return False
        return True

    added = sum(in_parallel(act, 16, workers=8))
    assert len(kept("account")) == 5
    assert added <= 5 and kept() == set()


@pytest.mark.django_db(transaction=True)
def test_parallel_wishes_and_logins_keep_each_sku_once(store: Store, shopper: Shopper, tea: Sku) -> None:
    account = make_shopper(store, "account")
    skus = [FakeCatalog.put(store.pk, f"P{number}") for number in range(8)]
    for number in range(8):
        make_shopper(store, f"v{number}")

    def act(number: int) -> None:
        guest = Shopper(store_id=store.pk, user_id=f"v{number}")
        for sku in (tea, skus[number], tea):
            services.add(store=store, shopper=guest, user_id=guest.user_id, sku=sku, now=timezone.now())
        for sku in (tea, skus[0]):
            services.add(store=store, shopper=account, user_id="account", sku=sku, now=timezone.now())
        log_in(store, guest.user_id)

    in_parallel(act, 8)
    assert sorted(WishlistItem.objects.values_list("user_id", "product_id")) == sorted(
        [("account", "TEA"), *(("account", sku.product_id) for sku in skus)]
    )
