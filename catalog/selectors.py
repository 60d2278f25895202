"""Reads. Those of the API are written in SQL: at 20 products, building the same statements through the ORM costs more
processor time than running them. They use nothing that PostgreSQL and SQLite do not share, and every one names the store.
"""
# ruff: noqa: S608 -- what is formatted into statements is table names and counted placeholders, never a value

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import connection

from storefront.conf import conf
from storefront.models import Store
from storefront.query import Page
from storefront.selectors import ShortMemory

from . import paging
from .models import BundleItem, Category, Lot, Price, Product, ProductCategory, Stock, Variant
from .places import LocationStock
from .search import words

Row = tuple[Any, ...]

PRODUCT = Product._meta.db_table
PLACING = ProductCategory._meta.db_table
VARIANT = Variant._meta.db_table
PRICE = Price._meta.db_table
STOCK = Stock._meta.db_table
LOT = Lot._meta.db_table
PLACE = LocationStock._meta.db_table
COMPONENT = BundleItem._meta.db_table

# What is left of a bundle: of its scarcest component, which counts as none when it is not sold any more.
_BUNDLE_LEFT = f"""(
    SELECT MIN(CASE WHEN cv.visible = FALSE THEN 0
                    WHEN cs.tracked = FALSE OR cs.backorder = TRUE THEN NULL
                    ELSE (cs.on_hand - cs.reserved) / c.quantity END)
    FROM {COMPONENT} c JOIN {VARIANT} cv ON cv.id = c.component_id JOIN {STOCK} cs ON cs.variant_id = cv.id
    WHERE c.bundle_id = v.product_id)"""
# The columns of an Offer, in its order; see `offer_joins`.
_OFFER = f"""
    CASE WHEN s.tracked = FALSE THEN NULL ELSE COALESCE(s.on_hand - s.reserved, 0) END, s.backorder, {_BUNDLE_LEFT},
    pr.listing_price, pr.selling_price, pr.tax_rate, pr.price_including_tax, pr.min_quantity, pr.max_quantity, pr.step,
    pr.handling_charge, pr.handling_tax_rate"""
SORT_FIELDS = {"created_at": "created_at", "modified_at": "modified_at", "name": "name", "slug": "slug"}
NEWEST = (("created_at", True),)


def _fetch(sql: str, parameters: Sequence[Any]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()  # type: ignore[no-any-return]


def _marks(values: Collection[Any]) -> str:
    return ",".join(["%s"] * len(values))


def _of_store(alias: str) -> str:
    """The store of rows that are found by their keys. In this form SQLite does not walk an index of the whole store."""
    return f"({alias}.store_id = %s) IS TRUE"


def _offer_joins(group_ids: Sequence[str]) -> str:
    """Joins `v` with its stock and its one price: of the first group of `group_ids` that has one, else the highest."""
    ranks = " ".join(f"WHEN %s THEN {rank}" for rank in range(len(group_ids)))
    order = f"CASE q.group_id {ranks} ELSE {len(group_ids)} END, " if group_ids else ""
    return f"""
        LEFT JOIN {PRICE} pr ON pr.id = (
            SELECT q.id FROM {PRICE} q WHERE q.variant_id = v.id ORDER BY {order}q.selling_price DESC, q.id LIMIT 1)
        LEFT JOIN {STOCK} s ON s.variant_id = v.id"""


# --- categories -----------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class Branch:
    """A category as readers see it; `document` is the API's `Category`."""

    id: str
    slug: str
    parent_id: str | None
    name: str
    sort_key: tuple[Any, ...]
    created_at: Any
    fields: dict[str, Any]
    document: str
    level: int = 1
    children: list[Branch] = field(default_factory=list)

    def with_below(self) -> Iterable[Branch]:
        """This branch and all below it, in the order of the tree."""
        waiting = [self]
        while waiting:
            branch = waiting.pop()
            yield branch
            waiting += reversed(branch.children)

    def sort_value(self, name: str) -> Any:
        if name == "created_at":
            return self.created_at
        if name == "sort_order":
            return self.sort_key
        value = self.fields[name]
        return value.casefold() if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Tree:
    """The active categories whose every ancestor is active too, in the order of the tree."""

    by_id: dict[str, Branch]
    by_slug: dict[str, Branch]
    _above: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by space-separated ids; few differ in a shop

    def ids_below(self, *, ids: Iterable[str], slugs: Iterable[str]) -> list[str]:
        """The ids of these categories and of all below them; unknown ones name nothing."""
        named = [*(self.by_id.get(pk) for pk in ids), *(self.by_slug.get(slug) for slug in slugs)]
        return list(dict.fromkeys(below.id for branch in named if branch for below in branch.with_below()))

    def with_above(self, category_ids: str) -> tuple[str, ...]:
        """These categories, space-separated, and those above them, each once. Unknown ones stay, with nothing above."""
        found = self._above.get(category_ids)
        if found is None:
            ids = category_ids.split()
            wanted = dict.fromkeys(ids)
            for pk in ids:
                branch = self.by_id.get(pk)
                while branch is not None and branch.parent_id is not None:
                    wanted[branch.parent_id] = None
                    branch = self.by_id.get(branch.parent_id)
            found = self._above[category_ids] = tuple(wanted)
        return found


_trees: ShortMemory[Tree] = ShortMemory(size=1024, seconds=lambda: conf().STORE_CACHE_SECONDS)


def tree(*, store: Store) -> Tree:
    """The categories of a store; none or one query."""
    return _trees.get(store.pk) or _trees.put(store.pk, _load_tree(store))


def forget_tree(*, store_id: str) -> None:
    """Drops what this process remembers of a tree; other processes follow within STORE_CACHE_SECONDS."""
    _trees.drop(store_id)


def _load_tree(store: Store) -> Tree:
    rows = Category.objects.filter(store=store, active=True).values_list(
        "pk", "slug", "parent_id", "name", "description", "product_count", "sort_order", "created_at"
    )
    found: dict[str, Branch] = {}
    for pk, slug, parent_id, name, description, product_count, sort_order, created_at in rows:
        fields = {
            "id": pk,
            "name": name,
            "slug": slug,
            "description": description or None,
            "parent_category_id": parent_id,
            "product_count": product_count,
            "active": True,
        }
        text = orjson.dumps(fields).decode()
        found[pk] = Branch(pk, slug, parent_id, name, (sort_order, name, pk), created_at, fields, text)
    roots = []
    for branch in sorted(found.values(), key=lambda branch: branch.sort_key):
        if branch.parent_id is None:
            roots.append(branch)
        elif branch.parent_id in found:
            found[branch.parent_id].children.append(branch)
    ordered: dict[str, Branch] = {}
    waiting = [(root, 1) for root in reversed(roots)]
    while waiting:
        branch, branch.level = waiting.pop()
        ordered[branch.id] = branch
        waiting += [(child, branch.level + 1) for child in reversed(branch.children)]
    return Tree(ordered, {branch.slug: branch for branch in ordered.values()})


def places_in_tree() -> dict[str, tuple[int, int]]:
    """For staff: each category of every store, inactive ones too, with its place in the tree and its depth; one query."""
    rows = Category.objects.order_by("store_id", "sort_order", "name", "pk").values_list("pk", "parent_id")
    below: dict[str | None, list[str]] = {}
    for pk, parent_id in rows:
        below.setdefault(parent_id, []).append(pk)
    found: dict[str, tuple[int, int]] = {}
    waiting = [(pk, 0) for pk in reversed(below.get(None, []))]
    while waiting:
        pk, depth = waiting.pop()
        found[pk] = (len(found), depth)
        waiting += [(child, depth + 1) for child in reversed(below.get(pk, []))]
    return found


CATEGORY_SORT_FIELDS = ("created_at", "name", "product_count", "slug", "sort_order")


def categories(
    *,
    store: Store,
    search: str = "",
    parent_ids: Collection[str] = (),
    parent_slugs: Collection[str] = (),
    levels: int = 0,
    sort: Sequence[tuple[str, bool]] = (),
) -> list[Branch]:
    """Categories below the named ones (of the whole tree without any), newest first; none or one query.

    `levels` 1 stops at the direct children, 2 one level further down and so on; 0 goes all the way.
    """
    known = tree(store=store)
    above = [branch for branch in known.by_id.values() if branch.id in parent_ids or branch.slug in parent_slugs]
    if parent_ids or parent_slugs:
        found = {
            below.id: below
            for branch in above
            for below in branch.with_below()
            if below is not branch and (not levels or below.level - branch.level <= levels)
        }
    else:
        found = {branch.id: branch for branch in known.by_id.values() if not levels or branch.level <= levels}
    wanted = words.folded(search).split()
    rows = [branch for branch in found.values() if all(word in words.folded(branch.name) for word in wanted)]
    for name, down in reversed([*(sort or NEWEST), ("id", bool((sort or NEWEST)[-1][1]))]):
        rows.sort(key=lambda branch: branch.sort_value(name), reverse=down)
    return rows


# --- products -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """What a list is narrowed to; None does not narrow. Branches below a named category count as in it."""

    category_ids: Sequence[str] = ()
    category_slugs: Sequence[str] = ()
    types: Sequence[str] = ()
    skus: Sequence[str] = ()

    def clauses(self, store: Store, *, product_id: str, sku_of_product: bool) -> tuple[str, list[Any]]:
        """SQL on `p` (and `v`, for lists of skus) to follow the store's, with its parameters."""
        sql, parameters = "", list[Any]()
        if self.category_ids or self.category_slugs:
            found = tree(store=store).ids_below(ids=self.category_ids, slugs=self.category_slugs) or [""]
            sql += f" AND {product_id} IN (SELECT product_id FROM {PLACING} WHERE category_id IN ({_marks(found)}))"
            parameters += found
        if self.types:
            sql += f" AND p.type IN ({_marks(self.types)})"
            parameters += self.types
        if self.skus and sku_of_product:
            sql += f""" AND p.id IN (SELECT product_id FROM {VARIANT}
                                     WHERE store_id = %s AND visible = TRUE AND sku IN ({_marks(self.skus)}))"""
            parameters += [store.pk, *self.skus]
        elif self.skus:
            sql += f" AND v.sku IN ({_marks(self.skus)})"
            parameters += self.skus
        return sql, parameters


@dataclass(frozen=True, slots=True)
class Rows:
    """One page of rows, and how many there are in all."""

    total: int
    rows: list[Row]


def _terms(sort: Sequence[tuple[str, bool]], column: Callable[[str], str], key: str) -> list[tuple[str, bool]]:
    """Ties go by the key, in the direction of the last field, so that an index can give the whole order."""
    fields = sort or NEWEST
    return [*((column(SORT_FIELDS[name]), down) for name, down in fields), (key, bool(fields[-1][1]))]


def product_page(*, store: Store, filters: Filters, sort: Sequence[tuple[str, bool]], page: Page) -> Rows:
    """Visible products as (total, id, document, category ids, type): one query; two for a page past the end.

    The ids of the page come from an index alone, however deep the page.
    """
    extra, extra_parameters = filters.clauses(store, product_id="p.id", sku_of_product=True)
    paged = paging.Paged(
        columns="p.id, p.document, p.category_ids, p.type",
        joined=f"FROM {PRODUCT} p",
        source=f"FROM {PRODUCT} p WHERE p.store_id = %s AND p.visible = TRUE{extra}",
        parameters=[store.pk, *extra_parameters],
        terms=_terms(sort, "p.{}".format, "p.id"),
    )
    return Rows(*paging.read(_fetch, store=store, paged=paged, page=page))


def product_row(*, store: Store, reference: str) -> Row | None:
    """The visible product of that id or slug as (id, document, category ids, type, detail document): one query."""
    rows = _fetch(
        f"""SELECT p.id, p.document, p.category_ids, p.type, p.detail_document FROM {PRODUCT} p
            WHERE p.store_id = %s AND p.visible = TRUE AND (p.id = %s OR p.slug = %s)""",
        [store.pk, reference, reference],
    )
    return next((row for row in rows if row[0] == reference), rows[0] if rows else None)


def variant_rows(*, store: Store, product_ids: Collection[str], group_ids: Sequence[str]) -> list[Row]:
    """The visible variants of these products in display order: one query.

    (product id, is standalone, is default, id, document, *offer), the one to show first being the default or the first.
    """
    if not product_ids:
        return []
    return _fetch(
        f"""SELECT v.product_id, v.is_standalone, v.is_default, v.id, v.document, {_OFFER}
            FROM {VARIANT} v {_offer_joins(group_ids)}
            WHERE v.product_id IN ({_marks(product_ids)}) AND {_of_store("v")} AND v.visible = TRUE
            ORDER BY v.product_id, v.sort_order, v.created_at, v.id""",
        [*group_ids, *product_ids, store.pk],
    )


def variant_row(*, store: Store, product_id: str, reference: str, group_ids: Sequence[str]) -> Row | None:
    """One visible variant by id or slug as (id, document, own attributes, *offer): one query."""
    rows = _fetch(
        f"""SELECT v.id, v.document, v.own_attributes, {_OFFER} FROM {VARIANT} v {_offer_joins(group_ids)}
            WHERE v.product_id = %s AND {_of_store("v")} AND v.visible = TRUE AND v.is_standalone = FALSE
              AND (v.id = %s OR v.slug = %s)""",
        [*group_ids, product_id, store.pk, reference, reference],
    )
    return next((row for row in rows if row[0] == reference), rows[0] if rows else None)


# --- skus -----------------------------------------------------------------------------------------------------------
def sku_page(
    *, store: Store, filters: Filters, sort: Sequence[tuple[str, bool]], page: Page, group_ids: Sequence[str]
) -> Rows:
    """Visible skus as (total, id, product id, item document, category ids, type, *offer): one query; two for a page past the end."""
    extra, extra_parameters = filters.clauses(store, product_id="v.product_id", sku_of_product=False)
    by_product = any(name in ("name", "slug") for name, _down in sort)
    product = f"JOIN {PRODUCT} p ON p.id = v.product_id" if filters.types or by_product else ""
    paged = paging.Paged(
        columns=f"v.id, v.product_id, v.item_document, p.category_ids, p.type, {_OFFER}",
        joined=f"FROM {VARIANT} v JOIN {PRODUCT} p ON p.id = v.product_id {_offer_joins(group_ids)}",
        joined_parameters=group_ids,
        source=f"FROM {VARIANT} v {product} WHERE v.store_id = %s AND v.visible = TRUE{extra}",
        parameters=[store.pk, *extra_parameters],
        terms=_terms(sort, lambda name: f"{'p' if name in ('name', 'slug') else 'v'}.{name}", "v.id"),
    )
    return Rows(*paging.read(_fetch, store=store, paged=paged, page=page))


def item_rows(*, store_id: str, variant_ids: Collection[str], group_ids: Sequence[str]) -> list[Row]:
    """Visible skus as (id, product id, item document, category ids, type, *offer): one query."""
    if not variant_ids:
        return []
    return _fetch(
        f"""SELECT v.id, v.product_id, v.item_document, p.category_ids, p.type, {_OFFER}
            FROM {VARIANT} v JOIN {PRODUCT} p ON p.id = v.product_id {_offer_joins(group_ids)}
            WHERE v.id IN ({_marks(variant_ids)}) AND {_of_store("v")} AND v.visible = TRUE""",
        [*group_ids, *variant_ids, store_id],
    )


def component_rows(*, store: Store, bundle_ids: Collection[str], group_ids: Sequence[str]) -> list[Row]:
    """What bundles hold as (bundle id, quantity, id, product id, item document, category ids, type, *offer): one query, or none."""
    if not bundle_ids:
        return []
    return _fetch(
        f"""SELECT b.bundle_id, b.quantity, v.id, v.product_id, v.item_document, p.category_ids, p.type, {_OFFER}
            FROM {COMPONENT} b JOIN {VARIANT} v ON v.id = b.component_id JOIN {PRODUCT} p ON p.id = v.product_id
            {_offer_joins(group_ids)}
            WHERE b.bundle_id IN ({_marks(bundle_ids)}) AND {_of_store("b")} AND v.visible = TRUE
            ORDER BY b.bundle_id, b.sort_order, b.id""",
        [*group_ids, *bundle_ids, store.pk],
    )


def lots(*, store: Store, variant_ids: Collection[str]) -> dict[str, list[Row]]:
    """The batches of skus, those that expire first in front: one query, or none.

    (variant id, lot, made, expires, manufacturer, quantity)
    """
    found: dict[str, list[Row]] = {}
    if variant_ids:
        for row in _fetch(
            f"""SELECT l.variant_id, l.lot_batch, l.manufactured_on, l.expires_on, l.manufacturer, l.quantity
                FROM {LOT} l WHERE l.variant_id IN ({_marks(variant_ids)}) AND {_of_store("l")}
                ORDER BY l.variant_id, CASE WHEN l.expires_on IS NULL THEN 1 ELSE 0 END, l.expires_on, l.lot_batch""",
            [*variant_ids, store.pk],
        ):
            found.setdefault(row[0], []).append(row)
    return found


def line_rows(*, store_id: str, variant_ids: Collection[str], group_ids: Sequence[str]) -> list[Row]:
    """Skus, visible or not, as (variant id, product id, visible, sku, line document, *offer): one query."""
    if not variant_ids:
        return []
    return _fetch(
        f"""SELECT v.id, v.product_id, v.visible, v.sku, v.line_document, {_OFFER}
            FROM {VARIANT} v {_offer_joins(group_ids)}
            WHERE v.id IN ({_marks(variant_ids)}) AND {_of_store("v")}""",
        [*group_ids, *variant_ids, store_id],
    )


def component_stock(*, store_id: str, bundle_ids: Collection[str]) -> list[Row]:
    """What bundles are made of, as (bundle id, product id, variant id, units, how many are there): one query, or none.

    None are there of what is not sold any more; None stands for what never runs out or is on backorder.
    """
    if not bundle_ids:
        return []
    return _fetch(
        f"""SELECT c.bundle_id, cv.product_id, cv.id, c.quantity,
                   CASE WHEN cv.visible = FALSE THEN 0
                        WHEN cs.tracked = FALSE OR cs.backorder = TRUE THEN NULL
                        ELSE cs.on_hand - cs.reserved END
            FROM {COMPONENT} c JOIN {VARIANT} cv ON cv.id = c.component_id JOIN {STOCK} cs ON cs.variant_id = cv.id
            WHERE c.bundle_id IN ({_marks(bundle_ids)}) AND {_of_store("c")}
            ORDER BY c.id""",
        [*bundle_ids, store_id],
    )


def product_names(*, store_id: str, product_ids: Collection[str]) -> list[Row]:
    """(id, name, slug, type) of the visible ones of these products: one query, or none."""
    if not product_ids:
        return []
    return _fetch(
        f"""SELECT p.id, p.name, p.slug, p.type FROM {PRODUCT} p
            WHERE p.id IN ({_marks(product_ids)}) AND {_of_store("p")} AND p.visible = TRUE""",
        [*product_ids, store_id],
    )


def shown_variants(*, store_id: str, product_ids: Collection[str]) -> dict[str, str]:
    """The variant that stands for each of these products, by the product's id: one query, or none."""
    if not product_ids:
        return {}
    rows = _fetch(
        f"""SELECT v.product_id, v.id FROM {VARIANT} v
            WHERE v.product_id IN ({_marks(product_ids)}) AND {_of_store("v")} AND v.visible = TRUE
            ORDER BY v.is_default, v.sort_order DESC, v.created_at DESC, v.id DESC""",
        [*product_ids, store_id],
    )
    return dict(rows)  # of a product's several, the last one stays: the default, or the first in order


def place_rows(*, store_id: str, variant_ids: Collection[str]) -> list[Row]:
    """Where skus lie, bundles by their components: one query, or none. A component that is not sold any more lies nowhere.

    (variant id, product id, what lies there, units of it in one sku, endless, on backorder, location or None, units left)
    """
    if not variant_ids:
        return []
    marks = _marks(variant_ids)
    return _fetch(
        f"""SELECT v.id, v.product_id, v.id, 1, CASE WHEN s.tracked = FALSE THEN 1 ELSE 0 END, s.backorder,
                   l.location_id, l.on_hand - l.reserved
            FROM {VARIANT} v JOIN {PRODUCT} p ON p.id = v.product_id JOIN {STOCK} s ON s.variant_id = v.id
            LEFT JOIN {PLACE} l ON l.variant_id = v.id
            WHERE v.id IN ({marks}) AND {_of_store("v")} AND p.type <> 'bundle'
            UNION ALL
            SELECT v.id, v.product_id, c.component_id, c.quantity,
                   CASE WHEN s.tracked = FALSE AND cv.visible = TRUE THEN 1 ELSE 0 END, s.backorder,
                   l.location_id, CASE WHEN cv.visible = TRUE THEN l.on_hand - l.reserved ELSE 0 END
            FROM {VARIANT} v JOIN {PRODUCT} p ON p.id = v.product_id JOIN {COMPONENT} c ON c.bundle_id = p.id
            JOIN {VARIANT} cv ON cv.id = c.component_id JOIN {STOCK} s ON s.variant_id = cv.id
            LEFT JOIN {PLACE} l ON l.variant_id = cv.id
            WHERE v.id IN ({marks}) AND {_of_store("v")} AND p.type = 'bundle'""",
        [*variant_ids, store_id, *variant_ids, store_id],
    )
