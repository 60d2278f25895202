"""The cart routes. A cart belongs to the user of the token; everybody else's is a 404."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from storefront import idempotency, limits
from storefront.api import Access, Reply, StoreViewSet

from . import selectors, serializers, services
from .selectors import PricedCart


class CartViewSet(StoreViewSet):
    access = Access.VISITOR
    inputs = {"create": serializers.CartIn, "items": serializers.ItemIn}

    def create(self, request: Request, store_id: str) -> Any:
        caller = self.shopper.user_id
        limits.hit(
            [
                *limits.rules("cart_create", self.store.pk, caller),
                *limits.rules("cart_create_network", self.store.pk, self.network),
            ]
        )
        return idempotency.once(
            store=self.store,
            caller=caller,
            route="create-cart",
            key=request.headers.get("Idempotency-Key"),
            body=request.data,
            call=partial(self._create, self.read(request)),
        )

    def _create(self, data: dict[str, Any]) -> Response:
        priced = services.create_cart(store=self.store, shopper=self.shopper, now=timezone.now(), **data)
        return self._answer(priced, _("Your cart is ready."))

    def retrieve(self, request: Request, store_id: str, cart_id: str) -> Response:
        return self._answer(selectors.cart_detail(**self._where(cart_id=cart_id)), _("Your cart."))

    def destroy(self, request: Request, store_id: str, cart_id: str) -> Response:
        services.delete_cart(**self._where(cart_id=cart_id))
        return Reply(message=_("All items were removed from the cart."))

    def retrieve_of_user(self, request: Request, store_id: str, user_id: str) -> Response:
        return self._answer(selectors.user_cart_detail(**self._where(user_id=user_id)), _("Your cart."))

    def destroy_of_user(self, request: Request, store_id: str, user_id: str) -> Response:
        services.delete_user_carts(**self._where(user_id=user_id))
        return Reply(message=_("All items were removed from the cart."))

    def items(self, request: Request, store_id: str, cart_id: str) -> Response:
        data = self.read(request)
        return self._answer(services.set_quantity(**self._where(cart_id=cart_id), **data), _("Your cart was updated."))

    def _where(self, **more: Any) -> dict[str, Any]:
        return {"store": self.store, "shopper": self.shopper, "now": timezone.now(), **more}

    def _answer(self, priced: PricedCart, message: str) -> Response:
        return Reply({"cart": serializers.cart(priced, shopper=self.shopper)}, message=message)
