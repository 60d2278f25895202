"""The contract test of `PAYMENT_GATEWAYS`; `storefront.testing` shows it with the others."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from storefront.contracts import BankAccount, DebitFacts, GatewayRefused, MandateFacts, MandateGateway, PaymentGateway
from storefront.errors import Unavailable
from storefront.ids import new_ulid

STATUSES = {"created", "active", "paused", "revoked", "error"}


@dataclass(frozen=True, slots=True)
class GatewayCallback:
    """What a provider sends to a shop's address."""

    headers: Mapping[str, str]
    body: bytes


class GatewayContract(ABC):
    """What every `PaymentGateway` must do, whoever moves the money. Subclass it as `Test...`, say how your provider is
    brought into each state (its sandbox, or a `storefront.testing.StubServer`), and run it with pytest.

    A gateway that takes no mandates leaves `bank` as it is.
    """

    store_id = "contract"
    currency = "INR"
    amount = Decimal("250.00")

    # -- what a provider's test says --
    @abstractmethod
    def make(self) -> PaymentGateway:
        """The gateway, with credentials that work."""

    @abstractmethod
    def unreachable(self) -> PaymentGateway:
        """The gateway, with a provider that does not answer; its time-out should be short."""

    @abstractmethod
    def pay(self, gateway: Any, payment_id: str) -> None:
        """The shopper pays what was begun, so that the provider knows of a success."""

    @abstractmethod
    def callback(self, gateway: Any, payment_id: str) -> GatewayCallback:
        """A genuine callback about that payment."""

    def save_something(self, gateway: Any, customer_reference: str) -> None:
        """The customer saves a card and a UPI address at the provider; nothing where that cannot be brought about."""
        return None

    def bank(self, outcome: str) -> BankAccount | None:
        """An account whose mandate becomes `active` at once, or is `refused`; None where that cannot be brought about."""
        return None

    # -- the contract --
    def setup_method(self) -> None:
        self.gateway: Any = self.make()
        self.where = {"store_id": self.store_id}

    def _start(self, **changes: Any) -> str:
        payment_id = new_ulid()
        values = {"amount": self.amount, "currency": self.currency, "details": {}} | changes
        told = self.gateway.start(**self.where, payment_id=payment_id, **values)
        assert isinstance(told, Mapping)
        return payment_id

    def _paid(self) -> str:
        payment_id = self._start()
        self.pay(self.gateway, payment_id)
        return payment_id

    def test_a_payment_that_was_made_is_a_success_of_its_amount(self) -> None:
        event = self.gateway.status(**self.where, payment_id=self._paid())
        assert event.status == "success"
        assert (event.amount, event.currency) == (self.amount, self.currency)
        assert event.event_id

    def test_beginning_a_payment_again_is_the_same_payment(self) -> None:
        payment_id = self._start()
        again = {"payment_id": payment_id, "amount": self.amount, "currency": self.currency, "details": {}}
        self.gateway.start(**self.where, **again)
        assert self.gateway.status(**self.where, payment_id=payment_id).amount == self.amount

    def test_a_refund_counts_once_and_never_exceeds_the_payment(self) -> None:
        payment_id, refund_id = self._paid(), new_ulid()
        most = {"payment_id": payment_id, "amount": self.amount}
        for _repeat in range(2):
            event = self.gateway.refund(**self.where, refund_id=refund_id, **most)
            assert (event.status, event.amount) == ("refunded", self.amount)
        self._refused(self.gateway.refund, **self.where, refund_id=new_ulid(), **most)

    def test_a_callback_is_believed_only_with_its_signature(self) -> None:
        payment_id = self._paid()
        genuine = self.callback(self.gateway, payment_id)
        (event,) = self.gateway.events(**self.where, headers=genuine.headers, body=genuine.body)
        assert (event.payment_id, event.amount, event.currency) == (payment_id, self.amount, self.currency)
        again = self.gateway.events(**self.where, headers=genuine.headers, body=genuine.body)
        assert again == [event], "the same event has the same id"
        forged = [
            (genuine.headers, genuine.body + b" "),
            ({}, genuine.body),
            (dict.fromkeys(genuine.headers, "0" * 64), genuine.body),
            (dict.fromkeys(genuine.headers, "ü"), genuine.body),
        ]
        for headers, body in forged:
            try:
                self.gateway.events(**self.where, headers=headers, body=body)
            except PermissionError:
                continue
            raise AssertionError("a forged callback was believed")

    def test_a_customer_has_one_reference(self) -> None:
        customer_id = new_ulid()
        first = self.gateway.customer(**self.where, customer_id=customer_id)
        assert first
        assert self.gateway.customer(**self.where, customer_id=customer_id) == first
        assert self.gateway.customer(**self.where, customer_id=new_ulid()) != first

    def test_what_is_saved_never_has_the_number_of_a_card(self) -> None:
        reference = self._customer()
        self.save_something(self.gateway, reference)
        for card in self.gateway.saved_cards(**self.where, customer_reference=reference):
            assert re.fullmatch(r"[0-9]{4}", card.last4)
            assert 1 <= card.expiry_month <= 12 and card.expiry_year > 2000
            texts = [value for name in card.__slots__ if isinstance(value := getattr(card, name), str)]
            assert not [text for text in texts if re.search(r"(?:[0-9][ .-]?){13}", text)]
        for method in self.gateway.saved_methods(**self.where, customer_reference=reference):
            assert method.kind in {"upi_collect", "wallet"}
            assert method.reference

    def test_nothing_is_saved_for_an_unknown_or_forgotten_customer(self) -> None:
        reference = self._customer()
        self.save_something(self.gateway, reference)
        for _repeat in range(2):
            self.gateway.forget_customer(**self.where, customer_reference=reference)
        assert list(self.gateway.saved_cards(**self.where, customer_reference=reference)) == []
        assert list(self.gateway.saved_methods(**self.where, customer_reference=reference)) == []

    def test_a_provider_that_does_not_answer_is_unavailable_for_every_call(self) -> None:
        gateway: Any = self.unreachable()
        payment = {"payment_id": new_ulid()}
        money = {"amount": self.amount, "currency": self.currency}
        calls: list[tuple[Callable[..., Any], dict[str, Any]]] = [
            (gateway.start, {**payment, **money, "details": {}}),
            (gateway.status, payment),
            (gateway.refund, {**payment, "refund_id": new_ulid(), "amount": self.amount}),
            (gateway.customer, {"customer_id": new_ulid()}),
            (gateway.saved_cards, {"customer_reference": "x"}),
            (gateway.saved_methods, {"customer_reference": "x"}),
            (gateway.forget_customer, {"customer_reference": "x"}),
        ]
        bank = self.bank("active")
        if bank is not None:
            calls += [
                (gateway.create_mandate, self._asked(bank, "x")),
                (gateway.mandate, {"reference": "x"}),
                (gateway.change_mandate, {"reference": "x", "max_amount": self.amount, "end_at": None}),
                (gateway.pause_mandate, {"reference": "x"}),
                (gateway.resume_mandate, {"reference": "x"}),
                (gateway.revoke_mandate, {"reference": "x"}),
                (gateway.debit, {"reference": "x", "debit_id": new_ulid(), **money, "order_number": "1"}),
                (gateway.debit_status, {"debit_id": new_ulid()}),
            ]
        for call, arguments in calls:
            try:
                call(**self.where, **arguments)
            except Unavailable:
                continue
            raise AssertionError(f"{call} did not say that its provider is away")

    # -- mandates --
    def test_mandates_are_offered_as_a_whole(self) -> None:
        assert (self.bank("active") is None) or isinstance(self.gateway, MandateGateway)

    def test_a_mandate_walks_through_its_states_and_revoking_is_final(self) -> None:
        made = self._mandate()
        if made is None:
            return
        which = {**self.where, "reference": made.reference}
        assert made.status == "active"
        assert made.start_at.tzinfo and made.start_at < made.end_at
        for step, status in (
            (self.gateway.pause_mandate, "paused"),
            (self.gateway.pause_mandate, "paused"),
            (self.gateway.resume_mandate, "active"),
            (self.gateway.mandate, "active"),
        ):
            assert step(**which).status == status
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
        changed = self.gateway.change_mandate(**which, max_amount=Decimal(40), end_at=until)
        assert (changed.max_amount, changed.end_at) == (Decimal(40), until)
        assert self.gateway.revoke_mandate(**which).status == "revoked"
        for step in (self.gateway.pause_mandate, self.gateway.resume_mandate):
            self._refused(step, **which)
        self._refused(self.gateway.change_mandate, **which, max_amount=Decimal(50), end_at=None)
        assert self.gateway.mandate(**which).status == "revoked"

    def test_the_same_mandate_is_asked_for_once(self) -> None:
        bank = self.bank("active")
        if bank is None:
            return
        asked = self._asked(bank, self._customer())
        first = self.gateway.create_mandate(**self.where, **asked)
        assert self.gateway.create_mandate(**self.where, **asked).reference == first.reference
        assert first.status in STATUSES

    def test_a_bank_that_refuses_is_no_mandate(self) -> None:
        bank = self.bank("refused")
        if bank is None:
            return
        asked = self._asked(bank, self._customer())
        self._refused(self.gateway.create_mandate, **self.where, **asked)

    def test_a_debit_takes_money_once_and_never_more_than_the_mandate_allows(self) -> None:
        made = self._mandate()
        if made is None:
            return
        debit_id = new_ulid()
        assert self.gateway.debit_status(**self.where, debit_id=debit_id) is None
        first = self._debit(made, debit_id, self.amount)
        assert first.debit_id == debit_id and first.status in {"pending", "success"}
        again = self._debit(made, debit_id, self.amount)
        assert again.reference == first.reference
        known = self.gateway.debit_status(**self.where, debit_id=debit_id)
        assert known is not None and known.status in {"pending", "success"}
        assert self._debit(made, new_ulid(), made.max_amount + 1).status == "failed"
        self.gateway.pause_mandate(**self.where, reference=made.reference)
        assert self._debit(made, new_ulid(), self.amount).status == "failed"

    # -- inside --
    def _customer(self) -> str:
        return str(self.gateway.customer(**self.where, customer_id=new_ulid()))

    def _asked(self, bank: BankAccount, customer_reference: str) -> dict[str, Any]:
        return {
            "mandate_id": new_ulid(),
            "customer_reference": customer_reference,
            "bank": bank,
            "payment_method_type": "NB",
            "payment_method": "NACH",
            "gateway_reference_id": "",
            "max_amount": Decimal(1000),
            "currency": self.currency,
        }

    def _mandate(self) -> MandateFacts | None:
        bank = self.bank("active")
        if bank is None:
            return None
        found: MandateFacts = self.gateway.create_mandate(**self.where, **self._asked(bank, self._customer()))
        return found

    def _debit(self, made: MandateFacts, debit_id: str, amount: Decimal) -> DebitFacts:
        found: DebitFacts = self.gateway.debit(
            **self.where,
            reference=made.reference,
            debit_id=debit_id,
            amount=amount,
            currency=self.currency,
            order_number="1001",
        )
        return found

    def _refused(self, call: Callable[..., Any], **arguments: Any) -> None:
        code = None
        try:
            call(**arguments)
        except GatewayRefused as error:
            code = error.code
        assert code is not None, "this should have been refused"
        assert re.fullmatch(r"[a-z0-9_]{1,60}", code), "a code, not a sentence"
