"""Customers from a CSV file: read as a stream, in small transactions, safe to repeat.

A proved contact names its owner. A contact that nobody proved finds only an account of which nothing is proved, as
imports make them: a shopper may type any address as their own second one, and must not come by somebody else's prices
that way. Nothing is ever marked as proved, no message is sent and no event: an import is no registration.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import IO, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from customers import business as businesses
from customers import selectors as customer_rows
from customers import services as customers
from customers.models import Customer, Segment
from storefront.contacts import parse_email, parse_phone
from storefront.errors import Invalid
from storefront.ids import new_id
from storefront.models import CustomerGroup, Store
from storefront.spreadsheets import FORMULA_STARTS

from . import selectors
from .models import User

BATCH = 300
LONGEST_LINE = 65_536  # bytes
MOST_SEGMENTS = 20  # of one row
LENGTHS = {"first_name": 80, "last_name": 80, "business_name": 160}
COLUMNS = (
    "email",
    "phone",
    "country_code",
    "first_name",
    "last_name",
    "group",
    "segment",
    "business_name",
    "gstin",
)
PROBLEM_COLUMNS = ("line", "column", "message", "value")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row was left out: the line where it begins, the column, and what stood there."""

    line: int
    column: str
    message: str
    value: str = ""

    def cells(self) -> tuple[Any, ...]:
        return (self.line, self.column, self.message, self.value)


@dataclass(slots=True)
class Report:
    """`created`, `changed`, `unchanged` and `refused` add up to `rows`. `done` is in bytes of the file."""

    rows: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    done: int = 0

    def numbers(self) -> dict[str, int]:
        return {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "done"}


class _Refused(Exception):
    def __init__(self, column: str, message: object) -> None:
        super().__init__(column)
        self.column, self.message = column, str(message)


@dataclass(slots=True)
class _Row:
    line: int
    cells: dict[str, str]
    email: str = ""
    phone: str = ""
    segments: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Batch:
    """What a batch has found in the database, and what it will write there."""

    users: dict[str, User] = field(default_factory=dict)
    proved: dict[str, User] = field(default_factory=dict)
    unproved: dict[str, User] = field(default_factory=dict)
    customers: dict[str, Customer] = field(default_factory=dict)
    groups: dict[str, CustomerGroup] = field(default_factory=dict)
    segments: dict[str, Segment] = field(default_factory=dict)
    members: set[tuple[str, str]] = field(default_factory=set)
    new: dict[str, User] = field(default_factory=dict)
    changed_users: dict[str, User] = field(default_factory=dict)
    changed_customers: dict[str, Customer] = field(default_factory=dict)
    new_members: list[tuple[str, str]] = field(default_factory=list)


def run(
    *,
    store: Store,
    file: IO[bytes],
    dry_run: bool,
    refuse: Callable[[Problem], None],
    progress: Callable[[Report], None] | None = None,
    batch: int = BATCH,
    now: datetime | None = None,
) -> Report:
    """Imports a CSV file in UTF-8 into the store, or only checks it; each row that is left out goes to `refuse`.

    A batch is one transaction of at most twelve queries, however long it is; what was written stays when a later one
    fails. Locks the store's row, so that two imports make nobody twice, then users and customers in the order of their
    ids. A dry run counts somebody twice whose rows lie more than a batch apart. Raises Invalid when the first line
    names no column that can be used, or one that is not known.
    """
    report = Report()
    now = now or timezone.now()
    waiting: list[_Row] = []

    def refused(line: int, column: str, message: str, value: str = "") -> None:
        report.refused += 1
        refuse(Problem(line, column, message, value[:200]))

    def flush() -> None:
        if waiting:
            _write(store, waiting, report, refused, dry_run, now)
            waiting.clear()
        if progress is not None:
            progress(report)

    for row in _rows(file, report, refused):
        try:
            _read(store, row)
        except _Refused as error:
            refused(row.line, error.column, error.message, row.cells.get(error.column, ""))
            continue
        waiting.append(row)
        if len(waiting) >= batch:
            flush()
    flush()
    return report


# --- reading ----------------------------------------------------------------------------------------------------------
def _lines(file: IO[bytes], report: Report) -> Iterator[str]:
    while line := file.readline(LONGEST_LINE):
        report.done += len(line)
        yield line.decode("utf-8", "replace")


def _rows(file: IO[bytes], report: Report, refused: Callable[..., None]) -> Iterator[_Row]:
    """One row at a time; empty lines are passed over, and what is no CSV is refused."""
    reader = csv.reader(_lines(file, report))
    try:
        names = [name.strip().lower().replace(" ", "_") for name in next(reader, [])]
    except csv.Error as error:
        raise Invalid(_("The first line cannot be read."), field="file") from error
    if names:
        names[0] = names[0].removeprefix("\ufeff").strip('"')
    _check_header(names)
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error:
            report.rows += 1
            refused(line, "", _("This row cannot be read: a quotation mark is missing, or a cell is far too long."))
            continue
        if not any(value.strip() for value in values):
            continue
        report.rows += 1
        if len(values) > len(names):
            refused(line, "", _("This row has more cells than there are columns."))
            continue
        cells = {name: _plain(value) for name, value in zip(names, values, strict=False)}
        broken = next((name for name, value in cells.items() if "\x00" in value or "\ufffd" in value), None)
        if broken is not None:
            refused(line, broken, _("This text is not UTF-8."))
            continue
        yield _Row(line, cells)


def _check_header(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or len(set(names)) != len(names) or not {"email", "phone"} & set(names):
        raise Invalid(
            _("The first line must name the columns: email or phone, and any of %(names)s. Each of them once.")
            % {"names": ", ".join(COLUMNS[2:])},
            field="file",
        )


def _plain(value: str) -> str:
    """Blanks collapsed, without the apostrophe that keeps spreadsheets from running a cell."""
    text = " ".join(value.split())
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_STARTS) else text


def _read(store: Store, row: _Row) -> None:
    """What can be checked without the database."""
    email, phone = row.cells.get("email", ""), row.cells.get("phone", "")
    if not email and not phone:
        raise _Refused("email" if "email" in row.cells else "phone", _("Enter an e-mail address or a phone."))
    try:
        row.email = parse_email(email) if email else ""
        if phone:
            country_code = row.cells.get("country_code") or None
            row.phone = parse_phone(store=store, phone=phone, country_code=country_code).e164
    except Invalid as error:
        raise _Refused(next(iter(error.errors), "phone"), error.message) from error
    for name, longest in LENGTHS.items():
        if len(row.cells.get(name, "")) > longest:
            raise _Refused(name, _("Longer than %(count)d characters.") % {"count": longest})
    row.segments = frozenset(name.strip() for name in row.cells.get("segment", "").split("|") if name.strip())
    if len(row.segments) > MOST_SEGMENTS:
        raise _Refused("segment", _("More than %(count)d segments.") % {"count": MOST_SEGMENTS})


# --- one batch --------------------------------------------------------------------------------------------------------
def _write(
    store: Store, rows: Sequence[_Row], report: Report, refused: Callable[..., None], dry_run: bool, now: datetime
) -> None:
    with nullcontext() if dry_run else transaction.atomic():
        if not dry_run:
            Store.objects.select_for_update(no_key=True).filter(pk=store.pk).first()
        found = _look_up(store, rows, lock=not dry_run)
        outcomes = {"created": 0, "changed": 0, "unchanged": 0}
        problems: list[tuple[int, str, str, str]] = []
        for row in rows:
            try:
                outcomes[_plan(store, row, found, now)] += 1
            except _Refused as error:
                problems.append((row.line, error.column, error.message, row.cells.get(error.column, "")))
        if not dry_run:
            _store(store, found, now)
    for name, count in outcomes.items():
        setattr(report, name, getattr(report, name) + count)
    for problem in problems:
        refused(*problem)


def _look_up(store: Store, rows: Sequence[_Row], *, lock: bool) -> _Batch:
    """Six queries at most."""
    found = _Batch()
    users = selectors.users_to_import(
        store=store,
        emails={row.email for row in rows if row.email},
        phones={row.phone for row in rows if row.phone},
        lock=lock,
    )
    for user in users:
        found.users[user.pk] = user
        _remember(found, user)
    customer_ids = {user.customer_id for user in users}
    found.customers = customer_rows.customers_by_id(store=store, customer_ids=customer_ids, lock=lock)
    slugs = {row.cells["group"] for row in rows if row.cells.get("group")}
    if slugs:
        found.groups = {group.slug: group for group in CustomerGroup.objects.filter(store=store, slug__in=slugs)}
    names = frozenset[str]().union(*(row.segments for row in rows))
    if names:
        found.segments = {row.name: row for row in customer_rows.segments_named(store=store, names=names)}
        found.members = customer_rows.memberships(
            store=store, customer_ids=customer_ids, segment_ids=[row.pk for row in found.segments.values()]
        )
    return found


def _remember(found: _Batch, user: User) -> None:
    nothing_proved = not user.is_email_verified and not user.is_phone_verified
    for contact, is_proved in ((user.email, user.is_email_verified), (user.phone, user.is_phone_verified)):
        if contact and is_proved:
            found.proved[contact] = user
        elif contact and nothing_proved:
            found.unproved.setdefault(contact, user)


def _owner(row: _Row, found: _Batch) -> User | None:
    for known in (found.proved, found.unproved):
        owners = [known[contact] for contact in (row.email, row.phone) if contact in known]
        if len({owner.pk for owner in owners}) > 1:
            raise _Refused("phone", _("The e-mail address and the phone belong to two different people."))
        if owners:
            return owners[0]
    return None


def _plan(store: Store, row: _Row, found: _Batch, now: datetime) -> str:
    """What becomes of a row: created, changed or unchanged. Everything is checked before anything is changed."""
    user = _owner(row, found)
    new_contacts = {} if user is None else _new_contacts(row, user)
    group = _group(row, found)
    segments = _segments(row, found)
    customer = None if user is None else found.customers.get(user.customer_id)
    if user is not None and customer is None:
        raise _Refused("email" if row.email else "phone", _("This customer was erased."))
    business = _business(row, customer)

    outcome = "unchanged"
    if user is None or customer is None:
        outcome, user_id = "created", new_id()
        customer = Customer(pk=user_id, store=store, created_at=now, modified_at=now)
        user = User(
            pk=user_id,
            store=store,
            customer=customer,
            email=row.email,
            phone=row.phone,
            created_at=now,
            modified_at=now,
        )
        found.new[user_id], found.customers[user_id] = user, customer
    wanted = {name: row.cells[name] for name in ("first_name", "last_name") if row.cells.get(name)} | new_contacts
    if any(getattr(user, name) != value for name, value in wanted.items()):
        for name, value in wanted.items():
            setattr(user, name, value)
        found.changed_users[user.pk] = user
        outcome = "changed" if outcome == "unchanged" else outcome
    _remember(found, user)
    if (group is not None and customer.group_id != group.pk) or business != customer.business:
        if group is not None:
            customer.group = group
        customer.business = business
        found.changed_customers[customer.pk] = customer
        outcome = "changed" if outcome == "unchanged" else outcome
    for segment in segments:
        pair = (customer.pk, segment.pk)
        if pair not in found.members:
            found.members.add(pair)
            found.new_members.append(pair)
            outcome = "changed" if outcome == "unchanged" else outcome
    return outcome


def _new_contacts(row: _Row, user: User) -> dict[str, str]:
    """Contacts that the account has none of yet. What its owner typed beside a proved one stays as it is."""
    found = {}
    proved = user.is_email_verified or user.is_phone_verified
    for kind in ("email", "phone"):
        wanted, stored = getattr(row, kind), getattr(user, kind)
        if not wanted or wanted == stored:
            continue
        if not stored:
            found[kind] = wanted
        elif getattr(user, f"is_{kind}_verified") or not proved:
            raise _Refused(kind, _("This customer has another one already."))
    return found


def _group(row: _Row, found: _Batch) -> CustomerGroup | None:
    slug = row.cells.get("group", "")
    if slug and slug not in found.groups:
        raise _Refused("group", _("There is no such customer group."))
    return found.groups.get(slug)


def _segments(row: _Row, found: _Batch) -> list[Segment]:
    wanted = []
    for name in sorted(row.segments):
        segment = found.segments.get(name)
        if segment is None:
            raise _Refused("segment", _("There is no segment %(name)s.") % {"name": name})
        if segment.kind != Segment.Kind.MANUAL:
            raise _Refused("segment", _("The members of %(name)s follow from its conditions.") % {"name": name})
        wanted.append(segment)
    return wanted


def _business(row: _Row, customer: Customer | None) -> Any:
    stored = None if customer is None else customer.business
    columns = (("name", "business_name"), ("gstin", "gstin"))
    sent = {name: row.cells[column] for name, column in columns if row.cells.get(column)}
    if not sent:
        return stored
    try:
        return businesses.cleaned(sent=sent, stored=stored, prefix="")
    except Invalid as error:
        at_fault, messages = next(iter(error.errors.items()))
        raise _Refused("business_name" if at_fault == "name" else "gstin", messages[0]) from error


def _store(store: Store, found: _Batch, now: datetime) -> None:
    """Five statements, each only where there is something to write (more on databases with short statements)."""
    customers.save_imported(
        store=store,
        new=[found.customers[pk] for pk in found.new],
        changed=[row for pk, row in found.changed_customers.items() if pk not in found.new],
        members=found.new_members,
        now=now,
    )
    User.objects.bulk_create(found.new.values())
    changed = [row for pk, row in found.changed_users.items() if pk not in found.new]
    for row in changed:
        row.modified_at = now
    if changed:
        User.objects.bulk_update(changed, ["first_name", "last_name", "email", "phone", "modified_at"])
