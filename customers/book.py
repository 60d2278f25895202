"""Writing address books. Every write locks the customer, so that a book has one default of each kind, whoever writes.

A book with addresses always has both defaults (D-39): the first address gets them, and one that gives its default up,
by going or by being told so, hands it to the most recently used of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from storefront.addresses import cleaned
from storefront.models import Store

from . import selectors
from .errors import AddressNotFound, TooManyAddresses
from .models import Address

MAX_ADDRESSES = 100
DEFAULTS = ("is_default_billing", "is_default_shipping")


def create(*, store: Store, customer_id: str, data: Mapping[str, Any], now: datetime | None = None) -> Address:
    """Adds an address. Raises Invalid naming the fields at fault, CustomerNotFound, TooManyAddresses."""
    content = cleaned(store=store, data=data)
    with transaction.atomic():
        selectors.customer_for_update(store=store, customer_id=customer_id)
        return add(store=store, customer_id=customer_id, content=content, wished=data, now=now or timezone.now())


def add(
    *, store: Store, customer_id: str, content: Mapping[str, Any], wished: Mapping[str, Any], now: datetime
) -> Address:
    """The same for content that is checked already, in a transaction that holds the customer. Two to five queries."""
    book = _book(store, customer_id)
    if len(book) >= MAX_ADDRESSES:
        raise TooManyAddresses
    row = Address(store=store, customer_id=customer_id, created_at=now, modified_at=now, last_used_at=now)
    _fill(row, content)
    for name in DEFAULTS:
        _set_default(store, book, row, name, bool(wished.get(name)) or not book)
    row.save(force_insert=True)
    return row


def update(
    *,
    store: Store,
    customer_id: str,
    address_id: str,
    changes: Mapping[str, Any],
    now: datetime | None = None,
    prefix: str = "",
) -> Address:
    """Changes those members that are named; null empties an optional one. Raises as `create`, AddressNotFound.

    `prefix` goes before the names of fields at fault.
    """
    moment = now or timezone.now()
    with transaction.atomic():
        selectors.customer_for_update(store=store, customer_id=customer_id)
        book = _book(store, customer_id)
        row = next((row for row in book if row.pk == address_id), None)
        if row is None:
            raise AddressNotFound
        wanted = row.content() | dict(changes)
        if str(changes.get("phone") or "").lstrip().startswith("+") and "country_code" not in changes:
            wanted["country_code"] = None  # the number brings its own
        _fill(row, cleaned(store=store, data=wanted, prefix=prefix))
        for name in DEFAULTS:
            if changes.get(name) is not None:
                _set_default(store, [other for other in book if other.pk != row.pk], row, name, bool(changes[name]))
        row.modified_at = moment
        row.save(update_fields=[*Address.TEXTS, *DEFAULTS, "modified_at"])
    return row


def delete(*, store: Store, customer_id: str, address_id: str) -> None:
    """Raises AddressNotFound, also the second time."""
    with transaction.atomic():
        selectors.customer_for_update(store=store, customer_id=customer_id)
        book = _book(store, customer_id)
        row = next((row for row in book if row.pk == address_id), None)
        if row is None:
            raise AddressNotFound
        Address.objects.filter(store=store, pk=row.pk).delete()
        others = [other for other in book if other.pk != row.pk]
        for name in DEFAULTS:
            if getattr(row, name) and others:
                _hand_over(store, others, name)


def used(*, store: Store, customer_id: str, address_ids: Iterable[str], now: datetime) -> None:
    """Remembers that a cart or order took these addresses, for D-39. One update without a lock; unknown ids are fine."""
    Address.objects.filter(store=store, customer_id=customer_id, pk__in=list(address_ids)).update(last_used_at=now)


def same(row: Address, content: Mapping[str, Any]) -> bool:
    """Whether an address says what `content` says."""
    return all(getattr(row, name) == (content[name] or "") for name in Address.TEXTS)


def _book(store: Store, customer_id: str) -> list[Address]:
    return list(selectors.address_book(store=store, customer_id=customer_id))


def _fill(row: Address, content: Mapping[str, Any]) -> None:
    for name in Address.TEXTS:
        setattr(row, name, content[name] or "")


def _set_default(store: Store, others: list[Address], row: Address, name: str, wanted: bool) -> None:
    if wanted == getattr(row, name):
        return
    if wanted:
        _clear(store, row.customer_id, name)
        setattr(row, name, True)
    elif others:  # the only address keeps its defaults
        _clear(store, row.customer_id, name)
        setattr(row, name, False)
        _hand_over(store, others, name)


def _clear(store: Store, customer_id: str, name: str) -> None:
    Address.objects.filter(store=store, customer_id=customer_id, **{name: True}).update(**{name: False})


def _hand_over(store: Store, others: list[Address], name: str) -> None:
    heir = max(others, key=lambda other: (other.last_used_at, other.created_at, other.pk))
    Address.objects.filter(store=store, pk=heir.pk).update(**{name: True})
