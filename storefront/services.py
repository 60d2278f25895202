"""Writes of the kernel: stores, keys, housekeeping."""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from storefront import crypto, events, selectors
from storefront.conf import conf
from storefront.errors import Invalid
from storefront.models import (
    ApiKey,
    Channel,
    CustomerGroup,
    IdempotencyRecord,
    RateCounter,
    StockLocation,
    Store,
    WorkerBeat,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key and the only copy of its text."""

    key: ApiKey
    text: str


@transaction.atomic
def create_store(*, store_id: str, name: str, **fields: Any) -> Store:
    """A store with its default Web channel, customer group and stock location. Raises ValidationError for a bad id."""
    store = Store(pk=store_id, name=name, **fields)
    store.full_clean(validate_unique=False)
    store.save(force_insert=True)
    Channel.objects.create(store=store, name="Web", type=Channel.Type.WEB)
    CustomerGroup.objects.create(store=store, name="Retail", slug="retail", is_default=True)
    StockLocation.objects.create(store=store, name="Main", is_default=True)
    selectors.forget()
    return store


def create_key(
    *, store: Store, name: str, channel: Channel | None = None, expires_at: datetime | None = None, text: str = ""
) -> NewKey:
    """A new API key. Its text is returned here and never again. `text` lets a demo keep a key that it knows."""
    channel = channel or Channel.objects.filter(store=store).order_by("created_at", "pk")[0]
    text = text or f"{selectors.API_KEY_PREFIX}{secrets.token_urlsafe(30)}"
    key = ApiKey.objects.create(
        store=store,
        channel=channel,
        name=name,
        prefix=text[:10],
        key_hash=crypto.keyed_hash("api-key", text),
        expires_at=expires_at,
    )
    return NewKey(key, text)


@transaction.atomic
def rotate_key(*, store: Store, key: ApiKey, overlap: timedelta = timedelta(hours=24)) -> NewKey:
    """A successor for `key`, which keeps working for `overlap` (0: ends at once, here; elsewhere in seconds)."""
    old = ApiKey.objects.select_for_update().get(store=store, pk=key.pk)
    until = timezone.now() + overlap
    old.expires_at = min(old.expires_at, until) if old.expires_at else until
    old.save(update_fields=["expires_at"])
    new = create_key(store=store, name=old.name, channel=old.channel)
    transaction.on_commit(selectors.forget)
    return new


def revoke_key(*, store: Store, key: ApiKey) -> None:
    """Ends a key at once here, elsewhere within STORE_CACHE_SECONDS. Safe to repeat: the first moment stays."""
    ApiKey.objects.filter(store=store, pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())
    transaction.on_commit(selectors.forget)


@transaction.atomic
def make_default_location(*, store: Store, location: StockLocation) -> None:
    """Goods whose place nobody names lie at `location` from now on. Safe to repeat.

    Raises Invalid for one that is not active or another store's.
    """
    rows = {row.pk: row for row in StockLocation.objects.select_for_update().filter(store=store).order_by("pk")}
    found = rows.get(location.pk)
    if found is None or not found.active:
        raise Invalid(_("Only an active location of this store can be its default."), field="location")
    StockLocation.objects.filter(store=store, is_default=True).exclude(pk=found.pk).update(is_default=False)
    StockLocation.objects.filter(store=store, pk=found.pk).update(is_default=True)
    transaction.on_commit(selectors.forget)


def beat(*, name: str) -> None:
    """Notes that a worker lives."""
    WorkerBeat.objects.update_or_create(name=name, defaults={"seen_at": timezone.now()})


_next_sweep = 0.0


def sweep() -> None:
    """Housekeeping at most once a minute and process: expired counters and records here, the apps' own by event."""
    global _next_sweep
    if time.monotonic() < _next_sweep:
        return
    _next_sweep = time.monotonic() + 60
    purge_expired(now=timezone.now())


def purge_expired(*, now: datetime, batch: int = 1000) -> None:
    """Deletes what has expired, in batches that hold no lock for long. Safe to repeat and to run twice at once."""
    for model, field in ((RateCounter, "resets_at"), (IdempotencyRecord, "expires_at")):
        keys: list[Any] = list(
            model._default_manager.filter(**{f"{field}__lt": now}).values_list("pk", flat=True)[:batch]
        )
        model._default_manager.filter(pk__in=keys, **{f"{field}__lt": now}).delete()
    events.send("sweep", now=now, batch=batch)


def worker_names() -> list[str]:
    """Workers that were seen lately."""
    since = timezone.now() - timedelta(seconds=max(conf().SWEEP_SECONDS * 4, 60))
    return list(WorkerBeat.objects.filter(seen_at__gte=since).order_by("name").values_list("name", flat=True))
