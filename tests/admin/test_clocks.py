"""Times of pages are those of the store whose row they show, and forms read them by the same clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from carts.models import Cart
from customers.models import Document, DocumentEvent
from storefront.models import ApiKey, Channel, Store
from storefront.staff import stores
from tests.admin.rows import MAKERS
from wallets.models import CreditAccount, Entry

pytestmark = pytest.mark.django_db

MOMENT = datetime(2031, 3, 4, 20, 15, tzinfo=UTC)  # in Kolkata 1:45 of the next day, in Berlin 21:15


@pytest.fixture
def berlin(other_store: Store) -> Store:
    Store.objects.filter(pk=other_store.pk).update(time_zone="Europe/Berlin")
    other_store.refresh_from_db()
    return other_store


def _cart(store: Store, number: int = 0) -> Cart:
    row = MAKERS[Cart](store, number)
    Cart.objects.filter(pk=row.pk).update(modified_at=MOMENT, created_at=MOMENT)
    return row


def _list(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def _page(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def _text(client: Any, address: str, asked: dict[str, str] | None = None) -> str:
    response = client.get(address, asked)
    assert response.status_code == 200
    return str(response.content.decode())


def _add_key(client: Any, of: Store, **sent: str) -> Any:
    return client.post(
        reverse("admin:storefront_apikey_add"),
        {
            "name": "Till",
            "channel": MAKERS[Channel](of, 7).pk,
            "rate_limit": "",
            "expires_at_0": "2031-03-05",
            "expires_at_1": "01:45:00",
            **sent,
        },
    )


def test_lists_and_pages_of_the_only_store_show_its_time_and_not_that_of_the_site(staff, store):
    cart = _cart(store)
    for address in (_list(Cart), _page(cart)):
        text = _text(staff, address)
        assert "March 5, 2031, 1:45 a.m." in text
        assert "8:15 p.m." not in text


def test_a_list_of_stores_with_different_clocks_shows_each_row_by_its_own_and_says_by_which(staff, store, berlin):
    _cart(store)
    _cart(berlin, 1)
    text = _text(staff, _list(Cart))
    assert "March 5, 2031, 1:45 a.m. IST" in text
    assert "March 4, 2031, 9:15 p.m. CET" in text
    assert "8:15 p.m." not in text


def test_the_page_of_a_row_goes_by_the_clock_of_its_store(staff, store, berlin):
    assert "March 5, 2031, 1:45 a.m." in _text(staff, _page(_cart(store)))
    assert "March 4, 2031, 9:15 p.m." in _text(staff, _page(_cart(berlin, 1)))


def test_the_history_of_a_document_goes_by_the_clock_of_its_store(staff, store):
    document = MAKERS[Document](store, 0)
    DocumentEvent.objects.update(created_at=MOMENT)
    text = _text(staff, _page(document))
    assert "March 5, 2031, 1:45 a.m.: Submitted" in text
    assert "20:15" not in text


def test_the_ledger_on_a_customer_s_page_goes_by_the_clock_of_the_store(staff, store):
    account = MAKERS[CreditAccount](store, 0)
    Entry.objects.update(created_at=MOMENT)
    text = _text(staff, reverse("admin:storefront_customers_customer_change", args=[account.customer_id]))
    assert "5 Mar 2031, 01:45" in text
    assert "20:15" not in text


def test_columns_that_lead_to_a_row_do_so_with_several_clocks(staff, store, berlin):
    entry = MAKERS[Entry](store, 0)
    assert f'href="{_page(entry)}' in _text(staff, _list(Entry))


def test_staff_limited_to_one_store_see_its_time_and_ask_nothing_of_others(browser, store, berlin):
    berta = get_user_model().objects.create_user("berta", password="x", is_staff=True)
    berta.user_permissions.add(Permission.objects.get(codename="view_cart", content_type__app_label="storefront_carts"))
    stores.limit(user=berta, stores=[berlin])
    _cart(store)
    _cart(berlin, 1)
    browser.force_login(berta)
    text = _text(browser, _list(Cart))
    assert "March 4, 2031, 9:15 p.m." in text
    assert "1:45 a.m." not in text


def test_a_day_of_a_filter_begins_at_midnight_of_the_store(staff, store):
    cart = _cart(store)
    day = {"modified_at_from": "2031-03-05", "modified_at_to": "2031-03-05"}
    assert _page(cart) in _text(staff, _list(Cart), day)
    day = {"modified_at_from": "2031-03-04", "modified_at_to": "2031-03-04"}
    assert _page(cart) not in _text(staff, _list(Cart), day)


def test_a_day_of_a_filter_begins_at_midnight_of_the_store_that_is_chosen(staff, store, berlin):
    cart = _cart(berlin)
    day = {"modified_at_from": "2031-03-04", "modified_at_to": "2031-03-04", "store__id__exact": berlin.pk}
    assert _page(cart) in _text(staff, _list(Cart), day)
    Cart.objects.update(modified_at=datetime(2031, 3, 4, 23, 15, tzinfo=UTC))  # past midnight in Berlin
    assert _page(cart) not in _text(staff, _list(Cart), day)


def test_a_form_reads_a_time_by_the_clock_of_the_only_store_and_says_so(staff, store):
    assert "Times are those of Asia/Kolkata." in _text(staff, reverse("admin:storefront_apikey_add"))
    _add_key(staff, store)
    key = ApiKey.objects.get(name="Till")
    assert key.expires_at == MOMENT
    assert 'value="01:45:00"' in _text(staff, _page(key))


def test_a_form_of_a_new_row_reads_a_time_by_the_clock_of_the_store_that_it_names(staff, store, berlin):
    assert "Times are those of the store." in _text(staff, reverse("admin:storefront_apikey_add"))
    _add_key(staff, berlin, store=berlin.pk, expires_at_0="2031-03-04", expires_at_1="21:15:00")
    key = ApiKey.objects.get(name="Till")
    assert key.expires_at == MOMENT
    text = _text(staff, _page(key))
    assert "Times are those of Europe/Berlin." in text
    assert 'value="21:15:00"' in text


def test_the_clock_of_a_page_ends_with_it(staff, store, berlin):
    before = timezone.get_current_timezone_name()
    _text(staff, _page(_cart(berlin)))
    assert timezone.get_current_timezone_name() == before


@pytest.mark.parametrize("named", ["nowhere", "%"])
def test_a_store_that_is_not_there_leaves_the_clock_of_the_site(staff, store, berlin, named):
    assert staff.get(reverse("admin:index"), {"store": named}).status_code == 200
