"""The catalogue as a file that imports back to itself. A few hundred products in memory, whatever the number."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import orjson

from storefront.imports.records import join, safe, split
from storefront.models import CustomerGroup, StockLocation, Store

from ..models import (
    Attribute,
    Brand,
    BundleItem,
    Category,
    Price,
    Product,
    ProductAttribute,
    ProductCategory,
    ProductImage,
    Stock,
    Variant,
    VariantChoice,
)
from ..places import LocationStock
from . import rows
from .importing import category_paths

CHUNK = 500
Cell = str | list[str]


class _Echo:
    """A file whose `write` hands back what it was given."""

    def write(self, text: str) -> str:
        return text


def csv_lines(lines: Iterable[list[str]]) -> Iterator[bytes]:
    """A CSV file piece by piece. It begins with a byte order mark, without which spreadsheets guess the encoding."""
    writer = csv.writer(_Echo())
    yield b"\xef\xbb\xbf"
    for line in lines:
        yield str(writer.writerow(line)).encode("utf-8", "replace")


def export(*, store: Store, format: str = "csv") -> Iterator[bytes]:  # noqa: A002
    """The whole catalogue of a store. About fifteen queries for each 500 products."""
    columns = columns_of(store=store)
    if format == "csv":
        yield from csv_lines(_csv_rows(store, columns))
        return
    for cells in records(store=store):
        yield orjson.dumps(cells) + b"\n"


def _csv_rows(store: Store, columns: list[str]) -> Iterator[list[str]]:
    yield columns
    for cells in records(store=store):
        yield [_flat(cells.get(name, "")) for name in columns]


def _flat(cell: Cell) -> str:
    """A list that the format cannot hold as it is stays out, for an empty cell leaves it as it is."""
    if isinstance(cell, str):
        return safe(cell)
    joined = join(cell)
    return safe(joined) if split(joined) == cell else ""


def columns_of(*, store: Store) -> list[str]:
    """The columns of the store's file: those that all have, its attributes, options, locations and
    groups' prices. Five queries."""
    options = Attribute.objects.filter(store=store, type__in=Attribute.OF_VARIANTS).order_by("sort_order", "key")
    groups = CustomerGroup.objects.filter(store=store).order_by("-is_default", "slug")
    keys = list(Attribute.objects.filter(store=store).order_by("sort_order", "key").values_list("key", flat=True))
    own = ProductAttribute.objects.filter(store=store, variant__isnull=False)
    own_keys = set(own.order_by().values_list("attribute__key", flat=True).distinct())
    elsewhere = StockLocation.objects.filter(store=store, is_default=False).order_by("sort_order", "pk")
    return [
        "product",
        "variant",
        *rows.PRODUCT,
        *rows.RELATED,
        *(f"{rows.FACTS[0]}:{key}" for key in keys),
        *(f"{rows.FACTS[1]}:{key}" for key in keys if key in own_keys),
        *(f"option:{key}" for key in options.values_list("key", flat=True)),
        *rows.VARIANT,
        *rows.STOCK,
        *(f"{rows.ON_HAND}:{name}" for name in elsewhere.values_list("name", flat=True)),
        *(f"{name}:{slug}" for slug in groups.values_list("slug", flat=True) for name in rows.PRICE),
    ]


def records(*, store: Store) -> Iterator[dict[str, Cell]]:
    """Each variant's cells, the empty ones left out, product by product in the order in which they were made."""
    groups = dict(CustomerGroup.objects.filter(store=store).values_list("pk", "slug"))
    locations = {
        pk: rows.ON_HAND if is_default else f"{rows.ON_HAND}:{name}"
        for pk, name, is_default in StockLocation.objects.filter(store=store).values_list("pk", "name", "is_default")
    }
    brands = _brands(store)
    categories = _categories(store)
    for bundles in (False, True):  # a bundle stands below what it holds
        every = Product.objects.filter(store=store).order_by("pk")
        every = every.filter(type=Product.Type.BUNDLE) if bundles else every.exclude(type=Product.Type.BUNDLE)
        last = ""
        while products := list(every.filter(pk__gt=last).defer("document", "detail_document")[:CHUNK]):
            yield from _chunk(products, groups, locations, brands, categories)
            last = products[-1].pk


def _brands(store: Store) -> dict[str, str]:
    found = list(Brand.objects.filter(store=store).values_list("pk", "name", "slug"))
    count = Counter(name for _pk, name, _slug in found)
    return {pk: f"#{slug}" if count[name] > 1 or name.startswith("#") else name for pk, name, slug in found}


def _categories(store: Store) -> dict[str, str]:
    """Each category's path, or its slug where the path does not tell it from another."""
    paths = category_paths(store=store)
    slugs = dict(Category.objects.filter(store=store).values_list("pk", "slug"))
    count = Counter(paths.values())
    found = {}
    for pk, path in paths.items():
        text = join(path, rows.BELOW)
        clear = count[path] == 1 and not path[0].startswith("#") and tuple(split(text, rows.BELOW)) == path
        found[pk] = text if clear and len(text) <= 500 else f"#{slugs[pk]}"
    return found


def _chunk(
    products: list[Product],
    groups: dict[str, str],
    locations: dict[str, str],
    brands: dict[str, str],
    categories: dict[str, str],
) -> Iterator[dict[str, Cell]]:
    ids = [product.pk for product in products]
    variants: defaultdict[str, list[Variant]] = defaultdict(list)
    sold = Variant.objects.filter(product__in=ids).order_by("sort_order", "created_at", "pk")
    for variant in sold.defer("document", "item_document", "line_document", "own_attributes"):
        variants[variant.product_id].append(variant)
    placings: defaultdict[str, list[str]] = defaultdict(list)
    for row in ProductCategory.objects.filter(product__in=ids).order_by("sort_order", "pk"):
        placings[row.product_id].append(categories[row.category_id])
    images: defaultdict[str, list[str]] = defaultdict(list)
    for image in (
        ProductImage.objects.filter(product__in=ids).exclude(url="").order_by("sort_order", "created_at", "pk")
    ):
        images[image.product_id].append(image.url)
    own: defaultdict[str, dict[str, Cell]] = defaultdict(dict)
    for option in VariantChoice.objects.filter(variant__product__in=ids).select_related("attribute", "choice"):
        code = f" {option.choice.hexcode}" if option.choice.hexcode else ""
        own[option.variant_id][f"option:{option.attribute.key}"] = f"{option.choice.name}{code}"
    for stock in Stock.objects.filter(variant__product__in=ids):
        own[stock.variant_id] |= {name: _text(getattr(stock, name)) for name in rows.STOCK} | {rows.ON_HAND: "0"}
    for place in LocationStock.objects.filter(variant__product__in=ids):
        own[place.variant_id][locations[place.location_id]] = _text(place.on_hand)
    for price in Price.objects.filter(variant__product__in=ids):
        slug = groups[price.group_id]
        for name, (column, _read) in rows.PRICE.items():
            own[price.variant_id][f"{name}:{slug}"] = _text(getattr(price, column))
    facts = _facts(ids, own)
    media: defaultdict[str, list[str]] = defaultdict(list)
    kept = ProductImage.objects.filter(product__in=ids).exclude(source="").order_by("sort_order", "created_at", "pk")
    for product_id, source in kept.values_list("product_id", "source"):
        media[product_id].append(source)
    components = _components([product.pk for product in products if product.type == Product.Type.BUNDLE])
    for product in products:
        common: dict[str, Cell] = {"product": product.slug}
        for name, (column, _read) in rows.PRODUCT.items():
            common[name] = _text(getattr(product, column))
        common |= {
            "brand": brands[product.brand_id] if product.brand_id else "",
            "categories": placings[product.pk],
            "images": images[product.pk],
            "media": media[product.pk],
            "components": components[product.pk],
            **facts[product.pk],
        }
        varying = [variant for variant in variants[product.pk] if not variant.is_standalone]
        for variant in varying or variants[product.pk]:
            cells = common | {"variant": "" if variant.is_standalone else variant.slug or variant.pk}
            for name, (column, _read) in rows.VARIANT.items():
                cells[name] = _text(getattr(variant, column))
            yield {name: value for name, value in (cells | own[variant.pk]).items() if value}


def _facts(ids: list[str], own: defaultdict[str, dict[str, Cell]]) -> defaultdict[str, dict[str, Cell]]:
    """Each product's; those of variants go into `own`."""
    found: defaultdict[str, dict[str, Cell]] = defaultdict(dict)
    every = ProductAttribute.objects.filter(product__in=ids).select_related("attribute").prefetch_related("choices")
    for fact in every.order_by("pk"):
        cell: Cell = _text(fact.value)
        if fact.attribute.type in Attribute.OF_CHOICES:
            chosen = fact.choices.all()
            cell = [f"{choice.name} {choice.hexcode}" if choice.hexcode else choice.name for choice in chosen]
        if fact.variant_id:
            own[fact.variant_id][f"{rows.FACTS[1]}:{fact.attribute.key}"] = cell
        else:
            found[fact.product_id][f"{rows.FACTS[0]}:{fact.attribute.key}"] = cell
    return found


def _components(bundle_ids: list[str]) -> defaultdict[str, list[str]]:
    """What bundles hold, by SKU where there is one."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    if bundle_ids:
        held = BundleItem.objects.filter(bundle__in=bundle_ids).select_related("component__product")
        for row in held.order_by("sort_order", "pk"):
            variant = row.component
            slugs = [variant.product.slug, *([] if variant.is_standalone else [variant.slug or variant.pk])]
            found[row.bundle_id].append(f"{variant.sku or '@' + '/'.join(slugs)} x {row.quantity}")
    return found


def _text(value: Any) -> Cell:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return [str(entry) for entry in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value)
