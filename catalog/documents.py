"""The parts of the API's shapes that change only when staff change the product: made once, stored, sent as they are.

Price, stock, promotions and what a category says of itself are left out; `serializers` adds them at each read.
Everything here works on rows that `services.publish` has loaded and asks the database nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.core.files.storage import default_storage

from storefront import origin

from .models import (
    Attribute,
    AttributeChoice,
    Product,
    ProductImage,
    ProductLink,
    ProductVideo,
    SubscriptionPlan,
    Variant,
)

SIZES = ("tiny", "thumbnail", "standard", "zoom")


@dataclass(frozen=True, slots=True)
class ProductDocuments:
    visible: bool
    category_ids: str
    document: str
    detail_document: str


@dataclass(frozen=True, slots=True)
class VariantDocuments:
    visible: bool
    document: str
    item_document: str
    line_document: str
    own_attributes: str


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


@dataclass(frozen=True, slots=True)
class Fact:
    """An attribute of a product, or of one variant of it."""

    variant_id: str | None
    attribute: Attribute
    value: Any
    choices: Sequence[AttributeChoice]


@dataclass(frozen=True, slots=True)
class Parts:
    """A product with everything that its documents are made of, in display order."""

    product: Product
    variants: Sequence[Variant]
    options: Mapping[str, Sequence[tuple[Attribute, AttributeChoice]]]  # by variant
    facts: Sequence[Fact]
    images: Sequence[ProductImage]
    shown_by: Mapping[str, set[str]]  # the variants that an image is tied to, by image
    category_ids: Sequence[str]
    links: Sequence[tuple[str, str]]  # kind, product
    videos: Sequence[ProductVideo]
    plans: Sequence[SubscriptionPlan]
    priced: set[str]  # the variants that have a price


def build(parts: Parts) -> tuple[ProductDocuments, dict[str, VariantDocuments]]:
    """The documents of a product and, by id, of its variants."""
    product, every = parts.product, parts.variants
    varying = [variant for variant in every if not variant.is_standalone]
    sold = varying or every
    shown = [variant for variant in sold if product.active and variant.active and variant.pk in parts.priced]
    default = next((variant for variant in shown if variant.is_default), shown[0] if shown else None)
    images = {row.pk: image(row) for row in parts.images}
    common = [fact for fact in parts.facts if fact.variant_id is None]
    shared = {
        "short_description": product.short_description or None,
        "product_type": product.type,
        "tags": product.tags or None,
        "reviews_rating_sum": float(product.reviews_rating_sum),
        "reviews_count": product.reviews_count,
    }
    category_ids = list(parts.category_ids)
    common_plans = [plan(row) for row in parts.plans if row.variant_id is None]
    documents = {}
    for variant in every:
        own = [fact for fact in parts.facts if fact.variant_id == variant.pk]
        own_images = _images_of(variant, parts, images)
        chosen = _ordered(parts.options.get(variant.pk, ()))
        name = variant.name or ", ".join(choice.name for _attribute, choice in chosen)
        options = {
            attribute.key: {
                "name": attribute.name,
                "type": attribute.type,
                "value": _choice(attribute, choice),
            }
            for attribute, choice in chosen
        }
        plans = [plan(row) for row in parts.plans if row.variant_id in (None, variant.pk)]
        said = {fact.attribute.pk for fact in own}
        attributes = _attributes([*(fact for fact in common if fact.attribute.pk not in said), *own])
        mine = {
            "short_description": variant.short_description or product.short_description or None,
            "active": True,
            "on_subscription": bool(plans),
            "associated_options": options,
            "images": own_images,
            "subscription": plans,
        }
        of_variant = {
            "id": variant.pk,
            "product_id": product.pk,
            "sku": variant.sku or None,
            "slug": variant.slug,
            "name": name,
            "product_name": product.name,
            "is_default": variant is default,
            "videos": [video(row) for row in parts.videos if row.variant_id in (None, variant.pk)],
            **mine,
        }
        of_item = {
            "product_id": product.pk,
            "variant_id": None if variant.is_standalone else variant.pk,
            "sku": variant.sku,
            "product_slug": product.slug,
            "variant_slug": product.slug if variant.is_standalone else variant.slug,
            "product_name": product.name,
            "variant_name": None if variant.is_standalone else name,
            **shared,
            "attributes": attributes,
            **mine,
        }
        of_line = {
            "slug": product.slug,
            "product_name": product.name,
            "variant_name": None if variant.is_standalone else name,
            "product_type": product.type,
            "image_url": own_images[0]["url_thumbnail"] if own_images else "",
            "category_ids": category_ids,
            "weight": product.weight if variant.weight is None else variant.weight,
            "needs_variant": variant.is_standalone and bool(varying),
            "details": {
                "associated_options": options or None,
                "attributes": attributes,
                "subscriptions": plans or None,
                "on_subscription": bool(plans),
                "on_promotion": False,
                "seller_id": None,
                "seller_detail": None,
            },
        }
        if variant.is_standalone:
            of_item["associated_options"] = None
        documents[variant.pk] = VariantDocuments(
            visible=variant in shown,
            document=_text(of_variant),
            item_document=_text(of_item),
            line_document=_text(of_line),
            own_attributes=_text(_attributes(own)),
        )
    standalone = sold[0] if sold and not varying else None
    document = {
        "id": product.pk,
        "sku": (standalone.sku or None) if standalone else None,
        "name": product.name,
        "slug": product.slug,
        "active": True,
        "on_subscription": bool(parts.plans),
        "has_variant": bool(varying),
        **shared,
        "attributes": _attributes(common),
        "variant_options": _variant_options(shown, parts) if varying else None,
        "images": list(images.values()),
        "subscription": common_plans,
    }
    detail = {
        "description": product.description or None,
        "hsn_code": product.hsn_code or None,
        "videos": [video(row) for row in parts.videos],
        "upselling_product_ids": _linked(parts, ProductLink.Kind.UP_SELL),
        "crossselling_product_ids": _linked(parts, ProductLink.Kind.CROSS_SELL),
        "seo": {
            "title": product.seo_title or None,
            "description": product.seo_description or None,
            "keywords": product.seo_keywords or None,
        },
        "metadata": {str(key): str(value) for key, value in product.metadata.items()} or None,
    }
    return ProductDocuments(bool(shown), " ".join(category_ids), _text(document), _text(detail)), documents


def variant_name(variant: Variant) -> str:
    """Its own name, else its options: "Indigo, M". Asks for the options unless they are prefetched."""
    pairs = [] if variant.name else [(option.attribute, option.choice) for option in variant.options.all()]
    return variant.name or ", ".join(choice.name for _attribute, choice in _ordered(pairs))


def _ordered(pairs: Iterable[tuple[Attribute, AttributeChoice]]) -> list[tuple[Attribute, AttributeChoice]]:
    return sorted(pairs, key=lambda pair: (pair[0].sort_order, pair[0].name))


def _choice(attribute: Attribute, choice: AttributeChoice) -> Any:
    if attribute.type == Attribute.Type.COLOR:
        return {"name": choice.name, "hexcode": choice.hexcode}
    return choice.name


def _variant_options(variants: Iterable[Variant], parts: Parts) -> list[dict[str, Any]]:
    """By which options these variants differ, with every choice that one of them has, both in display order."""
    attributes: dict[str, Attribute] = {}
    choices: dict[str, dict[str, AttributeChoice]] = {}
    for variant in variants:
        for attribute, choice in parts.options.get(variant.pk, ()):
            attributes[attribute.pk] = attribute
            choices.setdefault(attribute.pk, {})[choice.pk] = choice
    return [
        {
            "name": attribute.name,
            "key": attribute.key,
            "type": attribute.type,
            "value": [
                _choice(attribute, choice)
                for choice in sorted(choices[attribute.pk].values(), key=lambda row: (row.sort_order, row.name))
            ],
        }
        for attribute in sorted(attributes.values(), key=lambda row: (row.sort_order, row.name))
    ]


def _attributes(facts: Iterable[Fact]) -> list[dict[str, Any]]:
    found = []
    for fact in facts:
        attribute, value = fact.attribute, fact.value
        if attribute.type in Attribute.OF_CHOICES:
            chosen = [_choice(attribute, choice) for choice in fact.choices]
            value = (chosen[0] if chosen else None) if attribute.type == Attribute.Type.SINGLE else chosen
        elif attribute.type == Attribute.Type.DATE and isinstance(value, str) and len(value) == 10:
            value = f"{value}T00:00:00Z"
        if value is None or value == []:
            continue
        found.append(
            {"id": attribute.pk, "name": attribute.name, "key": attribute.key, "type": attribute.type, "value": value}
        )
    return found


def image(row: ProductImage) -> dict[str, Any]:
    addresses = {size: row.url or origin.marked(default_storage.url(row.renditions[size])) for size in SIZES}
    return {
        "id": row.pk,
        "title": row.title or None,
        "alternate_text": row.alternate_text or None,
        "sort_order": row.sort_order,
        **{f"url_{size}": address for size, address in addresses.items()},
    }


def video(row: ProductVideo) -> dict[str, Any]:
    return {
        "title": row.title or None,
        "alternate_text": row.alternate_text or None,
        "sort_order": row.sort_order,
        "video_preview_url": row.preview_url,
        "video_stream_hls_url": row.hls_url,
        "video_stream_dash_url": row.dash_url,
        "image_thumbnail_url": row.thumbnail_url,
        "video_duration": row.duration,
    }


def plan(row: SubscriptionPlan) -> dict[str, Any]:
    """A `ProductSubscription`. The contract spells the yearly order frequency so."""
    yearly = row.order_frequency == SubscriptionPlan.Frequency.ANNUALLY
    return {
        "id": row.pk,
        "subscription_plan": row.name,
        "subscription_price": float(row.price),
        "billing_interval": row.billing_interval,
        "billing_frequency": row.billing_frequency,
        "billing_limit": row.billing_limit,
        "fulfill_separately": row.fulfill_separately,
        "order_interval": row.order_interval,
        "order_frequency": "annully" if yearly else row.order_frequency,
        "order_limit": row.order_limit,
        "minimum_quantity": row.minimum_quantity,
        "billing_trial_days": row.trial_days,
    }


def _images_of(variant: Variant, parts: Parts, images: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Its own pictures, then those that show every variant."""
    own = [pk for pk in images if variant.pk in parts.shown_by.get(pk, ())]
    return [images[pk] for pk in (*own, *(pk for pk in images if not parts.shown_by.get(pk)))]


def _linked(parts: Parts, kind: ProductLink.Kind) -> list[str]:
    return [target_id for linked, target_id in parts.links if linked == kind]
