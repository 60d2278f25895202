"""What time brings about: points post, credit and cards expire, periods end. And what must be forgotten."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from storefront.models import Store

from ..models import Account, Earning, Entry, Member, Programme
from . import ledger, loyalty

logger = logging.getLogger(__name__)


def sweep(*, now: datetime, batch: int, **_: Any) -> None:
    """Up to `batch` of each. Safe to repeat and to run twice at once; one that fails does not stop the others.

    Points post before they expire, and periods end last, so that what was due in a period is in it.
    """
    due = Earning.objects.filter(state=Earning.State.PROMISED, posts_at__lte=now).order_by("posts_at")
    for store_id, pk in list(due.values_list("store_id", "pk")[:batch]):
        _try(partial(loyalty.post, store_id=store_id, earning_id=pk, now=now))
    for store_id, account_id in ledger.due_accounts(now=now, limit=batch):
        _try(partial(ledger.expire, store_id=store_id, account_id=account_id, now=now))
    running = Programme.objects.filter(active=True).values("store_id")
    ended = Member.objects.filter(resets_at__lte=now, store_id__in=running).order_by("resets_at")
    for store_id, account_id in list(ended.values_list("store_id", "pk")[:batch]):
        _try(partial(loyalty.reset, store_id=store_id, account_id=account_id, now=now))


def _try(call: Callable[[], Any]) -> None:
    try:
        call()
    except Exception:
        logger.exception("wallet_sweep_failed")


def forget_shopper(*, store: Store, user_id: str, customer_id: str | None, **_: Any) -> None:
    """Listens to `shopper.erased`: remarks, which may name a person, go; amounts stay, for the sums must hold (D-14).

    A customer goes with its primary user, whose id it has; other users take nothing along.
    """
    if customer_id != user_id:
        return
    accounts = list(Account.objects.filter(store=store, customer_id=customer_id).values_list("pk", flat=True))
    merged = accounts
    while merged:  # what others left behind who were merged into this customer
        merged = list(Account.objects.filter(store=store, merged_into__in=merged).values_list("pk", flat=True))
        accounts += merged
    kept = (Entry.Kind.TIER_UP, Entry.Kind.TIER_DOWN)  # the tier's name
    with transaction.atomic():
        entries = Entry.objects.filter(store=store, account__in=accounts).exclude(remarks="")
        entries.exclude(kind__in=kept).update(remarks="")
        Member.objects.filter(store=store, account__in=accounts, erased_at=None).update(
            erased_at=timezone.now(), resets_at=None
        )
