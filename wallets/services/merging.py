"""What a merge of two customers does to points and credit: ledger entries on both sides, nothing rewritten."""

from __future__ import annotations

from typing import Any

from django.db.models import F, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.errors import MergeRefused
from storefront.models import Store
from storefront.money import ZERO

from .. import selectors
from ..models import Account, Earning, Entry, Member
from . import ledger, loyalty

KINDS = (Account.Kind.CREDIT, Account.Kind.POINTS)  # in the order in which accounts are locked


def move(*, store: Store, from_customer_id: str, to_customer_id: str, made_by: str, **_payload: Any) -> None:
    """Listens to `customer.merged`: points and credit go over, each with its day of expiry, and so does what orders
    will still earn and a membership's spend. The source's accounts stay with their ledger and name those that took
    their place, which late refunds reach. Raises MergeRefused while an order holds anything of the source.
    """
    pairs = [
        (
            ledger.open_account(store_id=store.pk, kind=kind, customer_id=from_customer_id),
            ledger.open_account(store_id=store.pk, kind=kind, customer_id=to_customer_id),
        )
        for kind in KINDS
    ]
    locked = ledger.lock(store_id=store.pk, account_ids=[account.pk for pair in pairs for account in pair])
    rows = {account.pk: account for account in locked}
    if any(rows[source.pk].held for source, _target in pairs):
        raise MergeRefused(
            _("An unpaid order holds points or credit of the customer who would go. Let it be paid or cancelled first.")
        )
    owner = f"merge:{from_customer_id}"
    for source, target in pairs:
        _move_balance(store, source, target, owner, from_customer_id, to_customer_id, made_by)
        Earning.objects.filter(store=store, account=source).update(account=target)
        Account.objects.filter(store=store, pk=source.pk).update(merged_into=target)
    _move_membership(store, pairs[1][0], to_customer_id)


def _move_balance(
    store: Store, source: Account, target: Account, owner: str, source_id: str, target_id: str, made_by: str
) -> None:
    now = timezone.now()
    ledger.expire(store_id=store.pk, account_id=source.pk, now=now)
    open_entries = Entry.objects.filter(store=store, account=source, remaining__gt=0).order_by()
    parts = list(
        open_entries.values_list("expires_at")
        .annotate(left=Sum("remaining"))
        .order_by(F("expires_at").asc(nulls_last=True))
    )
    total = sum((left for _expires, left in parts), ZERO)
    if not total:
        return
    facts: dict[str, Any] = {"kind": Entry.Kind.ADJUST, "made_by": made_by}
    ledger.take(
        store_id=store.pk, account_id=source.pk, owner=owner, amount=total, now=now, reference=target_id, **facts
    )
    for place, (expires_at, left) in enumerate(parts):
        ledger.add(
            store_id=store.pk,
            account_id=target.pk,
            owner=f"{owner}:{place}" if place else owner,
            amount=left,
            expires_at=expires_at,
            reference=source_id,
            **facts,
        )


def _move_membership(store: Store, source: Account, to_customer_id: str) -> None:
    """The source's spend of the last period and its tier count for the target; its own membership ends."""
    gone = Member.objects.filter(store=store, account=source, erased_at=None).first()
    if gone is None:
        return
    now = timezone.now()
    Member.objects.filter(store=store, pk=gone.pk).update(erased_at=now, resets_at=None)
    programme = selectors.rules(store.pk)
    if programme is None:
        return
    member = loyalty.join(store=store, customer_id=to_customer_id, now=now)
    had, has = programme.tier(gone.tier_id), programme.tier(member.tier_id)
    Member.objects.filter(store=store, pk=member.pk).update(
        previous_spent=F("previous_spent") + gone.previous_spent,
        tier_id=max(had, has, key=lambda tier: tier.threshold).tier_id,  # its bonus was given once already
    )
    loyalty.recalculate(store=store, customer_id=to_customer_id, now=now)


def counts(*, store: Store, customer_id: str) -> dict[str, Any]:
    """What the preview of a merge tells; one query."""
    rows = Account.objects.filter(store=store, customer_id=customer_id).order_by("kind")
    return {row.get_kind_display(): f"{row.balance.normalize():f}" for row in rows if row.balance}
