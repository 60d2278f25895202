"""Events on to other services: a row with the events themselves, then at least one delivery (D-56, D-61)."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone

from storefront import outbox
from storefront.contracts import DeliveryFailed
from storefront.models import Store

from . import sinks
from .models import AnalyticsBatch, AnalyticsEvent, AnalyticsSink

logger = logging.getLogger(__name__)
QUEUE = "analytics-forwarding"
MOST_EVENTS = 100  # in one batch
LEASE = timedelta(seconds=30)  # longer than a call may take
SCHEDULE = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)  # seconds before each further attempt
PAUSE_AFTER = timedelta(days=3)
KEEP_DONE, KEEP_DEAD = timedelta(days=1), timedelta(days=30)
DRAIN_SECONDS = 30
AT_ONCE = 2  # drains in one process; each may wait for a receiver


def queue(*, store: Store, events: Sequence[AnalyticsEvent]) -> None:
    """Writes what goes to the store's active sinks, in the caller's transaction. One query without sinks, two with."""
    batches = []
    for sink in AnalyticsSink.objects.filter(store=store, active=True).order_by("pk"):
        wanted = [sinks.item(event) for event in events if not sink.event_names or event.name in sink.event_names]
        for start in range(0, len(wanted), MOST_EVENTS):
            part = wanted[start : start + MOST_EVENTS]
            batches.append(AnalyticsBatch(store=store, sink=sink, events=part, size=len(part)))
    if batches:
        AnalyticsBatch.objects.bulk_create(batches)
        outbox.wake(QUEUE)


@outbox.Turnstile(AT_ONCE)
def drain() -> int:
    """Delivers what is due, for half a minute at most. A few at once in a process, any number of processes."""
    until = time.monotonic() + DRAIN_SECONDS
    handled = 0
    while time.monotonic() < until:
        batch = AnalyticsBatch.objects.claim_next(now=timezone.now(), lease=LEASE)
        if batch is None:
            return handled
        try:
            deliver(batch)
        except Exception:  # a fault of ours leaves it to the end of its lease
            logger.exception("analytics_batch_failed", extra={"batch_id": batch.pk})
        handled += 1
    outbox.wake(QUEUE)
    return handled


def deliver(batch: AnalyticsBatch) -> None:
    """One attempt at a claimed batch, outside any transaction."""
    sink = AnalyticsSink.objects.select_related("store").get(store_id=batch.store_id, pk=batch.sink_id)
    if not batch.events:  # all of them were of somebody who is forgotten
        batch.finish()
        return
    if not sink.active:
        batch.give_up("paused")
        return
    try:
        sinks.sink_class(sink.kind)().send(
            url=sink.url, secrets=sink.secrets, batch_id=batch.pk, events=batch.events, now=timezone.now()
        )
    except DeliveryFailed as error:
        _failed(batch, sink, error)
    except (LookupError, ImportError):
        batch.give_up("unknown_kind")
    else:
        _delivered(batch)
        if sink.failing_since is not None:
            AnalyticsSink.objects.filter(store_id=sink.store_id, pk=sink.pk).update(failing_since=None)


def _delivered(batch: AnalyticsBatch) -> None:
    """What has been delivered needs no copy here."""
    batch.events = []
    batch.save(update_fields=["events"])
    batch.finish()


def forget(*, store: Store, user_id: str) -> None:
    """Takes somebody's events out of what still waits, and out of what was given up. One query, and one a batch."""
    waiting = AnalyticsBatch.objects.filter(store=store).exclude(state=AnalyticsBatch.State.DONE)
    named = waiting.annotate(text=Cast("events", TextField())).filter(text__contains=user_id)
    for batch in named.select_for_update(of=("self",)).order_by("pk").iterator(chunk_size=50):
        batch.events = [
            event for event in batch.events if user_id not in (event.get("userId"), event.get("anonymousId"))
        ]
        batch.size = len(batch.events)
        batch.save(update_fields=["events", "size"])


def _failed(batch: AnalyticsBatch, sink: AnalyticsSink, error: DeliveryFailed) -> None:
    now = timezone.now()
    row = AnalyticsSink.objects.filter(store_id=sink.store_id, pk=sink.pk)
    row.filter(failing_since=None).update(failing_since=now)
    if error.reason == sinks.GONE or (sink.failing_since is not None and now - sink.failing_since > PAUSE_AFTER):
        row.update(active=False, paused_reason=error.reason[:120])
        batch.give_up(error.reason[:120])
    elif error.retry and batch.attempts <= len(SCHEDULE):
        wait = SCHEDULE[batch.attempts - 1] * random.uniform(0.8, 1.2)  # noqa: S311  spreads load, guards nothing
        batch.retry_in(max(wait, float(error.retry_after or 0)), reason=error.reason[:120])
    else:
        batch.give_up(error.reason[:120])


def purge(*, now: datetime, batch: int) -> None:
    """Delivered batches go after a day, given-up ones after a month. They are copies; the events stay."""
    for state, keep in ((AnalyticsBatch.State.DONE, KEEP_DONE), (AnalyticsBatch.State.DEAD, KEEP_DEAD)):
        old = AnalyticsBatch.objects.filter(state=state, created_at__lt=now - keep)
        keys: list[Any] = list(old.values_list("pk", flat=True)[:batch])
        if keys:
            AnalyticsBatch.objects.filter(pk__in=keys, state=state).delete()
