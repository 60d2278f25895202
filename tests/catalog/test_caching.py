"""What caches may keep of the catalogue, and how they learn that it changed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.db import connection, transaction
from django.utils import timezone

from catalog import changes, services, stock
from catalog.changes import CatalogChange
from catalog.models import Category, Product, Variant
from catalog.reviews import services as reviews
from catalog.reviews.models import Review
from storefront import redis_client
from tests.catalog.factories import group_of, make_category, make_group, make_product
from tests.contract import assert_is_error

pytestmark = pytest.mark.django_db(transaction=True)  # versions change when something is committed


@pytest.fixture
def product(store: Any) -> Product:
    return make_product(store, name="Assam", categories=(make_category(store),))


def addresses(product: Product) -> list[str]:
    of_product = f"/catalog/products/{product.pk}"
    return [
        "/catalog/products",
        "/catalog/skus",
        "/catalog/categories",
        "/catalog/products/recommended",
        *(f"/catalog/products/{kind}?product_id={product.pk}" for kind in ("similar", "up-sell", "cross-sell")),
        of_product,
        f"{of_product}/variants",
        f"{of_product}/reviews",
    ]


def test_reads_with_the_key_alone_may_be_kept_for_a_while(product, get, configure):
    configure(CATALOG_MAX_AGE=20, CATALOG_STALE=40)
    for address in addresses(product):
        response = get(address)
        assert response.status_code == 200
        assert response["Cache-Control"] == "public, max-age=20, stale-while-revalidate=40", address
        assert {"Authorization", "X-Api-Key", "x-customer-group-id"} <= set(response["Vary"].split(", "))
        again = get(address, If_None_Match=response["ETag"])
        assert (again.status_code, again.content) == (304, b"")
        assert again["ETag"] == response["ETag"] and again["Vary"] == response["Vary"]
        assert again["Cache-Control"] == response["Cache-Control"] and "Content-Length" not in again


def test_reads_with_a_token_are_kept_by_nobody(product, api, configure):
    configure(SHOPPER="tests.catalog.test_reviews.Shoppers")
    tag = api.get("/catalog/products", X_Api_Key=api.key)["ETag"]
    for headers in ({}, {"X_Api_Key": api.key}):
        response = api.get("/catalog/products", Authorization="Bearer visitor", If_None_Match=tag, **headers)
        assert response.status_code == 200 and "ETag" not in response
        assert response["Cache-Control"] == "no-store"


def test_a_tag_opens_nothing_without_the_key(product, api, get):
    tag = get("/catalog/products")["ETag"]
    response = api.get("/catalog/products", If_None_Match=tag)
    assert_is_error(response, 401)
    assert response["Cache-Control"] == "no-store"


def test_refusals_are_kept_by_nobody(store, get):
    for address in ("/catalog/products/nothing", "/catalog/products?limit=0"):
        response = get(address, If_None_Match="*")
        assert response.status_code in (400, 404)
        assert response["Cache-Control"] == "no-store" and "ETag" not in response


def test_tags_differ_by_address_and_price_group(store, product, get):
    group = make_group(store)
    tags = [
        get("/catalog/products")["ETag"],
        get("/catalog/products?limit=5")["ETag"],
        get("/catalog/products", x_customer_group_id=group.pk)["ETag"],
    ]
    assert len(set(tags)) == 3
    assert get("/catalog/products", If_None_Match=f'"other", {tags[0].removeprefix("W/")}').status_code == 304
    assert get("/catalog/products", If_None_Match="*").status_code == 200


def _publish(product: Product) -> None:
    services.publish(store=product.store, product_ids=[product.pk])


def _price(product: Product) -> None:
    services.set_price(
        store=product.store,
        variant=Variant.objects.get(pk=product.pk),
        group=group_of(product.store),
        selling_price=Decimal(90),
    )


def _adjust(product: Product) -> None:
    stock.adjust(store=product.store, variant=Variant.objects.get(pk=product.pk), delta=-1, reason="damaged")


def _backorder(product: Product) -> None:
    stock.change(store=product.store, variant=Variant.objects.get(pk=product.pk), backorder=True)


def _category(product: Product) -> None:
    services.recount_categories(store=product.store)


def _review(product: Product) -> None:
    row = Review.objects.create(store=product.store, product=product, user_id="a", order_number="1", rating=5)
    reviews.moderate(store=product.store, review_ids=[row.pk], status=Review.Status.APPROVED)


def _delete(product: Product) -> None:
    services.delete_product(store=product.store, product=product)


@pytest.mark.parametrize("change", [_publish, _price, _adjust, _backorder, _category, _review, _delete])
def test_a_change_makes_every_tag_of_the_store_old_at_once(store, other_store, product, get, new_api, change):
    elsewhere = new_api(other_store)
    theirs = elsewhere.get("/catalog/products", X_Api_Key=elsewhere.key)["ETag"]
    tag = get("/catalog/products")["ETag"]
    change(product)
    response = get("/catalog/products", If_None_Match=tag)
    assert response.status_code == 200 and response["ETag"] != tag
    answer = elsewhere.get("/catalog/products", X_Api_Key=elsewhere.key, If_None_Match=theirs)
    assert answer.status_code == 304


def test_a_new_tag_never_goes_with_categories_remembered_from_before(store, product, get):
    tag = get("/catalog/products")["ETag"]
    Category.objects.update(name="Renamed elsewhere")  # as another process does, which cannot reach our memory
    CatalogChange.objects.create(store=store)
    changes._versions.drop()
    redis_client.quietly(lambda client: client.delete(changes._key(store.pk)))
    response = get("/catalog/products", If_None_Match=tag)
    assert response.status_code == 200
    (shown,) = response.json()["content"]["products"]
    assert [category["name"] for category in shown["categories"]] == ["Renamed elsewhere"]


def test_a_change_that_is_taken_back_leaves_tags_as_they_are(product, get):
    tag = get("/catalog/products")["ETag"]
    with pytest.raises(RuntimeError), transaction.atomic():
        _adjust(product)
        raise RuntimeError
    assert get("/catalog/products", If_None_Match=tag).status_code == 304
    with transaction.atomic():
        with pytest.raises(RuntimeError), transaction.atomic():
            _adjust(product)
            raise RuntimeError
        _adjust(product)
    assert get("/catalog/products", If_None_Match=tag).status_code == 200


def test_many_changes_in_one_transaction_leave_one_row(product):
    before = CatalogChange.objects.count()
    with transaction.atomic():
        for _ in range(5):
            _backorder(product)
    assert CatalogChange.objects.count() == before + 1


def test_a_tag_costs_no_statement_while_its_version_is_remembered(product, get, django_assert_num_queries):
    tag = get("/catalog/products")["ETag"]
    with django_assert_num_queries(0):
        assert get("/catalog/products", If_None_Match=tag).status_code == 304


def test_the_cache_may_vanish(product, get, monkeypatch):
    tag = get("/catalog/products")["ETag"]

    def away(*_: Any, **__: Any) -> Any:
        raise redis.ConnectionError

    monkeypatch.setattr(redis_client, "client", away)
    monkeypatch.setattr(redis_client, "configured", lambda: True)
    assert get("/catalog/products", If_None_Match=tag).status_code == 304
    _adjust(product)
    assert get("/catalog/products", If_None_Match=tag).status_code == 200


def test_a_version_never_comes_back(store, product):
    """A row with a lower id can be committed after one with a higher id, and old rows are deleted."""
    seen = [changes._read(store)]
    for _ in range(3):
        changes.note(store_id=store.pk)
        seen.append(changes._read(store))
    newest = CatalogChange.objects.latest("pk").pk
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {CatalogChange._meta.db_table} SET id = %s WHERE id = %s", [newest + 10, newest])
    seen.append(changes._read(store))
    CatalogChange.objects.create(pk=newest + 5, store=store)
    seen.append(changes._read(store))
    CatalogChange.objects.filter(pk__lte=newest + 5).update(created_at=timezone.now() - timedelta(hours=2))
    changes.prune(now=timezone.now(), batch=100)
    seen.append(changes._read(store))
    CatalogChange.objects.update(created_at=timezone.now() - timedelta(hours=2))
    changes.prune(now=timezone.now(), batch=100)
    assert changes._read(store) == seen[-1]
    assert len(set(seen)) == len(seen)
    assert CatalogChange.objects.filter(store=store).count() == 1
