"""What payments add to a customer's page and to the dashboard."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront import panels
from storefront.admin_base import change_link, list_link, money

from . import selectors
from .models import Mandate, MandateDebit
from .states import DebitStatus, MandateStatus


def means(request: HttpRequest, customer: Any) -> panels.Table:
    """As mirrored last: a page of staff asks no provider. Three queries."""
    holders = selectors.holders(store=customer.store, customer_id=customer.pk)
    rows = [
        (change_link(card), holder.provider.name, f"{card.expiry_month:02d}/{card.expiry_year}")
        for holder in holders
        for card in holder.cards.all()
    ] + [
        (change_link(method), holder.provider.name, method.last_used_at or "–")
        for holder in holders
        for method in holder.methods.all()
    ]
    return panels.Table(
        headers=(_("Saved"), _("Provider"), _("Good until, or last used")),
        rows=rows,
        empty=_("Nothing is saved with a payment provider."),
    )


def mandates(request: HttpRequest, customer: Any) -> panels.Table:
    found = selectors.mandates(store=customer.store, customer_id=customer.pk, limit=8)
    return panels.Table(
        headers=(_("Mandate"), _("Status"), _("Largest debit"), _("Ends")),
        rows=[
            (
                change_link(row, str(row)),
                MandateStatus(row.status).label,
                money(customer.store, row.max_amount),
                row.end_at,
            )
            for row in found
        ],
        link=list_link(Mandate, customer_id=customer.pk),
        empty=_("This customer has no mandate."),
    )


def credit(request: HttpRequest, customer: Any) -> panels.Table:
    line = selectors.credit_line(store=customer.store, customer_id=customer.pk)
    if line is None:
        return panels.Table(empty=_("This customer has no credit line."))
    store = customer.store
    limit = money(store, line.total_credit_limit) if line.provisioned else _("none yet")
    return panels.Table(
        facts=(
            (_("Eligible"), _("yes") if line.is_eligible else _("no")),
            (_("Limit"), limit),
            (_("Owed"), money(store, line.utilised)),
            (_("Held for orders"), money(store, line.held)),
            (_("Left"), money(store, line.balance)),
            (_("Page"), change_link(line, _("Credit line"))),
        )
    )


def debits(period: panels.Period) -> panels.Figure:
    """Debits that failed for good, or wait for another try, of the last fortnight."""
    found = MandateDebit.objects.filter(**period.scope, scheduled_at__gte=period.fortnight_ago).aggregate(
        failed=Count("pk", filter=Q(status=DebitStatus.FAILED)),
        waiting=Count("pk", filter=Q(status=DebitStatus.AWAITING_RETRY)),
    )
    return panels.Figure(
        found["failed"],
        _("%(count)d are tried again") % {"count": found["waiting"]},
        list_link(MandateDebit, status__exact=DebitStatus.FAILED.value),
        "warning" if found["failed"] else "neutral",
    )


_CUSTOMER = "storefront_customers.customer"
panels.register(
    _CUSTOMER,
    title=gettext_lazy("Saved means of payment"),
    icon="credit_card",
    compute=means,
    permission="storefront_payments.view_savedcard",
    order=60,
)
panels.register(
    _CUSTOMER,
    title=gettext_lazy("Mandates"),
    icon="assignment_turned_in",
    compute=mandates,
    permission="storefront_payments.view_mandate",
    order=61,
)
panels.register(
    _CUSTOMER,
    title=gettext_lazy("Credit line"),
    icon="credit_score",
    compute=credit,
    permission="storefront_payments.view_creditline",
    order=62,
)
panels.tile(
    "payments.debits",
    title=gettext_lazy("Failed debits, 14 days"),
    icon="event_repeat",
    compute=debits,
    permission="storefront_payments.view_mandatedebit",
    order=60,
)
