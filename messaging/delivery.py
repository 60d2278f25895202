"""Delivery of what is queued, at least once.

A worker claims a message for a lease, sends outside any transaction, and then writes what came of it. A worker that
dies leaves the message claimed; when the lease ends another one sends it. A message is sent twice only where a provider
accepted it and the answer was cut off.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from queue import SimpleQueue
from typing import Any

from django.db import connection, connections, transaction
from django.db.models import F
from django.utils import timezone

from storefront import limits, outbox
from storefront.conf import conf
from storefront.contracts import DeliveryFailed, RenderedMessage
from storefront.errors import TooManyRequests

from . import breaker, consent, rendering, reports, secrets, selectors
from .models import QUEUE, Category, Message, MessageAttempt
from .selectors import Plan, Step

logger = logging.getLogger(__name__)

BACKOFF = (1, 5, 15, 60, 300)  # seconds before each further attempt on a step, give or take a fifth
TRIES_BEFORE_FALLBACK = 2  # on a step that has another after it; a code is of no use when it comes late
LONGEST_WAIT_BEFORE_FALLBACK = 10  # seconds; a provider that asks for more is passed over
ADDRESS_REFUSED = "address_refused"  # the reason by which a driver says that nobody is there
PAUSED = "provider_paused"  # the reason while a provider is left alone
INTERRUPTIONS = 10  # claims without a result, after which a message is held to be what kills the worker
DRAIN_SECONDS = 30  # one drain works so long at most, then asks for another
PARALLEL = 4  # sends at once in a process without a broker; with one, the worker's own concurrency decides
LOOK_AGAIN_SECONDS = 0.2  # for newcomers, while slow messages are under way


def drain() -> int:
    """Delivers until nothing is due, for half a minute at most; returns how many messages were worked on.

    Any number of drains may run at once, in threads, processes and machines. One message at a time and worker where a
    broker spreads the work; in a process of its own, a few at once, so that a slow provider does not hold up the rest.
    """
    alone = outbox.has_broker() or connection.in_atomic_block
    handled, finished = (_drain_in_turn if alone else _drain_in_parallel)(time.monotonic() + DRAIN_SECONDS)
    if not finished:
        outbox.wake(QUEUE)
    return handled


def _claim() -> Message | None:
    lease = timedelta(seconds=conf().MESSAGE_LEASE_SECONDS)
    claimed: Message | None = Message.objects.claim_next(now=timezone.now(), lease=lease)
    return claimed


def _drain_in_turn(until: float) -> tuple[int, bool]:
    handled = 0
    while time.monotonic() < until:
        message = _claim()
        if message is None:
            return handled, True
        deliver(message)
        handled += 1
    return handled, False


def _drain_in_parallel(until: float) -> tuple[int, bool]:
    """Claims here and sends in a few threads. Goes on claiming while slow ones are under way: others may come in."""
    work: SimpleQueue[Message | None] = SimpleQueue()
    turn = threading.Condition()
    senders: list[threading.Thread] = []
    handled = busy = 0

    def send() -> None:
        nonlocal busy
        try:
            while (message := work.get()) is not None:
                deliver(message)
                with turn:
                    busy -= 1
                    turn.notify()
        finally:
            connections.close_all()

    def has_room() -> bool:
        return busy < PARALLEL

    finished = False
    try:
        while not finished and time.monotonic() < until:
            with turn:
                room = turn.wait_for(has_room, timeout=LOOK_AGAIN_SECONDS)
            message = _claim() if room else None
            with turn:
                if message is not None:
                    busy += 1
                    handled += 1
                    if busy > len(senders):
                        senders.append(threading.Thread(target=send, name="messages", daemon=True))
                        senders[-1].start()
                    work.put(message)
                elif not busy:
                    finished = True
                elif room:
                    turn.wait(LOOK_AGAIN_SECONDS)
    finally:
        for _sender in senders:
            work.put(None)
        for sender in senders:
            sender.join()
    return handled, finished


def deliver(message: Message) -> None:
    """One attempt at a claimed message. Never raises: a fault of ours leaves the message to the end of its lease."""
    try:
        _deliver(message)
    except Exception:
        logger.exception("message_failed", extra={"message_id": message.pk, "template": message.template})


def _deliver(message: Message) -> None:
    started = timezone.now()
    if message.expired(started):
        _finish_dead(message, "expired")
        return
    if message.attempts - 1 - message.answers >= INTERRUPTIONS:
        _finish_dead(message, "interrupted")
        return
    plan = selectors.plan(message.store_id)
    steps = plan.steps(message)
    index = selectors.position(message, steps)
    if index is None:
        _finish_dead(message, "no_provider")
        return
    attempt = _Attempt(message, steps, index, started)
    try:
        driver, rendered = _prepare(message, plan, attempt.step, started)
        identifier = _send(driver, rendered, attempt.step)
    except _NotSendable as error:
        _finish_dead(message, error.reason)
    except DeliveryFailed as error:
        _record_failure(attempt, error)
    else:
        _record_success(attempt, identifier)


class _NotSendable(Exception):
    """Nothing on any channel can make this message worth sending."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Attempt:
    message: Message
    steps: list[Step]
    index: int
    started: datetime

    @property
    def step(self) -> Step:
        return self.steps[self.index]

    @property
    def next_step(self) -> Step | None:
        return self.steps[self.index + 1] if self.index + 1 < len(self.steps) else None


def _prepare(message: Message, plan: Plan, step: Step, now: datetime) -> tuple[Any, RenderedMessage]:
    """The driver and the text. Raises _NotSendable, or DeliveryFailed for what only this step cannot do."""
    store = plan.store
    to = message.address_for(step.channel)
    if message.category != Category.TRANSACTIONAL and selectors.is_unreachable(
        store=store, channel=step.channel, address=to
    ):
        raise DeliveryFailed("address_unreachable", retry=False)
    if not consent.given(store=store, to=to, channel=step.channel, category=message.category):
        raise DeliveryFailed("no_consent", retry=False)
    try:
        secret = _secret_of(message, now)
        rendered = rendering.render(
            message,
            store=store,
            channel=step.channel,
            overrides=plan.overrides,
            secret=secret,
            opt_out_url=consent.opt_out(store=store, to=to, channel=step.channel, category=message.category),
        )
    except secrets.Gone:
        raise _NotSendable("secret_gone") from None
    except rendering.CannotRender as error:
        raise _NotSendable(error.reason) from None
    try:
        driver = plan.driver(step)
    except (LookupError, TypeError, ValueError, ImportError):
        raise DeliveryFailed("misconfigured", retry=False) from None
    if step.daily_budget is not None and step.account_id:
        try:
            limits.hit([limits.Rule(f"messages:{step.account_id}", step.daily_budget, 86_400)])
        except TooManyRequests:
            raise DeliveryFailed("budget_used_up", retry=False) from None
    if message.expires_at is not None:
        rendered = replace(rendered, ttl=max(1, int((message.expires_at - now).total_seconds())))
    return driver, rendered


def _send(driver: Any, rendered: RenderedMessage, step: Step) -> str:
    """Outside any transaction. Raises DeliveryFailed, without asking while the provider is left alone."""
    key = step.account_id or step.driver
    if seconds := breaker.wait(key, now=timezone.now()):
        raise DeliveryFailed(PAUSED, retry=True, retry_after=seconds)
    try:
        identifier: str = driver.send(rendered)
    except DeliveryFailed as error:
        if error.retry and error.retry_after is None:
            breaker.failed(key, now=timezone.now())
        else:
            breaker.succeeded(key)
        raise
    breaker.succeeded(key)
    return identifier[:160]


def _secret_of(message: Message, now: datetime) -> dict[str, str]:
    try:
        return secrets.resolve(message.secret_ref, now=now)
    except secrets.Used as used:
        if message.answers:  # an earlier attempt may have reached them
            raise
        return used.values


def _record_success(attempt: _Attempt, identifier: str) -> None:
    message, step = attempt.message, attempt.step
    now = timezone.now()
    with transaction.atomic():
        _write_attempt(attempt, MessageAttempt.Outcome.SENT, now, identifier=identifier)
        # Even when the lease ended meanwhile: it has been sent, and whoever claimed it next may still be stopped.
        Message.objects.filter(store_id=message.store_id, pk=message.pk, state=Message.State.PENDING).update(
            state=Message.State.DONE,
            done_at=now,
            sent_at=now,
            reason="",
            answers=F("answers") + 1,
            current_channel=step.channel,
            account=step.account_id,
            provider=step.driver,
            provider_message_id=identifier,
        )
    if step.account_id and identifier:
        reports.apply_early(message.store_id, step.account_id, identifier)


def _record_failure(attempt: _Attempt, error: DeliveryFailed) -> None:
    """Another try on this step, the next step, or the end."""
    message, step = attempt.message, attempt.step
    now = timezone.now()
    onward = attempt.next_step
    tries = message.step_failures + 1
    wait_seconds = _wait(tries, error.retry_after)
    again = error.retry and tries < (TRIES_BEFORE_FALLBACK if onward else conf().MESSAGE_ATTEMPTS)
    if onward and (error.reason in ("timeout", PAUSED) or wait_seconds > LONGEST_WAIT_BEFORE_FALLBACK):
        again = False
    if message.expired(now + timedelta(seconds=wait_seconds)):
        again = False
    changes: dict[str, Any] = {
        "answers": F("answers") + 1,
        "reason": error.reason[:120],
        "provider": step.driver,
        "current_channel": step.channel,
        "account": step.account_id,
    }
    if again:
        changes |= {"step_failures": tries, "next_attempt_at": now + timedelta(seconds=wait_seconds)}
    elif onward:
        changes |= onward.start(now)
    else:
        changes |= {"state": Message.State.DEAD, "done_at": now}
    outcome = MessageAttempt.Outcome.RETRY if error.retry else MessageAttempt.Outcome.FAILED
    with transaction.atomic():
        _write_attempt(attempt, outcome, now, reason=error.reason)
        # Only while the claim is still ours: a later claim knows better.
        Message.objects.filter(
            store_id=message.store_id, pk=message.pk, state=Message.State.PENDING, attempts=message.attempts
        ).update(**changes)
        if error.reason == ADDRESS_REFUSED:
            reports.mark_unreachable(message, step.channel, error.reason)


def _wait(tries: int, retry_after: int | None) -> float:
    """Seconds before the attempt after `tries` failures; never sooner than the provider wants."""
    seconds = BACKOFF[min(tries, len(BACKOFF)) - 1] * random.uniform(0.8, 1.2)  # noqa: S311  spreads load, guards nothing
    return max(seconds, float(retry_after or 0))


def _write_attempt(attempt: _Attempt, outcome: str, now: datetime, *, reason: str = "", identifier: str = "") -> None:
    MessageAttempt.objects.create(
        store_id=attempt.message.store_id,
        message_id=attempt.message.pk,
        account_id=attempt.step.account_id,
        number=attempt.message.attempts,
        channel=attempt.step.channel,
        driver=attempt.step.driver,
        outcome=outcome,
        reason=reason[:120],
        provider_message_id=identifier,
        started_at=attempt.started,
        finished_at=now,
    )


def _finish_dead(message: Message, reason: str) -> None:
    Message.objects.filter(
        store_id=message.store_id, pk=message.pk, state=Message.State.PENDING, attempts=message.attempts
    ).update(state=Message.State.DEAD, done_at=timezone.now(), reason=reason, answers=F("answers") + 1)
