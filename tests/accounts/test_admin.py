"""What staff see and do with accounts."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import otp
from accounts.models import OtpChallenge, SecurityEvent, Session, User
from tests.accounts.conftest import Enter, newest_challenge
from tests.conftest import Api
from tests.contract import assert_is_error

pytestmark = pytest.mark.django_db
MODELS = ("user", "session", "otpchallenge", "securityevent")


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", "anna@example.com", "x"))
    return client


def page(model: str, kind: str, *args: Any) -> str:
    return reverse(f"admin:storefront_accounts_{model}_{kind}", args=args)


@pytest.mark.parametrize("model", MODELS)
def test_a_list_asks_the_same_number_of_questions_whatever_its_length(model: str, staff: Client, enter: Enter) -> None:
    enter("one@example.com")

    def count() -> int:
        staff.get(page(model, "changelist"))
        with CaptureQueriesContext(connection) as captured:
            response = staff.get(page(model, "changelist"))
        assert response.status_code == 200
        return len(captured)

    few = count()
    for number in range(8):
        enter(f"more-{number}@example.com")
    assert count() == few


@pytest.mark.parametrize("model", MODELS)
def test_pages_show_neither_codes_nor_tokens_nor_hashes(model: str, staff: Client, shopper: Api) -> None:
    shopper.post("/auth/login/email", {"email": "asha@example.com"})
    code = otp._code(newest_challenge())
    rows = {"user": User, "session": Session, "otpchallenge": OtpChallenge, "securityevent": SecurityEvent}
    row = rows[model].objects.order_by("-created_at")[0]
    for address in (page(model, "changelist"), page(model, "change", row.pk)):
        response = staff.get(address)
        assert response.status_code == 200, address
        text = response.content.decode()
        assert code not in text and "eyJ" not in text
        for hidden in ("token_hash", "contact_hash", "jti_hash", "argon2"):
            assert hidden not in text
        assert newest_challenge().token_hash not in text
    listed = staff.get(page(model, "changelist")).content.decode()
    assert "asha@example.com" not in listed


@pytest.mark.parametrize("query", ["asha@", "3210", "Ash", "Rao"])
def test_a_user_is_found_by_what_staff_know(query: str, staff: Client, shopper: Api, enter: Enter) -> None:
    enter("other@example.com")
    User.objects.filter(pk=shopper.user_id).update(first_name="Asha", last_name="Rao", phone="+919876543210")
    text = staff.get(page("user", "changelist"), {"q": query}).content.decode()
    assert shopper.user_id in text and text.count("/change/") == 1


def test_staff_change_names_and_nothing_that_was_proved(staff: Client, shopper: Api) -> None:
    form = {
        "first_name": "Asha", "last_name": "", "host_user": "", "notification_preferences": "{}", "metadata": "{}",
        "email": "evil@example.com", "is_phone_verified": "on", "password": "x", "is_primary": "",
    }  # fmt: skip
    response = staff.post(page("user", "change", shopper.user_id), form)
    assert response.status_code == 302, response.content
    row = User.objects.get()
    assert row.first_name == "Asha" and row.email == "asha@example.com" and row.is_primary and row.password == ""


def test_actions_ask_first_and_act_on_post(staff: Client, enter: Enter, shopper: Api) -> None:
    def do(name: str) -> Any:
        address = reverse(f"admin:storefront_accounts_user_{name}", args=[shopper.user_id])
        before = User.objects.values().get()
        assert staff.get(address).status_code == 200
        assert User.objects.values().get() == before
        return staff.post(address)

    assert do("end_sessions").status_code == 302
    assert_is_error(shopper.get(f"/auth/user/{shopper.user_id}"), 401)
    enter("asha@example.com", api=shopper.take(_visitor(shopper)))
    assert do("deactivate").status_code == 302
    assert_is_error(shopper.get(f"/auth/user/{shopper.user_id}"), 401)
    assert do("reactivate").status_code == 302
    assert User.objects.get().live
    assert do("erase").status_code == 302
    assert User.objects.get().email == ""
    kinds = set(SecurityEvent.objects.values_list("kind", flat=True))
    assert kinds >= {"sessions_ended", "deactivated", "reactivated", "erased"}
    assert staff.get(page("user", "change", shopper.user_id)).status_code == 200


def _visitor(api: Api) -> Any:
    return api.request("POST", "/auth/anonymous", X_Api_Key=api.key, Authorization="")


def test_one_session_or_several_can_be_ended(staff: Client, enter: Enter) -> None:
    apis = [enter("asha@example.com") for _number in range(3)]
    sessions = list(Session.objects.order_by("created_at", "pk"))
    address = reverse("admin:storefront_accounts_session_end", args=[sessions[0].pk])
    assert staff.get(address).status_code == 200 and staff.post(address).status_code == 302
    form = {"action": "end_selected", "_selected_action": [sessions[1].pk], "confirmed": "1"}
    assert staff.post(page("session", "changelist"), form).status_code == 302
    alive = [api.get(f"/auth/user/{api.user_id}").status_code for api in apis]
    assert sorted(alive) == [200, 401, 401]
    assert Session.objects.filter(end_reason="staff").count() == 2


def test_looking_is_not_acting(shopper: Api) -> None:
    hugo = get_user_model().objects.create_user("hugo", password="x", is_staff=True)
    hugo.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "view_session"]))
    client = Client()
    client.force_login(hugo)
    assert client.get(page("user", "change", shopper.user_id)).status_code == 200
    for name in ("end_sessions", "deactivate", "reactivate", "erase"):
        address = reverse(f"admin:storefront_accounts_user_{name}", args=[shopper.user_id])
        assert client.post(address).status_code == 403, name
    session = Session.objects.get()
    assert client.post(reverse("admin:storefront_accounts_session_end", args=[session.pk])).status_code == 403
    session.refresh_from_db()
    assert session.ended_at is None and User.objects.get().live


@pytest.mark.parametrize("model", ["session", "otpchallenge", "securityevent"])
def test_the_log_cannot_be_edited(model: str, staff: Client, shopper: Api) -> None:
    rows = {"session": Session, "otpchallenge": OtpChallenge, "securityevent": SecurityEvent}
    row = rows[model].objects.all()[0]
    before = rows[model].objects.values().filter(pk=row.pk).get()
    assert staff.post(page(model, "change", row.pk), {"kind": "x"}).status_code == 403
    assert staff.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert rows[model].objects.values().filter(pk=row.pk).get() == before
