"""The lines that an offer may work on, and what it does to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple

from storefront.contracts import Sku
from storefront.money import ZERO

from .rules import Target


class Item(NamedTuple):
    """A line that is paid. `spare` is how many more units there are beside those in the cart; None for no end."""

    sku: Sku
    quantity: int
    unit_price: Decimal
    amount: Decimal  # of the whole line, before discounts
    category_ids: tuple[str, ...] = ()
    spare: int | None = None
    position: int = 0  # in the cart, oldest first


NONE: Mapping[int, Any] = MappingProxyType({})
_BY_SKU = attrgetter("sku", "position")


class Basket:
    """Items in the order of their skus, so that no result depends on the order of lines."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.items: tuple[Item, ...] = tuple(sorted(items, key=_BY_SKU))
        self.amounts: tuple[Decimal, ...] = tuple([item.amount for item in self.items])
        self.total: Decimal = sum(self.amounts, ZERO)
        self.everything: Sequence[int] = range(len(self.items))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Basket) and self.items == other.items

    def __hash__(self) -> int:
        return hash(self.items)

    @cached_property
    def _products(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for index, item in enumerate(self.items):
            found.setdefault(item.sku.product_id, []).append(index)
        return found

    @cached_property
    def _variants(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for index, item in enumerate(self.items):
            if item.sku.variant_id:
                found.setdefault(item.sku.variant_id, []).append(index)
        return found

    @cached_property
    def _categories(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for index, item in enumerate(self.items):
            for category_id in item.category_ids:
                found.setdefault(category_id, []).append(index)
        return found

    @property
    def product_ids(self) -> Iterable[str]:
        return self._products

    @property
    def variant_ids(self) -> Iterable[str]:
        return self._variants

    @property
    def category_ids(self) -> Iterable[str]:
        return self._categories

    def matching(self, target: Target) -> Sequence[int]:
        """The indexes of the items that a target means."""
        if target.variant_id:
            found = self._variants.get(target.variant_id, ())
            if target.product_id:
                return [index for index in found if self.items[index].sku.product_id == target.product_id]
            return found
        if target.product_id:
            return self._products.get(target.product_id, ())
        if target.category_id:
            return self._categories.get(target.category_id, ())
        return self.everything


class Limit(NamedTuple):
    """No more than so many units, these first: cheapest_first, most_expensive_first or first_added."""

    units: int
    order: str


class Effect(NamedTuple):
    """What an offer does. Keys are indexes of a basket's items; falsy when it does nothing."""

    discounts: Mapping[int, Decimal] = NONE  # off the whole line, above zero
    gifts: Mapping[int, int] = NONE  # free units, above zero
    free_shipping: bool = False
    points: int = 0

    def __bool__(self) -> bool:
        return bool(self.discounts or self.gifts or self.free_shipping or self.points)

    def saving(self, basket: Basket) -> Decimal:
        """What it takes off, with what gifts would cost; shipping is not known here."""
        saved = sum(self.discounts.values(), ZERO)
        if self.gifts:
            saved += sum((basket.items[index].unit_price * units for index, units in self.gifts.items()), ZERO)
        return saved


NOTHING = Effect()
