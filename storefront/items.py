"""The API's `Item` shape made from a `Sellable`, so that a catalogue plug has one thing to fill. Never imports Django."""

from __future__ import annotations

from typing import Any

from storefront.contracts import Sellable
from storefront.money import Currency, number, rounded, tax_inside


def item(sellable: Sellable, *, currency: Currency, **more: Any) -> dict[str, Any]:
    """What wishlists and recommendations show of it. `more` adds what a Sellable does not know, or replaces members:
    short_description, tags, images, reviews_count, reviews_rating_sum, variant_slug ..."""
    details = sellable.details
    image = sellable.image_url
    images = [
        {
            "id": image,
            "title": sellable.product_name,
            "alternate_text": sellable.product_name,
            "sort_order": 0,
            "url_tiny": image,
            "url_thumbnail": image,
            "url_standard": image,
            "url_zoom": image,
        }
    ]
    return {
        "product_id": sellable.sku.product_id,
        "variant_id": sellable.sku.variant_id or None,
        "sku": sellable.code or "",
        "product_slug": sellable.slug,
        "variant_slug": sellable.slug,
        "product_name": sellable.product_name,
        "variant_name": sellable.variant_name,
        "product_type": sellable.product_type,
        "short_description": None,
        "active": sellable.active,
        "stock_available": sellable.in_stock,
        "backorder": sellable.backorder,
        "on_subscription": bool(details.get("on_subscription")),
        "on_promotion": bool(details.get("on_promotion")),
        "category_ids": list(sellable.category_ids),
        "tags": None,
        "reviews_count": 0,
        "reviews_rating_sum": None,
        "attributes": details.get("attributes") or [],
        "images": images if image else [],
        "pricing": _pricing(sellable, currency),
        "promotion": None,
        "subscription": details.get("subscriptions") or [],
        "associated_options": details.get("associated_options"),
    } | more


def _pricing(sellable: Sellable, currency: Currency) -> dict[str, Any]:
    selling = sellable.selling_price
    inside = tax_inside(selling, sellable.tax_rate, currency) if sellable.price_including_tax else 0
    return {
        "currency": currency.code,
        "tax_type": "GST",
        "tax_rate": number(sellable.tax_rate),
        "price_including_tax": sellable.price_including_tax,
        "listing_price": number(sellable.listing_price),
        "selling_price": number(selling),
        "min_order_quantity": sellable.min_quantity,
        "max_order_quantity": sellable.max_quantity,
        "incremental_quantity": sellable.step,
        "selling_price_excluding_tax": number(rounded(selling - inside, currency)),
    }
