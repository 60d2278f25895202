"""Customers from a file: rows with names, groups, segments and businesses, safe to repeat. A kind of import.

A proved contact names its owner. A contact that nobody proved finds only an account of which nothing is proved, as
imports make them: a shopper may type any address as their own second one, and must not come by somebody else's prices
that way. Nothing is ever marked as proved, no message is sent and no event: an import is no registration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from customers import business as businesses
from customers import selectors as customer_rows
from customers import services as customers
from customers.models import Customer, Segment
from storefront.contacts import parse_email, parse_phone
from storefront.errors import Invalid
from storefront.ids import new_id
from storefront.imports.kinds import Chunk, Outcome, Problem
from storefront.imports.models import ImportJob
from storefront.imports.records import CLEAR, SEPARATOR, BadCell, Record, checked
from storefront.models import CustomerGroup, Store
from storefront.staff import trail

from . import selectors
from .models import User

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


class CustomerImports:
    """A row for each customer (docs/customers.md). Files hold personal data: they and their errors go soon."""

    name = "customers"
    chunk_rows = 300
    worker_chunk_rows = 200
    grows: tuple[str, ...] = ("storefront_accounts", "storefront_customers")
    keep_file = timedelta(days=1)
    keep_job = timedelta(days=7)

    def columns(self, *, store: Store, names: Sequence[str]) -> list[str]:
        """Capitals and blanks in names do not matter. No query."""
        found = [name.strip().lower().replace(" ", "_") for name in names]
        unknown = any(name not in COLUMNS for name in found)
        if unknown or len(set(found)) != len(found) or not {"email", "phone"} & set(found):
            raise BadCell(
                _("The first line must name the columns: email or phone, and any of %(names)s. Each of them once.")
                % {"names": ", ".join(COLUMNS[2:])}
            )
        return found

    def begins(self, *, job: ImportJob, staff: Any) -> None:
        """Writes into the record of what staff did with personal data: one insert."""
        fields = job.columns or COLUMNS
        trail.imported_list(store=job.store, kind=User._meta.label, fields=fields, staff=staff, command=job.made_by)

    @contextmanager
    def chunk(self, chunk: Chunk) -> Iterator[Callable[[], Outcome]]:
        yield partial(apply, store=chunk.store, records=chunk.records, dry_run=chunk.job.dry_run)

    def finished(self, *, job: ImportJob) -> None:
        """Nothing follows from customers as a whole."""


@dataclass(slots=True)
class _Row:
    record: Record
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


def apply(*, store: Store, records: Sequence[Record], dry_run: bool = False, now: datetime | None = None) -> Outcome:
    """Writes these rows in the caller's transaction, or only checks them: at most twelve queries, however many.

    Locks the store's row, so that two imports make nobody twice, then users and customers in the order of their ids.
    A dry run counts somebody twice whose rows are in different chunks.
    """
    outcome = Outcome()
    rows = []
    for record in records:
        try:
            rows.append(_read(store, record))
        except BadCell as error:
            outcome.problems.append(_problem(record, error))
    if rows:
        _write(store, rows, outcome, dry_run, now or timezone.now())
    return outcome


def _problem(record: Record, error: BadCell) -> Problem:
    return Problem(record.number, error.column, error.message, record.cells.get(error.column, ""))


# --- reading ----------------------------------------------------------------------------------------------------------
def _read(store: Store, record: Record) -> _Row:
    """What can be checked without the database. Raises BadCell."""
    if record.error:
        raise record.error
    row = _Row(record, {name: _cell(name, value) for name, value in record.cells.items()})
    email, phone = row.cells.get("email", ""), row.cells.get("phone", "")
    if not email and not phone:
        raise BadCell(_("Enter an e-mail address or a phone."), "email")
    try:
        row.email = parse_email(email) if email else ""
        if phone:
            country_code = row.cells.get("country_code") or None
            row.phone = parse_phone(store=store, phone=phone, country_code=country_code).e164
    except Invalid as error:
        raise BadCell(str(error.message), next(iter(error.errors), "phone")) from error
    for name, longest in LENGTHS.items():
        if len(row.cells.get(name, "")) > longest:
            raise BadCell(_("Longer than %(count)d characters.") % {"count": longest}, name)
    named = (name.strip() for name in row.cells.get("segment", "").split(SEPARATOR))
    row.segments = frozenset(name for name in named if name)
    if len(row.segments) > MOST_SEGMENTS:
        raise BadCell(_("More than %(count)d segments.") % {"count": MOST_SEGMENTS}, "segment")
    return row


def _cell(name: str, value: str) -> str:
    """The text with blanks collapsed."""
    if name not in COLUMNS:  # a line of JSON names its own
        raise BadCell(_("There is no such column."), name)
    if value == CLEAR:
        raise BadCell(_("This cannot be emptied."), name)
    return " ".join(checked(value, name).split())


# --- one batch --------------------------------------------------------------------------------------------------------
def _write(store: Store, rows: Sequence[_Row], outcome: Outcome, dry_run: bool, now: datetime) -> None:
    if not dry_run:
        Store.objects.select_for_update(no_key=True).filter(pk=store.pk).first()
    found = _look_up(store, rows, lock=not dry_run)
    for row in rows:
        try:
            became = _plan(store, row, found, now)
        except BadCell as error:
            outcome.problems.append(_problem(row.record, error))
            continue
        setattr(outcome, became, getattr(outcome, became) + 1)
    if not dry_run:
        _store(store, found, now)


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
            raise BadCell(_("The e-mail address and the phone belong to two different people."), "phone")
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
        raise BadCell(_("This customer was erased."), "email" if row.email else "phone")
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
            raise BadCell(_("This customer has another one already."), kind)
    return found


def _group(row: _Row, found: _Batch) -> CustomerGroup | None:
    slug = row.cells.get("group", "")
    if slug and slug not in found.groups:
        raise BadCell(_("There is no such customer group."), "group")
    return found.groups.get(slug)


def _segments(row: _Row, found: _Batch) -> list[Segment]:
    wanted = []
    for name in sorted(row.segments):
        segment = found.segments.get(name)
        if segment is None:
            raise BadCell(_("There is no segment %(name)s.") % {"name": name}, "segment")
        if segment.kind != Segment.Kind.MANUAL:
            raise BadCell(_("The members of %(name)s follow from its conditions.") % {"name": name}, "segment")
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
        raise BadCell(str(messages[0]), "business_name" if at_fault == "name" else "gstin") from error


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
