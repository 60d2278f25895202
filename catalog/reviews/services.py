"""Writes of reviews, and of what products show of them.

The figures on the product are counted anew from its approved reviews, under the product's lock and in the transaction
that changes one of them. Increments would be cheaper, but could drift; triggers could not, but they would have to be
written twice, and nothing but this module writes reviews.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from storefront.errors import Invalid
from storefront.models import Store
from storefront.plugs import plug

from .. import services
from ..models import Product
from . import media
from .models import Review, ReviewMedia
from .selectors import tag_line

MAX_TAGS = 100


def write(
    *,
    store: Store,
    product_id: str,
    user_id: str,
    name: str,
    order_number: str,
    rating: Decimal,
    review_text: str,
    images: Sequence[Any],
    videos: Sequence[Any],
) -> Review:
    """A buyer's review, which waits for staff. Raises Invalid naming the field: `not_purchased`, `already_reviewed`,
    and what is wrong with the files."""
    if not plug("PURCHASES").delivered_line(store.pk, user_id, order_number, product_id):
        raise Invalid(
            _("Only what was delivered with this order can be reviewed."), code="not_purchased", field="order_number"
        )
    said = {"store": store, "product_id": product_id, "user_id": user_id, "order_number": order_number}
    if Review.objects.filter(**said).exists():
        raise _already()
    stored = media.save(store=store, images=images, videos=videos)
    try:
        with transaction.atomic():
            review = Review.objects.create(**said, name=name, rating=rating, review_text=review_text)
            ReviewMedia.objects.bulk_create(
                ReviewMedia(store=store, review=review, kind=one.kind, names=dict(one.names), sort_order=order)
                for order, one in enumerate(stored)
            )
    except IntegrityError as error:
        media.discard(stored)
        if Review.objects.filter(**said).exists():
            raise _already() from error
        raise
    except BaseException:
        media.discard(stored)
        raise
    return review


def _already() -> Invalid:
    return Invalid(_("You have reviewed this already."), code="already_reviewed", field="order_number")


@transaction.atomic
def moderate(*, store: Store, review_ids: Collection[str], status: Review.Status) -> int:
    """Approves or rejects; returns how many were changed. Safe to repeat."""
    rows = Review.objects.filter(store=store, pk__in=review_ids).exclude(status=status)
    products = _locked(store, rows.values_list("product_id", flat=True))
    changed = rows.update(status=status, modified_at=timezone.now())
    _count(store, products)
    return changed


@transaction.atomic
def label(*, store: Store, review: Review, tags: Sequence[str], **fields: Any) -> None:
    """Sets the tags, and what else staff may write, such as `is_featured` and `name`."""
    products = _locked(store, [review.product_id])
    Review.objects.filter(store=store, pk=review.pk).update(
        tags=list(tags), tag_line=tag_line(tags)[:600], modified_at=timezone.now(), **fields
    )
    _count(store, products)


@transaction.atomic
def delete(*, store: Store, review_ids: Collection[str]) -> None:
    """Deletes reviews, and after commit their files."""
    rows = Review.objects.filter(store=store, pk__in=review_ids)
    products = _locked(store, rows.values_list("product_id", flat=True))
    media.discard_after_commit(ReviewMedia.objects.filter(store=store, review__in=rows))
    rows.delete()
    _count(store, products)


def forget_shopper(*, store: Store, user_id: str, **_: Any) -> None:
    """Listens to `shopper.erased`: what somebody wrote and showed goes with them."""
    delete(
        store=store, review_ids=list(Review.objects.filter(store=store, user_id=user_id).values_list("pk", flat=True))
    )


def drop_files(*, store: Store, product_ids: Collection[str], **_: Any) -> None:
    """Listens to `catalog.deleting`: the rows go with their product, the files after commit."""
    media.discard_after_commit(ReviewMedia.objects.filter(store=store, review__product__in=product_ids))


def _locked(store: Store, product_ids: Collection[str]) -> list[str]:
    """In the order in which everybody locks products."""
    rows = Product.objects.select_for_update().filter(store=store, pk__in=set(product_ids)).order_by("pk")
    return list(rows.values_list("pk", flat=True))


def _count(store: Store, product_ids: Collection[str]) -> None:
    """Writes the figures of locked products, and publishes them."""
    approved = Review.objects.filter(store=store, product__in=product_ids, status=Review.Status.APPROVED)
    figures = {
        row["product"]: row
        for row in approved.order_by().values("product").annotate(many=Count("pk"), sum=Sum("rating"))
    }
    tags: dict[str, dict[str, None]] = {}
    for product_id, names in approved.exclude(tag_line="").order_by("-created_at").values_list("product", "tags"):
        tags.setdefault(product_id, {}).update(dict.fromkeys(map(str, names)))
    for product_id in product_ids:
        found = figures.get(product_id)
        Product.objects.filter(store=store, pk=product_id).update(
            reviews_count=found["many"] if found else 0,
            reviews_rating_sum=found["sum"] if found else Decimal(0),
            review_tags=list(tags.get(product_id, ()))[:MAX_TAGS],
        )
    if product_ids:
        services.publish(store=store, product_ids=product_ids, recount=False)
