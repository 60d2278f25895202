"""Rows of payments, made without a gateway."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from payments import credit
from payments.models import (
    CreditLine,
    Errand,
    GatewayCustomer,
    Mandate,
    MandateDebit,
    PaymentProvider,
    SavedCard,
    SavedMethod,
)
from storefront.models import Store


def provider_row(store: Store, slug: str = "sandbox") -> PaymentProvider:
    found, _made = PaymentProvider.objects.get_or_create(
        store=store, slug=slug, defaults={"gateway": "sandbox", "name": slug.title()}
    )
    return found


def mandate_row(store: Store, customer_id: str, **changes: Any) -> Mandate:
    now = timezone.now()
    values: dict[str, Any] = {
        "provider": provider_row(store),
        "status": "active",
        "reference": f"sbx_{Mandate.objects.count()}",
        "payment_method_type": "NB",
        "payment_method": "NACH",
        "currency": "INR",
        "max_amount": Decimal(2000),
        "start_at": now,
        "end_at": now + timedelta(days=365),
        "account_last4": "0001",
        "ifsc": "HDFC0000001",
        "activated_at": now,
    }
    return Mandate.objects.create(store=store, customer_id=customer_id, **(values | changes))


def debit_row(store: Store, number: int) -> MandateDebit:
    now = timezone.now()
    mandate = mandate_row(store, f"customer-{number}")
    return MandateDebit.objects.create(
        store=store,
        mandate=mandate,
        customer_id=mandate.customer_id,
        order_id=f"order-{number}",
        amount=Decimal(10),
        currency="INR",
        scheduled_at=now,
        due_at=now,
    )


def credit_row(store: Store, number: int) -> CreditLine:
    """A line with limits, and so with an entry in its ledger."""
    line = credit.open_line(store=store, customer_id=f"customer-{number}")
    limits = {"total_credit_limit": Decimal(1000), "mandate_per_order_limit": Decimal(1000)}
    return credit.set_limits(store=store, line_id=line.pk, reason="New customer", **limits)


def holder_row(store: Store, number: int) -> GatewayCustomer:
    return GatewayCustomer.objects.create(
        store=store,
        provider=provider_row(store, f"provider-{number}"),
        customer_id=f"customer-{number}",
        reference=f"sbx_{number}",
    )


def card_row(store: Store, number: int) -> SavedCard:
    return SavedCard.objects.create(
        store=store,
        holder=holder_row(store, number),
        reference="tok",
        reference_hash=f"{number:064x}",
        fingerprint_hash=f"{number:064x}",
        brand="VISA",
        last4="4242",
        expiry_month=12,
        expiry_year=2090,
    )


def method_row(store: Store, number: int) -> SavedMethod:
    return SavedMethod.objects.create(
        store=store,
        holder=holder_row(store, number),
        kind="upi_collect",
        reference="asha@sandbox",
        reference_hash=f"{number:064x}",
        label="as***@sandbox",
    )


def errand_row(store: Store, number: int) -> Errand:
    provider = provider_row(store, f"provider-{number}")
    return Errand.objects.create(store=store, provider=provider, kind=Errand.Kind.FORGET_CUSTOMER, reference="sbx_1")
