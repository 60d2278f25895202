"""Segments as staff see them: who is in one, and putting somebody into one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from customers import selectors, services
from customers.models import Customer, Document, KycDocumentType, Segment, SegmentMember
from storefront.models import CustomerGroup, Store

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def staff(store: Store) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    return client


def page(segment: Segment) -> str:
    return reverse("admin:storefront_customers_segment_change", args=[segment.pk])


def people(store: Store, *names: str) -> list[Customer]:
    return [services.create_customer(store=store, customer_id=f"{store.pk}-{name}") for name in names]


def test_a_page_says_who_is_in_a_segment_by_conditions(staff: Client, store: Store, other_store: Store) -> None:
    segment = Segment.objects.create(store=store, name="Firms", kind="rule", is_business=True)
    asha, ben, _cleo = people(store, "asha", "ben", "cleo")
    people(other_store, "foreign")
    for row in (asha, ben):
        services.set_business(store=store, customer_id=row.pk, business={"name": row.pk.title(), "type": ""})
    Customer.objects.filter(store=other_store).update(business={"name": "Foreign"})
    text = staff.get(page(segment)).content.decode()
    assert "2 customers: " in text and "Demo-Asha" in text and "Foreign" not in text
    services.erase_customer(store=store, customer_id=asha.pk, now=NOW)
    assert "1 customer: " in staff.get(page(segment)).content.decode()


@pytest.mark.parametrize(
    "conditions",
    [
        {"group": "default"},
        {"group": "trade"},
        {"registered_from": NOW - timedelta(days=5)},
        {"registered_until": NOW - timedelta(days=5)},
        {"is_business": True},
        {"is_business": False, "group": "default"},
        {"has_document": "pan"},
    ],
)
def test_the_count_agrees_with_what_offers_see(store: Store, other_store: Store, conditions: dict[str, Any]) -> None:
    trade = CustomerGroup.objects.create(store=store, name="Trade", slug="trade")
    pan = KycDocumentType.objects.create(store=store, title="PAN", kind="pan")
    named = {"default": CustomerGroup.objects.get(store=store, is_default=True), "trade": trade, "pan": pan}
    facts = {name: named.get(value, value) for name, value in conditions.items()}
    segment = Segment.objects.create(store=store, name="Rule", kind="rule", **facts)
    everybody = people(store, "plain", "trader", "old", "firm", "proved", "expired")
    people(other_store, "plain")
    rows = Customer.objects.filter(store=store)
    rows.filter(pk="demo-trader").update(group=trade)
    rows.filter(pk="demo-old").update(created_at=NOW - timedelta(days=9))
    rows.filter(pk="demo-firm").update(business={"name": "Firm"})
    for name, until in (("proved", NOW + timedelta(days=1)), ("expired", NOW - timedelta(days=1))):
        Document.objects.create(
            store=store, customer_id=f"demo-{name}", type=pan, status="approved", verified_at=NOW, expires_at=until
        )
    found = set(selectors.customers_of_segment(segment=segment).values_list("pk", flat=True))
    each = {row.pk for row in everybody if segment.pk in selectors.segment_ids(store=store, customer_id=row.pk)}
    assert found == each and 0 < len(found) < len(everybody)


def test_members_are_found_by_their_people(staff: Client, store: Store) -> None:
    (asha,) = people(store, "asha")
    User.objects.create(pk=asha.pk, store=store, customer=asha, first_name="Asha", email="asha@example.com")
    people(store, "ben")
    asked = {"app_label": "storefront_customers", "model_name": "segmentmember", "field_name": "customer"}
    answer = staff.get(reverse("admin:autocomplete"), asked | {"term": "Ash"}).json()
    assert [row["id"] for row in answer["results"]] == [asha.pk]
    segment = Segment.objects.create(store=store, name="Friends")
    sent = {"name": "Friends", "kind": "manual", "is_business": "", "members-0-customer": asha.pk}
    assert "admin-autocomplete" in staff.get(page(segment)).content.decode()
    sent |= {"members-TOTAL_FORMS": "1", "members-INITIAL_FORMS": "0"}
    assert staff.post(page(segment), sent).status_code == 302
    assert "1 customer: " in staff.get(page(segment)).content.decode()
    sent = {"name": "Friends", "kind": "manual", "is_business": "", "members-0-id": SegmentMember.objects.get().pk}
    sent |= {"members-TOTAL_FORMS": "1", "members-INITIAL_FORMS": "1", "members-0-DELETE": "on"}
    assert staff.post(page(segment), sent).status_code == 302
    assert not SegmentMember.objects.exists()


def test_the_same_questions_however_many_are_in_it(staff: Client, store: Store) -> None:
    by_hand = Segment.objects.create(store=store, name="Friends")
    by_rule = Segment.objects.create(store=store, name="Private", kind="rule", is_business=False)

    def queries(segment: Segment) -> int:
        staff.get(page(segment))
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(page(segment)).status_code == 200
        return len(captured)

    def fill(*names: str) -> None:
        for row in people(store, *names):
            SegmentMember.objects.create(store=store, segment=by_hand, customer=row)

    fill("one", "two")
    few = [queries(by_hand), queries(by_rule)]
    fill(*(f"more-{number}" for number in range(12)))
    assert [queries(by_hand), queries(by_rule)] == few
