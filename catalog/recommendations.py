"""What to show beside a product: similar ones, the hand-picked ones, and what the shop's customers like best.

A list names products, each by the variant that is shown first. All are narrowed to what is visible.
"""
# ruff: noqa: S608 -- what is formatted into statements is table names and counted placeholders, never a value

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Sequence
from typing import Any

import orjson

from storefront.models import Store
from storefront.query import Page

from .models import ProductAttribute, ProductLink
from .selectors import (
    _OFFER,
    PLACING,
    PRODUCT,
    SORT_FIELDS,
    VARIANT,
    Row,
    _fetch,
    _marks,
    _of_store,
    _offer_joins,
)

LINK = ProductLink._meta.db_table
FACT = ProductAttribute._meta.db_table
CHOSEN = ProductAttribute.choices.through._meta.db_table
NEAREST = 200  # how many a list of similar products can hold: no shopper leafs further, and ranking stays cheap
LINKED = 500
OF_CATEGORY, OF_BRAND, OF_VALUE, OF_TAG = 2, 1, 2, 1  # what a thing in common counts


def known(*, store: Store, product_ids: Collection[str]) -> list[str]:
    """Those of these ids that are visible products, in the order given: one query."""
    rows = _fetch(
        f"SELECT p.id FROM {PRODUCT} p WHERE p.id IN ({_marks(product_ids)}) AND {_of_store('p')} AND p.visible = TRUE",
        [*product_ids, store.pk],
    )
    found = {row[0] for row in rows}
    return [pk for pk in product_ids if pk in found]


def similar(*, store: Store, product_ids: Sequence[str]) -> list[str]:
    """Products like these, the likest first, then the newest: two queries, however many there are.

    The database finds those with most categories, brands and listed values in common; of the nearest, every shared
    attribute and tag counts too.
    """
    marks = _marks(product_ids)
    rows = _fetch(
        f"""SELECT p.id, p.document, n.score FROM (
                SELECT near.product_id, SUM(near.weight) AS score FROM (
                    SELECT g.product_id AS product_id, {OF_CATEGORY} AS weight FROM {PLACING} g
                    WHERE g.category_id IN (SELECT category_id FROM {PLACING} WHERE product_id IN ({marks}))
                    UNION ALL
                    SELECT b.id, {OF_BRAND} FROM {PRODUCT} b
                    WHERE b.brand_id IN (SELECT brand_id FROM {PRODUCT} WHERE id IN ({marks}))
                    UNION ALL
                    SELECT f.product_id, {OF_VALUE} FROM {CHOSEN} c JOIN {FACT} f ON f.id = c.productattribute_id
                    WHERE c.attributechoice_id IN (
                        SELECT o.attributechoice_id FROM {CHOSEN} o JOIN {FACT} a ON a.id = o.productattribute_id
                        WHERE a.product_id IN ({marks}))
                ) near GROUP BY near.product_id
            ) n JOIN {PRODUCT} p ON p.id = n.product_id
            WHERE {_of_store("p")} AND p.visible = TRUE AND p.id NOT IN ({marks})
            ORDER BY n.score DESC, p.created_at DESC, p.id DESC LIMIT {NEAREST}""",
        [*product_ids, *product_ids, *product_ids, store.pk, *product_ids],
    )
    if not rows:
        return []
    own = _fetch(f"SELECT p.document FROM {PRODUCT} p WHERE p.id IN ({marks})", [*product_ids])
    wanted = {trait for row in own for trait in _traits(row[0])}
    scores = Counter({pk: float(score) for pk, _document, score in rows})
    for pk, document, _score in rows:
        scores[pk] += sum(weight for key, weight in _traits(document) if (key, weight) in wanted)
    return [pk for pk, _score in scores.most_common()]  # of equal ones, the order above


def _traits(document: str) -> Iterator[tuple[Hashable, int]]:
    """The tags and attributes of a stored `Product`, each with what it counts."""
    product = orjson.loads(document)
    for tag in product["tags"] or ():
        yield ("tag", str(tag).casefold()), OF_TAG
    for attribute in product["attributes"]:
        values = attribute["value"] if isinstance(attribute["value"], list) else [attribute["value"]]
        for value in values:
            yield (attribute["key"], orjson.dumps(value)), OF_VALUE


def linked(*, store: Store, product_ids: Sequence[str], kind: ProductLink.Kind) -> list[str]:
    """What staff picked for these products, theirs in turn, without these themselves: one query."""
    marks = _marks(product_ids)
    rows = _fetch(
        f"""SELECT l.product_id, l.target_id FROM {LINK} l JOIN {PRODUCT} p ON p.id = l.target_id
            WHERE l.product_id IN ({marks}) AND {_of_store("l")} AND l.kind = %s AND p.visible = TRUE
            ORDER BY l.sort_order, l.id LIMIT {LINKED}""",
        [*product_ids, store.pk, kind.value],
    )
    asked = {pk: place for place, pk in enumerate(product_ids)}
    found = [target for source, target in sorted(rows, key=lambda row: asked[row[0]]) if target not in asked]
    return list(dict.fromkeys(found))


def item_rows(
    *,
    store: Store,
    product_ids: Sequence[str],
    sort: Sequence[tuple[str, bool]],
    page: Page,
    group_ids: Sequence[str],
) -> list[Row]:
    """The page of these visible products, in their order or the asked one: one query, or none.

    (id, product id, item document, category ids, type, *offer) of the variant that a product shows first.
    """
    chosen = list(product_ids) if sort else list(product_ids[page.offset : page.offset + page.limit])
    if not chosen:
        return []
    order, paging, parameters = "", "", list[Any]()
    if sort:
        terms = [f"p.{SORT_FIELDS[name]}{' DESC' if down else ''}" for name, down in sort]
        order = f"ORDER BY {', '.join([*terms, 'p.id'])}"
        paging, parameters = "LIMIT %s OFFSET %s", [page.limit, page.offset]
    rows = _fetch(
        f"""SELECT v.id, p.id, v.item_document, p.category_ids, p.type, {_OFFER}
            FROM {PRODUCT} p
            JOIN {VARIANT} v ON v.id = (
                SELECT d.id FROM {VARIANT} d WHERE d.product_id = p.id AND d.visible = TRUE
                ORDER BY d.is_default DESC, d.sort_order, d.created_at, d.id LIMIT 1)
            {_offer_joins(group_ids)}
            WHERE p.id IN ({_marks(chosen)}) AND {_of_store("p")} AND p.visible = TRUE {order} {paging}""",
        [*group_ids, *chosen, store.pk, *parameters],
    )
    if sort:
        return rows
    of_product = {row[1]: row for row in rows}
    return [of_product[pk] for pk in chosen if pk in of_product]


def recommended(*, store: Store, page: Page) -> list[Row]:
    """What this shop would show to anybody, as (id, document, category ids, type): one query.

    First what reviewers like, best first; then what nobody has reviewed, newest first; then the rest. See
    `Product.rating_rank`. An index gives the order.
    """
    return _fetch(
        f"""SELECT p.id, p.document, p.category_ids, p.type FROM {PRODUCT} p
            WHERE p.store_id = %s AND p.visible = TRUE
            ORDER BY p.rating_rank DESC, p.created_at DESC, p.id DESC LIMIT %s OFFSET %s""",
        [store.pk, page.limit, page.offset],
    )
