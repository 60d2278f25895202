"""What staff do with loyalty, credit and gift cards, and what they see of them."""

from __future__ import annotations

import csv
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from customers.models import Customer
from storefront.models import Store
from tests.wallets.conftest import ASHA, BELA, card_account, credit_account, make_programme, points_account, state
from wallets import selectors
from wallets.models import Account, Entry, GiftCard, GiftCardBatch, Member, Programme
from wallets.services import gift_cards, ledger

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(db: None) -> Client:
    return Client()


@pytest.fixture
def staff(browser: Client) -> Client:
    """A browser in which a superuser is signed in."""
    browser.force_login(get_user_model().objects.create_superuser("anna", "anna@example.com", "x"))
    return browser


def page(model: str, name: str, *args: Any) -> str:
    return reverse(f"admin:storefront_wallets_{model}_{name}", args=args)


def act(model: str, pk: Any, path: str) -> str:
    return page(model, "change", pk).replace("/change/", f"/{path}/")


# --- balances -------------------------------------------------------------------------------------------------------
def test_points_are_adjusted_with_a_reason_and_once(staff: Client, store: Store, programme: Programme) -> None:
    points = points_account(store, 100)
    address = act("member", points.pk, "adjust")
    form = staff.get(address).context["form"]
    sent = {"amount": "-30", "reason": "Counted twice", "act": form["act"].value()}
    for _time in range(2):
        assert staff.post(address, sent).status_code == 302
    assert state(points) == (70, 0)
    entry = Entry.objects.get(kind="adjust")
    assert (entry.remarks, entry.made_by) == ("Counted twice", "anna")
    text = staff.get(page("member", "change", points.pk)).content.decode()
    assert "Counted twice" in text


@pytest.mark.parametrize("amount", ["-101", "0", "", "x", "1.5"])
def test_points_that_are_not_there_stay(staff: Client, store: Store, programme: Programme, amount: str) -> None:
    points = points_account(store, 100)
    response = staff.post(act("member", points.pk, "adjust"), {"amount": amount, "reason": "x", "act": "a"})
    assert response.status_code == 200
    assert response.context["form"].errors["amount"]
    assert state(points) == (100, 0)


def test_a_reason_is_asked_for(staff: Client, store: Store) -> None:
    account = credit_account(store, "10")
    response = staff.post(act("creditaccount", account.pk, "adjust"), {"amount": "5", "reason": "", "act": "a"})
    assert response.context["form"].errors["reason"]
    assert state(account) == (10, 0)


def test_credit_is_granted_until_a_day_and_taken_away(staff: Client, store: Store) -> None:
    account = credit_account(store, "10")
    address = act("creditaccount", account.pk, "adjust")
    staff.post(address, {"amount": "5.50", "reason": "Sorry", "act": "a", "expires_on": "2027-01-31"})
    staff.post(address, {"amount": "-3", "reason": "Too much", "act": "b"})
    assert staff.post(address, {"amount": "0.001", "reason": "x", "act": "c"}).context["form"].errors
    assert staff.post(address, {"amount": "-99", "reason": "x", "act": "d"}).context["form"].errors
    assert state(account) == (Decimal("12.5"), 0)
    granted = Entry.objects.get(owner="a")
    assert granted.expires_at is not None and granted.expires_at.isoformat() == "2027-01-31T18:30:00+00:00"
    assert (granted.kind, granted.remarks, granted.made_by) == ("grant", "Sorry", "anna")


def test_the_first_credit_and_points_are_given_from_a_customer_s_page(
    staff: Client, store: Store, other_store: Store, programme: Programme
) -> None:
    Customer.objects.create(pk=ASHA, store=store)
    text = staff.get(reverse("admin:storefront_customers_customer_change", args=[ASHA])).content.decode()
    for name in ("wallets-credit", "wallets-points"):
        address = reverse(f"admin:{name}", args=["demo", ASHA])
        assert f'href="{address}"' in text
        assert staff.post(address, {"amount": "25", "reason": "Welcome", "act": name}).status_code == 302
        for store_id, customer_id in (("other", ASHA), ("demo", BELA), ("nowhere", ASHA)):
            wrong = reverse(f"admin:{name}", args=[store_id, customer_id])
            assert staff.post(wrong, {"amount": "25", "reason": "x", "act": "x"}).status_code == 404
    assert sorted(Account.objects.values_list("kind", "balance")) == [("credit", 25), ("points", 25)]
    text = staff.get(reverse("admin:storefront_customers_customer_change", args=[ASHA])).content.decode()
    assert text.count("Welcome") == 2


def test_a_user_s_page_shows_what_the_customer_has(staff: Client, store: Store, programme: Programme) -> None:
    from accounts.models import User

    Customer.objects.create(pk=ASHA, store=store)
    User.objects.create(pk=BELA, store=store, customer_id=ASHA, is_primary=False)
    points_account(store, 1234)
    credit_account(store, "56.78")
    text = staff.get(reverse("admin:storefront_accounts_user_change", args=[BELA])).content.decode()
    assert "1,234" in text and "₹ 56.78" in text


def test_entries_cannot_be_made_changed_or_deleted(staff: Client, store: Store) -> None:
    credit_account(store, "10")
    entry = Entry.objects.get()
    assert staff.get(page("entry", "add")).status_code == 403
    assert staff.post(page("entry", "change", entry.pk), {"amount": "99"}).status_code == 403
    assert staff.post(page("entry", "delete", entry.pk), {"post": "yes"}).status_code == 403
    assert Entry.objects.get().amount == 10


# --- the programme --------------------------------------------------------------------------------------------------
def test_a_changed_programme_counts_at_once(
    staff: Client, store: Store, programme: Programme, django_capture_on_commit_callbacks: Any
) -> None:
    points_account(store, 1)
    assert selectors.rules(store.pk).point_value == 1  # type: ignore[union-attr]
    address = page("programme", "change", programme.pk)
    shown = staff.get(address).context
    sent: dict[str, Any] = {}
    forms = [shown["adminform"].form]
    formset = shown["inline_admin_formsets"][0].formset
    for form in [*forms, formset.management_form, *formset.forms]:
        for field in form:
            if field.value() is not None and field.value() is not False:
                sent[field.html_name] = field.value()
    sent |= {"point_value": "0.5", "reset_months": "6"}
    with django_capture_on_commit_callbacks(execute=True):
        saved = staff.post(address, sent)
    assert saved.status_code == 302, (saved.context["adminform"].form.errors, saved.context["errors"])
    assert selectors.rules(store.pk).point_value == Decimal("0.5")  # type: ignore[union-attr]
    assert Member.objects.get().resets_at is not None


# --- gift cards -----------------------------------------------------------------------------------------------------
def test_a_new_card_s_code_is_shown_once(staff: Client, store: Store) -> None:
    sent = {"amount": "500", "with_pin": "on", "active": "on", "expires_on": "2027-01-31", "note": "For Bela"}
    response = staff.post(page("giftcard", "add"), sent)
    made = response.context["made"]
    assert made.code in response.content.decode() and made.pin in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    card = GiftCard.objects.get()
    assert (card.note, card.made_by, card.state) == ("For Bela", "anna", "active")
    assert gift_cards.find(store_id="demo", code=made.code, pin=made.pin).card_id == card.pk
    for address in (page("giftcard", "change", card.pk), page("giftcard", "changelist")):
        text = staff.get(address).content.decode()
        assert f"…{card.last4}" in text and made.code not in text


def test_a_card_that_cannot_be_is_told_at_its_field(staff: Client, store: Store) -> None:
    card_account(store, "1", code="GIFT-1234-5678")
    taken = {"amount": "5", "code": "gift 1234 5678", "active": "on"}
    assert staff.post(page("giftcard", "add"), taken).context["form"].errors["code"]
    assert staff.post(page("giftcard", "add"), {"amount": "0.001"}).context["form"].errors["amount"]
    assert GiftCard.objects.count() == 1


def test_a_batch_is_downloaded_once(staff: Client, store: Store) -> None:
    address = reverse("admin:wallets-gift-cards")
    assert staff.get(act("giftcard", "x", "issue-many").replace("/x/", "/"), follow=True).status_code == 200
    sent = {"name": "Diwali 2026", "count": "30", "amount": "250", "with_pin": "on"}
    response = staff.post(address, sent)
    assert response["Content-Disposition"] == 'attachment; filename="gift-cards-diwali-2026.csv"'
    assert "no-store" in response["Cache-Control"]
    rows = list(csv.DictReader(StringIO(response.content.decode())))
    assert len({row["code"] for row in rows}) == 30 and {row["amount"] for row in rows} == {"250"}
    again = staff.post(address, sent)
    assert again.context["form"].errors["name"]
    assert GiftCard.objects.filter(state="inactive", batch__name="Diwali 2026").count() == 30
    batch = GiftCardBatch.objects.get()
    assert staff.post(act("giftcardbatch", batch.pk, "activate")).status_code == 302
    assert gift_cards.find(store_id="demo", code=rows[3]["code"], pin=rows[3]["pin"])
    assert staff.post(act("giftcardbatch", batch.pk, "freeze")).status_code == 302
    assert GiftCard.objects.filter(state="frozen").count() == 30


def test_the_store_is_asked_for_where_there_are_two(staff: Client, store: Store, other_store: Store) -> None:
    sent = {"name": "b", "count": "2", "amount": "10"}
    assert staff.post(reverse("admin:wallets-gift-cards"), sent).context["form"].errors["store"]
    staff.post(reverse("admin:wallets-gift-cards"), sent | {"store": "other"})
    assert set(GiftCard.objects.values_list("store", flat=True)) == {"other"}


@pytest.mark.parametrize(
    ("typed", "found"), [("5678", 1), ("GIFT-1234-5678", 1), ("gift 1234 5678", 1), ("1234", 0), ("GIFT-1234-5679", 0)]
)
def test_cards_are_found_by_last_four_and_by_whole_code(staff: Client, store: Store, typed: str, found: int) -> None:
    card_account(store, "1", code="GIFT-1234-5678")
    card_account(store, "1", code="GIFT-0000-0000")
    assert staff.get(page("giftcard", "changelist"), {"q": typed}).context["cl"].result_count == found


def test_cards_are_frozen_one_by_one_and_in_bulk(staff: Client, store: Store, other_store: Store) -> None:
    cards = [card_account(store).pk, card_account(other_store).pk]
    assert staff.get(act("giftcard", cards[0], "freeze")).status_code == 200
    assert GiftCard.objects.filter(state="frozen").count() == 0
    staff.post(act("giftcard", cards[0], "freeze"))
    assert list(GiftCard.objects.filter(state="frozen").values_list("pk", flat=True)) == [cards[0]]
    staff.post(act("giftcard", cards[0], "thaw"))
    staff.post(page("giftcard", "changelist"), {"action": "freeze_many", "_selected_action": cards})
    assert GiftCard.objects.filter(state="frozen").count() == 2
    staff.post(page("giftcard", "changelist"), {"action": "thaw_many", "_selected_action": cards})
    assert GiftCard.objects.filter(state="active").count() == 2


def test_a_card_is_adjusted_and_given_another_end(staff: Client, store: Store) -> None:
    account = card_account(store, "100")
    staff.post(act("giftcard", account.pk, "adjust"), {"amount": "-40", "reason": "Paid at the till", "act": "a"})
    response = staff.post(act("giftcard", account.pk, "adjust"), {"amount": "-61", "reason": "x", "act": "b"})
    assert response.context["form"].errors["amount"]
    assert state(account) == (60, 0)
    sent = {"expires_at_0": "2027-01-31", "expires_at_1": "12:00:00", "note": "Lost"}
    assert staff.post(page("giftcard", "change", account.pk), sent).status_code == 302
    card = GiftCard.objects.get()
    assert card.expires_at is not None and card.note == "Lost"
    assert set(Entry.objects.filter(remaining__gt=0).values_list("expires_at", flat=True)) == {card.expires_at}


# --- rights, dashboard ----------------------------------------------------------------------------------------------
def test_who_may_look_may_not_change(browser: Client, store: Store, programme: Programme) -> None:
    points, card, own = points_account(store, 10), card_account(store), credit_account(store, "5")
    hugo = get_user_model().objects.create_user("hugo", password="x", is_staff=True)
    hugo.user_permissions.set(
        Permission.objects.filter(content_type__app_label="storefront_wallets", codename__startswith="view_")
    )
    browser.force_login(hugo)
    Customer.objects.create(pk=ASHA, store=store)
    sent = {"amount": "5", "reason": "x", "act": "a"}
    for model, account, path in (
        ("member", points, "adjust"),
        ("creditaccount", own, "adjust"),
        ("giftcard", card, "adjust"),
        ("giftcard", card, "freeze"),
    ):
        assert browser.get(page(model, "change", account.pk)).status_code == 200
        assert browser.post(act(model, account.pk, path), sent).status_code in (302, 403)
    for name in ("wallets-credit", "wallets-points"):
        assert browser.post(reverse(f"admin:{name}", args=["demo", ASHA]), sent).status_code == 403
    assert (
        browser.post(reverse("admin:wallets-gift-cards"), {"name": "b", "count": "1", "amount": "1"}).status_code == 403
    )
    assert browser.post(page("giftcard", "add"), {"amount": "5"}).status_code == 403
    assert [state(account)[0] for account in (points, own, card)] == [10, 5, 1000]
    assert set(GiftCard.objects.values_list("state", flat=True)) == {"active"}


def test_the_dashboard_shows_what_the_shop_owes(staff: Client, store: Store, other_store: Store) -> None:
    make_programme(store, point_value=Decimal("0.25"))
    points_account(store, 1000)
    credit_account(store, "500.50")
    credit_account(other_store, "99.50")
    card_account(store, "2000")
    with CaptureQueriesContext(connection) as captured:
        text = staff.get("/admin/").content.decode()
    assert "₹ 250.00" in text and "1,000 points of 1 member" in text
    assert "₹ 600.00" in text and "of 2 customers" in text
    assert "₹ 2,000.00" in text and "on 1 card" in text
    asked = [query["sql"] for query in captured.captured_queries if "storefront_wallets_" in query["sql"]]
    assert len(asked) <= 3
    assert "₹ 500.50" in staff.get("/admin/?store=demo").content.decode()


def test_a_shop_of_two_currencies_is_not_added_up(staff: Client, store: Store, other_store: Store) -> None:
    Store.objects.filter(pk="other").update(currency_code="USD", currency_symbol="$")
    credit_account(store, "500")
    credit_account(other_store, "99")
    text = staff.get("/admin/").content.decode()
    assert "₹ 500.00" in text and "$ 99.00" in text and "599.00" not in text


def test_what_orders_hold_is_shown(staff: Client, store: Store) -> None:
    account = credit_account(store, "100")
    ledger.hold(store_id=store.pk, account_id=account.pk, owner="o", amount=Decimal(60))
    assert "₹ 60.00" in staff.get(page("creditaccount", "changelist")).content.decode()
