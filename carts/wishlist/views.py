"""The wishlist routes. Each answers the whole list."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from storefront.api import Access, Reply, StoreViewSet

from . import selectors, serializers, services


class WishlistViewSet(StoreViewSet):
    access = Access.VISITOR
    inputs = {"add": serializers.WishIn, "remove": serializers.WishIn}

    def retrieve(self, request: Request, store_id: str, user_id: str) -> Response:
        return self._answer(_("Your wishlist."), user_id=user_id, seller_id=request.GET.get("seller_id") or None)

    def add(self, request: Request, store_id: str, user_id: str) -> Response:
        services.add(**self._where(user_id=user_id), **self.read(request), now=timezone.now())
        return self._answer(_("It was added to your wishlist."), user_id=user_id)

    def remove(self, request: Request, store_id: str, user_id: str) -> Response:
        services.remove(**self._where(user_id=user_id), **self.read(request))
        return self._answer(_("It was removed from your wishlist."), user_id=user_id)

    def _where(self, **more: Any) -> dict[str, Any]:
        return {"store": self.store, "shopper": self.shopper, **more}

    def _answer(self, message: str, **which: Any) -> Response:
        return Reply({"products": selectors.products(**self._where(**which))}, message=message)
