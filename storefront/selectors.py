"""Reads of the kernel. Stores and keys are kept in the process for a few seconds: no query on a warm request."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import Any, ClassVar, Generic, TypeVar
from weakref import WeakSet

from django.utils import timezone

from storefront import crypto, scope
from storefront.conf import conf
from storefront.errors import StoreNotFound, Unauthenticated
from storefront.models import ApiKey, Channel, CustomerGroup, StockLocation, Store

Value = TypeVar("Value")
API_KEY_PREFIX = "pk_"


class ShortMemory(Generic[Value]):
    """A tiny cache in the process: at most `size` entries, each believed for `seconds()`. Safe between threads.

    `forget` empties all of them, those of other apps too.
    """

    made: ClassVar[WeakSet[ShortMemory[Any]]] = WeakSet()

    def __init__(self, *, size: int, seconds: Callable[[], float]) -> None:
        self.made.add(self)
        self._entries: dict[str, tuple[float, Value]] = {}
        self._size = size
        self._seconds = seconds
        self._lock = Lock()

    def get(self, key: str) -> Value | None:
        entry = self._entries.get(key)
        if entry is None or entry[0] <= time.monotonic():
            return None
        return entry[1]

    def put(self, key: str, value: Value) -> Value:
        with self._lock:
            if len(self._entries) >= self._size:
                self._entries.clear()
            self._entries[key] = (time.monotonic() + self._seconds(), value)
        return value

    def drop(self, key: str | None = None) -> None:
        with self._lock:
            if key is None:
                self._entries.clear()
            else:
                self._entries.pop(key, None)


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """What an API key opens: one channel of one store."""

    key_id: str
    channel_id: str
    channel: dict[str, str]  # id, name, type: embedded in tokens


_stores: ShortMemory[Store] = ShortMemory(size=1024, seconds=lambda: conf().STORE_CACHE_SECONDS)
_keys: ShortMemory[KeyHolder] = ShortMemory(size=4096, seconds=lambda: conf().STORE_CACHE_SECONDS)
_groups: ShortMemory[dict[str, CustomerGroup]] = ShortMemory(size=1024, seconds=lambda: conf().STORE_CACHE_SECONDS)
_locations: ShortMemory[dict[str, StockLocation]] = ShortMemory(size=1024, seconds=lambda: conf().STORE_CACHE_SECONDS)
_channels: ShortMemory[dict[str, str]] = ShortMemory(size=1024, seconds=lambda: conf().STORE_CACHE_SECONDS)


def store(store_id: str) -> Store:
    """The active store of that id; none or one query. Raises StoreNotFound. Treat it as read-only: it is shared."""
    known = _stores.get(store_id)
    found = known or Store.objects.filter(pk=store_id, active=True).first()
    if found is None or not scope.sees(store_id):
        raise StoreNotFound
    return known or _stores.put(store_id, found)


def key_holder(*, store: Store, raw_key: str) -> KeyHolder:
    """What `raw_key` opens in this store; none or two queries. Raises Unauthenticated."""
    if not raw_key.startswith(API_KEY_PREFIX) or len(raw_key) > 100:
        raise Unauthenticated
    remembered = f"{store.pk}:{raw_key}"
    found = _keys.get(remembered)
    if found is not None:
        return found
    hashes = crypto.keyed_hashes("api-key", raw_key)
    key = ApiKey.objects.select_related("channel").filter(store=store, key_hash__in=hashes).first()
    if key is None or not key.live:
        raise Unauthenticated
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > timedelta(minutes=10):
        ApiKey.objects.filter(store=store, pk=key.pk).update(last_used_at=now)
    return _keys.put(remembered, KeyHolder(key.pk, key.channel_id, _channel_claim(key.channel)))


def _channel_claim(channel: Channel) -> dict[str, str]:
    return {"id": channel.pk, "name": channel.name, "type": channel.type}


def default_channel(*, store: Store) -> dict[str, str]:
    """The claim of the store's first channel; none or one query."""
    found = _channels.get(store.pk)
    if found is None:
        found = _channels.put(
            store.pk, _channel_claim(Channel.objects.filter(store=store).order_by("created_at", "pk")[0])
        )
    return found


def groups(*, store: Store) -> dict[str, CustomerGroup]:
    """The active customer groups by id; none or one query."""
    found = _groups.get(store.pk)
    if found is None:
        found = _groups.put(
            store.pk, {group.pk: group for group in CustomerGroup.objects.filter(store=store, active=True)}
        )
    return found


def default_group(*, store: Store) -> CustomerGroup | None:
    return _default(groups(store=store))


def _default(known: Mapping[str, CustomerGroup]) -> CustomerGroup | None:
    return next((group for group in known.values() if group.is_default), None)


def price_group_ids(*, store: Store, asked: str | None) -> tuple[str, ...]:
    """Whose prices to try, in order: the asked group if it is one of ours, then the default group.

    A product with a price in neither takes its highest price (contract, section 7).
    """
    known = groups(store=store)
    default = _default(known)
    wanted = [asked] if asked in known else []
    if default is not None and default.pk not in wanted:
        wanted.append(default.pk)
    return tuple(pk for pk in wanted if pk)


def locations(*, store: Store) -> dict[str, StockLocation]:
    """The active stock locations by id, in the order in which they send; none or one query. Read-only: shared."""
    found = _locations.get(store.pk)
    if found is None:
        rows = StockLocation.objects.filter(store=store, active=True).order_by("-is_default", "sort_order", "pk")
        found = _locations.put(store.pk, {row.pk: row for row in rows})
    return found


def default_location(*, store: Store) -> StockLocation:
    """Where goods lie whose place nobody named; none or one query."""
    return next(iter(locations(store=store).values()))


def forget() -> None:
    """Drops what this process remembers, after a change here; other processes follow within STORE_CACHE_SECONDS."""
    for memory in ShortMemory.made:
        memory.drop()
