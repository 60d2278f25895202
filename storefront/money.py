"""Money: Decimal end to end, rounded half up to the currency's exponent, never a float in between.

Pure: no Django, no clock, no I/O (decision D-3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

ZERO = Decimal(0)
HUNDRED = Decimal(100)


@dataclass(frozen=True, kw_only=True, slots=True)
class Currency:
    """ISO 4217 code, display name and symbol, and how many decimals its smallest unit has (INR 2, JPY 0)."""

    code: str
    name: str
    symbol: str
    exponent: int = 2

    @property
    def unit(self) -> Decimal:
        """The smallest amount that can be paid: 0.01 for INR."""
        return Decimal(1).scaleb(-self.exponent)


INR = Currency(code="INR", name="Indian Rupee", symbol="₹")


def rounded(amount: Decimal, currency: Currency) -> Decimal:
    """`amount` in whole smallest units of `currency`, half up."""
    return amount.quantize(currency.unit, rounding=ROUND_HALF_UP)


def number(amount: Decimal) -> float:
    """The JSON number of an amount. Only serializers call this; two-decimal amounts survive it exactly."""
    return float(amount)


def percent_of(part: Decimal, whole: Decimal) -> Decimal:
    """`part` of `whole` in percent with two decimals; 0 when there is no whole (D-23)."""
    if not whole:
        return ZERO
    return (part * HUNDRED / whole).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def tax_inside(amount: Decimal, rate: Decimal, currency: Currency) -> Decimal:
    """The tax that an amount including tax at `rate` percent contains, rounded."""
    return rounded(amount * rate / (HUNDRED + rate), currency)


def tax_on(amount: Decimal, rate: Decimal, currency: Currency) -> Decimal:
    """The tax at `rate` percent on an amount that excludes it, rounded."""
    return rounded(amount * rate / HUNDRED, currency)


def allocate(total: Decimal, weights: Sequence[Decimal], currency: Currency) -> list[Decimal]:
    """Shares of `total` in proportion to `weights` that add up to it to the last unit (largest remainder).

    Ties go to the earlier weight. All-zero weights share evenly. `total` must be in whole units and not negative.
    """
    if not weights:
        return []
    weight_sum = sum(weights, ZERO)
    if weight_sum == ZERO:
        weights, weight_sum = [Decimal(1)] * len(weights), Decimal(len(weights))
    unit = currency.unit
    exact = [total * weight / weight_sum for weight in weights]
    shares = [amount.quantize(unit, rounding=ROUND_DOWN) for amount in exact]
    missing = int((total - sum(shares, ZERO)) / unit)
    by_remainder = sorted(range(len(exact)), key=lambda index: (shares[index] - exact[index], index))
    for index in by_remainder[:missing]:
        shares[index] += unit
    return shares
