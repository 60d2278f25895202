from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from promotions import services
from promotions.models import Offer
from storefront.models import Store

TENTH = {"discount_type": "percentage", "discount_percent": 10}
NewOffer = Callable[..., Offer]


@pytest.fixture
def offer(store: Store) -> NewOffer:
    """`offer(kind, type, **fields)`: a live one; ten percent off everything unless told otherwise. A coupon's code is
    SAVE unless `codes` say otherwise."""

    def make(kind: str = "coupon", type_: str = "discount", *, live: bool = True, **fields: Any) -> Offer:
        shop = fields.pop("store", store)
        fields.setdefault("details", TENTH if type_ == "discount" else {})
        if kind == "coupon":
            fields.setdefault("codes", ["SAVE"])
        made = services.create_offer(store=shop, kind=kind, type=type_, **{"name": "An offer"} | fields)
        if live:
            made = services.publish_offer(store=shop, offer_id=made.pk, now=timezone.now())
        return made

    return make
