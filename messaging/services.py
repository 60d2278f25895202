"""What others ask of the queue: a message, another try, forgetting somebody. `delivery` sends, `reports` hears back."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from storefront import events, outbox
from storefront.conf import conf
from storefront.contacts import mask
from storefront.contracts import DeliveryFailed, RenderedMessage
from storefront.models import Store

from . import selectors
from .models import QUEUE, ChannelName, Message, ProviderAccount, UnmatchedReport, UnreachableAddress
from .reports import REPORT_AGE


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


def reachable_again(*, store: Store, channel: str, address: str) -> bool:
    """Takes the mark from an address; whether it had one. Safe to repeat."""
    hashes = selectors.address_hashes(store=store, channel=channel, address=address)
    deleted, _rows = UnreachableAddress.objects.filter(store=store, channel=channel, address_hash__in=hashes).delete()
    return bool(deleted)


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
