"""Links by which somebody without a session says yes or no. Sealed: they name the address and cannot be made up."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from django.urls import reverse

from storefront import crypto
from storefront.models import Store

CONFIRM, UNSUBSCRIBE = "confirm", "unsubscribe"
CONFIRM_LIFE = timedelta(days=7)
LONGEST = 1000


class BadLink(Exception):
    """Not made here, for another store, or too old."""


def seal(*, store: Store, kind: str, email: str, now: datetime) -> str:
    """The secret part of a link. One to unsubscribe works for ever, as the law wants; one to confirm for a week."""
    return crypto.encrypt(json.dumps(["newsletter", kind, store.pk, email, int(now.timestamp())]))


def opened(*, store: Store, kind: str, sealed: str, now: datetime) -> str:
    """The address that a link names. Raises BadLink."""
    try:
        if len(sealed) > LONGEST or not sealed.isascii():
            raise ValueError("too long")
        subject, of_kind, store_id, email, made = json.loads(crypto.decrypt(sealed))
    except (TypeError, ValueError) as error:
        raise BadLink from error
    if (subject, of_kind, store_id) != ("newsletter", kind, store.pk):
        raise BadLink
    if kind == CONFIRM and datetime.fromtimestamp(made, tz=UTC) + CONFIRM_LIFE < now:
        raise BadLink
    return str(email)


def path(*, store: Store, kind: str, sealed: str) -> str:
    return reverse(f"storefront_newsletter_{kind}", args=[store.pk, sealed])
