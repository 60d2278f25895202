"""What every `ShippingRates` must do, whoever knows the prices; see `storefront.testing`."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from decimal import Decimal
from typing import ClassVar

from storefront.contracts import Parcel, Place, ShippingRates, Sku
from storefront.errors import Unavailable


class ShippingRatesContract(ABC):
    """What every `ShippingRates` must do. Subclass it as `Test...`, with the database that your rows need, and say where
    yours delivers and how its provider falls silent."""

    store_id: ClassVar[str] = "demo"
    patience: ClassVar[float] = 10.0  # seconds in which a silent provider must be given up

    @abstractmethod
    def rates(self) -> ShippingRates:
        """Yours, ready to be asked."""

    @abstractmethod
    def served(self) -> Place:
        """A place that it delivers to."""

    @abstractmethod
    def unserved(self) -> Place:
        """A place that nobody delivers to."""

    @abstractmethod
    def silence(self) -> None:
        """From now on whoever knows the prices does not answer in time; what is remembered is forgotten. For rates that
        ask nobody, nothing."""

    def parcel(self, *, location_id: str = "here", weight: int = 1200, value: str = "900") -> Parcel:
        return Parcel(
            location_id=location_id,
            quantities={Sku("TEA"): 1},
            weight=weight,
            value=Decimal(value),
            origin=self.served(),
        )

    def test_each_parcel_has_its_own_offers_in_order(self) -> None:
        parcels = [self.parcel(), self.parcel(location_id="there", weight=2500)]
        both = self.rates().rates(self.store_id, parcels, to=self.served())
        assert len(both) == 2 and all(both)
        for parcel, offers in zip(parcels, both, strict=True):
            alone = self.rates().rates(self.store_id, [parcel], to=self.served())
            assert [(rate.method_id, rate.courier) for rate in alone[0]] == [
                (rate.method_id, rate.courier) for rate in offers
            ]

    def test_no_parcels_have_no_offers(self) -> None:
        assert self.rates().rates(self.store_id, [], to=self.served()) == []

    def test_offers_can_be_shown_and_charged(self) -> None:
        (offers,) = self.rates().rates(self.store_id, [self.parcel()], to=self.served())
        for rate in offers:
            assert rate.method_id and rate.name
            assert isinstance(rate.amount, Decimal) and rate.amount.is_finite() and rate.amount >= 0
            assert isinstance(rate.tax_rate, Decimal) and 0 <= rate.tax_rate <= 100
            assert rate.mode in {"air", "surface"}
            assert rate.days is None or rate.days >= 0
            assert rate.days_to is None or (rate.days is not None and rate.days_to >= rate.days)
            assert bool(rate.courier) == bool(rate.courier_name)

    def test_a_way_is_named_once_and_a_method_has_couriers_or_none(self) -> None:
        (offers,) = self.rates().rates(self.store_id, [self.parcel()], to=self.served())
        ways = [(rate.method_id, rate.courier) for rate in offers]
        assert len(set(ways)) == len(ways)
        flat = {rate.method_id for rate in offers if not rate.courier}
        assert not flat & {rate.method_id for rate in offers if rate.courier}

    def test_the_same_question_has_the_same_answer(self) -> None:
        asked = [self.parcel()]
        assert self.rates().rates(self.store_id, asked, to=self.served()) == self.rates().rates(
            self.store_id, asked, to=self.served()
        )

    def test_where_nobody_delivers_there_are_no_offers(self) -> None:
        assert self.rates().rates(self.store_id, [self.parcel(), self.parcel()], to=self.unserved()) == [[], []]

    def test_a_silent_provider_is_given_up_in_time(self) -> None:
        self.silence()
        begun = time.monotonic()
        try:
            answers = self.rates().rates(self.store_id, [self.parcel()], to=self.served())
        except Unavailable:
            answers = []
        assert time.monotonic() - begun < self.patience
        for offers in answers:  # what is known without the provider may still be offered
            assert all(rate.answered or (rate.method_id and rate.name and not rate.courier) for rate in offers)

    def test_queries_do_not_grow_with_the_parcels(self) -> None:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        self.rates().rates(self.store_id, [self.parcel()], to=self.served())  # what is kept in memory is there now
        for count in (1, 12):
            parcels = [self.parcel(location_id=f"L{number}") for number in range(count)]
            with CaptureQueriesContext(connection) as captured:
                self.rates().rates(self.store_id, parcels, to=self.served())
            assert len(captured) <= 1
