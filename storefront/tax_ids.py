"""Indian tax numbers: what a PAN or GSTIN says of itself. Pure facts; whether it is registered, a registry knows."""

from __future__ import annotations

import re

from stdnum import luhn
from stdnum.exceptions import ValidationError
from stdnum.in_ import pan as _pan

from storefront.places import INDIA

_GSTIN = re.compile(r"[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]")
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Beside today's states: Daman and Diu and the undivided Andhra Pradesh (old registrations), other territory, centre.
_STATES = frozenset({state.gst_code for state in INDIA} | {"25", "28", "97", "99"})
ANY_STATE = frozenset({"97", "99"})


def compact(text: str) -> str:
    """As it is stored: capitals, without blanks and dashes."""
    return re.sub(r"[\s-]+", "", text).upper()


def valid_pan(text: str) -> bool:
    """Five letters of which the fourth names a kind of holder, four digits that are not 0000, a letter."""
    return text.isascii() and _pan.is_valid(text)


def valid_gstin(text: str) -> bool:
    """A state, a PAN, and a check character that fits. Knows Ladakh (38), unlike older lists of states."""
    if not text.isascii() or _GSTIN.fullmatch(text) is None or text[:2] not in _STATES:
        return False
    try:
        luhn.validate(text, _ALPHABET)
    except ValidationError:
        return False
    return valid_pan(pan_of(text))


def looks_like_gstin(text: str) -> bool:
    """Whether somebody must have meant a GSTIN: fifteen letters and digits, the first two of them digits."""
    return len(text) == 15 and text.isascii() and text.isalnum() and text[:2].isdigit()


def pan_of(gstin: str) -> str:
    return gstin[2:12]


def gstin_is_of_state(gstin: str, gst_code: str) -> bool:
    """Whether a GSTIN can belong to that state. Old registrations keep the number of a state that was merged or split."""
    code = gstin[:2]
    return code == gst_code or code in ANY_STATE or (code, gst_code) in {("25", "26"), ("28", "37")}
