"""What paid for an order and goes back: points, credit and a gift card alike."""

from __future__ import annotations

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
        expires_at = None
        if resource == Account.Kind.POINTS:
            programme = selectors.rules(store.pk)
            expires_at = programme.expiry(now) if programme else None
        elif resource == Account.Kind.GIFT_CARD:
            expires_at = _card_expiry(store, order_id, now)
        return ledger.give_back(
            store_id=store.pk,
            kind=resource,
            owner=order_id,
            refund_id=refund_id,
            amount=amount,
            expires_at=expires_at,
            remarks=remarks,
        )


def spent(*, store: Store, order_id: str) -> dict[str, Decimal]:
    """What a paid order took, by resource, less what went back. One query."""
    rows = Entry.objects.filter(Q(owner=order_id, kind=Entry.Kind.SPEND) | Q(source=order_id), store=store)
    found: dict[str, Decimal] = {}
    for kind, amount in rows.values_list("account__kind", "amount"):
        found[kind] = found.get(kind, Decimal(0)) - amount
    return found


def _card_expiry(store: Store, order_id: str, now: datetime) -> datetime | None:
    card = GiftCard.objects.filter(
        store=store,
        account__entries__store=store,
        account__entries__owner=order_id,
        account__entries__kind=Entry.Kind.SPEND,
    ).first()
    if card is None or card.expires_at is None:
        return None
    ledger.lock(store_id=store.pk, account_ids=[card.pk])
    expires_at = max(card.expires_at, now + timedelta(days=REFUND_DAYS))
    if expires_at != card.expires_at:
        GiftCard.objects.filter(store=store, pk=card.pk).update(expires_at=expires_at)
    return expires_at
