"""Importing and exporting as staff do it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from catalog.models import Product
from storefront import outbox
from storefront.imports import jobs
from storefront.imports.models import ImportJob
from tests.catalog.factories import make_product

pytestmark = pytest.mark.django_db
PAGE = "/admin/catalog/import/"
GOOD = b"product,name,price:retail\ntea,Tea,5\n,Nameless,1\n"


@pytest.fixture(autouse=True)
def _admin_too(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.catalog.admin_urls"


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", "anna@example.com", "x"))
    return client


def send(staff: Client, content: bytes = GOOD, name: str = "tea.csv") -> Any:
    return staff.post(PAGE, {"file": SimpleUploadedFile(name, content)})


def work() -> None:
    while outbox.drain("imports"):
        pass


def test_a_file_is_checked_then_imported(store: Any, staff: Client) -> None:
    response = send(staff)
    job = ImportJob.objects.get()
    page = f"{PAGE}{job.pk}/"
    assert response.status_code == 302 and response.url == page and (job.dry_run, job.made_by) == (True, "anna")
    assert 'http-equiv="refresh"' in staff.get(page).content.decode()
    work()
    shown = staff.get(page).content.decode()
    assert "Import now" in shown and "Would be created" in shown and 'http-equiv="refresh"' not in shown
    assert not Product.objects.exists()
    errors = staff.get(f"{page}errors/")
    assert b"".join(errors).decode("utf-8-sig").splitlines()[1].startswith("3,product")
    assert errors["Content-Disposition"].startswith("attachment")
    staff.post(page, {"wish": "apply"})
    work()
    assert Product.objects.get().slug == "tea"
    shown = staff.get(page).content.decode()
    assert "Imported" in shown and "Import now" not in shown
    assert "tea.csv" in staff.get(PAGE).content.decode()


def test_errors_show_what_stands_in_the_cell_at_fault(store: Any, staff: Client) -> None:
    send(
        staff, b"product,name,price:retail,type\ntea,Tea,twelve,\ncup,Cup,1,wizard\nmug,Mug,!clear,\npot,Pot,1,,more\n"
    )
    work()
    errors = b"".join(staff.get(f"{PAGE}{ImportJob.objects.get().pk}/errors/")).decode("utf-8-sig").splitlines()[1:]
    assert [line.split(",")[:3] for line in errors if line[0] in "235"] == [
        ["2", "price:retail", "twelve"],
        ["3", "type", "wizard"],
        ["5", "", ""],
    ]
    assert not any("\x00" in line or line.split(",")[2] in {"tea", "cup"} for line in errors)


def test_a_running_import_can_be_cancelled(store: Any, staff: Client) -> None:
    send(staff)
    job = ImportJob.objects.get()
    staff.post(f"{PAGE}{job.pk}/", {"wish": "apply"})
    staff.post(f"{PAGE}{job.pk}/", {"wish": "cancel"})
    work()
    assert not Product.objects.exists() and "Cancelled" in staff.get(f"{PAGE}{job.pk}/").content.decode()
    staff.post(f"{PAGE}{job.pk}/", {"wish": "nonsense"})
    assert ImportJob.objects.get().cancelled


def test_a_file_that_makes_no_sense_is_refused_with_the_reason(store: Any, staff: Client) -> None:
    response = send(staff, b"product,nonsense\na,b\n")
    assert response.status_code == 200 and "nonsense" in response.content.decode()
    assert staff.post(PAGE, {}).status_code == 200
    assert not ImportJob.objects.exists()


def test_with_two_stores_one_is_chosen(store: Any, other_store: Any, staff: Client) -> None:
    assert send(staff).status_code == 200 and not ImportJob.objects.exists()
    staff.post(PAGE, {"file": SimpleUploadedFile("a.jsonl", b'{"product": "a", "name": "A"}'), "store": "other"})
    job = ImportJob.objects.get()
    assert (job.store_id, job.format) == ("other", "json")


def test_an_export_is_a_stream(store: Any, staff: Client) -> None:
    make_product(store, name="=Tea")
    assert "/admin/catalog/export/demo/csv/" in staff.get(PAGE).content.decode()
    response = staff.get("/admin/catalog/export/demo/csv/")
    assert response.streaming and "'=Tea" in b"".join(response).decode("utf-8-sig")
    assert b'"=Tea"' in b"".join(staff.get("/admin/catalog/export/demo/jsonl/"))
    assert staff.get("/admin/catalog/export/demo/exe/").status_code == 404
    assert staff.get("/admin/catalog/export/nowhere/csv/").status_code == 404


def test_staff_without_the_right_see_none_of_it(store: Any, staff: Client) -> None:
    file = io.BytesIO(GOOD)
    job = jobs.begin(store=store, kind="products", file=file, name="f", format="csv", dry_run=True, upload=True)
    user = get_user_model().objects.create_user("hugo", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_product"))
    hugo = Client()
    hugo.force_login(user)
    pages = (PAGE, f"{PAGE}{job.pk}/", f"{PAGE}{job.pk}/errors/", "/admin/catalog/export/demo/csv/")
    assert [hugo.get(page).status_code for page in pages] == [403] * 4
    assert [Client().get(page).status_code for page in pages] == [302] * 4
    assert hugo.post(f"{PAGE}{job.pk}/", {"wish": "apply"}).status_code == 403
    assert ImportJob.objects.get().dry_run


def test_larger_files_than_elsewhere_are_taken(store: Any, staff: Client, configure: Any) -> None:
    configure(MAX_UPLOAD_BYTES=100)
    assert send(staff, GOOD + b" " * 200).status_code in {200, 302} and ImportJob.objects.exists()
