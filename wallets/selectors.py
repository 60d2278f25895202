"""Reads of wallets. The programme is kept in the process for a few seconds: no query on a warm request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.apps import apps
from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Abs

from storefront.conf import conf
from storefront.models import Store
from storefront.money import ZERO
from storefront.selectors import ShortMemory

from .errors import NoLoyalty
from .fields import SCALE
from .models import Account, Earning, Entry, GiftCard, Member, Programme
from .rules import Rules, TierRule

_programmes: ShortMemory[tuple[Rules | None]] = ShortMemory(size=1024, seconds=lambda: conf().STORE_CACHE_SECONDS)


def rules(store_id: str) -> Rules | None:
    """The store's active programme; none or two queries."""
    known = _programmes.get(store_id) or _programmes.put(store_id, (_read_rules(store_id),))
    return known[0]


def forget() -> None:
    """Drops what this process remembers of programmes; others follow within STORE_CACHE_SECONDS."""
    _programmes.drop()


def _read_rules(store_id: str) -> Rules | None:
    row = Programme.objects.filter(store_id=store_id, active=True).prefetch_related("tiers").first()
    if row is None:
        return None
    first = TierRule(None, row.base_tier, ZERO, row.points_per_unit)
    others = [
        TierRule(tier.pk, tier.name, tier.threshold, tier.points_per_unit, tier.bonus_points)
        for tier in sorted(row.tiers.all(), key=lambda tier: tier.threshold)
    ]
    return Rules(
        name=row.name,
        point_value=row.point_value,
        minimum_points=row.minimum_points,
        maximum_points=row.maximum_points,
        maximum_percent=row.maximum_percent,
        post_days=row.post_days,
        expiry_days=row.expiry_days,
        signup_points=row.signup_points,
        reset_months=row.reset_months,
        carry_percent=row.carry_percent,
        tiers_fall=row.tiers_fall,
        tiers=(first, *others),
        since=row.created_at,
    )


# --- what a cart asks -----------------------------------------------------------------------------------------------
class Wallet(NamedTuple):
    """An account as a cart sees it. `available` leaves out what is held and what has expired."""

    account_id: str
    available: Decimal
    tier_id: int | None = None  # of points
    live: bool = True  # of a gift card: whether it may pay
    last4: str = ""


_WALLETS = f"""
SELECT a.id, a.kind, a.balance, a.held, m.tier_id, c.last4,
  c.account_id IS NULL OR (c.state = 'active' AND (c.expires_at IS NULL OR c.expires_at > %s)) AS live,
  (SELECT COALESCE(SUM(e.remaining), 0) FROM {Entry._meta.db_table} e
   WHERE e.account_id = a.id AND e.remaining > 0 AND e.expires_at <= %s) AS past
FROM {Account._meta.db_table} a
LEFT JOIN {Member._meta.db_table} m ON m.account_id = a.id
LEFT JOIN {GiftCard._meta.db_table} c ON c.account_id = a.id
WHERE a.store_id = %s AND """  # noqa: S608 -- names of tables, never a value
_OWN = "a.customer_id = %s AND a.kind IN ('points', 'credit')"
_CARD = "a.id = %s AND a.kind = 'gift_card'"


def wallets(*, store_id: str, customer_id: str, gift_card_id: str, now: datetime) -> dict[str, Wallet]:
    """A customer's points and credit and a gift card, by kind, in one query; missing where there is none.

    In SQL, for it runs with every read of a logged-in shopper's cart (see `carts.sql`).
    """
    conditions: list[tuple[str, str]] = []
    if customer_id:
        conditions.append((_OWN, customer_id))
    if gift_card_id:
        conditions.append((_CARD, gift_card_id))
    if not conditions:
        return {}
    where = " OR ".join(f"({text})" for text, _value in conditions)
    moment = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(f"{_WALLETS}({where})", [moment, moment, store_id, *(value for _text, value in conditions)])
        rows = cursor.fetchall()
    found = {}
    for pk, kind, balance, held, tier_id, last4, live, past in rows:
        lost = max(int(past) - held, 0)
        available = Decimal(balance - held - lost).scaleb(-SCALE)
        found[kind] = Wallet(pk, available, tier_id, bool(live), last4 or "")
    return found


# --- what a shopper asks --------------------------------------------------------------------------------------------
class Standing(NamedTuple):
    """A customer in the programme; zeros for one who has not joined."""

    membership_number: str
    joined_at: datetime
    assigned_at: datetime
    resets_at: datetime | None
    tier: str
    points_earned: Decimal
    points_redeemed: Decimal
    points_balance: Decimal
    total_orders: int
    lifetime_orders: int
    total_spent: Decimal
    lifetime_spent: Decimal
    lifetime_savings: Decimal


def standing(*, store_id: str, customer_id: str, now: datetime) -> Standing:
    """Three queries and the programme's. Raises NoLoyalty for a store without a programme."""
    programme = rules(store_id)
    if programme is None:
        raise NoLoyalty
    member = (
        Member.objects.select_related("account")
        .filter(store_id=store_id, account__kind=Account.Kind.POINTS, account__customer_id=customer_id)
        .filter(account__store_id=store_id)
        .first()
    )
    if member is None:
        joined = _customer_since(store_id, customer_id) or programme.since
        return Standing("", joined, joined, None, programme.tiers[0].name, ZERO, ZERO, ZERO, 0, 0, ZERO, ZERO, ZERO)
    points = points_of(member, now=now)
    orders = orders_of(member)
    return Standing(
        membership_number=member.membership_number,
        joined_at=member.joined_at,
        assigned_at=member.assigned_at,
        resets_at=member.resets_at,
        tier=programme.tier(member.tier_id).name,
        points_earned=points["earned"],
        points_redeemed=points["redeemed"],
        points_balance=member.account.balance - max(points["past"] - member.account.held, ZERO),
        total_orders=orders["total_orders"],
        lifetime_orders=orders["lifetime_orders"],
        total_spent=orders["total_spent"],
        lifetime_spent=orders["lifetime_spent"],
        lifetime_savings=orders["lifetime_savings"],
    )


def points_of(member: Member, *, now: datetime) -> Mapping[str, Decimal]:
    """What came and went in the member's period, and what has expired and awaits the sweep. One query."""
    kinds = Entry.Kind
    came = (kinds.EARN, kinds.SIGNUP, kinds.BONUS, kinds.TIER_UP, kinds.REVERSE)
    period = Q(created_at__gte=member.assigned_at)
    found = Entry.objects.filter(account_id=member.pk).aggregate(
        earned=Sum("amount", filter=period & Q(kind__in=came)),
        redeemed=Sum("amount", filter=period & Q(kind__in=(kinds.SPEND, kinds.REFUND))),
        past=Sum("remaining", filter=Q(remaining__gt=0, expires_at__lte=now)),
    )
    return {
        "earned": max(found["earned"] or ZERO, ZERO),
        "redeemed": max(-(found["redeemed"] or ZERO), ZERO),
        "past": found["past"] or ZERO,
    }


def orders_of(member: Member) -> Mapping[str, Any]:
    """Orders and spend in the member's period and ever; what was returned does not count. One query."""
    period = Q(placed_at__gte=member.assigned_at)
    kept = ~Q(state=Earning.State.CANCELLED)
    found = Earning.objects.filter(account_id=member.pk).aggregate(
        total_orders=Count("pk", filter=period & kept),
        lifetime_orders=Count("pk", filter=kept),
        total_spent=Sum("spent", filter=period),
        total_back=Sum("spent_back", filter=period),
        lifetime_spent=Sum("spent"),
        lifetime_back=Sum("spent_back"),
        lifetime_savings=Sum("savings", filter=kept),
    )
    return {
        "total_orders": found["total_orders"],
        "lifetime_orders": found["lifetime_orders"],
        "total_spent": (found["total_spent"] or ZERO) - (found["total_back"] or ZERO),
        "lifetime_spent": (found["lifetime_spent"] or ZERO) - (found["lifetime_back"] or ZERO),
        "lifetime_savings": found["lifetime_savings"] or ZERO,
    }


def _customer_since(store_id: str, customer_id: str) -> datetime | None:
    if not apps.is_installed("customers"):
        return None
    from customers.models import Customer

    found: datetime | None = (
        Customer.objects.filter(store_id=store_id, pk=customer_id).values_list("created_at", flat=True).first()
    )
    return found


SORTS = {"created_at": "created_at", "modified_at": "created_at", "loyalty_points": "size"}


def activity(
    *, store_id: str, customer_id: str, sort: Sequence[tuple[str, bool]], offset: int, limit: int
) -> list[Entry]:
    """A page of a customer's points, newest first unless sorted. One query and the programme's. Raises NoLoyalty."""
    if rules(store_id) is None:
        raise NoLoyalty
    rows = entries(store_id=store_id, kind=Account.Kind.POINTS, customer_id=customer_id)
    rows = rows.annotate(size=Abs("amount"))
    order = [f"{'-' if descending else ''}{SORTS[name]}" for name, descending in sort]
    newest_last = bool(sort) and not sort[0][1]
    return list(rows.order_by(*(order or ["-created_at"]), "pk" if newest_last else "-pk")[offset : offset + limit])


def holds_anything(*, store: Store, customer_id: str) -> bool:
    """Whether a customer has points or credit beyond the bonus that everybody is welcomed with. Two queries."""
    own = {"store": store, "account__customer_id": customer_id}
    entries = Entry.objects.filter(**own).exclude(kind=Entry.Kind.SIGNUP)
    return entries.exists() or Earning.objects.filter(**own).exists()


def entries(*, store_id: str, kind: str, customer_id: str) -> QuerySet[Entry]:
    """The ledger of a customer's account of that kind."""
    return Entry.objects.filter(
        store_id=store_id, account__store_id=store_id, account__kind=kind, account__customer_id=customer_id
    )


def account(*, store_id: str, kind: str, customer_id: str) -> Account | None:
    return Account.objects.filter(store_id=store_id, kind=kind, customer_id=customer_id).first()
