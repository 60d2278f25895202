"""Passwords: what is acceptable, and checking one with the same work whoever asks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from storefront.conf import conf
from storefront.errors import Invalid

MAX_LENGTH = 128
_SHORTEST_CONTEXT = 4  # shorter names are found in too many good passwords


@cache
def _common() -> CommonPasswordValidator:
    return CommonPasswordValidator()


def require_acceptable(*, password: str, context: Iterable[str] = (), field: str = "password") -> None:
    """Raises Invalid naming the field. `context` are words that must not be in it: contacts, the store's name."""
    minimum = conf().PASSWORD_MIN_LENGTH
    problems = []
    if len(password) < minimum:
        problems.append(_("Use at least %(count)d characters.") % {"count": minimum})
    if len(password) > MAX_LENGTH:
        problems.append(_("Use at most %(count)d characters.") % {"count": MAX_LENGTH})
    try:
        _common().validate(password)
    except ValidationError:
        problems.append(_("This password is too common."))
    lowered = password.lower()
    if any(word in lowered for word in _words(context)):
        problems.append(_("Do not use your contact or the shop's name in your password."))
    if problems:
        raise Invalid(problems[0], code="weak_password", errors={field: problems})


def _words(context: Iterable[str]) -> list[str]:
    words = []
    for text in context:
        name = text.lower().partition("@")[0].lstrip("+")
        if len(name) >= _SHORTEST_CONTEXT:
            words.append(name)
    return words


def require_match(*, password: str, confirmation: str) -> None:
    if password != confirmation:
        raise Invalid(_("The two passwords differ."), code="password_mismatch", field="confirm_password")


def hashed(password: str) -> str:
    """Slow on purpose (some 60 ms). Call it outside transactions."""
    return make_password(password)


def holds(*, password: str, encoded: str) -> bool:
    """Whether it is the password behind `encoded`; "" never is, at the same cost. Call it outside transactions."""
    if not encoded:
        make_password(password)
        return False
    return check_password(password, encoded)


def outdated(encoded: str) -> bool:
    """Whether it was hashed with other parameters than today's."""
    from django.contrib.auth.hashers import get_hasher, identify_hasher

    preferred = get_hasher("default")
    hasher = identify_hasher(encoded)
    return hasher.algorithm != preferred.algorithm or bool(preferred.must_update(encoded))
