"""Lists and pages of what belongs to customers say who these are."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.models import User
from customers.models import Address, BankAccount, Customer, Document, Invitation
from payments.models import CreditLine, Mandate, MandateDebit, SavedCard, SavedMethod
from storefront import provided
from storefront.models import Store
from tests.admin.rows import MAKERS
from wallets.models import CreditAccount, Earning, Entry, Member

pytestmark = pytest.mark.django_db

PAGES = [Customer, Address, BankAccount, Document, Member, Earning, CreditAccount, Entry]
PAGES += [CreditLine, Mandate, MandateDebit, SavedCard, SavedMethod]
LISTS = [*PAGES, Invitation]


@pytest.fixture
def everybody_is_zubeida(monkeypatch: pytest.MonkeyPatch) -> None:
    def people(*, store: Store, customer_ids: list[str]) -> dict[str, tuple[str, str, str]]:
        return dict.fromkeys(customer_ids, ("Zubeida Quinn", "", ""))

    monkeypatch.setitem(provided._functions, "people_of_customers", people)


def _address(row: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=args)


def _text(client: Any, address: str) -> str:
    """What is read on a page, without addresses of links."""
    response = client.get(address)
    assert response.status_code == 200
    return re.sub(r"<[^>]*>", " ", response.content.decode())


@pytest.fixture
def reader(browser: Any) -> Any:
    """Someone who sees ledgers and no customers."""
    user = get_user_model().objects.create_user("rita", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_creditaccount"))
    browser.force_login(user)
    return browser


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model.__name__)
def test_a_list_shows_the_name_of_each_customer(staff, store, model, everybody_is_zubeida):
    row = MAKERS[model](store, 0)
    assert "Zubeida Quinn" in _text(staff, _address(row, "changelist"))


@pytest.mark.parametrize("model", PAGES, ids=lambda model: model.__name__)
def test_the_page_of_a_row_shows_the_name_of_its_customer(staff, store, model, everybody_is_zubeida):
    row = MAKERS[model](store, 0)
    assert "Zubeida Quinn" in _text(staff, _address(row, "change", row.pk))


def test_who_may_not_see_customers_reads_ids(reader, store, everybody_is_zubeida):
    account = MAKERS[CreditAccount](store, 0)
    for address in (_address(account, "changelist"), _address(account, "change", account.pk)):
        text = _text(reader, address)
        assert account.customer_id in text
        assert "Zubeida" not in text


def test_a_business_goes_by_its_own_name(staff, store, everybody_is_zubeida):
    customer = MAKERS[Customer](store, 0)
    Customer.objects.filter(pk=customer.pk).update(business={"name": "Corner Teas"})
    text = _text(staff, _address(customer, "changelist"))
    assert "Corner Teas" in text
    assert "Zubeida" not in text


def test_the_title_of_a_customers_page_is_the_name(staff, store, everybody_is_zubeida):
    customer = MAKERS[Customer](store, 0)
    page = staff.get(_address(customer, "change", customer.pk)).content.decode()
    title = page[page.index("<title>") : page.index("</title>")]
    assert "Zubeida Quinn" in title
    assert customer.pk not in title


def test_a_customer_goes_by_the_primary_user_then_by_a_masked_contact_then_by_the_id(staff, store):
    customer = MAKERS[Customer](store, 0)
    User.objects.all().delete()
    user = User.objects.create(
        store=store, customer=customer, first_name="Zubeida", last_name="Quinn", email="zubeida@example.com"
    )
    address = _address(customer, "changelist")
    assert "Zubeida Quinn" in _text(staff, address)
    User.objects.filter(pk=user.pk).update(first_name="", last_name="")
    assert "z***@example.com" in _text(staff, address)
    User.objects.all().delete()
    assert customer.pk in _text(staff, address)
