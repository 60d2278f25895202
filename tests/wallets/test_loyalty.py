"""Earning, returning, tiers, periods."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from storefront import events, privacy
from storefront.models import Store
from tests.threads import in_parallel
from tests.wallets.conftest import ASHA, BELA, credit_account, make_programme, points_account, state
from wallets import selectors
from wallets.errors import InsufficientPoints, NoLoyalty
from wallets.models import Account, Earning, Entry, Member, Programme, Tier
from wallets.rules import months_later
from wallets.services import credit, housekeeping, ledger, loyalty

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def promise(store: Store, order: str = "o1", points: int = 100, spent: str = "100", now: datetime = NOW) -> Any:
    return loyalty.promise(
        store=store, customer_id=ASHA, order_id=order, reference=order.upper(), points=points, spent=Decimal(spent),
        savings=Decimal(5), now=now,
    )  # fmt: skip


def take_back(store: Store, returned: str, order: str = "o1", note: str = "n1", now: datetime = NOW) -> int:
    return loyalty.take_back(
        store=store, order_id=order, returned=Decimal(returned), note_id=note, reference="CN-1", now=now
    )


def sweep(now: datetime) -> None:
    housekeeping.sweep(now=now, batch=100)


def account() -> Account:
    return Account.objects.get(kind="points")


def kinds() -> list[tuple[str, int]]:
    return [(entry.kind, int(entry.amount)) for entry in Entry.objects.order_by("pk")]


def tier() -> str:
    return str(Member.objects.get().tier or "Silver")


# --- earning --------------------------------------------------------------------------------------------------------
def test_points_post_days_after_delivery_and_once(store: Store) -> None:
    make_programme(store, post_days=7, expiry_days=30)
    for _time in range(2):
        promise(store)
    sweep(NOW + 100 * DAY)
    assert state(account()) == (0, 0)  # not delivered yet
    for moment in (NOW, NOW + DAY):
        loyalty.deliver(store=store, order_id="o1", delivered_at=moment)
    sweep(NOW + 7 * DAY - timedelta(seconds=1))
    assert state(account()) == (0, 0)
    for _time in range(2):
        sweep(NOW + 7 * DAY)
    assert state(account()) == (100, 0)
    sweep(NOW + 37 * DAY)
    assert kinds() == [("earn", 100), ("expire", -100)]


def test_a_cancelled_order_earns_nothing(store: Store, programme: Programme) -> None:
    promise(store)
    loyalty.deliver(store=store, order_id="o1", delivered_at=NOW)
    assert take_back(store, "100") == 0
    sweep(NOW + DAY)
    assert (state(account()), kinds()) == ((0, 0), [])
    standing = selectors.standing(store_id=store.pk, customer_id=ASHA, now=NOW)
    assert (standing.total_orders, standing.total_spent, standing.lifetime_savings) == (0, 0, 0)


def test_returns_take_their_share_of_the_points_along(store: Store, programme: Programme) -> None:
    promise(store, points=100, spent="300")
    assert take_back(store, "100", note="n1") == 0
    loyalty.deliver(store=store, order_id="o1", delivered_at=NOW)
    sweep(NOW)
    assert kinds() == [("earn", 67)]
    for _time in range(2):
        assert take_back(store, "200", note="n2") == 0
    assert take_back(store, "150", note="n3") == 0  # less than came back before changes nothing
    assert state(account())[0] == 34
    assert take_back(store, "300", note="n4") == 0
    assert kinds() == [("earn", 67), ("reverse", -33), ("reverse", -34)]
    assert Earning.objects.get().state == "cancelled"
    assert take_back(store, "300", note="n5") == 0
    assert take_back(store, "10", order="unknown") == 0


def test_points_that_are_gone_cannot_be_taken_back_and_are_told(store: Store, programme: Programme) -> None:
    promise(store)
    loyalty.deliver(store=store, order_id="o1", delivered_at=NOW)
    sweep(NOW)
    loyalty.adjust(store=store, customer_id=ASHA, points=-70, reason="x", made_by="anna")
    assert take_back(store, "100") == 70
    assert state(account()) == (0, 0)


def test_a_store_without_a_programme_promises_nothing(store: Store) -> None:
    assert promise(store) is None
    assert not Account.objects.exists()
    with pytest.raises(NoLoyalty):
        loyalty.give_bonus(store=store, customer_id=ASHA, points=1, owner="b")


# --- by hand --------------------------------------------------------------------------------------------------------
def test_staff_correct_a_balance_but_not_below_what_is_free(store: Store, programme: Programme) -> None:
    points = points_account(store, 100)
    with transaction.atomic():
        ledger.hold(store_id=store.pk, account_id=points.pk, owner="o", amount=Decimal(60))
    with pytest.raises(InsufficientPoints):
        loyalty.adjust(store=store, customer_id=ASHA, points=-41, reason="Twice", made_by="anna")
    assert state(points) == (100, 60)
    entry = loyalty.adjust(store=store, customer_id=ASHA, points=-40, reason="Twice", made_by="anna")
    assert (entry.remarks, entry.made_by, state(points)) == ("Twice", "anna", (60, 60))
    assert loyalty.adjust(store=store, customer_id=ASHA, points=5, reason="Sorry", made_by="anna").amount == 5


def test_a_refund_in_points_is_given_once(store: Store, programme: Programme) -> None:
    for _time in range(2):
        loyalty.refund(store=store, customer_id=ASHA, points=20, refund_id="r1", reference="OD-1")
    assert kinds() == [("grant", 20)]


# --- tiers ----------------------------------------------------------------------------------------------------------
def test_members_rise_by_what_they_spend_and_get_a_bonus_once(store: Store, programme: Programme) -> None:
    promise(store, "o1", spent="999.99")
    assert tier() == "Silver"
    promise(store, "o2", spent="0.01")
    assert (tier(), kinds()) == ("Gold", [("tier-up", 50)])
    take_back(store, "0.01", "o2")
    assert (tier(), kinds()[-1]) == ("Silver", ("tier-down", 0))
    promise(store, "o3", spent="10")
    assert (tier(), state(account())[0]) == ("Gold", 50)  # rising again brings no second bonus
    promise(store, "o4", spent="5000")
    assert tier() == "Platinum"


def test_members_keep_their_tier_where_tiers_do_not_fall(store: Store) -> None:
    make_programme(store, tiers_fall=False)
    promise(store, spent="1000")
    take_back(store, "1000")
    assert tier() == "Gold"


def test_a_changed_programme_reaches_members(store: Store, programme: Programme) -> None:
    promise(store, spent="800")
    Tier.objects.filter(name="Gold").update(threshold=500)
    loyalty.programme_changed(store=store, now=NOW)
    loyalty.recalculate(store=store, customer_id=ASHA, now=NOW)
    assert tier() == "Gold"


# --- periods --------------------------------------------------------------------------------------------------------
def test_a_period_ends_with_a_new_tier_and_carries_points_on(store: Store) -> None:
    make_programme(store, reset_months=12, carry_percent=Decimal(25), expiry_days=500)
    promise(store, spent="1200")
    loyalty.give_bonus(store=store, customer_id=ASHA, points=351, owner="b")
    end = NOW.replace(year=2027)
    sweep(end - timedelta(seconds=1))
    assert Member.objects.get().resets_at == end
    for _time in range(2):
        sweep(end + DAY)
    member = Member.objects.get()
    assert (member.assigned_at, member.resets_at) == (end, NOW.replace(year=2028))
    assert (member.previous_spent, tier()) == (1200, "Gold")
    assert kinds() == [("tier-up", 50), ("bonus", 351), ("expire", -301), ("carry-out", -100), ("carry-in", 100)]
    assert Entry.objects.get(kind="carry-in").expires_at == end + 501 * DAY
    standing = selectors.standing(store_id=store.pk, customer_id=ASHA, now=end + DAY)
    assert (standing.total_orders, standing.total_spent, standing.lifetime_spent) == (0, 0, 1200)
    assert (standing.points_balance, standing.tier) == (100, "Gold")
    sweep(NOW.replace(year=2028))
    assert tier() == "Silver"  # nothing was spent in the second period


def test_what_is_held_outlives_a_period(store: Store) -> None:
    make_programme(store, reset_months=1, carry_percent=Decimal(0))
    points = points_account(store, 100)
    Member.objects.update(resets_at=NOW)
    with transaction.atomic():
        ledger.hold(store_id=store.pk, account_id=points.pk, owner="o", amount=Decimal(60))
    sweep(NOW)
    assert state(points) == (60, 60)
    ledger.confirm(store_id=store.pk, owner="o")
    assert state(points) == (0, 0)


def test_periods_begin_and_end_with_the_programme_s_wish(store: Store, programme: Programme) -> None:
    promise(store)
    assert Member.objects.get().resets_at is None
    for months, wanted in ((6, NOW.replace(month=9)), (None, None)):
        Programme.objects.update(reset_months=months)
        loyalty.programme_changed(store=store, now=NOW)
        assert Member.objects.get().resets_at == wanted


def test_a_paused_programme_leaves_members_as_they_are(store: Store) -> None:
    make_programme(store, reset_months=1, carry_percent=Decimal(0))
    points = points_account(store, 100)
    Member.objects.update(resets_at=NOW)
    Programme.objects.update(active=False)
    selectors.forget()
    sweep(NOW)
    assert state(points) == (100, 0)


@pytest.mark.parametrize(
    ("start", "months", "wanted"),
    [((2026, 1, 31), 1, (2026, 2, 28)), ((2028, 1, 30), 1, (2028, 2, 29)), ((2026, 11, 30), 3, (2027, 2, 28)),
     ((2026, 12, 5), 12, (2027, 12, 5)), ((2026, 8, 31), 1, (2026, 9, 30))],
)  # fmt: skip
def test_months_end_where_they_are_shorter(start: Any, months: int, wanted: Any) -> None:
    assert months_later(datetime(*start, tzinfo=UTC), months) == datetime(*wanted, tzinfo=UTC)


# --- sweep, events --------------------------------------------------------------------------------------------------
def test_one_failure_does_not_stop_the_sweep(store: Store, programme: Programme, monkeypatch: Any) -> None:
    promise(store, "o1")
    promise(store, "o2")
    for order in ("o1", "o2"):
        loyalty.deliver(store=store, order_id=order, delivered_at=NOW)
    real = loyalty.post

    def fails_once(**facts: Any) -> None:
        monkeypatch.setattr(loyalty, "post", real)
        raise RuntimeError

    monkeypatch.setattr(loyalty, "post", fails_once)
    sweep(NOW)
    assert state(account())[0] == 100
    sweep(NOW)
    assert state(account())[0] == 200


@pytest.mark.django_db(transaction=True)
def test_sweeps_at_once_do_everything_once(store: Store) -> None:
    make_programme(store, reset_months=1, carry_percent=Decimal(50), expiry_days=10)
    for number in range(5):
        promise(store, f"o{number}", points=10)
        loyalty.deliver(store=store, order_id=f"o{number}", delivered_at=NOW)
    Member.objects.update(resets_at=NOW + DAY)
    in_parallel(lambda _number: sweep(NOW + DAY), 6)
    assert state(account()) == (25, 0)
    in_parallel(lambda _number: sweep(NOW + 11 * DAY), 6)
    assert state(account()) == (0, 0)
    assert [kind for kind, _amount in kinds()] == ["earn"] * 5 + ["expire", "carry-out", "carry-in", "expire"]


@pytest.mark.django_db(transaction=True)
def test_joining_in_parallel_makes_one_member(store: Store) -> None:
    make_programme(store, signup_points=10)
    in_parallel(lambda _number: loyalty.welcome(store=store, customer_id=ASHA), 8)
    assert Member.objects.count() == Account.objects.count() == 1
    assert state(account()) == (10, 0)


def test_registering_without_a_bonus_joins_and_without_a_programme_does_nothing(store: Store) -> None:
    events.send("shopper.registered", store=store, user_id=ASHA, customer_id=ASHA)
    assert not Member.objects.exists()
    make_programme(store)
    events.send("shopper.registered", store=store, user_id=ASHA, customer_id=ASHA)
    assert Member.objects.get().membership_number
    assert not Entry.objects.exists()


def test_erasing_removes_remarks_and_leaves_every_sum(store: Store, programme: Programme) -> None:
    mine, other = points_account(store, 100), credit_account(store, "30", BELA, remarks="For Bela")
    credit.adjust(store=store, customer_id=ASHA, amount=Decimal(20), reason="Asha Rao called", made_by="anna")
    promise(store, spent="1000", now=timezone.now())
    events.send("shopper.erased", store=store, user_id=BELA, customer_id=ASHA)  # another user of that customer
    assert Entry.objects.filter(remarks="Asha Rao called").exists()
    events.send("shopper.erased", store=store, user_id=ASHA, customer_id=ASHA)
    assert "Asha" not in str(list(Entry.objects.values_list("remarks", flat=True)))
    assert Entry.objects.filter(remarks="Gold").exists() and Entry.objects.filter(remarks="For Bela").exists()
    assert state(mine)[0] == 150 and state(other)[0] == 30
    member = Member.objects.get()
    assert member.erased_at and member.resets_at is None


def test_the_export_tells_all_of_a_customer_and_of_nobody_else(store: Store, programme: Programme) -> None:
    points_account(store, 100)
    credit_account(store, "30", remarks="Sorry")
    credit_account(store, "40", BELA, remarks="For Bela")
    found = privacy.export(store=store, user_id=ASHA, customer_id=ASHA)["wallets"]
    assert (found["points"]["balance"], found["credit"]["balance"]) == (100.0, 30.0)
    assert found["credit"]["entries"][0]["remarks"] == "Sorry"
    assert found["membership_number"]
    assert "Bela" not in str(found)
    assert "wallets" not in privacy.export(store=store, user_id="x", customer_id="x")
    assert "wallets" not in privacy.export(store=store, user_id="x", customer_id=None)


def test_a_warm_process_asks_nothing_of_the_programme(
    store: Store, programme: Programme, django_assert_num_queries: Any
) -> None:
    selectors.rules(store.pk)
    with django_assert_num_queries(0):
        assert selectors.rules(store.pk) is not None
    selectors.forget()
    with django_assert_num_queries(2):
        selectors.rules(store.pk)
