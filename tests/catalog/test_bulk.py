"""Many products at once, and one from another."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from catalog import bulk, demo
from catalog.models import Price, Product, ProductImage, Stock, Variant
from storefront.errors import Invalid
from tests.catalog.factories import group_of, make_category, make_group, make_price, make_product, variants_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(db: None, settings: Any) -> Client:
    settings.ROOT_URLCONF = "tests.catalog.admin_urls"
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", "anna@example.com", "x"))
    return client


def selling(product: Product) -> list[Decimal]:
    return [price.selling_price for price in Price.objects.filter(variant__product=product).order_by("pk")]


def test_prices_change_by_percent_of_one_group_or_of_all(store: Any) -> None:
    tea, cup, other = make_product(store, price="99.99"), make_product(store, price="10"), make_product(store)
    make_price(variants_of(tea)[0], make_group(store), "50")
    assert bulk.edit(store=store, product_ids=[tea.pk, cup.pk], percent=Decimal("12.5"), group=group_of(store)) == 2
    assert selling(tea) == [Decimal("112.49"), Decimal(50)] and selling(cup) == [Decimal("11.25")]
    bulk.edit(store=store, product_ids=[tea.pk], percent=Decimal(-50))
    assert selling(tea) == [Decimal("56.25"), Decimal(25)] and selling(other) == [Decimal(100)]
    assert Price.objects.filter(listing_price__lt=Decimal(10)).count() == 0


def test_a_price_that_cannot_be_changes_nothing(store: Any) -> None:
    tea, gold = make_product(store, price="5"), make_product(store, price="99999999999")
    with pytest.raises(Invalid):
        bulk.edit(store=store, product_ids=[tea.pk, gold.pk], percent=Decimal(10))
    assert selling(tea) == [Decimal(5)]


def test_categories_and_state_change_and_are_counted(store: Any, other_store: Any) -> None:
    old, new = make_category(store, "Old"), make_category(store, "New")
    tea = make_product(store, categories=(old,))
    foreign = make_product(other_store)
    bulk.edit(store=store, product_ids=[tea.pk, foreign.pk], add_to=new, take_from=old)
    bulk.edit(store=store, product_ids=[tea.pk], add_to=new)
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.product_count, new.product_count) == (0, 1) and not foreign.placings.exists()
    bulk.edit(store=store, product_ids=[tea.pk, foreign.pk], active=False)
    assert not Product.objects.get(pk=tea.pk).visible and Product.objects.get(pk=foreign.pk).active


def test_a_copy_has_everything_but_skus_units_and_shoppers(store: Any) -> None:
    demo.build(store=store, pictures=False)
    for product in Product.objects.filter(store=store):
        copy = bulk.duplicate(store=store, product=product)
        again = bulk.duplicate(store=store, product=product)
        assert copy.slug != again.slug and not Product.objects.get(pk=copy.pk).visible
        for name in ("variants", "placings", "facts", "images", "links", "components"):
            assert getattr(copy, name).count() == getattr(product, name).count(), name
        mine, theirs = variants_of(copy), variants_of(product)
        assert [row.is_standalone for row in mine] == [row.is_standalone for row in theirs]
        assert not any(row.sku for row in mine) and not Stock.objects.filter(variant__in=mine, on_hand__gt=0).exists()
        assert sorted(selling(copy)) == sorted(selling(product))
        Product.objects.filter(pk=copy.pk).update(active=True)
        bulk.services.publish(store=store, product_ids=[copy.pk])
        assert Product.objects.get(pk=copy.pk).visible == product.visible
    assert Variant.objects.filter(store=store).exclude(sku="").exists()


def test_a_copy_keeps_its_pictures_when_the_first_one_goes(store: Any, settings: Any, tmp_path: Any) -> None:
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    settings.MEDIA_ROOT = tmp_path
    tea = make_product(store)
    name = default_storage.save(f"catalog/{store.pk}/{tea.pk}/a.webp", ContentFile(b"picture"))
    names = dict.fromkeys(("tiny", "thumbnail", "standard", "zoom"), name)
    ProductImage.objects.create(store=store, product=tea, renditions=names)
    copy = bulk.duplicate(store=store, product=tea)
    theirs = copy.images.get().renditions["zoom"]
    default_storage.delete(name)
    assert theirs != name and default_storage.exists(theirs)


def test_staff_edit_many_after_saying_what(store: Any, staff: Client) -> None:
    tea, cup = make_product(store, price="100"), make_product(store, price="10")
    page = "/admin/catalog/bulk-edit/"
    assert "one store" in staff.get(page).content.decode()
    chosen = {"action": "edit_many", "_selected_action": [tea.pk]}
    assert staff.post("/admin/storefront_catalog/product/", chosen).url == page
    assert "1 products" in staff.get(page).content.decode()
    assert staff.post(page, {}).status_code == 200 and staff.post(page, {"percent": "-100"}).status_code == 200
    assert selling(tea) == [Decimal(100)]
    assert staff.post(page, {"percent": "10", "active": "no"}).status_code == 302
    assert selling(tea) == [Decimal(110)] and selling(cup) == [Decimal(10)]
    assert not Product.objects.get(pk=tea.pk).active
    assert "one store" in staff.get(page).content.decode()


def test_staff_duplicate_after_saying_so(store: Any, staff: Client) -> None:
    tea = make_product(store, name="Tea")
    address = f"/admin/storefront_catalog/product/{tea.pk}/duplicate/"
    assert staff.get(address).status_code == 200 and Product.objects.count() == 1
    response = staff.post(address)
    copy = Product.objects.exclude(pk=tea.pk).get()
    assert copy.pk in response.url and copy.name == "Tea (copy)" and not copy.active
