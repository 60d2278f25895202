"""Store credit: granted by staff, given as a refund, spent on orders (D-37)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from storefront.ids import new_id
from storefront.models import Store

from ..models import Account, Entry
from . import ledger


def grant(
    *, store: Store, customer_id: str, amount: Decimal, expires_at: datetime | None = None, remarks: str = "",
    made_by: str = "", owner: str = "",
) -> Entry:  # fmt: skip
    """Gives credit, by default for ever. A grant of the same `owner` is the same grant."""
    return _add(store, customer_id, Entry.Kind.GRANT, amount, owner, expires_at, remarks=remarks, made_by=made_by)


def refund(*, store: Store, customer_id: str, amount: Decimal, refund_id: str, reference: str = "") -> Entry:
    """Pays an order back as credit that does not expire. A refund of the same id is the same refund.

    What an order was paid from credit goes back by `spending.give_back`, which knows how much that was.
    """
    return _add(store, customer_id, Entry.Kind.REFUND, amount, refund_id, None, reference=reference)


def adjust(*, store: Store, customer_id: str, amount: Decimal, reason: str, made_by: str, owner: str = "") -> Entry:
    """Corrects a balance by staff's word, up or down. Raises InsufficientCredit for more than is not held."""
    facts: dict[str, Any] = {"remarks": reason, "made_by": made_by}
    if amount >= 0:
        return _add(store, customer_id, Entry.Kind.ADJUST, amount, owner, None, **facts)
    account = ledger.open_account(store_id=store.pk, kind=Account.Kind.CREDIT, customer_id=customer_id)
    entry = ledger.take(
        store_id=store.pk,
        account_id=account.pk,
        kind=Entry.Kind.ADJUST,
        owner=owner or new_id(),
        amount=-amount,
        **facts,
    )
    assert entry is not None
    return entry


def _add(
    store: Store, customer_id: str, kind: str, amount: Decimal, owner: str, expires_at: datetime | None, **facts: str
) -> Entry:
    account = ledger.open_account(store_id=store.pk, kind=Account.Kind.CREDIT, customer_id=customer_id)
    return ledger.add(
        store_id=store.pk,
        account_id=account.pk,
        kind=kind,
        owner=owner or new_id(),
        amount=amount,
        expires_at=expires_at,
        **facts,
    )
