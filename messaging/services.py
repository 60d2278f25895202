"""Every write of the message queue: queueing, delivery, reports, sending again, housekeeping.

Delivery is at least once. A worker claims a message for a lease, sends outside any transaction, and then writes what
came of it. A worker that dies leaves the message claimed; when the lease ends another one sends it. A message is sent
twice only where a provider accepted it and the answer was cut off.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from queue import SimpleQueue
from typing import Any

from django.db import connection, connections, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from storefront import events, limits, outbox
from storefront.conf import conf
from storefront.contacts import mask
from storefront.contracts import DeliveryFailed, DeliveryReport, RenderedMessage
from storefront.errors import TooManyRequests
from storefront.models import Store

from . import breaker, consent, rendering, secrets, selectors
from .models import (
    Category,
    ChannelName,
    Message,
    MessageAttempt,
    ProviderAccount,
    UnmatchedReport,
    UnreachableAddress,
)
from .selectors import Plan, Step

logger = logging.getLogger(__name__)

QUEUE = "messages"
BACKOFF = (1, 5, 15, 60, 300)  # seconds before each further attempt on a step, give or take a fifth
TRIES_BEFORE_FALLBACK = 2  # on a step that has another after it; a code is of no use when it comes late
LONGEST_WAIT_BEFORE_FALLBACK = 10  # seconds; a provider that asks for more is passed over
ADDRESS_REFUSED = "address_refused"  # the reason by which a driver says that nobody is there
PAUSED = "provider_paused"  # the reason while a provider is left alone
INTERRUPTIONS = 10  # claims without a result, after which a message is held to be what kills the worker
DRAIN_SECONDS = 30  # one drain works so long at most, then asks for another
PARALLEL = 4  # sends at once in a process without a broker; with one, the worker's own concurrency decides
REPORT_AGE = timedelta(hours=24)  # a report of failure after this does not send the message again
LOOK_AGAIN_SECONDS = 0.2  # for newcomers, while slow messages are under way


def queue(
    *,
    store: Store,
    to: str,
    channel: str,
    template: str,
    values: Mapping[str, str] | None = None,
    secret_ref: str = "",
    ttl: int = 0,
    dedupe_key: str = "",
    category: str = "transactional",
    language: str | None = None,
    alternatives: Mapping[str, str] | None = None,
) -> Message:
    """Writes a message into the caller's transaction: one INSERT; it leaves after the commit.

    `to` is E.164 or an e-mail address, `channel` sms, whatsapp or email. `values` must hold nothing secret: a one-time
    code is named by `secret_ref` ("otp:<id>"). After `ttl` seconds the message is worthless and is not sent (0: never).
    `alternatives` ({"email": ..., "phone": ...}) are other contacts of the same person, for messages without a secret.
    With a `dedupe_key` that the store has used before, nothing is written and the first message is returned.
    Raises ValueError for an unknown channel, and for a code among the values.
    """
    if channel not in ChannelName.values or (values and "code" in values):
        raise ValueError("A message needs one of the channels, and its code by reference.")
    now = timezone.now()
    message = Message(
        store=store,
        to=to,
        channel=channel,
        current_channel=channel,
        template=template,
        language=language or store.language,
        values=dict(values or {}),
        secret_ref=secret_ref,
        category=category,
        dedupe_key=dedupe_key,
        alternatives=dict(alternatives or {}),
        expires_at=now + timedelta(seconds=ttl) if ttl else None,
        created_at=now,
        next_attempt_at=now,
    )
    if dedupe_key:
        Message.objects.bulk_create([message], ignore_conflicts=True)
        message = Message.objects.get(store=store, dedupe_key=dedupe_key)
    else:
        message.save(force_insert=True)
    outbox.wake(QUEUE)
    return message


# --- delivery -------------------------------------------------------------------------------------------------------


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
    index = _position(message, steps)
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


def _position(message: Message, steps: list[Step]) -> int | None:
    """Where on its route a message stands. When its account has gone, the next one of its channel, or the channel
    after that."""
    for index, step in enumerate(steps):
        if step.channel == message.current_channel and message.account_id in (None, step.account_id):
            return index
    order = list(dict.fromkeys(step.channel for step in steps))
    if message.current_channel in order:
        return next(index for index, step in enumerate(steps) if step.channel == message.current_channel)
    return 0 if steps else None


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
        _apply_early_reports(message.store_id, step.account_id, identifier)


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
        changes |= _onward(onward, now)
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
            _bounced(message, step.channel, error.reason)


def _bounced(message: Message, channel: str, reason: str, *, recipient: str = "") -> None:
    """In the caller's transaction: marks the address, and tells the other apps."""
    to = _address_of(message, channel, recipient)
    if not to:
        return
    store = selectors.plan(message.store_id).store
    mark = UnreachableAddress(
        store=store,
        channel=channel,
        address_hash=selectors.address_hashes(store=store, channel=channel, address=to)[0],
        shown=mask(to),
        reason=reason[:120],
    )
    UnreachableAddress.objects.bulk_create([mark], ignore_conflicts=True)
    events.send("message.bounced", store=store, to=to, channel=channel, reason=reason)


def _address_of(message: Message, channel: str, recipient: str) -> str:
    """Where a message went. Of one whose address was forgotten meanwhile only what the provider says, if it fits."""
    to = message.address_for(channel)
    if not message.masked:
        return to
    return recipient if recipient and mask(recipient) == to else ""


def reachable_again(*, store: Store, channel: str, address: str) -> bool:
    """Takes the mark from an address; whether it had one. Safe to repeat."""
    hashes = selectors.address_hashes(store=store, channel=channel, address=address)
    deleted, _rows = UnreachableAddress.objects.filter(store=store, channel=channel, address_hash__in=hashes).delete()
    return bool(deleted)


def _onward(step: Step, now: datetime) -> dict[str, Any]:
    return {
        "state": Message.State.PENDING,
        "done_at": None,
        "sent_at": None,
        "current_channel": step.channel,
        "account": step.account_id,
        "step_failures": 0,
        "provider_message_id": "",
        "next_attempt_at": now,
    }


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


# --- reports --------------------------------------------------------------------------------------------------------


def record_reports(*, store: Store, account: ProviderAccount, reports: Iterable[DeliveryReport]) -> int:
    """What a provider says became of messages; returns how many were known. Repeats and any order are harmless.

    A report that overtakes the worker's own note of the provider's id is kept, and applied when the note is written.
    """
    known = 0
    for report in reports:
        if _apply(store.pk, account.pk, report):
            known += 1
            continue
        UnmatchedReport.objects.create(
            store=store,
            account=account,
            provider_message_id=report.provider_message_id[:160],
            status=report.status[:16],
            reason=report.reason[:120],
            permanent=report.permanent,
        )
        known += _apply(store.pk, account.pk, report)  # the note may have been written between the two
    return known


def _apply_early_reports(store_id: str, account_id: str, identifier: str) -> None:
    early = UnmatchedReport.objects.filter(
        store_id=store_id, account_id=account_id, provider_message_id=identifier
    ).order_by("pk")
    for row in early:
        _apply(
            store_id,
            account_id,
            DeliveryReport(
                provider_message_id=identifier, status=row.status, reason=row.reason, permanent=row.permanent
            ),
        )


def _apply(store_id: str, account_id: str, report: DeliveryReport) -> bool:
    attempt = (
        MessageAttempt.objects.filter(
            store_id=store_id,
            account_id=account_id,
            provider_message_id=report.provider_message_id[:160],
            outcome=MessageAttempt.Outcome.SENT,
        )
        .exclude(provider_message_id="")
        .first()
    )
    if attempt is None:
        return False
    now = timezone.now()
    if report.status in ("delivered", "read"):
        _arrived(attempt, now)
    elif report.status == "failed":
        _sent_but_failed(attempt, report, now)
    elif report.status in ("complained", "unsubscribed"):
        _unwanted(attempt, report, now)
    return True


def _arrived(attempt: MessageAttempt, now: datetime) -> None:
    with transaction.atomic():
        message = Message.objects.select_for_update().get(store_id=attempt.store_id, pk=attempt.message_id)
        if message.delivered_at is not None or _reported(attempt, permanent=True):
            return
        Message.objects.filter(store_id=message.store_id, pk=message.pk).update(
            state=Message.State.DONE,
            delivered_at=now,
            done_at=now,
            reason="",
            sent_at=attempt.finished_at,
            current_channel=attempt.channel,
        )


def _sent_but_failed(attempt: MessageAttempt, report: DeliveryReport, now: datetime) -> None:
    """Falls back while the message is still worth something. Only the latest sending counts, and only once.

    A mail server may take a message and send it back later, so of e-mail the word that nobody is there is the last one,
    in whatever order the two come.
    """
    reason = report.reason or "undelivered"
    bounced = attempt.channel == ChannelName.EMAIL and report.permanent  # a phone may be off
    with transaction.atomic():
        message = Message.objects.select_for_update().get(store_id=attempt.store_id, pk=attempt.message_id)
        is_latest = (
            message.state == Message.State.DONE
            and message.provider_message_id == attempt.provider_message_id
            and (message.delivered_at is None or bounced)
        )
        if _reported(attempt, permanent=bounced) or not (is_latest or bounced):
            return
        if is_latest:
            changes: dict[str, Any] = {
                "state": Message.State.DEAD,
                "done_at": now,
                "delivered_at": None,
                "reason": reason[:120],
            }
            steps = selectors.plan(message.store_id).steps(message)
            index = _position(message, steps)
            if index is not None and index + 1 < len(steps) and not _too_late(message, now):
                changes |= _onward(steps[index + 1], now)
                outbox.wake(QUEUE)
            Message.objects.filter(store_id=message.store_id, pk=message.pk).update(**changes)
        lasting = bounced or attempt.channel != ChannelName.EMAIL
        _note(attempt, MessageAttempt.Outcome.FAILED if lasting else MessageAttempt.Outcome.RETRY, reason, now)
        if bounced:
            _bounced(message, attempt.channel, reason, recipient=report.recipient)


def _unwanted(attempt: MessageAttempt, report: DeliveryReport, now: datetime) -> None:
    """The recipient called it spam, or ended such messages where the provider lets them. Counts once."""
    with transaction.atomic():
        message = Message.objects.select_for_update().get(store_id=attempt.store_id, pk=attempt.message_id)
        if _notes(attempt).filter(reason=f"reported_{report.status}").exists():
            return
        _note(attempt, MessageAttempt.Outcome.REPORTED, report.status, now)
        if report.status == "complained":
            _bounced(message, attempt.channel, "complained", recipient=report.recipient)
        elif to := _address_of(message, attempt.channel, report.recipient):
            store = selectors.plan(message.store_id).store
            events.send("message.unsubscribed", store=store, to=to, channel=attempt.channel)


def _reported(attempt: MessageAttempt, *, permanent: bool) -> bool:
    """Whether a failure of this very sending was reported before; with `permanent`, one for good."""
    if permanent and attempt.channel != ChannelName.EMAIL:
        return False
    failures = [MessageAttempt.Outcome.FAILED]
    if not permanent:
        failures.append(MessageAttempt.Outcome.RETRY)
    return _notes(attempt).filter(outcome__in=failures).exists()


def _notes(attempt: MessageAttempt) -> QuerySet[MessageAttempt]:
    """What was reported of this very sending. A message that staff send again has others under the same number."""
    return MessageAttempt.objects.filter(
        store_id=attempt.store_id,
        account_id=attempt.account_id,
        provider_message_id=attempt.provider_message_id,
        reason__startswith="reported_",
    )


def _note(attempt: MessageAttempt, outcome: str, reason: str, now: datetime) -> None:
    MessageAttempt.objects.create(
        store_id=attempt.store_id,
        message_id=attempt.message_id,
        account_id=attempt.account_id,
        number=attempt.number,
        channel=attempt.channel,
        driver=attempt.driver,
        outcome=outcome,
        reason=f"reported_{reason}"[:120],
        provider_message_id=attempt.provider_message_id,
        started_at=attempt.started_at,
        finished_at=now,
    )


def _too_late(message: Message, now: datetime) -> bool:
    return message.expired(now) or (message.sent_at is not None and message.sent_at + REPORT_AGE < now)


# --- staff ----------------------------------------------------------------------------------------------------------


def send_again(*, store: Store | None = None, ids: Iterable[str]) -> int:
    """Puts given-up messages back at the start of their route; returns how many.

    Passed over: messages that are waiting or were sent, expired ones, and those whose address has been removed.
    """
    now = timezone.now()
    rows = Message.objects.filter(pk__in=list(ids), state=Message.State.DEAD, masked=False)
    if store is not None:
        rows = rows.filter(store=store)
    changed: int = rows.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now)).update(
        state=Message.State.PENDING,
        current_channel=F("channel"),
        account=None,
        attempts=0,
        answers=0,
        step_failures=0,
        reason="",
        provider="",
        provider_message_id="",
        sent_at=None,
        done_at=None,
        next_attempt_at=now,
    )
    if changed:
        outbox.wake(QUEUE)
    return changed


@dataclass(frozen=True, slots=True)
class TestSend:
    accepted: bool
    detail: str  # the provider's id, or the reason


def send_test(*, account: ProviderAccount, to: str) -> TestSend:
    """Sends a harmless message through one account, now, and says what the provider answered. Writes nothing."""
    text = _("This is a test message from %(store)s.") % {"store": account.store.name}
    message = RenderedMessage(
        to=to,
        subject=_("Test message"),
        text=text,
        template={"code": "test", "name": account.options.get("test_template", "")},
        key=f"test-{int(time.time())}",
    )
    try:
        identifier = selectors.build_driver(account).send(message)
    except DeliveryFailed as error:
        return TestSend(False, error.reason)
    except (LookupError, TypeError, ValueError, ImportError):
        return TestSend(False, "misconfigured")
    return TestSend(True, identifier)


# --- personal data --------------------------------------------------------------------------------------------------


def forget_contacts(*, store: Store, contacts: Iterable[str]) -> int:
    """Removes these addresses from the store's messages at once; waiting ones are given up. Returns how many.

    Their owner is to be forgotten, so the other apps are told in the same transaction.
    """
    wanted = [contact for contact in contacts if contact]
    events.send("contacts.forgotten", store=store, contacts=wanted)
    for channel in ChannelName.values:
        hashes = [
            found
            for contact in wanted
            for found in selectors.address_hashes(store=store, channel=channel, address=contact)
        ]
        UnreachableAddress.objects.filter(store=store, channel=channel, address_hash__in=hashes).delete()
    rows = Message.objects.filter(store=store, to__in=wanted, masked=False)
    rows.filter(state=Message.State.PENDING).update(
        state=Message.State.DEAD, done_at=timezone.now(), reason="contact_erased"
    )
    return _mask(list(rows.exclude(state=Message.State.PENDING)))


def sweep(*, now: datetime, batch: int, **_payload: Any) -> None:
    """Housekeeping: addresses and values of messages older than MESSAGE_DAYS, and reports that matched nothing."""
    since = now - timedelta(days=conf().MESSAGE_DAYS)
    old = Message.objects.filter(masked=False, created_at__lt=since).exclude(state=Message.State.PENDING)
    _mask(list(old.order_by("created_at")[: min(batch, 200)]))
    stale = UnmatchedReport.objects.filter(created_at__lt=now - REPORT_AGE)
    UnmatchedReport.objects.filter(pk__in=list(stale.values_list("pk", flat=True)[:batch])).delete()


def _mask(rows: list[Message]) -> int:
    for message in rows:
        message.to = mask(message.to)
        message.alternatives, message.values, message.masked = {}, {}, True
    Message.objects.bulk_update(rows, ["to", "alternatives", "values", "masked"], batch_size=200)
    return len(rows)
