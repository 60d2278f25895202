"""All that the shop knows of somebody is handed out as one document, and no table holds any of it after erasing."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import ConsentRecord, SecurityEvent, User
from customers import services
from customers.kyc import services as kyc
from customers.models import Address, Customer, CustomerNote, KycDocumentType
from storefront import events
from storefront.models import StaffAccess, Store
from tests.conftest import Api
from tests.customers.conftest import ADDRESS
from tests.customers.test_bank_accounts import ACCOUNT
from tests.customers.test_documents import PDF
from wallets.services import credit

pytestmark = pytest.mark.django_db
PERSONAL = (
    "asha@example.com", "9876543210", "Ashalatha", "Raogaru", "12 MG Road", "Opposite the park", "AAPFU0931F",
    "501000123456", "Likes green tea", "L-77", "Rao Spices",
)  # fmt: skip


@pytest.fixture
def staff(store: Store) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    return client


@pytest.fixture
def full(store: Store, shopper: Api, staff: Client, settings: Any, tmp_path: Any) -> Api:
    """A shopper of whom everything is known, and whose pages staff have opened and changed."""
    settings.MEDIA_ROOT = str(tmp_path / "media")
    who = shopper.user_id
    names = {"first_name": "Ashalatha", "last_name": "Raogaru"}
    wanted = {"promotional": {"email": True}, "newsletter": {"email": True}}
    assert shopper.put(f"/auth/user/{who}", names | {"notification_preferences": wanted}).status_code == 200
    business = {"name": "Rao Spices", "pan_number": "AAPFU0931F"}
    assert shopper.post("/customers", {"address": ADDRESS, "business": business}).status_code == 200
    assert shopper.post(f"/customers/{who}/bank-accounts", ACCOUNT).status_code == 200
    licence = KycDocumentType.objects.create(store=store, title="Licence", kind="other")
    file = SimpleUploadedFile("a", PDF)
    kyc.submit(store=store, customer_id=who, now=timezone.now(), by=who, type_id=licence.pk, number="L-77", file=file)
    credit.grant(store=store, customer_id=who, amount=Decimal(50), remarks="For Ashalatha")
    services.add_note(store=store, customer_id=who, text="Likes green tea", author="grace")
    for page in (user_page(who), customer_page(who)):
        assert staff.get(page).status_code == 200
    assert staff.post(user_page(who), names | {"first_name": "Ashalatha II", "wanted": ["transactional.email"]})
    return shopper


def user_page(pk: str, name: str = "change") -> str:
    return reverse("admin:storefront_accounts_user_change", args=[pk]).replace("/change/", f"/{name}/")


def customer_page(pk: str, name: str = "change") -> str:
    return reverse("admin:storefront_customers_customer_change", args=[pk]).replace("/change/", f"/{name}/")


def everything() -> str:
    """Every row of every table, as text."""
    models = apps.get_models(include_auto_created=True)
    return "\n".join(f"{model._meta.label} {row!r}" for model in models for row in model._base_manager.values_list())


def leaks(text: str) -> list[str]:
    return [line for line in text.splitlines() if any(re.search(re.escape(word), line) for word in PERSONAL)]


def test_staff_download_all_that_is_kept(staff: Client, full: Api, store: Store) -> None:
    assert "Download" in staff.get(customer_page(full.user_id, "export-data")).content.decode()
    assert not StaffAccess.objects.filter(action="export").exists()  # a link alone exports nothing
    answer = staff.post(customer_page(full.user_id, "export-data"))
    assert "attachment" in answer["Content-Disposition"] and "no-store" in answer["Cache-Control"]
    (person,) = answer.json()["people"]
    data = person["data"]
    assert data["account"]["email"] == "asha@example.com"
    assert data["addresses"][0]["address_line1"] == "12 MG Road"
    assert data["documents"][0]["document_number"] == "L-77"
    assert data["customer"]["business"]["pan_number"] == "AAPFU0931F"
    assert data["notes"][0]["text"] == "Likes green tea"
    assert data["wallets"]["credit"]["balance"] == 50
    assert {(row["topic"], row["granted"], row["source"]) for row in data["consents"]} >= {
        ("newsletter", True, "api"),
        ("newsletter", False, "admin"),
    }
    assert "501000123456" not in answer.content.decode()
    row = StaffAccess.objects.get(action="export")
    assert (row.staff_name, row.customer_id) == ("grace", full.user_id)


def test_the_commands_export_and_erase_and_are_written_down(full: Api, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "asha.json"
    call_command("export_shopper", store.pk, "Asha@Example.com", output=str(file), stderr=StringIO())
    assert json.loads(file.read_text())["people"][0]["user_id"] == full.user_id
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(CommandError):  # it never writes over a file
        call_command("export_shopper", store.pk, full.user_id, output=str(file))
    with pytest.raises(CommandError, match="Nobody"):
        call_command("export_shopper", store.pk, "nobody@example.com")
    with pytest.raises(CommandError, match="--yes"):
        call_command("erase_shopper", store.pk, full.user_id)
    assert User.objects.get().deleted_at is None
    call_command("erase_shopper", store.pk, full.user_id, yes=True, stdout=StringIO())
    assert User.objects.get().deleted_at is not None
    with pytest.raises(CommandError, match="Nobody"):
        call_command("erase_shopper", store.pk, full.user_id, yes=True)
    assert StaffAccess.objects.get(action="erase").staff_name == "manage.py erase_shopper"


def test_nothing_of_the_person_is_left_in_any_table_and_the_ledgers_hold(
    staff: Client, full: Api, store: Store, django_capture_on_commit_callbacks: Any
) -> None:
    assert leaks(everything())
    staff.get(customer_page(full.user_id, "erase"))
    assert Customer.objects.get().erased_at is None
    with django_capture_on_commit_callbacks(execute=True):
        assert staff.post(customer_page(full.user_id, "erase")).status_code == 302
    assert Customer.objects.get().erased_at is not None
    assert leaks(everything()) == []
    assert not ConsentRecord.objects.exists() and not CustomerNote.objects.exists()
    call_command("verify_ledger", stdout=StringIO())
    assert StaffAccess.objects.get(action="erase").customer_id == full.user_id


def test_a_guest_is_exported_and_erased_too(store: Store, visitor: Api, staff: Client) -> None:
    assert visitor.post("/customers", {"address": ADDRESS}).status_code == 200
    guest = Customer.objects.get().pk
    found = staff.post(customer_page(guest, "export-data")).json()["people"][0]
    assert found["data"]["addresses"][0]["address_line1"] == "12 MG Road"
    staff.post(customer_page(guest, "erase"))
    assert Customer.objects.get().erased_at is not None
    assert leaks(everything()) == []


def test_staff_erase_an_account_that_is_deactivated(staff: Client, full: Api) -> None:
    staff.post(user_page(full.user_id, "deactivate"))
    staff.post(user_page(full.user_id, "erase"))
    assert leaks(everything()) == []


def test_old_guests_go_and_recent_ones_and_accounts_stay(store: Store, visitor: Api, shopper: Api) -> None:
    assert visitor.post("/customers", {"address": ADDRESS}).status_code == 200
    assert shopper.post("/customers", {"address": ADDRESS}).status_code == 200
    guest = Customer.objects.get(is_guest=True).pk
    now = timezone.now()
    events.send("sweep", now=now + timedelta(days=399), batch=10)
    assert not Customer.objects.exclude(erased_at=None).exists()
    later = now + timedelta(days=402)
    Address.objects.update(last_used_at=later - timedelta(days=1))
    events.send("sweep", now=later, batch=10)
    assert not Customer.objects.exclude(erased_at=None).exists()  # an order took the address the day before
    Address.objects.update(last_used_at=now)
    events.send("sweep", now=later, batch=10)
    assert [row.pk for row in Customer.objects.exclude(erased_at=None)] == [guest]


def test_the_security_log_goes_when_it_is_old(store: Store, shopper: Api) -> None:
    assert SecurityEvent.objects.exists()
    events.send("sweep", now=timezone.now() + timedelta(days=729), batch=100)
    assert SecurityEvent.objects.exists()
    events.send("sweep", now=timezone.now() + timedelta(days=731), batch=100)
    assert not SecurityEvent.objects.exists()
