"""Similar products, hand-picked ones, and what the shop recommends to anybody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from catalog import services
from catalog.models import Brand, Product, ProductAttribute, ProductLink, Variant
from tests.catalog.factories import choose, make_category, make_group, make_price, make_product, variants_of
from tests.contract import assert_is_error, assert_matches

pytestmark = pytest.mark.django_db

LISTS = {
    "similar": "list-similar-products",
    "up-sell": "list-upsell-products",
    "cross-sell": "list-crosssell-products",
}


def names(kind: str, response: Any) -> list[str]:
    return [item["product_name"] for item in assert_matches(LISTS[kind], response)["products"]]


def link(product: Product, target: Product, kind: str = "up-sell", order: int = 0) -> None:
    ProductLink.objects.create(store_id=product.store_id, product=product, target=target, kind=kind, sort_order=order)


def made_of(product: Product, name: str, choice: str) -> None:
    found = choose(product.store, name, choice)
    fact = ProductAttribute.objects.create(store=product.store, product=product, attribute=found.attribute)
    fact.choices.add(found)
    services.publish(store=product.store, product_ids=[product.pk])


# --- similar --------------------------------------------------------------------------------------------------------
def test_the_likest_come_first_and_strangers_not_at_all(store, get):
    tea, home = make_category(store), make_category(store, "Home")
    brand = Brand.objects.create(store=store, name="Nilgiri", slug="nilgiri")
    source = make_product(store, name="Black", categories=(tea,), tags=["loose", "strong"], brand=brand)
    make_product(store, name="Category", categories=(tea,))
    make_product(store, name="Category and tag", categories=(tea,), tags=["Strong"])
    best = make_product(store, name="Category, tags and value", categories=(tea,), tags=["loose", "strong"])
    make_product(store, name="Brand", brand=brand)
    make_product(store, name="Stranger", categories=(home,))
    for product in (source, best):
        made_of(product, "Leaf", "Whole")
    shown = names("similar", get(f"/catalog/products/similar?product_id={source.pk}"))
    assert shown == ["Category, tags and value", "Category and tag", "Category", "Brand"]


def test_a_shared_value_is_enough_to_be_similar(store, get):
    source, like = make_product(store, name="Black"), make_product(store, name="Green")
    make_product(store, name="Stranger")
    for product in (source, like):
        made_of(product, "Leaf", "Whole")
    assert names("similar", get(f"/catalog/products/similar?product_id[]={source.pk}")) == ["Green"]


def test_products_of_another_store_and_hidden_ones_are_never_similar(store, other_store, get):
    tea, elsewhere = make_category(store), make_category(other_store)
    source = make_product(store, categories=(tea,))
    make_product(store, name="Hidden", categories=(tea,), active=False)
    make_product(store, name="No price", categories=(tea,), price=None)
    make_product(other_store, name="Elsewhere", categories=(elsewhere,))
    assert names("similar", get(f"/catalog/products/similar?product_id={source.pk}")) == []


def test_a_product_that_varies_is_shown_by_the_variant_shown_first(store, get):
    tea = make_category(store)
    source = make_product(store, categories=(tea,))
    kurta = make_product(store, categories=(tea,), variants=("S", "M"), sku="K")
    medium = variants_of(kurta)[1]
    Variant.objects.filter(pk=medium.pk).update(is_default=True)
    services.publish(store=store, product_ids=[kurta.pk])
    (item,) = assert_matches("list-similar-products", get(f"/catalog/products/similar?product_id={source.pk}"))[
        "products"
    ]
    assert (item["product_id"], item["variant_id"], item["sku"]) == (kurta.pk, medium.pk, "K-M")


# --- hand-picked ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["up-sell", "cross-sell"])
def test_picked_products_keep_their_order_and_leave_out_what_was_asked_about(store, get, kind):
    first, second = make_product(store), make_product(store)
    a, b, hidden = (make_product(store, name=name) for name in ("A", "B", "Hidden"))
    Product.objects.filter(pk=hidden.pk).update(active=False)
    services.publish(store=store, product_ids=[hidden.pk])
    link(first, b, kind, 1)
    link(first, a, kind, 2)
    link(first, second, kind, 0)
    link(first, hidden, kind, 0)
    link(second, b, kind, 0)
    other = "cross-sell" if kind == "up-sell" else "up-sell"
    link(first, make_product(store, name="Of the other list"), other)
    address = f"/catalog/products/{kind}?product_id={first.pk}&product_id={second.pk}"
    assert names(kind, get(address)) == ["B", "A"]
    assert names(kind, get(address + '&sort_by={"name":"asc"}')) == ["A", "B"]
    page = assert_matches(LISTS[kind], get(address + "&limit=1&page=2"))
    assert [item["product_name"] for item in page["products"]] == ["A"]
    assert page["pagination"] == {
        "total_records": 2,
        "total_pages": 2,
        "previous_page": 1,
        "next_page": None,
        "limit": 1,
    }
    sorted_page = assert_matches(LISTS[kind], get(address + '&limit=1&page=2&sort_by={"name":"desc"}'))
    assert [item["product_name"] for item in sorted_page["products"]] == ["A"]


def test_prices_are_those_of_the_asked_group(store, get):
    group = make_group(store)
    source, target = make_product(store), make_product(store, price="100")
    make_price(variants_of(target)[0], group, "70")
    link(source, target)
    address = f"/catalog/products/up-sell?product_id={source.pk}"
    (retail,) = assert_matches("list-upsell-products", get(address))["products"]
    (wholesale,) = assert_matches("list-upsell-products", get(address, x_customer_group_id=group.pk))["products"]
    assert (retail["pricing"]["selling_price"], wholesale["pricing"]["selling_price"]) == (100, 70)


# --- all three ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", LISTS)
def test_without_a_product_there_is_nothing_beside_it(store, get, kind):
    make_product(store)
    content = assert_matches(LISTS[kind], get(f"/catalog/products/{kind}"))
    assert content["products"] == [] and content["pagination"]["total_records"] == 0


@pytest.mark.parametrize("kind", LISTS)
def test_unknown_products_are_passed_over_unless_all_are_unknown(store, other_store, get, kind):
    known, foreign = make_product(store), make_product(other_store)
    assert_matches(LISTS[kind], get(f"/catalog/products/{kind}?product_id={known.pk}&product_id=nothing"))
    for unknown in ("nothing", foreign.pk):
        response = get(f"/catalog/products/{kind}?product_id={unknown}")
        assert_is_error(response, 404, "product_not_found")


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize(
    ("bad", "field"), [("limit=101", "limit"), ("page=0", "page"), ('sort_by={"price":"asc"}', "sort_by")]
)
def test_bad_input_is_named(store, get, kind, bad, field):
    product = make_product(store)
    assert_is_error(get(f"/catalog/products/{kind}?product_id={product.pk}&{bad}"), 400, field=field)


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("count", [2, 12])
def test_statements_do_not_grow_with_the_products(store, get, kind, count, django_assert_max_num_queries):
    tea = make_category(store)
    source = make_product(store, categories=(tea,))
    for _ in range(count):
        target = make_product(store, categories=(tea,))
        link(source, target, "up-sell")
        link(source, target, "cross-sell")
    address = f"/catalog/products/{kind}?product_id={source.pk}"
    get(address)
    with django_assert_max_num_queries(4 if kind == "similar" else 3):
        assert len(names(kind, get(address))) == count


# --- recommended ----------------------------------------------------------------------------------------------------
def test_liked_products_come_first_then_the_newest_then_the_disliked(store, get):
    now = timezone.now()
    ratings = {
        "Disliked": (3, "3.0"),
        "Old": (0, "0"),
        "Newest": (0, "0"),
        "Liked by one": (1, "5.0"),
        "Liked": (9, "43.0"),
    }
    for order, (name, (count, total)) in enumerate(ratings.items()):
        make_product(
            store,
            name=name,
            reviews_count=count,
            reviews_rating_sum=total,
            created_at=now + timedelta(seconds=order),
        )
    make_product(store, name="Hidden", active=False, reviews_count=9, reviews_rating_sum="45.0")
    content = assert_matches("list-recommended-products", get("/catalog/products/recommended"))
    assert [product["name"] for product in content["products"]] == [
        "Liked",
        "Liked by one",
        "Newest",
        "Old",
        "Disliked",
    ]
    second = assert_matches("list-recommended-products", get("/catalog/products/recommended?limit=2&page=2"))
    assert [product["name"] for product in second["products"]] == ["Newest", "Old"]


@pytest.mark.parametrize("name", [*LISTS, "recommended"])
def test_nobody_reads_without_a_key_or_token(api, store, name):
    assert_is_error(api.get(f"/catalog/products/{name}"), 401)
