"""A customer's page: group, business, people."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from customers.models import Customer
from storefront.models import CustomerGroup, Store
from tests.admin.rows import MAKERS

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(store: Store) -> Customer:
    return MAKERS[User](store, 1).customer


def _save(staff: Any, customer: Customer, **fields: Any) -> Any:
    sent = {"group": "", "business_name": "", "business_type": "", "metadata": "{}"} | fields
    return staff.post(f"/admin/storefront_customers/customer/{customer.pk}/change/", sent)


def test_staff_choose_the_group_among_those_of_the_store(staff, store, other_store, customer):
    group = CustomerGroup.objects.create(store=store, name="Wholesale", slug="wholesale")
    foreign = CustomerGroup.objects.get(store=other_store)
    assert _save(staff, customer, group=foreign.pk).status_code == 200
    customer.refresh_from_db()
    assert customer.group is None
    assert _save(staff, customer, group=group.pk).status_code == 302
    customer.refresh_from_db()
    assert customer.group == group


def test_a_business_keeps_what_the_client_added_to_it(staff, customer):
    Customer.objects.filter(pk=customer.pk).update(business={"name": "A", "type": "", "metadata": {"size": "big"}})
    assert _save(staff, customer, business_name="Tea Ltd", business_type="company").status_code == 302
    customer.refresh_from_db()
    assert customer.business == {"name": "Tea Ltd", "type": "company", "metadata": {"size": "big"}}
    assert _save(staff, customer, business_type="company").status_code == 200
    assert _save(staff, customer).status_code == 302
    customer.refresh_from_db()
    assert customer.business is None


def test_an_erased_customer_is_only_looked_at(staff, customer):
    Customer.objects.filter(pk=customer.pk).update(erased_at=timezone.now())
    assert staff.get(f"/admin/storefront_customers/customer/{customer.pk}/change/").status_code == 200
    assert _save(staff, customer, business_name="Back again").status_code == 403
    customer.refresh_from_db()
    assert customer.business is None


def test_the_page_names_the_people_with_masked_contacts(staff, customer):
    text = staff.get(f"/admin/storefront_customers/customer/{customer.pk}/change/").content.decode()
    assert "a***@example.com" in text
    assert "asha1@example.com" not in text
    assert f"/admin/storefront_accounts/user/{customer.pk}/change/" in text
