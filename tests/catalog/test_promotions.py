"""Promotions beside prices, as a plug says them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import BundleItem, Product
from catalog.plugs import DefaultCatalog
from storefront import events
from storefront.conf import Conf
from storefront.contracts import Sku
from tests.catalog.factories import make_category, make_group, make_price, make_product, variants_of
from tests.contract import assert_matches

pytestmark = pytest.mark.django_db
OFF = {
    "id": "summer",
    "starts_at": "2026-11-01T00:00:00Z",
    "expires_at": None,
    "details": {"promotion_type": "discount", "discount_type": "percentage", "discount_percent": 10},
}


class Fake:
    """A plug that shows what `live` says, and remembers what it was asked."""

    live: dict[Sku, dict[str, Any]] = {}
    number = 0
    asked: list[tuple[dict[Sku, Any], str | None]] = []

    def shown(
        self,
        store_id: str,
        prices: Mapping[Sku, tuple[Decimal, tuple[str, ...]]],
        *,
        group_id: str | None,
        now: datetime,
    ) -> dict[Sku, dict[str, Any]]:
        assert store_id == "demo" and now.tzinfo
        type(self).asked.append((dict(prices), group_id))
        return {sku: said for sku, said in self.live.items() if sku in prices}

    def version(self, store_id: str, *, now: datetime) -> str:
        return str(self.number)


@pytest.fixture(autouse=True)
def _plugged(configure: Any) -> None:
    Fake.live, Fake.number, Fake.asked = {}, 0, []
    configure(PRODUCT_PROMOTIONS="tests.catalog.test_promotions.Fake")


def content(response: Any) -> Any:
    assert response.status_code == 200, response.content
    return response.json()["content"]


def said(value: Any) -> tuple[bool, str | None]:
    return value["on_promotion"], value["promotion"] and value["promotion"]["id"]


NOTHING, SUMMER = (False, None), (True, "summer")


def test_lists_and_details_show_what_is_on_promotion(store: Any, get: Any) -> None:
    leaf = make_category(store, "Leaf", make_category(store, "Tea"))
    tea = make_product(store, price="120", categories=(leaf,))
    shirt = make_product(store, variants=("S", "M"))
    small, medium = variants_of(shirt)
    Fake.live = {Sku(tea.pk): OFF, Sku(shirt.pk, medium.pk): OFF}
    for path in ("/catalog/products", "/catalog/products/recommended"):
        Fake.asked.clear()
        found = {row["id"]: row for row in content(get(path))["products"]}
        assert said(found[tea.pk]) == SUMMER and found[tea.pk]["promotion"] == OFF
        assert said(found[shirt.pk]) == NOTHING, "a product is as the variant that it shows first"
        assert [said(row) for row in found[shirt.pk]["variants"]] == [NOTHING, SUMMER]
        ((prices, group_id),) = Fake.asked
        assert set(prices) == {Sku(tea.pk), Sku(shirt.pk, small.pk), Sku(shirt.pk, medium.pk)}
        assert prices[Sku(tea.pk)] == (Decimal(120), (leaf.pk, leaf.parent_id))
        assert isinstance(prices[Sku(tea.pk)][0], Decimal) and group_id
    assert said(content(get(f"/catalog/products/{tea.pk}"))["product"]) == SUMMER
    assert said(content(get(f"/catalog/products/{shirt.pk}"))["product"]) == NOTHING
    assert [said(row) for row in content(get(f"/catalog/products/{shirt.pk}/variants"))["variants"]] == [
        NOTHING,
        SUMMER,
    ]
    response = get(f"/catalog/products/{shirt.pk}/variants/{medium.pk}")
    assert said(content(response)["variant"]) == SUMMER
    assert {row["variant_id"] or row["product_id"]: said(row) for row in content(get("/catalog/skus"))["skus"]} == {
        tea.pk: SUMMER,
        small.pk: NOTHING,
        medium.pk: SUMMER,
    }


def test_what_a_bundle_holds_and_what_goes_with_it_too(store: Any, get: Any) -> None:
    cup = make_product(store, name="Cup")
    bundle = make_product(store, type=Product.Type.BUNDLE)
    BundleItem.objects.create(store=store, bundle=bundle, component=variants_of(cup)[0], quantity=2)
    Fake.live = {Sku(cup.pk): OFF}
    shown = content(get(f"/catalog/products/{bundle.pk}"))["product"]
    assert said(shown) == NOTHING and said(shown["bundle_items"][0]) == SUMMER
    skus = [Sku(cup.pk), Sku(bundle.pk)]
    assert {sku: said(row) for sku, row in DefaultCatalog().items(store.pk, skus).items()} == {
        skus[0]: SUMMER,
        skus[1]: NOTHING,
    }


def test_each_group_is_asked_for_with_its_own_price(store: Any, get: Any) -> None:
    trade = make_group(store)
    tea = make_product(store, price="120")
    make_price(variants_of(tea)[0], trade, "90")
    get("/catalog/skus", x_customer_group_id=trade.pk)
    assert [(prices[Sku(tea.pk)][0], group_id) for prices, group_id in Fake.asked] == [(Decimal(90), trade.pk)]


def test_one_call_a_page_and_no_statement_more(store: Any, get: Any, configure: Any) -> None:
    for number in range(12):
        make_product(store, variants=("S", "M") if number % 2 else ())
    first = Product.objects.earliest("pk")

    def cost() -> list[int]:
        found = []
        for path in ("/catalog/products", f"/catalog/products/{first.pk}", "/catalog/skus"):
            get(path)
            with CaptureQueriesContext(connection) as captured:
                get(path)
            found.append(len(captured))
        return found

    with_promotions = cost()
    assert len(Fake.asked) == 6
    configure(PRODUCT_PROMOTIONS="")
    assert cost() == with_promotions
    assert with_promotions[0] <= 3 and with_promotions[1] <= 4


@pytest.mark.django_db(transaction=True)
def test_a_kept_answer_ends_with_its_promotions(store: Any, get: Any, configure: Any) -> None:
    configure(STORE_CACHE_SECONDS=600)
    tea = make_product(store)
    path = f"/catalog/products/{tea.pk}"
    tag = get(path)["ETag"]
    assert get(path, If_None_Match=tag).status_code == 304
    Fake.live, Fake.number = {Sku(tea.pk): OFF}, 1
    events.send("offer.published", store=store, offer_id="summer")
    again = get(path, If_None_Match=tag)
    assert said(content(again)["product"]) == SUMMER and again["ETag"] != tag


def test_a_promotion_that_begins_by_the_clock_is_seen_once_the_version_is_asked_for_again(
    store: Any, get: Any, configure: Any
) -> None:
    configure(STORE_CACHE_SECONDS=0)
    make_product(store)
    tag = get("/catalog/products")["ETag"]
    Fake.number = 1
    assert get("/catalog/products", If_None_Match=tag).status_code == 200


def test_our_own_promotions_keep_to_the_budget(store: Any, get: Any, configure: Any) -> None:
    configure(PRODUCT_PROMOTIONS=Conf.PRODUCT_PROMOTIONS, STORE_CACHE_SECONDS=600)
    product = make_product(store, variants=("S", "M"))
    for path, most in (("/catalog/products", 3), (f"/catalog/products/{product.pk}", 4), ("/catalog/skus", 3)):
        get(path)
        with CaptureQueriesContext(connection) as captured:
            get(path)
        assert len(captured) <= most, path


def test_answers_with_promotions_match_the_contract(store: Any, get: Any) -> None:
    tea = make_product(store, variants=("S",))
    exact = {
        "starts_at": datetime(2026, 11, 1, tzinfo=UTC),
        "details": OFF["details"] | {"discount_percent": Decimal("7.5")},
    }
    Fake.live = {Sku(tea.pk, variants_of(tea)[0].pk): OFF | exact}
    assert_matches("list-products", get("/catalog/products"))
    assert_matches("list-skus", get("/catalog/skus"))
    assert_matches("get-product-detail", get(f"/catalog/products/{tea.pk}"))
