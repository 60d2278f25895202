"""Whether a person wants messages of a category, and how they end them. Lower apps cannot know; whoever does registers
the answer.

consent.register(wants_newsletter)      # (store=, to=, channel=, category=) -> bool
consent.register_opt_out(link)          # the same -> an address, or ""
"""

from __future__ import annotations

from typing import Protocol

from storefront.models import Store

from .models import Category


class Consent(Protocol):
    def __call__(self, *, store: Store, to: str, channel: str, category: str) -> bool: ...


class OptOut(Protocol):
    def __call__(self, *, store: Store, to: str, channel: str, category: str) -> str: ...


_asked: list[Consent] = []
_opt_outs: list[OptOut] = []


def register(consent: Consent) -> None:
    """Connecting the same one again changes nothing."""
    if consent not in _asked:
        _asked.append(consent)


def given(*, store: Store, to: str, channel: str, category: str) -> bool:
    """Transactional messages need none. Others go only where nobody who was asked objects."""
    if category == Category.TRANSACTIONAL:
        return True
    return all(consent(store=store, to=to, channel=channel, category=category) for consent in _asked)


def register_opt_out(link: OptOut) -> None:
    """`link` answers where the recipient of such a message ends them; it must never fail and never write."""
    if link not in _opt_outs:
        _opt_outs.append(link)


def opt_out(*, store: Store, to: str, channel: str, category: str) -> str:
    """The first address that anybody knows; "" for transactional messages."""
    if category == Category.TRANSACTIONAL:
        return ""
    found = (link(store=store, to=to, channel=channel, category=category) for link in _opt_outs)
    return next((address for address in found if address), "")
