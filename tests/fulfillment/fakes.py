"""A catalogue in memory that knows where its stock lies, carriers that misbehave, rates from elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from storefront.contracts import CourierOffer, Parcel, Place, ShippingRate, Sku
from tests.carts.fakes import FakeCatalog


class Warehouses(FakeCatalog):
    """`lies[sku]` is units by location id; a sku that is not there lies nowhere."""

    lies: ClassVar[dict[Sku, dict[str, int | None]]] = {}
    asked_for_stock: ClassVar[list[tuple[Sku, ...]]] = []

    def stock_by_location(self, store_id: str, skus: Collection[Sku]) -> dict[Sku, dict[str, int | None]]:
        self.asked_for_stock.append(tuple(skus))
        return {sku: self.lies[sku] for sku in skus if sku in self.lies}


class Couriers:
    """A carrier that answers what `answer` says, or raises it."""

    answer: ClassVar[Any] = None
    asked: ClassVar[list[list[Parcel]]] = []

    def offers(self, store_id: str, parcels: Sequence[Parcel], *, to: Place) -> list[list[CourierOffer]]:
        self.asked.append(list(parcels))
        if isinstance(self.answer, Exception):
            raise self.answer
        return [list(self.answer) for _parcel in parcels]


class BrokenRates:
    """A `SHIPPING_RATES` plug with a defect."""

    def rates(self, store_id: str, parcels: Sequence[Parcel], *, to: Place) -> list[list[ShippingRate]]:
        raise ZeroDivisionError


class OddRates:
    """One way for every parcel, with more decimals than money has."""

    def rates(self, store_id: str, parcels: Sequence[Parcel], *, to: Place) -> list[list[ShippingRate]]:
        return [[ShippingRate(method_id="odd", name="Odd", amount=Decimal("10.005"))] for _parcel in parcels]
