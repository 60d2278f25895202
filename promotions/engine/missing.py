"""What a basket lacks for a rule to do something: for telling shoppers what to add."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from storefront.money import ZERO

from .basket import Basket
from .rules import (
    AcceleratedRewards,
    AmountDiscount,
    BuyXGetY,
    Exchange,
    FixedPrice,
    FreeGoods,
    FreeShipping,
    Part,
    PercentageDiscount,
    Rule,
    Target,
    VolumeBased,
)


class Missing(NamedTuple):
    """So many units, or units for so much, of what `target` means. Both 0: it is there, but there are no more of it."""

    target: Target
    quantity: int = 0
    amount: Decimal = ZERO


def missing(rule: Rule, basket: Basket, left: Sequence[Decimal]) -> Missing | None:
    """The shortest way to an effect: of what the basket has some of already, else of the first that the rule names.

    None when nothing can be added that helps.
    """
    found = [entry for entry in _ways(rule, basket, left) if entry is not None]
    if not found:
        return None
    begun = [entry for entry in found if basket.matching(entry.target)]
    return (begun or found)[0]


def _ways(rule: Rule, basket: Basket, left: Sequence[Decimal]) -> list[Missing | None]:
    match rule:
        case PercentageDiscount() | AmountDiscount() | AcceleratedRewards():
            return [_of_part(part, basket, left) for part in rule.parts]
        case FixedPrice():
            return [_of_part(price.part, basket, left) for price in rule.prices]
        case VolumeBased():
            return [
                Missing(volume.target, max(1, least - _quantity(basket, volume.target)))
                for volume in rule.volumes
                if (least := min((slab.quantity + 1 if slab.above else 1 for slab in volume.slabs), default=0))
            ]
        case FreeGoods():
            ways: list[Missing | None] = []
            for gift in rule.gifts:
                slab = gift.slabs[0]
                part = Part(target=gift.target, minimum_quantity=slab.quantity, minimum_value=slab.amount or None)
                ways.append(_of_part(part, basket, left) or Missing(gift.target))
            return ways
        case BuyXGetY():
            return [_of_exchange(exchange, basket, left) for exchange in rule.exchanges]
        case FreeShipping():
            return []


def _of_part(part: Part, basket: Basket, left: Sequence[Decimal]) -> Missing | None:
    found = basket.matching(part.target)
    lacking = max(part.minimum_quantity, 1) - sum(basket.items[index].quantity for index in found)
    if lacking > 0:
        return Missing(part.target, lacking)
    short = (part.minimum_value or ZERO) - sum((left[index] for index in found), ZERO)
    return Missing(part.target, amount=short) if short > 0 else None


def _of_exchange(exchange: Exchange, basket: Basket, left: Sequence[Decimal]) -> Missing | None:
    buy = _of_part(
        Part(target=exchange.buy, minimum_quantity=exchange.buy_quantity, minimum_value=exchange.buy_amount or None),
        basket,
        left,
    )
    return buy or Missing(exchange.get, exchange.get_quantity)


def _quantity(basket: Basket, target: Target) -> int:
    return sum(basket.items[index].quantity for index in basket.matching(target))
