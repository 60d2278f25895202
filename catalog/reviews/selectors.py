"""Reads of reviews."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from storefront.models import Store
from storefront.query import Page

from ..models import Product
from .models import Review

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


def tag_line(tags: Sequence[str]) -> str:
    """How tags are stored to be searched: each between bars, without case."""
    names = [str(tag).casefold().replace("|", " ") for tag in tags]
    return f"|{'|'.join(names)}|" if names else ""
