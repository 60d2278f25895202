"""Writes of delivery rules: whoever changes one says so here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction

from storefront.ids import new_id

from . import selectors
from .models import DeliverySettings, ShippingZone


def changed(*, store_id: str) -> None:
    """The rules of a store are not what they were: every process reads them anew within STORE_CACHE_SECONDS, this one
    at once. Part of the transaction that changes them. Signals call it for each row that is saved or deleted; call it
    yourself after `queryset.update`."""
    DeliverySettings.objects.filter(store_id=store_id).update(version=new_id())
    selectors.forget(store_id=store_id)
    transaction.on_commit(partial(selectors.forget, store_id=store_id))


@transaction.atomic
def switch_zones(*, ids: Sequence[str], active: bool) -> None:
    """Zones, of any stores, that serve from now on or no longer do."""
    zones = ShippingZone.objects.filter(pk__in=ids)
    store_ids = set(zones.values_list("store_id", flat=True))
    zones.update(active=active)
    for store_id in sorted(store_ids):
        changed(store_id=store_id)


def row_saved(sender: Any, instance: Any, **_: Any) -> None:
    """Listens to `post_save` of every rule. The first one makes the row that holds the version."""
    if sender is not DeliverySettings:
        DeliverySettings.objects.get_or_create(store_id=instance.store_id)
    changed(store_id=instance.store_id)


def row_deleted(sender: Any, instance: Any, **_: Any) -> None:
    """Listens to `post_delete` of every rule; makes no row, for the store itself may be on its way out."""
    changed(store_id=instance.store_id)
