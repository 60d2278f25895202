"""One customer, many users: invited by contact, joined by proving it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from customers import invitations, services
from customers.errors import AlreadyInvited, CustomerNotFound, InvitationNotFound, TooManyInvitations
from customers.models import Address, Customer, Invitation
from messaging.models import Message
from payments.models import CreditLine
from storefront.models import CustomerGroup, Store
from tests.accounts.test_visitors import claims
from tests.api import shoppers
from tests.conftest import Api
from tests.customers.conftest import ADDRESS
from tests.payments.factories import mandate_row
from tests.threads import in_parallel
from wallets.models import Account, Entry

pytestmark = pytest.mark.django_db
BUYER = "buyer@example.com"


def invite(store: Store, shopper: Api, contact: str = BUYER, **facts: Any) -> Invitation:
    where = {"customer_id": shopper.user_id, "invited_by": shopper.user_id, "now": timezone.now()}
    return invitations.invite(store=store, contact=contact, **(where | facts))


def verify_contact(api: Api, **contact: str) -> None:
    channel = "email" if "email" in contact else "sms"
    action = "update-email" if channel == "email" else "update-phone"
    asked = api.post("/auth/generate-otp", {"channel": channel, "otp_action": action, **contact}, X_Debug_Mode="true")
    shoppers.verify(api, asked)


def test_who_registers_with_an_invited_contact_joins(store: Store, shopper: Api) -> None:
    trade = CustomerGroup.objects.create(store=store, name="Trade", slug="trade")
    services.set_group(store=store, customer_id=shopper.user_id, group=trade)
    services.set_business(store=store, customer_id=shopper.user_id, business={"name": "Rao Spices", "type": "firm"})
    shopper.post(f"/customers/{shopper.user_id}/addresses", ADDRESS)
    invite(store, shopper)
    message = Message.objects.get(template="customer_invitation")
    assert (message.to, message.values["customer"]) == (BUYER, "Rao Spices")
    buyer = shoppers.registered(store, BUYER)
    said = claims(buyer.token)
    assert said["customer_id"] == shopper.user_id != buyer.user_id
    assert (said["is_primary"], said["customer_group_id"]) == (False, trade.pk)
    listed = buyer.get(f"/customers/{shopper.user_id}/addresses").json()["content"]["addresses"]
    assert [row["city"] for row in listed] == ["Bengaluru"]
    assert listed[0]["is_email_verified"] is False  # it is the inviter's contact, not theirs
    row = Invitation.objects.get()
    assert (row.state, row.contact, row.accepted_user_id) == ("accepted", "", buyer.user_id)
    assert Customer.objects.count() == 1


def test_a_guest_who_joins_brings_their_addresses(store: Store, shopper: Api) -> None:
    invite(store, shopper)
    guest = shoppers.visitor(store)
    guest.post("/customers", {"address": ADDRESS})
    asked = guest.post("/auth/login/email", {"email": BUYER, "register_if_not_exists": True}, X_Debug_Mode="true")
    shoppers.verify(guest, asked)
    assert Address.objects.get().customer_id == shopper.user_id
    assert User.objects.get(email=BUYER).customer_id == shopper.user_id


def test_proving_an_invited_contact_later_joins_too(store: Store, shopper: Api) -> None:
    invite(store, shopper, "+919876500000")
    user = shoppers.registered(store, "late@example.com")
    own = user.user_id
    assert claims(user.token)["customer_id"] == own
    verify_contact(user, phone="9876500000", country_code="+91")
    assert claims(user.token)["customer_id"] == shopper.user_id
    assert Customer.objects.get(pk=own).erased_at is not None


def test_nobody_loses_their_own_things_by_an_invitation(store: Store, shopper: Api) -> None:
    user = shoppers.registered(store, "own@example.com")
    user.post(f"/customers/{user.user_id}/addresses", ADDRESS)
    invite(store, shopper, "+919876500000")
    invite(store, shopper, "own@example.com")
    verify_contact(user, phone="9876500000", country_code="+91")
    assert claims(user.token)["customer_id"] == user.user_id
    again = shoppers.registered(store, "own@example.com")  # signing in is no consent
    assert claims(again.token)["customer_id"] == user.user_id
    assert set(Invitation.objects.values_list("state", flat=True)) == {"open"}
    assert Address.objects.get().customer_id == user.user_id


@pytest.mark.parametrize("holding", ["points", "credit", "credit line", "mandate"])
def test_nobody_leaves_money_or_a_mandate_behind_by_an_invitation(store: Store, shopper: Api, holding: str) -> None:
    user = shoppers.registered(store, "own@example.com")
    mine = {"store": store, "customer_id": user.user_id}
    invite(store, shopper, "+919876500000")
    match holding:
        case "points" | "credit":
            account = Account.objects.create(kind=holding, balance=5, **mine)
            Entry.objects.create(store=store, account=account, kind="grant", owner="x", amount=5, remaining=5)
        case "credit line":
            CreditLine.objects.create(**mine)
        case _:
            mandate_row(store, user.user_id)
    verify_contact(user, phone="9876500000", country_code="+91")
    assert claims(user.token)["customer_id"] == user.user_id
    assert Customer.objects.get(pk=user.user_id).erased_at is None
    assert Invitation.objects.get().state == "open"


def test_the_bonus_that_everybody_is_welcomed_with_keeps_nobody_from_joining(store: Store, shopper: Api) -> None:
    user = shoppers.registered(store, "own@example.com")
    account = Account.objects.create(store=store, customer_id=user.user_id, kind="points", balance=5)
    Entry.objects.create(store=store, account=account, kind="signup", owner="signup", amount=5, remaining=5)
    invite(store, shopper, "+919876500000")
    verify_contact(user, phone="9876500000", country_code="+91")
    assert claims(user.token)["customer_id"] == shopper.user_id


@pytest.mark.parametrize("how", ["withdrawn", "late", "erased", "other store"])
def test_an_invitation_that_does_not_count_any_more_changes_nothing(
    store: Store, other_store: Store, shopper: Api, how: str
) -> None:
    row = invite(store, shopper)
    if how == "withdrawn":
        invitations.withdraw(store=store, customer_id=shopper.user_id, invitation_id=row.pk)
        invitations.withdraw(store=store, customer_id=shopper.user_id, invitation_id=row.pk)
    elif how == "late":
        Invitation.objects.update(expires_at=timezone.now())
    elif how == "erased":
        services.erase_customer(store=store, customer_id=shopper.user_id, now=timezone.now())
        assert not Invitation.objects.exists()
    else:
        Store.objects.filter(pk=other_store.pk).update(debug_mode=True)
        other_store.refresh_from_db()
    buyer = shoppers.registered(other_store if how == "other store" else store, BUYER)
    assert claims(buyer.token)["customer_id"] == buyer.user_id
    assert claims(buyer.token)["is_primary"] is True


def test_the_sweep_ends_invitations_and_forgets_their_contacts(store: Store, shopper: Api) -> None:
    invite(store, shopper), invite(store, shopper, "other@example.com")
    Invitation.objects.filter(contact=BUYER).update(expires_at=timezone.now() - timedelta(seconds=1))
    invitations.expire_due(now=timezone.now(), batch=10)
    assert sorted(Invitation.objects.values_list("state", "contact")) == [
        ("expired", ""),
        ("open", "other@example.com"),
    ]
    again = invite(store, shopper)
    assert again.state == "open"


def test_inviting_again_moves_the_end_on_and_another_customer_must_wait(
    store: Store, shopper: Api, stranger: Api
) -> None:
    first = invite(store, shopper)
    second = invite(store, shopper, now=timezone.now() + timedelta(days=1))
    assert first.pk == second.pk and second.expires_at > first.expires_at
    with pytest.raises(AlreadyInvited):
        invite(store, stranger)
    with pytest.raises(InvitationNotFound):
        invitations.withdraw(store=store, customer_id=stranger.user_id, invitation_id=first.pk)
    with pytest.raises(CustomerNotFound):
        invite(store, shopper, customer_id="nobody")
    assert Invitation.objects.get().customer_id == shopper.user_id


def test_there_is_an_end_to_open_invitations(store: Store, shopper: Api, monkeypatch: Any) -> None:
    monkeypatch.setattr(invitations, "MAX_OPEN", 1)
    invite(store, shopper)
    with pytest.raises(TooManyInvitations):
        invite(store, shopper, "other@example.com")
    assert Message.objects.filter(template="customer_invitation").count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_invitation_is_accepted_once(store: Store) -> None:
    services.create_customer(store=store, customer_id="party")
    row = invitations.invite(store=store, customer_id="party", contact=BUYER, invited_by="x", now=timezone.now())

    def accept(number: int) -> bool:
        return invitations.accept(store=store, invitation=row, user_id=str(number), now=timezone.now())

    assert sum(in_parallel(accept, 5)) == 1


def test_a_joined_user_who_leaves_takes_nothing_of_the_customer_along(store: Store, shopper: Api) -> None:
    shopper.post(f"/customers/{shopper.user_id}/addresses", ADDRESS)
    invite(store, shopper)
    buyer = shoppers.registered(store, BUYER)
    assert buyer.delete(f"/auth/user/{buyer.user_id}").status_code == 200
    assert Address.objects.count() == 1
    assert Customer.objects.get().erased_at is None
