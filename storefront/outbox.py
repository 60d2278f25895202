"""Durable queues: a row first, a task second, and a sweep for what a lost task left behind.

An `OutboxRow` is written in the transaction of what caused it. `wake` asks for delivery after commit: through Celery
where there is a broker, else by the drain thread of this process. A worker claims one row at a time for a lease, so a
killed worker's rows are claimed again when the lease ends; delivery is at least once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import close_old_connections, connection, models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.conf import conf
from storefront.scope import StoreManager

logger = logging.getLogger(__name__)

Drain = Callable[[], int]
_drains: dict[str, Drain] = {}


class OutboxQuerySet(models.QuerySet[Any]):
    def claim_next(self, *, now: datetime, lease: timedelta) -> Any | None:
        """Claims and returns the next due row, or None. Two workers never get the same row.

        A claim counts as an attempt. Rows whose lease ended without a result are due again.
        """
        due = self.filter(state=OutboxRow.State.PENDING, next_attempt_at__lte=now).order_by("next_attempt_at", "pk")
        with transaction.atomic():
            rows = due.select_for_update(skip_locked=True) if connection.features.has_select_for_update else due
            row = rows.first()
            if row is None:
                return None
            row.attempts += 1
            row.next_attempt_at = now + lease
            row.save(update_fields=["attempts", "next_attempt_at"])
        return row


class OutboxRow(models.Model):
    """A piece of work that must happen. `next_attempt_at` is both schedule and lease."""

    class State(models.TextChoices):
        PENDING = "pending", _("Waiting")
        DONE = "done", _("Done")
        DEAD = "dead", _("Given up")

    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    next_attempt_at = models.DateTimeField(default=timezone.now, editable=False)
    done_at = models.DateTimeField(null=True, blank=True, editable=False)
    reason = models.CharField(max_length=120, blank=True, editable=False, help_text=_("Why it was given up."))
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[Any] = StoreManager.from_queryset(OutboxQuerySet)()

    class Meta:
        abstract = True
        indexes = [
            # The queue is read across stores; everything else about a row leads with its store.
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(state="pending"),
                name="%(app_label)s_%(class)s_due",
            )
        ]

    def finish(self) -> None:
        self.state, self.done_at, self.reason = self.State.DONE, timezone.now(), ""
        self.save(update_fields=["state", "done_at", "reason"])

    def retry_in(self, seconds: float, *, reason: str) -> None:
        self.next_attempt_at, self.reason = timezone.now() + timedelta(seconds=seconds), reason
        self.save(update_fields=["next_attempt_at", "reason"])

    def give_up(self, reason: str) -> None:
        self.state, self.done_at, self.reason = self.State.DEAD, timezone.now(), reason
        self.save(update_fields=["state", "done_at", "reason"])

    def send_again(self) -> Self:
        """Puts a finished or given-up row back into the queue with a fresh count of attempts."""
        self.state, self.attempts, self.reason = self.State.PENDING, 0, ""
        self.next_attempt_at, self.done_at = timezone.now(), None
        self.save(update_fields=["state", "attempts", "reason", "next_attempt_at", "done_at"])
        return self


def register(name: str, drain: Drain) -> None:
    """Names a queue. `drain` works until nothing is due and returns how many rows it handled."""
    _drains[name] = drain


def names() -> list[str]:
    return sorted(_drains)


def drain(name: str) -> int:
    return _drains[name]()


def drain_all() -> int:
    """Works off every queue once. A queue that fails does not stop the others; the sweep comes again."""
    handled = 0
    for name in names():
        try:
            handled += drain(name)
        except Exception:
            logger.exception("queue_failed", extra={"queue": name})
    return handled


class Turnstile:
    """Lets a few drains of a queue with slow receivers run at once in this process, and sends the others away.

    Each event asks for a drain; without this they would take every thread of a worker, and one-time codes would wait
    behind somebody's webhook. Whoever is let in goes on until nothing is due, so nothing is left lying.
    """

    def __init__(self, count: int) -> None:
        self._room = threading.BoundedSemaphore(count)

    def __call__(self, drain: Drain) -> Drain:
        @wraps(drain)
        def through() -> int:
            if not self._room.acquire(blocking=False):
                return 0
            try:
                return drain()
            finally:
                self._room.release()

        return through


def wake(name: str) -> None:
    """Asks for a drain after the current transaction commits. Never fails: the sweep finds what it could not tell."""

    def after_commit() -> None:  # a function: Django names it in its log when it fails, which a partial has no name for
        _wake(name)

    transaction.on_commit(after_commit, robust=True)


_broker_down_until = 0.0


def has_broker() -> bool:
    """Whether Celery spreads the work. A shop without Celery need not even have the setting."""
    return bool(getattr(settings, "CELERY_BROKER_URL", ""))


def _wake(name: str) -> None:
    global _broker_down_until
    if not has_broker():
        embedded.wake(name)
        return
    if time.monotonic() < _broker_down_until:
        return
    from storefront.tasks import drain_queue

    try:
        drain_queue.apply_async(args=[name], retry=False, ignore_result=True, expires=60)
    except Exception:  # any transport error: the row is committed, and the sweep sends it
        _broker_down_until = time.monotonic() + 2
        logger.warning("broker_unreachable", extra={"queue": name})


class _Lane:
    """The thread of one queue, so that receivers who are slow to answer hold up no other queue."""

    def __init__(self, name: str, stopping: threading.Event) -> None:
        self._name = name
        self._stopping = stopping
        self._due = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"outbox-{name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        self._due.set()

    def join(self) -> None:
        self.wake()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._stopping.is_set():
                return
            close_old_connections()
            try:
                drain(self._name)
            except Exception:
                logger.exception("queue_failed", extra={"queue": self._name})
            finally:
                close_old_connections()


class EmbeddedDrainer:
    """The queue workers of a process without a broker: daemon threads, started by `manage.py serve`."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._lanes: dict[str, _Lane] = {}
        self._stopping = threading.Event()

    def start(self) -> None:
        """Safe to call twice."""
        if self._thread is None or not self._thread.is_alive():
            self._stopping = threading.Event()
            self._lanes = {name: _Lane(name, self._stopping) for name in names()}
            self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends every thread, and waits for what it is at."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        for lane in self._lanes.values():
            lane.join()

    def wake(self, name: str) -> None:
        """Before the start nobody is there to hear it; the first sweep finds what was written."""
        lane = self._lanes.get(name)
        if lane is not None:
            lane.wake()

    def _run(self) -> None:
        from storefront.services import beat, sweep

        while not self._stopping.is_set():
            for lane in self._lanes.values():
                lane.wake()
            close_old_connections()
            try:
                beat(name="embedded")
                sweep()
            except Exception:
                logger.exception("drain_failed")
            finally:
                close_old_connections()
            self._stopping.wait(conf().SWEEP_SECONDS)


embedded = EmbeddedDrainer()
