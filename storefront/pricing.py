"""The pricing pipeline: pure steps over a frozen quote (decision D-25). Never imports Django.

A step fetches its facts in `gather`, batched, once per quote; computes in `apply`, without clock, rows or network;
and rounds once per line. Every total is a sum of rounded parts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from storefront.contracts import Sellable, Sku
from storefront.money import ZERO, Currency, rounded, tax_inside, tax_on


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One sku in the quote. Amounts are in `Quote.currency`; `discounts` are (source, amount >= 0 off the line)."""

    sku: Sku
    quantity: int  # >= 1, free units included
    sellable: Sellable | None = None  # None: cannot be bought any more
    free_quantity: int = 0
    is_free_item: bool = False
    unit_price: Decimal = ZERO  # selling price as the store shows it, with or without tax
    discounts: tuple[tuple[str, Decimal], ...] = ()
    net: Decimal = ZERO  # after discounts, excluding tax
    tax: Decimal = ZERO
    unit_price_excluding_tax: Decimal = ZERO
    handling: Decimal = ZERO  # of the whole line, excluding tax
    handling_tax: Decimal = ZERO

    @property
    def amount(self) -> Decimal:
        """Unit price times quantity, before discounts."""
        return self.unit_price * self.quantity

    def discount(self, prefix: str = "") -> Decimal:
        """Sum of the discounts whose source starts with `prefix`."""
        return sum((amount for source, amount in self.discounts if source.startswith(prefix)), ZERO)


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """A cart priced for one moment. Steps return a copy with their part filled in."""

    store_id: str
    currency: Currency
    group_id: str | None = None
    customer_id: str | None = None
    user_id: str = ""
    is_logged_in: bool = False
    now: datetime | None = None
    lines: tuple[Line, ...] = ()
    coupon_code: str = ""
    points_asked: int = 0
    credit_asked: Decimal = ZERO
    shipping_cost: Decimal | None = None  # None: not known yet
    shipping_discount: Decimal = ZERO
    shipping_tax_rate: Decimal | None = None
    shipping_tax: Decimal = ZERO
    points_redeemed: int = 0
    points_value: Decimal = ZERO
    points_earned: int = 0
    credit_used: Decimal = ZERO
    gift_card_used: Decimal = ZERO
    problems: tuple[str, ...] = ()  # codes of what keeps the cart from being paid, first one shown
    facts: dict[str, Any] = field(default_factory=dict)  # what steps leave for the serializer, by step name

    @property
    def subtotal(self) -> Decimal:
        """Items before tax, discounts excluded already: the sum of the lines' net amounts plus their discounts' net."""
        return sum((line.unit_price_excluding_tax * line.quantity for line in self.lines), ZERO)

    @property
    def items_net(self) -> Decimal:
        return sum((line.net for line in self.lines), ZERO)

    @property
    def items_tax(self) -> Decimal:
        return sum((line.tax for line in self.lines), ZERO)

    @property
    def handling(self) -> Decimal:
        return sum((line.handling for line in self.lines), ZERO)

    @property
    def handling_tax(self) -> Decimal:
        return sum((line.handling_tax for line in self.lines), ZERO)


class PricingStep(Protocol):
    """One step of `PRICING_STEPS`."""

    def gather(self, quote: Quote) -> Any:
        """All I/O of the step: batched, once per quote, never under a lock that it takes itself."""
        ...

    def apply(self, quote: Quote, facts: Any) -> Quote:
        """Pure: the same quote and facts give the same quote."""
        ...


def price(quote: Quote, steps: Iterable[PricingStep]) -> Quote:
    """Runs the steps in order."""
    for step in steps:
        quote = step.apply(quote, step.gather(quote))
    return quote


__all__ = ["Line", "PricingStep", "Quote", "price", "replace", "rounded", "tax_inside", "tax_on"]
