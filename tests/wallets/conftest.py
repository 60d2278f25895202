"""Customers, their wallets, and a programme with simple numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Sum

from storefront.contracts import Claim
from storefront.models import Store
from wallets import selectors
from wallets.models import Account, Entry, Hold, Programme, Tier
from wallets.services import credit, gift_cards, ledger, loyalty

ASHA, BELA = "01ARZ3NDEKTSV4RRFFQ69G5FAA", "01ARZ3NDEKTSV4RRFFQ69G5FAB"


@pytest.fixture(autouse=True)
def _fresh_programmes() -> Iterator[None]:
    selectors.forget()
    yield
    selectors.forget()


def make_programme(store: Store, **facts: Any) -> Programme:
    """One point for each unit in Silver, two in Gold (from 1,000), three in Platinum (from 5,000); a point pays one."""
    programme = Programme.objects.create(store=store, base_tier="Silver", **facts)
    for name, threshold, points, bonus in (("Gold", 1000, 2, 50), ("Platinum", 5000, 3, 0)):
        Tier.objects.create(
            store=store,
            programme=programme,
            name=name,
            threshold=threshold,
            points_per_unit=points,
            bonus_points=bonus,
        )
    selectors.forget()
    return programme


@pytest.fixture
def programme(store: Store) -> Programme:
    return make_programme(store)


def points_account(store: Store, points: int = 0, customer_id: str = ASHA) -> Account:
    if points:
        loyalty.give_bonus(store=store, customer_id=customer_id, points=points, owner=f"start-{points}")
    return ledger.open_account(store_id=store.pk, kind="points", customer_id=customer_id)


def credit_account(store: Store, amount: str = "0", customer_id: str = ASHA, **facts: Any) -> Account:
    if Decimal(amount):
        credit.grant(store=store, customer_id=customer_id, amount=Decimal(amount), **facts)
    return ledger.open_account(store_id=store.pk, kind="credit", customer_id=customer_id)


def card_account(store: Store, amount: str = "1000", **facts: Any) -> Account:
    made = gift_cards.issue(store=store, amount=Decimal(amount), **facts)
    return Account.objects.get(pk=made.card_id)


MAKERS: dict[str, Callable[..., Account]] = {
    "points": lambda store, amount: points_account(store, int(amount)),
    "credit": credit_account,
    "gift_card": card_account,
}


def claim(account: Account, amount: str | int, owner: str = "order-1") -> Claim:
    return Claim(resource=account.kind, key=account.pk, amount=Decimal(amount), owner=owner)


def state(account: Account) -> tuple[Decimal, Decimal]:
    """(balance, held) as stored, after checking that the ledger adds up to them."""
    found = Account.objects.get(pk=account.pk)
    entries = Entry.objects.filter(account=account).aggregate(amount=Sum("amount"), remaining=Sum("remaining"))
    held = Hold.objects.filter(account=account, state=Hold.State.HELD).aggregate(amount=Sum("amount"))["amount"]
    assert found.balance == (entries["amount"] or 0) == (entries["remaining"] or 0)
    assert found.held == (held or 0)
    assert 0 <= found.held <= found.balance
    return found.balance, found.held
