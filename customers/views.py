"""Everything below `/customers`. The customer of the address must be the caller's own; anybody else's is a 404."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from storefront import query
from storefront.api import Access, Reply, StoreViewSet
from storefront.contracts import Shopper
from storefront.errors import Invalid, NotFound

from . import book, selectors, serializers, services
from .models import Customer


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


def require_primary(shopper: Shopper, *, field: str | None = None) -> None:
    """Raises Invalid for a user whom somebody else's customer invited."""
    if not shopper.claims.get("is_primary", shopper.user_id == shopper.customer_id):
        raise Invalid(_("Only the primary user can change this."), code="primary_user_only", field=field)


class CustomerViewSet(StoreViewSet):
    """Also for visitors, who become guests by it."""

    inputs = {"create": serializers.CustomerIn}

    def create(self, request: Request, **url: str) -> Any:
        self.brake("customer_create", self.shopper.user_id)
        self.brake("customer_create_network")
        data = self.read(request)
        if self.shopper.is_logged_in and data.get("business") is not None:
            require_primary(self.shopper, field="business")

        def give(_id: str) -> Response:
            row, address = services.give_details(
                store=self.store,
                shopper=self.shopper,
                business_sent=data.get("business"),
                address_sent=data.get("address"),
                now=timezone.now(),
            )
            person = selectors.person(store=self.store, shopper=self.shopper)
            detail = serializers.customer_detail(row, person=person, address=address)
            return Reply({"customer_detail": detail}, message=_("Thank you, your details are saved."))

        return self.once(give)


class OwnDetailsViewSet(OwnCustomerViewSet):
    inputs = {"update": serializers.CustomerChangesIn}

    def update(self, request: Request, **url: str) -> Response:
        data = self.read(request)
        row: Customer
        if "business" in data:
            require_primary(self.shopper, field="business")
            row = services.change_business(**self.where, sent=data["business"])
        else:
            row = selectors.customer(**self.where)
        person = selectors.person(store=self.store, shopper=self.shopper)
        detail = serializers.customer_detail(row, person=person)
        return Reply({"customer_detail": detail}, message=_("Your changes are saved."))


class AddressViewSet(OwnCustomerViewSet):
    inputs = {"create": serializers.AddressIn, "update": serializers.AddressChangesIn}

    def index(self, request: Request, **url: str) -> Response:
        page = query.page(request.GET)
        rows, total = selectors.addresses(**self.where, page=page)
        shown = [selectors.shown(row, shopper=self.shopper) for row in rows]
        return Reply({"addresses": shown, "pagination": page.pagination(total)}, message=_("Your addresses."))

    def create(self, request: Request, **url: str) -> Any:
        data = self.read(request)

        def create(_id: str) -> Response:
            return self._out(book.create(**self.where, data=data, now=timezone.now()), _("The address is saved."))

        return self.once(create)

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
