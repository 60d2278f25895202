"""`Idempotency-Key`: one effect per key, the same answer byte for byte to every repeat (decision D-63).

With `once` the record is written in the transaction of the effect, so neither exists without the other. `once_outside`
is for what asks somebody else on its way, a bank or a gateway, and must hold no locks meanwhile: the record comes first
and names the id that the effect will have, so a repeat of a call that died half-way goes on with that same effect.

A key is scoped to store, caller and route, and lives 24 hours. A refusal stores nothing: the client may repair its
request and repeat the key.
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
from storefront.errors import DomainError, InProgress, Invalid
from storefront.ids import new_id
from storefront.models import IdempotencyRecord, Store

LIFETIME = timedelta(hours=24)
MAX_KEY = 255
CLAIM = timedelta(seconds=60)  # longer than any provider is waited for; then a call counts as dead


def once(*, store: Store, caller: str, route: str, key: str | None, body: Any, call: Callable[[], Response]) -> Any:
    """`call()`, or the stored answer of the first call with this key.

    Raises Invalid (`idempotency_key_reused`) for another body, InProgress while the first call runs. `call` runs in
    the record's transaction; on PostgreSQL a running twin is waited for only until it commits.
    """
    if not key:
        return call()
    key_hashes, request_hashes = _hashes(store, caller, route, key, body)
    record = _found(store, key_hashes)
    if record is not None:
        return _replay(record, request_hashes)
    try:
        with transaction.atomic():
            record = IdempotencyRecord.objects.create(
                store=store,
                key_hash=key_hashes[0],
                request_hash=request_hashes[0],
                expires_at=timezone.now() + LIFETIME,
            )
            response = call()
            record.status, record.body = response.status_code, wire.dumps(response.data)
            record.save(update_fields=["status", "body"])
            return response
    except IntegrityError:
        record = _found(store, key_hashes)
        if record is None:
            raise
        return _replay(record, request_hashes)


def once_outside(
    *, store: Store, caller: str, route: str, key: str | None, body: Any, call: Callable[[str], Response]
) -> Any:
    """`call(effect_id)`, outside of any transaction, or the stored answer of the first call with this key.

    `effect_id` is fresh, and the same one for a repeat of a call that ended without an answer (its process died, or a
    provider did not say what it had done); `call` must then find what it did before. Raises Invalid
    (`idempotency_key_reused`) for another body, InProgress while the first call runs.
    """
    if not key:
        return call(new_id())
    key_hashes, request_hashes = _hashes(store, caller, route, key, body)
    record, mine = _found(store, key_hashes), False
    if record is None:
        record, mine = _claimed(store, key_hashes, request_hashes[0])
    if not mine:
        _check(record, request_hashes)
        if record.status is not None:
            return _replay(record, request_hashes)
        _take_over(record)
    claim = IdempotencyRecord.objects.filter(store=store, pk=record.pk, claimed_until=record.claimed_until)
    try:
        response = call(record.effect_id)
    except DomainError as error:
        if error.status < 500:
            claim.delete()
        else:
            claim.update(claimed_until=timezone.now())  # nobody knows what it came to
        raise
    except Exception:
        claim.update(claimed_until=timezone.now())
        raise
    claim.update(status=response.status_code, body=wire.dumps(response.data))
    return response


def _claimed(store: Store, key_hashes: list[str], request_hash: str) -> tuple[IdempotencyRecord, bool]:
    """A record of this call's own, or that of a twin which was quicker."""
    now = timezone.now()
    fresh = IdempotencyRecord(
        store=store,
        key_hash=key_hashes[0],
        request_hash=request_hash,
        effect_id=new_id(),
        claimed_until=now + CLAIM,
        expires_at=now + LIFETIME,
    )
    try:
        with transaction.atomic():
            fresh.save(force_insert=True)
    except IntegrityError:
        twin = _found(store, key_hashes)
        if twin is None:
            raise InProgress(retry_after=1) from None
        return twin, False
    return fresh, True


def _take_over(record: IdempotencyRecord) -> None:
    """Makes a call that died this one's. Raises InProgress while it may still run."""
    now = timezone.now()
    until = now + CLAIM
    left_behind = IdempotencyRecord.objects.filter(
        store_id=record.store_id, pk=record.pk, status=None, claimed_until__lte=now
    )
    if not left_behind.update(claimed_until=until):
        raise InProgress(retry_after=1)
    record.claimed_until = until


def _hashes(store: Store, caller: str, route: str, key: str, body: Any) -> tuple[list[str], list[str]]:
    """Hashes of the key and of the body, under every live secret, the newest first: a body may hold an account number."""
    if len(key) > MAX_KEY or not key.isprintable():
        raise Invalid(_("The Idempotency-Key must be 1 to 255 printable characters."), field="Idempotency-Key")
    scope = (store.pk, caller, route, key)
    digest = hashlib.sha256(wire.dumps(body)).hexdigest()
    return crypto.keyed_hashes("idempotency", *scope), crypto.keyed_hashes("idempotency-body", *scope, digest)


def _found(store: Store, key_hashes: list[str]) -> IdempotencyRecord | None:
    record = IdempotencyRecord.objects.filter(store=store, key_hash__in=key_hashes).first()
    if record is not None and record.expires_at < timezone.now():
        record.delete()
        return None
    return record


def _check(record: IdempotencyRecord, request_hashes: list[str]) -> None:
    if record.request_hash not in request_hashes:
        raise Invalid(
            _("This Idempotency-Key was used for another request."),
            code="idempotency_key_reused",
            field="Idempotency-Key",
        )


def _replay(record: IdempotencyRecord, request_hashes: list[str]) -> HttpResponseBase:
    _check(record, request_hashes)
    if record.status is None:
        raise InProgress(retry_after=1)
    return HttpResponse(bytes(record.body), status=record.status, content_type="application/json")
