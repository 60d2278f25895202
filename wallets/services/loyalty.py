"""The loyalty programme (D-36): joining, earning, tiers, periods. Points are spent by holds, like all that pays.

An order's points are promised when it is paid, get their day when it is delivered, and are posted by the sweep when the
day comes; what comes back takes its share along, posted or not. Services lock the account first, then what hangs on it.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from storefront.ids import new_id
from storefront.models import Store
from storefront.money import HUNDRED, ZERO

from .. import selectors
from ..errors import NoLoyalty
from ..models import Account, Earning, Entry, Member
from ..rules import Rules, TierRule
from . import ledger

Kind = Entry.Kind


def join(*, store: Store, customer_id: str, now: datetime) -> Member:
    """The customer's membership, made unless it exists. Safe to repeat and in parallel. Raises NoLoyalty."""
    programme = _rules(store.pk)
    account = ledger.open_account(store_id=store.pk, kind=Account.Kind.POINTS, customer_id=customer_id)
    for _try in range(10):
        found = Member.objects.filter(store=store, account=account).first()
        if found is not None:
            return found
        member = Member(
            store=store,
            account=account,
            membership_number=f"{secrets.randbelow(9 * 10**9) + 10**9}",
            joined_at=now,
            assigned_at=now,
            resets_at=programme.next_reset(now),
        )
        Member.objects.bulk_create([member], ignore_conflicts=True)  # a number that is taken leaves none behind
    raise RuntimeError("no free membership number was found")


def welcome(*, store: Store, customer_id: str, **_: Any) -> None:
    """Listens to `shopper.registered`: a new customer joins, with the welcome bonus if there is one. Repeatable."""
    programme = selectors.rules(store.pk)
    if programme is None or not customer_id:
        return
    now = timezone.now()
    with transaction.atomic():
        member = join(store=store, customer_id=customer_id, now=now)
        if programme.signup_points:
            _add(member, programme, Kind.SIGNUP, "signup", programme.signup_points, now)


# --- orders ---------------------------------------------------------------------------------------------------------
def promise(
    *, store: Store, customer_id: str, order_id: str, reference: str, points: int, spent: Decimal, savings: Decimal,
    now: datetime,
) -> Earning | None:  # fmt: skip
    """A paid order will earn `points` (the quote's `points_earned`); `spent` is `rules.counted` of it.

    It counts for tiers at once. Repeating returns the first promise. None where the store has no programme.
    """
    programme = selectors.rules(store.pk)
    if programme is None:
        return None
    with transaction.atomic():
        member = join(store=store, customer_id=customer_id, now=now)
        ledger.lock(store_id=store.pk, account_ids=[member.pk])
        earning, made = Earning.objects.get_or_create(
            account_id=member.pk,
            owner=order_id,
            defaults={
                "store": store,
                "reference": reference,
                "points": points,
                "spent": spent,
                "savings": savings,
                "placed_at": now,
            },
        )
        if made:
            _recalculate(member, programme, now)
        return earning


def deliver(*, store: Store, order_id: str, delivered_at: datetime) -> None:
    """An order is delivered: its points post when the programme's days are over. Repeating changes nothing."""
    programme = selectors.rules(store.pk)
    posts_at = delivered_at + timedelta(days=programme.post_days if programme else 0)
    waiting = Earning.objects.filter(store=store, owner=order_id, state=Earning.State.PROMISED, posts_at=None)
    waiting.update(posts_at=posts_at)


def post(*, store_id: str, earning_id: int, now: datetime) -> None:
    """Books a promise whose day has come. Repeating, and coming too early, does nothing."""
    due = Earning.objects.filter(store_id=store_id, pk=earning_id, state=Earning.State.PROMISED, posts_at__lte=now)
    with transaction.atomic():
        account_id = due.values_list("account_id", flat=True).first()
        if account_id is None:
            return
        ledger.lock(store_id=store_id, account_ids=[account_id])
        earning = due.filter(account_id=account_id).first()  # a merge may have moved it: the next sweep finds it
        if earning is None:
            return
        earning.state = Earning.State.POSTED
        earning.save(update_fields=["state"])
        programme = selectors.rules(store_id)
        points = earning.points - earning.points_back
        if points:
            ledger.add(
                store_id=store_id,
                account_id=account_id,
                kind=Kind.EARN,
                owner=earning.owner,
                amount=Decimal(points),
                expires_at=programme.expiry(now) if programme else None,
                reference=earning.reference,
            )


def take_back(*, store: Store, order_id: str, returned: Decimal, note_id: str, reference: str, now: datetime) -> int:
    """Goods of `returned` came back so far, in the terms of the promise's `spent`; all of it when the order is off.

    The order loses that share of its points. Posted ones leave the balance as far as they are still there; the answer
    is how many are not, for whoever decides on the refund. Repeating the same total changes nothing.
    """
    found = Earning.objects.filter(store=store, owner=order_id).values_list("pk", "account_id").first()
    if found is None:
        return 0
    pk, account_id = found
    with transaction.atomic():
        ledger.lock(store_id=store.pk, account_ids=[account_id])
        earning = Earning.objects.get(store=store, pk=pk)
        if earning.account_id != account_id:  # a merge moved it meanwhile
            account_id = earning.account_id
            ledger.lock(store_id=store.pk, account_ids=[account_id])
            earning.refresh_from_db()
        back = min(returned, earning.spent)
        whole = back >= earning.spent
        points = earning.points if whole else int(earning.points * back / earning.spent)
        lost = points - earning.points_back
        if back < earning.spent_back or lost < 0 or (back == earning.spent_back and not lost):
            return 0
        was_posted = earning.state == Earning.State.POSTED
        earning.spent_back, earning.points_back = back, points
        if whole:
            earning.state = Earning.State.CANCELLED
        earning.save(update_fields=["spent_back", "points_back", "state"])
        missing = lost if was_posted else 0
        if was_posted and lost:
            entry = ledger.take(
                store_id=store.pk,
                account_id=account_id,
                kind=Kind.REVERSE,
                owner=note_id,
                amount=Decimal(lost),
                partial=True,
                now=now,
                reference=reference,
            )
            missing = lost - int(-entry.amount) if entry is not None else lost
        programme = selectors.rules(store.pk)
        if programme is not None:
            _recalculate(Member.objects.get(pk=account_id), programme, now)
        return missing


# --- by hand, by refund ---------------------------------------------------------------------------------------------
def adjust(*, store: Store, customer_id: str, points: int, reason: str, made_by: str, owner: str = "") -> Entry:
    """Corrects a balance by staff's word, up or down. Raises InsufficientPoints for more than is not held, NoLoyalty."""
    programme, now = _rules(store.pk), timezone.now()
    member = join(store=store, customer_id=customer_id, now=now)
    facts: dict[str, Any] = {"remarks": reason, "made_by": made_by}
    owner = owner or new_id()
    if points >= 0:
        return _add(member, programme, Kind.ADJUST, owner, points, now, **facts)
    entry = ledger.take(
        store_id=store.pk, account_id=member.pk, kind=Kind.ADJUST, owner=owner, amount=Decimal(-points), **facts
    )
    assert entry is not None
    return entry


def give_bonus(*, store: Store, customer_id: str, points: int, owner: str, remarks: str = "") -> Entry:
    """Extra points. A bonus of the same `owner` is the same bonus. Raises NoLoyalty."""
    programme, now = _rules(store.pk), timezone.now()
    member = join(store=store, customer_id=customer_id, now=now)
    return _add(member, programme, Kind.BONUS, owner, points, now, remarks=remarks)


def refund(*, store: Store, customer_id: str, points: int, refund_id: str, reference: str = "") -> Entry:
    """Pays an order back in points. A refund of the same id is the same refund. Raises NoLoyalty.

    What an order was paid in points goes back by `spending.give_back`, which knows how many they were.
    """
    programme, now = _rules(store.pk), timezone.now()
    member = join(store=store, customer_id=customer_id, now=now)
    return _add(member, programme, Kind.GRANT, refund_id, points, now, reference=reference)


# --- tiers and periods ----------------------------------------------------------------------------------------------
def recalculate(*, store: Store, customer_id: str, now: datetime) -> None:
    """Puts a member into the tier that their spend earns, after a change of the programme. Raises NoLoyalty."""
    programme = _rules(store.pk)
    with transaction.atomic():
        member = join(store=store, customer_id=customer_id, now=now)
        ledger.lock(store_id=store.pk, account_ids=[member.pk])
        _recalculate(Member.objects.get(store=store, pk=member.pk), programme, now)


def programme_changed(*, store: Store, now: datetime) -> None:
    """After staff changed the programme: periods begin now for members who had none, or end where there are none."""
    selectors.forget()
    transaction.on_commit(selectors.forget)
    programme = selectors.rules(store.pk)
    members = Member.objects.filter(store=store, erased_at=None)
    if programme is None:
        return
    if programme.reset_months is None:
        members.exclude(resets_at=None).update(resets_at=None)
    else:
        members.filter(resets_at=None).update(resets_at=programme.next_reset(now))


def _recalculate(member: Member, programme: Rules, now: datetime) -> None:
    """The same for a locked account. The last period's spend counts until this one's is more."""
    spent = max(selectors.orders_of(member)["total_spent"], member.previous_spent)
    _assign(member, programme, programme.tier_for(spent), now)


def _assign(member: Member, programme: Rules, wanted: TierRule, now: datetime) -> None:
    present = programme.tier(member.tier_id)
    if wanted.threshold > present.threshold:
        # Once a tier and period: who falls and rises again gets no second bonus.
        owner = f"tier:{wanted.tier_id}:{member.assigned_at:%Y%m%d}"
        _add(member, programme, Kind.TIER_UP, owner, wanted.bonus_points, now, remarks=wanted.name)
    elif wanted.threshold < present.threshold and programme.tiers_fall:
        _add(member, programme, Kind.TIER_DOWN, new_id(), 0, now, remarks=wanted.name)
    else:
        return
    member.tier_id = wanted.tier_id
    member.save(update_fields=["tier"])


def reset(*, store_id: str, account_id: str, now: datetime) -> None:
    """Ends a member's period when its day has come: the tier is decided anew, points expire or go on. Repeatable."""
    programme = selectors.rules(store_id)
    if programme is None:
        return
    with transaction.atomic():
        accounts = ledger.lock(store_id=store_id, account_ids=[account_id])
        member = Member.objects.filter(store_id=store_id, pk=account_id, resets_at__lte=now).first()
        if member is None or member.resets_at is None:
            return
        spent = selectors.orders_of(member)["total_spent"]
        begins = member.resets_at
        _assign(member, programme, programme.tier_for(spent), now)
        member.previous_spent, member.assigned_at = spent, begins
        member.resets_at = programme.next_reset(begins)
        member.save(update_fields=["previous_spent", "assigned_at", "resets_at"])
        ledger.expire(store_id=store_id, account_id=account_id, now=now)
        account = Account.objects.get(store_id=store_id, pk=accounts[0].pk)
        _carry(account, programme, f"period:{begins:%Y%m%d}", now)


def _carry(account: Account, programme: Rules, owner: str, now: datetime) -> None:
    """What is not held goes on in part, with a new day of expiry."""
    carried = Decimal(int(account.available * programme.carry_percent / HUNDRED))
    lost = account.available - carried
    where: dict[str, Any] = {"store_id": account.store_id, "account_id": account.pk, "owner": owner}
    if lost:
        ledger.take(**where, kind=Kind.EXPIRE, amount=lost, now=now)
    if carried:
        ledger.take(**where, kind=Kind.CARRY_OUT, amount=carried, now=now)
        ledger.add(**where, kind=Kind.CARRY_IN, amount=carried, expires_at=programme.expiry(now))


# --- helpers --------------------------------------------------------------------------------------------------------
def _rules(store_id: str) -> Rules:
    found = selectors.rules(store_id)
    if found is None:
        raise NoLoyalty
    return found


def _add(member: Member, programme: Rules, kind: str, owner: str, points: int, now: datetime, **facts: str) -> Entry:
    return ledger.add(
        store_id=member.store_id,
        account_id=member.pk,
        kind=kind,
        owner=owner,
        amount=Decimal(points) if points else ZERO,
        expires_at=programme.expiry(now),
        **facts,
    )
