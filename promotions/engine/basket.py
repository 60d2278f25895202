"""The lines that an offer may work on, and what it does to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

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


class Basket:
    """Items in the order of their skus, so that no result depends on the order of lines."""

    __slots__ = ("_categories", "_products", "_variants", "amounts", "everything", "items", "total")

    def __init__(self, items: Iterable[Item]) -> None:
        self.items: tuple[Item, ...] = tuple(sorted(items, key=lambda item: (item.sku, item.position)))
        self.amounts: tuple[Decimal, ...] = tuple([item.amount for item in self.items])
        self.total: Decimal = sum(self.amounts, ZERO)
        self.everything: Sequence[int] = range(len(self.items))
        self._products: dict[str, list[int]] = {}
        self._variants: dict[str, list[int]] = {}
        self._categories: dict[str, list[int]] = {}
        for index, item in enumerate(self.items):
            self._products.setdefault(item.sku.product_id, []).append(index)
            if item.sku.variant_id:
                self._variants.setdefault(item.sku.variant_id, []).append(index)
            for category_id in item.category_ids:
                self._categories.setdefault(category_id, []).append(index)

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


@dataclass(frozen=True, slots=True)
class Effect:
    """What an offer does. Keys are indexes of a basket's items; falsy when it does nothing."""

    discounts: Mapping[int, Decimal] = field(default_factory=dict)  # off the whole line, above zero
    gifts: Mapping[int, int] = field(default_factory=dict)  # free units, above zero
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
