"""How a promotion looks on a product (D-35): its contract block and the unit price that it leads to. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any

from storefront.contracts import Sku
from storefront.money import HUNDRED, ZERO

from .engine.rules import (
    EVERYTHING,
    AmountDiscount,
    FixedPrice,
    FreeGoods,
    Part,
    PercentageDiscount,
    Rule,
    Target,
    VolumeBased,
)
from .models import Eligibility, OfferType
from .rulebook import Book, LiveOffer
from .rules import json_number

Block = tuple[Decimal, dict[str, Any]]
_TYPES = {str(type_): str(type_) for type_ in OfferType} | {str(OfferType.FIXED_PRICE): str(OfferType.DISCOUNT)}


def promotion_type(type_: str) -> str:
    """The API knows no fixed price among promotions: it is a discount down to one."""
    return _TYPES.get(type_, type_)


def best(
    book: Book, sku: Sku, price: Decimal, category_ids: Collection[str], *, group_id: str | None, now: datetime
) -> tuple[LiveOffer, dict[str, Any]] | None:
    """The promotion that leads everybody of that group to the lowest unit price of a sku, with its `details`."""
    found = [
        (entry[0], offer.priority, offer.id, entry[1], offer)
        for offer in book.shown(sku, category_ids, now)
        if (offer.eligibility != Eligibility.GROUP or group_id in offer.audience)
        and (entry := block(offer.rule, sku, price, category_ids)) is not None
    ]
    if not found:
        return None
    _price, _priority, _id, details, offer = min(found, key=lambda entry: entry[:3])
    return offer, details


def block(rule: Rule, sku: Sku, price: Decimal, category_ids: Collection[str]) -> Block | None:
    """The unit price that a rule leads to, for as many units as that takes, and the contract's `details`. None when
    the rule does not mean the sku, or needs more than it."""
    found = [entry for entry in _blocks(rule, sku, price, category_ids) if entry[0] < price]
    return min(found, key=lambda entry: entry[0], default=None)


def _blocks(rule: Rule, sku: Sku, price: Decimal, category_ids: Collection[str]) -> list[Block]:
    def meant(target: Target) -> bool:
        return _meant(target, sku, category_ids)

    def counts(part: Part) -> bool:
        return (
            meant(part.target)
            and part.minimum_quantity <= 1
            and (part.minimum_value is None or part.minimum_value <= price)
            and (part.maximum_value is None or part.maximum_value >= price)
        )

    match rule:
        case PercentageDiscount():
            off = price * rule.percent / HUNDRED
            if not any(map(counts, rule.parts)) or (rule.maximum is not None and off > rule.maximum):
                return []
            details = {"discount_type": "percentage", "discount_percent": json_number(rule.percent)}
            return [(price - off, {"promotion_type": "discount", **details})]
        case AmountDiscount():
            if rule.once or not any(map(counts, rule.parts)):
                return []
            details = {"discount_type": "fixed-amount", "discount_fixed_amount": json_number(rule.amount)}
            return [(max(price - rule.amount, ZERO), {"promotion_type": "discount", **details})]
        case FixedPrice():
            return [
                (entry.price, {"promotion_type": "fixed-price", "offer_price": json_number(entry.price)})
                for entry in rule.prices
                if counts(entry.part)
            ]
        case VolumeBased():
            return [
                (
                    price - price * max(slab.percent for slab in volume.slabs) / HUNDRED,
                    {
                        "promotion_type": "volume-based",
                        "slabs": [
                            {"quantity_limit": slab.quantity, "discount_percent": json_number(slab.percent)}
                            for slab in volume.slabs
                        ],
                    },
                )
                for volume in rule.volumes
                if meant(volume.target)
            ]
        case FreeGoods():
            return [
                (
                    price * slab.quantity / (slab.quantity + slab.gift),
                    {"promotion_type": "free-goods", "buy_quantity": slab.quantity, "get_quantity": slab.gift},
                )
                for gift in rule.gifts
                for slab in gift.slabs
                if slab.quantity and meant(gift.target)
            ]
        case _:
            return []


def _meant(target: Target, sku: Sku, category_ids: Collection[str]) -> bool:
    if target == EVERYTHING:
        return True
    if target.category_id:
        return target.category_id in category_ids
    return (not target.product_id or target.product_id == sku.product_id) and (
        not target.variant_id or target.variant_id == sku.variant_id
    )
