"""Changing many products at once, and making one from another."""

from __future__ import annotations

from collections.abc import Collection
from decimal import ROUND_HALF_UP, Decimal
from pathlib import PurePosixPath
from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from storefront.errors import Invalid
from storefront.ids import new_id
from storefront.models import CustomerGroup, Store

from . import services
from .models import (
    BundleItem,
    Category,
    Price,
    Product,
    ProductAttribute,
    ProductCategory,
    ProductImage,
    ProductLink,
    Stock,
    Variant,
    VariantChoice,
)

HIGHEST = Decimal("99999999999.999")


@transaction.atomic
def edit(
    *,
    store: Store,
    product_ids: Collection[str],
    percent: Decimal | None = None,
    group: CustomerGroup | None = None,
    active: bool | None = None,
    add_to: Category | None = None,
    take_from: Category | None = None,
) -> int:
    """Changes what is named of these products and publishes them; returns how many there were.

    `percent` changes selling prices, of one `group` or of all, to the store's smallest unit. A listing price below the
    new selling price rises with it.
    """
    products = Product.objects.select_for_update().filter(store=store, pk__in=product_ids).order_by("pk")
    ids = list(products.values_list("pk", flat=True))
    if percent is not None:
        _reprice(store, ids, percent, group)
    if active is not None:
        Product.objects.filter(store=store, pk__in=ids).update(active=active, modified_at=timezone.now())
    if take_from is not None:
        ProductCategory.objects.filter(store=store, product__in=ids, category=take_from).delete()
    if add_to is not None:
        ProductCategory.objects.bulk_create(
            [ProductCategory(store=store, product_id=pk, category=add_to, sort_order=1000) for pk in ids],
            ignore_conflicts=True,
        )
    services.publish(store=store, product_ids=ids)
    return len(ids)


def _reprice(store: Store, product_ids: Collection[str], percent: Decimal, group: CustomerGroup | None) -> None:
    prices = Price.objects.select_for_update().filter(store=store, variant__product__in=product_ids).order_by("pk")
    if group is not None:
        prices = prices.filter(group=group)
    unit = Decimal(1).scaleb(-min(store.currency_exponent, 3))
    rows = list(prices)
    for price in rows:
        amount = price.selling_price * (1 + percent / 100)
        if not 0 <= amount <= HIGHEST:
            raise Invalid(_("That makes a price that cannot be."), field="percent")
        price.selling_price = amount.quantize(unit, rounding=ROUND_HALF_UP)
        price.listing_price = max(price.listing_price, price.selling_price)
        price.modified_at = timezone.now()
    Price.objects.bulk_update(rows, ["selling_price", "listing_price", "modified_at"], batch_size=100)


@transaction.atomic
def duplicate(*, store: Store, product: Product) -> Product:
    """An inactive copy with a name and a slug of its own, without SKUs, which are unique, and without units.

    Variants, options, prices, categories, attributes, pictures, recommendations and components come along.
    """
    copy = Product.objects.get(store=store, pk=product.pk)
    names = Product.objects.filter(store=store).values_list("slug", flat=True)
    copy.pk, copy._state.adding, copy.active, copy.visible = new_id(), True, False, False
    copy.name = _("%(name)s (copy)") % {"name": copy.name[:180]}
    base, number = f"{copy.slug[:180]}-copy", 1
    copy.slug = base
    while names.filter(slug=copy.slug).exists():
        number += 1
        copy.slug = f"{base}-{number}"
    copy.document = copy.detail_document = "{}"
    copy.category_ids, copy.reviews_count, copy.reviews_rating_sum = "", 0, Decimal(0)
    copy.created_at = timezone.now()
    copy.save(force_insert=True)
    variants = _copy_variants(store, product, copy)
    for model in (ProductCategory, ProductLink):
        _copies(model, model._default_manager.filter(product=product), product=copy)
    _copies(BundleItem, BundleItem.objects.filter(bundle=product), bundle=copy)
    for fact in ProductAttribute.objects.filter(product=product).prefetch_related("choices"):
        chosen = list(fact.choices.all())
        fact.pk, fact._state.adding, fact.product = None, True, copy
        fact.variant_id = variants[fact.variant_id] if fact.variant_id else None
        fact.save()
        fact.choices.set(chosen)
    for image in ProductImage.objects.filter(product=product):
        tied = Variant.objects.filter(pk__in=[variants[pk] for pk in image.variants.values_list("pk", flat=True)])
        image.pk, image._state.adding, image.product = new_id(), True, copy
        image.renditions = _copy_files(image.renditions, product, copy)
        image.save(force_insert=True)
        image.variants.set(tied)
    services.publish(store=store, product_ids=[copy.pk])
    return copy


def _copy_variants(store: Store, product: Product, copy: Product) -> dict[str, str]:
    """The new variant of each old one."""
    made = {}
    for variant in Variant.objects.filter(store=store, product=product).order_by("sort_order", "created_at", "pk"):
        old = variant.pk
        stock = Stock.objects.filter(variant=old).first()
        variant.pk, variant._state.adding = copy.pk if variant.is_standalone else new_id(), True
        variant.product, variant.sku, variant.visible = copy, "", False
        variant.save(force_insert=True)
        made[old] = variant.pk
        if stock is not None:
            Stock.objects.create(store=store, variant=variant, tracked=stock.tracked, backorder=stock.backorder)
        _copies(Price, Price.objects.filter(variant=old), variant=variant)
        _copies(VariantChoice, VariantChoice.objects.filter(variant=old), variant=variant)
    return made


def _copies(model: type[Any], rows: Any, **changes: Any) -> None:
    found = list(rows)
    for row in found:
        row.pk, row._state.adding = None, True
        for name, value in changes.items():
            setattr(row, name, value)
    model._default_manager.bulk_create(found)


def _copy_files(renditions: dict[str, str], product: Product, copy: Product) -> dict[str, str]:
    """Each product's own files go with it when it is deleted, so a copy has copies; shared ones stay shared."""
    folder = f"catalog/{product.store_id}/{product.pk}/"
    copied: dict[str, str] = {}
    for name in set(renditions.values()):
        copied[name] = name
        if name.startswith(folder) and default_storage.exists(name):
            with default_storage.open(name) as file:
                copied[name] = default_storage.save(
                    f"catalog/{copy.store_id}/{copy.pk}/{PurePosixPath(name).name}", file
                )
    return {size: copied[name] for size, name in renditions.items()}
