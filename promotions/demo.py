"""Coupons and promotions for the demo store: one of each type, working on whatever the demo's catalogue has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.db import transaction
from django.utils import timezone

from storefront.models import Store

from . import services
from .codes import code_key
from .models import Code, Kind, Offer, OfferType

PROMOTED = "mogra-candle"  # the slug of the one product with an automatic promotion; all others cost what they say


def build(*, store: Store, user_id: str, customer_id: str) -> None:
    """Safe to repeat: what is there already, changed by staff or not, is left alone."""
    products, promoted = _goods(store)
    if not products:
        return
    now = timezone.now()
    with transaction.atomic():
        for code, (name, type_, fields) in _coupons(products).items():
            if Code.objects.filter(store=store, key=code_key(code)).exists():
                continue
            offer = services.create_offer(
                store=store, kind=Kind.COUPON, type=type_, name=name, codes=[code], combinable=True, **fields
            )
            services.publish_offer(store=store, offer_id=offer.pk, now=now)
        if promoted and not Offer.objects.filter(store=store, kind=Kind.PROMOTION).exists():
            offer = services.create_offer(
                store=store,
                kind=Kind.PROMOTION,
                type=OfferType.DISCOUNT,
                name="Candle week",
                description="Ten percent off the mogra candle.",
                applies_to="product",
                details={
                    "discount_type": "percentage",
                    "discount_percent": 10,
                    "products": [{"product_id": promoted}],
                },
                combinable=True,
            )
            services.publish_offer(store=store, offer_id=offer.pk, now=now)


def _goods(store: Store) -> tuple[list[str], str]:
    """The ids of products, and of the promoted one, if the catalogue is ours."""
    if not apps.is_installed("catalog"):
        return [], ""
    rows = apps.get_model("storefront_catalog", "Product")._default_manager.filter(store=store).order_by("pk")
    found = dict(rows.values_list("pk", "slug")[:200])
    return list(found), next((pk for pk, slug in found.items() if slug == PROMOTED), "")


def _coupons(products: list[str]) -> Mapping[str, tuple[str, str, dict[str, Any]]]:
    """Code to name, type and fields."""
    each = [{"product_id": pk, "variant_id": None} for pk in products]
    return {
        "DISCOUNT10": (
            "10% off",
            OfferType.DISCOUNT,
            {
                "description": "Ten percent off everything in the cart.",
                "terms": "One coupon per order.\nNot on delivery.",
                "tags": ["welcome"],
                "details": {"discount_type": "percentage", "discount_percent": 10},
            },
        ),
        "FLAT100": (
            "₹100 off",
            OfferType.DISCOUNT,
            {
                "description": "A hundred rupees off the cart.",
                "details": {"discount_type": "fixed-amount", "fixed_discount_amount": 100},
            },
        ),
        "FREEGOODS": (
            "Buy one, get one free",
            OfferType.FREE_GOODS,
            {
                "description": "For each unit that you buy, one more of the same.",
                "applies_to": "product",
                "max_items": 3,
                "details": {
                    "spending_criteria_type": "minimum-quantity",
                    "products": [
                        entry | {"auto_scale": True, "slab": {"buy_quantity": 1, "get_quantity": 1}} for entry in each
                    ],
                },
            },
        ),
        "FIXED99": (
            "Anything for ₹99",
            OfferType.FIXED_PRICE,
            {
                "description": "One unit for ninety-nine rupees.",
                "applies_to": "product",
                "max_items": 1,
                "item_priority": "most_expensive_first",
                "details": {
                    "spending_criteria_type": "minimum-quantity",
                    "products": [entry | {"minimum_quantity": 1, "offer_price": 99} for entry in each],
                },
            },
        ),
        "FREESHIP": (
            "Free delivery",
            OfferType.FREE_SHIPPING,
            {"description": "We pay for the delivery.", "details": {}},
        ),
        "BXGY": (
            "Second one at half price",
            OfferType.BUY_X_GET_Y,
            {
                "description": "Buy one, get another of the same at half price.",
                "applies_to": "product",
                "details": {
                    "spending_criteria_type": "minimum-quantity",
                    "products": [
                        {
                            "minimum_quantity": 1,
                            "buy_product_id": pk,
                            "get_product_id": pk,
                            "get_quantity": 1,
                            "get_offer_type": "discount",
                            "get_discount_percent": 50,
                        }
                        for pk in products
                    ],
                },
            },
        ),
        "VOLUME": (
            "The more, the cheaper",
            OfferType.VOLUME_BASED,
            {
                "description": "5% off a product, 10% from three units on, 15% from six.",
                "applies_to": "product",
                "details": {
                    "products": [
                        entry
                        | {
                            "slabs": [
                                {"quantity": 2, "condition": "less-or-equal", "discount_percent": 5},
                                {"quantity": 5, "condition": "less-or-equal", "discount_percent": 10},
                                {"quantity": 5, "condition": "greater", "discount_percent": 15},
                            ]
                        }
                        for entry in each
                    ],
                },
            },
        ),
        "REWARDS": (
            "100 bonus points",
            OfferType.ACCELERATED_REWARDS,
            {
                "description": "A hundred points beside those that the order earns.",
                "applies_to": "product",
                "details": {"category_id": [], "products": each, "bonus_loyalty_point": 100},
            },
        ),
        "LIMIT5": (
            "5% off for the first five",
            OfferType.DISCOUNT,
            {
                "description": "Five percent off for five orders in all.",
                "total_limit": 5,
                "details": {"discount_type": "percentage", "discount_percent": 5},
            },
        ),
    }
