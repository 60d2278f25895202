"""Credit lines: limits, holds of orders, the ledger; never below zero."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from payments import credit
from payments.claims import CreditLineClaims
from payments.errors import CreditLineExceeded, CreditLineNotEligible
from payments.models import CreditEntry, CreditHold, CreditLine
from storefront import claims, services
from storefront.contracts import Claim
from storefront.errors import Invalid, NotFound
from storefront.models import Store
from storefront.testing import ClaimsContract

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(store: Store) -> CreditLine:
    return open_with(store, "asha", 1000, 2000)


def open_with(store: Store, customer_id: str, limit: int, per_order: int) -> CreditLine:
    made = credit.open_line(store=store, customer_id=customer_id)
    return credit.set_limits(
        store=store,
        line_id=made.pk,
        total_credit_limit=Decimal(limit),
        mandate_per_order_limit=Decimal(per_order),
        reason="Good customer",
    )


def hold(store: Store, owner: str, amount: str, customer_id: str = "asha") -> None:
    claim = Claim(resource="credit_line", key=customer_id, amount=Decimal(amount), owner=owner)
    with transaction.atomic():
        claims.hold(store_id=store.pk, claims=[claim])


def amounts(line: CreditLine) -> tuple[Decimal, Decimal, Decimal]:
    line.refresh_from_db()
    return line.utilised, line.held, line.balance


# --- orders -----------------------------------------------------------------------------------------------------------
class TestContract(ClaimsContract):
    resource = "credit_line"

    @pytest.fixture(autouse=True)
    def _shop(self, store: Store) -> Iterator[None]:
        self.store = store
        yield
        assert list(credit.mismatches(store_id=store.pk)) == []

    def claims(self) -> CreditLineClaims:
        return CreditLineClaims()

    def put(self, amount: Decimal) -> str:
        customer_id = f"customer-{CreditLine.objects.count()}"
        open_with(self.store, customer_id, int(amount), int(amount))
        return customer_id

    def free(self, key: str) -> Decimal:
        return CreditLine.objects.get(customer_id=key).balance


def test_what_was_repaid_is_not_given_back_on_credit(store: Store, line: CreditLine) -> None:
    hold(store, "one", "300")
    claims.confirm(store_id=store.pk, owner="one")
    repaid = {"customer_id": "asha", "order_id": "one", "amount": Decimal(100), "key": "debit"}
    assert credit.repay(store_id=store.pk, **repaid) == 100
    for _repeat in range(2):
        claims.give_back(store_id=store.pk, owner="one")
        assert amounts(line) == (0, 0, 1000)
    assert credit.repay(store_id=store.pk, **repaid | {"key": "later"}) == 0
    entry = CreditEntry.objects.get(kind="return")
    assert (entry.amount, entry.utilised_after, entry.order_id) == (-200, 0, "one")
    assert list(credit.mismatches(store_id=store.pk)) == []


def test_a_hold_is_utilised_or_given_back_and_repeating_is_harmless(store: Store, line: CreditLine) -> None:
    for _repeat in range(2):
        hold(store, "one", "300")
        hold(store, "two", "200.50")
    assert amounts(line) == (0, Decimal("500.5"), Decimal("499.5"))
    for _repeat in range(2):
        claims.confirm(store_id=store.pk, owner="one")
        claims.release(store_id=store.pk, owner="two")
    hold(store, "one", "300")  # the same claim made again is the same claim
    claims.release(store_id=store.pk, owner="one")  # and what is owed is not given back
    assert amounts(line) == (300, 0, 700)
    entry = CreditEntry.objects.get(kind="utilise")
    assert (entry.amount, entry.utilised_after, entry.order_id) == (300, 300, "one")
    assert list(credit.mismatches(store_id=store.pk)) == []


def test_more_than_is_left_is_refused_to_the_last_unit(store: Store, line: CreditLine) -> None:
    hold(store, "one", "999.99")
    with pytest.raises(CreditLineExceeded):
        hold(store, "two", "0.02")
    assert amounts(line) == (0, Decimal("999.99"), Decimal("0.01"))
    hold(store, "two", "0.01")
    assert amounts(line) == (0, 1000, 0)


def test_another_amount_replaces_the_first_and_a_released_order_may_hold_again(store: Store, line: CreditLine) -> None:
    hold(store, "one", "900")
    hold(store, "one", "1000")
    hold(store, "one", "10")
    assert amounts(line) == (0, 10, 990)
    claims.release(store_id=store.pk, owner="one")
    hold(store, "one", "1000")
    assert amounts(line) == (0, 1000, 0)


def test_who_is_not_eligible_or_has_no_limit_holds_nothing(store: Store, line: CreditLine) -> None:
    with pytest.raises(CreditLineNotEligible):
        hold(store, "one", "1", "nobody")
    credit.open_line(store=store, customer_id="new")
    with pytest.raises(CreditLineExceeded):
        hold(store, "one", "1", "new")
    credit.set_eligible(store=store, line_id=line.pk, is_eligible=False)
    with pytest.raises(CreditLineNotEligible):
        hold(store, "one", "1")
    assert not CreditHold.objects.exists()


def test_lines_of_other_stores_are_out_of_reach(store: Store, other_store: Store, line: CreditLine) -> None:
    with pytest.raises(CreditLineNotEligible):
        hold(other_store, "one", "1")
    hold(store, "one", "1")
    claims.release(store_id=other_store.pk, owner="one")
    claims.confirm(store_id=other_store.pk, owner="one")
    with pytest.raises(NotFound):
        credit.adjust(store=other_store, line_id=line.pk, amount=Decimal(1), reason="x")
    assert amounts(line) == (0, 1, 999)


# --- money coming in --------------------------------------------------------------------------------------------------
def test_a_repayment_counts_once_and_never_more_than_the_order_owes(store: Store, line: CreditLine) -> None:
    hold(store, "one", "300")
    claims.confirm(store_id=store.pk, owner="one")
    where: dict[str, Any] = {"store_id": store.pk, "customer_id": "asha", "order_id": "one"}
    assert credit.repay(**where, amount=Decimal(100), key="debit:1") == 100
    assert credit.repay(**where, amount=Decimal(100), key="debit:1") == 0
    assert credit.repay(**where, amount=Decimal(500), key="debit:2") == 200
    assert credit.repay(**where, amount=Decimal(500), key="debit:3") == 0
    assert credit.repay(**{**where, "order_id": "two"}, amount=Decimal(5), key="debit:4") == 0
    assert amounts(line) == (0, 0, 1000)
    assert list(credit.mismatches(store_id=store.pk)) == []


# --- staff ------------------------------------------------------------------------------------------------------------
def test_the_limit_is_never_above_that_of_one_order_nor_below_what_is_used(store: Store, line: CreditLine) -> None:
    def limits(total: str, per_order: str, reason: str = "Review") -> None:
        credit.set_limits(
            store=store,
            line_id=line.pk,
            total_credit_limit=Decimal(total),
            mandate_per_order_limit=Decimal(per_order),
            reason=reason,
        )

    hold(store, "one", "400")
    claims.confirm(store_id=store.pk, owner="one")
    hold(store, "two", "100")
    for total, per_order, reason, field in (
        ("2000.01", "2000", "Review", "total_credit_limit"),
        ("499.99", "2000", "Review", "total_credit_limit"),
        ("-1", "2000", "Review", "total_credit_limit"),
        ("600.001", "2000", "Review", "total_credit_limit"),
        ("600", "1e3", " ", "reason"),
    ):
        with pytest.raises(Invalid) as refused:
            limits(total, per_order, reason)
        assert field in refused.value.errors
    assert amounts(line) == (400, 100, 500)
    limits("500", "500")
    assert amounts(line) == (400, 100, 0)
    entry = CreditEntry.objects.filter(kind="limit").first()
    assert entry is not None and (entry.limit_after, entry.amount, entry.reason) == (500, 0, "Review")


def test_a_correction_needs_a_reason_and_stays_within_the_line(store: Store, line: CreditLine) -> None:
    for amount, reason, field in (
        ("1", "", "reason"),
        ("0", "x", "amount"),
        ("1000.01", "x", "amount"),
        ("-1", "x", "amount"),
    ):
        with pytest.raises(Invalid) as refused:
            credit.adjust(store=store, line_id=line.pk, amount=Decimal(amount), reason=reason)
        assert field in refused.value.errors
    credit.adjust(store=store, line_id=line.pk, amount=Decimal(50), reason="Old debt", staff_name="hugo")
    credit.adjust(store=store, line_id=line.pk, amount=Decimal(-20), reason="Paid in cash", staff_name="hugo")
    assert amounts(line) == (30, 0, 970)
    assert list(CreditEntry.objects.filter(kind="adjust").values_list("utilised_after", "staff_name")) == [
        (30, "hugo"),
        (50, "hugo"),
    ]
    assert list(credit.mismatches(store_id=store.pk)) == []


def test_the_ledger_is_only_added_to(line: CreditLine) -> None:
    entry = CreditEntry.objects.get()
    entry.reason = "Something else"
    with pytest.raises(TypeError):
        entry.save()
    with pytest.raises(TypeError):
        entry.delete()


@pytest.mark.parametrize(
    "change",
    [
        {"utilised": Decimal(1001)},
        {"utilised": Decimal(600), "held": Decimal(500)},
        {"held": Decimal(-1)},
        {"total_credit_limit": Decimal(2001)},
        {"total_credit_limit": None},
        {"mandate_per_order_limit": None},
    ],
)
def test_the_database_keeps_a_line_within_its_limits(line: CreditLine, change: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        CreditLine.objects.filter(pk=line.pk).update(**change)


def verify(*arguments: str) -> tuple[str, int]:
    out = StringIO()
    try:
        call_command("verify_credit", *arguments, stdout=out)
    except SystemExit as ended:
        return out.getvalue(), int(str(ended.code))
    return out.getvalue(), 0


def test_lines_that_do_not_add_up_are_told(store: Store, other_store: Store, line: CreditLine) -> None:
    hold(store, "one", "300")
    claims.confirm(store_id=store.pk, owner="one")
    hold(store, "two", "5")
    open_with(store, "ben", 10, 10)
    assert verify() == ("2 credit lines add up.\n", 0)
    CreditLine.objects.filter(pk=line.pk).update(utilised=Decimal(299), held=Decimal(6))
    text, code = verify()
    assert code == 1 and "asha  utilised: kept 299.000, counted 300.000" in text and "held: kept 6.000" in text
    text, code = verify("--store", store.pk, "--json")
    assert (code, [row["what"] for row in json.loads(text)["mismatches"]]) == (1, ["utilised", "held"])
    assert verify("--store", other_store.pk) == ("0 credit lines add up.\n", 0)
    with pytest.raises(CommandError):
        verify("--store", "nowhere")


class AnyHistory(TestCase):
    """Whatever orders and staff do, in any order: the amounts add up and nothing is below zero."""

    MOVES = st.lists(
        st.tuples(
            st.sampled_from(["hold", "confirm", "release", "repay", "adjust"]),
            st.integers(0, 4),
            st.decimals("-400", "700", places=2),
        ),
        max_size=25,
    )

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(moves=MOVES)
    def test_a_line_always_adds_up(self, moves: list[tuple[str, int, Decimal]]) -> None:
        store = services.create_store(store_id="demo", name="Demo")
        line = open_with(store, "asha", 1000, 1000)
        for number, (move, order, amount) in enumerate(moves):
            owner = f"order-{order}"
            try:
                match move:
                    case "hold":
                        hold(store, owner, str(abs(amount) or 1))
                    case "confirm":
                        claims.confirm(store_id=store.pk, owner=owner)
                    case "release":
                        claims.release(store_id=store.pk, owner=owner)
                    case "repay":
                        credit.repay(
                            store_id=store.pk,
                            customer_id="asha",
                            order_id=owner,
                            amount=abs(amount),
                            key=f"debit:{number % 3}",
                        )
                    case "adjust":
                        credit.adjust(store=store, line_id=line.pk, amount=amount, reason="x")
            except (CreditLineExceeded, Invalid):
                continue
        line.refresh_from_db()
        assert line.utilised >= 0 and line.held >= 0 and line.balance >= 0
        assert list(credit.mismatches(store_id=store.pk)) == []
