"""Imported accounts, and who may open them (ADR 16)."""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import otp, selectors
from accounts.models import OtpChallenge, SecurityEvent, Session, User
from customers import book, invitations
from customers import services as customers
from customers.models import Customer, Segment, SegmentMember
from messaging.models import Message
from storefront import privacy
from storefront import services as kernel
from storefront.addresses import cleaned
from storefront.models import CustomerGroup, Store
from tests.accounts.conftest import Enter, answer, last_code, named, newest_challenge, wrong
from tests.conftest import Api
from tests.contract import assert_is_error, assert_matches
from tests.customers.conftest import ADDRESS
from tests.threads import in_parallel
from wallets.services import credit

EMAIL, PHONE = "asha@example.com", "+919876543210"
BY_EMAIL, BY_PHONE = {"email": EMAIL}, {"phone": "9876543210"}
ROUNDS = int(os.environ.get("ROUNDS", "3"))
database = pytest.mark.django_db
parallel = pytest.mark.django_db(transaction=True)


def imported(store: Store, name: str = "imported", **facts: Any) -> User:
    """As an import leaves it: nothing is proved."""
    facts = {"email": EMAIL, "phone": PHONE, "first_name": "Asha", "last_name": "Rao"} | facts
    customer = customers.create_customer(store=store, customer_id=name)
    return User.objects.create(pk=name, store=store, customer=customer, **facts)


def code_to(contact: str) -> str:
    return otp._code(OtpChallenge.objects.get(contact=contact, consumed_at=None, voided_at=None))


@database
@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("/auth/login/email", BY_EMAIL),
        ("/auth/login/email", BY_EMAIL | {"register_if_not_exists": True}),
        ("/auth/login/phone", BY_PHONE),
        ("/auth/login/whatsapp", BY_PHONE | {"register_if_not_exists": True}),
        ("/auth/register/email", BY_EMAIL | {"first_name": "A."}),
        ("/auth/register/phone", BY_PHONE | {"first_name": "A."}),
        ("/auth/register/whatsapp", BY_PHONE | {"first_name": "A."}),
    ],
)
def test_a_code_to_an_imported_contact_opens_the_imported_account(
    route: str, body: dict[str, Any], store: Store, visitor: Api, heard: Any
) -> None:
    user = imported(store)
    trade = CustomerGroup.objects.create(store=store, name="Trade", slug="trade")
    customers.set_group(store=store, customer_id=user.pk, group=trade)
    friends = Segment.objects.create(store=store, name="Friends")
    SegmentMember.objects.create(store=store, segment=friends, customer_id=user.pk)
    address = book.add(
        store=store, customer_id=user.pk, content=cleaned(store=store, data=ADDRESS), wished={}, now=timezone.now()
    )
    credit.grant(store=store, customer_id=user.pk, amount=Decimal(250), made_by="grace", owner="move")
    asked = visitor.post(route, body)
    assert Message.objects.get().template in {"otp_login", "otp_register"}
    before = visitor.user_id
    answered = answer(visitor, asked)
    shown = assert_matches("verify-otp", answered)["user"]
    assert shown["id"] == shown["customer_id"] == user.pk
    assert shown["customer_group"]["id"] == trade.pk and shown["first_name"] == "Asha"
    by_email = "email" in body
    assert (shown["is_email_verified"], shown["is_phone_verified"]) == (by_email, not by_email)
    visitor.take(answered)
    listed = visitor.get(f"/customers/{user.pk}/addresses").json()["content"]["addresses"]
    assert [row["id"] for row in listed] == [address.pk]
    assert SegmentMember.objects.get(segment=friends).customer_id == user.pk
    assert User.objects.count() == 1 and not Customer.objects.exclude(pk=user.pk).exists()
    (registered,) = named(heard, "shopper.registered")
    assert (registered["user_id"], registered["customer_id"]) == (user.pk, user.pk)
    assert named(heard, "shopper.merged")[0]["from_user_id"] == before
    assert SecurityEvent.objects.get(kind="registered").details == {"imported": True}


@database
def test_the_second_login_claims_nothing(store: Store, enter: Enter, heard: Any) -> None:
    user = imported(store)
    assert enter(EMAIL).user_id == enter(EMAIL).user_id == user.pk
    assert len(named(heard, "shopper.registered")) == 1
    assert Message.objects.filter(template="welcome").count() == 1


@database
def test_a_forgotten_password_is_a_proof_too(store: Store, visitor: Api, new_api: Any) -> None:
    user = imported(store)
    asked = visitor.post("/auth/forgot-password", BY_EMAIL)
    reset = {"new_password": "Seven-green-7-kites", "confirm_password": "Seven-green-7-kites", "otp": last_code(EMAIL)}
    answered = visitor.post("/auth/reset-password", reset | {"otp_token": asked.json()["content"]["otp_token"]})
    assert assert_matches("reset-password", answered)["user"]["id"] == user.pk
    user.refresh_from_db()
    assert user.is_email_verified and not user.is_phone_verified
    password = BY_EMAIL | {"password": "Seven-green-7-kites"}
    entered = new_api(store).become_visitor().post("/auth/login/password", password)
    assert entered.json()["content"]["user"]["id"] == user.pk
    assert_is_error(
        new_api(store).become_visitor().post("/auth/login/password", BY_PHONE | {"password": "Seven-green-7-kites"}),
        401,
        "invalid_credentials",
    )


@database
def test_what_came_with_the_registration_fills_what_the_import_left_empty(store: Store, visitor: Api) -> None:
    user = imported(store, phone="", first_name="", last_name="Rao")
    body = {"first_name": "Asha", "last_name": "Sen", "email": EMAIL}
    secret = {"password": "Seven-green-7-kites", "confirm_password": "Seven-green-7-kites"}
    asked = visitor.post("/auth/register/password", body | secret)
    user.refresh_from_db()
    assert user.password == "" and user.first_name == ""  # before the code nothing is written
    assert answer(visitor, asked).status_code == 200
    user.refresh_from_db()
    assert (user.first_name, user.last_name, user.is_email_verified) == ("Asha", "Rao", True)
    assert set(user.login_methods) == {"email", "password"}
    entered = visitor.post("/auth/login/password", BY_EMAIL | {"password": "Seven-green-7-kites"})
    assert entered.status_code == 200


@database
def test_without_the_right_code_nothing_opens(store: Store, visitor: Api) -> None:
    user = imported(store)
    asked = visitor.post("/auth/login/email", BY_EMAIL)
    assert_is_error(answer(visitor, asked, code=wrong(last_code())), 400, "invalid_otp", "otp")
    for password in ("", "Seven-green-7-kites"):
        refused = visitor.post("/auth/login/password", BY_EMAIL | {"password": password})
        assert refused.status_code in (400, 401)
    user.refresh_from_db()
    assert user.unclaimed and not Session.objects.exists()


@database
def test_a_claimed_account_is_not_opened_by_its_other_imported_contact(
    store: Store, enter: Enter, visitor: Api
) -> None:
    """The two contacts of a row may be two people's: only the first who proves one gets the account."""
    user = imported(store)
    enter(EMAIL)
    asked = visitor.post("/auth/login/phone", BY_PHONE)
    assert newest_challenge().decoy and Message.objects.latest("created_at").template == "no_account"
    assert_is_error(answer(visitor, asked, code=otp._code(newest_challenge())), 400, "invalid_otp", "otp")
    other = enter(phone="9876543210")
    assert other.user_id != user.pk
    assert User.objects.get(pk=user.pk).phone == PHONE and not User.objects.get(pk=user.pk).is_phone_verified


@database
def test_the_owner_of_a_proved_contact_comes_before_an_imported_account(store: Store, enter: Enter) -> None:
    owner = enter(EMAIL)
    user = imported(store)
    assert enter(EMAIL).user_id == owner.user_id
    assert User.objects.get(pk=user.pk).unclaimed
    assert enter(phone="9876543210").user_id == user.pk  # the contact that nobody has proved still opens it


@database
def test_a_typed_contact_opens_nothing(store: Store, shopper: Api, enter: Enter) -> None:
    """A shopper who types somebody's address beside their own proved one has made no account to be claimed."""
    assert shopper.put(f"/auth/user/{shopper.user_id}", {"phone": "9876543210"}).status_code == 200
    assert enter(phone="9876543210").user_id != shopper.user_id


@database
def test_another_stores_imported_account_is_not_opened(store: Store, other_store: Store, enter: Enter) -> None:
    stranger = imported(other_store, "stranger")
    assert enter(EMAIL).user_id != stranger.pk
    assert User.objects.get(pk=stranger.pk).unclaimed


@database
@pytest.mark.parametrize("gone", ["deactivated_at", "deleted_at"])
def test_a_closed_imported_account_stays_closed(gone: str, store: Store, visitor: Api) -> None:
    user = imported(store, **{gone: timezone.now()})
    asked = visitor.post("/auth/login/email", BY_EMAIL | {"register_if_not_exists": True})
    if gone == "deactivated_at":
        assert_is_error(answer(visitor, asked, code=otp._code(newest_challenge())), 400, "invalid_otp", "otp")
        assert User.objects.count() == 1
    else:
        assert answer(visitor, asked).json()["content"]["user"]["id"] != user.pk
    assert not Session.objects.filter(user=user).exists()


@database
def test_the_older_of_two_imported_accounts_is_opened(store: Store, enter: Enter) -> None:
    imported(store, "second", phone="", created_at=timezone.now())
    first = imported(store, "first", phone="", created_at=timezone.now() - timedelta(days=1))
    assert enter(EMAIL).user_id == first.pk
    assert User.objects.get(pk="second").unclaimed


@database
def test_answers_and_statements_do_not_tell_an_imported_contact(store: Store, visitor: Api, enter: Enter) -> None:
    imported(store)
    enter("known@example.com")
    told = []
    for email in (EMAIL, "known@example.com", "unknown@example.com"):
        with CaptureQueriesContext(connection) as queries:
            asked = visitor.post("/auth/login/email", {"email": email})
        content = asked.json()
        content["content"] = {**content["content"], "otp_token": len(content["content"]["otp_token"])}
        told.append((asked.status_code, content, len(queries)))
    assert told[0] == told[1] == told[2]


@database
def test_an_imported_user_joins_the_customer_that_invited_them(store: Store, enter: Enter) -> None:
    user = imported(store)
    firm = customers.create_customer(store=store, customer_id="firm")
    invitations.invite(store=store, customer_id=firm.pk, contact=EMAIL, invited_by="grace", now=timezone.now())
    assert enter(EMAIL).user_id == user.pk
    user.refresh_from_db()
    assert (user.customer_id, user.is_primary) == (firm.pk, False)


@database
def test_staff_see_who_has_not_claimed_their_account(store: Store, enter: Enter) -> None:
    imported(store, "waiting", email="waiting@example.com", phone="")
    imported(store)
    enter(EMAIL)
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    page = "/admin/storefront_accounts/user/"
    found = {
        state: [row.pk for row in client.get(f"{page}?state={state}").context["cl"].queryset]
        for state in ("unclaimed", "active")
    }
    assert found == {"unclaimed": ["waiting"], "active": ["imported"]}
    assert "nobody" in client.get(page).content.decode()


@database
def test_staff_find_an_imported_person_by_contact(store: Store) -> None:
    user = imported(store)
    assert [person.user_id for person in privacy.find(store=store, who=EMAIL)] == [user.pk]


@parallel
def test_both_contacts_proved_at_once_open_it_for_one(transactional_db: None, monkeypatch: Any) -> None:
    """One of them claims the account; the other registers or is refused, and never gets into the same one."""
    from storefront import outbox

    monkeypatch.setattr(outbox, "_wake", lambda name: None)
    store = kernel.create_store(store_id="demo", name="Demo")
    key = kernel.create_key(store=store, name="Web").text
    for number in range(ROUNDS):
        email, phone = f"round-{number}@example.com", f"98765{number:05d}"
        user = imported(store, f"imported-{number}", email=email, phone=f"+91{phone}")
        calls = []
        for route, body in (("email", {"email": email}), ("phone", {"phone": phone})):
            api = Api(store, key).become_visitor()
            asked = api.post(f"/auth/login/{route}", body | {"register_if_not_exists": True})
            calls.append((api, asked, code_to(email if route == "email" else f"+91{phone}")))

        def call(n: int, calls: Any = calls) -> Any:
            api, asked, code = calls[n]
            return answer(api, asked, code=code)

        answers = in_parallel(call, 2)
        entered = [found.json()["content"]["user"]["id"] for found in answers if found.status_code == 200]
        assert entered.count(user.pk) == 1 and {found.status_code for found in answers} <= {200, 400}
        user.refresh_from_db()
        assert user.is_email_verified != user.is_phone_verified
        assert Session.objects.filter(user=user).count() == 1
        assert SecurityEvent.objects.filter(kind="registered", user_id=user.pk).count() == 1


@parallel
def test_one_code_many_times_at_once_claims_once(transactional_db: None, monkeypatch: Any) -> None:
    from storefront import outbox

    monkeypatch.setattr(outbox, "_wake", lambda name: None)
    store = kernel.create_store(store_id="demo", name="Demo")
    key = kernel.create_key(store=store, name="Web").text
    selectors.forget()
    user = imported(store)
    visitor = Api(store, key).become_visitor()
    asked = visitor.post("/auth/login/email", BY_EMAIL)
    code = code_to(EMAIL)

    def call(_number: int) -> int:
        twin = Api(store, key)
        twin.token = visitor.token
        return int(answer(twin, asked, code=code).status_code)

    assert Counter(in_parallel(call, 5)) == {200: 1, 400: 4}
    assert User.objects.count() == 1 and Session.objects.filter(user=user).count() == 1
    assert SecurityEvent.objects.filter(kind="registered").count() == 1
