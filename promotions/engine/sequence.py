"""Which promotions apply together, and in which order (D-25, D-34)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from storefront.money import ZERO, Currency

from .basket import Basket, Effect, Limit
from .effects import effect
from .rules import Rule, reads


class Candidate(NamedTuple):
    """A promotion that this shopper may have now."""

    id: str
    rule: Rule
    priority: int = 100
    combinable: bool = False
    limit: Limit | None = None
    minimum: Decimal = ZERO  # of the basket before promotions


class Applied(NamedTuple):
    id: str
    effect: Effect
    saving: Decimal


def choose(candidates: Iterable[Candidate], basket: Basket, *, currency: Currency) -> tuple[Applied, ...]:
    """The promotions that apply, in sequence, each on what those before it left.

    By priority, the lowest number first; ties by the larger saving alone, then by id. One that is not combinable
    stands alone: it applies if it saves more than all combinable ones together and than any other that stands alone.
    In a tie the combinable ones apply, then the earlier in sequence.
    """
    alone: list[tuple[tuple[int, Decimal, str], Candidate, Applied]] = []
    for candidate in candidates:
        if candidate.minimum > basket.total:
            continue
        found = effect(candidate.rule, basket, currency=currency, limit=candidate.limit)
        if found:
            applied = Applied(candidate.id, found, found.saving(basket))
            alone.append(((candidate.priority, -applied.saving, candidate.id), candidate, applied))
    alone.sort(key=lambda entry: entry[0])
    together = _together(
        [(candidate, applied) for _key, candidate, applied in alone if candidate.combinable], basket, currency
    )
    choices = [together, *((applied,) for _key, candidate, applied in alone if not candidate.combinable)]
    return max(choices, key=_worth)  # the first of those that are worth the same


def _worth(choice: tuple[Applied, ...]) -> tuple[Decimal, bool]:
    """Free shipping has no price yet, but is better than nothing."""
    return sum((applied.saving for applied in choice), ZERO), bool(choice)


def _together(candidates: list[tuple[Candidate, Applied]], basket: Basket, currency: Currency) -> tuple[Applied, ...]:
    """Each on what those before it left. One whose lines nobody before it touched does what it does alone: most
    promotions of a full basket are about products of their own, and need not be worked out twice."""
    left = list(basket.amounts)
    given: dict[int, int] = {}
    touched: set[int] = set()
    found: list[Applied] = []
    for candidate, alone in candidates:
        applied = alone
        if touched and _any_of(touched, candidate.rule, basket):
            now = effect(candidate.rule, basket, currency=currency, left=left, given=given, limit=candidate.limit)
            if not now:
                continue
            applied = Applied(candidate.id, now, now.saving(basket))
        for index, share in applied.effect.discounts.items():
            left[index] -= share
            touched.add(index)
        for index, units in applied.effect.gifts.items():
            given[index] = given.get(index, 0) + units
            touched.add(index)
        found.append(applied)
    return tuple(found)


def _any_of(touched: set[int], rule: Rule, basket: Basket) -> bool:
    return any(not touched.isdisjoint(basket.matching(target)) for target in reads(rule))
