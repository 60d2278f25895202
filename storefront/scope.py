"""Which stores' rows the running code may see: all of them, except on a page of staff who are limited to some.

The back office enters `limited_to` around every view (`storefront.admin_base.admin_site`); `StoreManager` reads it
whenever a query begins. So nothing that asks by a model's `objects` (lists, pages, selects, actions, figures, exports,
services that a page calls) can forget it. Outside such a page, in the API, tasks and commands, nothing is limited.

Only `objects` is limited, not what Django itself follows: the target of a visible row's foreign key, and the rows that
a deletion takes along. Both stay in the store of the row by the models' own rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from django.db import models

Row = TypeVar("Row", bound=models.Model)
_stores: ContextVar[frozenset[str] | None] = ContextVar("storefront_stores_seen", default=None)


def stores() -> frozenset[str] | None:
    """The ids of the stores that may be seen; None: all."""
    return _stores.get()


def sees(store_id: str) -> bool:
    limited = _stores.get()
    return limited is None or store_id in limited


@contextmanager
def limited_to(store_ids: frozenset[str] | None) -> Iterator[None]:
    """Queries that begin inside see these stores only; None: all. Of this thread alone, and it may be nested."""
    token = _stores.set(store_ids)
    try:
        yield
    finally:
        _stores.reset(token)


def streamed(parts: Any, store_ids: frozenset[str] | None) -> Iterator[Any]:
    """The same around parts that are made one by one after the view has answered."""
    source = iter(parts)
    while True:
        with limited_to(store_ids):
            try:
                part = next(source)
            except StopIteration:
                return
        yield part


class StoreManager(models.Manager[Row]):
    """The manager of every model with a `store`."""

    store_field = "store_id"

    def get_queryset(self) -> models.QuerySet[Row]:
        found: models.QuerySet[Row] = super().get_queryset()
        limited = _stores.get()
        return found if limited is None else found.filter(**{f"{self.store_field}__in": limited})


class StoresManager(StoreManager[Row]):
    """The manager of stores themselves."""

    store_field = "pk"
