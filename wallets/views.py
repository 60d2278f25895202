"""The loyalty routes: a shopper's own, by the customer's id or, as older clients have it, by the user's."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from storefront import query
from storefront.api import Access, Reply, StoreViewSet
from storefront.errors import NotFound

from . import selectors, serializers


class LoyaltyViewSet(StoreViewSet):
    access = Access.LOGGED_IN

    def retrieve(self, request: Request, store_id: str, customer_id: str) -> Response:
        found = selectors.standing(store_id=self.store.pk, customer_id=self._customer(customer_id), now=timezone.now())
        return Reply({"loyalty": serializers.loyalty(found)}, message=_("Your loyalty account."))

    def activity(self, request: Request, store_id: str, customer_id: str) -> Response:
        customer_id = self._customer(customer_id)
        page = query.page(request.GET)
        rows = selectors.activity(
            store_id=self.store.pk,
            customer_id=customer_id,
            sort=query.sort_by(request.GET, selectors.SORTS),
            offset=page.offset,
            limit=page.limit,
        )
        content = {"loyalty_points_activity": [serializers.activity(row) for row in rows]}
        return Reply(content, message=_("Your loyalty points."))

    def _customer(self, asked: str) -> str:
        """The shopper's customer id. Raises NotFound for anybody else's."""
        own = self.shopper.customer_id
        if not own or asked not in (own, self.shopper.user_id):
            raise NotFound
        return own
