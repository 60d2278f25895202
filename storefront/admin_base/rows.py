"""Whose row is it: the store of models and rows."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.http import HttpRequest

from storefront.models import Store

MOST_STORES = 200


def field_of(model: type[models.Model], name: str) -> models.Field[Any, Any] | None:
    try:
        found = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return found if isinstance(found, models.Field) else None


def has_store(model: type[models.Model]) -> bool:
    found = field_of(model, "store")
    return found is not None and found.related_model is Store


def store_id_of(row: Any) -> str | None:
    return row.pk if isinstance(row, Store) else getattr(row, "store_id", None)


def stores_seen(request: HttpRequest) -> list[Store]:
    """Up to 200 stores by their ids, read once a request: whether there is a choice, and whose clocks pages go by."""
    found: list[Store] | None = getattr(request, "_stores_of_staff", None)
    if found is None:
        found = list(Store.objects.order_by("pk")[:MOST_STORES])
        request._stores_of_staff = found  # type: ignore[attr-defined]
    return found
