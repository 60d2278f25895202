"""Two customers become one: all moves, nothing is lost, and what stands in the way refuses the whole of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts.models import Session, User
from customers import book, services
from customers.errors import CustomerNotFound, MergeRefused
from customers.merging import merge_customers, preview
from customers.models import (
    Address,
    BankAccount,
    Customer,
    CustomerNote,
    Document,
    Invitation,
    KycDocumentType,
    Segment,
    SegmentMember,
)
from payments import credit as lines
from payments import saved
from payments import selectors as payment_selectors
from payments.models import Errand, GatewayCustomer, Mandate, MandateDebit, SavedCard, SavedMethod
from promotions import audit as promotion_audit
from promotions import services as promotions
from promotions.models import CustomerUses, Offer, OfferAudience, OfferUse
from storefront.errors import DomainError
from storefront.models import StaffAccess, Store
from tests.api import shoppers
from tests.customers.conftest import ADDRESS
from tests.payments import factories
from tests.threads import in_parallel
from tests.wallets.conftest import credit_account, make_programme, points_account
from wallets import selectors as wallet_selectors
from wallets.models import Account, Earning, Member
from wallets.services import credit, housekeeping, ledger, loyalty

pytestmark = pytest.mark.django_db
A, B = "customer-1", "customer-2"


@pytest.fixture(autouse=True)
def _fresh_programmes() -> Any:
    wallet_selectors.forget()
    yield
    wallet_selectors.forget()


def make(store: Store, *ids: str) -> None:
    for pk in ids:
        customer = services.create_customer(store=store, customer_id=pk)
        User.objects.create(pk=pk, store=store, customer=customer, first_name=pk.title())


@pytest.fixture
def two(store: Store) -> None:
    make(store, A, B)


def merge(store: Store, source: str = A, target: str = B) -> bool:
    return merge_customers(store=store, source_id=source, target_id=target, made_by="grace")


def refusal(store: Store) -> str:
    with pytest.raises(MergeRefused) as refused:
        merge(store)
    return str(refused.value.message)


def nothing_moved(store: Store) -> None:
    assert list(User.objects.filter(store=store).order_by("pk").values_list("pk", "customer_id")) == [(A, A), (B, B)]
    assert not Customer.objects.exclude(merged_into="").exists()
    assert not Customer.objects.exclude(erased_at=None).exists()


def verified() -> None:
    call_command("verify_ledger", stdout=StringIO())
    assert list(promotion_audit.mismatches()) == []


def bank_account(store: Store, customer: str, number: str, **facts: Any) -> BankAccount:
    values = {"type": "outbound", "account_name": "A", "number_encrypted": "x", "last4": "0001", "bank_name": "Bank"}
    return BankAccount.objects.create(store=store, customer_id=customer, number_hash=number, **(values | facts))


def test_what_a_customer_has_moves_and_the_defaults_of_the_target_stay(store: Store, two: None) -> None:
    kind = KycDocumentType.objects.create(store=store, title="Licence")
    kept = book.create(store=store, customer_id=B, data=ADDRESS)
    moved = book.create(store=store, customer_id=A, data=ADDRESS | {"city": "Mysuru"})
    for customer in (A, B):
        Document.objects.create(
            store=store, customer_id=customer, type=kind, number_encrypted="x", number_hash=customer
        )
        bank_account(store, customer, "same", is_default=True)
        bank_account(store, customer, customer)
        services.add_note(store=store, customer_id=customer, text=f"About {customer}", author="grace")
    shared, own = (Segment.objects.create(store=store, name=name) for name in ("Shared", "Own"))
    for segment, customer in ((shared, A), (shared, B), (own, A)):
        SegmentMember.objects.create(store=store, segment=segment, customer_id=customer)
    later = timezone.now() + timedelta(days=1)
    Invitation.objects.create(store=store, customer_id=A, contact="c@example.com", expires_at=later)
    Customer.objects.filter(pk=A).update(business={"name": "Tea Ltd"}, metadata={"a": 1, "both": 1})
    Customer.objects.filter(pk=B).update(metadata={"both": 2})
    assert preview(store=store, source_id=A)["addresses"] == 1
    assert merge(store) is True
    assert set(
        Address.objects.filter(customer_id=B).values_list("pk", "is_default_billing", "is_default_shipping")
    ) == {
        (kept.pk, True, True),
        (moved.pk, False, False),
    }
    assert sorted(Document.objects.filter(customer_id=B).values_list("number_hash", "status")) == [
        (A, "expired"),
        (B, "submitted"),
    ]
    assert sorted(BankAccount.objects.filter(customer_id=B).values_list("number_hash", "is_default")) == [
        (A, False),
        (B, False),
        ("same", True),
    ]
    assert CustomerNote.objects.filter(customer_id=B).count() == 2
    assert sorted(SegmentMember.objects.values_list("segment__name", "customer_id")) == [("Own", B), ("Shared", B)]
    assert Invitation.objects.get().customer_id == B
    source, target = Customer.objects.get(pk=A), Customer.objects.get(pk=B)
    assert (source.merged_into, source.business, source.metadata) == (B, None, {})
    assert source.erased_at is not None and target.erased_at is None
    assert (target.business, target.metadata) == ({"name": "Tea Ltd"}, {"a": 1, "both": 2})
    assert preview(store=store, source_id=B)["addresses"] == 2
    with pytest.raises(CustomerNotFound):
        book.create(store=store, customer_id=A, data=ADDRESS)


def test_points_and_credit_move_by_the_ledger_and_repeating_moves_nothing(store: Store, two: None) -> None:
    make_programme(store)
    soon = timezone.now() + timedelta(days=3)
    points_account(store, 70, A), points_account(store, 30, B)
    credit_account(store, "100", A, owner="g1")
    credit_account(store, "25.50", A, owner="g2", expires_at=soon)
    promised = loyalty.promise(
        store=store, customer_id=A, order_id="o1", reference="O1", points=5, spent=Decimal(1500), savings=Decimal(0),
        now=timezone.now(),
    )  # fmt: skip
    assert merge(store) is True
    counts = [Account.objects.count(), Member.objects.count()]
    assert merge(store) is False
    assert counts == [Account.objects.count(), Member.objects.count()]
    balances = set(Account.objects.values_list("customer_id", "kind", "balance"))
    assert balances == {(A, "points", 0), (A, "credit", 0), (B, "points", 150), (B, "credit", Decimal("125.5"))}
    target = Account.objects.get(customer_id=B, kind="credit")
    assert {(e.owner, e.amount, e.remaining, e.expires_at, e.made_by) for e in target.entries.all()} == {
        (f"merge:{A}", Decimal("25.5"), Decimal("25.5"), soon, "grace"),
        (f"merge:{A}:1", 100, 100, None, "grace"),
    }
    assert promised is not None and Earning.objects.get().account.customer_id == B
    assert str(Member.objects.get(account__customer_id=B).tier) == "Gold"  # by the spend of both: 50 points of bonus
    loyalty.deliver(store=store, order_id="o1", delivered_at=timezone.now())
    housekeeping.sweep(now=timezone.now() + timedelta(seconds=1), batch=10)
    assert Account.objects.get(customer_id=B, kind="points").balance == 155
    verified()


def test_a_late_refund_of_an_old_order_reaches_the_one_who_stays_and_never_twice(store: Store, two: None) -> None:
    account = credit_account(store, "100", A)
    with transaction.atomic():
        ledger.hold(store_id=store.pk, account_id=account.pk, owner="o1", amount=Decimal(60))
        ledger.confirm(store_id=store.pk, owner="o1")
    back: dict[str, Any] = {"store_id": store.pk, "kind": "credit", "owner": "o1", "expires_at": None}
    ledger.give_back(**back, refund_id="r0", amount=Decimal(10))
    merge(store)
    for _repeat in range(2):
        assert ledger.give_back(**back, refund_id="r0", amount=Decimal(10)) == 10
        assert ledger.give_back(**back, refund_id="r1", amount=Decimal(20)) == 20
    assert ledger.give_back(**back, refund_id="r2", amount=Decimal(100)) == 30
    credit.refund(store=store, customer_id=A, amount=Decimal(1), refund_id="r3")
    ledger.add(store_id=store.pk, account_id=account.pk, kind="grant", owner="late", amount=Decimal(2))
    assert dict(Account.objects.filter(kind="credit").values_list("customer_id", "balance")) == {A: 0, B: 103}
    verified()


def test_what_an_order_holds_refuses_the_merge(store: Store, two: None) -> None:
    account = credit_account(store, "100", A)
    with transaction.atomic():
        ledger.hold(store_id=store.pk, account_id=account.pk, owner="o1", amount=Decimal(1))
    assert "unpaid order" in refusal(store)
    nothing_moved(store)
    ledger.release(store_id=store.pk, owner="o1")
    assert merge(store) is True
    verified()


def test_a_credit_line_refuses_and_says_what_to_do(store: Store, two: None) -> None:
    line = factories.credit_row(store, 1)
    assert "set its limit to 0" in refusal(store)
    nothing_moved(store)
    limits = {"total_credit_limit": Decimal(0), "mandate_per_order_limit": Decimal(0)}
    lines.set_limits(store=store, line_id=line.pk, reason="Merged", **limits)
    assert merge(store) is True


@pytest.mark.parametrize(
    ("of_source", "of_target", "keep", "stays"),
    [
        ("Rao", "Sen", False, "Sen"),
        ("Rao", "Sen", True, "Rao"),
        ("Rao", None, False, "Rao"),
        (None, "Sen", True, "Sen"),
        (None, None, True, None),
    ],
)
def test_staff_say_whose_business_stays(
    of_source: str | None, of_target: str | None, keep: bool, stays: str | None, store: Store, two: None
) -> None:
    for pk, name in ((A, of_source), (B, of_target)):
        Customer.objects.filter(pk=pk).update(business=name and {"name": name})
    assert merge_customers(store=store, source_id=A, target_id=B, made_by="grace", keep_business_of_source=keep)
    assert (Customer.objects.get(pk=B).business or {}).get("name") == stays
    assert Customer.objects.get(pk=A).business is None


def test_cards_that_one_provider_keeps_for_both_are_all_there_afterwards(store: Store, two: None) -> None:
    card = factories.card_row(store, 1)
    provider = card.holder.provider
    own = GatewayCustomer.objects.create(store=store, provider=provider, customer_id=B, reference="other")
    method = SavedMethod.objects.create(store=store, holder=own, kind="wallet", reference={}, reference_hash="w")
    assert merge(store) is True
    found = GatewayCustomer.objects.filter(customer_id=B).order_by("merged")
    assert [(row.reference, row.merged) for row in found] == [("other", False), (card.holder.reference, True)]
    assert SavedCard.objects.get().pk == card.pk and SavedMethod.objects.get().pk == method.pk
    assert saved.holder(store=store, provider=provider, customer_id=B).pk == own.pk  # new ones are kept here
    shown = payment_selectors.holders(store=store, customer_id=B)
    assert {kept.pk for row in shown for kept in (*row.cards.all(), *row.methods.all())} == {method.pk, card.pk}
    assert not Errand.objects.exists()
    forgotten = saved.forget(store=store, customer_id=B)
    assert {row.reference for row in forgotten} == {"other", card.holder.reference}


def test_a_name_at_a_provider_that_keeps_nothing_is_forgotten_there(store: Store, two: None) -> None:
    card = factories.card_row(store, 1)
    GatewayCustomer.objects.create(store=store, provider=card.holder.provider, customer_id=B, reference="other")
    card.delete()
    assert merge(store) is True
    assert GatewayCustomer.objects.get().reference == "other"
    assert Errand.objects.get().kind == Errand.Kind.FORGET_CUSTOMER


def test_accounts_that_one_provider_opened_for_both_stay_open(store: Store, two: None) -> None:
    first = bank_account(store, A, "1", type="inbound", provider="demo", is_default=True)
    second = bank_account(store, B, "2", type="inbound", provider="demo", is_default=True)
    assert merge(store) is True
    found = {row.pk: (row.is_default, row.merged) for row in BankAccount.objects.filter(customer_id=B)}
    assert found == {first.pk: (False, True), second.pk: (True, False)}


def test_a_guest_goes_into_an_account_and_never_stays_for_one(store: Store, two: None) -> None:
    guest = Customer.objects.create(pk="guest", store=store, is_guest=True, business={"name": "Rao"})
    book.create(store=store, customer_id=guest.pk, data=ADDRESS)
    book.create(store=store, customer_id=B, data=ADDRESS)
    book.create(store=store, customer_id=guest.pk, data=ADDRESS | {"address_line1": "Elsewhere 1"})
    services.add_note(store=store, customer_id=guest.pk, text="Rang twice", author="grace")
    credit_account(store, "5", B)
    with pytest.raises(MergeRefused) as refused:
        merge(store, B, "guest")
    assert "other way round" in str(refused.value.message)
    assert merge(store, "guest", B) is True and merge(store, "guest", B) is False
    lines_of = Address.objects.filter(customer_id=B).values_list("address_line1", flat=True)
    assert sorted(lines_of) == sorted([ADDRESS["address_line1"], "Elsewhere 1"])  # the same one is there once
    assert CustomerNote.objects.get().customer_id == B
    target = Customer.objects.get(pk=B)
    assert target.business == {"name": "Rao"} and not target.is_guest
    guest.refresh_from_db()
    assert (guest.merged_into, guest.business) == (B, None) and guest.erased_at is not None
    assert not Address.objects.filter(customer_id="guest").exists()


def test_who_registers_under_the_id_of_a_merged_guest_is_a_customer_of_their_own(store: Store, two: None) -> None:
    Customer.objects.create(pk="guest", store=store, is_guest=True)
    assert merge(store, "guest", B) is True
    customer = services.create_customer(store=store, customer_id="guest")
    customer.refresh_from_db()
    assert (customer.merged_into, customer.erased_at, customer.is_guest) == ("", None, False)
    credit.grant(store=store, customer_id="guest", amount=Decimal(7), owner="own")
    balances = dict(Account.objects.filter(kind="credit").values_list("customer_id", "balance"))
    assert balances == {"guest": Decimal(7)}


def test_a_customer_without_users_takes_the_primary_one_over(store: Store, two: None) -> None:
    services.create_customer(store=store, customer_id="nobody")
    assert merge(store, A, "nobody") is True
    assert User.objects.get(pk=A).customer_id == "nobody" and User.objects.get(pk=A).is_primary
    assert merge(store, B, "nobody") is True
    assert not User.objects.get(pk=B).is_primary


def test_saved_means_mandates_and_debits_move(store: Store, two: None) -> None:
    card, debit = factories.card_row(store, 1), factories.debit_row(store, 1)
    assert merge(store) is True
    assert SavedCard.objects.get(pk=card.pk).holder.customer_id == B
    mandate = Mandate.objects.get()
    assert (mandate.customer_id, mandate.version) == (B, debit.mandate.version + 1)
    assert MandateDebit.objects.get().customer_id == B


def test_uses_of_offers_add_up_and_named_offers_follow(store: Store, two: None) -> None:
    fields: dict[str, Any] = {"store": store, "type": "discount", "name": "Ten"}
    details = {"discount_type": "percentage", "discount_percent": 10}
    offers: list[Offer] = [
        promotions.create_offer(**fields, kind="coupon", codes=[code], details=details) for code in ("ONE", "TWO")
    ]
    uses = [
        (offers[0], A, "held"),
        (offers[0], A, "confirmed"),
        (offers[0], B, "confirmed"),
        (offers[1], A, "released"),
    ]
    for number, (offer, customer, state) in enumerate(uses):
        OfferUse.objects.create(
            store=store, offer=offer, owner=f"o{number}", customer_id=customer, state=state, saving=1, revenue=1
        )
    for offer, customer, count in ((offers[0], A, 2), (offers[0], B, 1), (offers[1], A, 0)):
        CustomerUses.objects.create(store=store, offer=offer, customer_id=customer, count=count)
    for offer, customer in ((offers[0], A), (offers[0], B), (offers[1], A)):
        OfferAudience.objects.create(store=store, offer=offer, target_id=customer)
    assert merge(store) is True
    assert set(OfferUse.objects.values_list("customer_id", flat=True)) == {B}
    assert set(CustomerUses.objects.values_list("offer_id", "customer_id", "count")) == {
        (offers[0].pk, B, 3),
        (offers[1].pk, B, 0),
    }
    assert set(OfferAudience.objects.values_list("offer_id", "target_id")) == {(o.pk, B) for o in offers}
    verified()


def test_an_old_token_ends_and_a_new_login_names_the_target(store: Store, configure: Any) -> None:
    configure(OTP_DEBUG=True)
    asha, bela = (shoppers.registered(store, f"{name}@example.com") for name in ("asha", "bela"))
    source, target = str(asha.user_id), str(bela.user_id)
    assert asha.get(f"/customers/{source}/addresses").status_code == 200
    book.create(store=store, customer_id=target, data=ADDRESS)
    assert merge(store, source, target) is True
    assert asha.get(f"/customers/{source}/addresses").status_code == 401
    assert asha.post("/auth/refresh-token", {"refresh_token": asha.refresh_token}).status_code >= 400
    assert not Session.objects.filter(user_id=source, ended_at=None).exists()
    assert Session.objects.filter(user_id=target, ended_at=None).exists()
    again = shoppers.visitor(store)
    asked = again.post("/auth/login/email", {"email": "asha@example.com"}, X_Debug_Mode="true")
    shoppers.verify(again, asked)
    assert again.get(f"/customers/{target}/addresses").status_code == 200
    mine = again.get(f"/customers/{source}/addresses").json()["content"]  # by their own id: their customer's, as ever
    assert [row["city"] for row in mine["addresses"]] == ["Bengaluru"]
    user = User.objects.get(pk=source)
    assert (user.customer_id, user.is_primary) == (target, False)


def test_who_cannot_be_merged(store: Store, other_store: Store, two: None) -> None:
    make(other_store, "foreign")
    Customer.objects.create(pk="guest", store=store, is_guest=True)
    Customer.objects.create(pk="gone", store=store, erased_at=timezone.now())
    for source, target in (("foreign", B), (A, "foreign"), ("gone", B), (A, "gone"), (A, "unknown")):
        with pytest.raises(CustomerNotFound):
            merge(store, source, target)
    for source, target in ((A, A), (A, "guest")):
        with pytest.raises(MergeRefused):
            merge(store, source, target)
    assert User.objects.get(pk="foreign").customer_id == "foreign"
    assert User.objects.get(pk=A).customer_id == A
    assert not Customer.objects.exclude(merged_into="").exists()


@pytest.mark.django_db(transaction=True)
def test_each_into_the_other_at_once_merges_once(store: Store) -> None:
    for _round in range(4):
        one, other = f"{_round}-a", f"{_round}-b"
        make(store, one, other)
        credit_account(store, "10", one), credit_account(store, "5", other)

        def call(number: int, one: str = one, other: str = other) -> Any:
            try:
                return merge(store, *((one, other) if number % 2 else (other, one)))
            except DomainError as error:
                return error.code

        answers = in_parallel(call, 2)
        assert sorted(map(str, answers)) == ["True", "customer_not_found"]
        accounts = Account.objects.filter(kind="credit", customer_id__in=[one, other])
        assert sorted(accounts.values_list("balance", flat=True)) == [0, 15]
    verified()


@pytest.mark.django_db(transaction=True)
def test_the_same_merge_at_once_and_credit_given_meanwhile_lose_nothing(store: Store) -> None:
    make(store, A, B)
    credit_account(store, "10", A)

    def call(number: int) -> Any:
        if number % 2:
            return merge(store)
        return credit.grant(store=store, customer_id=A, amount=Decimal(1), owner=f"g{number}").amount

    answers = in_parallel(call, 8)
    assert [answer for answer in answers if answer is True] == [True]
    assert dict(Account.objects.filter(kind="credit").values_list("customer_id", "balance")) == {A: 0, B: 14}
    verified()


def test_staff_search_see_what_moves_and_confirm(store: Store, other_store: Store, two: None) -> None:
    make(other_store, "customer-3")
    book.create(store=store, customer_id=A, data=ADDRESS)
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    address = f"/admin/storefront_customers/customer/{A}/merge/"
    assert client.get(address).status_code == 200
    assert "Nobody else" in client.post(address, {"who": A}).content.decode()
    assert "Nobody else" in client.post(address, {"who": "customer-3"}).content.decode()
    text = client.post(address, {"who": "customer-2"}).content.decode()
    assert "addresses: 1" in text and "users: 1" in text and f'value="{B}"' in text
    assert client.post(address, {"target": "customer-3"}).status_code == 200
    nothing_moved_in = User.objects.get(pk=A)
    assert nothing_moved_in.customer_id == A and not LogEntry.objects.exists()
    answer = client.post(address, {"target": B})
    assert answer.headers["Location"].endswith(f"/customer/{B}/change/")
    assert Customer.objects.get(pk=A).merged_into == B
    assert set(StaffAccess.objects.filter(action="change").values_list("object_id", "customer_id")) == {(A, A), (B, B)}
    assert {(entry.object_id, entry.change_message) for entry in LogEntry.objects.all()} == {
        (A, f"Merged into {B}"),
        (B, f"Took over {A}"),
    }
    assert client.get(f"/admin/storefront_customers/customer/{A}/change/").status_code == 200
    assert client.post(address, {"target": B}).status_code == 403
    assert client.get("/admin/storefront_customers/customer/?kind=merged").context["cl"].result_count == 1


def test_staff_choose_the_business_that_stays(store: Store, two: None) -> None:
    Customer.objects.filter(pk=A).update(business={"name": "Rao Spices"})
    Customer.objects.filter(pk=B).update(business={"name": "Sen Tea"})
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    address = f"/admin/storefront_customers/customer/{A}/merge/"
    assert "Rao Spices" in client.post(address, {"who": "customer-2"}).content.decode()
    client.post(address, {"target": B, "keep_business_of_source": "on"})
    assert Customer.objects.get(pk=B).business == {"name": "Rao Spices"}


@pytest.mark.parametrize("granted", [("change_customer",), ("delete_customer",)])
def test_staff_need_both_permissions(store: Store, two: None, granted: tuple[str, ...]) -> None:
    person = get_user_model().objects.create_user("kim", password="x", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=["view_customer", *granted]))
    client = Client()
    client.force_login(person)
    address = f"/admin/storefront_customers/customer/{A}/merge/"
    assert client.get(address).status_code == 403
    assert client.post(address, {"target": B}).status_code == 403
    nothing_moved(store)
