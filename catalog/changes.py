"""The version of a store's catalogue, by which readers know whether what they hold is still right.

Every change leaves a row in its own transaction, so a version never speaks of what was rolled back or is not committed
yet, and no two writers wait for each other as they would for one counter. The version is made of which rows there are.
A cache in front spares readers that question; without it, or with an empty one, they ask the database.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models, transaction
from django.db.models import Count, Max, Min
from django.utils import timezone

from storefront import redis_client
from storefront.conf import conf
from storefront.models import Store, StoreScoped
from storefront.selectors import ShortMemory

KEPT = timedelta(hours=1)
CACHED_SECONDS = 10  # bounds what a reader who asked just before a change can put back into the cache


class CatalogChange(StoreScoped):
    """Somebody changed something that readers of the catalogue may see."""

    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["store", "id"], name="sf_catalog_change_store")]

    def __str__(self) -> str:
        return str(self.pk)


_versions: ShortMemory[str] = ShortMemory(size=1024, seconds=lambda: conf().STORE_CACHE_SECONDS)


class _Forget:
    """Drops the remembered version once the change is there to be seen."""

    def __init__(self, store_id: str) -> None:
        self.store_id = store_id

    def __call__(self) -> None:
        _versions.drop(self.store_id)
        redis_client.quietly(lambda client: client.delete(_key(self.store_id)))


def note(*, store_id: str) -> None:
    """Says that the catalogue of this store changes with the running transaction. One insert for each of these.

    Publishing, prices and stock say so themselves; whoever else moves stock or prices must.
    """
    waiting = (entry[1] for entry in connection.run_on_commit)
    if any(isinstance(call, _Forget) and call.store_id == store_id for call in waiting):
        return
    CatalogChange.objects.create(store_id=store_id)
    transaction.on_commit(_Forget(store_id), robust=True)


def version(*, store: Store) -> str:
    """Differs after every change that was committed; one query every few seconds."""
    if redis_client.available():
        found = redis_client.quietly(lambda client: client.get(_key(store.pk)))
        if found:
            return bytes(found).decode()
        current = _read(store)
        redis_client.quietly(lambda client: client.set(_key(store.pk), current, ex=CACHED_SECONDS))
        return current
    return _versions.get(store.pk) or _versions.put(store.pk, _read(store))


def _key(store_id: str) -> str:
    return f"storefront:catalog-version:{store_id}"


def _read(store: Store) -> str:
    # The number tells of a row that was committed after one with a higher id, the ends of everything else.
    found = CatalogChange.objects.filter(store=store).aggregate(first=Min("pk"), last=Max("pk"), number=Count("pk"))
    return f"{found['first'] or 0}.{found['last'] or 0}.{found['number']}"


def prune(*, now: datetime, batch: int, **_: Any) -> None:
    """Listens to `sweep`: deletes old rows, but never a store's last, so that no version comes back."""
    last = CatalogChange.objects.values("store").annotate(last=Max("pk")).values("last")
    old = CatalogChange.objects.filter(created_at__lt=now - KEPT).exclude(pk__in=last).order_by("pk")
    ids = list(old.values_list("pk", flat=True)[:batch])
    if ids:
        CatalogChange.objects.filter(pk__in=ids).delete()
