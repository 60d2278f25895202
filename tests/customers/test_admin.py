"""What staff do with what customers own: judge documents, invite users, sort customers into segments."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from customers import selectors, services
from customers.kyc import services as kyc
from customers.models import Customer, Document, DocumentEvent, Invitation, KycDocumentType, Segment
from messaging.models import Message
from storefront.models import Store
from tests.customers.test_documents import PDF

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(store: Store) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    return client


@pytest.fixture
def reader(store: Store) -> Client:
    """May look at documents, and no more."""
    user = get_user_model().objects.create_user("hugo", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_document", "view_invitation"]))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def party(store: Store) -> Customer:
    return services.create_customer(store=store, customer_id="party")


@pytest.fixture
def document(store: Store, party: Customer, settings: Any, tmp_path: Any) -> Document:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    licence = KycDocumentType.objects.create(store=store, title="Licence")
    return kyc.submit(
        store=store,
        customer_id=party.pk,
        by="x",
        type_id=licence.pk,
        number="L-77",
        file=SimpleUploadedFile("a", PDF),
        now=timezone.now(),
    )


def page(row: Any, name: str) -> str:
    kind = row._meta.model_name
    change = reverse(f"admin:storefront_customers_{kind}_change", args=[row.pk])
    return change if name == "change" else change.replace("/change/", f"/{name}/")


def lists(kind: str) -> str:
    return reverse(f"admin:storefront_customers_{kind}_changelist")


def test_a_document_is_read_downloaded_and_approved(staff: Client, document: Document) -> None:
    assert "L-77" in staff.get(page(document, "change")).content.decode()
    sent = staff.get(page(document, "download"))
    assert sent.status_code == 302
    assert b"".join(Client().get(sent.url).streaming_content) == PDF  # type: ignore[attr-defined]
    assert "Approve" in staff.get(page(document, "approve")).content.decode()
    assert Document.objects.get().status == "submitted"
    staff.post(page(document, "approve"))
    row = Document.objects.get()
    assert (row.status, row.modified_by) == ("approved", "admin")
    assert DocumentEvent.objects.get(kind="approved").by == "grace"
    staff.post(page(document, "approve"))  # again changes nothing
    assert DocumentEvent.objects.filter(kind="approved").count() == 1


def test_a_rejection_needs_a_reason(staff: Client, document: Document) -> None:
    assert staff.post(page(document, "reject"), {"reason": " "}).status_code == 200
    assert Document.objects.get().status == "submitted"
    staff.post(page(document, "reject"), {"reason": "Not readable"})
    row = Document.objects.get()
    assert (row.status, row.modified_reason) == ("rejected", "Not readable")
    assert (
        "rejected or expired already"
        in staff.post(page(document, "reject"), {"reason": "Twice"}, follow=True).content.decode()
    )
    assert Document.objects.get().modified_reason == "Not readable"


def test_many_are_approved_at_once_and_decided_ones_stay(staff: Client, document: Document, store: Store) -> None:
    other = KycDocumentType.objects.create(store=store, title="Other", kind="other")
    facts = {"store": store, "customer_id": "party", "by": "x", "now": timezone.now()}
    second = kyc.submit(**facts, type_id=other.pk, number="2")
    kyc.reject(store=store, document_id=second.pk, by="x", reason="No", now=timezone.now())
    chosen = {"action": "approve", "_selected_action": [document.pk, second.pk]}
    answer = staff.post(lists("document"), chosen, follow=True)
    assert "1 document is approved" in answer.content.decode()
    assert {row.pk: row.status for row in Document.objects.all()} == {document.pk: "approved", second.pk: "rejected"}


def test_who_may_only_look_decides_nothing(reader: Client, document: Document) -> None:
    assert reader.get(page(document, "change")).status_code == 200
    assert reader.post(page(document, "approve")).status_code == 403
    assert reader.post(page(document, "reject"), {"reason": "x"}).status_code == 403
    reader.post(lists("document"), {"action": "approve", "_selected_action": [document.pk]})
    assert Document.objects.get().status == "submitted"


def test_staff_invite_a_user_and_withdraw_it(staff: Client, reader: Client, party: Customer) -> None:
    assert reader.post(page(party, "invite"), {"contact": "a@example.com"}).status_code == 403
    assert "valid" in staff.post(page(party, "invite"), {"contact": "12"}).content.decode()
    assert not Invitation.objects.exists()
    staff.post(page(party, "invite"), {"contact": "098765 43210"})
    row = Invitation.objects.get()
    assert (row.contact, row.customer_id, row.invited_by) == ("+919876543210", "party", "grace")
    assert Message.objects.get().to == "+919876543210"
    assert "9876543210" not in staff.get(lists("invitation")).content.decode()  # masked in lists
    chosen = {"action": "withdraw", "_selected_action": [row.pk], "confirmed": "1"}
    reader.post(lists("invitation"), chosen)
    assert Invitation.objects.get().state == "open"
    staff.post(lists("invitation"), chosen)
    assert Invitation.objects.get().state == "withdrawn"


def test_a_segment_takes_members_of_its_own_store_only(
    staff: Client, store: Store, other_store: Store, party: Customer
) -> None:
    foreign = services.create_customer(store=other_store, customer_id="foreign")
    segment = Segment.objects.create(store=store, name="Friends")

    def save(customer: str) -> Any:
        return staff.post(
            page(segment, "change"),
            {
                "name": "Friends",
                "kind": "manual",
                "is_business": "",
                "members-TOTAL_FORMS": 1,
                "members-INITIAL_FORMS": 0,
                "members-0-customer": customer,
            },
        )

    assert "belongs to another store" in save(foreign.pk).content.decode()
    assert save(party.pk).status_code == 302
    assert selectors.segment_ids(store=store, customer_id="party") == {segment.pk}


def test_a_rule_without_conditions_is_told_in_the_form(staff: Client, store: Store, other_store: Store) -> None:
    sent = {"store": store.pk, "name": "All", "kind": "rule", "is_business": ""}
    sent |= {"members-TOTAL_FORMS": "0", "members-INITIAL_FORMS": "0"}
    answer = staff.post(reverse("admin:storefront_customers_segment_add"), sent)
    assert "Give at least one condition" in answer.content.decode()
    assert not Segment.objects.exists()


def test_a_business_shows_its_tax_numbers_and_registered_address(staff: Client, party: Customer) -> None:
    assert "–" in staff.get(page(party, "change")).content.decode()
    business = {"name": "Rao", "type": "", "pan_number": "AAPFU0939F", "gstin": "27AAPFU0939F1ZV"}
    address = {"address_line1": "7 Marine Drive", "address_line2": None, "city": "Mumbai", "country": "India"}
    Customer.objects.update(business=business | {"registered_address": address})
    shown = staff.get(page(party, "change")).content.decode()
    for text in ("AAPFU0939F", "27AAPFU0939F1ZV", "7 Marine Drive, Mumbai, India"):
        assert text in shown
    staff.post(page(party, "change"), {"business_name": "Rao Ltd", "business_type": "company", "metadata": "{}"})
    kept = Customer.objects.get().business
    assert kept == business | {"name": "Rao Ltd", "type": "company", "registered_address": address}
