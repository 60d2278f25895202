"""GET /customers/{id}/loyalty and /loyalty-points-activity."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from storefront.models import Store
from tests.api import shoppers
from tests.conftest import Api
from tests.contract import assert_component, assert_is_error, assert_matches
from tests.wallets.conftest import make_programme
from wallets.models import Entry, Member, Programme
from wallets.services import ledger, loyalty

pytestmark = pytest.mark.django_db


@pytest.fixture
def shopper(store: Store, configure: Any) -> Api:
    configure(OTP_DEBUG=True)
    return shoppers.registered(store, "asha@example.com")


def loyalty_of(api: Api, customer_id: str = "") -> dict[str, Any]:
    response = api.get(f"/customers/{customer_id or api.user_id}/loyalty")
    content = assert_matches("get-loyalty-details", response)
    assert set(content) == {"loyalty"}
    assert_component("CustomerLoyalty", content["loyalty"])
    assert len(content["loyalty"]) == 13
    return dict(content["loyalty"])


def activity_of(api: Api, query: str = "") -> list[dict[str, Any]]:
    response = api.get(f"/customers/{api.user_id}/loyalty-points-activity{query}")
    rows = assert_matches("list-loyalty-activities", response)["loyalty_points_activity"]
    for row in rows:
        assert_component("LoyaltyPointActivity", row)
        assert len(row) == 8
    return list(rows)


def test_who_has_not_joined_reads_zeros(store: Store, shopper: Api) -> None:
    make_programme(store)
    found = loyalty_of(shopper)
    assert (found["membership_number"], found["current_tier"], found["date_of_reset"]) == ("", "Silver", None)
    assert found["date_of_join"]
    numbers = [name for name in found if name.startswith(("points", "total", "lifetime"))]
    assert len(numbers) == 8 and not any(found[name] for name in numbers)
    assert activity_of(shopper) == []
    assert not Member.objects.exists()


def test_a_member_s_account_and_ledger(store: Store, shopper: Api) -> None:
    make_programme(store, reset_months=12)
    now = timezone.now()
    who = {"store": store, "customer_id": shopper.user_id}
    loyalty.promise(
        **who, order_id="o1", reference="OD-1", points=1200, spent=Decimal("1200.5"), savings=Decimal(80), now=now
    )
    loyalty.deliver(store=store, order_id="o1", delivered_at=now)
    from wallets.services import housekeeping

    housekeeping.sweep(now=now, batch=100)
    loyalty.adjust(**who, points=-100, reason="Counted twice", made_by="anna")
    found = loyalty_of(shopper)
    assert found["membership_number"].isdigit() and found["date_of_reset"]
    assert (found["current_tier"], found["points_balance"], found["points_earned"]) == ("Gold", 1150, 1250)
    assert (found["total_orders"], found["lifetime_orders"]) == (1, 1)
    assert (found["total_spent"], found["lifetime_spent"], found["lifetime_savings"]) == (1200.5, 1200.5, 80.0)
    rows = activity_of(shopper)
    assert [(row["action"], row["activity"], row["loyalty_points"]) for row in rows] == [
        ("remove", "other", 100),
        ("add", "order-placed", 1200),
        ("add", "tier-upgrade", 50),
    ]
    assert (rows[1]["reference_number"], rows[1]["remarks"]) == ("OD-1", None)
    assert (rows[0]["reference_number"], rows[0]["remarks"]) == (None, "Counted twice")


def test_points_that_were_used_are_told(store: Store, shopper: Api) -> None:
    from django.db import transaction

    make_programme(store)
    loyalty.give_bonus(store=store, customer_id=shopper.user_id, points=500, owner="b")
    account = ledger.open_account(store_id=store.pk, kind="points", customer_id=shopper.user_id)
    with transaction.atomic():
        ledger.hold(store_id=store.pk, account_id=account.pk, owner="o", amount=Decimal(200))
    assert loyalty_of(shopper)["points_redeemed"] == 0
    ledger.confirm(store_id=store.pk, owner="o")
    found = loyalty_of(shopper)
    assert (found["points_redeemed"], found["points_balance"], found["points_earned"]) == (200, 300, 500)
    assert [row["activity"] for row in activity_of(shopper)] == ["order-placed", "bonus"]


def test_every_kind_of_entry_has_words_and_an_activity(store: Store, shopper: Api, programme: Programme) -> None:
    member = loyalty.join(store=store, customer_id=shopper.user_id, now=timezone.now())
    for number, kind in enumerate(Entry.Kind.values):
        Entry.objects.create(store=store, account_id=member.pk, kind=kind, owner=str(number), amount=-number)
    rows = activity_of(shopper)
    assert len(rows) == len(Entry.Kind.values)
    assert all(row["title"] for row in rows)


def test_pages_and_sorting(store: Store, shopper: Api, programme: Programme) -> None:
    for number in (3, 1, 2):
        loyalty.give_bonus(store=store, customer_id=shopper.user_id, points=number, owner=str(number))
    start = timezone.now()
    for place, entry in enumerate(Entry.objects.order_by("pk")):
        Entry.objects.filter(pk=entry.pk).update(created_at=start + timedelta(seconds=place))

    def points(query: str) -> list[int]:
        return [row["loyalty_points"] for row in activity_of(shopper, query)]

    assert points("") == [2, 1, 3]
    assert points("?limit=2") == [2, 1]
    assert points("?limit=2&page=2") == [3]
    assert points("?limit=2&page=3") == []
    assert points('?sort_by={"created_at":"asc"}') == [3, 1, 2]
    assert points('?sort_by={"loyalty_points":"asc"}') == [1, 2, 3]
    assert points('?sort_by={"loyalty_points":"desc"}') == [3, 2, 1]
    for query in ("?limit=0", "?limit=101", "?page=0", "?page=x", "?sort_by=points", '?sort_by={"title":"asc"}'):
        response = shopper.get(f"/customers/{shopper.user_id}/loyalty-points-activity{query}")
        assert_is_error(response, 400, "validation_error")


@pytest.mark.parametrize("route", ["loyalty", "loyalty-points-activity"])
def test_nobody_reads_another_s(store: Store, shopper: Api, programme: Programme, route: str) -> None:
    other = shoppers.registered(store, "bela@example.com")
    foreign = other.get(f"/customers/{shopper.user_id}/{route}")
    unknown = other.get(f"/customers/01ARZ3NDEKTSV4RRFFQ69G5FAV/{route}")
    assert_is_error(foreign, 404, "not_found")
    assert foreign.content == unknown.content
    assert_is_error(shoppers.visitor(store).get(f"/customers/{shopper.user_id}/{route}"), 401, "login_required")


def test_a_further_user_reads_the_customer_s_by_either_id(store: Store, shopper: Api, programme: Programme) -> None:
    from accounts.models import User

    loyalty.give_bonus(store=store, customer_id=shopper.user_id, points=70, owner="b")
    second = shoppers.registered(store, "bela@example.com")
    User.objects.filter(pk=second.user_id).update(customer_id=shopper.user_id, is_primary=False)
    second.take(second.post("/auth/refresh-token", {"refresh_token": second.refresh_token}))
    assert loyalty_of(second, shopper.user_id)["points_balance"] == 70
    assert loyalty_of(second, second.user_id)["points_balance"] == 70


@pytest.mark.parametrize("route", ["loyalty", "loyalty-points-activity"])
def test_a_store_without_a_programme_answers_404(store: Store, shopper: Api, route: str) -> None:
    assert_is_error(shopper.get(f"/customers/{shopper.user_id}/{route}"), 404, "not_found")
    make_programme(store, active=False)
    assert_is_error(shopper.get(f"/customers/{shopper.user_id}/{route}"), 404, "not_found")


def test_statements_do_not_grow_with_the_ledger(store: Store, shopper: Api, programme: Programme) -> None:
    def count(route: str) -> int:
        shopper.get(f"/customers/{shopper.user_id}/{route}")
        with CaptureQueriesContext(connection) as captured:
            assert shopper.get(f"/customers/{shopper.user_id}/{route}").status_code == 200
        return len(captured)

    loyalty.give_bonus(store=store, customer_id=shopper.user_id, points=1, owner="first")
    few = [count("loyalty"), count("loyalty-points-activity")]
    for number in range(30):
        loyalty.give_bonus(store=store, customer_id=shopper.user_id, points=1, owner=str(number))
    assert [count("loyalty"), count("loyalty-points-activity")] == few == [3, 1]


def test_registering_brings_the_welcome_bonus_once(store: Store, configure: Any) -> None:
    from storefront import events

    configure(OTP_DEBUG=True)
    make_programme(store, signup_points=75)
    api = shoppers.registered(store, "asha@example.com")
    events.send("shopper.registered", store=store, user_id=api.user_id, customer_id=api.user_id)
    assert loyalty_of(api)["points_balance"] == 75
    assert [row["activity"] for row in activity_of(api)] == ["signup"]
