"""What paid for an order and goes back: points, credit and a gift card alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Q

from storefront.models import Store

from .. import selectors
from ..models import Account, Entry, GiftCard
from . import ledger

REFUND_DAYS = 30  # a card that gets money back lives at least so long


def give_back(
    *, store: Store, resource: str, order_id: str, refund_id: str, amount: Decimal, now: datetime, remarks: str = ""
) -> Decimal:
    """Puts back what a paid order took of `resource` (points, credit, gift_card), at most what it took; how much.

    Points count in points. Repeating a `refund_id` gives nothing more and answers the same. Points that come back
    expire as new ones do; a gift card that has expired, or soon will, lives another 30 days.
    """
    with transaction.atomic():
        given = ledger.give_back(
            store_id=store.pk,
            kind=resource,
            owner=order_id,
            refund_id=refund_id,
            amount=amount,
            expires_at=_expiry(store.pk, resource, order_id, now),
            remarks=remarks,
        )
        _prolong_card(store.pk, resource, order_id)
        return given


def give_back_all(*, store_id: str, order_id: str, totals: Mapping[str, Decimal] | None, now: datetime) -> None:
    """Puts back all that an order took, held or spent; with `totals`, of what it spent from each of these accounts until
    so much is back in all. What `give_back` gave counts. Repeating gives nothing more."""
    with transaction.atomic():
        if totals is None:
            ledger.release(store_id=store_id, owner=order_id)
        spends = Entry.objects.filter(store=store_id, owner=order_id, kind=Entry.Kind.SPEND)
        rows = spends.order_by("account__kind", "account").values_list("account__kind", "account_id", "amount")
        for kind, account_id, amount in list(rows):  # in the order in which accounts are locked
            total = -amount if totals is None else totals.get(account_id)
            if not total:
                continue
            expires_at = _expiry(store_id, kind, order_id, now)
            ledger.give_back_up_to(
                store_id=store_id, account_id=account_id, owner=order_id, total=total, expires_at=expires_at
            )
            _prolong_card(store_id, kind, order_id)


def spent(*, store: Store, order_id: str) -> dict[str, Decimal]:
    """What a paid order took, by resource, less what went back. One query."""
    rows = Entry.objects.filter(Q(owner=order_id, kind=Entry.Kind.SPEND) | Q(source=order_id), store=store)
    found: dict[str, Decimal] = {}
    for kind, amount in rows.values_list("account__kind", "amount"):
        found[kind] = found.get(kind, Decimal(0)) - amount
    return found


def _expiry(store_id: str, kind: str, order_id: str, now: datetime) -> datetime | None:
    """Until when what goes back can be used."""
    if kind == Account.Kind.POINTS:
        programme = selectors.rules(store_id)
        return programme.expiry(now) if programme else None
    if kind == Account.Kind.GIFT_CARD:
        card = GiftCard.objects.filter(
            store=store_id,
            account__entries__store=store_id,
            account__entries__owner=order_id,
            account__entries__kind=Entry.Kind.SPEND,
        ).first()
        if card is not None and card.expires_at is not None:
            return max(card.expires_at, now + timedelta(days=REFUND_DAYS))
    return None


def _prolong_card(store_id: str, kind: str, order_id: str) -> None:
    """A card lives as long as what came back to it. Its account is locked."""
    if kind != Account.Kind.GIFT_CARD:
        return
    back = Entry.objects.filter(store=store_id, source=order_id, kind=Entry.Kind.REFUND, account__kind=kind)
    for account_id, expires_at in back.filter(expires_at__isnull=False).values_list("account_id", "expires_at"):
        cards = GiftCard.objects.filter(store=store_id, pk=account_id, expires_at__lt=expires_at)
        cards.update(expires_at=expires_at)
