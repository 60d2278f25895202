"""Which location sends what. Pure: the same stock and the same order of locations give the same answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType

from storefront.contracts import Sku

StockOf = Mapping[Sku, Mapping[str, int | None]]  # by location id; None: any number of it
Recipes = Mapping[
    Sku, Sequence[tuple[Sku, int]]
]  # of what shares stock: which skus one unit takes, and how many of each
NO_RECIPES: Recipes = MappingProxyType({})
MAX_TRIES = 300  # groups of locations that are tried before a good answer has to do instead of the best


@dataclass(frozen=True, slots=True)
class Allocation:
    """`sent`: what each location sends, in the order of the locations. `missing`: units that none can send."""

    sent: dict[str, dict[Sku, int]]
    missing: dict[Sku, int]


def held(stock: StockOf, sku: Sku, location_id: str, wanted: int) -> int:
    """How many of `wanted` units lie there."""
    there = stock.get(sku, {}).get(location_id, 0)
    return wanted if there is None else max(0, min(there, wanted))


def fitting(stock: StockOf, wanted: Mapping[Sku, int], location_id: str, recipes: Recipes) -> dict[Sku, int]:
    """How many of all that is wanted lie there together, bundles first: they take the units of what they hold."""
    left: dict[Sku, int] = {}
    found: dict[Sku, int] = {}
    for sku in sorted(wanted, key=lambda sku: sku not in recipes):
        units = held(stock, sku, location_id, wanted[sku])
        limits: list[tuple[Sku, int]] = []
        for part, each in recipes.get(sku, ((sku, 1),)):
            there = stock[part].get(location_id, 0) if part in stock else None
            if there is not None:
                limits.append((part, each))
                units = min(units, max(0, left.setdefault(part, there)) // each)
        for part, each in limits:
            left[part] -= units * each
        if units:
            found[sku] = units
    return found


def allocate(
    wanted: Mapping[Sku, int],
    stock: StockOf,
    locations: Sequence[str],
    *,
    split: bool,
    recipes: Recipes = NO_RECIPES,
) -> Allocation:
    """From as few locations as possible, the earlier ones first; with `split` False from one alone.

    One location that has all of it always wins. A sku is divided only when no location that takes part has enough.
    What cannot be sent is missing, and the rest is sent from as few locations as that needs. Where bundles and what
    they hold would take the same units, each location gives what it can, in turn.
    """
    if not wanted:
        return Allocation({}, {})
    if not locations:
        return Allocation({}, dict(wanted))
    reach = {
        location: {sku: units for sku, count in wanted.items() if (units := held(stock, sku, location, count))}
        for location in locations
    }
    useful = [location for location in locations if reach[location]]
    if split:
        possible = {
            sku: min(count, sum(reach[location].get(sku, 0) for location in useful)) for sku, count in wanted.items()
        }
        chosen = _fewest({sku: count for sku, count in possible.items() if count}, reach, useful)
    else:
        best = max(useful, key=lambda location: sum(reach[location].values()), default=None)
        chosen = [] if best is None else [best]
        possible = {sku: reach[best].get(sku, 0) if best else 0 for sku in wanted}
    sent: dict[str, dict[Sku, int]] = {location: {} for location in chosen}
    for sku, count in possible.items():
        whole = next((location for location in chosen if reach[location].get(sku, 0) >= count), None)
        left = count
        for location in [whole] if whole else chosen:
            units = min(left, reach[location].get(sku, 0))
            if units:
                sent[location][sku] = units
                left -= units
    if recipes and any(fitting(stock, units, location, recipes) != units for location, units in sent.items()):
        return _in_turn(wanted, stock, locations, recipes, split=split)
    missing = {sku: count - possible[sku] for sku, count in wanted.items() if count > possible[sku]}
    return Allocation({location: units for location, units in sent.items() if units}, missing)


def _in_turn(
    wanted: Mapping[Sku, int], stock: StockOf, locations: Sequence[str], recipes: Recipes, *, split: bool
) -> Allocation:
    senders = list(locations)
    if not split:
        senders = [max(locations, key=lambda location: sum(fitting(stock, wanted, location, recipes).values()))]
    left, sent = dict(wanted), {}
    for location in senders:
        units = fitting(stock, left, location, recipes)
        if units:
            sent[location] = units
        left = {sku: count - units.get(sku, 0) for sku, count in left.items() if count > units.get(sku, 0)}
    return Allocation(sent, left)


def _fewest(wanted: Mapping[Sku, int], reach: Mapping[str, Mapping[Sku, int]], useful: Sequence[str]) -> list[str]:
    """The smallest group of locations that has all of `wanted`, of equal ones the first. All of them together do."""
    tries = 0
    for size in range(1, len(useful)):
        for group in combinations(useful, size):
            tries += 1
            if tries > MAX_TRIES:
                return _greedy(wanted, reach, useful)
            if all(sum(reach[location].get(sku, 0) for location in group) >= count for sku, count in wanted.items()):
                return list(group)
    return list(useful)


def _greedy(wanted: Mapping[Sku, int], reach: Mapping[str, Mapping[Sku, int]], useful: Sequence[str]) -> list[str]:
    """A small group: again and again the location that has most of what is still wanted."""
    left, chosen = dict(wanted), []
    while left:
        best = max(
            (location for location in useful if location not in chosen),
            key=lambda location: sum(min(count, reach[location].get(sku, 0)) for sku, count in left.items()),
        )
        chosen.append(best)
        left = {sku: count - reach[best].get(sku, 0) for sku, count in left.items() if count > reach[best].get(sku, 0)}
    return [location for location in useful if location in chosen]
