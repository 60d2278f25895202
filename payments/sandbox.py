"""A gateway that moves no money: deterministic, without a network, and as strict as a real one.

What it knows is in `SandboxRecord`, so every process sees the same. Magic values decide what happens:

    bank account ends in   0001 active at once (as does any other ending)    0002 created, active at the next look
                           0003 error: the bank rejected it                  0004 the gateway cannot be reached
                           0005 refused: no such account
    amount ends in         .01 the debit or payment stays pending until the next look    .02 fails, may pass later
                           .03 fails for good                                            .04 cannot be reached
    customer id ends in    ZZDOWN the gateway cannot be reached
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from storefront.contracts import (
    BankAccount,
    DebitFacts,
    GatewayRefused,
    MandateFacts,
    PaymentEvent,
    SavedCardFacts,
    SavedMethodFacts,
)
from storefront.errors import Unavailable

from .models import SandboxRecord

SIGNATURE_HEADER = "x-sandbox-signature"
DEFAULT_MAX_AMOUNT = Decimal(100_000)
LARGEST_AMOUNT = Decimal(10_000_000)
LONGEST = timedelta(days=40 * 365)
ACTIVE, PAUSED, REVOKED = "active", "paused", "revoked"


class Sandbox:
    """See the module. `secret` signs callbacks; `down` makes every call fail as if the network did."""

    sandbox = True
    credential_names = ("secret",)

    def __init__(self, *, timeout: float, secret: str = "sandbox", down: bool = False) -> None:
        self._secret = secret.encode()
        self._down = down

    # -- payments ------------------------------------------------------------------------------------------------------
    def start(
        self, *, store_id: str, payment_id: str, amount: Decimal, currency: str, details: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        self._reach(amount=amount)
        if amount <= 0:
            raise GatewayRefused("invalid_amount")
        outcome = {".02": "failed", ".03": "failed"}.get(_ending(amount), "pending")
        data = {"status": outcome, "amount": str(amount), "currency": currency, "refunded": "0"}
        kept = self._keep(store_id, "payment", payment_id, data)
        if (kept.data["amount"], kept.data["currency"]) != (str(amount), currency):
            raise GatewayRefused("payment_id_reused")
        return {"gateway_order_id": payment_id, "status": kept.data["status"]}

    def status(self, *, store_id: str, payment_id: str) -> PaymentEvent:
        """A payment that was begun is paid at the second look: the shopper had the time of the first one."""
        self._reach()
        with transaction.atomic():
            record = self._found(store_id, "payment", payment_id, lock=True)
            event = self._event(record)
            if record.data["status"] == "pending":
                self._change(record, status="success")
        return event

    def refund(self, *, store_id: str, payment_id: str, refund_id: str, amount: Decimal) -> PaymentEvent:
        self._reach()
        with transaction.atomic():
            record = self._found(store_id, "payment", payment_id, lock=True)
            known = SandboxRecord.objects.filter(store_id=store_id, kind="refund", reference=refund_id).first()
            if known is None:
                refunded = Decimal(record.data["refunded"]) + amount
                paid = record.data["status"] in ("success", "refunded")
                if amount <= 0 or not paid or refunded > Decimal(record.data["amount"]):
                    raise GatewayRefused("refund_too_large")
                self._keep(store_id, "refund", refund_id, {"amount": str(amount)}, parent=payment_id)
                self._change(record, status="refunded", refunded=str(refunded))
            else:
                amount = Decimal(known.data["amount"])
        return PaymentEvent(
            event_id=f"sbx_{refund_id}",
            payment_id=payment_id,
            status="refunded",
            amount=amount,
            currency=record.data["currency"],
        )

    def events(self, *, store_id: str, headers: Mapping[str, str], body: bytes) -> list[PaymentEvent]:
        given = {name.lower(): value for name, value in headers.items()}.get(SIGNATURE_HEADER, "")
        if not hmac.compare_digest(given.encode(), self.sign(body).encode()):
            raise PermissionError("The signature does not hold.")
        try:
            told = json.loads(body)
            return [
                PaymentEvent(
                    event_id=str(event["event_id"]),
                    payment_id=str(event["payment_id"]),
                    status=str(event["status"]),
                    amount=Decimal(str(event["amount"])),
                    currency=str(event["currency"]),
                )
                for event in told["events"]
            ]
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            raise GatewayRefused("malformed_callback") from error

    def sign(self, body: bytes) -> str:
        """The signature of a callback: HMAC-SHA-256 over the raw body, in hex."""
        return hmac.digest(self._secret, body, "sha256").hex()

    # -- customers -----------------------------------------------------------------------------------------------------
    def customer(self, *, store_id: str, customer_id: str) -> str:
        if customer_id.endswith("ZZDOWN"):
            raise Unavailable(retry_after=1)
        self._reach()
        return self._keep(store_id, "customer", f"sbx_{customer_id}", {}).reference

    def saved_cards(self, *, store_id: str, customer_reference: str) -> list[SavedCardFacts]:
        self._reach()
        found = SandboxRecord.objects.filter(store_id=store_id, kind="card", parent=customer_reference)
        return [SavedCardFacts(**record.data) for record in found.order_by("pk")]

    def saved_methods(self, *, store_id: str, customer_reference: str) -> list[SavedMethodFacts]:
        self._reach()
        found = SandboxRecord.objects.filter(store_id=store_id, kind="method", parent=customer_reference)
        return [_method(record.data) for record in found.order_by("pk")]

    def forget_customer(self, *, store_id: str, customer_reference: str) -> None:
        self._reach()
        SandboxRecord.objects.filter(
            store_id=store_id, kind__in=("card", "method", "mandate"), parent=customer_reference
        ).delete()
        SandboxRecord.objects.filter(store_id=store_id, kind="customer", reference=customer_reference).delete()

    # -- mandates ------------------------------------------------------------------------------------------------------
    def create_mandate(
        self,
        *,
        store_id: str,
        mandate_id: str,
        customer_reference: str,
        bank: BankAccount,
        payment_method_type: str,
        payment_method: str,
        gateway_reference_id: str,
        max_amount: Decimal | None,
        currency: str,
    ) -> MandateFacts:
        ending = bank.account_number[-4:]
        if ending == "0004":
            raise Unavailable(retry_after=1)
        self._reach()
        if ending == "0005":
            raise GatewayRefused("no_such_account")
        now = timezone.now()
        data = {
            "status": {"0002": "created", "0003": "error"}.get(ending, ACTIVE),
            "reason": "rejected_by_bank" if ending == "0003" else "",
            "max_amount": str(self._allowed(DEFAULT_MAX_AMOUNT if max_amount is None else max_amount)),
            "start_at": now.isoformat(),
            "end_at": (now + timedelta(days=5 * 365)).isoformat(),
        }
        return _facts(self._keep(store_id, "mandate", f"sbx_{mandate_id}", data, parent=customer_reference))

    def mandate(self, *, store_id: str, reference: str) -> MandateFacts:
        self._reach()
        with transaction.atomic():
            record = self._found(store_id, "mandate", reference, lock=True)
            if record.data["status"] == "created":
                self._change(record, status=ACTIVE)
        return _facts(record)

    def change_mandate(
        self, *, store_id: str, reference: str, max_amount: Decimal | None, end_at: datetime | None
    ) -> MandateFacts:
        changes: dict[str, str] = {}
        if max_amount is not None:
            changes["max_amount"] = str(self._allowed(max_amount))
        if end_at is not None:
            if not timezone.now() < end_at <= timezone.now() + LONGEST:
                raise GatewayRefused("invalid_end")
            changes["end_at"] = end_at.isoformat()
        return self._step(store_id, reference, {ACTIVE}, **changes)

    def pause_mandate(self, *, store_id: str, reference: str) -> MandateFacts:
        return self._step(store_id, reference, {ACTIVE, PAUSED}, status=PAUSED)

    def resume_mandate(self, *, store_id: str, reference: str) -> MandateFacts:
        return self._step(store_id, reference, {ACTIVE, PAUSED}, status=ACTIVE)

    def revoke_mandate(self, *, store_id: str, reference: str) -> MandateFacts:
        return self._step(store_id, reference, {"created", ACTIVE, PAUSED, REVOKED, "error"}, status=REVOKED)

    def debit(
        self, *, store_id: str, reference: str, debit_id: str, amount: Decimal, currency: str, order_number: str
    ) -> DebitFacts:
        self._reach(amount=amount)
        mandate = self._found(store_id, "mandate", reference)
        if mandate.data["status"] != ACTIVE:
            data = {"status": "failed", "retry": False, "reason": "mandate_not_active"}
        elif amount > Decimal(mandate.data["max_amount"]):
            data = {"status": "failed", "retry": False, "reason": "over_the_mandate"}
        else:
            data = {
                ".01": {"status": "pending", "retry": False, "reason": ""},
                ".02": {"status": "failed", "retry": True, "reason": "insufficient_funds"},
                ".03": {"status": "failed", "retry": False, "reason": "account_closed"},
            }.get(_ending(amount), {"status": "success", "retry": False, "reason": ""})
        kept = self._keep(store_id, "debit", debit_id, {**data, "amount": str(amount)}, parent=reference)
        return _debit(kept)

    def debit_status(self, *, store_id: str, debit_id: str) -> DebitFacts | None:
        self._reach()
        with transaction.atomic():
            record = self._rows(store_id, "debit", debit_id, lock=True).first()
            if record is None:
                return None
            if record.data["status"] == "pending":
                self._change(record, status="success")
        return _debit(record)

    # -- as the other side: what a shopper or a bank does there ----------------------------------------------------------
    def save_card(self, *, store_id: str, customer_reference: str, card: SavedCardFacts) -> None:
        """The customer ticked "remember this card". Safe to repeat."""
        data = {name: getattr(card, name) for name in SavedCardFacts.__slots__}
        self._keep(store_id, "card", card.reference, data, parent=customer_reference)

    def save_method(self, *, store_id: str, customer_reference: str, method: SavedMethodFacts) -> None:
        data = {name: getattr(method, name) for name in SavedMethodFacts.__slots__}
        for name in ("last_used_at", "refreshed_at"):
            data[name] = data[name].isoformat() if data[name] else None
        data["balance"] = None if method.balance is None else str(method.balance)
        self._keep(store_id, "method", method.reference, data, parent=customer_reference)

    def bank_says(self, *, store_id: str, reference: str, status: str) -> None:
        """The bank changed a mandate on its own account."""
        with transaction.atomic():
            self._change(self._found(store_id, "mandate", reference, lock=True), status=status)

    # -- inside ----------------------------------------------------------------------------------------------------------
    def _reach(self, *, amount: Decimal | None = None) -> None:
        if self._down or (amount is not None and _ending(amount) == ".04"):
            raise Unavailable(retry_after=1)

    def _allowed(self, max_amount: Decimal) -> Decimal:
        if not 0 < max_amount <= LARGEST_AMOUNT:
            raise GatewayRefused("invalid_amount")
        return max_amount

    def _step(self, store_id: str, reference: str, allowed: set[str], **changes: str) -> MandateFacts:
        self._reach()
        with transaction.atomic():
            record = self._found(store_id, "mandate", reference, lock=True)
            if record.data["status"] not in allowed:
                raise GatewayRefused("wrong_state")
            self._change(record, **changes)
        return _facts(record)

    def _rows(self, store_id: str, kind: str, reference: str, *, lock: bool = False) -> Any:
        rows = SandboxRecord.objects.filter(store_id=store_id, kind=kind, reference=reference)
        return rows.select_for_update() if lock else rows

    def _found(self, store_id: str, kind: str, reference: str, *, lock: bool = False) -> SandboxRecord:
        record: SandboxRecord | None = self._rows(store_id, kind, reference, lock=lock).first()
        if record is None:
            raise GatewayRefused(f"no_such_{kind}")
        return record

    def _keep(self, store_id: str, kind: str, reference: str, data: dict[str, Any], parent: str = "") -> SandboxRecord:
        """The record of that reference, made unless it is there."""
        try:
            with transaction.atomic():
                return SandboxRecord.objects.create(
                    store_id=store_id, kind=kind, reference=reference, parent=parent, data=data
                )
        except IntegrityError:
            return self._found(store_id, kind, reference)

    def _change(self, record: SandboxRecord, **changes: Any) -> None:
        record.data = record.data | changes
        record.save(update_fields=["data"])

    def _event(self, record: SandboxRecord) -> PaymentEvent:
        return PaymentEvent(
            event_id=f"sbx_{record.reference}_{record.data['status']}",
            payment_id=record.reference,
            status=record.data["status"],
            amount=Decimal(record.data["amount"]),
            currency=record.data["currency"],
        )


def _ending(amount: Decimal) -> str:
    return f"{amount:.2f}"[-3:]


def _facts(record: SandboxRecord) -> MandateFacts:
    data = record.data
    start_at, end_at = parse_datetime(data["start_at"]), parse_datetime(data["end_at"])
    assert start_at is not None and end_at is not None
    return MandateFacts(
        reference=record.reference,
        status=data["status"],
        max_amount=Decimal(data["max_amount"]),
        start_at=start_at,
        end_at=end_at,
        mandate_type="nach",
        frequency="as_presented",
        bank_name="Sandbox Bank",
        bank_account_type="savings",
        reason=data["reason"],
    )


def _debit(record: SandboxRecord) -> DebitFacts:
    data = record.data
    return DebitFacts(
        debit_id=record.reference,
        status=data["status"],
        reference=f"sbx_txn_{record.reference}",
        retry=data["retry"],
        reason=data["reason"],
    )


def _method(data: dict[str, Any]) -> SavedMethodFacts:
    times = {name: parse_datetime(data[name]) if data[name] else None for name in ("last_used_at", "refreshed_at")}
    balance = None if data["balance"] is None else Decimal(data["balance"])
    return SavedMethodFacts(**{**data, **times, "balance": balance})
