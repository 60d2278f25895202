"""The rules, one class for each shape of the contract. `promotions.rules.parse` makes them from JSON.

Amounts are in the store's currency, quantities in units, percents between 0 and 100.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Lines that a rule means: of a variant, else of a product, else of a category with what lies below it."""

    product_id: str = ""
    variant_id: str = ""
    category_id: str = ""


EVERYTHING = Target()  # names nothing, so it leaves nothing out


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Lines that count once there are enough of them; and no more than so many units, or so much of their value."""

    target: Target
    minimum_quantity: int = 0
    maximum_quantity: int | None = None
    minimum_value: Decimal | None = None
    maximum_value: Decimal | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing but the target decides: every unit of every such line counts."""
        return (
            self.minimum_quantity <= 1
            and self.maximum_quantity is None
            and not self.minimum_value
            and self.maximum_value is None
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PercentageDiscount:
    percent: Decimal
    maximum: Decimal | None = None
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AmountDiscount:
    """An amount off the cart once, where it applies to everything; else off each unit that it names."""

    amount: Decimal
    parts: tuple[Part, ...]

    @property
    def once(self) -> bool:
        return self.parts[0].target == EVERYTHING


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferPrice:
    part: Part
    price: Decimal  # of one unit (D-29)


@dataclass(frozen=True, kw_only=True, slots=True)
class FixedPrice:
    prices: tuple[OfferPrice, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class GiftSlab:
    """From `quantity` units or, where that is 0, `amount` on: so many free units."""

    quantity: int = 0
    amount: Decimal = Decimal(0)
    gift: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Gift:
    """Free units of what was bought. `repeats`: once for each full slab; else the highest slab reached counts."""

    target: Target
    slabs: tuple[GiftSlab, ...]  # ascending; exactly one where it repeats
    repeats: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class FreeGoods:
    gifts: tuple[Gift, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """For each `buy_quantity` units or `buy_amount` of what `buy` names, `get_quantity` units of `get` cheaper."""

    buy: Target
    buy_quantity: int = 0
    buy_amount: Decimal = Decimal(0)
    get: Target
    get_quantity: int
    percent: Decimal  # 100: free


@dataclass(frozen=True, kw_only=True, slots=True)
class BuyXGetY:
    exchanges: tuple[Exchange, ...]
    maximum: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeSlab:
    quantity: int
    above: bool  # more than `quantity` units; else at most so many
    percent: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Volume:
    target: Target
    slabs: tuple[VolumeSlab, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeBased:
    volumes: tuple[Volume, ...]
    maximum: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceleratedRewards:
    """So many points once, when any of the parts is in the basket."""

    points: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FreeShipping:
    pass


Rule = (
    PercentageDiscount
    | AmountDiscount
    | FixedPrice
    | FreeGoods
    | BuyXGetY
    | VolumeBased
    | AcceleratedRewards
    | FreeShipping
)


def needs(rule: Rule) -> tuple[Target, ...]:
    """What the basket must hold one of, or the rule does nothing; EVERYTHING where any line will do."""
    match rule:
        case PercentageDiscount() | AmountDiscount() | AcceleratedRewards():
            return tuple([part.target for part in rule.parts])
        case FixedPrice():
            return tuple([price.part.target for price in rule.prices])
        case FreeGoods():
            return tuple([gift.target for gift in rule.gifts])
        case BuyXGetY():
            return tuple([exchange.get for exchange in rule.exchanges])
        case VolumeBased():
            return tuple([volume.target for volume in rule.volumes])
        case FreeShipping():
            return (EVERYTHING,)


def reads(rule: Rule) -> tuple[Target, ...]:
    """The lines on which the effect of a rule depends: what others do to the rest of a basket changes nothing for it."""
    if isinstance(rule, BuyXGetY):
        return tuple([target for exchange in rule.exchanges for target in (exchange.buy, exchange.get)])
    return needs(rule)
