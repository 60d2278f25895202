"""Mandates: asking for one, changing it, and hearing of it from its provider.

Every step asks the provider first, outside of any lock, and then writes what came of it in one short transaction, on
the version that the step was decided on. When somebody else wrote in between, the provider is asked what holds now, and
its word is written. A provider that does not answer leaves everything as it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from django.db import transaction
from django.utils.translation import gettext as _

from storefront.contracts import BankAccount, GatewayRefused, MandateFacts
from storefront.errors import Invalid, NotFound, Unavailable
from storefront.ids import new_id
from storefront.models import Store
from storefront.money import rounded

from . import errands, errors, gateways, saved, selectors
from .models import Errand, Mandate, MandateDebit
from .states import MANDATE_REPORTS, MANDATE_STEPS, WAITING, DebitStatus, MandateStatus, MandateStep

logger = logging.getLogger(__name__)
LOOKS = 3  # how often a step that others came between is looked at again


def create(
    *,
    store: Store,
    customer_id: str,
    payment_method_type: str,
    payment_method: str,
    service_provider_slug: str,
    gateway_reference_id: str,
    bank_ifsc: str,
    bank_account_number: str,
    bank_beneficiary_name: str,
    now: datetime,
    mandate_id: str = "",
) -> Mandate:
    """A new mandate, in whatever state its provider puts it; its largest debit is the limit of one order of the
    customer's credit line, or the provider's choice while that has none.

    Repeating a call with its `mandate_id` gives that same mandate, also when the first one was cut off after the
    provider had made it. Raises CreditLineNotEligible, ProviderNotAvailable, MandateRefused, Unavailable; nothing is
    written then.
    """
    mandate_id = mandate_id or new_id()
    made = Mandate.objects.select_related("provider").filter(store=store, customer_id=customer_id, pk=mandate_id)
    if (existing := made.first()) is not None:
        return existing
    line = selectors.credit_line(store=store, customer_id=customer_id)
    if line is None or not line.is_eligible:
        raise errors.CreditLineNotEligible
    provider = selectors.active_provider(store=store, slug=service_provider_slug, field="service_provider_slug")
    if not gateways.takes_mandates(provider):
        raise errors.ProviderNotAvailable(field="service_provider_slug")
    try:
        holder = saved.holder(store=store, provider=provider, customer_id=customer_id)
        facts: MandateFacts = gateways.call(
            "create_mandate",
            provider,
            mandate_id=mandate_id,
            customer_reference=holder.reference,
            bank=BankAccount(
                account_number=bank_account_number, ifsc=bank_ifsc, beneficiary_name=bank_beneficiary_name
            ),
            payment_method_type=payment_method_type,
            payment_method=payment_method,
            gateway_reference_id=gateway_reference_id,
            max_amount=line.mandate_per_order_limit or None,
            currency=store.currency_code,
        )
    except GatewayRefused as error:
        raise errors.MandateRefused(field="bank_account_number") from error
    row = Mandate(
        pk=mandate_id,
        store=store,
        customer_id=customer_id,
        provider=provider,
        gateway_reference_id=gateway_reference_id,
        payment_method_type=payment_method_type,
        payment_method=payment_method,
        currency=store.currency_code,
        bank=cast("Any", {"account_number": bank_account_number, "beneficiary_name": bank_beneficiary_name}),
        account_last4=bank_account_number[-4:],
        ifsc=bank_ifsc,
        beneficiary=saved.mask_name(bank_beneficiary_name),
        created_at=now,
    )
    _take(row, facts, now)
    with transaction.atomic():
        if not selectors.is_gone(store=store, customer_id=customer_id):  # holds the customer, so a twin waits here
            if (existing := made.first()) is not None:
                return existing
            row.save(force_insert=True)
            return row
        errands.send(store=store, provider=provider, kind=Errand.Kind.REVOKE_MANDATE, reference=facts.reference)
    raise NotFound


def _take(row: Mandate, facts: MandateFacts, now: datetime) -> None:
    """The provider's word on the row, unsaved."""
    if facts.status == MandateStatus.ACTIVE and row.status != MandateStatus.ACTIVE:
        row.activated_at = row.activated_at or now
        row.last_activated_at = now
    row.status, row.reason = facts.status, facts.reason[:60]
    row.reference = facts.reference
    row.max_amount, row.start_at, row.end_at = facts.max_amount, facts.start_at, facts.end_at
    row.mandate_type, row.frequency = facts.mandate_type[:40], facts.frequency[:40]
    row.bank_name, row.bank_account_type = facts.bank_name[:80], facts.bank_account_type[:40]
    row.block_fund, row.revokable_by_customer = facts.block_fund, facts.revokable_by_customer


# --- steps ------------------------------------------------------------------------------------------------------------
def change(
    *,
    store: Store,
    customer_id: str,
    mandate_id: str,
    max_amount: Decimal | None,
    end_at: datetime | None,
    now: datetime,
) -> Mandate:
    """Changes the largest debit or the end of an active mandate; None leaves it. Raises MandateNotFound,
    MandateNotActive, MandateRefused, Invalid, Unavailable."""
    if max_amount is not None and rounded(max_amount, store.currency) != max_amount:
        raise Invalid(_("Enter an amount in whole units of the currency."), field="max_amount")
    if end_at is not None and end_at <= now:
        raise Invalid(_("The end must be in the future."), field="end_at")
    row = selectors.mandate(store=store, customer_id=customer_id, mandate_id=mandate_id)
    _check(row, MandateStep.CHANGE)
    if end_at is not None and end_at <= row.start_at:
        raise Invalid(_("The end must be after the start."), field="end_at")
    if max_amount is None and end_at is None:
        return row

    def ask() -> MandateFacts:
        found: MandateFacts = gateways.call(
            "change_mandate", row.provider, reference=row.reference, max_amount=max_amount, end_at=end_at
        )
        return found

    return _step(row, MandateStep.CHANGE, ask, now, field="max_amount" if max_amount is not None else "end_at")


def pause(*, store: Store, customer_id: str, mandate_id: str, now: datetime) -> Mandate:
    """No debit until it is resumed; what was scheduled is cancelled. Raises MandateNotFound, MandateNotActive,
    MandateRevoked, Unavailable."""
    return _simple(store, customer_id, mandate_id, MandateStep.PAUSE, now)


def resume(*, store: Store, customer_id: str, mandate_id: str, now: datetime) -> Mandate:
    """Raises MandateNotFound, MandateNotPaused, MandateRevoked, Unavailable."""
    return _simple(store, customer_id, mandate_id, MandateStep.RESUME, now)


def revoke(*, store: Store, customer_id: str, mandate_id: str, now: datetime) -> Mandate:
    """Ends it for good; what was scheduled is cancelled. Raises MandateNotFound, MandateRevoked,
    MandateNotRevokable, Unavailable."""
    return _simple(store, customer_id, mandate_id, MandateStep.REVOKE, now)


def _simple(
    store: Store, customer_id: str, mandate_id: str, step: MandateStep, now: datetime, *, by_staff: bool = False
) -> Mandate:
    row = selectors.mandate(store=store, customer_id=customer_id, mandate_id=mandate_id)
    _check(row, step)
    if step == MandateStep.REVOKE and not (row.revokable_by_customer or by_staff):
        raise errors.MandateNotRevokable
    return _step(row, step, lambda: gateways.call(f"{step.value}_mandate", row.provider, reference=row.reference), now)


def _check(row: Mandate, step: MandateStep) -> str:
    """The state after that step. Raises the refusal that fits the state before it."""
    after = MANDATE_STEPS.get((row.status, step))
    if after is not None:
        return after
    logger.info("mandate_step_refused", extra={"status": row.status, "step": step.value})
    if row.status == MandateStatus.REVOKED:
        raise errors.MandateRevoked
    raise errors.MandateNotPaused if step == MandateStep.RESUME else errors.MandateNotActive


def _step(
    row: Mandate, step: MandateStep, ask: Callable[[], MandateFacts], now: datetime, *, field: str | None = None
) -> Mandate:
    wanted = _check(row, step)
    try:
        facts = ask()
    except GatewayRefused as error:
        fresh = sync(store=row.store, row=row, now=now)  # it knows something that we do not
        _check(fresh, step)
        raise errors.MandateRefused(field=field) from error
    if facts.status != wanted:
        logger.error("mandate_step_unheard", extra={"step": step.value, "status": facts.status})
        raise Unavailable(retry_after=5)
    written = _write(row, facts, now)
    if written is not None:
        return written
    fresh = sync(store=row.store, row=row, now=now)
    if fresh.status == wanted:
        return fresh
    _check(fresh, step)
    raise errors.MandateRefused(field=field)


def sync(*, store: Store, row: Mandate, now: datetime) -> Mandate:
    """The mandate as its provider has it now, written down. What others write meanwhile makes it look again.

    Raises Unavailable. A report that cannot follow on what we know (a revoked mandate that is active again) is logged
    and not believed.
    """
    for _look in range(LOOKS):
        try:
            facts = gateways.call("mandate", row.provider, reference=row.reference)
        except GatewayRefused as error:
            logger.error("mandate_unknown_to_provider", extra={"mandate": row.pk, "code": error.code})
            return row
        if facts.status not in MANDATE_REPORTS[row.status]:
            logger.error("mandate_report_refused", extra={"status": row.status, "reported": facts.status})
            return row
        written = _write(row, facts, now)
        if written is not None:
            return written
        row = selectors.mandate(store=store, customer_id=row.customer_id, mandate_id=row.pk)
    raise Unavailable(retry_after=1)


def look(*, store: Store, customer_id: str, mandate_id: str, now: datetime) -> Mandate:
    """The customer's mandate after asking the provider. Raises MandateNotFound, Unavailable."""
    row = selectors.mandate(store=store, customer_id=customer_id, mandate_id=mandate_id)
    return row if row.status == MandateStatus.REVOKED else sync(store=store, row=row, now=now)


def _write(row: Mandate, facts: MandateFacts, now: datetime) -> Mandate | None:
    """Writes the facts on the version that `row` is, and takes back what must not be debited any more.

    None when the row has moved on meanwhile. Locks the mandate, then its debits.
    """
    with transaction.atomic():
        locked = selectors.mandate_for_update(store=row.store, mandate_id=row.pk)
        if locked.version != row.version:
            return None
        locked.provider = row.provider
        before = _shown(locked)
        _take(locked, facts, now)
        if _shown(locked) == before:
            return locked
        locked.version += 1
        locked.save()
        if locked.status != MandateStatus.ACTIVE:
            cancel_debits(mandate=locked, reason=f"mandate_{locked.status}", now=now)
    return locked


def _shown(row: Mandate) -> dict[str, Any]:
    hidden = {"modified_at", "version", "bank"}
    return {
        field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if field.name not in hidden
    }


def cancel_debits(*, mandate: Mandate, reason: str, now: datetime) -> int:
    """Takes back every debit of a locked mandate that is not at the provider yet. How many those were."""
    return MandateDebit.objects.filter(store=mandate.store_id, mandate=mandate, status__in=WAITING).update(
        status=DebitStatus.CANCELLED, reason=reason, due_at=None, next_retry_at=None, executed_at=now, modified_at=now
    )


# --- staff ------------------------------------------------------------------------------------------------------------
def by_staff(*, store: Store, mandate_id: str, step: MandateStep, now: datetime) -> Mandate:
    """Pauses, resumes or revokes in the customer's place. The same rules and refusals, but for those that only say
    what customers may do."""
    row = Mandate.objects.filter(store=store, pk=mandate_id).first()
    if row is None:
        raise errors.MandateNotFound
    return _simple(store, row.customer_id, mandate_id, step, now, by_staff=True)
