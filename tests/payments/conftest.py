"""A store with the sandbox, and a registered shopper with a credit line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from payments import credit, gateways, saved
from payments.models import CreditLine, GatewayCustomer, PaymentProvider
from payments.sandbox import Sandbox
from storefront.contracts import SavedCardFacts, SavedMethodFacts
from storefront.models import Store
from tests.api import shoppers
from tests.conftest import Api

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
VISA = SavedCardFacts(
    reference="tok_visa",
    fingerprint="fp_visa",
    last4="4242",
    bin="424242",
    expiry_month=12,
    expiry_year=2090,
    brand="VISA",
    kind="CREDIT",
    holder_name="Asha Rao",
    issuer="Sandbox Bank",
    country_code="IN",
)
UPI = SavedMethodFacts(kind="upi_collect", reference="asha.rao@sandbox", use_count=3, last_used_at=NOW)
PAYTM = SavedMethodFacts(
    kind="wallet",
    reference="wal_1",
    wallet="PAYTM",
    linked=True,
    phone="+919876543210",
    balance=Decimal("120.50"),
    last_used_at=NOW,
    refreshed_at=NOW,
)


def mandate_body(account: str = "50100000000001", **changes: Any) -> dict[str, Any]:
    return {
        "payment_method_type": "NB",
        "payment_method": "NACH",
        "service_provider_slug": "sandbox",
        "gateway_reference_id": "sandbox",
        "bank_ifsc": "HDFC0000001",
        "bank_account_number": account,
        "bank_beneficiary_name": "Asha Rao",
    } | changes


@pytest.fixture(autouse=True)
def _fresh_gateways() -> Iterator[None]:
    gateways.forget()
    yield
    gateways.forget()


@pytest.fixture
def provider(store: Store) -> PaymentProvider:
    return PaymentProvider.objects.create(store=store, slug="sandbox", gateway="sandbox", name="Sandbox")


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(timeout=1)


@pytest.fixture
def shopper(store: Store, provider: PaymentProvider, configure: Any) -> Api:
    configure(OTP_DEBUG=True)
    return customer_of(shoppers.registered(store, "asha@example.com"))


@pytest.fixture
def stranger(store: Store, provider: PaymentProvider, configure: Any) -> Api:
    configure(OTP_DEBUG=True)
    return customer_of(shoppers.registered(store, "mallory@example.com"))


def customer_of(api: Api) -> Api:
    from accounts.models import User

    api.customer_id = User.objects.get(pk=api.user_id).customer_id  # type: ignore[attr-defined]
    api.path = f"/customers/{api.customer_id}"  # type: ignore[attr-defined]
    return api


@pytest.fixture
def line(store: Store, shopper: Any) -> CreditLine:
    """A thousand to owe, at most two thousand an order."""
    made = credit.open_line(store=store, customer_id=shopper.customer_id)
    return credit.set_limits(
        store=store,
        line_id=made.pk,
        total_credit_limit=Decimal(1000),
        mandate_per_order_limit=Decimal(2000),
        reason="Good customer",
    )


@pytest.fixture
def kept(store: Store, shopper: Any, provider: PaymentProvider, sandbox: Sandbox) -> GatewayCustomer:
    """What the shopper saved at the sandbox; not mirrored yet."""
    holder = saved.holder(store=store, provider=provider, customer_id=shopper.customer_id)
    where = {"store_id": store.pk, "customer_reference": holder.reference}
    sandbox.save_card(**where, card=VISA)
    sandbox.save_card(**where, card=replace(VISA, reference="tok_old", last4="1881", expiry_year=2020))
    sandbox.save_method(**where, method=UPI)
    sandbox.save_method(**where, method=PAYTM)
    return holder


@pytest.fixture
def mandate(shopper: Any, line: CreditLine) -> dict[str, Any]:
    """An active one, made through the API."""
    answer = shopper.post(f"{shopper.path}/mandates", mandate_body())
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()["content"]["mandate"]
    return found
