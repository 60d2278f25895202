"""What a customer has: saved means of payment, mandates with their debits, and a credit line.

The path names the caller's customer or, as older clients send it, their user; anything else is a 404.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from storefront import query
from storefront.api import Access, Reply, StoreViewSet
from storefront.errors import Invalid

from . import mandates, saved, selectors, serializers
from .models import Mandate

METHODS = ("upi_collect", "wallet", "card")


class CustomerViewSet(StoreViewSet):
    access = Access.LOGGED_IN

    def customer(self, customer_id: str) -> dict[str, Any]:
        return {
            "store": self.store,
            "customer_id": selectors.customer_id_of(shopper=self.shopper, path_id=customer_id),
        }


class SavedMeansViewSet(CustomerViewSet):
    def cards(self, request: Request, store_id: str, customer_id: str) -> Response:
        now = timezone.now()
        holders = saved.means(**self.customer(customer_id), now=now)
        return Reply({"cards": serializers.cards(holders, now=now)}, message=_("Your saved cards."))

    def methods(self, request: Request, store_id: str, customer_id: str) -> Response:
        where = self.customer(customer_id)
        kinds = query.strings(request.query_params, "payment_methods") or list(METHODS)
        if unknown := next((kind for kind in kinds if kind not in METHODS), None):
            raise Invalid(
                _("%(name)s is none of: %(names)s.") % {"name": unknown[:40], "names": ", ".join(METHODS)},
                field="payment_methods",
            )
        now = timezone.now()
        shown = serializers.saved_methods(saved.means(**where, now=now), kinds=kinds, now=now)
        return Reply({"saved_payment_methods": shown}, message=_("Your saved payment methods."))


class MandateViewSet(CustomerViewSet):
    inputs = {"create": serializers.MandateIn, "update": serializers.MandateChangeIn}

    def list(self, request: Request, store_id: str, customer_id: str) -> Response:
        rows = selectors.mandates(**self.customer(customer_id))
        return Reply({"mandates": [serializers.mandate(row) for row in rows]}, message=_("Your mandates."))

    def create(self, request: Request, store_id: str, customer_id: str) -> Response:
        where = self.customer(customer_id)
        data = self.read(request)
        self.brake("mandate_create", where["customer_id"])

        def create(mandate_id: str) -> Response:
            row = mandates.create(**where, **data, mandate_id=mandate_id, now=timezone.now())
            return self._answer(row, _("Your mandate was asked for."))

        return self._once(create)

    def retrieve(self, request: Request, store_id: str, customer_id: str, mandate_id: str) -> Response:
        where = self.customer(customer_id)
        if not query.flag(request.query_params, "sync"):
            return self._answer(selectors.mandate(**where, mandate_id=mandate_id), _("Your mandate."))
        self.brake("mandate_change", where["customer_id"])
        found = mandates.look(**where, mandate_id=mandate_id, now=timezone.now())
        return self._answer(found, _("Your mandate, as its provider has it."))

    def update(self, request: Request, store_id: str, customer_id: str, mandate_id: str) -> Response:
        where = self._step(customer_id, mandate_id)
        return self._answer(mandates.change(**where, **self.read(request)), _("Your mandate was changed."))

    def pause(self, request: Request, store_id: str, customer_id: str, mandate_id: str) -> Response:
        where = self._step(customer_id, mandate_id)
        return self._once(lambda _id: self._answer(mandates.pause(**where), _("Your mandate is paused.")))

    def resume(self, request: Request, store_id: str, customer_id: str, mandate_id: str) -> Response:
        where = self._step(customer_id, mandate_id)
        return self._once(lambda _id: self._answer(mandates.resume(**where), _("Your mandate is active again.")))

    def revoke(self, request: Request, store_id: str, customer_id: str, mandate_id: str) -> Response:
        where = self._step(customer_id, mandate_id)
        return self._once(lambda _id: self._answer(mandates.revoke(**where), _("Your mandate is revoked.")))

    def _once(self, call: Callable[[str], Response]) -> Response:
        """Providers are asked outside of transactions."""
        found: Response = self.once(call, outside=True)
        return found

    def _step(self, customer_id: str, mandate_id: str) -> dict[str, Any]:
        where = self.customer(customer_id)
        self.brake("mandate_change", where["customer_id"])
        return {**where, "mandate_id": mandate_id, "now": timezone.now()}

    def _answer(self, row: Mandate, message: str) -> Response:
        return Reply({"mandate": serializers.mandate(row)}, message=message)


class CreditViewSet(CustomerViewSet):
    def schedules(self, request: Request, store_id: str, customer_id: str) -> Response:
        where = self.customer(customer_id)
        page = query.page(request.query_params)
        rows, total = selectors.debits(**where, page=page)
        return Reply(
            {
                "mandate_debit_schedules": [serializers.debit(row) for row in rows],
                "pagination": page.pagination(total),
            },
            message=_("Your scheduled debits."),
        )

    def balance(self, request: Request, store_id: str, customer_id: str) -> Response:
        found = selectors.credit_overview(**self.customer(customer_id))
        return Reply(serializers.credit(found["line"], found["mandates"]), message=_("Your credit line."))
