"""What carts ask of the catalogue through its plug."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog import services
from catalog.models import BundleItem, Price, Product, Stock, Variant
from catalog.plugs import DefaultCatalog
from storefront.contracts import Catalog, Sku
from tests.catalog.factories import make_category, make_group, make_price, make_product, variants_of
from tests.contract import assert_component

pytestmark = pytest.mark.django_db
catalog = DefaultCatalog()


def test_it_keeps_the_protocol() -> None:
    assert isinstance(catalog, Catalog)


def test_a_standalone_product_is_sold_under_its_own_id(store: Any) -> None:
    tea = make_category(store)
    product = make_product(
        store,
        name="Assam",
        slug="assam",
        sku="ASSAM",
        price="420.50",
        on_hand=7,
        categories=(tea,),
        prices={
            "listing_price": Decimal(500),
            "tax_rate": Decimal(5),
            "min_quantity": 2,
            "max_quantity": 8,
            "step": 2,
            "handling_charge": Decimal("10.25"),
            "handling_tax_rate": Decimal(18),
        },
    )
    Stock.objects.update(reserved=3)
    sku = Sku(product.pk)
    (found,) = catalog.sellables(store.pk, [sku]).values()
    assert (found.sku, found.code, found.slug, found.product_name) == (sku, "ASSAM", "assam", "Assam")
    assert (found.variant_name, found.product_type) == (None, "physical")
    assert (found.active, found.needs_variant) == (True, False)
    assert (found.listing_price, found.selling_price) == (Decimal(500), Decimal("420.5"))
    assert found.price_including_tax is True and found.tax_rate == 5
    assert (found.handling_charge, found.handling_tax_rate) == (Decimal("10.25"), 18)
    assert (found.min_quantity, found.max_quantity, found.step) == (2, 8, 2)
    assert (found.available, found.backorder, found.in_stock) == (4, False, True)
    assert found.category_ids == (tea.pk,)
    assert found.details["associated_options"] is None and found.details["attributes"] == []
    assert found.details["stock_available"] is True


def test_categories_come_with_those_above_them_and_cost_no_query(store: Any, configure: Any) -> None:
    configure(STORE_CACHE_SECONDS=600, PRODUCT_PROMOTIONS="")
    root = make_category(store, "Drinks")
    tea = make_category(store, "Tea", root)
    black = make_category(store, "Black", tea)
    gifts = make_category(store, "Gifts")
    products = [make_product(store, categories=(black, gifts)), make_product(store, categories=(tea, black))]
    skus = [Sku(product.pk) for product in products]
    catalog.sellables(store.pk, skus)
    with CaptureQueriesContext(connection) as captured:
        found = catalog.sellables(store.pk, skus)
    assert len(captured) == 1
    assert found[skus[0]].category_ids == (black.pk, gifts.pk, tea.pk, root.pk)
    assert found[skus[1]].category_ids == (tea.pk, black.pk, root.pk)


def test_a_variant_weighs_what_it_says_or_what_its_product_does(store: Any) -> None:
    product = make_product(store, variants=("S", "M"), weight=250)
    small, medium = variants_of(product)
    Variant.objects.filter(pk=medium.pk).update(weight=0)
    services.publish(store=store, product_ids=[product.pk])
    skus = [Sku(product.pk, small.pk), Sku(product.pk, medium.pk)]
    found = catalog.sellables(store.pk, skus)
    assert [found[sku].weight for sku in skus] == [250, 0]


def test_a_variant_brings_its_options(store: Any) -> None:
    product = make_product(store, sku="K", variants=("S", "M"))
    medium = variants_of(product)[1]
    found = catalog.sellables(store.pk, [Sku(product.pk, medium.pk)])[Sku(product.pk, medium.pk)]
    assert (found.code, found.variant_name, found.slug) == ("K-M", "M", product.slug)
    assert found.details["associated_options"]["size"]["value"] == "M"


def test_a_product_that_varies_needs_a_variant(store: Any) -> None:
    product = make_product(store, name="Kurta", variants=("S",))
    found = catalog.sellables(store.pk, [Sku(product.pk)])[Sku(product.pk)]
    assert found.needs_variant and found.product_name == "Kurta"


def test_so_does_one_that_was_sold_alone_before(store: Any) -> None:
    product = make_product(store)
    variant = Variant.objects.create(store=store, product=product, slug="one")
    make_price(variant)
    services.publish(store=store, product_ids=[product.pk])
    found = catalog.sellables(store.pk, [Sku(product.pk), Sku(product.pk, variant.pk)])
    assert found[Sku(product.pk)].needs_variant
    assert found[Sku(product.pk, variant.pk)].active


def test_what_does_not_exist_here_is_left_out(store: Any, other_store: Any) -> None:
    alone, varying = make_product(store), make_product(store, variants=("S",))
    variant, theirs = variants_of(varying)[0], make_product(other_store)
    asked = [
        Sku("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        Sku(theirs.pk),
        Sku(alone.pk, variant.pk),  # another product's variant
        Sku(alone.pk, alone.pk),  # the standalone variant has no id of its own
        Sku(variant.pk),
        Sku(varying.pk, ""),
        Sku(varying.pk, variant.pk),
    ]
    assert set(catalog.sellables(store.pk, asked)) == {Sku(varying.pk), Sku(varying.pk, variant.pk)}
    assert catalog.sellables(store.pk, []) == {}


@pytest.mark.parametrize("change", ["product", "variant", "price"])
def test_what_is_not_sold_any_more_can_still_be_named(store: Any, change: str) -> None:
    product = make_product(store, name="Assam")
    if change == "product":
        Product.objects.update(active=False)
    elif change == "variant":
        Variant.objects.update(active=False)
    else:
        Price.objects.all().delete()
    services.publish(store=store, product_ids=[product.pk])
    found = catalog.sellables(store.pk, [Sku(product.pk)])[Sku(product.pk)]
    assert found.active is False and found.product_name == "Assam"
    assert catalog.items(store.pk, [Sku(product.pk)]) == {}


def test_a_price_that_vanishes_without_publishing_is_not_free(store: Any) -> None:
    product = make_product(store)
    Price.objects.all().delete()
    assert catalog.sellables(store.pk, [Sku(product.pk)])[Sku(product.pk)].active is False


@pytest.mark.parametrize(
    ("fields", "stock", "available", "shown"),
    [
        ({}, {"on_hand": 3, "reserved": 3}, 0, False),
        ({}, {"on_hand": 3, "reserved": 1}, 2, True),
        ({}, {"on_hand": 0, "backorder": True}, None, False),
        ({}, {"on_hand": 2, "reserved": 5, "backorder": True}, None, False),
        ({}, {"tracked": False}, None, True),
        ({"type": "digital"}, {}, None, True),
    ],
)
def test_how_many_can_be_sold(
    store: Any, fields: dict[str, Any], stock: dict[str, Any], available: int | None, shown: bool
) -> None:
    product = make_product(store, **fields)
    if stock:
        Stock.objects.update(**stock)
    found = catalog.sellables(store.pk, [Sku(product.pk)])[Sku(product.pk)]
    assert found.available == available
    assert found.details["stock_available"] is shown


def test_a_bundle_is_limited_by_its_scarcest_component(store: Any) -> None:
    cup, pot, ebook = (
        make_product(store, on_hand=13),
        make_product(store, on_hand=3),
        make_product(store, type="digital"),
    )
    bundle = make_product(store, type="bundle")
    for component, quantity in ((cup, 6), (pot, 1), (ebook, 1)):
        BundleItem.objects.create(store=store, bundle=bundle, component_id=component.pk, quantity=quantity)

    def available() -> int | None:
        return catalog.sellables(store.pk, [Sku(bundle.pk)])[Sku(bundle.pk)].available

    assert available() == 2
    Stock.objects.filter(variant=bundle.pk).update(backorder=True)
    assert available() == 2, "it has no stock of its own"
    assert catalog.items(store.pk, [Sku(bundle.pk)])[Sku(bundle.pk)]["backorder"] is False
    Stock.objects.filter(variant=cup.pk).update(backorder=True)
    assert available() == 3
    Product.objects.filter(pk=pot.pk).update(active=False)
    services.publish(store=store, product_ids=[pot.pk])
    assert available() == 0


def test_a_bundle_says_what_it_takes_of_other_skus(
    store: Any, other_store: Any, django_assert_num_queries: Any
) -> None:
    cup, pot, ebook = make_product(store, on_hand=13), make_product(store, variants=("S", "M")), make_product(store)
    Stock.objects.filter(variant=ebook.pk).update(tracked=False)
    small, _medium = variants_of(pot)
    bundle, other = make_product(store, type="bundle"), make_product(store, type="bundle")
    for component, quantity in ((cup, 6), (small, 1), (ebook, 1)):
        BundleItem.objects.create(store=store, bundle=bundle, component_id=component.pk, quantity=quantity)
    BundleItem.objects.create(store=store, bundle=other, component_id=cup.pk)
    asked = [Sku(cup.pk), Sku(bundle.pk), Sku(other.pk)]
    catalog.sellables(store.pk, asked)
    with django_assert_num_queries(2):
        found = catalog.sellables(store.pk, asked)
    assert [tuple(part) for part in found[Sku(bundle.pk)].components] == [
        (Sku(cup.pk), 6, 13),
        (Sku(pot.pk, small.pk), 1, 10),
        (Sku(ebook.pk), 1, None),
    ]
    assert [tuple(part) for part in found[Sku(other.pk)].components] == [(Sku(cup.pk), 1, 13)]
    assert found[Sku(cup.pk)].components == ()
    with django_assert_num_queries(1):
        catalog.sellables(store.pk, [Sku(cup.pk)])
    Stock.objects.filter(variant=cup.pk).update(reserved=4)
    Product.objects.filter(pk=pot.pk).update(active=False)
    services.publish(store=store, product_ids=[pot.pk])
    (changed,) = catalog.sellables(store.pk, [Sku(bundle.pk)]).values()
    assert [part.available for part in changed.components] == [9, 0, None]
    assert catalog.sellables(other_store.pk, asked) == {}


def test_prices_are_the_groups_own(store: Any, other_store: Any) -> None:
    wholesale, theirs = make_group(store), make_group(other_store)
    product = make_product(store, price="100")
    make_price(variants_of(product)[0], wholesale, "80")
    sku = Sku(product.pk)
    for group_id, price in ((None, 100), (wholesale.pk, 80), (theirs.pk, 100)):
        assert catalog.sellables(store.pk, [sku], group_id=group_id)[sku].selling_price == price
        assert catalog.items(store.pk, [sku], group_id=group_id)[sku]["pricing"]["selling_price"] == price


@pytest.mark.parametrize("count", [2, 40])
def test_statements_do_not_grow_with_the_skus(
    store: Any, count: int, configure: Any, django_assert_max_num_queries: Any
) -> None:
    configure(STORE_CACHE_SECONDS=600, PRODUCT_PROMOTIONS="")
    skus = [Sku(make_product(store).pk) for _number in range(count)]
    varying = make_product(store, variants=("S", "M"))
    skus += [Sku(varying.pk, variant.pk) for variant in variants_of(varying)]
    catalog.items(store.pk, skus)
    with django_assert_max_num_queries(1):
        assert len(catalog.sellables(store.pk, skus)) == count + 2
    with django_assert_max_num_queries(2):
        assert len(catalog.sellables(store.pk, [*skus, Sku(varying.pk), Sku("unknown")])) == count + 3
    with django_assert_max_num_queries(1):
        assert len(catalog.items(store.pk, skus)) == count + 2


def test_items_have_the_contracts_shape(store: Any) -> None:
    alone, varying = make_product(store, categories=(make_category(store),)), make_product(store, variants=("S",))
    skus = [Sku(alone.pk), Sku(varying.pk, variants_of(varying)[0].pk)]
    found = catalog.items(store.pk, [*skus, Sku(varying.pk), Sku("unknown")])
    assert list(found) == [*skus, Sku(varying.pk)], "one of its variants stands for a product that varies"
    for item in found.values():
        assert_component("Item", item)
    assert found[skus[0]]["variant_id"] is None and found[skus[0]]["variant_slug"] == alone.slug
