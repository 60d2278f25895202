"""Documents below `/customers/{id}`, and the download behind their signed links."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from rest_framework.request import Request
from rest_framework.response import Response

from storefront import private_files, wire
from storefront.api import Reply, UploadViewSet
from storefront.errors import Invalid, NotFound

from .. import selectors
from ..models import Document
from ..views import OwnCustomerViewSet
from . import files, serializers, services
from .links import link


class DocumentViewSet(OwnCustomerViewSet, UploadViewSet):
    inputs = {
        "create": serializers.DocumentIn,
        "update": serializers.DocumentChangesIn,
        "verify": serializers.NumberIn,
    }

    def index(self, request: Request, **url: str) -> Response:
        now = timezone.now()
        rows = selectors.documents(**self.where)
        return Reply({"documents": [self._shown(row, now) for row in rows]}, message=_("Your documents."))

    def create(self, request: Request, **url: str) -> Any:
        self.brake("upload", self.shopper.user_id)
        data = self.read(request)

        def submit(_id: str) -> Response:
            row = services.submit(
                **self.where,
                by=self.shopper.user_id,
                type_id=data["kyc_document_id"],
                number=data["document_number"],
                note=data.get("note") or "",
                file=data.get("file"),
                now=timezone.now(),
            )
            return self._out(row, _("Thank you, we have your document."))

        return self.once(submit, outside=True)

    def retrieve(self, request: Request, document_id: str, **url: str) -> Response:
        return self._out(selectors.document(**self.where, document_id=document_id), _("Your document."))

    def update(self, request: Request, document_id: str, **url: str) -> Response:
        self.brake("upload", self.shopper.user_id)
        data = self.read(request)
        row = services.submit_again(
            **self.where,
            document_id=document_id,
            by=self.shopper.user_id,
            type_id=data["kyc_document_id"],
            number=data["document_number"],
            reason=data["modified_reason"],
            note=data.get("note"),
            file=data.get("file"),
            now=timezone.now(),
        )
        return self._out(row, _("Thank you, we have your document."))

    def destroy(self, request: Request, document_id: str, **url: str) -> Response:
        services.delete(**self.where, document_id=document_id, by=self.shopper.user_id, now=timezone.now())
        return Reply(message=_("The document is deleted."))

    def verify(self, request: Request, **url: str) -> Response:
        data = self.read(request)
        try:
            kind = services.document_type(store=self.store, type_id=data["document_type_id"])
        except Invalid as error:
            raise Invalid(error.message, field="document_type_id") from error
        number = services.checked_number(kind=kind, number=data["document_number"])
        self.brake("document_check", self.shopper.customer_id or "")
        found = services.look_up(store=self.store, kind=kind, number=number)
        shown = serializers.looked_up(found, kind=kind, number=number)
        return Reply({"document": shown}, message=_("This is what is known of that number."))

    def _out(self, row: Document, message: str) -> Response:
        return Reply({"document": self._shown(row, timezone.now())}, message=message)

    def _shown(self, row: Document, now: datetime) -> dict[str, Any]:
        return serializers.document(row, file_url=link(row, self.request), now=now)


@require_safe
def download(request: HttpRequest, store_id: str, signed: str) -> HttpResponseBase:
    """The file of a document that still is the one of the link. Forged, old and stale links are the same 404."""
    facts = private_files.read(signed) or {}
    row = None
    if facts.get("store") == store_id:
        row = Document.objects.filter(store=store_id, pk=str(facts.get("document"))).select_related("type").first()
    if row is not None and row.file and row.file.rpartition("/")[2] == facts.get("file"):
        answer = private_files.answer(
            name=row.file, content_type=row.file_type, shown_as=f"{row.type.title}.{files.ENDINGS[row.file_type]}"
        )
        if answer is not None:
            return answer
    return wire.error_response(NotFound())
