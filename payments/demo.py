"""Saved means of payment, a mandate and a credit line for the demo store and its shopper, all with the sandbox."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from storefront.contracts import SavedCardFacts, SavedMethodFacts
from storefront.models import Store

from . import credit, gateways, mandates, saved, selectors
from .models import PaymentProvider
from .sandbox import Sandbox
from .states import MandateStatus

SLUG = "sandbox"
ACCOUNT = "50100000000001"  # the ending 0001 activates at once


def build(*, store: Store, user_id: str, customer_id: str) -> None:
    """Safe to repeat."""
    provider, _made = PaymentProvider.objects.get_or_create(
        store=store,
        slug=SLUG,
        defaults={
            "gateway": "sandbox",
            "name": "Sandbox",
            "short_description": "Pays at once, and moves no money.",
            "config": {"mode": "sandbox"},
        },
    )
    now = timezone.now()
    holder = saved.holder(store=store, provider=provider, customer_id=customer_id)
    gateway = gateways.gateway(provider)
    assert isinstance(gateway, Sandbox)
    where = {"store_id": store.pk, "customer_reference": holder.reference}
    gateway.save_card(
        **where,
        card=SavedCardFacts(
            reference=f"tok_visa_{customer_id}",
            fingerprint="visa-4242",
            last4="4242",
            bin="424242",
            expiry_month=12,
            expiry_year=now.year + 4,
            brand="VISA",
            kind="CREDIT",
            issuer="Sandbox Bank",
            country_code="IN",
            holder_name="Asha Rao",
            nickname="Everyday",
            can_have_mandate=True,
        ),
    )
    gateway.save_method(
        **where,
        method=SavedMethodFacts(
            kind="upi_collect", reference="asha@sandbox", use_count=3, last_used_at=now - timedelta(days=2)
        ),
    )
    saved.refresh(holder, now=now)
    line = credit.open_line(store=store, customer_id=customer_id)
    if not line.provisioned:
        credit.set_limits(
            store=store,
            line_id=line.pk,
            total_credit_limit=Decimal(50_000),
            mandate_per_order_limit=Decimal(50_000),
            reason="Demo",
        )
    if not selectors.mandates(store=store, customer_id=customer_id, statuses=[MandateStatus.ACTIVE]):
        mandates.create(
            store=store,
            customer_id=customer_id,
            payment_method_type="NB",
            payment_method="NACH",
            service_provider_slug=SLUG,
            gateway_reference_id="",
            bank_ifsc="HDFC0000001",
            bank_account_number=ACCOUNT,
            bank_beneficiary_name="Asha Rao",
            now=now,
        )
