"""The contract test of `CLAIMS`; see `storefront.testing`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import Decimal
from typing import ClassVar

from storefront.contracts import Claim, Claims
from storefront.errors import DomainError
from storefront.money import ZERO


class ClaimsContract(ABC):
    """What every `CLAIMS` plug keeps to. Subclass it as `Test...`, with the database that your rows need."""

    store_id: ClassVar[str] = "demo"
    resource: ClassVar[str]
    unit: ClassVar[Decimal] = Decimal(2)  # what one order takes; 1 for what comes back whole or not at all

    # -- what a plug's test says --
    @abstractmethod
    def claims(self) -> Claims:
        """The plug under test."""

    @abstractmethod
    def put(self, amount: Decimal) -> str:
        """Makes that much of something new in `store_id`; the key of claims on it."""

    @abstractmethod
    def free(self, key: str) -> Decimal:
        """How much of it an order could take now."""

    # -- the contract --
    def claim(self, key: str, owner: str, amount: Decimal | None = None) -> Claim:
        return Claim(resource=self.resource, key=key, amount=self.unit if amount is None else amount, owner=owner)

    def take(self, owner: str, *keys: str, amount: Decimal | None = None) -> None:
        from django.db import transaction

        with transaction.atomic():
            self.claims().hold(self.store_id, [self.claim(key, owner, amount) for key in sorted(keys)])

    def back(self, owner: str, *parts: tuple[str, Decimal], whole: bool = False) -> None:
        named = None if whole else [self.claim(key, owner, amount) for key, amount in sorted(parts)]
        self.claims().give_back(self.store_id, owner, named)

    def test_it_names_what_it_keeps(self) -> None:
        assert self.resource in self.claims().resources()

    def test_an_order_holds_and_spends_once(self) -> None:
        key = self.put(3 * self.unit)
        for act in (lambda: self.take("order-1", key), lambda: self.claims().confirm(self.store_id, "order-1")):
            for _time in range(2):
                act()
                assert self.free(key) == 2 * self.unit
        self.claims().release(self.store_id, "order-1")
        self.take("order-1", key)
        assert self.free(key) == 2 * self.unit, "what was spent is neither released nor taken again"

    def test_what_is_released_can_be_had_again(self) -> None:
        key = self.put(self.unit)
        self.take("order-1", key)
        for _time in range(2):
            self.claims().release(self.store_id, "order-1")
            assert self.free(key) == self.unit
        self.claims().confirm(self.store_id, "order-1")
        assert self.free(key) == self.unit, "nothing is spent that was given up"
        self.take("order-2", key)
        assert self.free(key) == ZERO

    def test_more_than_there_is_cannot_be_held_and_nothing_is_then(self) -> None:
        plenty, key = self.put(2 * self.unit), self.put(self.unit)
        self.take("order-1", key)
        assert self._refusal("order-2", plenty, key).status == 400
        assert (self.free(plenty), self.free(key)) == (2 * self.unit, ZERO)

    def _refusal(self, owner: str, *keys: str) -> DomainError:
        try:
            self.take(owner, *keys)
        except DomainError as refused:
            return refused
        raise AssertionError("more was held than there is")

    def test_an_order_that_is_called_off_gives_all_back_held_or_spent(self) -> None:
        for paid in (False, True):
            first, second = self.put(self.unit), self.put(self.unit)
            self.take("order-1", first, second)
            if paid:
                self.claims().confirm(self.store_id, "order-1")
            for _time in range(2):
                self.back("order-1", whole=True)
                assert (self.free(first), self.free(second)) == (self.unit, self.unit)
            self.claims().confirm(self.store_id, "order-1")  # the payment that came too late
            self.claims().release(self.store_id, "order-1")
            assert (self.free(first), self.free(second)) == (self.unit, self.unit)
            self.take("order-2", first, second)
            assert (self.free(first), self.free(second)) == (ZERO, ZERO)
            self.claims().release(self.store_id, "order-2")

    def test_what_was_spent_and_given_back_is_not_taken_again_by_the_same_order(self) -> None:
        key = self.put(self.unit)
        self.take("order-1", key)
        self.claims().confirm(self.store_id, "order-1")
        self.back("order-1", whole=True)
        self.take("order-1", key)
        self.claims().confirm(self.store_id, "order-1")
        assert self.free(key) == self.unit

    def test_a_part_comes_back_once_and_the_rest_stays_spent(self) -> None:
        first, second = self.put(self.unit), self.put(self.unit)
        self.take("order-1", first, second)
        self.claims().confirm(self.store_id, "order-1")
        totals = [Decimal(1)] if self.unit == 1 else [Decimal(1), self.unit]
        for total in totals:
            for _time in range(2):
                self.back("order-1", (first, total))
                assert (self.free(first), self.free(second)) == (total, ZERO)
        self.back("order-1", (first, Decimal(1)))  # an older word that comes late
        self.back("order-1", (first, 9 * self.unit), (second, Decimal(0)))
        assert (self.free(first), self.free(second)) == (self.unit, ZERO)
        self.back("order-1", whole=True)
        assert (self.free(first), self.free(second)) == (self.unit, self.unit)

    def test_a_part_of_what_is_only_held_stays_held(self) -> None:
        key = self.put(self.unit)
        self.take("order-1", key)
        self.back("order-1", (key, self.unit))
        assert self.free(key) == ZERO
        self.claims().confirm(self.store_id, "order-1")
        assert self.free(key) == ZERO

    def test_only_the_order_that_took_it_gives_back(self) -> None:
        key = self.put(2 * self.unit)
        self.take("order-1", key)
        self.claims().confirm(self.store_id, "order-1")
        for owner in ("order-2", ""):
            self.back(owner, whole=True)
            self.back(owner, (key, self.unit))
        self.claims().give_back("elsewhere", "order-1", None)
        assert self.free(key) == self.unit
