"""Which promotions apply together, and in which order (D-25, D-34)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from storefront.money import ZERO, Currency

from .basket import Basket, Effect, Limit
from .effects import effect
from .rules import Rule


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
    left = list(basket.amounts)
    given: dict[int, int] = {}
    found: list[Applied] = []
    for candidate, alone in candidates:
        if found:
            now = effect(candidate.rule, basket, currency=currency, left=left, given=given, limit=candidate.limit)
        else:
            now = alone.effect
        if not now:
            continue
        for index, share in now.discounts.items():
            left[index] -= share
        for index, units in now.gifts.items():
            given[index] = given.get(index, 0) + units
        found.append(Applied(candidate.id, now, now.saving(basket)))
    return tuple(found)
