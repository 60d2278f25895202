"""`/analytics`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request

from storefront import limits
from storefront.api import Access, Reply, StoreViewSet

from . import services
from .serializers import EventIn


class Analytics(StoreViewSet):
    access = Access.VISITOR
    inputs = {"track": EventIn}

    def track(self, request: Request, **url: Any) -> Reply:
        event = self.read(request)
        store, shopper, network = self.store, self.shopper, self.network
        limits.hit(
            [*limits.rules("track", store.pk, shopper.user_id), *limits.rules("track_network", store.pk, network)]
        )
        services.track(
            store=store,
            user_id=shopper.user_id,
            anonymous=not shopper.is_logged_in,
            event=event,
            network=network,
            user_agent=request.META.get("HTTP_USER_AGENT", ""),
        )
        return Reply(message=_("Noted."))
