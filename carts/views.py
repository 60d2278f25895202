"""The cart routes. A cart belongs to the user of the token; everybody else's is a 404."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from storefront import idempotency, limits
from storefront.api import Access, Reply, StoreViewSet
from storefront.money import ZERO

from . import changes, delivery, selectors, serializers, services
from .selectors import PricedCart


class _CartViews(StoreViewSet):
    def _where(self, **more: Any) -> dict[str, Any]:
        return {"store": self.store, "shopper": self.shopper, "now": timezone.now(), **more}

    def _answer(self, priced: PricedCart, message: str, *, flat: bool = False) -> Response:
        """`flat`: the cart's members once more beside it, as older clients read them."""
        priced = changes.without_lapsed_coupon(priced)
        if priced.dropped is not None:
            message = f"{message} {_('The coupon no longer counts:')} {priced.dropped.message}"
        cart = serializers.cart(priced, shopper=self.shopper)
        return Reply({**cart, "cart": cart} if flat else {"cart": cart}, message=message)


class CartViewSet(_CartViews):
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
            key=request.META.get("HTTP_IDEMPOTENCY_KEY"),
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


class WishViewSet(_CartViews):
    """What a cart holds beside its lines. Each answers the whole cart, priced anew."""

    access = {
        **dict.fromkeys(
            ("coupon", "remove_coupon", "gift_card", "remove_gift_card", "remove_points", "remove_credit"),
            Access.VISITOR,
        ),
        **dict.fromkeys(("addresses", "preference", "evaluate_coupons", "evaluate_promotions"), Access.VISITOR),
        "points": Access.LOGGED_IN,
        "credit": Access.LOGGED_IN,
    }
    inputs = {
        "coupon": serializers.CouponIn,
        "points": serializers.PointsIn,
        "credit": serializers.CreditIn,
        "gift_card": serializers.GiftCardIn,
        "addresses": serializers.AddressesIn,
        "preference": serializers.PreferenceIn,
    }

    def coupon(self, request: Request, store_id: str, cart_id: str) -> Response:
        code = self.read(request)["coupon_code"]
        priced = services.set_coupon(**self._where(cart_id=cart_id), code=code, network=self.network)
        return self._answer(priced, _("The coupon was applied."))

    def remove_coupon(self, request: Request, store_id: str, cart_id: str) -> Response:
        return self._answer(services.clear_coupon(**self._where(cart_id=cart_id)), _("The coupon was removed."))

    def points(self, request: Request, store_id: str, cart_id: str) -> Response:
        points = self.read(request)["loyalty_point_redeemed"]
        priced = services.set_points(**self._where(cart_id=cart_id), points=points)
        return self._answer(priced, _("Your points were applied."))

    def remove_points(self, request: Request, store_id: str, cart_id: str) -> Response:
        priced = services.set_points(**self._where(cart_id=cart_id), points=0)
        return self._answer(priced, _("Your points were removed."))

    def credit(self, request: Request, store_id: str, cart_id: str) -> Response:
        amount = self.read(request)["credit_balance_used"]
        priced = services.set_credit(**self._where(cart_id=cart_id), amount=amount)
        return self._answer(priced, _("Your store credit was applied."))

    def remove_credit(self, request: Request, store_id: str, cart_id: str) -> Response:
        priced = services.set_credit(**self._where(cart_id=cart_id), amount=ZERO)
        return self._answer(priced, _("Your store credit was removed."))

    def gift_card(self, request: Request, store_id: str, cart_id: str) -> Response:
        data = self.read(request)
        priced = services.redeem_gift_card(
            **self._where(cart_id=cart_id),
            code=data["gift_card_code"],
            pin=data["pin"] or "",
            network=self.network,
        )
        return self._answer(priced, _("The gift card was applied."), flat=True)

    def remove_gift_card(self, request: Request, store_id: str, cart_id: str) -> Response:
        priced = services.remove_gift_card(**self._where(cart_id=cart_id))
        return self._answer(priced, _("The gift card was removed."), flat=True)

    def addresses(self, request: Request, store_id: str, cart_id: str) -> Response:
        data = self.read(request)
        return self._answer(services.set_addresses(**self._where(cart_id=cart_id), **data), _("Your cart was updated."))

    def preference(self, request: Request, store_id: str, cart_id: str) -> Response:
        data = self.read(request)
        priced = services.set_preference(**self._where(cart_id=cart_id), **data)
        return self._answer(priced, _("Your cart was updated."))

    def evaluate_coupons(self, request: Request, store_id: str, cart_id: str) -> Response:
        return self._evaluate(cart_id, "coupon")

    def evaluate_promotions(self, request: Request, store_id: str, cart_id: str) -> Response:
        return self._evaluate(cart_id, "promotion")

    def _evaluate(self, cart_id: str, kind: str) -> Response:
        found = selectors.offers(**self._where(cart_id=cart_id), kind=kind)
        return Reply(
            {
                f"applicable_{kind}s": [offer.details for offer in found if offer.applicable],
                f"inapplicable_{kind}s": [offer.details for offer in found if not offer.applicable],
            },
            message=_("What fits your cart."),
        )


class DeliveryViewSet(_CartViews):
    """Whether and how the goods of a cart can reach the shopper."""

    access = Access.VISITOR
    inputs = {
        "of_cart": serializers.OptionsIn,
        "older_of_cart": serializers.OlderOptionsIn,
        "serviceability": serializers.ServiceabilityIn,
    }

    def of_cart(self, request: Request, store_id: str) -> Response:
        data = self.read(request)
        return self._found(delivery.options(**self._where(cart_id=data["cart_id"]), kind=data["fulfillment_type"]))

    def older_of_cart(self, request: Request, store_id: str) -> Response:
        data = self.read(request)
        found = delivery.older_options(**self._where(cart_id=data["cart_id"]), pincode=data["delivery_pincode"] or None)
        return self._found(found)

    def serviceability(self, request: Request, store_id: str) -> Response:
        return self._found(delivery.serviceability(**self._where(), **self.read(request)))

    def _found(self, content: Mapping[str, Any]) -> Response:
        return Reply(content, message=_("How your goods can reach you."))
