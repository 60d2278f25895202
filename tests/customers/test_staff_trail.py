"""Who of the staff read or changed personal data is written down, without the data."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Session, User
from customers import book, exporting, services
from customers.kyc import services as kyc
from customers.models import Customer, CustomerNote, KycDocumentType
from storefront import events
from storefront.models import StaffAccess, Store
from storefront.staff import trail
from tests.customers.conftest import ADDRESS

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(store: Store) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    return client


@pytest.fixture
def user(store: Store) -> User:
    customer = services.create_customer(store=store, customer_id="asha")
    facts = {"first_name": "Asha", "last_name": "Rao", "email": "asha@example.com", "phone": "+919876543210"}
    return User.objects.create(pk="asha", store=store, customer=customer, **facts)


def page(row: Any, name: str = "change") -> str:
    meta = row._meta
    found = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    return found.replace("/change/", f"/{name}/")


def written() -> list[tuple[str, str, str]]:
    return [(row.action, row.kind.split(".")[1], row.customer_id) for row in StaffAccess.objects.order_by("pk")]


def test_opening_a_page_is_written_once(staff: Client, store: Store, user: User) -> None:
    address = book.create(store=store, customer_id="asha", data=ADDRESS)
    for row in (user, user.customer, address):
        assert staff.get(page(row)).status_code == 200
    assert written() == [("view", "User", "asha"), ("view", "Customer", "asha"), ("view", "Address", "asha")]
    row = StaffAccess.objects.first()
    assert row is not None and (row.staff_name, row.object_id, row.fields) == ("grace", "asha", [])


def test_a_change_names_its_fields_and_no_values(staff: Client, user: User) -> None:
    sent = {"first_name": "Secret", "last_name": "Rao", "wanted": ["transactional.email", "promotional.sms"]}
    assert staff.post(page(user), sent).status_code == 302
    row = StaffAccess.objects.get()
    assert (row.action, row.fields) == ("change", ["first_name", "wanted"])
    user.refresh_from_db()
    assert user.preferences["promotional"] == {"email": False, "sms": True, "whatsapp": False}


def test_a_change_that_cannot_be_written_down_does_not_happen(
    staff: Client, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(trail, "record", fail)
    assert staff.get(page(user)).status_code == 200  # shown, and an error in the log
    assert staff.post(page(user), {"first_name": "Other"}).status_code == 500
    assert staff.post(page(user, "deactivate")).status_code == 500
    user.refresh_from_db()
    assert (user.first_name, user.deactivated_at) == ("Asha", None)


def test_sessions_ended_by_staff_are_written_down(staff: Client, store: Store, user: User) -> None:
    later = timezone.now() + timedelta(days=1)
    one, two = (Session.objects.create(store=store, user=user, method="otp", expires_at=later) for _ in range(2))
    text = staff.get(page(user.customer)).content.decode()
    assert one.pk in text and two.pk in text
    staff.post(page(one, "end"))
    assert Session.objects.filter(ended_at=None).count() == 1
    staff.post(page(user, "end-sessions"))
    assert not Session.objects.filter(ended_at=None).exists()
    assert [entry for entry in written() if entry[0] == "end_session"] == [
        ("end_session", "Session", "asha"),
        ("end_session", "User", "asha"),
    ]


@pytest.mark.parametrize("text", ["Ash", "rao", "Asha Rao", "asha@ex", "ASHA@EX", "543210", "asha"])
def test_customers_are_found_by_their_people(staff: Client, store: Store, user: User, text: str) -> None:
    services.create_customer(store=store, customer_id="bela")
    found = staff.get(reverse("admin:storefront_customers_customer_changelist"), {"q": text})
    assert [row.pk for row in found.context["cl"].result_list] == ["asha"]


def test_notes_are_added_and_shown_and_never_changed(staff: Client, user: User) -> None:
    assert staff.post(page(user.customer, "note"), {"text": " "}).status_code == 200
    assert not CustomerNote.objects.exists()
    staff.post(page(user.customer, "note"), {"text": "Call after six <b>"})
    note = CustomerNote.objects.get()
    assert (note.text, note.author) == ("Call after six <b>", "grace")
    assert "Call after six &lt;b&gt;" in staff.get(page(user.customer)).content.decode()


def test_the_workbench_asks_no_more_for_more(staff: Client, store: Store, user: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert staff.get(page(user.customer)).status_code == 200
        return len(found)

    def add(number: int) -> None:
        book.create(store=store, customer_id="asha", data=ADDRESS | {"address_line1": f"{number} Road"})
        services.add_note(store=store, customer_id="asha", text="x", author="grace")
        later = timezone.now() + timedelta(days=1)
        Session.objects.create(store=store, user=user, method="otp", expires_at=later)

    queries()
    add(0)
    few = queries()
    for number in range(1, 8):
        add(number)
    assert queries() == few


def test_rights_hide_panels_and_close_actions(store: Store, user: User) -> None:
    hugo = get_user_model().objects.create_user("hugo", password="x", is_staff=True)
    hugo.user_permissions.set(Permission.objects.filter(codename="view_customer"))
    client = Client()
    client.force_login(hugo)
    text = client.get(page(user.customer)).content.decode()
    assert "Bank accounts" not in text and "Access by staff" not in text
    for name in ("export-data", "erase", "note"):
        assert client.post(page(user.customer, name), {"text": "x"}).status_code == 403, name
    assert Customer.objects.get().erased_at is None
    assert {row.action for row in StaffAccess.objects.all()} == {"view"}


def test_old_rows_go_in_batches(store: Store, configure: Any) -> None:
    configure(STAFF_ACCESS_DAYS=10)
    now = timezone.now()
    for days in (1, 11, 12):
        StaffAccess.objects.create(
            store=store, staff_name="x", action="view", kind="x.Y", at=now - timedelta(days=days)
        )
    events.send("sweep", now=now, batch=1)
    assert StaffAccess.objects.count() == 2
    events.send("sweep", now=now, batch=1)
    assert StaffAccess.objects.get().at == now - timedelta(days=1)


def test_the_queue_leads_from_document_to_document(staff: Client, store: Store, user: User) -> None:
    now = timezone.now()
    rows = []
    for number in range(3):
        kind = KycDocumentType.objects.create(store=store, title=f"Licence {number}")
        when = now - timedelta(days=3 - number)
        rows.append(kyc.submit(store=store, customer_id="asha", by="x", type_id=kind.pk, number="1", now=when))
    queue = reverse("admin:storefront_customers_document_changelist") + "review/"
    assert staff.get(queue).url == page(rows[0])  # the longest waiting
    assert staff.post(page(rows[0], "approve")).url == page(rows[1])
    assert staff.post(page(rows[1], "reject"), {"reason": "Unreadable"}).url == page(rows[2])
    assert "No document waits" in staff.post(page(rows[2], "approve"), follow=True).content.decode()
    assert "Unreadable" in staff.get(page(rows[1])).content.decode()


def test_customers_are_exported_for_spreadsheets_and_it_is_written_down(
    staff: Client, store: Store, other_store: Store, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "CHUNK", 2)
    User.objects.update(first_name="=1+1")
    for number in range(4):
        services.create_customer(store=store, customer_id=f"more-{number}")
    services.create_customer(store=other_store, customer_id="foreign")
    lists = reverse("admin:storefront_customers_customer_changelist")
    assert "/customers/demo/export/" in staff.get(lists + "export-list/").content.decode()
    address = reverse("admin:customers-export", args=["demo"])
    assert "Download" in staff.get(address).content.decode()
    assert not StaffAccess.objects.exists()
    answer = staff.post(address)
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert [line.split(",")[0] for line in lines] == ["id", "asha", "more-0", "more-1", "more-2", "more-3"]
    assert lines[1].startswith("asha,'=1+1 Rao,asha@example.com,'+919876543210,")
    row = StaffAccess.objects.get()
    assert (row.action, row.store_id, row.staff_name) == ("export", "demo", "grace")
    hugo = get_user_model().objects.create_user("hugo", password="x", is_staff=True)
    hugo.user_permissions.set(Permission.objects.filter(codename="view_customer"))
    client = Client()
    client.force_login(hugo)
    assert client.post(address).status_code == 403
    assert StaffAccess.objects.count() == 1
