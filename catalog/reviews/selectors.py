"""Reads of reviews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
from django.db.models import Q

from storefront.contracts import DeliveredLine
from storefront.models import Store
from storefront.plugs import plug
from storefront.query import Page

from .. import recommendations
from ..models import Product
from ..serializers import exact
from .models import Review

MOST = 100  # reviews, and lines of orders, that a shopper is shown
SORT_FIELDS = {"created_at": "created_at", "review_date": "created_at", "rating": "rating"}


@dataclass(frozen=True, slots=True)
class Reviews:
    """One page, how many there are in all, and the tags that the product's reviews have."""

    rows: Sequence[Review]
    total: int


def product(*, store: Store, reference: str) -> Product | None:
    """The visible product of that id or slug, with its id and the tags of its reviews only; one query."""
    found = Product.objects.filter(Q(pk=reference) | Q(slug=reference), store=store, visible=True)
    rows = list(found.only("pk", "store_id", "review_tags"))
    return next((row for row in rows if row.pk == reference), rows[0] if rows else None)


def shown(
    *, store: Store, product_id: str, search: str, tag: str, sort: Sequence[tuple[str, bool]], page: Page
) -> Reviews:
    """The approved reviews of a product with their media, newest first: three queries."""
    found = Review.objects.filter(store=store, product=product_id, status=Review.Status.APPROVED)
    for word in search.split()[:10]:
        found = found.filter(review_text__icontains=word)
    if tag:
        found = found.filter(tag_line__contains=tag_line([tag]))
    order = [f"{'-' if down else ''}{SORT_FIELDS[name]}" for name, down in sort or [("created_at", True)]]
    rows = found.order_by(*order, "-pk").prefetch_related("media")[page.offset : page.offset + page.limit]
    return Reviews(list(rows), found.count())


@dataclass(frozen=True, slots=True)
class Good:
    """A product as a shopper is reminded of it, at their group's price."""

    name: str
    image_url: str
    listing_price: Decimal
    selling_price: Decimal


@dataclass(frozen=True, slots=True)
class Written:
    """A shopper's reviews, newest first, what waits for one, and the products of both that are still sold."""

    reviews: Sequence[Review]
    ready: Sequence[DeliveredLine]
    goods: Mapping[str, Good]  # by product


def of_shopper(*, store: Store, user_id: str, group_ids: Sequence[str]) -> Written:
    """The latest of a shopper's reviews, whatever became of them, and the latest delivered lines without one.

    Four queries and a call of `PURCHASES`, which may raise Unavailable. A product that came twice with one order waits
    for one review.
    """
    lines = plug("PURCHASES").delivered_lines(store.pk, user_id, limit=MOST)
    mine = Review.objects.filter(store=store, user_id=user_id)
    reviews = list(mine.select_related("product").prefetch_related("media").order_by("-created_at", "-pk")[:MOST])
    done = set(
        mine.filter(order_number__in={line.order_number for line in lines}).values_list("order_number", "product_id")
    )
    ready = {(line.order_number, line.sku.product_id): line for line in reversed(lines)}
    waiting = [line for key, line in reversed(ready.items()) if key not in done]
    ids = dict.fromkeys([*(row.product_id for row in reviews), *(line.sku.product_id for line in waiting)])
    rows = recommendations.item_rows(
        store=store, product_ids=list(ids), sort=(), page=Page(1, 2 * MOST), group_ids=group_ids
    )
    return Written(reviews, waiting, {row[1]: _good(row) for row in rows if row[9] is not None})


def _good(row: tuple[object, ...]) -> Good:
    """Of a row of `recommendations.item_rows`."""
    item = orjson.loads(str(row[2]))
    images = item["images"]
    return Good(item["product_name"], images[0]["url_thumbnail"] if images else "", exact(row[8]), exact(row[9]))


def tag_line(tags: Sequence[str]) -> str:
    """How tags are stored to be searched: each between bars, without case."""
    names = [str(tag).casefold().replace("|", " ") for tag in tags]
    return f"|{'|'.join(names)}|" if names else ""


def exported(*, store: Store, user_id: str, **_: Any) -> list[dict[str, Any]]:
    """What a shopper wrote, for their own copy of their data, with how many pictures and films; two queries."""
    names = ("id", "product_id", "order_number", "rating", "review_text", "name", "status", "created_at")
    rows = Review.objects.filter(store=store, user_id=user_id).prefetch_related("media").order_by("pk")
    return [
        {name: getattr(row, name) for name in names} | {"media": [media.kind for media in row.media.all()]}
        for row in rows
    ]
