"""Rows of payments, made without a gateway."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from payments.models import Mandate, PaymentProvider
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
