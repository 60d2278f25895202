"""Segments: by hand and by conditions, in one query."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from customers import selectors, services
from customers.models import Customer, Document, KycDocumentType, Segment, SegmentMember
from storefront import provided
from storefront.models import CustomerGroup, Store
from tests.contract import assert_component

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def party(store: Store) -> Customer:
    return services.create_customer(store=store, customer_id="party")


def rule(store: Store, name: str = "rule", **conditions: Any) -> Segment:
    return Segment.objects.create(store=store, name=name, kind=Segment.Kind.RULE, **conditions)


def approved(party: Customer, kind: KycDocumentType, **facts: Any) -> Document:
    return Document.objects.create(
        store=party.store, customer=party, type=kind, status="approved", verified_at=NOW, **facts
    )


def test_a_segment_by_hand_has_its_members_only(store: Store, other_store: Store, party: Customer) -> None:
    segment = Segment.objects.create(store=store, name="Friends")
    Segment.objects.create(store=store, name="Nobody")
    SegmentMember.objects.create(store=store, segment=segment, customer=party)
    services.create_customer(store=store, customer_id="stranger")
    assert selectors.segment_ids(store=store, customer_id="party") == {segment.pk}
    assert selectors.segment_ids(store=store, customer_id="stranger") == frozenset()
    assert selectors.segment_ids(store=other_store, customer_id="party") == frozenset()


@pytest.mark.parametrize(
    ("conditions", "matches"),
    [
        ({"registered_from": NOW - timedelta(days=3650)}, True),
        ({"registered_from": NOW + timedelta(days=1)}, False),
        ({"registered_until": NOW + timedelta(days=1)}, True),
        ({"registered_until": NOW - timedelta(days=3650)}, False),
        ({"is_business": False}, True),
        ({"is_business": True}, False),
        ({"is_business": False, "registered_from": NOW + timedelta(days=1)}, False),  # all of them must apply
    ],
)
def test_conditions_decide(store: Store, party: Customer, conditions: dict[str, Any], matches: bool) -> None:
    segment = rule(store, **conditions)
    assert (segment.pk in selectors.segment_ids(store=store, customer_id="party")) is matches


def test_a_customer_without_a_group_is_of_the_default_one(store: Store, party: Customer) -> None:
    default = CustomerGroup.objects.get(store=store, is_default=True)
    trade = CustomerGroup.objects.create(store=store, name="Trade", slug="trade")
    everyone, traders = rule(store, "all", group=default), rule(store, "trade", group=trade)
    assert selectors.segment_ids(store=store, customer_id="party") == {everyone.pk}
    services.set_group(store=store, customer_id="party", group=trade)
    assert selectors.segment_ids(store=store, customer_id="party") == {traders.pk}


def test_a_document_counts_while_it_is_approved_and_in_date(store: Store, party: Customer) -> None:
    pan = KycDocumentType.objects.create(store=store, title="PAN", kind="pan", is_mandatory=True)
    segment = rule(store, has_document=pan)
    where = {"store": store, "customer_id": "party"}
    assert selectors.segment_ids(**where) == frozenset() and not selectors.kyc_complete(**where)
    document = approved(party, pan, expires_at=NOW + timedelta(days=30))
    assert selectors.segment_ids(**where) == {segment.pk} and selectors.kyc_complete(**where)
    later = datetime.now(tz=NOW.tzinfo) + timedelta(days=31)
    assert selectors.segment_ids(**where, now=later) == frozenset() and not selectors.kyc_complete(**where, now=later)
    Document.objects.filter(pk=document.pk).update(status="rejected")
    assert selectors.segment_ids(**where) == frozenset() and not selectors.kyc_complete(**where)


def test_one_query_however_many_segments(store: Store, party: Customer, django_assert_num_queries: Any) -> None:
    selectors.segment_ids(store=store, customer_id="party")
    for number in range(20):
        rule(store, f"rule {number}", is_business=False)
    with django_assert_num_queries(1):
        assert len(selectors.segment_ids(store=store, customer_id="party")) == 20
    with django_assert_num_queries(0):
        assert selectors.segment_ids(store=store, customer_id=None) == frozenset()


def test_an_erased_customer_is_in_no_segment(store: Store, party: Customer) -> None:
    segment = Segment.objects.create(store=store, name="Friends")
    SegmentMember.objects.create(store=store, segment=segment, customer=party)
    rule(store, is_business=False)
    services.erase_customer(store=store, customer_id="party", now=NOW)
    assert selectors.segment_ids(store=store, customer_id="party") == frozenset()
    assert not SegmentMember.objects.exists()


def test_a_rule_without_conditions_cannot_be_stored(store: Store) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        rule(store)


def test_the_kernel_asks_for_the_kinds_of_document_by_name(
    store: Store, other_store: Store, django_assert_num_queries: Any
) -> None:
    KycDocumentType.objects.create(store=store, title="GST", kind="gst", verification="auto", sort_order=2)
    KycDocumentType.objects.create(store=store, title="PAN", kind="pan", is_mandatory=True, sort_order=1)
    KycDocumentType.objects.create(store=store, title="Old", active=False)
    with django_assert_num_queries(1):
        shown = provided.ask("kyc_documents", default=(), store=store)
    assert [row["title"] for row in shown] == ["PAN", "GST"]
    for row in shown:
        assert_component("KycDocumentConfig", row)
    assert provided.ask("kyc_documents", default=(), store=other_store) == []
    assert provided.ask("nothing", default=3, store=store) == 3
    assert provided.ask("kyc_complete", default=True, store=store, customer_id=None) is False
