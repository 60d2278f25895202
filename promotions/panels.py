"""What coupons and promotions add to the dashboard and a customer's page, and how an offer is used, on its own page."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront import panels
from storefront.admin_base import change_link, list_link
from storefront.money import ZERO

from .admin.common import APP, money
from .models import Coupon, Kind, Offer, OfferUse, Promotion

DAYS = 14
LAST = 10  # uses on an offer's page
TOP = 8  # coupons in the chart


# --- dashboard ------------------------------------------------------------------------------------------------------
def _days(period: panels.Period) -> list[tuple[Any, str, int, Decimal]]:
    """(day, kind, uses, saved) of the fortnight: one query of an index."""

    def read() -> list[tuple[Any, str, int, Decimal]]:
        rows = OfferUse.objects.filter(**period.scope, held_at__gte=period.fortnight_ago)
        rows = rows.filter(state__in=OfferUse.TAKEN).annotate(day=TruncDate("held_at", tzinfo=period.zone))
        grouped = rows.order_by().values_list("day", "offer__kind").annotate(Count("pk"), Sum("saving"))
        return [(day, kind, count, saved) for day, kind, count, saved in grouped]

    found: list[tuple[Any, str, int, Decimal]] = period.once("promotions.days", read)
    return found


def uses_a_day(period: panels.Period) -> panels.Chart:
    series = [
        panels.Series(
            title,
            panels.over_days([(day, uses) for day, found, uses, _sum in _days(period) if found == kind], period.days()),
            tone,
        )
        for kind, title, tone in _KINDS
    ]
    return panels.Chart(period.day_labels(), series, stacked=True, link=list_link(Coupon))


def saved_a_day(period: panels.Period) -> panels.Chart:
    """In whole units of the currency, of all stores in sight together."""
    series = [
        panels.Series(
            title,
            panels.over_days(
                [(day, int(saved)) for day, found, _uses, saved in _days(period) if found == kind], period.days()
            ),
            tone,
        )
        for kind, title, tone in _KINDS
    ]
    return panels.Chart(period.day_labels(), series, stacked=True, link=list_link(Promotion))


_KINDS: tuple[tuple[str, Any, panels.Tone], ...] = (
    (Kind.COUPON, gettext_lazy("Coupons"), "info"),
    (Kind.PROMOTION, gettext_lazy("Promotions"), "good"),
)


def top_coupons(period: panels.Period) -> panels.Chart:
    rows = OfferUse.objects.filter(**period.scope, held_at__gte=period.fortnight_ago, offer__kind=Kind.COUPON)
    named = rows.filter(state__in=OfferUse.TAKEN).order_by().values_list("offer__name")
    found = list(named.annotate(uses=Count("pk")).order_by("-uses", "offer__name")[:TOP])
    names = [name[:24] for name, _uses in found] or [_("None")]
    counts = [uses for _name, uses in found] or [0]
    return panels.Chart(names, [panels.Series(gettext_lazy("Uses"), counts)], link=list_link(Coupon))


# --- an offer's page ------------------------------------------------------------------------------------------------
def usage(request: HttpRequest, offer: Offer) -> panels.Table:
    """The last 14 days, day by day, and what they come to: one query."""
    uses = OfferUse.objects.filter(store=offer.store, offer=offer, held_at__gte=timezone.now() - timedelta(days=DAYS))
    days = uses.filter(state__in=OfferUse.TAKEN).annotate(day=TruncDate("held_at")).order_by("-day")
    rows = list(days.values_list("day").annotate(Count("pk"), Sum("saving"), Sum("revenue")))
    count = sum(row[1] for row in rows)
    saved, revenue = (sum((row[at] for row in rows), ZERO) for at in (2, 3))
    return panels.Table(
        facts=[
            (_("Uses in 14 days"), f"{count:,}"),
            (_("Saved by shoppers"), money(offer.store, saved)),
            (_("Revenue of these orders"), money(offer.store, revenue)),
            (_("Average order"), money(offer.store, revenue / count) if count else "–"),
            (_("Saved for each 100 of revenue"), f"{saved * 100 / revenue:.1f}" if revenue else "–"),
        ],
        headers=(_("Day"), _("Uses"), _("Saved"), _("Revenue")),
        rows=[
            (date_format(day, "D j M"), f"{uses_:,}", money(offer.store, saved_), money(offer.store, revenue_))
            for day, uses_, saved_, revenue_ in rows
        ],
        empty=_("It has not been used in the last 14 days."),
    )


def last_uses(request: HttpRequest, offer: Offer) -> panels.Table:
    """One query."""
    found = OfferUse.objects.filter(store=offer.store, offer=offer).select_related("code").order_by("-held_at")[:LAST]
    return panels.Table(
        headers=(_("When"), _("Order"), _("State"), _("Code"), _("Saved"), _("Order total")),
        rows=[
            (
                date_format(timezone.localtime(use.held_at), "j M, H:i"),
                use.owner,
                use.get_state_display(),
                use.code.text if use.code else "–",
                money(offer.store, use.saving),
                money(offer.store, use.revenue),
            )
            for use in found
        ],
        empty=_("Nobody has used it yet."),
    )


# --- a customer's page ----------------------------------------------------------------------------------------------
def uses_of_customer(request: HttpRequest, customer: Any) -> panels.Table:
    """One query."""
    found = OfferUse.objects.filter(store_id=customer.store_id, customer_id=customer.pk)
    rows = found.select_related("offer").order_by("-held_at")[:10]
    return panels.Table(
        headers=(_("Offer"), _("Order"), _("State"), _("Saved"), _("When")),
        rows=[(_link(row.offer), row.owner, row.get_state_display(), row.saving, row.held_at) for row in rows],
        empty=_("No offer was used yet."),
    )


def _link(offer: Offer) -> str:
    """To the page of its kind."""
    half = Coupon if offer.kind == Kind.COUPON else Promotion
    return change_link(half(pk=offer.pk), offer.name)


panels.register(
    "storefront_customers.customer",
    title=gettext_lazy("Offers used"),
    icon="sell",
    compute=uses_of_customer,
    permission="storefront_promotions.view_offeruse",
    order=66,
)
panels.chart(
    "promotions.uses",
    title=gettext_lazy("Offers used a day"),
    compute=uses_a_day,
    permission=f"{APP}.view_coupon",
    order=60,
)
panels.chart(
    "promotions.saved",
    title=gettext_lazy("Saved by shoppers a day"),
    compute=saved_a_day,
    permission=f"{APP}.view_coupon",
    order=61,
)
panels.chart(
    "promotions.top",
    title=gettext_lazy("Coupons used most, 14 days"),
    compute=top_coupons,
    permission=f"{APP}.view_coupon",
    order=62,
)
for kind in Kind.values:
    panels.register(f"{APP}.{kind}", title=gettext_lazy("Use and revenue"), icon="monitoring", compute=usage, order=10)
    panels.register(f"{APP}.{kind}", title=gettext_lazy("Last uses"), icon="receipt_long", compute=last_uses, order=20)
