"""Shapes of reviews, in and out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.files.storage import default_storage
from django.utils.html import strip_tags
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.utils import html

from storefront import origin
from storefront.contracts import DeliveredLine
from storefront.money import number

from .models import Review, ReviewMedia
from .selectors import Good


class Files(serializers.ListField):
    """Files under one name, repeated, with or without brackets behind it."""

    child = serializers.FileField(allow_empty_file=False)

    def __init__(self) -> None:
        super().__init__(required=False, max_length=20)  # how many there may be is for `media` to say

    def get_value(self, dictionary: Any) -> Any:
        bracketed = f"{self.field_name}[]"
        if html.is_html_input(dictionary) and bracketed in dictionary:
            return dictionary.getlist(bracketed)
        return super().get_value(dictionary)


class ReviewIn(serializers.Serializer[Any]):
    user_id = serializers.CharField(max_length=64)
    order_number = serializers.CharField(max_length=64)
    rating = serializers.DecimalField(max_digits=4, decimal_places=2, min_value=Decimal(1), max_value=Decimal(5))
    review_text = serializers.CharField(max_length=5000, required=False, allow_blank=True, allow_null=True)
    images = Files()
    videos = Files()

    def validate_rating(self, rating: Decimal) -> Decimal:
        if rating * 2 % 1:
            raise serializers.ValidationError(_("Rate from 1 to 5, in halves."))
        return rating


def review(row: Review) -> dict[str, Any]:
    """A `ProductReview`. Without the e-mail address: these pages are for everybody to read."""
    media = list(row.media.all())
    return {
        "rating": float(row.rating),
        "review_text": row.review_text,
        "name": row.name,
        "status": row.status,
        "is_featured": row.is_featured,
        "tags": row.tags,
        "review_date": row.created_at,
        "images": [image(one) for one in media if one.kind == ReviewMedia.Kind.IMAGE],
        "videos": [video(one) for one in media if one.kind == ReviewMedia.Kind.VIDEO],
        "created_at": row.created_at,
        "modified_at": row.modified_at,
    }


def own_review(row: Review, good: Good | None) -> dict[str, Any]:
    """A `CustomerReview`; without prices and picture of what is no longer sold. A film is played as it was sent."""
    media = list(row.media.all())
    count = row.product.reviews_count
    found = {
        "id": row.pk,
        "product_id": row.product_id,
        "product_name": good.name if good else row.product.name,
        "status": row.status,
        "rating": float(row.rating),
        "review_text": row.review_text,
        "review_date": row.created_at,
        "average_rating": round(float(row.product.reviews_rating_sum) / count, 2) if count else 0,
        "tags": row.tags,
        "images": [
            {f"{name}_url": _address(one.names[size]) for name, size in _SIZES}
            for one in media
            if one.kind == ReviewMedia.Kind.IMAGE
        ],
        "videos": [
            {"cover_image_url": "", "video_preview_url": _address(one.names["video"]), "duration": "", "size": ""}
            for one in media
            if one.kind == ReviewMedia.Kind.VIDEO
        ],
        "order_number": row.order_number,
        "created_at": row.created_at,
        "modified_at": row.modified_at,
    }
    return found | (_shown(good) if good else {})


_SIZES = (("blur", "tiny"), ("thumbnail", "thumbnail"), ("standard", "standard"))


def ready(line: DeliveredLine, good: Good) -> dict[str, Any]:
    """A `CustomerReadyForReview`."""
    return {
        "product_id": line.sku.product_id,
        "product_name": good.name,
        "order_number": line.order_number,
        **_shown(good),
    }


def _shown(good: Good) -> dict[str, Any]:
    return {
        "product_image_url": origin.complete(good.image_url),
        "listing_price": number(good.listing_price),
        "selling_price": number(good.selling_price),
    }


def image(row: ReviewMedia) -> dict[str, Any]:
    """A `ProductImage`."""
    return {
        "id": row.pk,
        "title": None,
        "alternate_text": None,
        "sort_order": row.sort_order,
        **{f"url_{size}": _address(row.names[size]) for size in ("tiny", "thumbnail", "standard", "zoom")},
    }


def video(row: ReviewMedia) -> dict[str, Any]:
    """A `ProductVideo`. Films are played as they were sent: there are no streams, no still and no known length."""
    return {
        "title": None,
        "alternate_text": None,
        "sort_order": row.sort_order,
        "video_preview_url": _address(row.names["video"]),
        "video_stream_hls_url": "",
        "video_stream_dash_url": "",
        "image_thumbnail_url": "",
        "video_duration": 0,
    }


def _address(name: str) -> str:
    return origin.absolute(default_storage.url(name))


def shown_name(claims: Any) -> str:
    """ "Asha K.": the first name and the letter of the last, for strangers to read."""
    first, last = (strip_tags(str(claims.get(name) or "")).strip() for name in ("first_name", "last_name"))
    return f"{first[:80]} {last[:1]}.".strip() if last else first[:80]
