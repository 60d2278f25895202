"""Every write of the message queue: queueing, delivery, reports, housekeeping."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.utils import timezone

from storefront import outbox
from storefront.models import Store

from .models import Message

QUEUE = "messages"


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
    """
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
