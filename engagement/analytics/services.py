"""Taking events in, and writing them many at once. See `buffer` for where they wait in between."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import orjson
from django.db import DatabaseError, DataError, IntegrityError, OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from storefront import outbox
from storefront.conf import conf
from storefront.errors import Invalid
from storefront.ids import new_id
from storefront.models import Store

from . import buffer, forwarding, funnel
from .errors import AnalyticsBusy
from .models import AnalyticsErasure, AnalyticsEvent, FunnelVisitor

logger = logging.getLogger(__name__)
QUEUE = "analytics"
LONGEST_DELAY = timedelta(days=30)  # between doing and sending: a phone that was off
DRAIN_SECONDS = 10
KEEP_ERASURES = timedelta(days=2)


# --- in -------------------------------------------------------------------------------------------------------------
def track(
    *,
    store: Store,
    user_id: str,
    anonymous: bool,
    event: Mapping[str, Any],
    network: str,
    user_agent: str,
    now: datetime | None = None,
) -> None:
    """Takes a client's event, as `serializers.EventIn` gives it; it is written a moment later.

    It is the caller's own, whatever `userId` says. A second one with the same `messageId` is thrown away. When it
    happened is reckoned from how long the client held it back, so a wrong clock does no harm.
    Raises Invalid naming `timestamp`, and AnalyticsBusy.
    """
    now = now or timezone.now()
    if not store.analytics_enabled:
        return
    context = {name: value for name, value in (event.get("context") or {}).items() if value}
    context["ip"] = coarse(context.get("ip") or network)
    context["userAgent"] = (context.get("userAgent") or user_agent)[:400]
    row = {
        "store": store.pk,
        "message_id": event["messageId"],
        "name": event["event"],
        "user_id": user_id,
        "anonymous": anonymous,
        "origin": AnalyticsEvent.Origin.CLIENT.value,
        "properties": event.get("properties") or {},
        "context": context,
        "occurred_at": _happened(event.get("timestamp"), event.get("sentAt"), now).isoformat(),
        "received_at": now.isoformat(),
    }
    try:
        buffer.add(orjson.dumps(row))
    except buffer.Full as error:
        raise AnalyticsBusy(retry_after=5) from error


def record(
    *,
    store: Store,
    event: str,
    user_id: str = "",
    anonymous: bool = True,
    properties: Mapping[str, Any] | None = None,
    message_id: str = "",
) -> None:
    """Takes an event that the server saw itself, once the transaction is committed. Never fails, never says no:
    when there is no room it is counted as lost in the log. Nothing personal belongs into `properties`."""
    if not store.analytics_enabled:
        return
    now = timezone.now().isoformat()
    row = {
        "store": store.pk,
        "message_id": message_id or f"server-{new_id()}",
        "name": event,
        "user_id": user_id,
        "anonymous": anonymous,
        "origin": AnalyticsEvent.Origin.SERVER.value,
        "properties": dict(properties or {}),
        "context": {},
        "occurred_at": now,
        "received_at": now,
    }

    def add() -> None:
        try:
            buffer.add(orjson.dumps(row))
        except buffer.Full:
            logger.warning("analytics_event_lost", extra={"event_name": event, "store": store.pk})

    transaction.on_commit(add, robust=True)


def coarse(address: str) -> str:
    """An address as it is kept: the network alone (/24, or /48 of IPv6)."""
    try:
        parsed = ipaddress.ip_network(address, strict=False)
        return str(parsed.supernet(new_prefix=24 if parsed.version == 4 else 48).network_address)
    except ValueError:
        return ""


def _happened(timestamp: datetime | None, sent_at: datetime | None, now: datetime) -> datetime:
    if timestamp is None:
        return now
    if sent_at is None:
        held = now - timestamp
    else:
        held = sent_at - timestamp
    if held > LONGEST_DELAY:
        raise Invalid(_("The event is too old."), field="timestamp")
    return now - max(held, timedelta(0))


# --- out ------------------------------------------------------------------------------------------------------------
def drain() -> int:
    """Writes what waits, in this process and in Redis, for some seconds at most. Any number may run at once."""
    until = time.monotonic() + DRAIN_SECONDS
    done = drain_memory()
    while time.monotonic() < until:
        events, mark = buffer.shared.peek(buffer.BATCH)
        if not events:
            return done
        write(events)
        if buffer.shared.drop(events, mark):
            done += len(events)
    outbox.wake(QUEUE)
    return done


_one_at_a_time = Lock()


def drain_memory() -> int:
    """The same for this process alone."""
    done = 0
    with _one_at_a_time:
        while True:
            events, mark = buffer.memory.peek(buffer.BATCH)
            if not events:
                return done
            write(events)
            buffer.memory.drop(events, mark)
            done += len(events)


def write(events: Iterable[bytes]) -> int:
    """Writes a batch; returns how many were new. Repeating it writes nothing more.

    About seven queries a store, however many events. An event that the database will not have is left out and logged,
    so it does not hold up the rest. Raises OperationalError while the database is away.
    """
    by_store: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        row = orjson.loads(event)
        by_store[row["store"]].append(row)
    stores = Store.objects.in_bulk(list(by_store))
    return sum(_write_of(stores[store_id], rows) for store_id, rows in sorted(by_store.items()) if store_id in stores)


def _write_of(store: Store, rows: list[dict[str, Any]]) -> int:
    try:
        return _write_together(store, rows)
    except OperationalError:
        raise
    except (DataError, IntegrityError, DatabaseError, ValueError) as error:
        if len(rows) == 1:
            logger.warning("analytics_event_refused", extra={"store": store.pk, "error": type(error).__name__})
            return 0
        half = len(rows) // 2
        return _write_of(store, rows[:half]) + _write_of(store, rows[half:])


@transaction.atomic
def _write_together(store: Store, rows: list[dict[str, Any]]) -> int:
    _take_turn(store)
    named = {row["message_id"]: row for row in reversed(rows)}  # the first of a name counts
    known = set(AnalyticsEvent.objects.filter(store=store, message_id__in=named).values_list("message_id", flat=True))
    gone = set(
        AnalyticsErasure.objects.filter(store=store, user_id__in={row["user_id"] for row in rows}).values_list(
            "user_id", flat=True
        )
    )
    fresh = [
        AnalyticsEvent(
            store=store,
            message_id=row["message_id"],
            name=row["name"],
            user_id=row["user_id"],
            anonymous=row["anonymous"],
            origin=row["origin"],
            properties=row["properties"],
            context=row["context"],
            occurred_at=datetime.fromisoformat(row["occurred_at"]),
            received_at=datetime.fromisoformat(row["received_at"]),
        )
        for message_id, row in reversed(named.items())
        if message_id not in known and row["user_id"] not in gone
    ]
    if not fresh:
        return 0
    AnalyticsEvent.objects.bulk_create(fresh, ignore_conflicts=True)
    funnel.count(store=store, events=fresh, now=timezone.now())
    forwarding.queue(store=store, events=fresh)
    return len(fresh)


def _take_turn(store: Store) -> None:
    """Makes the batches of one store follow one another, for its figures. SQLite has one writer at a time anyway."""
    if connection.vendor == "postgresql":
        digest = hashlib.sha256(f"analytics\x1f{store.pk}".encode()).digest()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], "big", signed=True)])


# --- listeners ------------------------------------------------------------------------------------------------------
def shopper_registered(*, store: Store, user_id: str, **_payload: Any) -> None:
    record(store=store, event="Signed Up", user_id=user_id, anonymous=False, message_id=f"signed-up-{user_id}")


def shopper_logged_in(*, store: Store, user_id: str, **_payload: Any) -> None:
    record(store=store, event="Signed In", user_id=user_id, anonymous=False)


def cart_updated(*, store: Store, cart_id: str, user_id: str = "", **_payload: Any) -> None:
    record(store=store, event="Cart Updated", user_id=user_id, properties={"cart_id": cart_id})


def forget_shopper(*, store: Store, user_id: str, **_payload: Any) -> None:
    """`shopper.erased`: their events go, and those that are still on their way are not written."""
    if not user_id:
        return
    AnalyticsErasure.objects.get_or_create(store=store, user_id=user_id)
    AnalyticsEvent.objects.filter(store=store, user_id=user_id).delete()
    with transaction.atomic():
        forwarding.forget(store=store, user_id=user_id)
    FunnelVisitor.objects.filter(store=store, user_id=user_id).delete()


# --- housekeeping ---------------------------------------------------------------------------------------------------
def purge(*, now: datetime, batch: int, **_payload: Any) -> None:
    """Deletes events past their time, store by store, and what was kept only for a while."""
    before = now - timedelta(days=conf().ANALYTICS_DAYS)
    for store_id in Store.objects.order_by("pk").values_list("pk", flat=True):
        old = AnalyticsEvent.objects.filter(store_id=store_id, occurred_at__lt=before)
        keys = list(old.order_by("occurred_at").values_list("pk", flat=True)[:batch])
        if keys:
            AnalyticsEvent.objects.filter(store_id=store_id, pk__in=keys).delete()
        visitors = FunnelVisitor.objects.filter(store_id=store_id, date__lt=(now - funnel.KEEP_VISITORS).date())
        visitor_keys = list(visitors.values_list("pk", flat=True)[:batch])
        if visitor_keys:
            FunnelVisitor.objects.filter(store_id=store_id, pk__in=visitor_keys).delete()
        AnalyticsErasure.objects.filter(store_id=store_id, erased_at__lt=now - KEEP_ERASURES).delete()
    forwarding.purge(now=now, batch=batch)
