"""Debits: planned for an active mandate only, carried out once, tried again, taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from payments import claims, credit, debits
from payments.errors import DebitRefused, MandateNotActive, MandateNotFound
from payments.models import CreditLine, Mandate, MandateDebit, SandboxRecord
from payments.sandbox import Sandbox
from payments.states import DEBIT_STEPS, DebitStatus
from storefront import outbox
from storefront.contracts import Claim, DebitFacts
from storefront.errors import Unavailable
from storefront.models import Store
from tests.contract import assert_matches

pytestmark = pytest.mark.django_db
OPERATION = "list-customer-mandate-debit-schedules"
Plan = Callable[..., MandateDebit]


@pytest.fixture(autouse=True)
def _no_quiet_providers() -> Iterator[None]:
    debits.forget()
    yield
    debits.forget()


@pytest.fixture
def plan(store: Store, shopper: Any, mandate: dict[str, Any]) -> Plan:
    """A debit of the shopper's mandate, due now."""

    def make(amount: str = "100", order: str = "order-1", **changes: Any) -> MandateDebit:
        values: dict[str, Any] = {
            "customer_id": shopper.customer_id,
            "mandate_id": mandate["id"],
            "order_id": order,
            "order_number": "1001",
            "amount": Decimal(amount),
            "scheduled_at": timezone.now(),
        }
        return debits.schedule(store=store, **(values | changes))

    return make


def work(now: datetime | None = None) -> MandateDebit:
    """Carries out what is due at that moment, and answers the only debit."""
    while (debit := debits.claim(now=now or timezone.now())) is not None:
        debits.carry_out(debit)
    return MandateDebit.objects.get()


def later(**span: Any) -> datetime:
    return timezone.now() + timedelta(**span)


# --- planning ---------------------------------------------------------------------------------------------------------
def test_a_planned_debit_is_shown_to_its_customer(shopper: Any, stranger: Any, plan: Plan) -> None:
    debit = plan(scheduled_at=later(days=1))
    assert work().status == "scheduled"  # not due yet
    shown = assert_matches(OPERATION, shopper.get(f"{shopper.path}/mandate-debit-schedules"))
    (row,) = shown["mandate_debit_schedules"]
    assert (row["id"], row["status"], row["amount"], row["order_id"]) == (debit.pk, "scheduled", 100.0, "order-1")
    assert (row["retry_attempt"], row["max_retries"], row["picked_at"]) == (0, 3, None)
    assert shown["pagination"]["total_records"] == 1
    theirs = assert_matches(OPERATION, stranger.get(f"{stranger.path}/mandate-debit-schedules"))
    assert theirs["mandate_debit_schedules"] == []


def test_an_order_is_planned_once(plan: Plan, store: Store) -> None:
    first = plan()
    assert plan().pk == first.pk
    with pytest.raises(DebitRefused):
        plan("101")
    assert debits.cancel(store=store, order_id="order-1", now=timezone.now()) == 1
    assert plan("101").pk != first.pk


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"amount": "2000.01"}, DebitRefused),
        ({"amount": "0"}, DebitRefused),
        ({"amount": "1.001"}, DebitRefused),
        ({"scheduled_at": datetime.fromisoformat("2001-01-01T00:00:00+00:00")}, DebitRefused),
        ({"scheduled_at": datetime.fromisoformat("2999-01-01T00:00:00+00:00")}, DebitRefused),
        ({"mandate_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}, MandateNotFound),
        ({"customer_id": "somebody"}, MandateNotFound),
    ],
)
def test_what_the_mandate_does_not_cover_is_not_planned(plan: Plan, changes: Any, refusal: Any) -> None:
    with pytest.raises(refusal):
        plan(**changes)
    assert not MandateDebit.objects.exists()


@pytest.mark.parametrize("step", ["pause", "revoke"])
def test_pausing_and_revoking_take_back_what_is_planned(
    shopper: Any, mandate: dict[str, Any], plan: Plan, step: str
) -> None:
    plan()
    assert shopper.post(f"{shopper.path}/mandates/{mandate['id']}/{step}").status_code == 200
    debit = work()
    assert (debit.status, debit.due_at) == ("cancelled", None)
    assert not SandboxRecord.objects.filter(kind="debit").exists()
    with pytest.raises(MandateNotActive):
        plan(order="order-2")


# --- carrying out -----------------------------------------------------------------------------------------------------
def test_a_due_debit_is_taken_once_and_settled(shopper: Any, plan: Plan) -> None:
    plan()
    assert outbox.drain(debits.QUEUE) == 1
    assert outbox.drain(debits.QUEUE) == 0
    debit = MandateDebit.objects.get()
    assert (debit.status, debit.due_at, debit.next_retry_at) == ("debit-success", None, None)
    assert debit.picked_at and debit.executed_at and debit.external_reference_id
    (row,) = assert_matches(OPERATION, shopper.get(f"{shopper.path}/mandate-debit-schedules"))[
        "mandate_debit_schedules"
    ]
    assert row["status"] == "debit-success" and row["gateway_order_id"]
    assert SandboxRecord.objects.filter(kind="debit").count() == 1


def test_what_the_provider_has_not_settled_is_asked_about_later(plan: Plan) -> None:
    plan("100.01")
    debit = work()
    assert debit.status == "debit-pending" and debit.due_at and debit.due_at > timezone.now()
    assert work().status == "debit-pending"
    assert work(later(minutes=6)).status == "debit-success"
    assert SandboxRecord.objects.filter(kind="debit").count() == 1


def test_a_failure_that_may_pass_is_tried_again_so_often_and_no_more(plan: Plan) -> None:
    plan("100.02")
    moment = timezone.now()
    for attempt in (1, 2, 3):
        debit = work(moment)
        assert (debit.status, debit.retry_attempt, debit.reason) == ("awaiting-retry", attempt, "insufficient_funds")
        assert debit.next_retry_at is not None
        moment = debit.next_retry_at
    debit = work(moment)
    assert (debit.status, debit.retry_attempt, debit.next_retry_at) == ("debit-failed", 3, None)
    tries = SandboxRecord.objects.filter(kind="debit").values_list("reference", flat=True)
    assert sorted(tries) == [f"{debit.pk}-{number}" for number in range(4)]


def test_a_failure_for_good_is_not_tried_again_but_by_staff(plan: Plan, store: Store) -> None:
    plan("100.03")
    debit = work()
    assert (debit.status, debit.reason) == ("debit-failed", "account_closed")
    assert work(later(days=30)).status == "debit-failed"
    debits.retry(store=store, debit_id=debit.pk, now=timezone.now())
    again = work()
    assert (again.status, again.retry_attempt) == ("debit-failed", 1)
    assert SandboxRecord.objects.filter(kind="debit").count() == 2


def test_a_retry_is_refused_where_it_makes_no_sense(
    plan: Plan, store: Store, shopper: Any, mandate: dict[str, Any]
) -> None:
    debit = plan("100.03")
    with pytest.raises(DebitRefused):
        debits.retry(store=store, debit_id=debit.pk, now=timezone.now())
    work()
    plan("100.03")  # the order was planned again meanwhile
    with pytest.raises(DebitRefused):
        debits.retry(store=store, debit_id=debit.pk, now=timezone.now())
    shopper.post(f"{shopper.path}/mandates/{mandate['id']}/pause")
    with pytest.raises(MandateNotActive):
        debits.retry(store=store, debit_id=debit.pk, now=timezone.now())
    assert sorted(MandateDebit.objects.values_list("status", flat=True)) == ["cancelled", "debit-failed"]


def test_a_provider_that_is_away_is_asked_again_under_the_same_id(plan: Plan, monkeypatch: Any) -> None:
    plan()
    calls: list[str] = []
    real = Sandbox.debit

    def lost(self: Sandbox, **asked: Any) -> Any:
        """The money is taken, and the answer never arrives."""
        calls.append(asked["debit_id"])
        real(self, **asked)
        raise Unavailable

    monkeypatch.setattr(Sandbox, "debit", lost)
    debit = work()
    assert debit.status == "debit-pending" and debit.retry_attempt == 0
    monkeypatch.setattr(Sandbox, "debit", real)
    debits.forget()
    assert work(later(minutes=6)).status == "debit-success"
    assert calls == [f"{debit.pk}-0"]
    assert SandboxRecord.objects.filter(kind="debit").count() == 1


def test_a_debit_that_never_arrived_is_sent_again_under_the_same_id(plan: Plan, monkeypatch: Any) -> None:
    plan("100")

    def away(self: Sandbox, **_: Any) -> Any:
        raise Unavailable

    real = Sandbox.debit
    monkeypatch.setattr(Sandbox, "debit", away)
    debit = work()
    assert debit.status == "debit-pending"
    monkeypatch.setattr(Sandbox, "debit", real)
    assert work(later(minutes=6)).status == "debit-pending", "left alone by a process that it did not answer"
    debits.forget()
    assert work(later(minutes=6)).status == "debit-success"
    assert [row.reference for row in SandboxRecord.objects.filter(kind="debit")] == [f"{debit.pk}-0"]


def test_a_worker_that_dies_leaves_its_debit_to_the_next(plan: Plan) -> None:
    plan()
    assert debits.claim(now=timezone.now()) is not None  # and nothing more
    assert MandateDebit.objects.get().status == "debit-pending"
    assert work(later(minutes=6)).status == "debit-success"


def test_old_news_of_an_older_try_changes_nothing(plan: Plan, store: Store) -> None:
    plan("100.02")
    debit = work()
    old = DebitFacts(debit_id=f"{debit.pk}-0", status="success", reference="late")
    debits.settle(store=store, debit_id=debit.pk, facts=old, now=timezone.now())
    debit.refresh_from_db()
    assert debit.status == "awaiting-retry"


def test_a_mandate_that_ended_or_shrank_meanwhile_is_not_debited(plan: Plan) -> None:
    plan()
    Mandate.objects.update(max_amount=Decimal(99))
    debit = work()
    assert (debit.status, debit.reason) == ("cancelled", "mandate_terms")


def test_a_success_pays_back_what_the_order_owes_of_the_credit_line(
    plan: Plan, store: Store, shopper: Any, line: CreditLine
) -> None:
    plug = claims.CreditLineClaims()
    with transaction.atomic():
        plug.hold(
            store.pk, [Claim(resource="credit_line", key=shopper.customer_id, amount=Decimal(100), owner="order-1")]
        )
    plug.confirm(store.pk, "order-1")
    line.refresh_from_db()
    assert (line.utilised, line.balance) == (100, 900)
    plan("100")
    work()
    line.refresh_from_db()
    assert (line.utilised, line.balance) == (0, 1000)
    assert list(credit.mismatches(store_id=store.pk)) == []


# --- the table --------------------------------------------------------------------------------------------------------
def test_what_is_settled_stays_so_and_every_state_is_in_the_table() -> None:
    assert set(DEBIT_STEPS) == set(DebitStatus.values)
    assert not DEBIT_STEPS["debit-success"] and not DEBIT_STEPS["cancelled"]


def test_the_database_keeps_open_debits_due_and_settled_ones_not(plan: Plan) -> None:
    plan()
    for change in ({"due_at": None}, {"status": "debit-success"}, {"status": "lost"}, {"amount": 0}):
        with pytest.raises(IntegrityError), transaction.atomic():
            MandateDebit.objects.update(**change)
