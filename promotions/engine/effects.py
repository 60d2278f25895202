"""What each rule does to a basket of which earlier offers left so much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

from storefront.money import HUNDRED, ZERO, Currency, allocate, rounded

from .basket import NOTHING, Basket, Effect, Limit
from .rules import (
    AcceleratedRewards,
    AmountDiscount,
    BuyXGetY,
    Exchange,
    FixedPrice,
    FreeGoods,
    FreeShipping,
    Gift,
    Part,
    PercentageDiscount,
    Rule,
    Volume,
    VolumeBased,
)

CHEAPEST = "cheapest_first"
NONE_GIVEN: Mapping[int, int] = {}


def effect(
    rule: Rule,
    basket: Basket,
    *,
    currency: Currency,
    left: Sequence[Decimal] | None = None,
    given: Mapping[int, int] = NONE_GIVEN,
    limit: Limit | None = None,
) -> Effect:
    """`left` is what earlier offers left of each item's amount (all of it unless said), `given` the units they gave.

    No discount is above what is left of its item. The same basket gives the same effect, however its lines stand.
    """
    work = _Work(basket, basket.amounts if left is None else left, given, limit, currency)
    match rule:
        case PercentageDiscount():
            return work.percentage(rule)
        case AmountDiscount():
            return work.amount(rule)
        case FixedPrice():
            return work.fixed_price(rule)
        case VolumeBased():
            return work.volume_based(rule)
        case BuyXGetY():
            return work.buy_x_get_y(rule)
        case FreeGoods():
            return work.free_goods(rule)
        case AcceleratedRewards():
            reached = any(work.reached(part) for part in rule.parts)
            return Effect(points=rule.points) if reached else NOTHING
        case FreeShipping():
            return Effect(free_shipping=True) if basket.items else NOTHING


def percent_of_slab(volume: Volume, quantity: int) -> Decimal:
    """What a volume gives for so many units: the tightest "at most", the highest "more than", the better of both."""
    at_most = next((slab.percent for slab in volume.slabs if not slab.above and quantity <= slab.quantity), ZERO)
    above = next((slab.percent for slab in reversed(volume.slabs) if slab.above and quantity > slab.quantity), ZERO)
    return max(at_most, above)


def gift_units(gift: Gift, *, quantity: int, value: Decimal) -> int:
    """How many free units so many units, or so much money, earn; stock aside."""
    if gift.repeats:
        slab = gift.slabs[0]
        times = quantity // slab.quantity if slab.quantity else int(value // slab.amount)
        return times * slab.gift
    reached = [
        slab.gift for slab in gift.slabs if (quantity >= slab.quantity if slab.quantity else value >= slab.amount)
    ]
    return reached[-1] if reached else 0


class _Work:
    """One rule at work. Items are named by their indexes, `units` says how many of each count."""

    def __init__(
        self,
        basket: Basket,
        left: Sequence[Decimal],
        given: Mapping[int, int],
        limit: Limit | None,
        currency: Currency,
    ) -> None:
        self.basket = basket
        self.items = basket.items
        self.left = left
        self.given = given
        self.limit = limit
        self.currency = currency

    # --- discounts ----------------------------------------------------------------------------------------------
    def percentage(self, rule: PercentageDiscount) -> Effect:
        part = rule.parts[0]
        if len(rule.parts) == 1 and self.limit is None and part.whole:  # most promotions: there is nothing to weigh
            bases = {index: self.left[index] for index in self.basket.matching(part.target)}
        else:
            bases = self._bases(rule)
        if len(rule.parts) == 1 and not _names_any(rule.parts[0]):  # off the cart: rounded once, then shared
            total = rounded(sum(bases.values(), ZERO) * rule.percent / HUNDRED, self.currency)
            return self._discounts(self._shared(total, bases), rule.maximum)
        return self._discounts(
            {index: self._percent(base, rule.percent) for index, base in bases.items()}, rule.maximum
        )

    def _bases(self, rule: PercentageDiscount) -> dict[int, Decimal]:
        """What the percentage is taken of: of a line that several parts mean, of the most that counts."""
        bases: dict[int, Decimal] = {}
        for part, units in self._counting(rule.parts):
            values = self._at_most({index: self.value(index, units[index]) for index in units}, part.maximum_value)
            for index, value in values.items():
                bases[index] = max(value, bases.get(index, ZERO))
        return bases

    def amount(self, rule: AmountDiscount) -> Effect:
        shares: dict[int, Decimal] = {}
        for _part, units in self._counting(rule.parts, whole=True):
            values = {index: self.value(index, units[index]) for index in units}
            if rule.once:
                total = min(rounded(rule.amount, self.currency), sum(values.values(), ZERO))
                return self._discounts(self._shared(total, values))
            for index, value in values.items():
                share = min(value, rounded(rule.amount * units[index], self.currency))
                shares[index] = max(share, shares.get(index, ZERO))
        return self._discounts(shares)

    def fixed_price(self, rule: FixedPrice) -> Effect:
        shares: dict[int, Decimal] = {}
        counting = self._counting([price.part for price in rule.prices], whole=True)
        prices = {price.part: price.price for price in reversed(rule.prices)}
        for part, units in counting:
            for index, count in units.items():
                share = self.value(index, count) - rounded(prices[part] * count, self.currency)
                shares[index] = max(share, shares.get(index, ZERO))
        return self._discounts(shares)

    def volume_based(self, rule: VolumeBased) -> Effect:
        percents: dict[int, Decimal] = {}
        for volume in rule.volumes:
            found = self.basket.matching(volume.target)
            percent = percent_of_slab(volume, sum(self.items[index].quantity for index in found))
            if percent:
                for index in found:
                    percents[index] = max(percent, percents.get(index, ZERO))
        units = self._limited({index: self.items[index].quantity for index in percents})
        shares = {index: self._percent(self.value(index, count), percents[index]) for index, count in units.items()}
        return self._discounts(shares, rule.maximum)

    def buy_x_get_y(self, rule: BuyXGetY) -> Effect:
        shares: dict[int, Decimal] = {}
        rewarded: dict[int, int] = {}
        room = None if self.limit is None else self.limit.units
        for exchange in rule.exchanges:
            found = self._exchanged(exchange, rewarded, room)
            for index, count in found.items():
                rewarded[index] = rewarded.get(index, 0) + count
                share = self._percent(self.value(index, count), exchange.percent)
                shares[index] = min(shares.get(index, ZERO) + share, self.left[index])
            if room is not None:
                room -= sum(found.values())
        return self._discounts(shares, rule.maximum)

    def _exchanged(self, exchange: Exchange, rewarded: Mapping[int, int], room: int | None) -> dict[int, int]:
        """The units of one exchange that become cheaper: as many as the rest of the basket pays for in full triggers.

        A unit is either part of a trigger or cheaper, never both. Cheapest first (D-28), unless a limit says otherwise.
        """
        buy = {index: self._remaining(index, rewarded) for index in self.basket.matching(exchange.buy)}
        get = [index for index in self.basket.matching(exchange.get) if self.left[index]]
        if not buy or not get:
            return {}
        get = self._ordered(get)
        possible = sum(self._remaining(index, rewarded) for index in get)
        if room is not None:
            possible = min(possible, room)

        def picked(count: int) -> dict[int, int]:
            taken: dict[int, int] = {}
            for index in get:
                if count <= 0:
                    break
                units = min(self._remaining(index, rewarded), count)
                if units:
                    taken[index] = units
                    count -= units
            return taken

        def affordable(taken: Mapping[int, int]) -> int:
            if exchange.buy_quantity:
                paid = sum(units - taken.get(index, 0) for index, units in buy.items())
                return paid // exchange.buy_quantity * exchange.get_quantity
            worth = sum(
                (
                    self.left[index] * (units - taken.get(index, 0)) / self.items[index].quantity
                    for index, units in buy.items()
                ),
                ZERO,
            )
            return int(worth // exchange.buy_amount) * exchange.get_quantity

        low, high = 0, min(possible, affordable({}))  # more units cheaper leave less to pay for them
        while low < high:
            middle = (low + high + 1) // 2
            if affordable(picked(middle)) >= middle:
                low = middle
            else:
                high = middle - 1
        return picked(low)

    def _remaining(self, index: int, rewarded: Mapping[int, int]) -> int:
        return self.items[index].quantity - rewarded.get(index, 0)

    # --- gifts --------------------------------------------------------------------------------------------------
    def free_goods(self, rule: FreeGoods) -> Effect:
        wanted: dict[int, int] = {}
        for gift in rule.gifts:
            found = self.basket.matching(gift.target)
            if not found:
                continue
            units = gift_units(
                gift,
                quantity=sum(self.items[index].quantity for index in found),
                value=sum((self.left[index] for index in found), ZERO),
            )
            for index, count in self._in_stock(found, units).items():
                wanted[index] = max(count, wanted.get(index, 0))
        gifts = {index: count for index, count in self._limited(wanted).items() if count}
        return Effect(gifts=gifts) if gifts else NOTHING

    def _in_stock(self, indexes: Iterable[int], units: int) -> dict[int, int]:
        """`units` of these items, of the cheapest that there are more of."""
        taken: dict[int, int] = {}
        for index in sorted(indexes, key=lambda index: (self.items[index].unit_price, index)):
            spare = self.items[index].spare
            count = units if spare is None else min(units, max(spare - self.given.get(index, 0), 0))
            if count:
                taken[index] = count
                units -= count
            if not units:
                break
        return taken

    # --- what counts --------------------------------------------------------------------------------------------
    def reached(self, part: Part, *, whole: bool = False) -> dict[int, int]:
        """The units that a part means, or none before its minimum. `whole`: what its maximum value holds in full."""
        found = self.basket.matching(part.target)
        if not found:
            return {}
        if part.minimum_quantity > 1 and sum(self.items[index].quantity for index in found) < part.minimum_quantity:
            return {}
        if part.minimum_value and sum((self.left[index] for index in found), ZERO) < part.minimum_value:
            return {}
        units = {index: self.items[index].quantity for index in found}
        if part.maximum_quantity is not None:
            units = self._first(units, part.maximum_quantity)
        if whole and part.maximum_value is not None:
            units = self._worth(units, part.maximum_value)
        return units

    def _counting(self, parts: Sequence[Part], *, whole: bool = False) -> list[tuple[Part, dict[int, int]]]:
        """The parts that are reached, with their units as far as the limit of the whole offer goes."""
        found = [(part, units) for part in parts if (units := self.reached(part, whole=whole))]
        if self.limit is None:
            return found
        most: dict[int, int] = {}
        for _part, units in found:
            for index, count in units.items():
                most[index] = max(count, most.get(index, 0))
        allowed = self._limited(most)
        return [
            (part, {index: min(count, allowed[index]) for index, count in units.items() if allowed.get(index)})
            for part, units in found
        ]

    def _limited(self, units: dict[int, int]) -> dict[int, int]:
        return units if self.limit is None else self._first(units, self.limit.units)

    def _first(self, units: Mapping[int, int], room: int) -> dict[int, int]:
        taken: dict[int, int] = {}
        for index in self._ordered(units):
            count = min(units[index], room)
            if count <= 0:
                continue
            taken[index] = count
            room -= count
        return taken

    def _worth(self, units: Mapping[int, int], room: Decimal) -> dict[int, int]:
        taken: dict[int, int] = {}
        for index in self._ordered(units):
            price = self.items[index].unit_price
            count = min(units[index], int(room // price)) if price else units[index]
            if count > 0:
                taken[index] = count
                room -= price * count
        return taken

    def _ordered(self, indexes: Iterable[int]) -> list[int]:
        """In the order of the limit, cheapest first without one; ties by sku."""
        order = CHEAPEST if self.limit is None else self.limit.order
        if order == "first_added":
            return sorted(indexes, key=lambda index: self.items[index].position)
        sign = 1 if order == CHEAPEST else -1
        return sorted(indexes, key=lambda index: (sign * self.items[index].unit_price, index))

    # --- money --------------------------------------------------------------------------------------------------
    def value(self, index: int, units: int) -> Decimal:
        """What is left to pay for so many units of an item."""
        quantity = self.items[index].quantity
        if units >= quantity:
            return self.left[index]
        return rounded(self.left[index] * units / quantity, self.currency)

    def _percent(self, base: Decimal, percent: Decimal) -> Decimal:
        return (base * percent / HUNDRED).quantize(self.currency.unit, ROUND_HALF_UP)

    def _shared(self, total: Decimal, weights: Mapping[int, Decimal]) -> dict[int, Decimal]:
        """`total` over items in proportion, ties to the earlier sku, none above its weight."""
        indexes = sorted(index for index in weights if weights[index])
        if not indexes:
            return {}
        shares = allocate(total, [weights[index] for index in indexes], self.currency)
        return dict(zip(indexes, shares, strict=True))

    def _at_most(self, values: dict[int, Decimal], maximum: Decimal | None) -> dict[int, Decimal]:
        if maximum is None or sum(values.values(), ZERO) <= maximum:
            return values
        return self._shared(rounded(maximum, self.currency), values)

    def _discounts(self, shares: Mapping[int, Decimal], maximum: Decimal | None = None) -> Effect:
        found = {index: share for index, share in shares.items() if share > 0}
        if maximum is not None:
            found = {index: share for index, share in self._at_most(found, maximum).items() if share > 0}
        if not found:
            return NOTHING
        return Effect(discounts=found if len(found) == 1 else dict(sorted(found.items())))


def _names_any(part: Part) -> bool:
    return bool(part.target.product_id or part.target.variant_id or part.target.category_id)
