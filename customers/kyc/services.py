"""Writing documents. Files and registries first, outside any lock; then one short section that holds the customer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from storefront import crypto, private_files, tax_ids
from storefront.contracts import DocumentCheck
from storefront.errors import Invalid, Unavailable
from storefront.models import Store
from storefront.plugs import plug

from .. import selectors
from ..errors import DocumentLocked, DocumentNotFound, TooManyDocuments
from ..models import Document, DocumentEvent, KycDocumentType
from . import files

MAX_DOCUMENTS = 100
Kind, Status, By, Happened = KycDocumentType.Kind, Document.Status, Document.By, DocumentEvent.Kind
LIVE = (Status.SUBMITTED, Status.APPROVED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a document becomes at once."""

    status: str
    reason: str = ""


def submit(
    *,
    store: Store,
    customer_id: str,
    by: str,
    type_id: str,
    number: str,
    note: str = "",
    file: Any = None,
    now: datetime,
    as_staff: bool = False,
) -> Document:
    """A new document of a kind of which none is submitted or approved (D-44). `by` is a user's id or a staff name.

    One of a kind that is checked by itself is approved or rejected at once where a registry answers; all others wait
    for staff. Raises Invalid naming the field, DocumentLocked, TooManyDocuments, CustomerNotFound.
    """
    kind = document_type(store=store, type_id=type_id)
    number = checked_number(kind=kind, number=number)
    _require_file(kind, file is not None)
    selectors.customer(store=store, customer_id=customer_id)
    _require_free(_rows(store, customer_id), kind, now)  # before any work is done; again below
    outcome = _outcome(store, kind, number)
    stored = files.save(store=store, file=file) if file is not None else None
    try:
        with transaction.atomic():
            selectors.customer_for_update(store=store, customer_id=customer_id)
            rows = _rows(store, customer_id)
            if len(rows) >= MAX_DOCUMENTS:
                raise TooManyDocuments
            _require_free(rows, kind, now)
            _expire(store, [row for row in rows if row.type_id == kind.pk and row.expired(now)], now)
            row = Document(store=store, customer_id=customer_id, type=kind, created_at=now)
            row.created_by = By.ADMIN if as_staff else By.CUSTOMER
            _fill(row, kind, number, note, stored, now)
            row.modified_by = row.created_by
            _decide(row, outcome, now)
            row.save(force_insert=True)
            _remember(row, Happened.SUBMITTED, by, "", now)
            _remember_outcome(row, outcome, now)
    except BaseException:
        private_files.discard(stored.name if stored else "")
        raise
    return row


def submit_again(
    *,
    store: Store,
    customer_id: str,
    document_id: str,
    by: str,
    type_id: str,
    number: str,
    reason: str,
    note: str | None = None,
    file: Any = None,
    now: datetime,
) -> Document:
    """Puts right a document that was rejected or has expired (D-44). Without a new file the old one stays.

    Raises as `submit`, and DocumentNotFound.
    """
    kind = document_type(store=store, type_id=type_id)
    number = checked_number(kind=kind, number=number)
    before = selectors.document(store=store, customer_id=customer_id, document_id=document_id)
    _require_repairable(before, kind, now)
    _require_file(kind, file is not None or bool(before.file))
    outcome = _outcome(store, kind, number)
    stored = files.save(store=store, file=file) if file is not None else None
    try:
        with transaction.atomic():
            selectors.customer_for_update(store=store, customer_id=customer_id)
            rows = _rows(store, customer_id)
            row = next((row for row in rows if row.pk == document_id), None)
            if row is None:
                raise DocumentNotFound
            _require_repairable(row, kind, now)
            others = [other for other in rows if other.pk != row.pk]
            _require_free(others, kind, now)
            _expire(store, [other for other in others if other.type_id == kind.pk and other.expired(now)], now)
            if stored:
                private_files.discard_after_commit(row.file)
            _fill(row, kind, number, row.note if note is None else note, stored, now)
            row.modified_by, row.verified_at, row.expires_at = By.CUSTOMER, None, None
            _decide(row, outcome, now)
            row.modified_reason = reason if outcome.status != Status.REJECTED else outcome.reason
            row.save(force_update=True)
            _remember(row, Happened.SUBMITTED_AGAIN, by, reason, now)
            _remember_outcome(row, outcome, now)
    except BaseException:
        private_files.discard(stored.name if stored else "")
        raise
    return row


def delete(*, store: Store, customer_id: str, document_id: str, by: str, now: datetime) -> None:
    """Withdraws a document; its file goes with the commit. Raises DocumentNotFound, also the second time."""
    with transaction.atomic():
        selectors.customer_for_update(store=store, customer_id=customer_id)
        row = selectors.document(store=store, customer_id=customer_id, document_id=document_id)
        private_files.discard_after_commit(row.file)
        _remember(row, Happened.DELETED, by, "", now)
        Document.objects.filter(store=store, pk=row.pk).delete()


# --- staff ------------------------------------------------------------------------------------------------------------
def approve(*, store: Store, document_id: str, by: str, now: datetime) -> Document:
    """For staff: a submitted document becomes approved, for as long as its kind says. Raises DocumentLocked."""
    return _judge(store, document_id, by, now, Outcome(Status.APPROVED))


def reject(*, store: Store, document_id: str, by: str, reason: str, now: datetime) -> Document:
    """For staff: a submitted or approved document becomes rejected; the customer reads the reason."""
    return _judge(store, document_id, by, now, Outcome(Status.REJECTED, reason))


@transaction.atomic
def _judge(store: Store, document_id: str, by: str, now: datetime, outcome: Outcome) -> Document:
    rows = Document.objects.select_for_update(of=("self",), no_key=True).select_related("type")
    row = rows.filter(store=store, pk=document_id).first()
    if row is None:
        raise DocumentNotFound
    allowed = LIVE if outcome.status == Status.REJECTED else (Status.SUBMITTED,)
    if row.status not in allowed:
        raise DocumentLocked
    row.modified_by, row.modified_at, row.modified_reason = By.ADMIN, now, outcome.reason
    _decide(row, outcome, now)
    row.save(force_update=True)
    _remember(row, Happened(outcome.status), by, outcome.reason, now)
    return row


# --- rules ------------------------------------------------------------------------------------------------------------
def document_type(*, store: Store, type_id: str) -> KycDocumentType:
    """Raises Invalid naming `kyc_document_id`."""
    found = KycDocumentType.objects.filter(store=store, pk=type_id, active=True).first()
    if found is None:
        raise Invalid(_("The store does not ask for such a document."), field="kyc_document_id")
    return found


def checked_number(*, kind: KycDocumentType, number: str) -> str:
    """As it is stored. Raises Invalid naming `document_number`."""
    if kind.kind == Kind.OTHER:
        return " ".join(number.split())
    number = tax_ids.compact(number)
    if kind.kind == Kind.GST and not tax_ids.valid_gstin(number):
        raise Invalid(_("Enter a valid GSTIN."), field="document_number")
    if kind.kind == Kind.PAN and not tax_ids.valid_pan(number):
        raise Invalid(_("Enter a valid PAN."), field="document_number")
    return number


def look_up(*, store: Store, kind: KycDocumentType, number: str) -> DocumentCheck:
    """What the registry says of a number, before anything is saved. Without a registry, what the number itself says.

    Raises Invalid naming `document_number` for one that is not registered.
    """
    number = checked_number(kind=kind, number=number)
    if kind.kind == Kind.OTHER:
        raise Invalid(_("The number of this document cannot be checked."), field="document_type_id")
    found = _ask(store, kind, number)
    if found is None:
        return DocumentCheck(status="pending")
    if found.status == "rejected":
        raise Invalid(found.reason or _("The registry does not know this number."), field="document_number")
    return found


def _ask(store: Store, kind: KycDocumentType, number: str) -> DocumentCheck | None:
    checks = plug("DOCUMENT_CHECKS")
    if kind.kind == Kind.OTHER or (checks.sandbox and not store.debug_mode):
        return None
    answer: DocumentCheck = checks.check(store.pk, kind=str(kind.kind), number=number)
    return answer


def _outcome(store: Store, kind: KycDocumentType, number: str) -> Outcome:
    if kind.verification != KycDocumentType.Verification.AUTO:
        return Outcome(Status.SUBMITTED)
    try:
        found = _ask(store, kind, number)
    except Unavailable:  # staff can look at it instead
        found = None
    if found is None or found.status == "pending":
        return Outcome(Status.SUBMITTED)
    if found.status == "verified":
        return Outcome(Status.APPROVED)
    return Outcome(Status.REJECTED, (found.reason or _("The registry does not know this number."))[:300])


def _rows(store: Store, customer_id: str) -> list[Document]:
    return list(selectors.documents(store=store, customer_id=customer_id))


def _require_file(kind: KycDocumentType, there: bool) -> None:
    if kind.is_attachment_required and not there:
        raise Invalid(_("Send the document as a file, too."), field="file")


def _require_free(rows: Iterable[Document], kind: KycDocumentType, now: datetime) -> None:
    if any(row.type_id == kind.pk and row.status in LIVE and not row.expired(now) for row in rows):
        raise DocumentLocked


def _require_repairable(row: Document, kind: KycDocumentType, now: datetime) -> None:
    if row.type_id != kind.pk:
        raise Invalid(_("This document is of another kind."), field="kyc_document_id")
    if row.status in LIVE and not row.expired(now):
        raise DocumentLocked


def _fill(
    row: Document, kind: KycDocumentType, number: str, note: str, stored: files.Stored | None, now: datetime
) -> None:
    row.number_encrypted = crypto.encrypt(number)
    row.number_hash = crypto.keyed_hash("document", row.store_id, kind.pk, number)
    row.number_hint = number[-4:]
    row.note = note
    row.is_automatic = kind.verification == KycDocumentType.Verification.AUTO
    row.modified_at = now
    if stored:
        row.file, row.file_type, row.file_size = stored.name, stored.content_type, stored.size


def _decide(row: Document, outcome: Outcome, now: datetime) -> None:
    row.status = outcome.status
    row.verified_at = now if outcome.status == Status.APPROVED else None
    days = row.type.valid_days
    row.expires_at = now + timedelta(days=days) if outcome.status == Status.APPROVED and days else None
    if outcome.status == Status.REJECTED:
        row.modified_reason = outcome.reason


def _expire(store: Store, rows: list[Document], now: datetime) -> None:
    """Writes down what the calendar has decided, so that another may take the place."""
    if rows:
        Document.objects.filter(store=store, pk__in=[row.pk for row in rows]).update(
            status=Status.EXPIRED, modified_at=now
        )
        for row in rows:
            _remember(row, Happened.EXPIRED, "", "", now)


def _remember(row: Document, kind: str, by: str, reason: str, now: datetime) -> None:
    DocumentEvent.objects.create(
        store_id=row.store_id,
        customer_id=row.customer_id,
        document_id=row.pk,
        kind=kind,
        by=by[:60],
        reason=reason,
        created_at=now,
    )


def _remember_outcome(row: Document, outcome: Outcome, now: datetime) -> None:
    if outcome.status != Status.SUBMITTED:
        _remember(row, outcome.status, "", outcome.reason, now)


# --- going ------------------------------------------------------------------------------------------------------------
def erase(*, store: Store, customer_id: str) -> None:
    """Deletes a customer's documents and their history; the files go with the commit. In the caller's transaction."""
    rows = Document.objects.filter(store=store, customer_id=customer_id)
    private_files.discard_after_commit(*rows.values_list("file", flat=True))
    rows.delete()
    DocumentEvent.objects.filter(store=store, customer_id=customer_id).delete()


def expire_due(*, now: datetime, batch: int, **_payload: Any) -> None:
    """Listens to "sweep": approved documents past their date become expired, in small batches, all stores'."""
    due = Document.objects.filter(status=Status.APPROVED, expires_at__lte=now).order_by("expires_at")
    with transaction.atomic():
        rows = list(due.select_for_update(no_key=True)[:batch])
        if rows:
            Document.objects.filter(pk__in=[row.pk for row in rows]).update(status=Status.EXPIRED, modified_at=now)
            DocumentEvent.objects.bulk_create(
                DocumentEvent(
                    store_id=row.store_id,
                    customer_id=row.customer_id,
                    document_id=row.pk,
                    kind=Happened.EXPIRED,
                    created_at=now,
                )
                for row in rows
            )
