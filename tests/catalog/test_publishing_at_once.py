"""Several publishers of the same products and categories."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from catalog import selectors, services
from catalog.models import Category, Product, ProductCategory, Variant
from tests.catalog.factories import make_category, make_product
from tests.threads import in_parallel

pytestmark = [pytest.mark.django_db(transaction=True)]


def test_no_change_is_lost_between_publishers(store: Any) -> None:
    """Each changes a field of its own and publishes: in the end the document holds all of them."""
    product = make_product(store)
    fields = ("short_description", "description", "hsn_code", "seo_title", "seo_description")

    def change(number: int) -> None:
        with transaction.atomic():
            Product.objects.filter(pk=product.pk).update(**{fields[number]: f"x{number}"})
            services.publish(store=store, product_ids=[product.pk])

    in_parallel(change, len(fields))
    shown = Product.objects.get(pk=product.pk)
    text = shown.document + shown.detail_document
    assert all(f'"x{number}"' in text for number in range(len(fields)))


def test_counts_are_right_when_all_publish_at_once(store: Any) -> None:
    tea = make_category(store, "Tea")
    leaves = [make_category(store, name, tea) for name in ("Green", "Black")]
    products = [make_product(store) for _number in range(8)]

    def place(number: int) -> None:
        with transaction.atomic():
            ProductCategory.objects.create(store=store, product=products[number], category=leaves[number % 2])
            services.publish(store=store, product_ids=[products[number].pk])

    in_parallel(place, len(products))
    counts = dict(Category.objects.filter(store=store).values_list("name", "product_count"))
    assert counts == {"Tea": 8, "Green": 4, "Black": 4}


def test_categories_that_move_below_each_other_at_once_stay_in_the_tree(store: Any) -> None:
    """Six in a ring, each below its neighbour: no more than five of the moves can be."""
    ring = [make_category(store, f"Branch {number}") for number in range(6)]

    def move(number: int) -> bool:
        category = Category.objects.get(pk=ring[number].pk)
        category.parent = ring[(number + 1) % len(ring)]
        try:
            category.save()
        except ValidationError:
            return False
        services.recount_categories(store=store)
        return True

    moved = in_parallel(move, len(ring))
    parents = dict(Category.objects.filter(store=store).values_list("pk", "parent_id"))
    assert moved.count(False) == 1 and list(parents.values()).count(None) == 1
    assert len(selectors.tree(store=store).by_id) == len(ring)


def test_two_publishers_of_a_new_product_make_one_variant(store: Any) -> None:
    product = Product.objects.create(store=store, name="Bell", slug="bell")
    in_parallel(lambda _number: services.publish(store=store, product_ids=[product.pk]), 4)
    assert Variant.objects.filter(product=product).count() == 1
