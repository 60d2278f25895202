"""What the pages share: states for the eye, sentences for many offers at once, the search behind the fields."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront.admin_base import site
from storefront.models import Store

from .. import rulebook, wording
from ..engine.rules import Target
from ..models import Kind, Offer, State
from . import targets
from .sentences import sentence, targets_of

MENU = "promotions"
APP = "storefront_promotions"
SCHEDULED = gettext_lazy("Scheduled")
TONES = {
    State.LIVE.label: "success",
    SCHEDULED: "info",
    State.DRAFT.label: "info",
    State.STOPPED.label: "warning",
    State.EXPIRED.label: "danger",
}


def may(request: HttpRequest, verb: str, kind: str) -> bool:
    """Whether this member of staff may view, add, change or delete offers of that kind."""
    return request.user.has_perm(f"{APP}.{verb}_{kind}")


def tell(request: HttpRequest, text: str) -> None:
    """A message above the next page."""
    messages.success(request, text)


def state_of(offer: Offer, now: datetime) -> Any:
    """The state as it works: what is live on paper applies between its beginning and its end."""
    if offer.state == State.LIVE and offer.starts_at > now:
        return SCHEDULED
    if offer.state == State.LIVE and offer.expires_at is not None and offer.expires_at <= now:
        return State.EXPIRED.label
    return State(offer.state).label


def money(store: Store, amount: Decimal) -> str:
    return wording.money(amount, store.currency)


def sentences(offers: Iterable[Offer]) -> dict[str, str]:
    """What each offer gives, by id. Their stores come with them; names cost a call of the catalogue and a query for
    each store that is in sight."""
    read = {offer: rulebook.compiled(offer) for offer in offers}
    wanted: dict[str, set[Target]] = {}
    for offer, live in read.items():
        if live is not None:
            wanted.setdefault(offer.store_id, set()).update(targets_of(live.rule))
    names = {store_id: targets.names(store_id, found) for store_id, found in wanted.items()}
    return {
        offer.pk: _("Its rule cannot be read.")
        if live is None
        else sentence(live, names[offer.store_id], offer.store.currency)
        for offer, live in read.items()
    }


def search(request: HttpRequest) -> JsonResponse:
    """What fits `q` among the `kinds` (product, sellable, category, customer) of `store`; for the fields of the editor."""
    if not any(may(request, "view", kind) for kind in Kind.values):
        raise PermissionDenied
    store = Store.objects.filter(pk=request.GET.get("store", "").replace("\x00", "")[:64]).first()
    kinds = request.GET.get("kinds", "").split(",")
    found = targets.search(store.pk, request.GET.get("q", ""), kinds) if store is not None else []
    return JsonResponse({"results": [choice._asdict() for choice in found]})


site.page("promotions/search/", search, gettext_lazy("Search"), name="promotions-search", menu="")
