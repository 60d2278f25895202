"""Publishing from many threads, against real row locks."""

from __future__ import annotations

from typing import Any

import pytest

from catalog import services
from catalog.models import Product
from catalog.search.models import SearchEntry, SearchTerm, SearchWord
from storefront.models import Store
from tests.catalog.factories import make_product
from tests.threads import in_parallel

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


def test_publishers_that_meet_new_words_and_terms_make_each_once(store: Store) -> None:
    products = [make_product(store, name="Cup") for _number in range(6)]
    tags = [f"tag{letter}" for letter in "abcdefghijklmnopqrst"]
    for number, product in enumerate(products):
        order = tags if number % 2 else tags[::-1]
        Product.objects.filter(pk=product.pk).update(tags=order, name=" ".join(["Cup", *order[:9]]))

    def publish(number: int) -> None:
        services.publish(store=store, product_ids=[products[number].pk])

    in_parallel(publish, len(products))
    assert SearchTerm.objects.filter(store=store, name="tags").count() == len(tags)
    assert SearchWord.objects.filter(store=store, word="taga").count() == 1
    entries = list(SearchEntry.objects.filter(store=store))
    assert len(entries) == len(products)
    assert {frozenset(entry.terms) for entry in entries} == {frozenset(entries[0].terms)}


def test_publishers_of_one_product_leave_one_entry_as_the_last_one_saw_it(store: Store) -> None:
    product = make_product(store, name="Cup")

    def publish(number: int) -> Any:
        Product.objects.filter(pk=product.pk).update(name=f"Cup {number}")
        services.publish(store=store, product_ids=[product.pk])

    in_parallel(publish, 6)
    product.refresh_from_db()
    services.publish(store=store, product_ids=[product.pk])
    assert SearchEntry.objects.get(store=store).product_name == product.name
