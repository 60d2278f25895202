"""What customers know of somebody, for their export. Users whom the customer invited see the same."""

from __future__ import annotations

from typing import Any

from storefront.models import Store

from . import selectors
from .bank.services import masked
from .models import AuthorizedSeller, Customer, CustomerNote, Document, DocumentEvent, Invitation, SegmentMember


def details(*, store: Store, customer_id: str | None, **_: Any) -> Any:
    """The business, and where the shop put the customer: group, segments by hand, sellers. Three queries."""
    row = Customer.objects.select_related("group").filter(store=store, pk=customer_id or "", erased_at=None).first()
    if row is None:
        return None
    segments = SegmentMember.objects.filter(store=store, customer=row).order_by("segment__name")
    sellers = AuthorizedSeller.objects.filter(store=store, customer=row).order_by("seller__trade_name")
    return {
        "id": row.pk,
        "business": row.business,
        "metadata": row.metadata,
        "created_at": row.created_at.isoformat(),
        "group": row.group.name if row.group else None,
        "segments": list(segments.values_list("segment__name", flat=True)),
        "authorized_sellers": list(sellers.values_list("seller__trade_name", flat=True)),
    }


def sent_invitations(*, store: Store, customer_id: str | None, **_: Any) -> Any:
    """Whom the customer had invited: the contact while the invitation is open, as it is forgotten then; one query."""
    rows = Invitation.objects.filter(store=store, customer_id=customer_id or "").order_by("-created_at")
    return list(rows.values("contact", "state", "created_at", "expires_at", "accepted_at"))


def notes(*, store: Store, customer_id: str | None, **_: Any) -> Any:
    """What staff noted about the customer; one query. They are the customer's data too."""
    rows = CustomerNote.objects.filter(store=store, customer_id=customer_id or "").order_by("-created_at")
    return list(rows.values("text", "created_at"))


def addresses(*, store: Store, customer_id: str | None, **_: Any) -> Any:
    """One query."""
    return [row.content() for row in selectors.address_book(store=store, customer_id=customer_id or "")]


def documents(*, store: Store, customer_id: str | None, **_: Any) -> Any:
    """With what happened to each; two queries. The files themselves are had from the account."""
    history: dict[str, list[dict[str, Any]]] = {}
    for event in DocumentEvent.objects.filter(store=store, customer_id=customer_id or "").order_by("pk"):
        told = {"what": event.kind, "reason": event.reason, "at": event.created_at}
        history.setdefault(event.document_id, []).append(told)
    rows = selectors.documents(store=store, customer_id=customer_id or "")
    return [_document(row) | {"history": history.get(row.pk, [])} for row in rows]


def _document(row: Document) -> dict[str, Any]:
    return {
        "title": row.type.title,
        "document_number": row.number,
        "note": row.note,
        "status": row.status,
        "has_file": bool(row.file),
        "created_at": row.created_at.isoformat(),
        "expires_at": row.expires_at.isoformat() if row.expires_at else None,
    }


def bank_accounts(*, store: Store, customer_id: str | None, **_: Any) -> Any:
    """One query. Numbers are masked, as everywhere."""
    return [
        {
            "account_type": row.type,
            "account_name": row.account_name,
            "account_number": masked(row),
            "ifsc_code": row.ifsc_code,
            "bank_name": row.bank_name,
            "is_verified": row.is_verified,
        }
        for row in selectors.bank_accounts(store=store, customer_id=customer_id or "")
    ]
