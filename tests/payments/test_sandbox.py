"""The sandbox keeps the contract of gateways, and stays out of production."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from payments import checks, gateways
from payments.models import PaymentProvider
from payments.sandbox import SIGNATURE_HEADER, Sandbox
from storefront import services
from storefront.contracts import BankAccount, GatewayRefused, PaymentEvent
from storefront.errors import Unavailable
from storefront.models import Store
from storefront.testing import GatewayCallback, GatewayContract
from tests.payments.conftest import UPI, VISA

pytestmark = pytest.mark.django_db
SANDBOX = {"NAME": "payments.sandbox.Sandbox", "OPTIONS": {}}


class TestSandbox(GatewayContract):
    @pytest.fixture(autouse=True)
    def _store(self, db: None) -> None:
        services.create_store(store_id=self.store_id, name="Contract")

    def make(self) -> Sandbox:
        return Sandbox(timeout=1, secret="shh")

    def unreachable(self) -> Sandbox:
        return Sandbox(timeout=1, down=True)

    def pay(self, gateway: Sandbox, payment_id: str) -> None:
        assert gateway.status(store_id=self.store_id, payment_id=payment_id).status == "pending"

    def callback(self, gateway: Sandbox, payment_id: str) -> GatewayCallback:
        event = {
            "event_id": "e1",
            "payment_id": payment_id,
            "status": "success",
            "amount": str(self.amount),
            "currency": self.currency,
        }
        body = json.dumps({"events": [event]}).encode()
        return GatewayCallback({SIGNATURE_HEADER.title(): gateway.sign(body)}, body)

    def save_something(self, gateway: Sandbox, customer_reference: str) -> None:
        where = {"store_id": self.store_id, "customer_reference": customer_reference}
        gateway.save_card(**where, card=VISA)
        gateway.save_method(**where, method=UPI)
        assert gateway.saved_cards(**where) == [VISA]
        assert gateway.saved_methods(**where) == [UPI]

    def bank(self, outcome: str) -> BankAccount:
        ending = {"active": "0001", "refused": "0005"}[outcome]
        return BankAccount(account_number=f"5010000000{ending}", ifsc="HDFC0000001", beneficiary_name="Asha Rao")


def test_stores_do_not_see_each_other_in_the_sandbox(store: Store, other_store: Store, sandbox: Sandbox) -> None:
    reference = sandbox.customer(store_id=store.pk, customer_id="asha")
    sandbox.save_card(store_id=store.pk, customer_reference=reference, card=VISA)
    assert sandbox.customer(store_id=other_store.pk, customer_id="asha") == reference
    assert sandbox.saved_cards(store_id=other_store.pk, customer_reference=reference) == []


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"events": [{}]}', b'{"events": 5}', b'{"events": [{"amount": "x"}]}'])
def test_a_signed_callback_that_makes_no_sense_is_refused(store: Store, sandbox: Sandbox, body: bytes) -> None:
    with pytest.raises(GatewayRefused):
        sandbox.events(store_id=store.pk, headers={SIGNATURE_HEADER: sandbox.sign(body)}, body=body)


def test_a_payment_id_is_for_one_amount(store: Store, sandbox: Sandbox) -> None:
    where = {"store_id": store.pk, "payment_id": "p1", "currency": "INR", "details": {}}
    sandbox.start(**where, amount=Decimal(10))
    with pytest.raises(GatewayRefused):
        sandbox.start(**where, amount=Decimal(11))
    found: PaymentEvent = sandbox.status(store_id=store.pk, payment_id="p1")
    assert found.amount == 10


@pytest.fixture
def live(settings: Any, configure: Any) -> Any:
    """As in production: no debugging, and no word about sandboxes."""
    settings.DEBUG = False
    configure(PAYMENT_SANDBOX=False)
    return configure


def found() -> list[str]:
    return [str(message.id) for message in checks.gateways_hold(None)]


def test_the_sandbox_is_left_out_in_production(live: Any, provider: PaymentProvider) -> None:
    assert found() == []
    assert "sandbox" not in gateways.known()
    assert not gateways.usable(provider) and not gateways.takes_mandates(provider)
    with pytest.raises(Unavailable):
        gateways.call("customer", provider, customer_id="asha")


def test_naming_a_sandbox_in_production_stops_the_start_unless_it_is_allowed(live: Any) -> None:
    live(PAYMENT_GATEWAYS={"trial": SANDBOX})
    assert found() == ["storefront_payments.E002"]
    assert gateways.known() == {}
    live(PAYMENT_SANDBOX=True)
    assert found() == []
    assert set(gateways.known()) == {"sandbox", "trial"}


@pytest.mark.parametrize(
    "entry",
    [
        {"NAME": "payments.sandbox.Nothing"},
        {"NAME": "no.such.module"},
        {"NAME": "payments.models.Mandate"},
        {"NAME": "payments.sandbox.Sandbox", "OPTION": {}},
        {"OPTIONS": {}},
        "payments.sandbox.Sandbox",
    ],
)
def test_a_gateway_that_cannot_be_one_stops_the_start(configure: Any, entry: Any) -> None:
    configure(PAYMENT_GATEWAYS={"mine": entry})
    assert found() == ["storefront_payments.E001"]


def test_a_gateway_that_breaks_is_unavailable_and_its_words_stay_out_of_the_log(
    provider: PaymentProvider, monkeypatch: Any, caplog: Any
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("account 50100000000001 of Asha Rao")

    monkeypatch.setattr(Sandbox, "customer", broken)
    with pytest.raises(Unavailable):
        gateways.call("customer", provider, customer_id="asha")
    assert "gateway_failed" in caplog.text
    assert "5010" not in caplog.text and "Asha" not in caplog.text


def test_credentials_reach_the_gateway_and_a_change_of_them_does_too(provider: PaymentProvider) -> None:
    provider.credentials = {"secret": "one"}
    provider.save()
    body = b"{}"
    first = gateways.gateway(provider)
    assert gateways.gateway(provider) is first
    provider.credentials = {"secret": "two"}
    provider.save()
    second = gateways.gateway(provider)
    assert first.sign(body) != second.sign(body)  # type: ignore[attr-defined]


@pytest.mark.django_db(transaction=True)
def test_no_gateway_is_called_while_a_transaction_holds_locks(store: Store, provider: PaymentProvider) -> None:
    from django.db import transaction

    with transaction.atomic(), pytest.raises(RuntimeError):
        gateways.call("customer", provider, customer_id="asha")
    assert gateways.call("customer", provider, customer_id="asha") == "sbx_asha"
