"""What wallets add to the dashboard and to a customer's and a user's page."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from storefront import panels
from storefront.admin_base import change_link, list_link, money
from storefront.models import Store
from storefront.money import ZERO

from . import selectors
from .admin.common import shown
from .models import Account, CreditAccount, Earning, Entry, GiftCard, GiftCardBatch, Member, Programme

Kind = Account.Kind
VIEW_POINTS, VIEW_CREDIT, VIEW_CARDS = (
    f"storefront_wallets.view_{name}" for name in ("member", "creditaccount", "giftcard")
)


# --- dashboard ------------------------------------------------------------------------------------------------------
def _outstanding(period: panels.Period) -> dict[str, list[tuple[str, Decimal, int]]]:
    """By kind: (store, sum, accounts). One query of an index that holds accounts with something in them."""

    def read() -> dict[str, list[tuple[str, Decimal, int]]]:
        rows = Account.objects.filter(**period.scope, balance__gt=0).order_by()
        found: dict[str, list[tuple[str, Decimal, int]]] = {}
        for kind, store_id, total, count in rows.values_list("kind", "store_id").annotate(
            total=Sum("balance"), count=Count("pk")
        ):
            found.setdefault(kind, []).append((store_id, total, count))
        return found

    made: dict[str, list[tuple[str, Decimal, int]]] = period.once("wallets.outstanding", read)
    return made


def _stores(period: panels.Period) -> dict[str, Store]:
    found: dict[str, Store] = period.once("wallets.stores", lambda: Store.objects.in_bulk(period.store_ids))
    return found


def _sum(period: panels.Period, amounts: Iterable[tuple[str, Decimal]]) -> str:
    """Amounts of stores, added up by currency; an amount of nothing in the first store's."""
    stores = _stores(period)
    sums: dict[str, tuple[Store, Decimal]] = {}
    for store_id, amount in amounts:
        store = stores[store_id]
        sums[store.currency_code] = (store, sums.get(store.currency_code, (store, ZERO))[1] + amount)
    if not sums and stores:
        store = next(iter(stores.values()))
        sums[""] = (store, ZERO)
    return " + ".join(money(store, total) for store, total in sums.values())


def _accounts(period: panels.Period, kind: str) -> int:
    return sum(count for _store_id, _total, count in _outstanding(period).get(kind, ()))


def points_outstanding(period: panels.Period) -> panels.Figure:
    values = dict(Programme.objects.filter(**period.scope).values_list("store_id", "point_value"))
    rows = _outstanding(period).get(Kind.POINTS, [])
    points = sum((total for _store_id, total, _count in rows), ZERO)
    worth = _sum(period, [(store_id, total * values.get(store_id, ZERO)) for store_id, total, _count in rows])
    count = _accounts(period, Kind.POINTS)
    detail = ngettext("%(points)s points of %(count)d member", "%(points)s points of %(count)d members", count) % {
        "points": number_format(points, 0, force_grouping=True),
        "count": count,
    }
    return panels.Figure(worth, detail, list_link(Member))


def credit_outstanding(period: panels.Period) -> panels.Figure:
    rows = _outstanding(period).get(Kind.CREDIT, [])
    count = _accounts(period, Kind.CREDIT)
    detail = ngettext("of %(count)d customer", "of %(count)d customers", count) % {"count": count}
    return panels.Figure(_sum(period, [row[:2] for row in rows]), detail, list_link(CreditAccount))


def cards_outstanding(period: panels.Period) -> panels.Figure:
    rows = _outstanding(period).get(Kind.GIFT_CARD, [])
    count = _accounts(period, Kind.GIFT_CARD)
    detail = ngettext("on %(count)d card", "on %(count)d cards", count) % {"count": count}
    return panels.Figure(_sum(period, [row[:2] for row in rows]), detail, list_link(GiftCard, balance="some"))


def _days(period: panels.Period) -> list[dict[str, Any]]:
    """What came and went by day, kind of account and kind of entry: one query of an index."""

    def read() -> list[dict[str, Any]]:
        rows = Entry.objects.filter(**period.scope, created_at__gte=period.fortnight_ago)
        days = rows.annotate(day=TruncDate("created_at", tzinfo=period.zone)).values("day", "account__kind", "kind")
        return [dict(row) for row in days.annotate(total=Sum("amount")).order_by()]

    found: list[dict[str, Any]] = period.once("wallets.days", read)
    return found


def _series(period: panels.Period, kinds: tuple[str, ...], *, spent: bool) -> list[int]:
    rows = (
        (row["day"], int(abs(row["total"])))
        for row in _days(period)
        if row["account__kind"] in kinds
        and row["kind"] not in (Entry.Kind.CARRY_IN, Entry.Kind.CARRY_OUT)
        and (row["kind"] == Entry.Kind.SPEND if spent else row["total"] > 0 and row["kind"] != Entry.Kind.REFUND)
    )
    return panels.over_days(rows, period.days())


def points_a_day(period: panels.Period) -> panels.Chart:
    return panels.Chart(
        period.day_labels(),
        [
            panels.Series(gettext_lazy("Given"), _series(period, (Kind.POINTS,), spent=False), "good"),
            panels.Series(gettext_lazy("Used"), _series(period, (Kind.POINTS,), spent=True), "info"),
        ],
        link=list_link(Entry, kind_of_account="points"),
    )


def money_a_day(period: panels.Period) -> panels.Chart:
    kinds = (Kind.CREDIT, Kind.GIFT_CARD)
    return panels.Chart(
        period.day_labels(),
        [
            panels.Series(gettext_lazy("Issued"), _series(period, kinds, spent=False), "warning"),
            panels.Series(gettext_lazy("Spent"), _series(period, kinds, spent=True), "info"),
        ],
        link=list_link(Entry),
    )


# --- pages ----------------------------------------------------------------------------------------------------------
def _ledger(account: Account | None, store: Store, facts: list[tuple[Any, Any]]) -> panels.Table:
    """An account's balance and its last entries: one query."""
    if account is None:
        return panels.Table(facts=facts, empty=_("Nothing was ever booked."))
    entries = Entry.objects.filter(store=store, account=account).order_by("-pk")[:10]
    balance = [
        (_("Balance"), shown(store, account.kind, account.balance)),
        (_("Held for orders"), shown(store, account.kind, account.held)),
    ]
    return panels.Table(
        headers=(_("When"), _("What"), _("Amount"), _("Order"), _("Remarks"), _("By"), _("Expires")),
        rows=[
            (
                change_link(entry, date_format(timezone.localtime(entry.created_at), "j M Y, H:i")),
                entry.get_kind_display(),
                shown(store, account.kind, entry.amount),
                entry.reference or "–",
                entry.remarks or "–",
                entry.made_by or "–",
                entry.expires_at if entry.remaining else "–",
            )
            for entry in entries
        ],
        facts=[*balance, *facts],
        link=list_link(Entry, q=account.pk),
        empty=_("Nothing was ever booked."),
    )


def _form_link(request: HttpRequest, name: str, permission: str, store: Store, customer_id: str, text: Any) -> Any:
    if not request.user.has_perm(permission):
        return "–"
    return format_html(
        '<a class="sf-link" href="{}">{}</a>', reverse(f"admin:{name}", args=[store.pk, customer_id]), text
    )


def points_of_customer(request: HttpRequest, customer: Any) -> panels.Table:
    return _points(request, customer.store, customer.pk)


def points_of_user(request: HttpRequest, user: Any) -> panels.Table:
    return _points(request, user.store, user.customer_id)


def _points(request: HttpRequest, store: Store, customer_id: str) -> panels.Table:
    account = (
        Account.objects.select_related("member__tier")
        .filter(store=store, kind=Kind.POINTS, customer_id=customer_id)
        .first()
    )
    member = getattr(account, "member", None)
    facts: list[tuple[Any, Any]] = []
    programme = selectors.rules(store.pk)
    if member is not None:
        facts = [
            (_("Membership"), change_link(member)),
            (_("Tier"), programme.tier(member.tier_id).name if programme else member.tier or "–"),
        ]
    link = _form_link(
        request, "wallets-points", "storefront_wallets.change_member", store, customer_id, _("Adjust points")
    )
    return _ledger(account, store, [*facts, (_("Change"), link)])


def credit_of_customer(request: HttpRequest, customer: Any) -> panels.Table:
    return _credit(request, customer.store, customer.pk)


def credit_of_user(request: HttpRequest, user: Any) -> panels.Table:
    return _credit(request, user.store, user.customer_id)


def _credit(request: HttpRequest, store: Store, customer_id: str) -> panels.Table:
    account = Account.objects.filter(store=store, kind=Kind.CREDIT, customer_id=customer_id).first()
    link = _form_link(
        request, "wallets-credit", "storefront_wallets.change_creditaccount", store, customer_id, _("Grant or adjust")
    )
    return _ledger(account, store, [(_("Change"), link)])


def ledger_of_account(request: HttpRequest, account: Account) -> panels.Table:
    return _ledger(account, account.store, [])


def ledger_of_wallet(request: HttpRequest, row: Any) -> panels.Table:
    """Of a member or a gift card."""
    return _ledger(row.account, row.store, [])


def earnings_of_member(request: HttpRequest, member: Member) -> panels.Table:
    rows = Earning.objects.filter(store=member.store, account_id=member.pk).order_by("-placed_at")[:10]
    return panels.Table(
        headers=(_("Order"), _("Points"), _("Lost"), _("State"), _("Posts")),
        rows=[
            (change_link(row), row.points, row.points_back, row.get_state_display(), row.posts_at or "–")
            for row in rows
        ],
        link=list_link(Earning, q=member.account.customer_id),
        empty=_("No order has earned points yet."),
    )


def cards_of_batch(request: HttpRequest, batch: GiftCardBatch) -> panels.Table:
    found = GiftCard.objects.filter(store=batch.store, batch=batch).aggregate(
        left=Sum("account__balance"), count=Count("pk")
    )
    return panels.Table(
        facts=[
            (_("Left on them"), money(batch.store, found["left"] or ZERO)),
            (_("Cards"), found["count"]),
        ],
        link=list_link(GiftCard, batch__id__exact=batch.pk),
    )


for _key, _title, _icon, _compute, _permission, _order in (
    ("wallets.points", gettext_lazy("Points outstanding"), "loyalty", points_outstanding, VIEW_POINTS, 40),
    (
        "wallets.credit",
        gettext_lazy("Credit outstanding"),
        "account_balance_wallet",
        credit_outstanding,
        VIEW_CREDIT,
        42,
    ),
    ("wallets.cards", gettext_lazy("On gift cards"), "redeem", cards_outstanding, VIEW_CARDS, 44),
):
    panels.tile(_key, title=_title, icon=_icon, compute=_compute, permission=_permission, order=_order)
panels.chart(
    "wallets.points_days", title=gettext_lazy("Points a day"), compute=points_a_day, permission=VIEW_POINTS, order=40
)
panels.chart(
    "wallets.money_days",
    title=gettext_lazy("Credit and gift cards a day"),
    compute=money_a_day,
    permission=VIEW_CREDIT,
    order=42,
)
for _model, _title, _icon, _panel, _permission in (
    ("storefront_customers.customer", gettext_lazy("Loyalty points"), "loyalty", points_of_customer, VIEW_POINTS),
    (
        "storefront_customers.customer",
        gettext_lazy("Store credit"),
        "account_balance_wallet",
        credit_of_customer,
        VIEW_CREDIT,
    ),
    ("storefront_accounts.user", gettext_lazy("Loyalty points"), "loyalty", points_of_user, VIEW_POINTS),
    ("storefront_accounts.user", gettext_lazy("Store credit"), "account_balance_wallet", credit_of_user, VIEW_CREDIT),
    ("storefront_wallets.member", gettext_lazy("Ledger"), "receipt_long", ledger_of_wallet, ""),
    ("storefront_wallets.member", gettext_lazy("Earned by orders"), "hourglass_top", earnings_of_member, ""),
    ("storefront_wallets.creditaccount", gettext_lazy("Ledger"), "receipt_long", ledger_of_account, ""),
    ("storefront_wallets.giftcard", gettext_lazy("Ledger"), "receipt_long", ledger_of_wallet, ""),
    ("storefront_wallets.giftcardbatch", gettext_lazy("Cards"), "redeem", cards_of_batch, ""),
):
    panels.register(_model, title=_title, icon=_icon, compute=_panel, permission=_permission, order=60)
