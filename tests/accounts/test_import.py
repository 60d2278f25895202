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
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts import importing
from accounts.importing import CustomerImports
from accounts.models import ConsentRecord, User
from customers import services as customers
from customers.models import Customer, Segment, SegmentMember
from messaging.models import Message
from storefront import outbox
from storefront.errors import Invalid
from storefront.imports import jobs, pages, records
from storefront.imports.kinds import Outcome
from storefront.imports.models import ImportJob, ImportPart
from storefront.models import CustomerGroup, StaffAccess, Store

pytestmark = pytest.mark.django_db
HEADER = "email,phone,country_code,first_name,last_name,group,segment,business_name,gstin\n"
GSTIN = "27AAPFU0939F1ZV"


def load(store: Store, text: str, *, dry_run: bool = False, batch: int = 300) -> tuple[dict[str, int], list[Any]]:
    """What became of the rows, and the problems, as a command finds them."""
    file = io.BytesIO(text.encode())
    job = jobs.begin(store=store, kind="customers", file=file, name="f.csv", format="csv", dry_run=dry_run, made_by="x")
    jobs.claim(job=job)
    assert jobs.work(job=job, file=file, rows=batch)
    job.refresh_from_db()
    found = {name: getattr(job, name) for name in ("created", "changed", "unchanged", "errors")}
    return {name: count for name, count in ({"rows": job.done} | found).items() if count}, list(job.problems.all())


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
    assert numbers == {"rows": 3, "created": 1, "changed": 1, "errors": 1} and len(problems) == 1
    written = [query["sql"] for query in queries if not query["sql"].startswith("SELECT")]
    assert not [sql for sql in written if "storefront_accounts_" in sql or "storefront_customers_" in sql]
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
def test_an_error_names_row_and_column(store: Store, other_store: Store, row: str, column: str) -> None:
    CustomerGroup.objects.create(store=other_store, name="Foreign", slug="foreign")
    Segment.objects.create(store=other_store, name="Elsewhere")
    Segment.objects.create(store=store, name="Rule", kind="rule", is_business=True)
    good = '"b@example.com",,,"Two\nlines",,,,,\n'
    numbers, problems = load(store, f"{HEADER}{good}\n{row}\nc@example.com,,,,,,,,\n")
    assert numbers == {"rows": 3, "created": 2, "errors": 1}
    assert [(problem.row, problem.column) for problem in problems] == [(4, column)]
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
    assert numbers == {"rows": 1, "errors": 1} and problems[0].column == "phone"
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
    assert numbers == {"rows": 2, "created": 1, "errors": 1}
    assert (problems[0].row, problems[0].column) == (3, "email")
    assert User.objects.get().email == "a@example.com"


def test_empty_cells_leave_things_as_they_are(store: Store, trade: CustomerGroup, friends: Segment) -> None:
    load(store, HEADER + "a@example.com,9876543210,,Asha,Rao,trade,Friends,Rao Spices,\n")
    assert load(store, "\ufeffEmail,First name\na@example.com,\n")[0] == {"rows": 1, "unchanged": 1}
    user = User.objects.select_related("customer__group").get()
    assert (user.full_name, user.phone, user.customer.group) == ("Asha Rao", "+919876543210", trade)
    assert user.customer.business and SegmentMember.objects.exists()


def test_the_same_questions_however_long_a_batch_is(store: Store, trade: CustomerGroup, friends: Segment) -> None:
    def apply(text: str) -> Outcome:
        file = io.BytesIO(text.encode())
        columns, first = records.read_header(file)
        file.seek(first)
        rows = list(records.records(file, format="csv", columns=columns, first=2))
        with transaction.atomic():
            return importing.apply(store=store, records=rows)

    def queries(count: int) -> tuple[int, int]:
        text = HEADER + "".join(f"{count}-{number}@example.com,,,P,,trade,Friends,Firm,\n" for number in range(count))
        with CaptureQueriesContext(connection) as new:
            assert apply(text) == Outcome(created=count)
        with CaptureQueriesContext(connection) as again:
            assert apply(text.replace(",P,,trade,Friends,", ",Q,,second,Others,")) == Outcome(changed=count)
        return len(new), len(again)

    CustomerGroup.objects.create(store=store, name="Second", slug="second")
    Segment.objects.create(store=store, name="Others")
    few = queries(3)
    assert queries(40) == few and max(few) <= 14  # with the savepoint's two


def test_the_command_writes_errors_that_no_spreadsheet_runs(store: Store, tmp_path: Path, capsys: Any) -> None:
    path, errors = tmp_path / "people.csv", tmp_path / "errors.csv"
    path.write_text(HEADER + "=cmd|calc,,,,,,,,\nok@example.com,,,Asha,,,,,\n,'+91 98765 43210,,,,,,,\n")
    with pytest.raises(CommandError, match="1 rows were left out"):
        call_command("import_customers", store.pk, path, "--errors", errors)
    assert "3 rows: 2 created, 0 changed, 0 unchanged, 1 with errors" in capsys.readouterr().out
    lines = list(csv.reader(io.StringIO(errors.read_bytes().decode("utf-8-sig"))))
    assert lines[0] == ["row", "column", "value", "message"]
    assert lines[1][:2] == ["2", "email"] and lines[1][2] == "'=cmd|calc"
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


def test_json_lines_do_as_well(store: Store, trade: CustomerGroup, friends: Segment, tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    path.write_text(
        '{"email": "a@example.com", "first_name": "Asha", "group": "trade", "segment": ["Friends"]}\n'
        '{"email": "b@example.com", "salary": "5"}\n{"phone": "9876543210", "first_name": null}\n[]\n'
    )
    with pytest.raises(CommandError, match="3 rows were left out"):
        call_command("import_customers", store.pk, path)
    user = User.objects.select_related("customer__group").get()
    assert (user.first_name, user.customer.group) == ("Asha", trade) and SegmentMember.objects.exists()
    problems = ImportJob.objects.get().problems.values_list("row", "column")
    assert list(problems) == [(2, "salary"), (3, "first_name"), (4, "")]


# --- broken off, cancelled, done again --------------------------------------------------------------------------------
def many(count: int) -> bytes:
    return (HEADER + "".join(f"{n}@example.com,,,P{n},,,,,\n" for n in range(count))).encode()


def test_a_broken_off_import_goes_on_where_it_was(store: Store) -> None:
    def begin(resume: bool) -> ImportJob:
        file = io.BytesIO(many(10))
        job = jobs.begin(
            store=store, kind="customers", file=file, name="f", format="csv", dry_run=False, made_by="x", resume=resume
        )
        jobs.claim(job=job)
        return job

    def broken(job: ImportJob) -> None:
        if job.done == 6:
            raise KeyboardInterrupt

    job = begin(resume=False)
    with pytest.raises(KeyboardInterrupt):
        jobs.work(job=job, file=io.BytesIO(many(10)), rows=3, progress=broken)
    jobs.release(job=job)
    assert User.objects.count() == 6
    again = begin(resume=True)
    assert (again.pk, again.done) == (job.pk, 6)
    jobs.work(job=again, file=io.BytesIO(many(10)), rows=3)
    assert again.created == User.objects.count() == 10 and again.unchanged == 0


def test_the_same_file_of_another_kind_is_another_job(store: Store) -> None:
    load(store, "email\na@example.com\n")
    file = io.BytesIO(b"email\na@example.com\n")
    with pytest.raises(Invalid):
        jobs.begin(store=store, kind="products", file=file, name="f", format="csv", dry_run=True)
    assert [job.kind for job in ImportJob.objects.all()] == ["customers"]


# --- in the back office -----------------------------------------------------------------------------------------------
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


def work() -> None:
    while outbox.drain("imports"):
        pass


def test_staff_check_a_file_and_then_import_it(store: Store) -> None:
    client = staff("add_user", "change_user", "view_user")
    assert "business_name" in client.get(reverse("admin:accounts-import")).content.decode()
    bad = "".join(f"=bad{number},,,,,,,,\n" for number in range(60))
    sent = send(client, HEADER + "a@example.com,,,Asha,,,,,\n" + bad)
    job = ImportJob.objects.get()
    assert sent.status_code == 302 and sent.url.endswith(f"/accounts/import/{job.pk}/")
    waiting = client.get(sent.url).content.decode()
    assert "Checking" in waiting and 'http-equiv="refresh"' in waiting and "0 / 61" in waiting
    work()
    text = client.get(sent.url).content.decode()
    assert "Import now" in text and text.count("Enter a valid e-mail address.") == 50
    lines = b"".join(client.get(f"{sent.url}errors/").streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 61 and lines[1].startswith("3,email,'=bad0,")
    assert not User.objects.exists() and not StaffAccess.objects.exists()
    assert client.post(sent.url, {"wish": "apply"}).status_code == 302
    row = StaffAccess.objects.get()  # written down before the first row is
    assert (row.store_id, row.action, row.object_id) == (store.pk, "change", "*")
    assert row.staff_name == "add_user-change_user-view_user"
    work()
    assert User.objects.get().first_name == "Asha"
    text = client.get(sent.url).content.decode()
    assert "Imported" in text and "Import now" not in text
    assert "people.csv" in client.get(reverse("admin:accounts-import")).content.decode()
    assert StaffAccess.objects.count() == 1


def test_a_large_file_is_worked_off_in_turns_and_can_be_cancelled(store: Store, monkeypatch: Any) -> None:
    """No request waits for the rows: each turn of a worker is one chunk, and others have theirs between."""
    monkeypatch.setattr(CustomerImports, "worker_chunk_rows", 4)
    monkeypatch.setattr(jobs, "SLICE_SECONDS", 0)
    client = staff("add_user", "change_user")
    sent = send(client, many(10))
    assert [outbox.drain("imports") for _turn in range(4)] == [4, 4, 2, 0]
    client.post(sent.url, {"wish": "apply"})
    assert not User.objects.exists()
    assert outbox.drain("imports") == 4
    assert "4 / 10" in client.get(sent.url).content.decode()
    client.post(sent.url, {"wish": "cancel"})
    assert outbox.drain("imports") == 0 and User.objects.count() == 4
    assert "Cancelled" in client.get(sent.url).content.decode()
    client.post(sent.url, {"wish": "apply"})
    work()
    job = ImportJob.objects.get()
    assert (job.created, job.unchanged, User.objects.count()) == (6, 4, 10)


def test_a_killed_workers_import_goes_on_when_its_lease_ends(store: Store, monkeypatch: Any, time_machine: Any) -> None:
    client = staff("add_user", "change_user")
    send(client, many(3))
    job = ImportJob.objects.get()
    jobs.restart(job=job, dry_run=False)
    ImportJob.objects.claim_next(now=timezone.now(), lease=jobs.LEASE)  # and then it was killed
    work()
    assert not User.objects.exists()
    time_machine.move_to(timezone.now() + jobs.LEASE + timedelta(seconds=1))
    work()
    assert User.objects.count() == 3


@pytest.mark.parametrize("permissions", [(), ("add_user",), ("change_user",)])
def test_an_import_needs_both_rights(store: Store, permissions: tuple[str, ...]) -> None:
    send(staff("add_user", "change_user"), "email\na@example.com\n")
    page = reverse("admin:accounts-import-job", args=[ImportJob.objects.get().pk])
    client = staff(*permissions)
    assert client.get(reverse("admin:accounts-import")).status_code == 403
    assert send(client, "email\nb@example.com\n").status_code == 403
    for address in (page, f"{page}errors/"):
        assert client.get(address).status_code == 403
    assert client.post(page, {"wish": "apply"}).status_code == 403
    job = ImportJob.objects.get()
    assert job.dry_run


def test_a_customers_file_is_not_reached_by_the_pages_of_products(store: Store) -> None:
    send(staff("add_user", "change_user"), "email\na@example.com\n")
    root = Client(raise_request_exception=False)
    root.force_login(get_user_model().objects.create_superuser("root", password="x"))
    pk = ImportJob.objects.get().pk
    for address in (reverse("admin:catalog-import-job", args=[pk]), reverse("admin:catalog-import-errors", args=[pk])):
        assert root.get(address).status_code == 404
    assert pk not in root.get(reverse("admin:catalog-import")).content.decode()


def test_a_file_that_is_too_large_or_no_list_is_not_kept(store: Store, monkeypatch: Any) -> None:
    client = staff("add_user", "change_user")
    monkeypatch.setattr(pages, "MAX_UPLOAD_BYTES", 10)
    assert "larger than" in send(client, b"x" * 11).content.decode()
    monkeypatch.undo()
    assert "first line" in send(client, b"\x89PNG\r\n\x00\xff").content.decode()
    assert not ImportJob.objects.exists()


def test_files_of_customers_go_after_a_day_and_their_errors_after_a_week(store: Store) -> None:
    client = staff("add_user", "change_user")
    send(client, "email\nchecked@example.com\nbad\n")
    work()
    sent = send(client, "email\nimported@example.com\n")
    work()
    client.post(sent.url, {"wish": "apply"})
    work()
    now = timezone.now()
    jobs.sweep(now=now + timedelta(hours=23), batch=10)
    assert ImportPart.objects.count() == 2
    jobs.sweep(now=now + timedelta(hours=25), batch=10)
    assert not ImportPart.objects.exists() and ImportJob.objects.count() == 2
    assert "Import now" not in client.get(sent.url).content.decode()
    assert client.post(sent.url, {"wish": "apply"}).status_code == 404
    jobs.sweep(now=now + timedelta(days=8), batch=10)
    assert not ImportJob.objects.exists()
