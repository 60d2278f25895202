"""Rows of the catalogue for tests, published as the services do it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from catalog import services, stock
from catalog.models import (
    Attribute,
    AttributeChoice,
    Category,
    Price,
    Product,
    ProductCategory,
    Stock,
    Variant,
    VariantChoice,
)
from storefront import selectors as kernel
from storefront.models import CustomerGroup, Store

_counter = iter(range(1, 10**9))


def group_of(store: Store) -> CustomerGroup:
    group = kernel.default_group(store=store)
    assert group is not None
    return group


def make_category(store: Store, name: str = "Tea", parent: Category | None = None, **fields: Any) -> Category:
    slug = fields.pop("slug", name.lower().replace(" ", "-"))
    category = Category.objects.create(store=store, name=name, slug=slug, parent=parent, **fields)
    services.recount_categories(store=store)
    kernel.forget()
    return category


def make_price(variant: Variant, group: CustomerGroup | None = None, selling: str = "100", **fields: Any) -> Price:
    values = {"listing_price": Decimal(selling), "tax_rate": Decimal(5)} | fields
    return Price.objects.create(
        store_id=variant.store_id,
        variant=variant,
        group=group or group_of(variant.store),
        selling_price=Decimal(selling),
        **values,
    )


def make_product(
    store: Store,
    *,
    price: str | None = "100",
    on_hand: int = 10,
    backorder: bool = False,
    sku: str = "",
    categories: tuple[Category, ...] = (),
    prices: dict[str, Any] | None = None,
    variants: tuple[str, ...] = (),
    **fields: Any,
) -> Product:
    """A published product: standalone, or with a variant of each size in `variants`. `price` None gives it none."""
    number = next(_counter)
    values = {"name": f"Product {number}", "slug": f"product-{number}"} | fields
    product = Product.objects.create(store=store, **values)
    for category in categories:
        ProductCategory.objects.create(store=store, product=product, category=category)
    rows = [services.standalone(product, sku=sku)]
    if variants:
        rows = [
            Variant(
                store=store,
                product=product,
                sku=f"{sku}-{size}" if sku else "",
                slug=f"{product.slug}-{size.lower()}",
                sort_order=order,
            )
            for order, size in enumerate(variants)
        ]
    for order, row in enumerate(rows):
        row.save(force_insert=True)
        if variants:
            choice = choose(store, "Size", variants[order])
            VariantChoice.objects.create(store=store, variant=row, attribute=choice.attribute, choice=choice)
        units = Stock.objects.create(
            store=store,
            variant=row,
            on_hand=on_hand,
            backorder=backorder,
            tracked=product.type == Product.Type.PHYSICAL,
        )
        stock.opened([units])
        if price is not None:
            make_price(row, selling=price, **(prices or {}))
    services.publish(store=store, product_ids=[product.pk])
    kernel.forget()
    product.refresh_from_db()
    return product


def choose(store: Store, name: str, choice: str, *, hexcode: str = "") -> AttributeChoice:
    """An entry of an option, made when it is missing."""
    kind = Attribute.Type.COLOR if hexcode else Attribute.Type.SINGLE
    attribute, _new = Attribute.objects.get_or_create(
        store=store, key=name.lower(), defaults={"name": name, "type": kind}
    )
    found, _new = AttributeChoice.objects.get_or_create(
        store=store, attribute=attribute, name=choice, defaults={"hexcode": hexcode}
    )
    return found


def variants_of(product: Product) -> list[Variant]:
    return list(Variant.objects.filter(product=product).order_by("sort_order", "created_at", "pk"))


def make_group(store: Store, name: str = "Wholesale") -> CustomerGroup:
    group = CustomerGroup.objects.create(store=store, name=name, slug=name.lower())
    kernel.forget()
    return group
