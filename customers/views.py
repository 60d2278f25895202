"""Everything below `/customers`. The customer of the address must be the caller's own; anybody else's is a 404."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from storefront import query
from storefront.api import Access, Reply, StoreViewSet
from storefront.errors import NotFound

from . import book, selectors, serializers


class OwnCustomerViewSet(StoreViewSet):
    """Older clients put the user's id where the customer's belongs; for the caller's own, both are understood."""

    access = Access.LOGGED_IN
    parameter = "customer_id"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.action is None:
            return
        named = self.kwargs[self.parameter]
        if self.shopper.customer_id is None or named not in (self.shopper.customer_id, self.shopper.user_id):
            raise NotFound

    @property
    def where(self) -> dict[str, Any]:
        return {"store": self.store, "customer_id": self.shopper.customer_id}


class AddressViewSet(OwnCustomerViewSet):
    inputs = {"create": serializers.AddressIn, "update": serializers.AddressChangesIn}

    def index(self, request: Request, **url: str) -> Response:
        page = query.page(request.GET)
        rows, total = selectors.addresses(**self.where, page=page)
        shown = [selectors.shown(row, shopper=self.shopper) for row in rows]
        return Reply({"addresses": shown, "pagination": page.pagination(total)}, message=_("Your addresses."))

    def create(self, request: Request, **url: str) -> Response:
        row = book.create(**self.where, data=self.read(request), now=timezone.now())
        return self._out(row, _("The address is saved."))

    def retrieve(self, request: Request, address_id: str, **url: str) -> Response:
        return self._out(selectors.address_row(**self.where, address_id=address_id), _("Your address."))

    def update(self, request: Request, address_id: str, **url: str) -> Response:
        changes = self.read(request)
        row = book.update(**self.where, address_id=address_id, changes=changes, now=timezone.now())
        return self._out(row, _("The address is saved."))

    def destroy(self, request: Request, address_id: str, **url: str) -> Response:
        book.delete(**self.where, address_id=address_id)
        return Reply(message=_("The address is deleted."))

    def _out(self, row: Any, message: str) -> Response:
        return Reply({"address": selectors.shown(row, shopper=self.shopper)}, message=message)


class SellerViewSet(OwnCustomerViewSet):
    def index(self, request: Request, **url: str) -> Response:
        page = query.page(request.GET)
        rows, total = selectors.authorized_sellers(**self.where, page=page)
        shown = [serializers.seller(row) for row in rows]
        return Reply({"authorized_sellers": shown, "pagination": page.pagination(total)}, message=_("Your sellers."))
