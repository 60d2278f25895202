"""Does every balance follow from its ledger?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction
from django.db.models import QuerySet, Sum

from storefront.money import ZERO

from .models import Account, Entry, Hold

_BATCH = 1000


class Mismatch(NamedTuple):
    """`what` is balance (against the entries), remaining (of additions, against the balance) or held."""

    store_id: str
    account_id: str
    kind: str
    what: str
    kept: Decimal
    counted: Decimal


def accounts(*, store_id: str | None = None) -> QuerySet[Account]:
    rows = Account.objects.order_by("store_id", "pk")
    return rows.filter(store_id=store_id) if store_id else rows


def mismatches(
    *, store_id: str | None = None, progress: Callable[[int], None] = lambda done: None
) -> Iterator[Mismatch]:
    """Every account whose sums do not agree, of one store or all; four queries for each thousand accounts.

    What does not agree is counted again with the account locked, so that a shop need not stop for it.
    """
    last, done = ("", ""), 0
    while True:
        store, pk = last
        rows = accounts(store_id=store_id)
        batch = list((rows.filter(store_id=store, pk__gt=pk) | rows.filter(store_id__gt=store))[:_BATCH])
        if not batch:
            return
        for found in _check(batch):
            with transaction.atomic():  # locked, in case it was written to while it was counted
                again = list(Account.objects.select_for_update().filter(pk=found.account_id))
                surely = [same for same in _check(again) if same.what == found.what]
            yield from surely
        last, done = (batch[-1].store_id, batch[-1].pk), done + len(batch)
        progress(done)


def _check(batch: list[Account]) -> Iterator[Mismatch]:
    ids = [account.pk for account in batch]
    entries = Entry.objects.filter(account__in=ids).order_by().values_list("account_id")
    sums = {pk: (amount, left) for pk, amount, left in entries.annotate(a=Sum("amount"), b=Sum("remaining"))}
    holds = Hold.objects.filter(account__in=ids, state=Hold.State.HELD).order_by().values_list("account_id")
    held = dict(holds.annotate(a=Sum("amount")))
    for account in batch:
        amount, left = sums.get(account.pk, (ZERO, ZERO))
        for what, kept, counted in (
            ("balance", account.balance, amount),
            ("remaining", account.balance, left),
            ("held", account.held, held.get(account.pk, ZERO)),
        ):
            if kept != counted:
                yield Mismatch(account.store_id, account.pk, account.kind, what, kept, counted)
