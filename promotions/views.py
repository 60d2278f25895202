"""What there is to get: the lists of coupons and promotions, in today's shapes and the older ones."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from storefront.api import Access, Reply, StoreViewSet

from . import selectors, serializers
from .eligibility import Caller
from .models import Kind
from .selectors import Listed


class OfferViewSet(StoreViewSet):
    access = Access.VISITOR

    def coupons(self, request: Request, store_id: str) -> Response:
        return Reply(
            {"coupons": [serializers.coupon(found) for found in self._listed(Kind.COUPON)]},
            message=_("The coupons that you can use."),
        )

    def promotions(self, request: Request, store_id: str) -> Response:
        found = [serializers.promotion(found) for found in self._promotions()]
        return Reply({"promotions": found}, message=_("The promotions that run now."))

    def older_coupons(self, request: Request, store_id: str) -> Response:
        found = [row for listed in self._listed(Kind.COUPON) for row in serializers.older_coupons(listed)]
        return Reply({"coupons": found}, message=_("The coupons that you can use."))

    def older_promotions(self, request: Request, store_id: str) -> Response:
        found = [serializers.older_promotion(found) for found in self._promotions()]
        return Reply({"promotions": found}, message=_("The promotions that run now."))

    def _promotions(self) -> list[Listed]:
        return [found for found in self._listed(Kind.PROMOTION) if serializers.is_listed_promotion(found)]

    def _listed(self, kind: Kind) -> list[Listed]:
        caller = Caller.of_shopper(self.shopper, group_id=self.group_id, now=timezone.now())
        return selectors.listed(store=self.store, caller=caller, kind=kind)
