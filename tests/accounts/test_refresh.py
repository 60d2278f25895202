"""Keeping a login: rotation, its grace, reuse, and the end of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts import selectors
from accounts.models import RefreshToken, SecurityEvent, Session
from tests.accounts.conftest import Enter
from tests.accounts.test_visitors import claims
from tests.conftest import Api
from tests.contract import assert_is_error, assert_matches

pytestmark = pytest.mark.django_db


def refresh(api: Api, token: str | None = None) -> Any:
    """As the published client does it: neither key nor bearer."""
    return api.request("POST", "/auth/refresh-token", {"refresh_token": token or api.refresh_token}, Authorization="")


def test_a_login_rotates_and_both_tokens_change(shopper: Api) -> None:
    content = assert_matches("refresh-token", refresh(shopper))
    assert content["refresh_token"] != shopper.refresh_token and content["access_token"] != shopper.token
    before, after = claims(shopper.token), claims(content["access_token"])
    same = ("ulid", "sid", "customer_id", "customer_group_id", "anonymous_id", "channel", "email", "is_logged_in")
    assert all(before[name] == after[name] for name in same)
    assert after["is_logged_in"] is True and after["customer_id"]


def test_a_visitor_rotates_without_a_row(visitor: Api) -> None:
    content = assert_matches("refresh-token", refresh(visitor))
    assert claims(content["access_token"])["ulid"] == visitor.user_id
    assert not Session.objects.exists() and not RefreshToken.objects.exists()
    assert refresh(visitor).status_code == 200  # stateless: nothing to use up


def test_parallel_tabs_get_the_same_successor_within_the_grace(shopper: Api) -> None:
    first = assert_matches("refresh-token", refresh(shopper))
    with time_machine.travel(timezone.now() + timedelta(seconds=29)):
        second = assert_matches("refresh-token", refresh(shopper))
    assert first["refresh_token"] == second["refresh_token"]
    assert RefreshToken.objects.filter(used_at=None).count() == 1
    assert not SecurityEvent.objects.filter(kind="token_reused").exists()


def test_a_used_token_after_the_grace_ends_the_whole_session(shopper: Api) -> None:
    first = shopper.refresh_token
    successor = assert_matches("refresh-token", refresh(shopper))
    with time_machine.travel(timezone.now() + timedelta(seconds=40)):
        assert_is_error(refresh(shopper, first), 400, "refresh_token_reused", "refresh_token")
        assert_is_error(refresh(shopper, successor["refresh_token"]), 400, "session_ended")
        assert_is_error(refresh(shopper, first), 400, "session_ended")
        for token in (shopper.token, successor["access_token"]):
            shopper.token = token
            assert_is_error(shopper.get(f"/auth/user/{shopper.user_id}"), 401, "unauthorized")
    session = Session.objects.get()
    assert session.end_reason == "reuse" and session.ended_at is not None
    event = SecurityEvent.objects.get(kind="token_reused")
    assert event.session_id == session.pk and event.user_id == shopper.user_id


def test_other_sessions_of_the_account_survive_a_theft(enter: Enter) -> None:
    stolen, safe = enter("asha@example.com"), enter("asha@example.com")
    assert refresh(stolen).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        assert_is_error(refresh(stolen), 400, "refresh_token_reused")
        assert refresh(safe).status_code == 200
        assert safe.get(f"/auth/user/{safe.user_id}").status_code == 200


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("", "validation_error"),
        ("nonsense", "invalid_refresh_token"),
        ("a.b.c", "invalid_refresh_token"),
        ("é" * 20, "invalid_refresh_token"),
        ("x" * 5000, "invalid_refresh_token"),
        ("x" * 9000, "validation_error"),
        (12, "invalid_refresh_token"),
        (None, "validation_error"),
        ([], "validation_error"),
    ],
)
def test_nonsense_is_400_and_names_the_field(api: Api, token: Any, code: str) -> None:
    assert_is_error(api.post("/auth/refresh-token", {"refresh_token": token}), 400, code, "refresh_token")


def test_an_access_token_is_no_refresh_token_and_the_other_way_round(shopper: Api, visitor: Api) -> None:
    for api in (shopper, visitor):
        assert_is_error(refresh(api, api.token), 400, "invalid_refresh_token")
        api.token = api.refresh_token
        assert_is_error(api.post("/auth/logout"), 401, "unauthorized")


def test_a_token_of_another_store_is_worth_nothing(shopper: Api, other_store: Any, new_api: Any) -> None:
    assert_is_error(refresh(new_api(other_store), shopper.refresh_token), 400, "invalid_refresh_token")
    assert refresh(shopper).status_code == 200


def test_two_idle_weeks_end_a_login_and_its_token_says_so(shopper: Api) -> None:
    token = claims(shopper.refresh_token)
    assert token["exp"] - token["iat"] == 14 * 86_400
    with time_machine.travel(timezone.now() + timedelta(days=14, seconds=30)):
        assert_is_error(refresh(shopper), 400, "refresh_token_expired")


def test_a_login_ends_after_thirty_days_however_busy(shopper: Api) -> None:
    start = timezone.now()
    for day in (10, 20, 29):
        with time_machine.travel(start + timedelta(days=day)):
            shopper.take(refresh(shopper))
    assert claims(shopper.refresh_token)["exp"] <= (start + timedelta(days=30)).timestamp() + 1
    with time_machine.travel(start + timedelta(days=30, minutes=1)):
        assert_is_error(refresh(shopper), 400, "refresh_token_expired")


def test_the_number_of_statements_is_constant(shopper: Api, visitor: Api, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        visitor.take(refresh(visitor))
    shopper.take(refresh(shopper))
    with django_assert_num_queries(7):  # five, and the transaction's savepoint in a test
        shopper.take(refresh(shopper))


def test_a_login_is_looked_up_once_and_then_believed_for_a_moment(shopper: Api, django_assert_num_queries: Any) -> None:
    selectors.forget()
    body = {"phone": [], "email": []}
    with django_assert_num_queries(2):
        shopper.post("/auth/verified-email-phone", body)
    with django_assert_num_queries(1):
        shopper.post("/auth/verified-email-phone", body)


def test_a_signing_key_may_change_between_tabs(shopper: Api, configure: Any) -> None:
    first = assert_matches("refresh-token", refresh(shopper))
    configure(
        TOKEN_KEYS=("new", "only-for-tests-0123456789abcdefghijklmnopqrstuvwxyz"),
        SECRET_KEYS=("new too", "only-for-tests-0123456789abcdefghijklmnopqrstuvwxyz"),
    )
    second = assert_matches("refresh-token", refresh(shopper))
    assert claims(first["refresh_token"])["jti"] == claims(second["refresh_token"])["jti"]
    assert refresh(shopper, second["refresh_token"]).status_code == 200


def test_the_brake_counts_refreshes_by_network(visitor: Api, configure: Any) -> None:
    configure(LIMITS_ENABLED=True, LIMITS={"refresh": "2/60"})
    assert [refresh(visitor).status_code for _number in range(3)] == [200, 200, 429]
