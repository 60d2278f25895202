"""What payments know of a shopper, and how they forget it."""

from __future__ import annotations

from typing import Any, cast

from django.db import transaction
from django.utils import timezone

from customers.models import Customer
from storefront.models import Store

from . import errands, mandates, saved, selectors, serializers
from .models import CreditEntry, Errand, Mandate, MandateDebit
from .states import MandateStatus

MOST = 1000  # rows of each kind in an export


def export(*, store: Store, user_id: str, customer_id: str | None) -> dict[str, Any]:
    """For `storefront.privacy`: what is kept of the customer, accounts and addresses masked as everywhere."""
    if customer_id is None:
        return {}
    now = timezone.now()
    holders = selectors.holders(store=store, customer_id=customer_id, unused_too=True)
    debits = MandateDebit.objects.filter(store=store, customer_id=customer_id).order_by("pk")[:MOST]
    entries = CreditEntry.objects.filter(store=store, line__customer_id=customer_id).order_by("pk")[:MOST]
    line = selectors.credit_line(store=store, customer_id=customer_id)
    found = {
        "cards": serializers.cards(holders, now=now),
        "methods": [
            {"kind": method.kind, "label": method.label} for holder in holders for method in holder.methods.all()
        ],
        "mandates": [
            serializers.mandate(row) for row in selectors.mandates(store=store, customer_id=customer_id, limit=MOST)
        ],
        "debits": [serializers.debit(row) for row in debits],
        "credit_line": serializers.credit(line, [])["credit_line_balance"],
        "credit_ledger": [
            {"kind": entry.kind, "amount": float(entry.amount), "order_id": entry.order_id, "at": entry.created_at}
            for entry in entries
        ],
    }
    return {name: value for name, value in found.items() if value}


@transaction.atomic
def erase(*, store: Store, user_id: str, customer_id: str, **_payload: Any) -> None:
    """Listens to `shopper.erased`: when the whole customer goes, so do cards, methods and bank accounts, and mandates
    end; their providers are told after the commit. Ledgers and debits stay, without a person. Safe to repeat."""
    if not Customer.objects.filter(store=store, pk=customer_id, erased_at__isnull=False).exists():
        return  # one of several users went
    now = timezone.now()
    for row in Mandate.objects.select_for_update().filter(store=store, customer_id=customer_id).order_by("pk"):
        if row.status != MandateStatus.REVOKED:
            errands.send(store=store, provider=row.provider, kind=Errand.Kind.REVOKE_MANDATE, reference=row.reference)
        row.status, row.reason, row.version = MandateStatus.REVOKED, "erased", row.version + 1
        row.bank = cast("Any", {})
        row.account_last4 = row.ifsc = row.beneficiary = row.bank_name = ""
        row.save()
        mandates.cancel_debits(mandate=row, reason="mandate_revoked", now=now)
    for holder in saved.forget(store=store, customer_id=customer_id):
        errands.send(
            store=store, provider=holder.provider, kind=Errand.Kind.FORGET_CUSTOMER, reference=holder.reference
        )
