"""What customers know of somebody, for their export. Users whom the customer invited see the same."""

from __future__ import annotations

from typing import Any

from storefront.models import Store

from . import selectors
from .bank.services import masked
from .models import Customer, CustomerNote, Document


def details(*, store: Store, customer_id: str | None, **_: Any) -> Any:
    """The business and what the shop noted; one query."""
    row = Customer.objects.filter(store=store, pk=customer_id or "", erased_at=None).first()
    if row is None:
        return None
    return {"id": row.pk, "business": row.business, "metadata": row.metadata, "created_at": row.created_at.isoformat()}


def notes(*, store: Store, customer_id: str | None, **_: Any) -> Any:
    """What staff noted about the customer; one query. They are the customer's data too."""
    rows = CustomerNote.objects.filter(store=store, customer_id=customer_id or "").order_by("-created_at")
    return list(rows.values("text", "created_at"))


def addresses(*, store: Store, customer_id: str | None, **_: Any) -> Any:
    """One query."""
    return [row.content() for row in selectors.address_book(store=store, customer_id=customer_id or "")]


def documents(*, store: Store, customer_id: str | None, **_: Any) -> Any:
    """One query. The files themselves are had from the account."""
    return [_document(row) for row in selectors.documents(store=store, customer_id=customer_id or "")]


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
