from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from promotions import services
from promotions.models import Offer
from storefront.conf import DEFAULT_PRICING_STEPS
from storefront.contracts import Sku
from storefront.models import Store
from storefront.plugs import plug_list
from storefront.pricing import Line, Quote, price
from tests.carts.fakes import FakeCatalog

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


@pytest.fixture
def shop(configure: Any) -> Iterator[type[FakeCatalog]]:
    """A catalogue in memory: TEA costs 100, CUP 250, POT 1,000; all with tax included."""
    configure(CATALOG="tests.carts.fakes.FakeCatalog")
    FakeCatalog.clear()
    for product_id, amount, category_ids in (
        ("TEA", "100", ("black", "tea")),
        ("CUP", "250", ("ware",)),
        ("POT", "1000", ("ware",)),
    ):
        FakeCatalog.put("demo", product_id, price=amount, category_ids=category_ids, product_name=product_id.title())
    yield FakeCatalog
    FakeCatalog.clear()


@dataclass(frozen=True)
class Till:
    """Prices carts of a store: `till(TEA=2, coupon="SAVE")`."""

    store: Store

    def __call__(self, coupon: str = "", **cart: Any) -> Quote:
        facts = {name: cart.pop(name) for name in list(cart) if name in Quote._fields}
        quote = Quote(
            store_id=self.store.pk,
            currency=self.store.currency,
            lines=tuple(Line(Sku(product_id), quantity) for product_id, quantity in cart.items()),
            coupon_code=coupon,
            **{"now": timezone.now(), "cart_id": "CART"} | facts,
        )
        return price(quote, plug_list("PRICING_STEPS"))


@pytest.fixture
def till(store: Store, shop: Any) -> Till:
    return Till(store)


class Posted:
    """A pricing step that sends everything for 60, or for nothing where somebody says so."""

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        if not quote.free_shipping:
            return quote._replace(shipping_cost=Decimal(60))
        source = quote.free_shipping[0]
        return quote._replace(shipping_cost=Decimal(60), shipping_discount=Decimal(60), shipping_discount_source=source)


STEPS_WITH_POST = tuple(
    "tests.promotions.conftest.Posted" if path == "fulfillment.steps.Shipping" else path
    for path in DEFAULT_PRICING_STEPS
)
