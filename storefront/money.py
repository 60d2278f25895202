"""Money: Decimal end to end, rounded half up to the currency's exponent, never a float in between.

Pure: no Django, no clock, no I/O (decision D-3).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

ZERO = Decimal(0)
HUNDRED = Decimal(100)
HUNDREDTH = Decimal("0.01")
_UNITS = tuple(Decimal(1).scaleb(-exponent) for exponent in range(9))


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
        return _UNITS[self.exponent]


INR = Currency(code="INR", name="Indian Rupee", symbol="₹")


def rounded(amount: Decimal, currency: Currency) -> Decimal:
    """`amount` in whole smallest units of `currency`, half up (away from zero)."""
    return amount.quantize(_UNITS[currency.exponent], ROUND_HALF_UP)


def number(amount: Decimal) -> float:
    """The JSON number of an amount. Only serializers call this; two-decimal amounts survive it exactly."""
    return float(amount)


_BEFORE_PAIRS = re.compile(r"(?<=\d)(?=(?:\d\d)*\d{3}$)")
_LAKHS = frozenset({"BDT", "INR", "NPR"})  # currencies whose readers group digits as 12,34,567


def shown(amount: Decimal, currency: Currency) -> str:
    """An amount to be read by people: "₹1,23,456.00". Nothing is rounded away but what the currency cannot pay."""
    text = f"{abs(amount):,.{currency.exponent}f}"
    whole, point, fraction = text.partition(".")
    if currency.code in _LAKHS:
        whole = _BEFORE_PAIRS.sub(",", whole.replace(",", ""))
    return f"{'-' if amount < 0 else ''}{currency.symbol}{whole}{point}{fraction}"


def percent_of(part: Decimal, whole: Decimal) -> Decimal:
    """`part` of `whole` in percent with two decimals; 0 when there is no whole (D-23)."""
    if not whole:
        return ZERO
    return (part * HUNDRED / whole).quantize(HUNDREDTH, ROUND_HALF_UP)


def tax_inside(amount: Decimal, rate: Decimal, currency: Currency) -> Decimal:
    """The tax that an amount including tax at `rate` percent contains, rounded."""
    return rounded(amount * rate / (HUNDRED + rate), currency)


def tax_on(amount: Decimal, rate: Decimal, currency: Currency) -> Decimal:
    """The tax at `rate` percent on an amount that excludes it, rounded."""
    return rounded(amount * rate / HUNDRED, currency)


def allocate(total: Decimal, weights: Sequence[Decimal], currency: Currency) -> list[Decimal]:
    """Shares of `total` in proportion to `weights` that add up to it to the last unit (largest remainder).

    Each share is within one unit of its exact value, and none is above its weight while `total` is not above the
    weights' sum and these are whole units. Ties go to the earlier weight. All-zero weights share evenly. Raises
    ValueError for a total that is negative or not in whole units, and for a negative weight.
    """
    unit = currency.unit
    units = int(total / unit)
    if units < 0 or units * unit != total:
        raise ValueError("the total must be whole units and not negative")
    if not weights:
        return []
    parts = _whole_units(weights, currency) or _integers(weights)
    whole = sum(parts)
    if whole == 0:
        parts, whole = [1] * len(parts), len(parts)
    shares: list[int] = []
    remainders: list[int] = []
    for part in parts:
        share, remainder = divmod(units * part, whole)
        shares.append(share)
        remainders.append(remainder)
    missing = units - sum(shares)
    if missing:  # the order of equal remainders stays, in reverse too
        for index in sorted(range(len(parts)), key=remainders.__getitem__, reverse=True)[:missing]:
            shares[index] += 1
    return [share * unit for share in shares]


def _whole_units(weights: Sequence[Decimal], currency: Currency) -> list[int] | None:
    """The weights in smallest units, as amounts of money are; None where one is a fraction of them or negative.

    A third of the time of `_integers`, which a coupon on a large cart asks for a line.
    """
    factor = 10**currency.exponent
    found = []
    for weight in weights:
        exact = weight * factor
        whole = int(exact)
        if whole != exact or whole < 0:
            return None
        found.append(whole)
    return found


def _integers(weights: Sequence[Decimal]) -> list[int]:
    """The weights times a common power of ten: integers, so that no division rounds."""
    if any(weight < 0 for weight in weights):
        raise ValueError("a weight must not be negative")
    lowest = min(0, *(int(weight.as_tuple().exponent) for weight in weights))
    return [int(weight.scaleb(-lowest)) for weight in weights]
