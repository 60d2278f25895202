"""Links to the files of documents."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from rest_framework.request import Request

from storefront import private_files
from storefront.conf import conf

from ..models import Document


def link(row: Document, request: HttpRequest | Request) -> str:
    """Where the file can be had for the next five minutes, by whoever has the link; "" without a file."""
    if not row.file:
        return ""
    signed = private_files.sign(store=row.store_id, document=row.pk, file=row.file.rpartition("/")[2])
    path = reverse("storefront_customers_file", kwargs={"store_id": row.store_id, "signed": signed})
    return f"{conf().PUBLIC_URL.rstrip('/')}{path}" if conf().PUBLIC_URL else request.build_absolute_uri(path)
