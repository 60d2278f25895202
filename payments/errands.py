"""What providers must be told although nobody waits for it: a row first, and as many tries as it takes."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from django.utils import timezone

from storefront import outbox
from storefront.contracts import GatewayRefused
from storefront.errors import Unavailable
from storefront.models import Store

from . import gateways
from .models import Errand, PaymentProvider

logger = logging.getLogger(__name__)
QUEUE = "payment_errands"
LEASE = timedelta(minutes=2)
WAITS = (60, 300, 1800, 7200, 43_200)  # seconds between tries; the last one goes on for MOST tries
MOST = 30
DRAIN_SECONDS = 20
_CALLS = {
    Errand.Kind.REVOKE_MANDATE: ("revoke_mandate", "reference"),
    Errand.Kind.FORGET_CUSTOMER: ("forget_customer", "customer_reference"),
}


def send(*, store: Store, provider: PaymentProvider, kind: str, reference: str) -> None:
    """Writes the errand into the caller's transaction; it is run after the commit."""
    Errand.objects.create(store=store, provider=provider, kind=kind, reference=reference)
    outbox.wake(QUEUE)


@outbox.Turnstile(2)
def drain() -> int:
    end, handled = time.monotonic() + DRAIN_SECONDS, 0
    while time.monotonic() < end:
        row = Errand.objects.select_related("provider").claim_next(now=timezone.now(), lease=LEASE)
        if row is None:
            break
        _run(row)
        handled += 1
    return handled


def _run(row: Errand) -> None:
    name, argument = _CALLS[Errand.Kind(row.kind)]
    try:
        gateways.call(name, row.provider, **{argument: row.reference})
    except Unavailable:
        if row.attempts >= MOST:
            logger.error("errand_given_up", extra={"errand": row.pk, "kind": row.kind})
            row.give_up("no answer")
        else:
            row.retry_in(WAITS[min(row.attempts, len(WAITS)) - 1], reason="no answer")
    except GatewayRefused as error:
        row.finish()  # it knows no such thing, or has ended it already
        logger.info("errand_refused", extra={"errand": row.pk, "kind": row.kind, "code": error.code})
    else:
        row.finish()
