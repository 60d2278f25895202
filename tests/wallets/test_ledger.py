"""Any order of holds, payments, refunds and expiry keeps every account in order."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from storefront import services
from storefront.errors import DomainError
from storefront.models import Store
from tests.wallets.conftest import ASHA, card_account, credit_account, points_account, state
from wallets import audit
from wallets.fields import exact
from wallets.models import Account, Entry, Hold
from wallets.services import ledger, spending

START = datetime(2026, 1, 1, tzinfo=UTC)
amounts = some.integers(min_value=1, max_value=60_000).map(lambda number: Decimal(number).scaleb(-2))
owners = some.sampled_from(["order-1", "order-2", "order-3", "order-4"])
days = some.integers(min_value=0, max_value=12)


class LedgerMachine(RuleBasedStateMachine):
    """One account against a model of numbers: what came, what went, and what each order holds, spent and got back."""

    def __init__(self) -> None:
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()
        self.held: dict[str, Decimal] = {}
        self.spent: dict[str, Decimal] = {}
        self.refunds: dict[str, Decimal] = {}
        self.came = self.went = Decimal(0)
        self.number = 0
        self.now = START

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.outer.__exit__(None, None, None)

    @initialize()
    def open(self) -> None:
        self.store = services.create_store(store_id="machine", name="Machine")
        self.account = ledger.open_account(store_id=self.store.pk, kind="credit", customer_id=ASHA)

    @property
    def where(self) -> dict[str, Any]:
        return {"store_id": self.store.pk, "account_id": self.account.pk}

    @property
    def free(self) -> Decimal:
        return self.came - self.went - sum(self.held.values(), Decimal(0))

    @rule(amount=amounts, lasts=some.one_of(some.none(), days))
    def grant(self, amount: Decimal, lasts: int | None) -> None:
        self.number += 1
        expires_at = None if lasts is None else self.now + timedelta(days=lasts + 10_000)
        for _time in range(2):
            ledger.add(**self.where, kind="grant", owner=str(self.number), amount=amount, expires_at=expires_at)
        self.came += amount

    @rule(owner=owners, amount=amounts)
    def hold(self, owner: str, amount: Decimal) -> None:
        enough = amount <= self.free + self.held.get(owner, Decimal(0))
        try:
            with transaction.atomic():
                ledger.hold(**self.where, owner=owner, amount=amount)
        except DomainError:
            assert not enough and owner not in self.spent
            return
        if owner in self.spent:
            return
        assert enough
        self.held[owner] = amount

    @rule(owner=owners)
    def confirm(self, owner: str) -> None:
        entries = ledger.confirm(store_id=self.store.pk, owner=owner)
        amount = self.held.pop(owner, None)
        assert [-entry.amount for entry in entries] == ([amount] if amount is not None else [])
        if amount is not None:
            self.spent[owner] = amount
            self.went += amount

    @rule(owner=owners)
    def release(self, owner: str) -> None:
        ledger.release(store_id=self.store.pk, owner=owner)
        self.held.pop(owner, None)

    @rule(owner=owners, refund=some.sampled_from(["r1", "r2", "r3"]), amount=amounts)
    def give_back(self, owner: str, refund: str, amount: Decimal) -> None:
        refund_id = f"{owner}-{refund}"
        given = spending.give_back(
            store=self.store, resource="credit", order_id=owner, refund_id=refund_id, amount=amount, now=self.now
        )
        if refund_id in self.refunds:
            assert given == self.refunds[refund_id]
            return
        before = sum((value for key, value in self.refunds.items() if key.startswith(owner)), Decimal(0))
        assert given == max(min(amount, self.spent.get(owner, Decimal(0)) - before), Decimal(0))
        if given:
            self.refunds[refund_id] = given
            self.came += given

    @rule(amount=amounts, partial=some.booleans())
    def take(self, amount: Decimal, partial: bool) -> None:
        self.number += 1
        free = self.free
        try:
            with transaction.atomic():
                entry = ledger.take(**self.where, kind="adjust", owner=str(self.number), amount=amount, partial=partial)
        except DomainError:
            assert amount > free and not partial
            return
        self.went += -entry.amount if entry is not None else 0
        assert (entry is None and not free) or (entry is not None and -entry.amount == min(amount, free))

    @rule(later=days)
    def expire(self, later: int) -> None:
        """Only this rule's clock is so far on that anything expires."""
        self.now += timedelta(days=later)
        moment = self.now + timedelta(days=10_000)
        past = sum(entry.remaining for entry in Entry.objects.filter(remaining__gt=0, expires_at__lte=moment))
        held = sum(self.held.values(), Decimal(0))
        gone = ledger.expire(**self.where, now=moment)
        assert gone == max(past - held, 0)
        assert ledger.expire(**self.where, now=moment) == 0
        self.went += gone

    @invariant()
    def it_adds_up(self) -> None:
        if not hasattr(self, "account"):
            return
        balance, held = state(self.account)
        assert balance == self.came - self.went
        assert held == sum(self.held.values(), Decimal(0))
        assert not list(audit.mismatches())


class AnyOrder(TestCase):
    def test_any_order_of_acts_keeps_the_account_in_order(self) -> None:
        run_state_machine_as_test(
            LedgerMachine,
            settings=settings(
                max_examples=25,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
            ),
        )


# --- what the database holds ----------------------------------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"balance": F("balance") - exact(101)}, {"held": F("held") + exact(101)},
                                    {"held": F("held") - exact(1)}])  # fmt: skip
def test_the_database_itself_refuses_what_cannot_be(store: Store, change: Any) -> None:
    account = credit_account(store, "100")
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.filter(pk=account.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        Entry.objects.create(store=store, account=account, kind="adjust", owner="x", amount=-1, remaining=1)


@pytest.mark.django_db
def test_small_amounts_add_up_in_every_database(store: Store) -> None:
    account = credit_account(store, "0.3")
    for number, amount in enumerate(("0.1", "0.2")):
        with transaction.atomic():
            ledger.hold(store_id=store.pk, account_id=account.pk, owner=str(number), amount=Decimal(amount))
        ledger.confirm(store_id=store.pk, owner=str(number))
    assert state(account) == (0, 0)
    assert Account.objects.filter(balance=0).count() == 1


@pytest.mark.django_db
def test_amounts_that_no_currency_has_are_refused(store: Store) -> None:
    account = credit_account(store, "1")
    for amount in ("0.00001", "1e17"):
        with pytest.raises(ValueError), transaction.atomic():
            ledger.add(store_id=store.pk, account_id=account.pk, kind="grant", owner=amount, amount=Decimal(amount))
    assert state(account) == (1, 0)


# --- verify_ledger --------------------------------------------------------------------------------------------------
def verify(*options: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("verify_ledger", *options, stdout=out)
    except SystemExit as left:
        return int(str(left.code)), out.getvalue()
    return 0, out.getvalue()


@pytest.mark.django_db
def test_a_ledger_that_adds_up_is_told_so(store: Store, other_store: Store, programme: Any) -> None:
    for account in (credit_account(store, "10"), points_account(store, 5), card_account(other_store, "7")):
        with transaction.atomic():
            ledger.hold(store_id=account.store_id, account_id=account.pk, owner="o", amount=Decimal(2))
    assert verify() == (0, "3 accounts add up.\n")
    assert verify("--store", "other") == (0, "1 accounts add up.\n")
    code, text = verify("--json")
    assert (code, json.loads(text)) == (0, {"ok": True, "accounts": 3, "mismatches": []})
    with pytest.raises(CommandError):
        verify("--store", "nowhere")


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["balance", "remaining", "held"])
def test_every_kind_of_mismatch_is_found(store: Store, other_store: Store, what: str) -> None:
    account = credit_account(store, "10")
    credit_account(other_store, "10")
    if what == "balance":
        Entry.objects.filter(account=account).update(amount=11)
    elif what == "remaining":
        Entry.objects.filter(account=account).update(remaining=9)
    else:
        Hold.objects.create(store=store, account=account, owner="o", amount=3)
    code, text = verify("--json")
    found = json.loads(text)
    assert code == 1 and found["ok"] is False
    assert [(row["account_id"], row["what"]) for row in found["mismatches"]] == [(account.pk, what)]
    code, text = verify()
    assert code == 1 and account.pk in text and "1 of 2 accounts" in text
    assert verify("--store", "other")[0] == 0


@pytest.mark.django_db
def test_checking_asks_by_the_thousand(store: Store, monkeypatch: Any) -> None:
    monkeypatch.setattr(audit, "_BATCH", 10)
    for number in range(25):
        credit_account(store, "1", f"customer-{number}")
    done: list[int] = []
    with CaptureQueriesContext(connection) as captured:
        assert not list(audit.mismatches(progress=done.append))
    assert done == [10, 20, 25]
    assert len(captured) == 3 * 3 + 1
