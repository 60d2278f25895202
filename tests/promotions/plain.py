"""The sequence of promotions as decision D-34 says it, without any thought of what it costs: an oracle for the engine."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from promotions.engine.basket import Basket, Effect
from promotions.engine.effects import effect
from promotions.engine.rules import PercentageDiscount
from promotions.engine.sequence import Candidate
from storefront.money import ZERO, Currency

Plain = list[tuple[str, Effect, Decimal]]


def choose(candidates: Iterable[Candidate], basket: Basket, *, currency: Currency) -> Plain:
    """Every promotion is worked out alone, and again on what those before it left."""
    alone = [
        (candidate, found)
        for candidate in candidates
        if candidate.minimum <= basket.total
        and (found := effect(candidate.rule, basket, currency=currency, limit=candidate.limit))
    ]
    alone.sort(key=lambda entry: (entry[0].priority, -entry[1].saving(basket), entry[0].id))
    together: Plain = []
    left, given = list(basket.amounts), dict.fromkeys(basket.everything, 0)
    for candidate, _found in alone:
        if not candidate.combinable:
            continue
        now = effect(candidate.rule, basket, currency=currency, left=left, given=given, limit=candidate.limit)
        if now:
            together.append((candidate.id, now, now.saving(basket)))
            for index, share in now.discounts.items():
                left[index] -= share
            for index, units in now.gifts.items():
                given[index] += units
    choices = [together]
    choices += [[(one.id, found, found.saving(basket))] for one, found in alone if not one.combinable]
    return max(choices, key=lambda choice: (sum((saving for _id, _effect, saving in choice), ZERO), bool(choice)))


def percent_off_products(rule: PercentageDiscount, basket: Basket, *, currency: Currency) -> dict[int, Decimal]:
    """Of a rule with nothing but a percentage: off each line that one of its parts names, once."""
    shares = {}
    for index in basket.everything:
        if any(index in basket.matching(part.target) for part in rule.parts):
            share = (basket.amounts[index] * rule.percent / 100).quantize(currency.unit, "ROUND_HALF_UP")
            if share:
                shares[index] = share
    return shares
