"""Plugs of a shop that keeps nothing in the database: a catalogue and shoppers in memory."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any, ClassVar

from storefront.contracts import GiftCardFound, Offer, Sellable, Shopper, Sku
from storefront.errors import DomainError, Invalid, Unauthenticated
from storefront.items import item
from storefront.money import INR, rounded
from storefront.pricing import Discount, Quote


class FakeCatalog:
    """`put` what is for sale; `asked` holds what each call asked for. `groups` has prices by group."""

    shelf: ClassVar[dict[tuple[str, Sku], Sellable]] = {}
    groups: ClassVar[dict[tuple[str, Sku, str], Decimal]] = {}
    asked: ClassVar[list[tuple[Sku, ...]]] = []
    meanwhile: ClassVar[list[Any]] = []  # called, once each, while somebody waits for an answer

    @classmethod
    def clear(cls) -> None:
        for kept in (cls.shelf, cls.groups, cls.asked, cls.meanwhile):
            kept.clear()

    @classmethod
    def put(cls, store_id: str, product_id: str, variant_id: str = "", price: str = "118", **facts: Any) -> Sku:
        sku = Sku(product_id, variant_id)
        cls.shelf[store_id, sku] = Sellable(
            sku=sku,
            code=facts.pop("code", f"SKU-{product_id}-{variant_id}"),
            slug=product_id.lower(),
            product_name=facts.pop("product_name", f"Product {product_id}"),
            variant_name=variant_id or None,
            listing_price=Decimal(price) + 10,
            selling_price=Decimal(price),
            tax_rate=Decimal(facts.pop("tax_rate", "18")),
            **facts,
        )
        return sku

    def sellables(self, store_id: str, skus: Collection[Sku], *, group_id: str | None = None) -> dict[Sku, Sellable]:
        self.asked.append(tuple(skus))
        while self.meanwhile:
            self.meanwhile.pop()()
        return {sku: self._priced(store_id, sku, group_id or "") for sku in skus if (store_id, sku) in self.shelf}

    def _priced(self, store_id: str, sku: Sku, group_id: str) -> Sellable:
        sellable = self.shelf[store_id, sku]
        return sellable._replace(selling_price=self.groups.get((store_id, sku, group_id), sellable.selling_price))

    def items(self, store_id: str, skus: Collection[Sku], *, group_id: str | None = None) -> dict[Sku, dict[str, Any]]:
        found = self.sellables(store_id, skus, group_id=group_id)
        return {sku: item(sellable, currency=INR) for sku, sellable in found.items()}


class FakeShoppers:
    """The bearer token is a key of `known`."""

    known: ClassVar[dict[str, Shopper]] = {}

    def identify(self, *, store: Any, request: Any) -> Shopper | None:
        token = request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
        found = self.known.get(token)
        if found is None or found.store_id != store.pk:
            raise Unauthenticated
        return found


class FakeOffers:
    """A coupon TEN takes a tenth off, LOGIN is for shoppers who logged in, BIG for carts of at least 1,000. Also the
    pricing step of that coupon."""

    LAPSED: ClassVar[set[str]] = set()

    def evaluate(self, quote: Quote, *, kind: str) -> list[Offer]:
        if kind == "promotion":
            return []
        facts = {"id": "1", "name": "Ten", "coupon_type": "discount", "coupon_code": ["TEN"]}
        return [
            Offer(kind=kind, offer_id="1", applicable=True, details={**facts, "estimated_discount": 11.8}),
            Offer(kind=kind, offer_id="2", applicable=False, details={**facts, "id": "2", "reason": "Too small."}),
        ]

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        code, amount = quote.coupon_code, sum(line.amount for line in quote.lines)
        if not code:
            return quote
        if code in self.LAPSED or code not in ("TEN", "LOGIN", "BIG"):
            return quote.refused("coupon", "coupon_not_found", "This coupon is not valid.")
        if code == "LOGIN" and not quote.is_logged_in:
            return quote.refused("coupon", "coupon_needs_login", "Please log in to use this coupon.")
        if code == "BIG" and amount < 1000:
            return quote.refused("coupon", "coupon_minimum", "Add more for this coupon.")
        lines = [
            line._replace(discounts=(*line.discounts, Discount("coupon:1", rounded(line.amount / 10, quote.currency))))
            for line in quote.lines
        ]
        return quote._replace(lines=tuple(lines))


class FakeWallets:
    """Every shopper has 100 points worth 1 each and 500 of credit. Card GIFT-1234 with PIN 7 holds 50."""

    asked: ClassVar[list[str]] = []

    def find(self, store_id: str, *, code: str, pin: str) -> GiftCardFound:
        self.asked.append(code)
        if (code, pin) != ("GIFT-1234", "7"):
            raise DomainError("This gift card is not valid.", code="invalid_gift_card")
        return GiftCardFound("card-1", "1234")

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        left = quote.totals().grand_total
        if quote.points_asked > 100:
            quote = quote.refused("points", "insufficient_points", "You have 100 points.")
        points = min(quote.points_asked, 100, int(left))
        left -= points
        if quote.credit_asked > 500:
            quote = quote.refused("credit", "insufficient_credit", "You have 500.")
        credit = min(quote.credit_asked, Decimal(500), left)
        left -= credit
        card = min(Decimal(50), left) if quote.gift_card_id == "card-1" else Decimal(0)
        return quote._replace(
            points_redeemed=points, points_value=Decimal(points), credit_used=credit, gift_card_used=card
        )


class FakeFulfillment:
    """Delivers to pincodes of Pune for 40; hands out in the shop "S1". Also the pricing step."""

    def serviceability(
        self, store_id: str, wanted: Any, *, pincode: str | None, kind: str | None, group_id: str | None
    ) -> dict[str, Any]:
        able = pincode is None or pincode.startswith("411")
        items = [
            {"product_id": sku.product_id, "unserviceable_quantity": units, "max_available_quantity": 0}
            for sku, units in wanted.items()
        ]
        return {"is_serviceable": able, "unserviceable_items": [] if able else items}

    def options(self, quote: Quote, *, pincode: str | None, kind: str | None) -> dict[str, Any]:
        pincode = pincode or (quote.shipping_address or {}).get("pincode")
        method = {
            "id": "flat",
            "name": "Post",
            "shipping_type": "manual",
            "shipping_amount": "40.00",
            "estimated_delivery_days": "3",
            "courier_companies": [],
        }
        shipments = [
            {"id": f"{quote.cart_id}-{number}", "items": [], "shipping_methods": [method]} for number in range(2)
        ]
        able = bool(pincode and pincode.startswith("411"))
        return {
            "summary": {
                "collect_available": kind != "delivery",
                "deliver_available": able,
                "recommended_fulfillment_type": "delivery",
            },
            "deliver": {
                "is_serviceable": able,
                "free_shipping_threshold": None,
                "shipments": shipments if able else [],
            },
        }

    def older_options(self, quote: Quote, *, pincode: str | None) -> dict[str, Any]:
        if pincode == "x":
            raise Invalid("Enter a valid PIN code.", field="delivery_pincode")
        found = self.options(quote, pincode=pincode, kind=None)
        methods = [method for shipment in found["deliver"]["shipments"] for method in shipment["shipping_methods"]]
        deliver = {"is_serviceable": found["deliver"]["is_serviceable"], "shipping_methods": methods[:1]}
        return {**found, "deliver": deliver}

    def preference(self, quote: Quote, wish: Any) -> dict[str, Any]:
        if wish["fulfillment_type"] == "collect-in-store":
            if wish["pickup_location_id"] != "S1":
                raise DomainError("We cannot hand out there.", code="not_collectable", field="pickup_location_id")
            return {**wish, "preference_type": "user", "pickup_location_name": "Shop"}
        return {**wish, "preference_type": "user"}

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        if quote.fulfillment is None:
            return quote
        if quote.fulfillment["fulfillment_type"] == "collect-in-store":
            return quote._replace(shipping_cost=Decimal(0), shipping_tax_rate=Decimal(0))
        pincode = str((quote.shipping_address or {}).get("pincode"))
        if not pincode.startswith("411"):
            return quote.refused("fulfillment", "not_deliverable", "We do not deliver there.")
        return quote._replace(shipping_cost=Decimal(40), shipping_tax_rate=Decimal(18), shipping_tax=Decimal("7.2"))


PLUGS = {
    "OFFERS": "tests.carts.fakes.FakeOffers",
    "GIFT_CARDS": "tests.carts.fakes.FakeWallets",
    "FULFILLMENT": "tests.carts.fakes.FakeFulfillment",
    "PRICING_STEPS": (
        "carts.steps.ListPrice",
        "tests.carts.fakes.FakeOffers",
        "carts.steps.Tax",
        "carts.steps.Handling",
        "tests.carts.fakes.FakeFulfillment",
        "tests.carts.fakes.FakeWallets",
    ),
}
