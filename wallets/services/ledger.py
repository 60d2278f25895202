"""The one mechanism behind points, credit and gift cards: accounts, entries, holds.

Whoever changes an account locks its row first, several in the order of kind and id, so that nobody waits in a circle;
and every change is a conditional update besides, with the database's constraints behind it. A repeated call finds what
the first one wrote. Additions are used up by what expires first, what never expires last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet, Sum
from django.utils import timezone

from storefront.ids import new_id
from storefront.money import ZERO

from ..errors import InsufficientCredit, InsufficientPoints, InvalidGiftCard
from ..fields import exact
from ..models import Account, Entry, GiftCard, Hold

Kind = Account.Kind
SHORT = {Kind.POINTS: InsufficientPoints, Kind.CREDIT: InsufficientCredit, Kind.GIFT_CARD: InvalidGiftCard}


def open_account(*, store_id: str, kind: str, customer_id: str) -> Account:
    """The customer's account of that kind, made unless it exists. At most two queries; safe in parallel.

    A customer who was merged into another one has the other's account: a late refund reaches whoever has the rest.
    """
    found = Account.objects.filter(store_id=store_id, kind=kind, customer_id=customer_id).first()
    if found is None:
        Account.objects.bulk_create(
            [Account(store_id=store_id, kind=kind, customer_id=customer_id)], ignore_conflicts=True
        )
        found = Account.objects.get(store_id=store_id, kind=kind, customer_id=customer_id)
    return heir(found)


def heir(account: Account) -> Account:
    """The account itself, or the one that took its place in merges; one query for each of these."""
    while account.merged_into_id is not None:
        account = Account.objects.get(store_id=account.store_id, pk=account.merged_into_id)
    return account


def lock(*, store_id: str, account_ids: Collection[str]) -> list[Account]:
    """Those accounts, held until the end of the transaction, in the one order that everybody keeps to. One query."""
    rows = Account.objects.filter(store_id=store_id, pk__in=account_ids).order_by("kind", "pk")
    return list(rows.select_for_update())


def add(
    *, store_id: str, account_id: str, kind: str, owner: str, amount: Decimal, expires_at: datetime | None = None,
    **facts: Any,
) -> Entry:  # fmt: skip
    """Adds to an account; an addition is used up until it expires. `facts` are further fields of the entry.

    Repeating returns the first entry, whatever its amount.
    """
    if amount < 0:
        raise ValueError("what is taken away goes through take")
    with transaction.atomic():
        for account in lock(store_id=store_id, account_ids=[account_id]):
            if account.merged_into_id is not None:  # meanwhile; never locked after the one that has its place
                account_id = heir(account).pk
                lock(store_id=store_id, account_ids=[account_id])
        found = _entry(account_id, kind, owner)
        if found is not None:
            return found
        Account.objects.filter(store_id=store_id, pk=account_id).update(balance=F("balance") + exact(amount))
        return Entry.objects.create(
            store_id=store_id,
            account_id=account_id,
            kind=kind,
            owner=owner,
            amount=amount,
            remaining=amount,
            expires_at=expires_at,
            **facts,
        )


def take(
    *,
    store_id: str,
    account_id: str,
    kind: str,
    owner: str,
    amount: Decimal,
    partial: bool = False,
    now: datetime | None = None,
    **facts: Any,
) -> Entry | None:
    """Takes away from what is not held. `partial` takes what is there where that is less, and is None for nothing.

    Repeating returns the first entry. Raises InsufficientPoints, InsufficientCredit or InvalidGiftCard.
    """
    if amount < 0:
        raise ValueError("what is added goes through add")
    with transaction.atomic():
        (account,) = lock(store_id=store_id, account_ids=[account_id])
        found = _entry(account_id, kind, owner)
        if found is not None:
            return found
        available = account.available - _expire(account, now or timezone.now())
        if amount > available:
            if not partial:
                raise SHORT[Kind(account.kind)]
            amount = available
        if not amount:
            return None
        changed = Account.objects.filter(
            store_id=store_id, pk=account_id, balance__gte=F("held") + exact(amount)
        ).update(balance=F("balance") - exact(amount))
        if not changed:
            raise SHORT[Kind(account.kind)]
        _use_up(account_id, amount)
        return Entry.objects.create(
            store_id=store_id, account_id=account_id, kind=kind, owner=owner, amount=-amount, **facts
        )


# --- holds ----------------------------------------------------------------------------------------------------------
def hold(*, store_id: str, account_id: str, owner: str, amount: Decimal) -> None:
    """Promises `amount` to `owner`, in the caller's transaction, which a refusal undoes. Repeating is harmless, after the spending too; with
    another amount it replaces the first one; after a release it holds anew.

    Raises InsufficientPoints, InsufficientCredit, and InvalidGiftCard also for a card that may not pay any more.
    """
    assert connection.in_atomic_block, "a hold is part of what it is made for"
    if amount <= 0:
        raise ValueError("nothing to hold")
    rows = lock(store_id=store_id, account_ids=[account_id])
    if not rows:
        raise InvalidGiftCard
    (account,) = rows
    known = Hold.objects.filter(account_id=account_id, owner=owner).first()
    if known is not None and known.state == Hold.State.SPENT:
        return
    before = known.amount if known is not None and known.state == Hold.State.HELD else ZERO
    change = amount - before
    if not change:
        return
    if change > 0:
        _expire(account, timezone.now())
        if account.kind == Kind.GIFT_CARD and not _card_lives(account_id):
            raise InvalidGiftCard
    rows_changed = Account.objects.filter(
        store_id=store_id, pk=account_id, balance__gte=F("held") + exact(change)
    ).update(held=F("held") + exact(change))
    if not rows_changed:
        raise SHORT[Kind(account.kind)]
    if known is None:
        Hold.objects.create(store_id=store_id, account_id=account_id, owner=owner, amount=amount)
    else:
        Hold.objects.filter(store_id=store_id, pk=known.pk).update(
            amount=amount, state=Hold.State.HELD, settled_at=None
        )


def confirm(*, store_id: str, owner: str, **facts: Any) -> list[Entry]:
    """Spends all that `owner` holds; the new entries. Repeating, and confirming what was released, does nothing."""
    with transaction.atomic():
        return [_spend(held, facts) for held in _locked_holds(store_id, owner)]


def _spend(held: Hold, facts: dict[str, Any]) -> Entry:
    Account.objects.filter(store_id=held.store_id, pk=held.account_id).update(
        balance=F("balance") - exact(held.amount), held=F("held") - exact(held.amount)
    )
    _use_up(held.account_id, held.amount)
    _settle(held, Hold.State.SPENT)
    return Entry.objects.create(
        store_id=held.store_id,
        account_id=held.account_id,
        kind=Entry.Kind.SPEND,
        owner=held.owner,
        amount=-held.amount,
        **facts,
    )


def release(*, store_id: str, owner: str) -> None:
    """Gives back all that `owner` holds and has not spent. Repeating does nothing."""
    with transaction.atomic():
        for held in _locked_holds(store_id, owner):
            Account.objects.filter(store_id=store_id, pk=held.account_id).update(held=F("held") - exact(held.amount))
            _settle(held, Hold.State.RELEASED)


def _locked_holds(store_id: str, owner: str) -> list[Hold]:
    """What `owner` holds, read after its accounts were locked. At most three queries."""
    open_holds = Hold.objects.filter(store_id=store_id, owner=owner, state=Hold.State.HELD)
    account_ids = list(open_holds.values_list("account_id", flat=True))
    if not account_ids:
        return []
    order = {account.pk: place for place, account in enumerate(lock(store_id=store_id, account_ids=account_ids))}
    return sorted(open_holds.filter(account_id__in=account_ids), key=lambda held: order[held.account_id])


def _settle(held: Hold, state: Hold.State) -> None:
    Hold.objects.filter(store_id=held.store_id, pk=held.pk).update(state=state, settled_at=timezone.now())


# --- giving back ----------------------------------------------------------------------------------------------------
def give_back(
    *, store_id: str, kind: str, owner: str, refund_id: str, amount: Decimal, expires_at: datetime | None, **facts: Any
) -> Decimal:
    """Puts back what `owner` spent from an account of that kind, never more than it spent; what was given back.

    Repeating a `refund_id` gives nothing more and returns what the first call gave.
    """
    with transaction.atomic():
        spent = _locked_spend(store_id, owner, account__kind=kind)
        if spent is None:
            return ZERO
        given = _given_back(spent)
        found = given.filter(owner=refund_id).first()
        if found is not None:
            return found.amount
        give = min(amount, -spent.amount - _sum(given, "amount"))
        return _put_back(spent, refund_id, give, expires_at, facts)


def give_back_up_to(
    *, store_id: str, account_id: str, owner: str, total: Decimal, expires_at: datetime | None, **facts: Any
) -> Decimal:
    """Puts back what is missing until `total` of what `owner` spent from that account is back; how much that was.

    Never more than was spent. Repeating, and a lower total, give nothing.
    """
    with transaction.atomic():
        spent = _locked_spend(store_id, owner, account=account_id)
        if spent is None:
            return ZERO
        give = min(total, -spent.amount) - _sum(_given_back(spent), "amount")
        return _put_back(spent, new_id(), give, expires_at, facts)


def _locked_spend(store_id: str, owner: str, **which: str) -> Entry | None:
    """What `owner` spent, with its account locked, and after it the one that took its place in a merge."""
    spends = Entry.objects.filter(store_id=store_id, owner=owner, kind=Entry.Kind.SPEND, **which)
    spent = spends.order_by("account").first()
    if spent is not None:
        (account,) = lock(store_id=store_id, account_ids=[spent.account_id])
        spent.account = account
        receiver = heir(account)
        if receiver.pk != account.pk:  # a merged account is never locked after the one that has its place
            lock(store_id=store_id, account_ids=[receiver.pk])
    return spent


def _given_back(spent: Entry) -> QuerySet[Entry]:
    """What came back of it, to its account and to those that took its place."""
    took, reached = spent.account, [spent.account.pk]
    while took.merged_into_id is not None:
        took = Account.objects.get(store_id=took.store_id, pk=took.merged_into_id)
        reached.append(took.pk)
    return Entry.objects.filter(
        store_id=spent.store_id, kind=Entry.Kind.REFUND, source=spent.owner, account__in=reached
    )


def _put_back(spent: Entry, owner: str, amount: Decimal, expires_at: datetime | None, facts: dict[str, Any]) -> Decimal:
    if amount <= 0:
        return ZERO
    add(
        store_id=spent.store_id,
        account_id=heir(spent.account).pk,
        kind=Entry.Kind.REFUND,
        owner=owner,
        amount=amount,
        source=spent.owner,
        expires_at=expires_at,
        **{"reference": spent.reference, **facts},
    )
    return amount


# --- expiry ---------------------------------------------------------------------------------------------------------
def expire(*, store_id: str, account_id: str, now: datetime) -> Decimal:
    """Takes away what has expired and is not held; how much. Repeating takes nothing more."""
    with transaction.atomic():
        rows = lock(store_id=store_id, account_ids=[account_id])
        return _expire(rows[0], now) if rows else ZERO


def _expire(account: Account, now: datetime) -> Decimal:
    """The same for a locked account. What is held is paid from what expires first, so it shields that from expiry."""
    past = Entry.objects.filter(account_id=account.pk, remaining__gt=0, expires_at__lte=now)
    amount = _sum(past, "remaining")
    if not amount:
        return ZERO
    amount = max(amount - account.held, ZERO)
    if amount:
        Account.objects.filter(store_id=account.store_id, pk=account.pk).update(balance=F("balance") - exact(amount))
        _use_up(account.pk, amount)
        Entry.objects.create(
            store_id=account.store_id,
            account_id=account.pk,
            kind=Entry.Kind.EXPIRE,
            owner=new_id(),
            amount=-amount,
            created_at=now,
        )
    return amount


def due_accounts(*, now: datetime, limit: int) -> list[tuple[str, str]]:
    """(store, account) with something that has expired and is not shielded by a hold, of all stores. One query."""
    due = Entry.objects.filter(remaining__gt=0, expires_at__lte=now).filter(remaining__gt=F("account__held"))
    rows: Iterable[tuple[str, str]] = due.order_by("expires_at").values_list("store_id", "account_id")[:limit]
    return list(dict.fromkeys(rows))


# --- helpers --------------------------------------------------------------------------------------------------------
def _entry(account_id: str, kind: str, owner: str) -> Entry | None:
    return Entry.objects.filter(account_id=account_id, kind=kind, owner=owner).first()


def _sum(rows: Any, field: str) -> Decimal:
    found: Decimal | None = rows.aggregate(total=Sum(field))["total"]
    return found or ZERO


def _use_up(account_id: str, amount: Decimal) -> None:
    """Marks what is gone as used, what expires first at first. The account is locked."""
    additions = Entry.objects.filter(account_id=account_id, remaining__gt=0)
    for entry in additions.order_by(F("expires_at").asc(nulls_last=True), "pk").iterator(chunk_size=100):
        used = min(amount, entry.remaining)
        Entry.objects.filter(store_id=entry.store_id, pk=entry.pk).update(remaining=F("remaining") - exact(used))
        amount -= used
        if not amount:
            return


def _card_lives(account_id: str) -> bool:
    now = timezone.now()
    lives = Q(expires_at=None) | Q(expires_at__gt=now)
    return GiftCard.objects.filter(lives, account_id=account_id, state=GiftCard.State.ACTIVE).exists()
