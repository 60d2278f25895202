"""What the database itself refuses, and what publishing does."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import RestrictedError

from catalog import services, writing
from catalog.models import (
    Attribute,
    AttributeChoice,
    BundleItem,
    Price,
    Product,
    ProductAttribute,
    ProductLink,
    Stock,
    Variant,
    VariantChoice,
)
from storefront import events
from storefront.models import CustomerGroup
from tests.catalog.factories import choose, group_of, make_price, make_product, variants_of

pytestmark = pytest.mark.django_db

REFUSED: dict[str, Callable[[Any, Product], Any]] = {
    "stock below zero": lambda store, product: Stock.objects.update(on_hand=-1),
    "more reserved than there is": lambda store, product: Stock.objects.update(on_hand=2, reserved=3),
    "fewer reserved than none": lambda store, product: Stock.objects.update(reserved=-1),
    "a negative price": lambda store, product: Price.objects.update(selling_price=Decimal(-1)),
    "a tax over 100 percent": lambda store, product: Price.objects.update(tax_rate=Decimal(101)),
    "a largest quantity below the smallest": lambda store, product: Price.objects.update(
        min_quantity=3, max_quantity=2
    ),
    "a step of none": lambda store, product: Price.objects.update(step=0),
    "two prices for a group": lambda store, product: make_price(variants_of(product)[0]),
    "a slug twice in a store": lambda store, product: Product.objects.create(store=store, name="x", slug=product.slug),
    "a sku twice in a store": lambda store, product: Variant.objects.create(
        store=store, product=make_product(store, variants=("S",)), sku="ONE"
    ),
    "a standalone variant with an id of its own": lambda store, product: Variant.objects.create(
        store=store, product=product, is_standalone=True
    ),
    "a component of none": lambda store, product: BundleItem.objects.create(
        store=store, bundle=product, component=variants_of(product)[0], quantity=0
    ),
    "a recommendation of itself": lambda store, product: ProductLink.objects.create(
        store=store, product=product, kind="up-sell", target=product
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_database_refuses(store: Any, case: str) -> None:
    product = make_product(store, sku="ONE")
    with pytest.raises(IntegrityError), transaction.atomic():
        REFUSED[case](store, product)


def test_slugs_and_skus_are_free_in_another_store_and_empty_skus_may_repeat(store: Any, other_store: Any) -> None:
    for owner in (store, other_store):
        make_product(owner, slug="assam", sku="ASSAM")
        make_product(owner)
        make_product(owner)
    assert Product.objects.filter(visible=True).count() == 6


def test_backorders_may_reserve_more_than_there_is(store: Any) -> None:
    make_product(store, on_hand=0, backorder=True)
    Stock.objects.update(reserved=4)
    with pytest.raises(IntegrityError), transaction.atomic():
        Stock.objects.update(backorder=False)


def test_a_group_with_prices_and_a_component_of_a_bundle_stay(store: Any) -> None:
    part, bundle = make_product(store), make_product(store, type="bundle")
    BundleItem.objects.create(store=store, bundle=bundle, component_id=part.pk)
    with pytest.raises(RestrictedError):
        CustomerGroup.objects.filter(pk=group_of(store).pk).delete()
    with pytest.raises(RestrictedError):
        services.delete_product(store=store, product=part)
    store.delete()
    assert not Product.objects.exists()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", 1),
        ("number", "1"),
        ("number", True),
        ("boolean", 0),
        ("date", "soon"),
        ("date", "2026-02-30"),
        ("text", None),
    ],
)
def test_a_value_must_fit_its_attribute(store: Any, kind: str, value: Any) -> None:
    attribute = Attribute.objects.create(store=store, name="A", key="a", type=kind)
    fact = ProductAttribute(store=store, product=make_product(store), attribute=attribute, value=value)
    with pytest.raises(ValidationError) as refused:
        fact.full_clean()
    assert set(refused.value.message_dict) == {"value"}


def test_options_are_choices_of_their_own_attribute(store: Any) -> None:
    variant = variants_of(make_product(store, variants=("S",)))[0]
    red = choose(store, "Colour", "Red", hexcode="#FF0000")
    size = choose(store, "Size", "S")
    with pytest.raises(ValidationError):
        VariantChoice(store=store, variant=variant, attribute=red.attribute, choice=size).full_clean()
    with pytest.raises(ValidationError):
        AttributeChoice(store=store, attribute=red.attribute, name="No code").full_clean()


@pytest.mark.parametrize("slug", ["search", "similar", "up-sell", "cross-sell", "recommended"])
def test_words_of_the_api_are_no_slugs(store: Any, slug: str) -> None:
    with pytest.raises(ValidationError):
        Product(store=store, name="x", slug=slug).full_clean()


# --- publishing -----------------------------------------------------------------------------------------------------
def test_publishing_gives_a_bare_product_its_variant_and_stock(store: Any) -> None:
    bare = Product.objects.create(store=store, name="Bare", slug="bare")
    ebook = Product.objects.create(store=store, name="Ebook", slug="ebook", type="digital")
    services.publish(store=store, product_ids=[bare.pk, ebook.pk])
    assert Variant.objects.get(pk=bare.pk).is_standalone
    assert Stock.objects.get(pk=bare.pk).tracked is True
    assert Stock.objects.get(pk=ebook.pk).tracked is False
    assert not Product.objects.get(pk=bare.pk).visible


@pytest.mark.parametrize("count", [3, 30])
def test_publishing_again_writes_nothing_at_the_same_cost(
    store: Any, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any, count: int
) -> None:
    products = [make_product(store, variants=("S", "M")).pk for _number in range(count)]
    monkeypatch.setitem(events._listeners, "catalog.published", [])  # what listeners do is theirs to count
    with django_assert_max_num_queries(22) as asked:
        services.publish(store=store, product_ids=products)
    assert not [query for query in asked.captured_queries if query["sql"].startswith("UPDATE")]


def test_rows_of_another_store_are_not_written(store: Any, other_store: Any) -> None:
    ours, theirs = make_product(store, name="Bell"), make_product(other_store, name="Bell")
    writing.update(store=store, model=Product, columns=("name",), rows=[("Gong", ours.pk), ("Gong", theirs.pk)])
    assert dict(Product.objects.values_list("pk", "name")) == {ours.pk: "Gong", theirs.pk: "Bell"}


def test_publishing_reaches_no_other_store(store: Any, other_store: Any) -> None:
    theirs = make_product(other_store)
    Product.objects.update(document="{}")
    services.publish(store=store, product_ids=[theirs.pk])
    assert Product.objects.get(pk=theirs.pk).document == "{}"


def test_renaming_an_attribute_reaches_products_and_variants(store: Any, get: Any) -> None:
    product = make_product(store, variants=("S",))
    attribute = Attribute.objects.get(key="size")
    attribute.name = "Grösse"
    attribute.save()
    services.attribute_changed(store=store, attribute_id=attribute.pk)
    shown = get(f"/catalog/products/{product.pk}").json()["content"]["product"]
    assert shown["variant_options"][0]["name"] == "Grösse"
