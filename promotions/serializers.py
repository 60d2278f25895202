"""Offers in the contract's shapes, today's and the older ones."""

from __future__ import annotations

from typing import Any

from .models import OfferType
from .rulebook import LiveOffer
from .selectors import Listed


def coupon(found: Listed) -> dict[str, Any]:
    """The contract's `Coupon`."""
    offer = found.offer
    limit = offer.limit
    return _common(found) | {
        "coupon_type": offer.type,
        "coupon_code": found.codes,
        "application_rules": (
            None if limit is None else {"max_applicable_items": limit.units, "application_priority": limit.order}
        ),
        "can_be_used_with_promotion": offer.combinable,
    }


def promotion(found: Listed) -> dict[str, Any]:
    """The contract's `Promotion`."""
    return _common(found) | {
        "promotion_type": found.offer.type,
        "can_be_used_with_other_promotion": found.offer.combinable,
    }


def is_listed_promotion(found: Listed) -> bool:
    """The API knows no fixed price among promotions; such a one is seen on its products."""
    return found.offer.type != OfferType.FIXED_PRICE


def _common(found: Listed) -> dict[str, Any]:
    offer = found.offer
    limits = {
        "total_redemptions": offer.total_limit,
        "per_customer_redemptions": offer.customer_limit,
        "per_coupon_code_redemptions": offer.code_limit,
    }
    out: dict[str, Any] = {
        "id": offer.id,
        "name": offer.name,
        "description": offer.description or None,
        "tags": list(offer.tags),
        "redemption_limits": limits if any(limits.values()) else None,
        "redemption_count": found.redemption_count,
        "minimum_order_total": float(offer.minimum),
        "starts_at": offer.starts_at,
        "expires_at": offer.expires_at,
    }
    if offer.type != OfferType.FREE_SHIPPING:
        out |= {"details": offer.details, "applies_to_product": offer.applies_to}
    return out


def older_coupons(found: Listed) -> list[dict[str, Any]]:
    """The contract's `LegacyCoupon`, once for each code."""
    return [
        {"code": code, "coupon_type": found.offer.type, **_older(found.offer, found.redemption_count)}
        for code in found.codes
    ]


def older_promotion(found: Listed) -> dict[str, Any]:
    """The contract's `LegacyPromotion`."""
    offer = found.offer
    return {"id": offer.id, "promotion_type": offer.type, **_older(offer, found.redemption_count)}


def _older(offer: LiveOffer, redemption_count: int) -> dict[str, Any]:
    """Nothing is null here: what has no value is 0, or left out where 0 would be a lie."""
    out: dict[str, Any] = {
        "name": offer.name,
        "description": offer.description,
        "tags": list(offer.tags),
        "details": dict(offer.details),
        "has_redemption_limit": offer.total_limit is not None,
        "redemption_limit": offer.total_limit or 0,
        "redemption_count": redemption_count,
        "require_minimum_order_total": bool(offer.minimum),
        "minimum_order_total": float(offer.minimum),
        "for_first_time_customer_only": offer.first_order_only,
        "terms_and_conditions": [line.strip() for line in offer.terms.splitlines() if line.strip()],
        "starts_at": offer.starts_at,
        "created_at": offer.created_at,
        "modified_at": offer.modified_at,
    }
    return out if offer.expires_at is None else out | {"expires_at": offer.expires_at}
