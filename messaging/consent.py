"""Whether a person wants messages of a category. Lower apps cannot know; whoever does registers the answer.

consent.register(wants_newsletter)      # (store=, to=, channel=, category=) -> bool
"""

from __future__ import annotations

from typing import Protocol

from storefront.models import Store

from .models import Category


class Consent(Protocol):
    def __call__(self, *, store: Store, to: str, channel: str, category: str) -> bool: ...


_asked: list[Consent] = []


def register(consent: Consent) -> None:
    """Connecting the same one again changes nothing."""
    if consent not in _asked:
        _asked.append(consent)


def given(*, store: Store, to: str, channel: str, category: str) -> bool:
    """Transactional messages need none. Others go only where nobody who was asked objects."""
    if category == Category.TRANSACTIONAL:
        return True
    return all(consent(store=store, to=to, channel=channel, category=category) for consent in _asked)
