"""Credit lines: limits, what orders hold and utilise, repayments, corrections. Ledgers are only added to.

Every statement that takes from a line is conditional on what is left, and a constraint stands behind it. Functions that
an order calls run in its transaction and lock the lines they touch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from storefront.errors import Invalid, NotFound
from storefront.ids import new_id
from storefront.models import Store
from storefront.money import ZERO, rounded

from . import errors
from .models import CreditEntry, CreditHold, CreditLine

Kind = CreditEntry.Kind


def _locked(store_id: str, **which: Any) -> CreditLine | None:
    return CreditLine.objects.select_for_update().filter(store=store_id, **which).first()


# --- orders -----------------------------------------------------------------------------------------------------------
def hold(*, store_id: str, customer_id: str, owner: str, amount: Decimal) -> None:
    """Holds that much of the customer's line for an order. Repeating is harmless; another amount replaces the first.

    Raises CreditLineNotEligible, CreditLineExceeded. Runs in the caller's transaction.
    """
    if amount <= 0:
        raise ValueError("a hold is for more than nothing")
    line = _locked(store_id, customer_id=customer_id)
    if line is None or not line.is_eligible:
        raise errors.CreditLineNotEligible
    held = CreditHold.objects.filter(store=store_id, owner=owner, line=line).first()
    if held is not None and held.state == CreditHold.State.CONFIRMED:
        return
    before = held.amount if held is not None and held.state == CreditHold.State.HELD else ZERO
    if amount == before:
        return
    if not line.provisioned or amount - before > line.balance:
        raise errors.CreditLineExceeded
    line.held += amount - before
    line.save(update_fields=["held", "modified_at"])
    CreditHold.objects.update_or_create(
        store_id=store_id, owner=owner, line=line, defaults={"amount": amount, "state": CreditHold.State.HELD}
    )


def confirm(*, store_id: str, owner: str) -> None:
    """What the order holds becomes owed. Repeating is harmless."""
    with transaction.atomic():
        for held, line in _held(store_id, owner):
            line.held -= held.amount
            line.utilised += held.amount
            line.save(update_fields=["held", "utilised", "modified_at"])
            _settle(held, CreditHold.State.CONFIRMED)
            _enter(line, Kind.UTILISE, held.amount, key=f"utilise:{owner}", order_id=owner)


def release(*, store_id: str, owner: str) -> None:
    """Gives back what the order holds and does not owe yet. Repeating is harmless."""
    with transaction.atomic():
        for held, line in _held(store_id, owner):
            line.held -= held.amount
            line.save(update_fields=["held", "modified_at"])
            _settle(held, CreditHold.State.RELEASED)


def give_back(*, store_id: str, owner: str, totals: Mapping[str, Decimal] | None = None) -> None:
    """The order owes no more of what it took, held or utilised; with `totals` by customer, of what it utilised until so
    much was given back in all. Never more than it still owes. Repeating is harmless."""
    with transaction.atomic():
        if totals is None:
            release(store_id=store_id, owner=owner)
        taken = CreditHold.objects.filter(store=store_id, owner=owner, state=CreditHold.State.CONFIRMED)
        if totals is not None:
            taken = taken.filter(line__customer_id__in=totals)
        line_ids = list(taken.values_list("line_id", flat=True))
        lines = CreditLine.objects.select_for_update().filter(store=store_id, pk__in=line_ids)
        for line in lines.order_by("customer_id") if line_ids else ():
            of_order = CreditEntry.objects.filter(store=store_id, line=line, order_id=owner)
            owed = of_order.aggregate(sum=Sum("amount"))["sum"] or ZERO
            back = -(of_order.filter(kind=Kind.RETURN).aggregate(sum=Sum("amount"))["sum"] or ZERO)
            give = min(owed if totals is None else totals[line.customer_id] - back, owed, line.utilised)
            if give <= 0:
                continue
            line.utilised -= give
            line.save(update_fields=["utilised", "modified_at"])
            _enter(line, Kind.RETURN, -give, key=f"return:{owner}:{back + give}", order_id=owner)


def _held(store_id: str, owner: str) -> list[tuple[CreditHold, CreditLine]]:
    """The order's holds with their lines, locked in one order; read again under the lock."""
    waiting = CreditHold.objects.filter(store=store_id, owner=owner, state=CreditHold.State.HELD)
    line_ids = list(waiting.values_list("line_id", flat=True))
    if not line_ids:
        return []
    lines = CreditLine.objects.select_for_update().filter(store=store_id, pk__in=line_ids).order_by("customer_id")
    by_id = {line.pk: line for line in lines}
    return [(held, by_id[held.line_id]) for held in waiting.order_by("pk") if held.line_id in by_id]


def _settle(held: CreditHold, state: str) -> None:
    held.state = state
    held.save(update_fields=["state", "modified_at"])


def repay(*, store_id: str, customer_id: str, order_id: str, amount: Decimal, key: str) -> Decimal:
    """Money came in for an order on credit: takes it off what the order still owes, and answers how much that was.

    Once for each `key`. Runs in the caller's transaction or its own.
    """
    with transaction.atomic():
        line = _locked(store_id, customer_id=customer_id)
        if line is None:
            return ZERO
        entries = CreditEntry.objects.filter(store=store_id, line=line)
        if entries.filter(key=key).exists():
            return ZERO
        owed = entries.filter(order_id=order_id).aggregate(owed=Sum("amount"))["owed"] or ZERO
        paid = min(amount, Decimal(owed), Decimal(line.utilised))
        if paid <= 0:
            return ZERO
        line.utilised -= paid
        line.save(update_fields=["utilised", "modified_at"])
        _enter(line, Kind.REPAY, -paid, key=key, order_id=order_id)
    return paid


# --- staff ------------------------------------------------------------------------------------------------------------
def open_line(*, store: Store, customer_id: str) -> CreditLine:
    """The customer's line, made unless there is one: eligible, without limits. Safe to repeat and in parallel."""
    CreditLine.objects.bulk_create([CreditLine(store=store, customer_id=customer_id)], ignore_conflicts=True)
    return CreditLine.objects.get(store=store, customer_id=customer_id)


def set_limits(
    *,
    store: Store,
    line_id: str,
    total_credit_limit: Decimal,
    mandate_per_order_limit: Decimal,
    reason: str,
    staff_name: str = "",
) -> CreditLine:
    """Provisions a line or changes its limits. Raises Invalid for a limit above that of one order, or below what is
    utilised and held already; NotFound."""
    for name, amount in (
        ("total_credit_limit", total_credit_limit),
        ("mandate_per_order_limit", mandate_per_order_limit),
    ):
        if amount < 0 or rounded(amount, store.currency) != amount:
            raise Invalid(_("Enter an amount in whole units of the currency."), field=name)
    if total_credit_limit > mandate_per_order_limit:
        raise Invalid(_("The credit limit cannot be above the limit of one order."), field="total_credit_limit")
    if not reason.strip():
        raise Invalid(_("Say why."), field="reason")
    with transaction.atomic():
        line = _locked(store.pk, pk=line_id)
        if line is None:
            raise NotFound
        if total_credit_limit < line.used:
            text = _("%(amount)s of it are utilised or held already.") % {"amount": line.used}
            raise Invalid(text, field="total_credit_limit")
        limits = (line.total_credit_limit, line.mandate_per_order_limit)
        if limits == (total_credit_limit, mandate_per_order_limit):
            return line
        line.total_credit_limit, line.mandate_per_order_limit = total_credit_limit, mandate_per_order_limit
        line.save(update_fields=["total_credit_limit", "mandate_per_order_limit", "modified_at"])
        _enter(line, Kind.LIMIT, ZERO, key=f"limit:{new_id()}", reason=reason, staff_name=staff_name)
    return line


def set_eligible(*, store: Store, line_id: str, is_eligible: bool) -> None:
    """Without it: no new mandates and no orders on credit. What is owed stays owed."""
    CreditLine.objects.filter(store=store, pk=line_id).exclude(is_eligible=is_eligible).update(
        is_eligible=is_eligible, modified_at=timezone.now()
    )


def adjust(*, store: Store, line_id: str, amount: Decimal, reason: str, staff_name: str = "") -> CreditLine:
    """Corrects what is utilised by `amount`, negative when the customer paid in another way. Raises Invalid when that
    would owe less than nothing or more than the limit; NotFound."""
    if not amount or rounded(amount, store.currency) != amount:
        raise Invalid(_("Enter an amount in whole units of the currency."), field="amount")
    if not reason.strip():
        raise Invalid(_("Say why."), field="reason")
    with transaction.atomic():
        line = _locked(store.pk, pk=line_id)
        if line is None:
            raise NotFound
        if amount > line.balance:
            raise Invalid(_("Only %(amount)s are left of the line.") % {"amount": line.balance}, field="amount")
        if line.utilised + amount < 0:
            raise Invalid(_("Only %(amount)s are utilised.") % {"amount": line.utilised}, field="amount")
        line.utilised += amount
        line.save(update_fields=["utilised", "modified_at"])
        _enter(line, Kind.ADJUST, amount, key=f"adjust:{new_id()}", reason=reason, staff_name=staff_name)
    return line


def _enter(
    line: CreditLine,
    kind: str,
    amount: Decimal,
    *,
    key: str,
    order_id: str = "",
    reason: str = "",
    staff_name: str = "",
) -> None:
    CreditEntry.objects.create(
        store_id=line.store_id,
        line=line,
        kind=kind,
        amount=amount,
        utilised_after=line.utilised,
        limit_after=line.total_credit_limit,
        order_id=order_id,
        key=key,
        reason=reason.strip()[:200],
        staff_name=staff_name[:150],
    )


class Mismatch(NamedTuple):
    """A line whose column says something else than the rows behind it."""

    store_id: str
    customer_id: str
    what: str  # utilised | held
    kept: Decimal
    counted: Decimal


def mismatches(*, store_id: str | None = None) -> Iterator[Mismatch]:
    """Lines that owe something else than their ledger says, or hold something else than their orders. One query."""
    lines = CreditLine.objects.all() if store_id is None else CreditLine.objects.filter(store=store_id)
    mine = {"store": OuterRef("store"), "line": OuterRef("pk")}
    entries = CreditEntry.objects.filter(**mine).order_by().values("line").annotate(found=Sum("amount"))
    holds = CreditHold.objects.filter(**mine, state=CreditHold.State.HELD).order_by().values("line")
    zero = Value(ZERO, output_field=CreditEntry._meta.get_field("amount"))
    rows = lines.annotate(
        counted_utilised=Coalesce(Subquery(entries.values("found")), zero),
        counted_held=Coalesce(Subquery(holds.annotate(found=Sum("amount")).values("found")), zero),
    ).exclude(utilised=F("counted_utilised"), held=F("counted_held"))
    for row in rows.order_by("store", "pk").iterator():
        for what in ("utilised", "held"):
            kept, counted = getattr(row, what), getattr(row, f"counted_{what}").quantize(Decimal("0.001"))
            if kept != counted:
                yield Mismatch(row.store_id, row.customer_id, what, kept, counted)
