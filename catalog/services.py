"""Writes: whoever changes what shoppers see of a product calls `publish` for it, in the same transaction."""
# ruff: noqa: S608 -- what is formatted into statements is names of tables and columns, never a value

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from storefront import events
from storefront.models import CustomerGroup, Store

from . import changes, documents, images, selectors, stock, writing
from .documents import Fact, Parts, ProductDocuments, VariantDocuments
from .models import (
    Attribute,
    AttributeChoice,
    Category,
    Price,
    Product,
    ProductAttribute,
    ProductCategory,
    ProductImage,
    ProductLink,
    ProductVideo,
    Stock,
    SubscriptionPlan,
    Variant,
    VariantChoice,
)

CHUNK = 500


@transaction.atomic
def publish(
    *, store: Store, product_ids: Iterable[str], recount: bool = True, ready: Collection[str] = frozenset()
) -> None:
    """Rewrites what is stored ready for output of these products: documents, visibility, category counts.

    Also gives a product without variants its standalone one, and every variant a stock row. Locks the products in id
    order, so that of two publishers the later one sees what the earlier one committed. Safe to repeat; rows that come
    out the same are not written. Under twenty queries for each 500 products. `recount` False leaves the counts to a
    later `recount_categories`. `ready` are products whose documents the caller knows to be right: new ones that `fill`
    has seen, and those of which only amounts of prices changed. Of them only the listeners are told.
    """
    ids = sorted(set(product_ids))
    stale = [pk for pk in ids if pk not in ready]
    moved: set[str] = set()
    for start in range(0, len(stale), CHUNK):
        moved |= _publish(store, stale[start : start + CHUNK])
    if ids:
        changes.note(store_id=store.pk)
    events.send("catalog.published", store=store, product_ids=ids)
    if recount and moved:
        recount_categories(store=store, category_ids=moved)


def fill(parts: Parts) -> None:
    """Gives an unsaved product and its unsaved variants their documents, so that they are written once, and complete.

    The caller inserts them, each variant with its stock, and names them to `publish` as `ready`. Asks nothing.
    """
    product = parts.product
    found, variants = documents.build(parts)
    product.visible, product.category_ids = found.visible, found.category_ids
    product.document, product.detail_document = found.document, found.detail_document
    for variant in parts.variants:
        of_variant = variants[variant.pk]
        variant.visible, variant.own_attributes = of_variant.visible, of_variant.own_attributes
        variant.document, variant.item_document = of_variant.document, of_variant.item_document
        variant.line_document = of_variant.line_document


def _publish(store: Store, product_ids: Collection[str]) -> set[str]:
    """Publishes one chunk. Returns the categories whose counts it may have changed."""
    locked = Product.objects.select_for_update().filter(store=store, pk__in=product_ids).order_by("pk")
    products = {product.pk: product for product in locked}
    _complete(store, products.values())
    product_rows: list[tuple[Any, ...]] = []
    variant_rows: list[tuple[Any, ...]] = []
    moved: set[str] = set()
    for parts in _load(store, products):
        product = parts.product
        new, variants = documents.build(parts)
        old = ProductDocuments(product.visible, product.category_ids, product.document, product.detail_document)
        if new != old:
            product_rows.append((new.visible, new.category_ids, new.document, new.detail_document, product.pk))
            if (old.visible, old.category_ids) != (new.visible, new.category_ids):
                moved |= {*old.category_ids.split(), *new.category_ids.split()}
        for variant in parts.variants:
            fresh = variants[variant.pk]
            stored = VariantDocuments(
                variant.visible,
                variant.document,
                variant.item_document,
                variant.line_document,
                variant.own_attributes,
            )
            if fresh != stored:
                variant_rows.append(
                    (
                        fresh.visible,
                        fresh.document,
                        fresh.item_document,
                        fresh.line_document,
                        fresh.own_attributes,
                        variant.pk,
                    )
                )
    of_product = ("visible", "category_ids", "document", "detail_document")
    of_variants = ("visible", "document", "item_document", "line_document", "own_attributes")
    writing.update(store=store, model=Product, columns=of_product, rows=product_rows)
    writing.update(store=store, model=Variant, columns=of_variants, rows=variant_rows)
    return moved


def _load(store: Store, products: Mapping[str, Product]) -> Iterable[Parts]:
    """Everything that documents are made of: thirteen queries. Links between rows are read as keys, and each attribute and
    choice once, for thousands of rows name the same few."""
    variants = _by(
        Variant.objects.filter(product__in=products).order_by("sort_order", "created_at", "pk"),
        lambda variant: variant.product_id,
    )
    options = VariantChoice.objects.filter(variant__product__in=products).values_list(
        "variant_id", "attribute_id", "choice_id"
    )
    facts = list(
        ProductAttribute.objects.filter(product__in=products)
        .order_by("sort_order", "pk")
        .values_list("pk", "product_id", "variant_id", "attribute_id", "value")
    )
    chosen = _by(
        ProductAttribute.choices.through.objects.filter(productattribute__product__in=products)
        .order_by("attributechoice__sort_order", "attributechoice__name")
        .values_list("productattribute_id", "attributechoice_id"),
        lambda row: row[0],
    )
    attributes = Attribute.objects.in_bulk({row[1] for row in options} | {row[3] for row in facts})
    choices = AttributeChoice.objects.in_bulk(
        {row[2] for row in options} | {row[1] for rows in chosen.values() for row in rows}
    )
    images_of = _by(
        ProductImage.objects.filter(product__in=products).order_by("sort_order", "created_at", "pk"),
        lambda image: image.product_id,
    )
    shown_by: defaultdict[str, set[str]] = defaultdict(set)
    tied = ProductImage.variants.through.objects.filter(productimage__product__in=products)
    for image_id, variant_id in tied.values_list("productimage_id", "variant_id"):
        shown_by[image_id].add(variant_id)
    placings = _by(
        ProductCategory.objects.filter(product__in=products)
        .order_by("sort_order", "pk")
        .values_list("product_id", "category_id"),
        lambda row: row[0],
    )
    links = _by(
        ProductLink.objects.filter(product__in=products)
        .order_by("sort_order", "pk")
        .values_list("product_id", "kind", "target_id"),
        lambda row: row[0],
    )
    videos = _by(ProductVideo.objects.filter(product__in=products), lambda video: video.product_id)
    plans = _by(SubscriptionPlan.objects.filter(product__in=products), lambda plan: plan.product_id)
    priced = set(Price.objects.filter(store=store, variant__product__in=products).values_list("variant_id", flat=True))
    options_of = _by(
        ((variant_id, attributes[attribute_id], choices[choice_id]) for variant_id, attribute_id, choice_id in options),
        lambda row: row[0],
    )
    facts_of = _by(facts, lambda row: row[1])
    for pk, product in products.items():
        yield Parts(
            product=product,
            variants=variants.get(pk, ()),
            options={
                variant.pk: [row[1:] for row in options_of.get(variant.pk, ())] for variant in variants.get(pk, ())
            },
            facts=[
                Fact(variant_id, attributes[attribute_id], value, [choices[row[1]] for row in chosen.get(fact_id, ())])
                for fact_id, _product_id, variant_id, attribute_id, value in facts_of.get(pk, ())
            ],
            images=images_of.get(pk, ()),
            shown_by=shown_by,
            category_ids=[row[1] for row in placings.get(pk, ())],
            links=[row[1:] for row in links.get(pk, ())],
            videos=videos.get(pk, ()),
            plans=plans.get(pk, ()),
            priced=priced,
        )


def _by(rows: Iterable[Any], key: Callable[[Any], str]) -> dict[str, list[Any]]:
    """The rows grouped by a key, in their order."""
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def _complete(store: Store, products: Collection[Product]) -> None:
    """Gives products and variants the rows that every one of them has."""
    having = set(Variant.objects.filter(product__in=products).values_list("product_id", flat=True))
    Variant.objects.bulk_create(
        [standalone(product) for product in products if product.pk not in having], ignore_conflicts=True
    )
    bare = Variant.objects.filter(product__in=products, stock__isnull=True).values_list("pk", "product__type")
    Stock.objects.bulk_create(
        [Stock(store=store, variant_id=pk, tracked=kind == Product.Type.PHYSICAL) for pk, kind in bare],
        ignore_conflicts=True,
    )


def standalone(product: Product, **fields: Any) -> Variant:
    """The unsaved only variant of a product that does not vary. It has the product's id, and so its own sku."""
    values = {"id": product.pk, "product_id": product.pk, "store_id": product.store_id, "is_standalone": True}
    variant = writing.blank(Variant, **values, **fields)
    variant.product = product
    return variant


@transaction.atomic
def recount_categories(*, store: Store, category_ids: Collection[str] | None = None) -> None:
    """Counts the visible products of these categories and those above them (None: of all) anew.

    Locks them in id order, so that a count never misses a product that another transaction has just committed.
    """
    table, parents = Category._meta.db_table, dict(Category.objects.filter(store=store).values_list("pk", "parent_id"))
    wanted: set[str] = set()
    for pk in parents if category_ids is None else category_ids:
        above: str | None = pk
        while above in parents and above not in wanted:
            wanted.add(above)
            above = parents[above]
    if wanted:
        locked = list(
            Category.objects.select_for_update(no_key=True)  # whoever places a product in one need not wait
            .filter(store=store, pk__in=wanted)
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        marks = ",".join(["%s"] * len(locked))
        with connection.cursor() as cursor:
            cursor.execute(
                f"""WITH RECURSIVE below(root, id) AS (
                        SELECT id, id FROM {table} WHERE id IN ({marks}) AND active = TRUE
                        UNION
                        SELECT b.root, c.id FROM {table} c JOIN below b ON c.parent_id = b.id WHERE c.active = TRUE)
                    SELECT b.root, COUNT(DISTINCT g.product_id) FROM below b
                    JOIN {selectors.PLACING} g ON g.category_id = b.id
                    JOIN {selectors.PRODUCT} p ON p.id = g.product_id AND p.visible = TRUE
                    GROUP BY b.root""",
                locked,
            )
            counts = dict(cursor.fetchall())
            cursor.executemany(
                f"UPDATE {table} SET product_count = %s WHERE id = %s", [(counts.get(pk, 0), pk) for pk in locked]
            )
    changes.note(store_id=store.pk)
    transaction.on_commit(partial(selectors.forget_tree, store_id=store.pk))


@transaction.atomic
def attribute_changed(*, store: Store, attribute_id: str) -> None:
    """After an attribute or one of its choices was renamed or reordered: republishes whatever names it."""
    ids = Product.objects.filter(store=store).filter(
        Q(facts__attribute=attribute_id) | Q(variants__options__attribute=attribute_id)
    )
    publish(store=store, product_ids=list(ids.values_list("pk", flat=True).distinct()), recount=False)


@transaction.atomic
def category_changed(*, store: Store, category_id: str) -> None:
    """After a category was renamed, moved, closed or opened: tells who keeps the names of a product's categories.

    What the API shows of categories is read live, so nothing is published anew.
    """
    ids = _in_branch(store, category_id).values_list("pk", flat=True)
    events.send("catalog.published", store=store, product_ids=list(ids))


@transaction.atomic
def lock_branch(*, store: Store, category_id: str) -> list[str]:
    """Locks the products in a category and below it, then all categories, and returns the ids of the products.

    For whoever is about to change or delete a category, before anything else: publishing locks in this order, and
    counting afterwards locks other categories too, so each would come to wait for the other.
    """
    products = _in_branch(store, category_id).select_for_update(no_key=True).order_by("pk")
    ids = list(products.values_list("pk", flat=True))
    list(Category.objects.select_for_update(no_key=True).filter(store=store).order_by("pk").values_list("pk"))
    return ids


def _in_branch(store: Store, category_id: str) -> QuerySet[Product]:
    """The products in a category and below it; asks for the tree."""
    parents = dict(Category.objects.filter(store=store).values_list("pk", "parent_id"))
    below = {category_id}
    while found := {pk for pk, parent in parents.items() if parent in below and pk not in below}:
        below |= found
    placings = ProductCategory.objects.filter(store=store, category__in=below)
    return Product.objects.filter(store=store, pk__in=placings.values("product"))


@transaction.atomic
def brand_changed(*, store: Store, brand_id: str) -> None:
    """After a brand was renamed, hidden or shown again: tells who keeps the name."""
    ids = Product.objects.filter(store=store, brand=brand_id).values_list("pk", flat=True)
    events.send("catalog.published", store=store, product_ids=list(ids))


@transaction.atomic
def delete_product(*, store: Store, product: Product) -> None:
    """Deletes a product with its variants, prices and stock. Raises RestrictedError while a bundle holds it."""
    categories = product.category_ids.split()
    ids = Variant.objects.filter(store=store, product=product).values_list("pk", flat=True)
    stock.lock(store_id=store.pk, variant_ids=list(ids))  # in order, before the rows below it go
    for image in product.images.all():
        _drop_files(store, image)
    events.send("catalog.deleting", store=store, product_ids=[product.pk])
    Product.objects.filter(store=store, pk=product.pk).delete()
    events.send("catalog.published", store=store, product_ids=[product.pk])
    recount_categories(store=store, category_ids=categories)


def set_price(*, store: Store, variant: Variant, group: CustomerGroup, **fields: Any) -> Price:
    """The price of a variant for a group, made or changed. The caller publishes."""
    price, _created = Price.objects.update_or_create(store=store, variant=variant, group=group, defaults=fields)
    changes.note(store_id=store.pk)
    return price


def set_stock(*, store: Store, variant: Variant, made_by: str = "", **fields: Any) -> None:
    """Changes what is named of a variant's stock, and never what orders have reserved meanwhile; see `stock.change`."""
    stock.change(store=store, variant=variant, made_by=made_by, **fields)


def replace_picture(*, store: Store, image: ProductImage, picture: images.Picture) -> None:
    """Another file behind the same row, which the caller saves and publishes."""
    _drop_files(store, image)
    image.renditions = images.save(picture, folder=_folder(store, image.product))
    image.url = ""


def delete_image(*, store: Store, image: ProductImage) -> None:
    """Deletes a picture, and after commit its files. The caller publishes."""
    _drop_files(store, image)
    ProductImage.objects.filter(store=store, pk=image.pk).delete()


def _folder(store: Store, product: Product) -> str:
    return f"catalog/{store.pk}/{product.pk}"


def _drop_files(store: Store, image: ProductImage) -> None:
    """Those in the product's own folder; others are shared, such as the demo's."""
    own = [name for name in set(image.renditions.values()) if name.startswith(_folder(store, image.product) + "/")]
    if own:
        transaction.on_commit(partial(images.remove, own))
