"""Logging in and registering by code, over every channel."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import OtpChallenge, SecurityEvent, Session, User
from customers.models import Customer
from messaging.models import Message
from storefront import events
from storefront.models import Store
from tests.accounts.conftest import Enter, answer, last_code, named, newest_challenge, wrong
from tests.accounts.test_visitors import claims
from tests.conftest import Api
from tests.contract import assert_component, assert_is_error, assert_matches

pytestmark = pytest.mark.django_db

PHONE = {"phone": "9876543210"}
EMAIL = {"email": "Asha@Example.com "}
CHANNELS = [
    ("email", EMAIL, "email", "asha@example.com"),
    ("phone", PHONE, "sms", "+919876543210"),
    ("whatsapp", PHONE, "whatsapp", "+919876543210"),
]


@pytest.mark.parametrize(("route", "body", "channel", "contact"), CHANNELS)
def test_an_unknown_contact_registers_at_verification(
    route: str, body: dict[str, str], channel: str, contact: str, visitor: Api, heard: Any
) -> None:
    asked = visitor.post(f"/auth/login/{route}", body | {"register_if_not_exists": True})
    content = assert_matches(f"login-with-{route}", asked)
    assert content["otp_action"] == "register" and set(content) == {"otp_token", "otp_action"}
    assert not User.objects.exists() and not Customer.objects.exists()
    message = Message.objects.get()
    assert (message.to, message.channel, message.template) == (contact, channel, "otp_register")
    user_id = visitor.user_id
    verified = answer(visitor, asked)
    content = assert_matches("verify-otp", verified)
    user = content["user"]
    assert user["id"] == user_id == user["customer_id"]
    assert user["is_logged_in"] and not user["is_anonymous"] and user["first_name"] is None
    assert user["login_methods"] == [route]
    assert user["is_email_verified"] is (route == "email") and user["is_phone_verified"] is (route != "email")
    shown = claims(content["access_token"])
    assert shown["customer_id"] == user_id and shown["is_logged_in"] and shown["anonymous_id"] == user_id
    assert shown["customer_group_id"] == user["customer_group"]["id"]
    assert [payload["user_id"] for payload in named(heard, "shopper.registered")] == [user_id]
    assert not named(heard, "shopper.merged")
    assert Customer.objects.get().pk == user_id


def test_a_known_contact_logs_in_and_the_visitors_things_follow(
    enter: Enter, visitor: Api, heard: Any, store: Store
) -> None:
    account = enter("asha@example.com")
    asked = visitor.post("/auth/login/email", {"email": "ASHA@example.com"})
    assert assert_matches("login-with-email", asked)["otp_action"] == "login"
    visitor_id = visitor.user_id
    content = assert_matches("verify-otp", answer(visitor, asked))
    assert content["user"]["id"] == account.user_id
    assert claims(content["access_token"])["anonymous_id"] == visitor_id
    (merged,) = named(heard, "shopper.merged")
    assert merged == {
        "store": store,
        "from_user_id": visitor_id,
        "to_user_id": account.user_id,
        "strategy": "merge",
    }
    assert User.objects.count() == 1


def test_the_same_phone_is_one_account_by_sms_and_whatsapp(enter: Enter, visitor: Api) -> None:
    account = enter(phone="9876543210")
    asked = visitor.post("/auth/login/whatsapp", {"phone": "09876 543210"})
    assert asked.json()["content"]["otp_action"] == "login"
    content = assert_matches("verify-otp", answer(visitor, asked))
    assert content["user"]["id"] == account.user_id
    assert content["user"]["login_methods"] == ["phone", "whatsapp"]


def test_an_unknown_contact_is_told_by_message_and_cannot_get_in(visitor: Api) -> None:
    asked = visitor.post("/auth/login/phone", PHONE)
    assert assert_matches("login-with-phone", asked)["otp_action"] == "login"
    message = Message.objects.get()
    assert message.template == "no_account" and message.secret_ref == ""
    from accounts import otp

    challenge = newest_challenge()
    assert_is_error(answer(visitor, asked, code=otp._code(challenge)), 400, "invalid_otp", "otp")
    assert not User.objects.exists()


def test_a_store_may_reveal_that_a_contact_is_unknown(visitor: Api, store: Store) -> None:
    Store.objects.filter(pk=store.pk).update(reveal_unregistered_contacts=True)
    from storefront import selectors

    selectors.forget()
    assert_is_error(visitor.post("/auth/login/email", EMAIL), 404, "contact_not_registered")
    assert_is_error(visitor.post("/auth/forgot-password", EMAIL), 404, "contact_not_registered")
    password = EMAIL | {"password": "whatever it is"}
    assert_is_error(visitor.post("/auth/login/password", password), 404, "contact_not_registered")
    assert not Message.objects.exists()
    assert visitor.post("/auth/login/email", EMAIL | {"register_if_not_exists": True}).status_code == 200


@pytest.mark.parametrize(("route", "body", "channel", "contact"), CHANNELS)
def test_registering_answers_both_generations(
    route: str, body: dict[str, str], channel: str, contact: str, visitor: Api
) -> None:
    other = {"phone": "9000000001"} if route == "email" else {"email": "second@example.com"}
    asked = visitor.post(f"/auth/register/{route}", body | other | {"first_name": "Asha", "last_name": "Rao"})
    content = assert_matches(f"register-with-{route}", asked)
    assert content["otp_action"] == "register" and content["otp_token"]
    assert_component("User", content["user"])
    user, shown = content["user"], claims(content["access_token"])
    assert user["id"] == visitor.user_id == shown["ulid"]
    assert (user["first_name"], user["last_name"]) == ("Asha", "Rao") == (shown["first_name"], shown["last_name"])
    for said in (user, shown):
        assert said["is_logged_in"] is False and said["is_anonymous"] is True
    assert not user["is_email_verified"] and not user["is_phone_verified"] and not shown["customer_id"]
    assert not User.objects.exists()
    lesser = Api(visitor.store, visitor.key)
    lesser.token, lesser.refresh_token = content["access_token"], content["refresh_token"]
    assert_is_error(lesser.get(f"/auth/user/{user['id']}"), 401, "login_required")
    assert claims(lesser.post("/auth/logout").json()["content"]["access_token"])["ulid"] == user["id"]

    content = assert_matches("verify-otp", answer(visitor, asked))
    row = User.objects.get()
    assert content["user"]["first_name"] == "Asha" and row.last_name == "Rao"
    assert {row.email, row.phone} == {contact, *([other["email"]] if "email" in other else ["+919000000001"])}
    assert (row.is_email_verified, row.is_phone_verified) == (route == "email", route != "email")


def test_registering_a_contact_that_has_an_account_opens_it_unchanged(enter: Enter, visitor: Api, heard: Any) -> None:
    account = enter("asha@example.com")
    account.put(f"/auth/user/{account.user_id}", {"first_name": "Asha"})
    asked = visitor.post("/auth/register/email", EMAIL | {"first_name": "Mallory"})
    assert asked.json()["content"]["otp_action"] == "register"
    content = assert_matches("verify-otp", answer(visitor, asked))
    assert content["user"]["id"] == account.user_id and content["user"]["first_name"] == "Asha"
    assert len(named(heard, "shopper.merged")) == 1 and len(named(heard, "shopper.registered")) == 1


@pytest.mark.parametrize("contact", [EMAIL, PHONE])
def test_registering_with_a_password(contact: dict[str, str], visitor: Api) -> None:
    passwords = {"password": "correct horse 9", "confirm_password": "correct horse 9"}
    asked = visitor.post("/auth/register/password", contact | passwords)
    content = assert_matches("register-with-password", asked)
    assert content["otp_action"] == "register"
    assert_is_error(visitor.post("/auth/login/password", contact | passwords), 401, "invalid_credentials")
    content = assert_matches("verify-otp", answer(visitor, asked))
    assert "password" in content["user"]["login_methods"]
    assert User.objects.get().password.startswith("argon2$")
    again = assert_matches("login-with-password", visitor.post("/auth/login/password", contact | passwords))
    assert again["user"]["id"] == content["user"]["id"]


def test_a_registered_id_is_never_handed_out_twice(visitor: Api, enter: Enter, heard: Any) -> None:
    """Two tabs with one visitor's token register two contacts: the second account has an id of its own."""
    first = visitor.token
    enter("one@example.com", api=visitor)
    one = visitor.user_id
    visitor.token = first
    two = enter("two@example.com", api=visitor).user_id
    assert one != two and User.objects.count() == 2
    assert not named(heard, "shopper.merged")


def test_a_logged_out_shopper_registering_anew_gets_a_new_id(shopper: Api, enter: Enter, heard: Any) -> None:
    old = shopper.user_id
    shopper.take(shopper.post("/auth/logout"))
    assert enter("new@example.com", api=shopper).user_id != old
    assert not named(heard, "shopper.merged")


def test_every_login_is_a_session_of_its_own(enter: Enter) -> None:
    here, elsewhere = enter("asha@example.com"), enter("asha@example.com")
    old = here.token
    enter("asha@example.com", api=here)
    assert Session.objects.filter(ended_at=None).count() == 3
    here.post("/auth/logout")
    assert elsewhere.get(f"/auth/user/{here.user_id}").status_code == 200
    here.token = old
    assert here.get(f"/auth/user/{here.user_id}").status_code == 200


def test_a_verification_that_fails_half_way_leaves_no_trace(visitor: Api, heard: Any) -> None:
    def refuse(**_payload: Any) -> None:
        raise ZeroDivisionError

    asked = visitor.post("/auth/login/email", EMAIL | {"register_if_not_exists": True})
    events.on("shopper.logged_in", refuse)
    try:
        assert_status = answer(visitor, asked).status_code
    finally:
        events._listeners["shopper.logged_in"].remove(refuse)
    assert assert_status == 500
    assert not User.objects.exists() and not Session.objects.exists() and not Customer.objects.exists()
    assert answer(visitor, asked).status_code == 200  # the code is still good


# --- codes ------------------------------------------------------------------------------------------------------------
def test_five_wrong_codes_end_the_challenge_and_the_right_one_is_refused(visitor: Api) -> None:
    asked = visitor.post("/auth/login/email", EMAIL | {"register_if_not_exists": True})
    code = last_code()
    for _number in range(5):
        assert_is_error(answer(visitor, asked, code=wrong(code)), 400, "invalid_otp", "otp")
    assert_is_error(answer(visitor, asked, code=code), 400, "otp_expired", "otp")
    assert not User.objects.exists()
    assert newest_challenge().tries == 5


def test_a_code_is_used_once(visitor: Api) -> None:
    asked = visitor.post("/auth/login/email", EMAIL | {"register_if_not_exists": True})
    code = last_code()
    assert answer(visitor, asked, code=code).status_code == 200
    assert_is_error(answer(visitor, asked, code=code), 400, "otp_expired", "otp")
    challenge = newest_challenge()
    assert challenge.contact == "" and challenge.pending == {}
    assert SecurityEvent.objects.filter(kind="login").count() == 1


def test_a_code_ends_after_five_minutes(visitor: Api) -> None:
    asked = visitor.post("/auth/login/email", EMAIL | {"register_if_not_exists": True})
    code = last_code()
    with time_machine.travel(timezone.now() + timedelta(seconds=301)):
        assert_is_error(answer(visitor, asked, code=code), 400, "otp_expired", "otp")


def test_a_new_code_voids_the_older_one_of_its_topic_only(visitor: Api, enter: Enter) -> None:
    enter("asha@example.com")
    reset = visitor.post("/auth/forgot-password", EMAIL)
    first = visitor.post("/auth/login/email", EMAIL)
    first_code = last_code()
    second = visitor.post("/auth/register/email", EMAIL | {"first_name": "A"})
    second_code = last_code()
    assert_is_error(answer(visitor, first, code=first_code), 400, "otp_expired")
    assert_is_error(answer(visitor, second, code=wrong(second_code)), 400, "invalid_otp")
    assert answer(visitor, second, code=second_code).status_code == 200
    assert OtpChallenge.objects.filter(action="reset-password", voided_at=None).count() == 1
    assert reset.status_code == 200


@pytest.mark.parametrize("action", ["reset-password", "verify-email", "update-email"])
def test_a_login_code_does_nothing_else(visitor: Api, enter: Enter, action: str) -> None:
    account = enter("asha@example.com")
    asked = visitor.post("/auth/login/email", EMAIL)
    code = last_code()
    visitor.token = account.token
    assert_is_error(answer(visitor, asked, code=code, action=action), 400, "invalid_otp")
    reset = {"otp": code, "otp_token": asked.json()["content"]["otp_token"]}
    passwords = {"new_password": "a new one 99", "confirm_password": "a new one 99"}
    assert_is_error(visitor.post("/auth/reset-password", reset | passwords), 400, "invalid_otp")
    assert User.objects.get().password == ""


@pytest.mark.parametrize(("issued", "answered"), [("login", "register"), ("register", "login")])
def test_login_and_register_answer_for_each_other(visitor: Api, enter: Enter, issued: str, answered: str) -> None:
    if issued == "login":
        enter("asha@example.com")
    asked = visitor.post("/auth/login/email", EMAIL | {"register_if_not_exists": True})
    assert asked.json()["content"]["otp_action"] == issued
    assert answer(visitor, asked, action=answered).status_code == 200


def test_a_challenge_of_another_store_does_not_exist(visitor: Api, other_store: Store, new_api: Any) -> None:
    asked = visitor.post("/auth/login/email", EMAIL | {"register_if_not_exists": True})
    code = last_code()
    assert_is_error(answer(new_api(other_store).become_visitor(), asked, code=code), 400, "invalid_otp")
    assert newest_challenge().tries == 0
    assert answer(visitor, asked, code=code).status_code == 200


@pytest.mark.parametrize("otp", ["", " ", None, [], {}, "12345678901234", True, "\u200f123456", "١٢٣٤٥٦", "é" * 6])
def test_strange_codes_are_400(visitor: Api, otp: Any) -> None:
    asked = visitor.post("/auth/login/email", EMAIL | {"register_if_not_exists": True}).json()["content"]
    assert_is_error(visitor.post("/auth/verify-otp", asked | {"otp": otp}), 400, field="otp")


def test_the_debug_code_needs_header_setting_and_store(visitor: Api, store: Store, configure: Any) -> None:
    def ask(**headers: str) -> dict[str, Any]:
        response = visitor.post("/auth/login/email", EMAIL | {"register_if_not_exists": True}, **headers)
        assert response.status_code == 200
        return dict(response.json()["content"])

    assert "otp" not in ask(X_Debug_Mode="true")
    configure(OTP_DEBUG=True)
    assert "otp" not in ask() and "otp" not in ask(X_Debug_Mode="false")
    assert ask(X_Debug_Mode="true")["otp"] == last_code()
    Store.objects.filter(pk=store.pk).update(debug_mode=False)
    from storefront import selectors

    selectors.forget()
    assert "otp" not in ask(X_Debug_Mode="true")


# --- inputs -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("route", "body", "field"),
    [
        ("login/email", {}, "email"),
        ("login/email", {"email": "not an address"}, "email"),
        ("login/email", {"email": "a@" + "x" * 300 + ".com"}, "email"),
        ("login/phone", {}, "phone"),
        ("login/phone", {"phone": "12"}, "phone"),
        ("login/phone", {"phone": "abc"}, "phone"),
        ("login/phone", {"phone": "9876543210", "country_code": "+1"}, "country_code"),
        ("login/phone", {"phone": "+14155550100"}, "country_code"),
        ("login/whatsapp", {"phone": None}, "phone"),
        ("login/email", {"email": "a@example.com", "register_if_not_exists": "perhaps"}, "register_if_not_exists"),
        ("login/password", {"email": "a@example.com"}, "password"),
        ("login/password", {"password": "x"}, "email"),
        ("register/phone", {"phone": "9876543210"}, "first_name"),
        ("register/phone", {"phone": "9876543210", "first_name": " "}, "first_name"),
        ("register/phone", {"phone": "9876543210", "first_name": "x" * 81}, "first_name"),
        ("register/phone", {"phone": "9876543210", "first_name": "A", "email": "x"}, "email"),
        ("register/email", {"email": "a@example.com", "first_name": "A", "phone": "1"}, "phone"),
        ("register/password", {"password": "x", "confirm_password": "x"}, "email"),
        ("register/password", {"email": "a@example.com", "password": "x", "confirm_password": "y"}, "confirm_password"),
        ("verify-otp", {"otp": "1", "otp_token": "x", "otp_action": "fly"}, "otp_action"),
        ("generate-otp", {"channel": "pigeon", "otp_action": "register"}, "channel"),
        ("generate-otp", {"channel": "sms", "email": "a@example.com", "otp_action": "register"}, "phone"),
        ("generate-otp", {"channel": "email", "email": "a@example.com", "otp_action": "verify-phone"}, "otp_action"),
        ("forgot-password", {}, "phone"),
    ],
)
def test_bad_input_names_the_field_and_sends_nothing(
    visitor: Api, route: str, body: dict[str, Any], field: str
) -> None:
    assert_is_error(visitor.post(f"/auth/{route}", body), 400, field=field)
    assert not Message.objects.exists() and not OtpChallenge.objects.exists()


@pytest.mark.parametrize("route", ["login/email", "register/email", "verify-otp", "generate-otp", "forgot-password"])
def test_asking_for_a_code_takes_a_token(api: Api, route: str) -> None:
    assert_is_error(api.post(f"/auth/{route}", EMAIL, X_Api_Key=api.key), 401, "unauthorized")


# --- contacts of the account ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("action", ["verify-email", "update-email"])
def test_changing_contacts_takes_a_login(visitor: Api, shopper: Api, action: str) -> None:
    body = {"channel": "email", "email": "asha@example.com", "otp_action": action}
    for api in (visitor, shopper.take(shopper.post("/auth/logout"))):
        assert_is_error(api.post("/auth/generate-otp", body), 401, "login_required")
        sent = {"otp": "123456", "otp_token": "x", "otp_action": action}
        assert_is_error(api.post("/auth/verify-otp", sent), 401, "login_required")


def test_verifying_a_second_contact_keeps_the_session(shopper: Api) -> None:
    old_refresh, old_access = shopper.refresh_token, shopper.token
    assert shopper.put(f"/auth/user/{shopper.user_id}", {"phone": "9876543210"}).status_code == 200
    asked = shopper.post("/auth/generate-otp", {"channel": "sms", "otp_action": "verify-phone", **PHONE})
    assert assert_matches("generate-otp", asked)["otp_action"] == "verify-phone"
    content = assert_matches("verify-otp", answer(shopper, asked))
    assert content["user"]["is_phone_verified"] is True and content["user"]["phone"] == "9876543210"
    assert claims(content["access_token"])["sid"] == claims(old_access)["sid"]
    assert shopper.get(f"/auth/user/{shopper.user_id}").status_code == 200
    pair = assert_matches("refresh-token", shopper.post("/auth/refresh-token", {"refresh_token": old_refresh}))
    assert pair["refresh_token"] == content["refresh_token"]


def test_only_the_accounts_own_contact_is_verified(shopper: Api) -> None:
    body = {"channel": "sms", "otp_action": "verify-phone", "phone": "9000000001"}
    assert_is_error(shopper.post("/auth/generate-otp", body), 400, "contact_mismatch", "phone")
    assert not Message.objects.filter(to="+919000000001").exists()


def test_a_contact_that_changed_meanwhile_is_not_verified(shopper: Api) -> None:
    where = f"/auth/user/{shopper.user_id}"
    shopper.put(where, {"phone": "9876543210"})
    asked = shopper.post("/auth/generate-otp", {"channel": "sms", "otp_action": "verify-phone", **PHONE})
    shopper.put(where, {"phone": "9000000001"})
    assert_is_error(answer(shopper, asked), 400, "contact_mismatch", "phone")
    assert not User.objects.get().is_phone_verified


def test_changing_a_contact_ends_other_sessions_and_tells_the_old_one(enter: Enter) -> None:
    here, elsewhere = enter("asha@example.com"), enter("asha@example.com")
    body = {"channel": "email", "otp_action": "update-email", "email": "new@example.com"}
    asked = here.post("/auth/generate-otp", body)
    assert Message.objects.latest("created_at").to == "new@example.com"
    content = assert_matches("verify-otp", answer(here, asked))
    assert content["user"]["email"] == "new@example.com" and content["user"]["is_email_verified"]
    notice = Message.objects.get(template="contact_changed")
    assert notice.to == "asha@example.com" and "new@example.com" not in str(notice.values)
    assert_is_error(elsewhere.get(f"/auth/user/{here.user_id}"), 401)
    assert_is_error(elsewhere.post("/auth/refresh-token", {"refresh_token": elsewhere.refresh_token}), 400)
    assert here.take(_response(content)).get(f"/auth/user/{here.user_id}").status_code == 200


def _response(content: dict[str, Any]) -> Any:
    class Answer:
        @staticmethod
        def json() -> dict[str, Any]:
            return {"content": content}

    return Answer()


def test_a_contact_of_another_account_is_refused_after_proof_only(enter: Enter) -> None:
    enter(phone="9876543210")
    thief = enter("thief@example.com")
    asked = thief.post("/auth/generate-otp", {"channel": "whatsapp", "otp_action": "update-phone", **PHONE})
    assert asked.status_code == 200
    code = last_code()
    assert_is_error(answer(thief, asked, code=code), 400, "contact_taken", "phone")
    assert_is_error(answer(thief, asked, code=code), 400, "otp_expired")
    assert User.objects.get(pk=thief.user_id).phone == ""


def test_a_code_of_another_shopper_settles_nothing(enter: Enter) -> None:
    one, two = enter("one@example.com"), enter("two@example.com")
    asked = one.post("/auth/generate-otp", {"channel": "sms", "otp_action": "update-phone", **PHONE})
    assert_is_error(answer(two, asked), 400, "invalid_otp")
    assert not User.objects.filter(phone="+919876543210").exists()


@pytest.mark.parametrize("action", ["register", "reset-password"])
def test_generate_otp_registers_and_resets(visitor: Api, enter: Enter, action: str) -> None:
    account = enter("asha@example.com")
    contact = "new@example.com" if action == "register" else "asha@example.com"
    asked = visitor.post("/auth/generate-otp", {"channel": "email", "email": contact, "otp_action": action})
    assert assert_matches("generate-otp", asked)["otp_action"] == action
    content = assert_matches("verify-otp", answer(visitor, asked))
    assert (content["user"]["id"] == account.user_id) is (action == "reset-password")


# --- logging out ------------------------------------------------------------------------------------------------------
def test_logging_out_ends_the_session_and_continues_as_the_known_shopper(shopper: Api) -> None:
    shopper.put(f"/auth/user/{shopper.user_id}", {"first_name": "Asha", "phone": "9876543210"})
    access, refresh = shopper.token, shopper.refresh_token
    content = assert_matches("logout", shopper.post("/auth/logout"))
    user, shown = content["user"], claims(content["access_token"])
    assert user["id"] == shown["ulid"] == shopper.user_id
    for said in (user, shown):
        assert said["is_logged_in"] is False and said["is_anonymous"] is False
    assert shown["customer_id"] is None and shown["email"] is None and shown["username"] is None
    assert user["first_name"] is None and user["phone"] is None and user["email"] == "a***@example.com"
    assert shown["anonymous_id"] == claims(access)["anonymous_id"]
    shopper.token = access
    assert_is_error(shopper.post("/auth/logout"), 401, "unauthorized")
    assert_is_error(shopper.post("/auth/refresh-token", {"refresh_token": refresh}), 400, "session_ended")
    shopper.token = content["access_token"]
    assert shopper.post("/auth/logout").status_code == 200
    pair = assert_matches(
        "refresh-token", shopper.post("/auth/refresh-token", {"refresh_token": content["refresh_token"]})
    )
    assert claims(pair["access_token"])["is_anonymous"] is False
    assert Session.objects.get().end_reason == "logout"


def test_a_visitor_logging_out_stays_that_visitor(visitor: Api) -> None:
    content = assert_matches("logout", visitor.post("/auth/logout"))
    assert content["user"]["id"] == visitor.user_id and content["user"]["is_anonymous"] is True
