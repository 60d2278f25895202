"""Debits of mandates: scheduled for an order, carried out when due, tried again, settled by the provider's word.

A worker takes one that is due by writing that it is under way, asks the provider outside of any lock under an id that
names the try, and then writes what came of it. A worker that dies leaves it under way; somebody asks the provider about
that id later, and sends the same id again where it never arrived. No try is ever made under two ids, so no money is
taken twice. Locks: the mandate, then its debits, then the credit line.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from storefront.conf import conf
from storefront.contracts import DebitFacts, GatewayRefused
from storefront.errors import NotFound, Unavailable
from storefront.models import Store
from storefront.money import rounded

from . import credit, errors, gateways, selectors
from .models import Mandate, MandateDebit
from .states import DEBIT_STEPS, WAITING, DebitStatus, MandateStatus

logger = logging.getLogger(__name__)
QUEUE = "mandate_debits"
ASK_AGAIN = timedelta(minutes=5)  # after a provider said that a debit is still under way, or did not answer
DRAIN_SECONDS = 20  # one drain works so long at most; the next comes with the next sweep
QUIET_SECONDS = 60  # for which a provider that did not answer is left alone by this process
_quiet_until: dict[str, float] = {}


# --- orders -----------------------------------------------------------------------------------------------------------
def schedule(
    *,
    store: Store,
    customer_id: str,
    mandate_id: str,
    order_id: str,
    amount: Decimal,
    scheduled_at: datetime,
    order_number: str = "",
) -> MandateDebit:
    """Plans one debit for an order. The same order again answers the debit that there is.

    Raises MandateNotFound, MandateNotActive, DebitRefused for an amount or a moment that the mandate does not cover.
    Runs in the caller's transaction or its own.
    """
    with transaction.atomic():
        mandate = selectors.mandate_for_update(store=store, mandate_id=mandate_id)
        if mandate.customer_id != customer_id:
            raise errors.MandateNotFound
        live = MandateDebit.objects.filter(store=store, order_id=order_id).exclude(
            status__in=[DebitStatus.CANCELLED, DebitStatus.FAILED]
        )
        known = live.first()
        if known is not None:
            if (known.mandate_id, known.amount) != (mandate.pk, amount):
                raise errors.DebitRefused(_("Another debit is planned for this order already."))
            return known
        if mandate.status != MandateStatus.ACTIVE:
            raise errors.MandateNotActive
        if amount <= 0 or amount != rounded(amount, store.currency) or amount > mandate.max_amount:
            raise errors.DebitRefused(field="amount")
        if not mandate.start_at <= scheduled_at <= mandate.end_at or mandate.currency != store.currency_code:
            raise errors.DebitRefused(field="scheduled_at")
        return MandateDebit.objects.create(
            store=store,
            mandate=mandate,
            customer_id=customer_id,
            order_id=order_id,
            order_number=order_number,
            amount=amount,
            currency=mandate.currency,
            scheduled_at=scheduled_at,
            due_at=scheduled_at,
            max_retries=conf().MANDATE_DEBIT_RETRIES,
        )


def cancel(*, store: Store, order_id: str, reason: str = "order_cancelled", now: datetime) -> int:
    """Takes back what is planned for an order and not at the provider yet. How many debits that were."""
    return MandateDebit.objects.filter(store=store, order_id=order_id, status__in=WAITING).update(
        status=DebitStatus.CANCELLED, reason=reason, due_at=None, next_retry_at=None, executed_at=now, modified_at=now
    )


def retry(*, store: Store, debit_id: str, now: datetime) -> MandateDebit:
    """For staff: tries a debit that failed for good, or waits for its next try, at once.

    Raises NotFound, MandateNotActive, DebitRefused for one in another state.
    """
    mandate_id = MandateDebit.objects.filter(store=store, pk=debit_id).values_list("mandate_id", flat=True).first()
    if mandate_id is None:
        raise NotFound
    with transaction.atomic():
        mandate = selectors.mandate_for_update(store=store, mandate_id=mandate_id)
        debit = MandateDebit.objects.select_for_update().get(store=store, pk=debit_id)
        if mandate.status != MandateStatus.ACTIVE:
            raise errors.MandateNotActive
        if debit.status == DebitStatus.AWAITING_RETRY:
            debit.next_retry_at = debit.due_at = now
        elif DebitStatus.AWAITING_RETRY in DEBIT_STEPS[debit.status] and debit.status == DebitStatus.FAILED:
            debit.status, debit.retry_attempt = DebitStatus.AWAITING_RETRY, debit.retry_attempt + 1
            debit.max_retries = max(debit.max_retries, debit.retry_attempt)
            debit.next_retry_at = debit.due_at = now
            debit.executed_at = None
        else:
            raise errors.DebitRefused(_("Only a failed debit can be tried again."))
        try:
            with transaction.atomic():
                debit.save()
        except IntegrityError as error:
            raise errors.DebitRefused(_("Another debit is planned for this order already.")) from error
    return debit


# --- the worker -------------------------------------------------------------------------------------------------------
def drain() -> int:
    """Works on what is due, one at a time, until nothing is or the time is up. How many it looked at."""
    end, handled = time.monotonic() + DRAIN_SECONDS, 0
    while time.monotonic() < end:
        debit = claim(now=timezone.now())
        if debit is None:
            break
        carry_out(debit)
        handled += 1
    return handled


def claim(*, now: datetime) -> MandateDebit | None:
    """Takes the next debit that is due, with `mandate` and its provider loaded; None when nothing is.

    Two workers never take the same. What a mandate no longer covers is cancelled on the way.
    """
    quiet = [key for key, until in _quiet_until.items() if until > time.monotonic()]
    while True:
        due = MandateDebit.objects.filter(due_at__lte=now)
        if quiet:
            due = due.exclude(mandate__provider__in=quiet)
        seen = due.order_by("due_at", "pk").first()
        if seen is None:
            return None
        with transaction.atomic():
            mandate = selectors.mandate_for_update(store=seen.store, mandate_id=seen.mandate_id)
            debit = (
                MandateDebit.objects.select_for_update()
                .filter(store=seen.store_id, pk=seen.pk, status=seen.status, due_at=seen.due_at)
                .first()
            )
            if debit is None:  # another worker has it
                continue
            if debit.status in WAITING and not _covered(mandate, debit, now):
                _settle(debit, DebitStatus.CANCELLED, now, reason=f"mandate_{_why(mandate)}")
                continue
            if debit.status in WAITING:
                debit.status, debit.picked_at, debit.next_retry_at = DebitStatus.PENDING, now, None
                debit.gateway_order_id = f"{debit.pk}-{debit.retry_attempt}"
                fresh = True
            else:
                fresh = False
            debit.due_at = now + max(ASK_AGAIN, timedelta(seconds=3 * conf().PAYMENT_TIMEOUT_SECONDS))
            debit.save()
        debit.mandate = Mandate.objects.select_related("provider").get(store=seen.store_id, pk=mandate.pk)
        debit.is_fresh = fresh  # type: ignore[attr-defined]
        return debit


def _covered(mandate: Mandate, debit: MandateDebit, now: datetime) -> bool:
    return mandate.status == MandateStatus.ACTIVE and now <= mandate.end_at and debit.amount <= mandate.max_amount


def _why(mandate: Mandate) -> str:
    return "terms" if mandate.status == MandateStatus.ACTIVE else mandate.status


def carry_out(debit: MandateDebit) -> None:
    """Asks the provider for a claimed debit, or about it, and writes down what it says. Holds no lock meanwhile."""
    mandate = debit.mandate
    try:
        facts = None
        if not getattr(debit, "is_fresh", False):
            facts = gateways.call("debit_status", mandate.provider, debit_id=debit.gateway_order_id)
        if facts is None:  # new, or it never arrived: the same id again cannot take money twice
            facts = gateways.call(
                "debit",
                mandate.provider,
                reference=mandate.reference,
                debit_id=debit.gateway_order_id,
                amount=debit.amount,
                currency=debit.currency,
                order_number=debit.order_number or debit.order_id,
            )
    except Unavailable:
        _quiet_until[mandate.provider_id] = time.monotonic() + QUIET_SECONDS
        logger.warning("debit_unanswered", extra={"debit": debit.pk})
        return
    except GatewayRefused as error:
        facts = DebitFacts(debit_id=debit.gateway_order_id, status="failed", reason=error.code)
    settle(store=debit.store, facts=facts, debit_id=debit.pk, now=timezone.now())


def settle(*, store: Store, debit_id: str, facts: DebitFacts, now: datetime) -> None:
    """Writes a provider's word on the try that `facts` names. Repeating is harmless, and so is news of an older try.

    A success pays back what the order owes of a credit line, in the same transaction.
    """
    mandate_id = MandateDebit.objects.filter(store=store, pk=debit_id).values_list("mandate_id", flat=True).first()
    if mandate_id is None:
        raise NotFound
    with transaction.atomic():
        mandate = selectors.mandate_for_update(store=store, mandate_id=mandate_id)
        debit = MandateDebit.objects.select_for_update().get(store=store, pk=debit_id)
        if debit.status != DebitStatus.PENDING or debit.gateway_order_id != facts.debit_id:
            return
        if facts.reference:
            debit.external_reference_id = facts.reference[:160]
        if facts.status == "success":
            _settle(debit, DebitStatus.SUCCESS, now)
            credit.repay(
                store_id=store.pk,
                customer_id=debit.customer_id,
                order_id=debit.order_id,
                amount=debit.amount,
                key=f"debit:{debit.pk}",
            )
        elif facts.status == "failed":
            again = facts.retry and debit.retry_attempt < debit.max_retries and mandate.status == MandateStatus.ACTIVE
            if again:
                debit.status, debit.reason = DebitStatus.AWAITING_RETRY, facts.reason[:60]
                debit.retry_attempt += 1
                debit.next_retry_at = debit.due_at = now + timedelta(seconds=conf().MANDATE_DEBIT_RETRY_SECONDS)
                debit.save()
            else:
                _settle(debit, DebitStatus.FAILED, now, reason=facts.reason)
        else:
            debit.due_at = now + ASK_AGAIN
            debit.save()


def _settle(debit: MandateDebit, status: str, now: datetime, *, reason: str = "") -> None:
    assert status in DEBIT_STEPS[debit.status], f"{debit.status} to {status}"
    debit.status, debit.reason = status, reason[:60]
    debit.executed_at, debit.due_at, debit.next_retry_at = now, None, None
    debit.save()


def forget() -> None:
    """Lets this process ask providers again that did not answer."""
    _quiet_until.clear()
