"""Shapes of documents."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework import serializers

from storefront.contracts import DocumentCheck

from ..models import Document, KycDocumentType

Input = serializers.Serializer[Any]


class OptionalFile(serializers.FileField):
    """A form without a file may send the member empty."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, allow_empty_file=False, max_length=255, **kwargs)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return super().run_validation(None if data == "" else data)


class DocumentIn(Input):
    document_number = serializers.CharField(max_length=60)
    kyc_document_id = serializers.CharField(max_length=26)
    note = serializers.CharField(max_length=500, required=False, allow_null=True, allow_blank=True)
    file = OptionalFile()


class DocumentChangesIn(DocumentIn):
    modified_reason = serializers.CharField(max_length=300)


class NumberIn(Input):
    document_number = serializers.CharField(max_length=60)
    document_type_id = serializers.CharField(max_length=26)


def document(row: Document, *, file_url: str, now: datetime) -> dict[str, Any]:
    """The contract's `Document`, which knows no null: what is not there is left out.

    Its `kyc_document_id` is only written, so the kind is told under the name that the verify call has for it.
    """
    status = Document.Status.EXPIRED if row.expired(now) else row.status
    shown = {
        "id": row.pk,
        "document_number": row.number,
        "document_type_id": row.type_id,
        "note": row.note,
        "status": str(status),
        "title": row.type.title,
        "file_url": file_url or None,
        "verification_type": "automatic" if row.is_automatic else "manual",
        "is_verified": status == Document.Status.APPROVED,
        "verified_at": row.verified_at,
        "created_by": row.created_by,
        "created_at": row.created_at,
        "modified_by": row.modified_by,
        "modified_at": row.modified_at,
        "modified_reason": row.modified_reason,
        "expires_at": row.expires_at,
    }
    return {name: value for name, value in shown.items() if value is not None}


def looked_up(found: DocumentCheck, *, kind: KycDocumentType, number: str) -> dict[str, Any]:
    """The contract's `GstinDetail` or `PanDetail`. It names the id only; a registry's facts come beside it."""
    return {
        "id": found.reference or number,
        "document_type": kind.kind,
        "document_number": number,
        "is_verified": found.status == "verified",
        **found.details,
    }
