"""What many callers do at once: one outcome, on both databases."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from payments import credit, debits, mandates, saved
from payments.errors import CreditLineExceeded
from payments.models import CreditLine, GatewayCustomer, Mandate, MandateDebit, SandboxRecord, SavedCard
from payments.sandbox import Sandbox
from storefront import claims
from storefront.contracts import Claim
from storefront.errors import DomainError
from storefront.models import Store
from tests.payments.conftest import UPI, VISA
from tests.payments.factories import mandate_row, provider_row
from tests.threads import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)


def remote(row: Mandate) -> Mandate:
    """The same mandate at the sandbox."""
    data = {
        "status": row.status,
        "reason": "",
        "max_amount": str(row.max_amount),
        "start_at": row.start_at.isoformat(),
        "end_at": row.end_at.isoformat(),
    }
    SandboxRecord.objects.create(store=row.store, kind="mandate", reference=row.reference, data=data)
    return row


def outcome(call: Any, **arguments: Any) -> str:
    try:
        call(**arguments)
    except DomainError as error:
        return error.code
    return "done"


@pytest.mark.parametrize("round_", range(4))
def test_pausing_and_revoking_at_once_ends_revoked_here_and_at_the_provider(store: Store, round_: int) -> None:
    row = remote(mandate_row(store, "asha"))
    where = {"store": store, "customer_id": "asha", "mandate_id": row.pk, "now": timezone.now()}
    steps = [mandates.pause, mandates.revoke, mandates.pause, mandates.revoke, mandates.resume, mandates.pause]
    outcomes = in_parallel(lambda number: outcome(steps[number], **where), len(steps))
    assert set(outcomes) <= {
        "done",
        "mandate_not_active",
        "mandate_not_paused",
        "mandate_revoked",
        "mandate_refused",
        "temporarily_unavailable",
    }
    assert "done" in (outcomes[1], outcomes[3])
    row.refresh_from_db()
    assert row.status == "revoked"
    assert SandboxRecord.objects.get(kind="mandate").data["status"] == "revoked"


def test_pauses_and_resumes_at_once_agree_with_the_provider(store: Store) -> None:
    row = remote(mandate_row(store, "asha"))
    where = {"store": store, "customer_id": "asha", "mandate_id": row.pk, "now": timezone.now()}
    steps = [mandates.pause, mandates.resume] * 6
    in_parallel(lambda number: outcome(steps[number], **where), len(steps))
    row.refresh_from_db()
    assert row.status == SandboxRecord.objects.get(kind="mandate").data["status"]
    assert row.status in {"active", "paused"}


def test_no_debit_survives_a_pause_that_runs_beside_its_planning(store: Store) -> None:
    row = remote(mandate_row(store, "asha"))

    def act(number: int) -> str:
        now = timezone.now()
        if number == 4:
            return outcome(mandates.pause, store=store, customer_id="asha", mandate_id=row.pk, now=now)
        return outcome(
            debits.schedule,
            store=store,
            customer_id="asha",
            mandate_id=row.pk,
            order_id=f"order-{number}",
            amount=Decimal(10),
            scheduled_at=row.end_at,
        )

    outcomes = in_parallel(act, 10)
    assert outcomes[4] == "done"
    assert set(MandateDebit.objects.values_list("status", flat=True)) <= {"cancelled"}
    assert MandateDebit.objects.count() == Counter(outcomes)["done"] - 1


def test_many_workers_take_each_debit_once(store: Store, monkeypatch: Any) -> None:
    row = remote(mandate_row(store, "asha"))
    for number in range(8):
        debits.schedule(
            store=store,
            customer_id="asha",
            mandate_id=row.pk,
            order_id=f"order-{number}",
            amount=Decimal(10 + number),
            scheduled_at=timezone.now(),
        )
    sent: list[str] = []
    real = Sandbox.debit

    def counted(self: Sandbox, **asked: Any) -> Any:
        sent.append(asked["debit_id"])
        return real(self, **asked)

    monkeypatch.setattr(Sandbox, "debit", counted)
    handled = in_parallel(lambda _number: debits.drain(), 4)
    assert sum(handled) == 8
    assert len(sent) == len(set(sent)) == 8
    assert set(MandateDebit.objects.values_list("status", flat=True)) == {"debit-success"}


def test_a_credit_line_is_never_overspent(store: Store) -> None:
    line = credit.open_line(store=store, customer_id="asha")
    limit = {"total_credit_limit": Decimal(100), "mandate_per_order_limit": Decimal(100)}
    credit.set_limits(store=store, line_id=line.pk, reason="x", **limit)

    def order(number: int) -> bool:
        claim = Claim(resource="credit_line", key="asha", amount=Decimal(10), owner=f"order-{number}")
        try:
            with transaction.atomic():
                claims.hold(store_id=store.pk, claims=[claim])
        except CreditLineExceeded:
            return False
        if number % 2:
            claims.confirm(store_id=store.pk, owner=claim.owner)
        return True

    held = in_parallel(order, 24, workers=8)
    assert sum(held) == 10
    line.refresh_from_db()
    assert line.balance == 0
    assert line.utilised == 10 * sum(held[1::2])
    assert list(credit.mismatches(store_id=store.pk)) == []


def test_orders_and_repayments_at_once_add_up(store: Store) -> None:
    line = credit.open_line(store=store, customer_id="asha")
    limit = {"total_credit_limit": Decimal(50), "mandate_per_order_limit": Decimal(50)}
    credit.set_limits(store=store, line_id=line.pk, reason="x", **limit)

    def act(number: int) -> None:
        owner = f"order-{number // 2}"
        if number % 2:
            money = {"order_id": owner, "amount": Decimal(10), "key": f"debit:{owner}"}
            credit.repay(store_id=store.pk, customer_id="asha", **money)
            return
        try:
            with transaction.atomic():
                claim = Claim(resource="credit_line", key="asha", amount=Decimal(10), owner=owner)
                claims.hold(store_id=store.pk, claims=[claim])
        except CreditLineExceeded:
            return
        in_parallel(lambda _twice: claims.confirm(store_id=store.pk, owner=owner), 2)

    in_parallel(act, 20, workers=6)
    assert list(credit.mismatches(store_id=store.pk)) == []
    assert CreditLine.objects.get().balance >= 0


def test_a_customer_is_made_once_at_a_provider(store: Store) -> None:
    provider = provider_row(store)
    found = in_parallel(lambda _n: saved.holder(store=store, provider=provider, customer_id="asha").pk, 6)
    assert len(set(found)) == 1 == GatewayCustomer.objects.count()


def test_refreshing_at_once_leaves_each_card_once(store: Store) -> None:
    holder = saved.holder(store=store, provider=provider_row(store), customer_id="asha")
    sandbox = Sandbox(timeout=1)
    sandbox.save_card(store_id=store.pk, customer_reference=holder.reference, card=VISA)
    sandbox.save_method(store_id=store.pk, customer_reference=holder.reference, method=UPI)
    shown = in_parallel(lambda _n: saved.means(store=store, customer_id="asha", now=timezone.now()), 6)
    assert all(len(rows[0].cards.all()) == 1 for rows in shown)
    assert SavedCard.objects.count() == 1
