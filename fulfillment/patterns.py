"""Postal codes as staff write them: numbers, beginnings, ranges. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from storefront.places import PINCODES, valid_pincode

_EXACT = re.compile(r"[0-9A-Z]{2,12}")
_PREFIX = re.compile(r"[0-9A-Z]{1,11}\*")
_RANGE = re.compile(r"([0-9]{2,12})-([0-9]{2,12})")
_DIGITS = 6  # of India's


class BadPattern(ValueError):
    """`text` is the entry that cannot be read."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class Pincodes:
    """A set of postal codes. Ranges include both ends and hold codes of their own length only."""

    exact: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    ranges: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.exact or self.prefixes or self.ranges)

    def __contains__(self, pincode: str) -> bool:
        if pincode in self.exact or (self.prefixes and pincode.startswith(self.prefixes)):
            return True
        length = len(pincode)
        return any(len(low) == length and low <= pincode <= high for low, high in self.ranges)

    @classmethod
    def read(cls, text: str, *, country: str = "IN") -> Pincodes:
        """The set that a text of entries, apart by commas, semicolons or lines, describes. Raises BadPattern."""
        exact: set[str] = set()
        prefixes: set[str] = set()
        ranges: set[tuple[str, str]] = set()
        for raw in re.split(r"[,;\n]", text):
            entry = "".join(raw.split()).upper()
            if not entry:
                continue
            span = _RANGE.fullmatch(entry)
            if span:
                low, high = span.groups()
                if len(low) != len(high) or low > high or not _fits(country, low, whole=True):
                    raise BadPattern(raw.strip())
                ranges.add((low, high))
            elif _PREFIX.fullmatch(entry) and _fits(country, entry[:-1], whole=False):
                prefixes.add(entry[:-1])
            elif _EXACT.fullmatch(entry) and _fits(country, entry, whole=True):
                exact.add(entry)
            else:
                raise BadPattern(raw.strip())
        return cls(frozenset(exact), tuple(sorted(prefixes)), tuple(sorted(ranges)))


def _fits(country: str, text: str, *, whole: bool) -> bool:
    """Whether such a code, or code that begins so, can exist there."""
    if country not in PINCODES:
        return True
    return valid_pincode(country, text if whole else text.ljust(_DIGITS, "0")) and len(text) <= _DIGITS
