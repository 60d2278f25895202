"""Long lists: what is remembered of them is as good as asking."""

from __future__ import annotations

from typing import Any

import pytest

from catalog import paging, services
from catalog.models import Product

from .factories import make_product

pytestmark = pytest.mark.django_db(transaction=True)

ORDERS = ["", '{"name":"asc"}', '{"created_at":"asc"}', '{"name":"asc","created_at":"desc"}']


@pytest.fixture
def long(store: Any, monkeypatch: pytest.MonkeyPatch) -> list[Product]:
    monkeypatch.setattr(paging, "LARGE", 4)
    return [make_product(store, name=f"Thing {number % 5} {number}") for number in range(11)]


def pages(get: Any, kind: str, order: str, numbers: Any) -> dict[int, list[str]]:
    found = {}
    for number in numbers:
        content = get(f"/catalog/{kind}?limit=2&page={number}&sort_by={order}").json()["content"]
        found[number] = [row.get("id") or row["product_id"] for row in content[kind]]
        assert content["pagination"]["total_records"] == 11
    return found


@pytest.mark.parametrize("kind", ["products", "skus"])
@pytest.mark.parametrize("order", ORDERS)
def test_pages_of_a_long_list_are_those_of_a_short_one(
    long: list[Product], get: Any, monkeypatch: pytest.MonkeyPatch, kind: str, order: str
) -> None:
    monkeypatch.setattr(paging, "LARGE", 1000)
    asked = pages(get, kind, order, range(1, 8))
    assert sorted(pk for page in asked.values() for pk in page) == sorted(product.pk for product in long)
    monkeypatch.setattr(paging, "LARGE", 4)
    for numbers in (range(1, 8), (6, 3, 4, 5, 2, 7, 1, 6), range(7, 0, -1)):
        assert pages(get, kind, order, numbers) == {number: asked[number] for number in numbers}


def test_a_long_list_is_counted_once(long: list[Product], get: Any, django_assert_max_num_queries: Any) -> None:
    for page in (1, 1, 3):
        get(f"/catalog/products?limit=2&page={page}")
    with django_assert_max_num_queries(3) as asked:
        get("/catalog/products?limit=2&page=4")
    assert not any("COUNT(*)" in query["sql"] for query in asked.captured_queries)


def test_a_change_shows_at_once(store: Any, long: list[Product], get: Any) -> None:
    for _ in range(3):
        assert pages(get, "products", "", [1, 6])
    added = make_product(store, name="Another")
    content = get("/catalog/products?limit=2&page=1").json()["content"]
    assert content["pagination"]["total_records"] == 12
    assert content["products"][0]["id"] == added.pk
    Product.objects.filter(pk=long[0].pk).update(active=False)
    services.publish(store=store, product_ids=[long[0].pk])
    content = get("/catalog/products?limit=2&page=6").json()["content"]
    assert content["pagination"]["total_records"] == 11
    assert long[0].pk not in [product["id"] for product in content["products"]]


def test_a_page_past_the_end_is_empty(long: list[Product], get: Any) -> None:
    for _ in range(3):
        content = get("/catalog/products?limit=2&page=70").json()["content"]
        assert content["products"] == [] and content["pagination"]["total_records"] == 11
