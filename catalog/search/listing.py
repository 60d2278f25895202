"""What is indexed of each sku, for whichever engine: read from the catalogue in three queries, however many products."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from storefront.models import Store

from ..models import Attribute, Category, Price, Variant
from . import words
from .fields import ATTRIBUTE, CATEGORY_IDS, KEYS, sortable

ANYONE = "*"  # whose price it is that is shown to groups without one: the highest
LONGEST_TERM = 200
LONGEST_DESCRIPTION = 4000


class Term(NamedTuple):
    name: str
    value: str
    number: float | None = None

    @property
    def key(self) -> str:
        return key_of(self.value)


class Texts(NamedTuple):
    """The words of a sku, those that count most first."""

    name: str
    codes: str  # SKU, name of the variant
    facts: str  # tags, brand, categories, attributes
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    product_id: str
    variant_id: str
    is_standalone: bool
    product_type: str
    sku: str
    product_name: str
    variant_name: str
    rating: float | None
    categories: tuple[tuple[str, str, str], ...]  # id, name, slug of each that it is in, those above included
    terms: tuple[Term, ...]
    prices: Mapping[str, tuple[float, float, float]]  # by group: listing, selling, tax rate; ANYONE: the highest
    texts: Texts
    created_at: datetime


def key_of(value: str) -> str:
    """A value for comparing: without case."""
    return value.casefold()[:LONGEST_TERM]


def listings(*, store: Store, product_ids: Collection[str]) -> list[Listing]:
    """The visible skus of these products: three queries."""
    rows = list(
        Variant.objects.filter(store=store, product__in=product_ids, visible=True, product__visible=True).values_list(
            "pk",
            "product_id",
            "is_standalone",
            "item_document",
            "created_at",
            "product__category_ids",
            "product__description",
            "product__brand__name",
            "product__brand__active",
            "product__seo_keywords",
        )
    )
    prices = _prices(store, [row[0] for row in rows])
    branches = _branches(store)
    return [_listing(row, prices[row[0]], branches) for row in rows if row[0] in prices]


def _listing(row: Any, prices: dict[str, tuple[float, float, float]], branches: dict[str, _Branch]) -> Listing:
    pk, product_id, is_standalone, document, created_at, category_ids, description, brand, brand_shown, keywords = row
    brand = brand if brand_shown else None
    item = orjson.loads(document)
    categories = {
        branch.id: (branch.id, branch.name, branch.slug)
        for category_id in category_ids.split()
        for branch in _with_above(category_id, branches)
    }
    tags = [str(tag) for tag in item["tags"] or []]
    attributes = list(_attributes(item))
    terms = dict.fromkeys(
        [
            Term("product_type", item["product_type"]),
            *([Term("brand", brand[:LONGEST_TERM])] if brand else []),
            *(Term("tags", tag[:LONGEST_TERM]) for tag in tags),
            *(Term(CATEGORY_IDS, category_id) for category_id in categories),
            *(Term(KEYS, term.name.removeprefix(ATTRIBUTE)) for term in attributes),
            *attributes,
        ]
    )
    count = item["reviews_count"]
    facts = [
        *tags,
        brand or "",
        *(name for _id, name, _slug in categories.values()),
        *(term.value for term in attributes if term.number is None),
        *(str(word) for word in keywords or []),
    ]
    return Listing(
        product_id=product_id,
        variant_id=pk,
        is_standalone=is_standalone,
        product_type=item["product_type"],
        sku=item["sku"] or "",
        product_name=item["product_name"],
        variant_name=item["variant_name"] or "",
        rating=round(item["reviews_rating_sum"] / count, 2) if count else None,
        categories=tuple(categories.values()),
        terms=tuple(terms),
        prices=prices,
        texts=Texts(
            name=item["product_name"],
            codes=f"{item['sku'] or ''} {item['variant_name'] or ''}",
            facts=" ".join(facts)[:LONGEST_DESCRIPTION],
            description=f"{item['short_description'] or ''} {words.plain(description[: 2 * LONGEST_DESCRIPTION])}"[
                :LONGEST_DESCRIPTION
            ],
        ),
        created_at=created_at,
    )


def _attributes(item: Mapping[str, Any]) -> Iterator[Term]:
    """Every value of every attribute, and the options of the variant."""
    for attribute in item["attributes"]:
        numeric = attribute["type"] in (Attribute.Type.NUMBER, Attribute.Type.DATE)
        found = attribute["value"]
        for value in found if isinstance(found, list) else [found]:
            text = _text(value)
            if text:
                yield Term(ATTRIBUTE + attribute["key"], text, sortable(value) if numeric else None)
    for key, option in (item["associated_options"] or {}).items():
        text = _text(option["value"])
        if text:
            yield Term(ATTRIBUTE + key, text)


def _text(value: Any) -> str:
    if isinstance(value, dict):  # a colour
        value = value.get("name", "")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)[:LONGEST_TERM]


def _prices(store: Store, variant_ids: Collection[str]) -> dict[str, dict[str, tuple[float, float, float]]]:
    found: dict[str, dict[str, tuple[float, float, float]]] = {}
    rows = Price.objects.filter(store=store, variant__in=variant_ids).order_by("-selling_price", "pk")
    for variant_id, group_id, listing, selling, tax in rows.values_list(
        "variant_id", "group_id", "listing_price", "selling_price", "tax_rate"
    ):
        amounts = (float(listing), float(selling), float(tax))
        found.setdefault(variant_id, {ANYONE: amounts})[group_id] = amounts
    return found


class _Branch(NamedTuple):
    id: str
    name: str
    slug: str
    parent_id: str | None


def _branches(store: Store) -> dict[str, _Branch]:
    """The active categories, read afresh: what is remembered of the tree may be older than this transaction."""
    rows = Category.objects.filter(store=store, active=True).values_list("pk", "name", "slug", "parent_id")
    return {row[0]: _Branch(*row) for row in rows}


def _with_above(category_id: str, branches: Mapping[str, _Branch]) -> list[_Branch]:
    """A category and those above it; none when one of them is inactive."""
    found: list[_Branch] = []
    at: str | None = category_id
    while at is not None:
        if at not in branches or len(found) > len(branches):
            return []
        found.append(branches[at])
        at = branches[at].parent_id
    return found
