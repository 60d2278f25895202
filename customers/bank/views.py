"""Bank accounts below `/customers/{id}`."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from storefront.api import Reply
from storefront.errors import Invalid

from .. import selectors
from ..models import BankAccount
from ..views import OwnCustomerViewSet, require_primary
from . import serializers, services


class BankAccountViewSet(OwnCustomerViewSet):
    inputs = {
        "create": serializers.BankAccountIn,
        "update": serializers.BankAccountChangesIn,
        "verify": serializers.VerifyIn,
    }

    def index(self, request: Request, **url: str) -> Response:
        kind = request.GET.get("account_type", "").strip()
        if kind and kind not in BankAccount.Type.values:
            raise Invalid(_("Use inbound or outbound."), field="account_type")
        rows = selectors.bank_accounts(**self.where, kind=kind)
        shown = [serializers.bank_account(row) for row in rows]
        return Reply({"bank_accounts": shown}, message=_("Your bank accounts."))

    def create(self, request: Request, **url: str) -> Any:
        data = self.read(request)
        return self.once(lambda _id: self._create(data), outside=data["account_type"] == BankAccount.Type.INBOUND)

    def _create(self, data: dict[str, Any]) -> Response:
        if data["account_type"] == BankAccount.Type.OUTBOUND:
            row = services.add_outbound(**self.where, sent=data, now=timezone.now())
            return self._out(row, _("The bank account is saved."))
        self.brake("bank_check", self.shopper.customer_id or "")
        names = (self.shopper.claims.get(name) for name in ("first_name", "last_name"))
        row = services.add_inbound(
            **self.where,
            provider=data["service_provider_slug"],
            name=" ".join(filter(None, names)),
            is_default=bool(data.get("is_default")),
            now=timezone.now(),
        )
        return self._out(row, _("The bank account is opened."))

    def retrieve(self, request: Request, account_id: str, **url: str) -> Response:
        return self._out(selectors.bank_account(**self.where, account_id=account_id), _("Your bank account."))

    def update(self, request: Request, account_id: str, **url: str) -> Response:
        changes = self.read(request)
        row = services.update(**self.where, account_id=account_id, changes=changes, now=timezone.now())
        return self._out(row, _("The bank account is saved."))

    def destroy(self, request: Request, account_id: str, **url: str) -> Response:
        services.delete(**self.where, account_id=account_id)
        return Reply(message=_("The bank account is deleted."))

    def verify(self, request: Request, account_id: str, **url: str) -> Response:
        wanted = self.read(request)["is_verified"]
        require_primary(self.shopper)
        row = selectors.bank_account(**self.where, account_id=account_id)
        if wanted and not row.is_verified:
            self.brake("bank_check", self.shopper.customer_id or "")
        row = services.set_verified(**self.where, account_id=account_id, wanted=wanted, now=timezone.now())
        done = row.is_verified or not wanted
        message = (
            _("Thank you, that is confirmed.") if done else _("The bank is being asked. Please try again shortly.")
        )
        return self._out(row, message)

    def _out(self, row: Any, message: str) -> Response:
        return Reply({"bank_account": serializers.bank_account(row)}, message=message)
