"""`Idempotency-Key`: one effect per key, the same answer byte for byte to every repeat (decision D-63).

The record is written in the transaction of the effect, so neither exists without the other. A key is scoped to store,
caller and route, and lives 24 hours. A refusal stores nothing: the client may repair its request and repeat the key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.response import Response

from storefront import crypto, wire
from storefront.errors import InProgress, Invalid
from storefront.models import IdempotencyRecord, Store

LIFETIME = timedelta(hours=24)
MAX_KEY = 255


def once(*, store: Store, caller: str, route: str, key: str | None, body: Any, call: Callable[[], Response]) -> Any:
    """`call()`, or the stored answer of the first call with this key.

    Raises Invalid (`idempotency_key_reused`) for another body, InProgress while the first call runs. `call` runs in
    the record's transaction; on PostgreSQL a running twin is waited for only until it commits.
    """
    if not key:
        return call()
    if len(key) > MAX_KEY or not key.isprintable():
        raise Invalid(_("The Idempotency-Key must be 1 to 255 printable characters."), field="Idempotency-Key")
    key_hash = crypto.keyed_hash("idempotency", store.pk, caller, route, key)
    request_hash = hashlib.sha256(wire.dumps(body)).hexdigest()
    stored = _stored(store, key_hash, request_hash)
    if stored is not None:
        return stored
    try:
        with transaction.atomic():
            record = IdempotencyRecord.objects.create(
                store=store, key_hash=key_hash, request_hash=request_hash, expires_at=timezone.now() + LIFETIME
            )
            response = call()
            record.status, record.body = response.status_code, wire.dumps(response.data)
            record.save(update_fields=["status", "body"])
            return response
    except IntegrityError:
        stored = _stored(store, key_hash, request_hash)
        if stored is None:
            raise
        return stored


def _stored(store: Store, key_hash: str, request_hash: str) -> HttpResponseBase | None:
    record = IdempotencyRecord.objects.filter(store=store, key_hash=key_hash).first()
    if record is None:
        return None
    if record.expires_at < timezone.now():
        record.delete()
        return None
    if record.request_hash != request_hash:
        raise Invalid(
            _("This Idempotency-Key was used for another request."),
            code="idempotency_key_reused",
            field="Idempotency-Key",
        )
    if record.status is None:
        raise InProgress(retry_after=1)
    return HttpResponse(bytes(record.body), status=record.status, content_type="application/json")
