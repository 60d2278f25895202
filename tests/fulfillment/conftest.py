from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from fulfillment.models import DeliverySettings, RateSlab, ShippingMethod, ShippingZone, ZoneRate
from fulfillment.plugs import StoreFulfillment
from storefront import selectors as kernel
from storefront.contracts import Sku
from storefront.models import StockLocation, Store
from storefront.plugs import plug_list
from storefront.pricing import Line, Quote, price
from tests.fulfillment.fakes import Couriers, Warehouses

BENGALURU, MUMBAI, DELHI, SRINAGAR = "560001", "400001", "110001", "190001"


@pytest.fixture(autouse=True)
def _plugs(configure: Any) -> Iterator[None]:
    configure(
        CATALOG="tests.fulfillment.fakes.Warehouses",
        SHIPPING_CARRIERS={"fake": "tests.fulfillment.fakes.Couriers"},
    )
    clear()
    yield
    clear()


def clear() -> None:
    Warehouses.clear()
    Warehouses.lies.clear()
    Warehouses.asked_for_stock.clear()
    Couriers.answer = None
    Couriers.asked.clear()


def address(pincode: str = BENGALURU, state: str = "Karnataka") -> dict[str, Any]:
    return {"country": "India", "state": state, "pincode": pincode, "city": "Somewhere", "address_line1": "1 Road"}


@dataclass
class World:
    """A store with rules of delivery, made row by row."""

    store: Store
    plug: StoreFulfillment = field(default_factory=StoreFulfillment)

    @property
    def main(self) -> StockLocation:
        return StockLocation.objects.get(store=self.store, is_default=True)

    def settings(self, **facts: Any) -> DeliverySettings:
        row, _made = DeliverySettings.objects.get_or_create(store=self.store)
        for name, value in facts.items():
            setattr(row, name, value)
        row.save()
        return row

    def zone(self, name: str = "India", pincodes: str = "", **facts: Any) -> ShippingZone:
        return ShippingZone.objects.create(store=self.store, name=name, pincodes=pincodes, **facts)

    def method(self, name: str = "Standard", kind: str = "flat", **facts: Any) -> ShippingMethod:
        if kind == "carrier":
            facts.setdefault("carrier", "sandbox")
        return ShippingMethod.objects.create(store=self.store, name=name, kind=kind, **facts)

    def rate(
        self,
        zone: ShippingZone | None = None,
        method: ShippingMethod | None = None,
        amount: str = "50",
        slabs: dict[str, str] | None = None,
        **facts: Any,
    ) -> ZoneRate:
        found = ShippingZone.objects.filter(store=self.store).first()
        rate = ZoneRate.objects.create(
            store=self.store,
            zone=zone or found or self.zone(),
            method=method or self.method(),
            amount=Decimal(amount),
            **facts,
        )
        for up_to, cost in (slabs or {}).items():
            RateSlab.objects.create(store=self.store, rate=rate, up_to=Decimal(up_to), amount=Decimal(cost))
        return rate

    def location(self, name: str, pincode: str = "", **facts: Any) -> StockLocation:
        row = StockLocation.objects.create(store=self.store, name=name, pincode=pincode, **facts)
        kernel.forget()
        return row

    def put(self, product_id: str, lies: dict[StockLocation, int | None] | None = None, **facts: Any) -> Sku:
        """A product at 118 with 18% tax inside unless `facts` say otherwise, plenty of it in the default location."""
        units = {self.main: 100} if lies is None else lies
        counts = [count for count in units.values() if count is not None]
        facts.setdefault("available", sum(counts) if len(counts) == len(units) else None)
        sku = Warehouses.put(self.store.pk, product_id, **facts)
        Warehouses.lies[sku] = {location.pk: count for location, count in units.items()}
        return sku

    def quote(self, units: dict[Sku, int] | list[Line], **facts: Any) -> Quote:
        """What a cart of these costs, through all steps."""
        lines = units if isinstance(units, list) else [Line(sku, count) for sku, count in units.items()]
        facts.setdefault("cart_id", "CART")
        quote = Quote(store_id=self.store.pk, currency=self.store.currency, lines=tuple(lines), **facts)
        return price(quote, plug_list("PRICING_STEPS"))

    def delivered(self, units: dict[Sku, int], method_id: str = "", courier: str = "", **facts: Any) -> Quote:
        """The same, with delivery chosen for every shipment: by that method, or by the first that is offered."""
        facts.setdefault("shipping_address", address())
        option = self.plug.options(self.quote(units, **facts), pincode=None, kind="delivery")["deliver"]
        rows = [
            {
                "id": row["id"],
                "shipping_provider_id": method_id or row["shipping_methods"][0]["id"],
                "courier_company_id": courier or None,
            }
            for row in option["shipments"]
        ]
        wish = {"fulfillment_type": "delivery", "shipments": rows}
        kept = self.plug.preference(self.quote(units, **facts), wish)
        return self.quote(units, fulfillment=kept, **facts)


@pytest.fixture
def world(store: Store) -> World:
    return World(store)
