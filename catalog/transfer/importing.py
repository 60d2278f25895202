"""Rows into the catalogue, a few hundred at a time in one transaction: about thirty queries whatever their number.

What comes out as it was is not written, so the same file twice changes nothing the second time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from storefront.imports.kinds import Outcome, Problem
from storefront.imports.records import CLEAR, BadCell, split
from storefront.models import CustomerGroup, StockLocation, Store

from .. import changes, services, stock, writing
from ..documents import Fact, Parts
from ..ledger import Reason, StockMovement
from ..models import (
    RESERVED_SLUGS,
    Attribute,
    AttributeChoice,
    Brand,
    Category,
    Price,
    Product,
    ProductCategory,
    ProductImage,
    Stock,
    Variant,
    VariantChoice,
)
from ..places import LocationStock
from .details import Details
from .pictures import Fetched
from .rows import Row, colour


@dataclass(slots=True)
class Written(Outcome):
    """What became of some rows, and the pictures that are in rows now, by slug of the product and source."""

    used: set[tuple[str, str]] = field(default_factory=set)

    def add(self, other: Written) -> None:
        self.created += other.created
        self.changed += other.changed
        self.unchanged += other.unchanged
        self.problems += other.problems
        self.used |= other.used


def apply(
    *, store: Store, rows: Sequence[Row], dry_run: bool = False, made_by: str = "", fetched: Fetched | None = None
) -> Written:
    """Writes these rows and publishes what they changed, or (`dry_run`) finds out what would come of it.

    Runs in a transaction of its own, or in a savepoint of the caller's. A row that the database refuses, because somebody
    else wrote meanwhile, is found by trying the halves, and theirs.
    """
    try:
        return _attempt(store, rows, dry_run, made_by, fetched or Fetched())
    except IntegrityError as error:
        if len(rows) > 1:
            found, middle = Written(), len(rows) // 2
            for half in (rows[:middle], rows[middle:]):
                found.add(apply(store=store, rows=half, dry_run=dry_run, made_by=made_by, fetched=fetched))
            return found
        del error
        message = _("The database refuses this row: it contradicts another one.")
        refused = Problem(rows[0].number, "", message, rows[0].product)
        return Written(problems=[refused])


class _RollBack(Exception):
    pass


def _attempt(store: Store, rows: Sequence[Row], dry_run: bool, made_by: str, fetched: Fetched) -> Written:
    batch = Batch(store=store, made_by=made_by, fetched=fetched)
    try:
        with transaction.atomic():
            batch.load(rows)
            for row in rows:
                batch.take(row)
            if not dry_run:
                batch.fill()
            batch.write()
            if dry_run:
                raise _RollBack
            batch.publish()
    except _RollBack:
        pass
    batch.outcome.used |= batch.details.used
    return batch.outcome


@dataclass(slots=True)
class Batch:
    """Some rows, the part of the catalogue that they speak of, and what is to be written."""

    store: Store
    made_by: str = ""
    fetched: Fetched = field(default_factory=Fetched)
    outcome: Written = field(default_factory=Written)
    touched: set[str] = field(default_factory=set)  # products to publish
    repriced: list[str] = field(default_factory=list)  # those of which prices have other amounts; documents hold none

    products: dict[str, Product] = field(default_factory=dict)  # by slug
    by_id: dict[str, Product] = field(default_factory=dict)
    variants: dict[str, list[Variant]] = field(default_factory=dict)  # by product
    skus: dict[str, str] = field(default_factory=dict)  # sku: variant
    stocks: dict[str, Stock] = field(default_factory=dict)  # by variant
    locations: dict[str, str] = field(default_factory=dict)  # by name; "" is the default one
    places: dict[str, dict[str, LocationStock]] = field(default_factory=dict)  # by variant, then by location
    prices: dict[tuple[str, str], Price] = field(default_factory=dict)  # by variant, group
    options: dict[tuple[str, str], VariantChoice] = field(default_factory=dict)  # by variant, attribute
    placings: dict[str, list[str]] = field(default_factory=dict)  # categories by product
    images: dict[str, list[ProductImage]] = field(default_factory=dict)  # by product, those with an address
    groups: dict[str, CustomerGroup] = field(default_factory=dict)
    attributes: dict[str, Attribute] = field(default_factory=dict)
    choices: dict[tuple[str, str], AttributeChoice] = field(default_factory=dict)  # by attribute, name
    brands: dict[str, Brand] = field(default_factory=dict)  # by name, and by "#slug"
    categories: dict[tuple[str, ...], str] = field(default_factory=dict)  # by path, and by ("#slug",)
    category_slugs: set[str] = field(default_factory=set)

    new: dict[type[Any], list[Any]] = field(default_factory=lambda: defaultdict(list))
    updated: dict[type[Any], dict[Any, Any]] = field(default_factory=lambda: defaultdict(dict))
    removed: dict[type[Any], set[Any]] = field(default_factory=lambda: defaultdict(set))
    undefault: set[str] = field(default_factory=set)  # variants that are no longer shown first
    movements: list[StockMovement] = field(default_factory=list)
    arrived: list[tuple[str, str]] = field(default_factory=list)  # variant, location: paid orders may wait for these
    replaced: dict[str, list[str]] = field(default_factory=dict)  # categories by product
    details: Details = field(init=False)

    def __post_init__(self) -> None:
        self.details = Details(self.store, self.choices, self.new[AttributeChoice], self.fetched)

    # -- what is there --
    def load(self, rows: Sequence[Row]) -> None:
        store = self.store
        slugs = {row.product for row in rows}
        found = Product.objects.select_for_update().filter(store=store, slug__in=slugs).order_by("pk")
        products = writing.rows_of(found, without=("document", "detail_document"))
        self.products = {product.slug: product for product in products}
        self.by_id = {product.pk: product for product in self.products.values()}
        ids = list(self.by_id)
        variants = Variant.objects.filter(product__in=ids).order_by("sort_order", "created_at", "pk")
        unread = ("document", "item_document", "line_document", "own_attributes")
        self.variants = _by(writing.rows_of(variants, without=unread))
        every = [variant.pk for variants in self.variants.values() for variant in variants]
        wanted = {row.variant_fields["sku"] for row in rows if row.variant_fields.get("sku")}
        taken = Variant.objects.filter(store=store, sku__in=wanted)
        self.skus = dict(taken.values_list("sku", "pk"))
        stocks = Stock.objects.filter(variant__in=every).order_by("pk")
        if any(row.stock or row.places for row in rows):
            stocks = stocks.select_for_update()
        self.stocks = {stock.variant_id: stock for stock in writing.rows_of(stocks)}
        if any(row.places or "backorder" in row.stock for row in rows):
            for pk, name, is_default in StockLocation.objects.filter(store=store).values_list(
                "pk", "name", "is_default"
            ):
                self.locations[name] = pk
                if is_default:
                    self.locations[""] = pk
            for place in writing.rows_of(LocationStock.objects.filter(variant__in=every)):
                self.places.setdefault(place.variant_id, {})[place.location_id] = place
        if any(row.prices for row in rows):
            self.groups = {group.slug: group for group in CustomerGroup.objects.filter(store=store)}
            prices = writing.rows_of(Price.objects.filter(variant__in=every))
            self.prices = {(price.variant_id, price.group_id): price for price in prices}
        self.details.load(rows, ids)
        if any(row.options or row.facts for row in rows):
            choices = AttributeChoice.objects.filter(store=store, name__in=_named_choices(rows))
            self.choices.update({(choice.attribute_id, choice.name): choice for choice in choices})
        if any(row.options for row in rows):
            attributes = Attribute.objects.filter(store=store, type__in=Attribute.OF_VARIANTS)
            self.attributes = {attribute.key: attribute for attribute in attributes}
            chosen = VariantChoice.objects.filter(variant__in=every)
            self.options = {(option.variant_id, option.attribute_id): option for option in chosen}
        if any("brand" in row.related for row in rows):
            for brand in Brand.objects.filter(store=store).order_by("-pk"):
                self.brands[brand.name] = self.brands[f"#{brand.slug}"] = brand
        if any("categories" in row.related for row in rows):
            self._load_categories(ids)
        if any("images" in row.related for row in rows):
            images = ProductImage.objects.filter(product__in=ids).exclude(url="")
            self.images = _by(writing.rows_of(images.order_by("sort_order", "created_at", "pk")))

    def _load_categories(self, product_ids: Collection[str]) -> None:
        paths = category_paths(store=self.store)
        for pk, path in sorted(paths.items(), reverse=True):
            self.categories[path] = pk
        for pk, slug in Category.objects.filter(store=self.store).values_list("pk", "slug"):
            self.categories[(f"#{slug}",)] = pk
            self.category_slugs.add(slug)
        placings = ProductCategory.objects.filter(product__in=product_ids).order_by("sort_order", "pk")
        for product_id, category_id in placings.values_list("product_id", "category_id"):
            self.placings.setdefault(product_id, []).append(category_id)

    # -- one row --
    def take(self, row: Row) -> None:
        """Checks the whole row before anything of it is noted, so that a bad one leaves no trace."""
        try:
            product, variant = self._find(row)
            self._check(row, product, variant)
            self.details.check(row, product)
        except BadCell as error:
            self.outcome.problems.append(Problem(row.number, error.column, error.message, row.product))
            return
        made = variant is None
        before = self._noted()
        if product is None:
            product = self._new_product(row)
        touched = self._take_product(product, row)
        if variant is None:
            variant = self._new_variant(product, row)
        touched |= self._take_variant(product, variant, row) or made
        touched |= self.details.take(row, product, variant)
        self.details.made(product, variant)
        if touched:
            self.touched.add(product.pk)
        if made:
            self.outcome.created += 1
        elif touched or self._noted() != before:
            self.outcome.changed += 1
        else:
            self.outcome.unchanged += 1

    def _noted(self) -> tuple[int, ...]:
        return (len(self.movements), len(self.repriced), sum(len(rows) for rows in self.updated.values()))

    def _find(self, row: Row) -> tuple[Product | None, Variant | None]:
        product = self.products.get(row.product)
        if product is None:
            if row.product in RESERVED_SLUGS:
                raise BadCell(_("This word is part of the API's own addresses."), "product")
            if not row.product_fields.get("name"):
                raise BadCell(_("A new product needs a name."), "name")
            return None, None
        variants = self.variants.get(product.pk, [])
        if not row.variant:
            if any(not variant.is_standalone for variant in variants):
                raise BadCell(_("This product is sold by its variants: name one of them."), "variant")
            return product, next(iter(variants), None)
        named = [variant for variant in variants if not variant.is_standalone]
        return product, next((variant for variant in named if row.variant in {variant.slug, variant.pk}), None)

    def _check(self, row: Row, product: Product | None, variant: Variant | None) -> None:
        if "name" in row.product_fields and not row.product_fields["name"].strip():
            raise BadCell(_("A product needs a name."), "name")
        sku = row.variant_fields.get("sku")
        if sku and sku in self.skus and (variant is None or self.skus[sku] != variant.pk):
            raise BadCell(_("Another product has this SKU."), "sku")
        for path in row.related.get("categories", ()):
            if path[0].startswith("#") and path not in self.categories:
                raise BadCell(_("There is no category with this slug."), "categories")
        brand = row.related.get("brand", "")
        if brand.startswith("#") and brand not in self.brands:
            raise BadCell(_("There is no brand with this slug."), "brand")
        if row.options and not row.variant:
            raise BadCell(_("Only variants have options: name one."), "variant")
        for key, (name, code) in row.options.items():
            if key not in self.attributes:
                raise BadCell(_("There is no such option."), f"option:{key}")
            attribute = self.attributes[key]
            new = (attribute.pk, name) not in self.choices
            if new and attribute.type == Attribute.Type.COLOR and not code:
                raise BadCell(_("A new colour needs its code, such as Indigo #27408B."), f"option:{key}")
        self._check_stock(row, self.stocks.get(variant.pk) if variant else None)
        for slug, fields in row.prices.items():
            if slug not in self.groups:
                raise BadCell(_("There is no such customer group."), f"price:{slug}")
            known = self.prices.get((variant.pk, self.groups[slug].pk)) if variant else None
            self._check_price(slug, fields, known)

    def _check_stock(self, row: Row, stock: Stock | None) -> None:
        for name in row.places:
            if name not in self.locations:
                raise BadCell(_("There is no such location."), f"on_hand:{name}")
        if sum(row.places.values()) + (stock.on_hand if stock else 0) >= 2**31:
            raise BadCell(_("That is more than a stock can hold."), "on_hand")
        if stock is None or not (row.places or "backorder" in row.stock):
            return
        if row.stock.get("backorder", stock.backorder):
            return
        units = {self.locations[name]: (name, count) for name, count in row.places.items()}
        for location_id, place in self.places.get(stock.variant_id, {}).items():
            name, count = units.get(location_id, ("", place.on_hand))
            if count < place.reserved:
                raise BadCell(_("Orders have reserved more than that."), f"on_hand:{name}" if name else "on_hand")

    def _check_price(self, group: str, fields: dict[str, Any] | None, known: Price | None) -> None:
        if fields is None:
            return
        if known is None and "selling_price" not in fields:
            raise BadCell(_("A new price needs an amount."), f"price:{group}")
        least = fields.get("min_quantity", known.min_quantity if known else 1)
        most = fields.get("max_quantity", known.max_quantity if known else None)
        if most is not None and most < least:
            raise BadCell(_("Must not be below the smallest quantity."), f"max_quantity:{group}")

    # -- what it changes --
    def _set(self, model: type[Any], row: Any, fields: dict[str, Any]) -> bool:
        """Notes what is different. True when anything is."""
        different = {name: value for name, value in fields.items() if getattr(row, name) != value}
        for name, value in different.items():
            setattr(row, name, value)
        if different and not row._state.adding:
            self.updated[model][row.pk] = row
        return bool(different)

    def _new_product(self, row: Row) -> Product:
        product = writing.blank(Product, store_id=self.store.pk, slug=row.product, name=row.product_fields["name"])
        product.pk = self.fetched.ids.get(row.product, product.pk)  # its pictures lie in its folder already
        self.products[row.product] = self.by_id[product.pk] = product
        self.new[Product].append(product)
        return product

    def _take_product(self, product: Product, row: Row) -> bool:
        fields = dict(row.product_fields)
        if "brand" in row.related:
            fields["brand_id"] = self._brand(row.related["brand"])
        touched = self._set(Product, product, fields)
        if "categories" in row.related:
            wanted = list(dict.fromkeys(self._category(path) for path in row.related["categories"]))
            if wanted != self.placings.get(product.pk, []):
                self.placings[product.pk] = self.replaced[product.pk] = wanted
                touched = True
        if "images" in row.related:
            touched |= self._take_images(product, row.related["images"])
        return touched

    def _brand(self, name: str) -> str | None:
        if not name:
            return None
        if name not in self.brands:
            taken = {key[1:] for key in self.brands if key.startswith("#")}
            brand = Brand(store=self.store, name=name, slug=_free(name, taken))
            self.brands[name] = self.brands[f"#{brand.slug}"] = brand
            self.new[Brand].append(brand)
        return self.brands[name].pk

    def _category(self, path: tuple[str, ...]) -> str:
        if path not in self.categories:
            parent = self._category(path[:-1]) if len(path) > 1 else None
            category = Category(
                store=self.store, parent_id=parent, name=path[-1], slug=_free(path[-1], self.category_slugs)
            )
            self.categories[path] = category.pk
            self.category_slugs.add(category.slug)
            self.new[Category].append(category)
        return self.categories[path]

    def _take_images(self, product: Product, addresses: list[str]) -> bool:
        images = self.images.setdefault(product.pk, [])
        if [image.url for image in images] == addresses:
            return False
        known = {image.url: image for image in images}
        kept = []
        for place, address in enumerate(addresses):
            image = known.pop(address, None)
            if image is None:
                fields = {"store_id": self.store.pk, "product_id": product.pk}
                image = writing.blank(ProductImage, **fields, url=address, sort_order=place)
                self.new[ProductImage].append(image)
            else:
                self._set(ProductImage, image, {"sort_order": place})
            kept.append(image)
        if known:
            dropped = {image.pk for image in known.values()}
            self.removed[ProductImage] |= dropped
            self.new[ProductImage] = [row for row in self.new[ProductImage] if row.pk not in dropped]
        self.images[product.pk] = kept
        return True

    def _new_variant(self, product: Product, row: Row) -> Variant:
        variants = self.variants.setdefault(product.pk, [])
        if row.variant:
            order = len([variant for variant in variants if not variant.is_standalone])
            fields = {"store_id": self.store.pk, "product_id": product.pk}
            variant = writing.blank(Variant, **fields, slug=row.variant, sort_order=order)
        else:
            variant = services.standalone(product)
        variants.append(variant)
        self.new[Variant].append(variant)
        return variant

    def _take_variant(self, product: Product, variant: Variant, row: Row) -> bool:
        touched = False
        if row.variant_fields.get("is_default"):
            for other in self.variants[product.pk]:
                if other is not variant and other.is_default:
                    other.is_default = False
                    if not other._state.adding:
                        self.updated[Variant][other.pk] = other
                        self.undefault.add(other.pk)
                    touched = True
        touched |= self._set(Variant, variant, row.variant_fields)
        if row.variant_fields.get("sku"):
            self.skus[row.variant_fields["sku"]] = variant.pk
        for key, (name, code) in row.options.items():
            touched |= self._take_option(variant, self.attributes[key], name, code)
        self._take_stock(product, variant, row.stock, row.places)
        for slug, fields in row.prices.items():
            touched |= self._take_price(variant, self.groups[slug], fields)
        return touched

    def _take_option(self, variant: Variant, attribute: Attribute, name: str, code: str) -> bool:
        choice = self.choices.get((attribute.pk, name))
        if choice is None:
            choice = AttributeChoice(store=self.store, attribute=attribute, name=name, hexcode=code)
            self.choices[attribute.pk, name] = choice
            self.new[AttributeChoice].append(choice)
        option = self.options.get((variant.pk, attribute.pk))
        if option is None:
            option = VariantChoice(store=self.store, variant=variant, attribute=attribute, choice=choice)
            self.options[variant.pk, attribute.pk] = option
            self.new[VariantChoice].append(option)
            return True
        if option.choice_id == choice.pk:
            return False
        option.choice = choice
        if option.pk is not None:
            self.updated[VariantChoice][option.pk] = option
        return True

    def _take_stock(self, product: Product, variant: Variant, fields: dict[str, Any], places: dict[str, int]) -> None:
        """Stock is read live: a change of it needs no publishing."""
        stock = self.stocks.get(variant.pk)
        if stock is None:
            tracked = product.type == Product.Type.PHYSICAL
            stock = writing.blank(Stock, store_id=self.store.pk, variant_id=variant.pk, tracked=tracked)
            self.stocks[variant.pk] = stock
            self.new[Stock].append(stock)
        if fields.get("backorder", stock.backorder) != stock.backorder:
            for place in self.places.get(variant.pk, {}).values():
                self._set(LocationStock, place, {"backorder": fields["backorder"]})
        self._set(Stock, stock, fields)
        for name, units in places.items():
            self._count(variant, stock, self.locations[name], units)

    def _count(self, variant: Variant, stock: Stock, location_id: str, units: int) -> None:
        """Sets what lies at one location; the sum follows."""
        places = self.places.setdefault(variant.pk, {})
        place = places.get(location_id)
        delta = units - (place.on_hand if place else 0)
        if not delta:
            return
        if place is None:
            fields = {"store_id": self.store.pk, "variant_id": variant.pk, "location_id": location_id}
            place = writing.blank(LocationStock, **fields, backorder=stock.backorder)
            places[location_id] = place
            self.new[LocationStock].append(place)
        self._set(LocationStock, place, {"on_hand": units})
        self._set(Stock, stock, {"on_hand": stock.on_hand + delta})
        if delta > 0 and stock.reserved > 0:
            self.arrived.append((variant.pk, location_id))
        self.movements.append(
            writing.blank(
                StockMovement,
                store_id=self.store.pk,
                variant_id=variant.pk,
                location_id=location_id,
                delta=delta,
                on_hand=units,
                reason=Reason.IMPORTED,
                made_by=self.made_by[:150],
            )
        )

    def _take_price(self, variant: Variant, group: CustomerGroup, fields: dict[str, Any] | None) -> bool:
        key = (variant.pk, group.pk)
        price = self.prices.get(key)
        if fields is None:
            if price is None:
                return False
            del self.prices[key]
            if price._state.adding:
                self.new[Price] = [row for row in self.new[Price] if row is not price]
            else:
                self.updated[Price].pop(price.pk, None)
                self.removed[Price].add(price.pk)
            return True
        if price is None:
            fields = {"listing_price": fields["selling_price"], **fields}
            price = writing.blank(Price, store_id=self.store.pk, variant_id=variant.pk, group_id=group.pk, **fields)
            self.prices[key] = price
            self.new[Price].append(price)
            return True
        if self._set(Price, price, fields):
            self.repriced.append(variant.product_id)
        return False

    # -- writing --
    def fill(self) -> None:
        """Gives new products their documents, from what they are made of here: nothing of them is stored elsewhere."""
        if not self.new[Product]:
            return
        options: defaultdict[str, list[tuple[Attribute, AttributeChoice]]] = defaultdict(list)
        for option in self.new[VariantChoice]:
            options[option.variant_id].append((option.attribute, option.choice))
        facts = self.details.facts_of_new()
        priced = {variant_id for variant_id, _group in self.prices}
        for product in self.new[Product]:
            images = [*self.images.get(product.pk, ()), *self.details.pictures.get(product.pk, ())]
            parts = Parts(
                product=product,
                variants=sorted(self.variants[product.pk], key=lambda row: (row.sort_order, row.created_at, row.pk)),
                options=options,
                facts=[Fact(*fact) for fact in facts.get(product.pk, ())],
                images=sorted(images, key=lambda row: (row.sort_order, row.created_at, row.pk)),
                shown_by={},
                category_ids=self.placings.get(product.pk, ()),
                links=(),
                videos=(),
                plans=(),
                priced=priced,
            )
            services.fill(parts)

    def publish(self) -> None:
        changes.note(store_id=self.store.pk)  # stock is not published
        new = {product.pk for product in self.new[Product]}
        told = self.touched.union(self.repriced)
        if told:
            services.publish(store=self.store, product_ids=told, recount=False, ready=new | (told - self.touched))

    def write(self) -> None:
        """Parents before their branches; what stands in the way of a constraint first."""
        now = timezone.now()
        for model, removed in self.removed.items():
            if removed:
                model._default_manager.filter(store=self.store, pk__in=removed).delete()
        if self.undefault:
            Variant.objects.filter(store=self.store, pk__in=self.undefault).update(is_default=False)
        for model in (Brand, Category, AttributeChoice, Product):
            writing.insert(self.new[model])
        self._update(Product, [*_PRODUCT_FIELDS, "brand_id"], now)
        # A sku may pass from one row to another: it is freed before it is given.
        self._update(Variant, ["sku", "name", "weight", "active", "is_default", "sort_order"], now)
        for model in (Variant, ProductImage, VariantChoice, Stock, LocationStock, Price):
            writing.insert(self.new[model])
        self._update(ProductImage, ["sort_order"], None)
        self._update(VariantChoice, ["choice_id"], None)
        self._update(Stock, ["tracked", "on_hand", "backorder"], now)
        self._update(LocationStock, ["on_hand", "backorder"], now)
        self._update(Price, _PRICE_FIELDS, now)
        writing.insert(self.movements)
        if self.arrived:
            stock.arrived(store_id=self.store.pk, places=self.arrived)
        if self.replaced:
            ProductCategory.objects.filter(product__in=list(self.replaced)).delete()
            writing.insert(
                [
                    writing.blank(
                        ProductCategory,
                        store_id=self.store.pk,
                        product_id=product_id,
                        category_id=category_id,
                        sort_order=place,
                    )
                    for product_id, categories in self.replaced.items()
                    for place, category_id in enumerate(categories)
                ]
            )
        self.details.write()

    def _update(self, model: type[Any], columns: list[str], now: Any) -> None:
        rows = list(self.updated[model].values())
        if not rows:
            return
        if now is not None:
            columns = [*columns, "modified_at"]
            for row in rows:
                row.modified_at = now
        fields = [model._meta.get_field(column.removesuffix("_id")) for column in columns]
        writing.update(
            store=self.store,
            model=model,
            columns=columns,
            rows=[
                [*(field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields), row.pk]
                for row in rows
            ],
        )


_PRODUCT_FIELDS = [
    "name", "type", "active", "short_description", "description", "tags", "hsn_code", "weight", "seo_title",
    "seo_description", "seo_keywords",
]  # fmt: skip
_PRICE_FIELDS = [
    "selling_price", "listing_price", "cost_price", "price_including_tax", "tax_rate", "min_quantity", "max_quantity",
    "step", "handling_charge", "handling_tax_rate",
]  # fmt: skip


def category_paths(*, store: Store) -> dict[str, tuple[str, ...]]:
    """The names from the root down to each category. One query."""
    rows = {
        pk: (parent, name)
        for pk, parent, name in Category.objects.filter(store=store).values_list("pk", "parent_id", "name")
    }
    found: dict[str, tuple[str, ...]] = {}
    for pk in rows:
        path: list[str] = []
        at: str | None = pk
        while at in rows and len(path) < 50:
            parent, name = rows[at]
            path.insert(0, name)
            at = parent
        found[pk] = tuple(path)
    return found


def _named_choices(rows: Iterable[Row]) -> set[str]:
    """The names of entries that these rows may speak of."""
    found = {name for row in rows for name, _code in row.options.values()}
    for row in rows:
        for cell in row.facts.values():
            for entry in split(cell) if cell != CLEAR else ():
                with suppress(BadCell):  # a text that is too long for an entry, and perhaps none
                    found.add(colour(entry)[0])
    return found


def _by(rows: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.product_id, []).append(row)
    return found


def _free(name: str, taken: set[str]) -> str:
    base = slugify(name)[:100] or "item"
    slug, number = base, 2
    while slug in taken:
        slug, number = f"{base}-{number}", number + 1
    taken.add(slug)
    return slug
