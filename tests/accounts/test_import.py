"""Customers from a CSV file: by the command and in the back office."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts import importing, uploads
from accounts.models import ConsentRecord, User
from customers import services as customers
from customers.models import Customer, Segment, SegmentMember
from messaging.models import Message
from storefront.models import CustomerGroup, StaffAccess, Store

pytestmark = pytest.mark.django_db
HEADER = "email,phone,country_code,first_name,last_name,group,segment,business_name,gstin\n"
GSTIN = "27AAPFU0939F1ZV"


def load(store: Store, text: str, **options: Any) -> tuple[dict[str, int], list[importing.Problem]]:
    problems: list[importing.Problem] = []
    options = {"dry_run": False} | options
    report = importing.run(store=store, file=io.BytesIO(text.encode()), refuse=problems.append, **options)
    return {name: count for name, count in report.numbers().items() if count}, problems


@pytest.fixture
def trade(store: Store) -> CustomerGroup:
    return CustomerGroup.objects.create(store=store, name="Trade", slug="trade")


@pytest.fixture
def friends(store: Store) -> Segment:
    return Segment.objects.create(store=store, name="Friends")


def account(store: Store, name: str, **facts: Any) -> User:
    return User.objects.create(
        pk=name, store=store, customer=customers.create_customer(store=store, customer_id=name), **facts
    )


def test_a_row_becomes_a_customer_of_whom_nothing_is_proved(
    store: Store, trade: CustomerGroup, friends: Segment
) -> None:
    Segment.objects.create(store=store, name="VIP")
    row = f"Asha@Example.com,98765 43210,+91,Asha,Rao,trade,Friends|VIP,Rao Spices,{GSTIN.lower()}\n"
    assert load(store, HEADER + row) == ({"rows": 1, "created": 1}, [])
    user = User.objects.get()
    assert (user.email, user.phone, user.full_name) == ("asha@example.com", "+919876543210", "Asha Rao")
    assert not user.is_email_verified and not user.is_phone_verified and user.is_primary
    assert (user.password, user.login_methods, user.customer_id) == ("", [], user.pk)
    assert user.customer.group == trade and user.customer.business is not None
    assert user.customer.business["pan_number"] == "AAPFU0939F" and user.customer.business["name"] == "Rao Spices"
    assert set(SegmentMember.objects.values_list("segment__name", "store_id")) == {
        ("Friends", store.pk),
        ("VIP", store.pk),
    }
    assert not Message.objects.exists() and not ConsentRecord.objects.exists()


def test_repeating_makes_nothing_new(store: Store, other_store: Store, trade: CustomerGroup, friends: Segment) -> None:
    stranger = account(other_store, "stranger", email="a@example.com", first_name="Other")
    text = HEADER + "a@example.com,,,Asha,Rao,trade,Friends,Rao Spices,\n,9876543210,,Ravi,,,,,\n"
    assert load(store, text)[0] == {"rows": 2, "created": 2}
    assert load(store, text)[0] == {"rows": 2, "unchanged": 2}
    assert load(store, text.replace("Ravi", "Ravindra"))[0] == {"rows": 2, "changed": 1, "unchanged": 1}
    assert User.objects.filter(store=store).count() == Customer.objects.filter(store=store).count() == 2
    assert SegmentMember.objects.count() == 1
    stranger.refresh_from_db()
    assert stranger.first_name == "Other" and stranger.customer.group is None


def test_somebody_named_twice_in_a_file_is_one_person(store: Store) -> None:
    text = HEADER + "a@example.com,,,Asha,,,,,\n" + "a@example.com,9876543210,,,Rao,,,,\n,9876543210,,Asha,,,,,\n"
    for batch in (1, 300):
        User.objects.all().delete()
        assert load(store, text, batch=batch)[0] == {"rows": 3, "created": 1, "changed": 1, "unchanged": 1}
        assert User.objects.get().full_name == "Asha Rao"


def test_a_dry_run_writes_nothing(store: Store, trade: CustomerGroup, friends: Segment) -> None:
    known = account(store, "known", email="k@example.com", is_email_verified=True, first_name="Old")
    text = HEADER + "k@example.com,,,New,,trade,Friends,Firm,\nnew@example.com,,,Asha,,trade,Friends,,\nbad,,,,,,,,\n"
    with CaptureQueriesContext(connection) as queries:
        numbers, problems = load(store, text, dry_run=True)
    assert numbers == {"rows": 3, "created": 1, "changed": 1, "refused": 1} and len(problems) == 1
    assert all(query["sql"].startswith("SELECT") for query in queries)
    known.refresh_from_db()
    assert (known.first_name, known.customer.group, known.customer.business) == ("Old", None, None)
    assert User.objects.count() == 1 and not SegmentMember.objects.exists()


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("nonsense,,,,,,,,", "email"),
        (",12,,,,,,,", "phone"),
        (",9876543210,+49,,,,,,", "country_code"),
        (",,,Asha,,,,,", "email"),
        (f"a@example.com,,,{'x' * 81},,,,,", "first_name"),
        ("a@example.com,,,,,unknown,,,", "group"),
        ("a@example.com,,,,,foreign,,,", "group"),
        ("a@example.com,,,,,,Nobody,,", "segment"),
        ("a@example.com,,,,,,Elsewhere,,", "segment"),
        ("a@example.com,,,,,,Rule,,", "segment"),
        ("a@example.com,,,,,,,Firm,27AAPFU0939F1ZX", "gstin"),
        (f"a@example.com,,,,,,,,{GSTIN}", "business_name"),
        ("a@example.com,,,,,,,,,more", ""),
        ("a@example.com,,,A\x00,,,,,", "first_name"),
    ],
)
def test_an_error_names_line_and_column(store: Store, other_store: Store, row: str, column: str) -> None:
    CustomerGroup.objects.create(store=other_store, name="Foreign", slug="foreign")
    Segment.objects.create(store=other_store, name="Elsewhere")
    Segment.objects.create(store=store, name="Rule", kind="rule", is_business=True)
    good = '"b@example.com",,,"Two\nlines",,,,,\n'
    numbers, problems = load(store, f"{HEADER}{good}\n{row}\nc@example.com,,,,,,,,\n")
    assert numbers == {"rows": 3, "created": 2, "refused": 1}
    assert [(problem.line, problem.column) for problem in problems] == [(5, column)]
    assert problems[0].message
    assert set(User.objects.values_list("email", "first_name")) == {
        ("b@example.com", "Two lines"),
        ("c@example.com", ""),
    }


@pytest.mark.parametrize("header", ["", "first_name", "email,email", "email,salary"])
def test_a_file_whose_columns_cannot_be_used_is_refused_whole(store: Store, tmp_path: Path, header: str) -> None:
    path = tmp_path / "file.csv"
    path.write_text(f"{header}\na@example.com,b@example.com\n")
    with pytest.raises(CommandError, match="first line"):
        call_command("import_customers", store.pk, path)
    assert not User.objects.exists()


def test_a_proved_contact_is_found_and_stays_proved(store: Store, trade: CustomerGroup) -> None:
    user = account(store, "asha", email="a@example.com", is_email_verified=True, phone="+919876543210")
    assert load(store, HEADER + "a@example.com,9876500000,,Asha,,trade,,,\n")[0] == {"rows": 1, "changed": 1}
    user.refresh_from_db()
    assert (user.first_name, user.phone) == ("Asha", "+919876543210")  # what its owner typed stays
    assert user.is_email_verified and not user.is_phone_verified
    account(store, "ravi", phone="+919876500001", is_phone_verified=True)
    numbers, problems = load(store, HEADER + "a@example.com,9876500001,,Wrong,,,,,\n")
    assert numbers == {"rows": 1, "refused": 1} and problems[0].column == "phone"
    user.refresh_from_db()
    assert user.first_name == "Asha"


def test_who_only_typed_somebody_elses_address_gets_nothing_of_theirs(store: Store, trade: CustomerGroup) -> None:
    mallory = account(store, "mallory", phone="+919876543210", is_phone_verified=True, email="victim@example.com")
    assert load(store, HEADER + "victim@example.com,,,Vera,,trade,,,\n")[0] == {"rows": 1, "created": 1}
    mallory.refresh_from_db()
    assert mallory.first_name == "" and mallory.customer.group is None
    assert User.objects.exclude(pk="mallory").get().customer.group == trade


def test_two_people_with_one_phone_are_not_mixed_up(store: Store) -> None:
    text = HEADER + "a@example.com,9876543210,,Asha,,,,,\nb@example.com,9876543210,,Ben,,,,,\n"
    numbers, problems = load(store, text)
    assert numbers == {"rows": 2, "created": 1, "refused": 1}
    assert (problems[0].line, problems[0].column) == (3, "email")
    assert User.objects.get().email == "a@example.com"


def test_empty_cells_leave_things_as_they_are(store: Store, trade: CustomerGroup, friends: Segment) -> None:
    load(store, HEADER + "a@example.com,9876543210,,Asha,Rao,trade,Friends,Rao Spices,\n")
    assert load(store, "\ufeffEmail,First name\na@example.com,\n")[0] == {"rows": 1, "unchanged": 1}
    user = User.objects.select_related("customer__group").get()
    assert (user.full_name, user.phone, user.customer.group) == ("Asha Rao", "+919876543210", trade)
    assert user.customer.business and SegmentMember.objects.exists()


def test_the_same_questions_however_long_a_batch_is(store: Store, trade: CustomerGroup, friends: Segment) -> None:
    def queries(count: int) -> tuple[int, int]:
        text = HEADER + "".join(f"{count}-{number}@example.com,,,P,,trade,Friends,Firm,\n" for number in range(count))
        with CaptureQueriesContext(connection) as new:
            load(store, text)
        changed = text.replace(",P,,trade,Friends,", ",Q,,second,Others,")
        with CaptureQueriesContext(connection) as again:
            assert load(store, changed)[0] == {"rows": count, "changed": count}
        return len(new), len(again)

    CustomerGroup.objects.create(store=store, name="Second", slug="second")
    Segment.objects.create(store=store, name="Others")
    few = queries(3)
    assert queries(40) == few and max(few) <= 12


def test_the_command_writes_errors_that_no_spreadsheet_runs(store: Store, tmp_path: Path, capsys: Any) -> None:
    path, errors = tmp_path / "people.csv", tmp_path / "errors.csv"
    path.write_text(HEADER + "=cmd|calc,,,,,,,,\nok@example.com,,,Asha,,,,,\n,'+91 98765 43210,,,,,,,\n")
    with pytest.raises(CommandError, match="1 rows were left out"):
        call_command("import_customers", store.pk, path, "--errors", errors)
    assert "3 rows: 2 created, 0 changed, 0 unchanged, 1 with errors" in capsys.readouterr().out
    lines = list(csv.reader(io.StringIO(errors.read_bytes().decode("utf-8-sig"))))
    assert lines[0] == ["line", "column", "message", "value"]
    assert lines[1][:2] == ["2", "email"] and lines[1][3] == "'=cmd|calc"
    assert set(User.objects.values_list("email", "phone")) == {("ok@example.com", ""), ("", "+919876543210")}
    row = StaffAccess.objects.get()
    assert (row.staff_name, row.action, row.object_id) == ("manage.py import_customers", "change", "*")
    with pytest.raises(CommandError, match="no store"):
        call_command("import_customers", "nowhere", path)
    with pytest.raises(CommandError, match="file of their own"):
        call_command("import_customers", store.pk, path, "--errors", path)
    assert path.read_text().startswith(HEADER)


def test_a_dry_run_of_the_command_leaves_no_trace(store: Store, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "people.csv"
    path.write_text("email\na@example.com\n")
    call_command("import_customers", store.pk, path, "--dry-run")
    assert "1 would be created" in capsys.readouterr().out
    assert not User.objects.exists() and not StaffAccess.objects.exists()


# --- in the back office -----------------------------------------------------------------------------------------------
@pytest.fixture
def private(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media-private"


def staff(*permissions: str) -> Client:
    person = get_user_model().objects.create_user("-".join(permissions) or "nobody", password="x", is_staff=True)
    person.user_permissions.set(
        Permission.objects.filter(content_type__app_label="storefront_accounts", codename__in=permissions)
    )
    client = Client(raise_request_exception=False)
    client.force_login(person)
    return client


def send(client: Client, content: str | bytes) -> Any:
    file = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    file.name = "people.csv"
    return client.post(reverse("admin:accounts-import"), {"file": file})


def kept(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_staff_check_a_file_and_then_import_it(store: Store, private: Path) -> None:
    client = staff("add_user", "change_user", "view_user")
    assert "/accounts/import/" in client.get(reverse("admin:accounts-import")).request["PATH_INFO"]
    bad = "".join(f"=bad{number},,,,,,,,\n" for number in range(60))
    sent = send(client, HEADER + "a@example.com,,,Asha,,,,,\n" + bad)
    assert sent.status_code == 302
    text = client.get(sent.url).content.decode()
    assert "Import now" in text and text.count("Enter a valid e-mail address.") == 50
    lines = b"".join(client.get(f"{sent.url}errors/").streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 61 and lines[1].startswith("3,email,") and lines[1].endswith(",'=bad0")
    assert not User.objects.exists() and not StaffAccess.objects.exists() and len(kept(private)) == 1
    assert client.post(sent.url).status_code == 200
    assert User.objects.get().first_name == "Asha"
    row = StaffAccess.objects.get()
    assert (row.store_id, row.action, row.object_id) == (store.pk, "change", "*")
    assert kept(private) == []
    assert client.post(sent.url).status_code == 404  # once
    assert StaffAccess.objects.count() == 1


def test_an_upload_is_its_senders_alone(store: Store, private: Path) -> None:
    client = staff("add_user", "change_user")
    sent = send(client, "email\na@example.com\n")
    other = Client(raise_request_exception=False)
    other.force_login(get_user_model().objects.create_superuser("root", password="x"))
    for address in (sent.url, f"{sent.url}errors/", sent.url[:-5] + "AAAA/"):
        assert other.get(address).status_code == 404
        assert other.post(address).status_code == 404
    assert not User.objects.exists()


@pytest.mark.parametrize("permissions", [(), ("add_user",), ("change_user",)])
def test_an_import_needs_both_rights(store: Store, private: Path, permissions: tuple[str, ...]) -> None:
    client = staff(*permissions)
    assert client.get(reverse("admin:accounts-import")).status_code == 403
    assert send(client, "email\na@example.com\n").status_code == 403
    assert kept(private) == []


def test_a_file_that_is_too_large_or_no_list_is_not_kept(store: Store, private: Path) -> None:
    client = staff("add_user", "change_user")
    assert "larger than 5 MB" in send(client, b"x" * (5 * 1_048_576 + 1)).content.decode()
    sent = send(client, b"\x89PNG\r\n\x00\xff")
    answer = client.get(sent.url)
    assert answer.status_code == 302 and answer["Location"] == reverse("admin:accounts-import")
    assert kept(private) == []


def test_files_that_nobody_imported_go_after_an_hour(store: Store, private: Path) -> None:
    send(staff("add_user", "change_user"), "email\na@example.com\n")
    now = timezone.now()
    uploads.sweep(now=now + timedelta(minutes=59), batch=10)
    assert len(kept(private)) == 1
    uploads.sweep(now=now + timedelta(minutes=61), batch=10)
    assert kept(private) == []
