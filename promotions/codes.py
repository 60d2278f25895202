"""How codes are compared (D-32). Knows no rows."""

from __future__ import annotations

import unicodedata

from .models import CODE_LENGTH


def code_key(text: str) -> str:
    """What is compared of a code: without blanks around it, in one case, in one Unicode form. "" for no code."""
    key = unicodedata.normalize("NFKC", text).strip().casefold()
    return key if len(key) <= CODE_LENGTH and key.isprintable() else ""
