"""`/campaigns`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request

from storefront.api import Access, Reply, StoreViewSet

from . import services
from .serializers import SubscribeIn


class Newsletter(StoreViewSet):
    """The same answer whatever was there before: it must not tell who reads the newsletter."""

    access = Access.VISITOR
    inputs = {"subscribe": SubscribeIn}

    def subscribe(self, request: Request, **url: Any) -> Reply:
        email = self.read(request)["email"]
        self.brake("newsletter", self.shopper.user_id)
        self.brake("newsletter_network")
        services.ask(
            store=self.store,
            email=email,
            user_id=self.shopper.user_id if self.shopper.is_logged_in else "",
            network=services.coarse(self.network),
            proven=self.shopper.is_logged_in
            and bool(self.shopper.claims.get("is_email_verified"))
            and self.shopper.claims.get("email") == email,
        )
        if self.store.newsletter_double_opt_in:
            return Reply(message=_("Almost done: please open the link in the message that we sent to this address."))
        return Reply(message=_("Thank you for subscribing."))
