"""What providers say became of messages: repeats and any order are harmless."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from storefront import events, outbox
from storefront.contacts import mask
from storefront.contracts import DeliveryReport
from storefront.models import Store

from . import selectors
from .models import QUEUE, ChannelName, Message, MessageAttempt, ProviderAccount, UnmatchedReport, UnreachableAddress

REPORT_AGE = timedelta(hours=24)  # a report of failure after this does not send the message again


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


def apply_early(store_id: str, account_id: str, identifier: str) -> None:
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
            index = selectors.position(message, steps)
            if index is not None and index + 1 < len(steps) and not _too_late(message, now):
                changes |= steps[index + 1].start(now)
                outbox.wake(QUEUE)
            Message.objects.filter(store_id=message.store_id, pk=message.pk).update(**changes)
        lasting = bounced or attempt.channel != ChannelName.EMAIL
        _note(attempt, MessageAttempt.Outcome.FAILED if lasting else MessageAttempt.Outcome.RETRY, reason, now)
        if bounced:
            mark_unreachable(message, attempt.channel, reason, recipient=report.recipient)


def _unwanted(attempt: MessageAttempt, report: DeliveryReport, now: datetime) -> None:
    """The recipient called it spam, or ended such messages where the provider lets them. Counts once."""
    with transaction.atomic():
        message = Message.objects.select_for_update().get(store_id=attempt.store_id, pk=attempt.message_id)
        if _notes(attempt).filter(reason=f"reported_{report.status}").exists():
            return
        _note(attempt, MessageAttempt.Outcome.REPORTED, report.status, now)
        if report.status == "complained":
            mark_unreachable(message, attempt.channel, "complained", recipient=report.recipient)
        elif to := _address_of(message, attempt.channel, report.recipient):
            store = selectors.plan(message.store_id).store
            events.send("message.unsubscribed", store=store, to=to, channel=attempt.channel)


def mark_unreachable(message: Message, channel: str, reason: str, *, recipient: str = "") -> None:
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
