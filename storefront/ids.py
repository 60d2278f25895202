"""Opaque ids. Rows import `new_id` so that migrations name a stable function whatever the plug makes."""

from __future__ import annotations

import os
import re
import time
from threading import Lock

ID_LENGTH = 26
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]  # two digits, ten bits, at a time


_last = 0
_taking_turns = Lock()


def new_ulid() -> str:
    """A ULID: 26 characters, sortable by creation time. It reveals that time, so it is never a secret.

    Those of one process sort in the order in which they were made, within a millisecond too (ULID, Monotonicity).
    """
    global _last
    number = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    with _taking_turns:
        if 0 <= (_last >> 80) - (number >> 80) < 1_000:  # the same millisecond, or a clock that was put right
            number = _last + 1 + int.from_bytes(os.urandom(4))  # the step keeps the next one from being guessed
        _last = number
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def new_id() -> str:
    """A new primary key, from the `NEW_ID` plug (ULIDs unless a shop says otherwise)."""
    from storefront.plugs import plug_function

    return str(plug_function("NEW_ID")())


def is_ulid(text: str) -> bool:
    return _ULID.fullmatch(text) is not None


def whole_number(text: str) -> int | None:
    """The number behind an id that came from outside, for shops whose rows have such; None for any other text.

    Only the one spelling that a shop gives out counts: not 007, not +7, not digits of other scripts, and nothing that
    is too long for a column.
    """
    if text.isascii() and text.isdigit() and len(text) <= 18 and (text == "0" or text[0] != "0"):
        return int(text)
    return None
