"""Reads with the API key alone: places, and what a client must know of the store before anybody signs in."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from storefront import query
from storefront.api import Access, Reply, StoreViewSet
from storefront.conf import conf
from storefront.errors import Invalid, StoreNotFound

from . import selectors, serializers
from .caching import cacheable

SHORTEST_BEGINNING = 3
PINCODE = re.compile(r"[A-Z0-9][A-Z0-9 -]{0,11}")


def _of_store() -> int:
    return conf().STORE_MAX_AGE


def _of_places() -> int:
    return conf().PLACES_MAX_AGE


class Countries(StoreViewSet):
    access = Access.KEY

    @cacheable(_of_store)
    def list(self, request: Request, **url: Any) -> Reply:
        found = selectors.countries(store=self.store)
        return Reply({"countries": [serializers.country(known) for known in found]}, message=_("Countries."))

    @cacheable(_of_places)
    def states(self, request: Request, country_iso_code: str, **url: Any) -> Reply:
        country = selectors.served_country(store=self.store, iso_code=country_iso_code)
        return Reply({"states": selectors.states(country=country)}, message=_("States."))

    @cacheable(_of_places)
    def pincodes(self, request: Request, country_iso_code: str, **url: Any) -> Reply:
        country = selectors.served_country(store=self.store, iso_code=country_iso_code)
        page = query.page(request.query_params)
        beginning = " ".join(request.query_params.get("pincode", "").split()).upper()
        if "pincode" in request.query_params and len(beginning) < SHORTEST_BEGINNING:
            raise Invalid(
                _("Give at least %(count)d characters of the postal code.") % {"count": SHORTEST_BEGINNING},
                field="pincode",
            )
        if beginning and not PINCODE.fullmatch(beginning):
            raise Invalid(_("Postal codes have up to 12 letters and digits."), field="pincode")
        found = selectors.pincodes(country=country, beginning=beginning, page=page)
        return Reply({"pincodes": found}, message=_("Postal codes."))


class StoreCheck(StoreViewSet):
    """Whether there is an open store of that id. One that exists asks for its key, as everywhere; for one that does
    not there can be no key, so none is looked at."""

    access = Access.KEY

    def check(self, request: Request, **url: Any) -> Reply:
        return Reply(message=_("The store is open."))

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, StoreNotFound) and self.action == "check":
            return Response({"message": str(exc.message), "success": False})
        return super().handle_exception(exc)


class StoreConfig(StoreViewSet):
    access = Access.KEY

    @cacheable(_of_store)
    def config(self, request: Request, **url: Any) -> Reply:
        store = self.store
        content = serializers.config(
            store,
            groups=selectors.groups(store=store),
            templates=selectors.templates(store=store),
            kyc_documents=selectors.kyc_documents(store=store),
            analytics_providers=selectors.providers("analytics_providers", store=store),
            payment_providers=selectors.providers("payment_providers", store=store),
        )
        return Reply({"store_config": content}, message=_("Store."))

    @cacheable(_of_store)
    def kyc_documents(self, request: Request, **url: Any) -> Reply:
        found = selectors.kyc_documents(store=self.store)
        return Reply(
            {"kyc_documents": list(found), "is_kyc_enabled": self.store.kyc_enabled}, message=_("Documents to give.")
        )
