"""What analytics adds to the dashboard: one query for all figures, a row a day and store."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront import panels
from storefront.admin_base import list_link

from .funnel import STEPS
from .models import AnalyticsBatch, AnalyticsEvent, FunnelDay

PERMISSION = "storefront_engagement.view_analyticsevent"
TITLES = {
    "visitors": gettext_lazy("Visitors"),
    "viewed": gettext_lazy("Looked at a product"),
    "added": gettext_lazy("Filled a cart"),
    "checkout": gettext_lazy("Went to check out"),
    "ordered": gettext_lazy("Ordered"),
}
TONES: dict[str, panels.Tone] = {
    "visitors": "neutral",
    "viewed": "info",
    "added": "info",
    "checkout": "warning",
    "ordered": "good",
}


def _days(period: panels.Period) -> dict[str, dict[str, int]]:
    """The figures by date, of all stores asked about together."""

    def read() -> dict[str, dict[str, int]]:
        first = period.fortnight_ago.astimezone(period.zone).date()
        rows: Any = FunnelDay.objects.filter(**period.scope, date__gte=first).order_by()
        found: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for row in rows.values("date").annotate(**{f"sum_{step}": Sum(step) for step in STEPS}):
            found[str(row["date"])] = {step: row[f"sum_{step}"] for step in STEPS}
        return found

    days: dict[str, dict[str, int]] = period.once("analytics.days", read)
    return days


def _over(period: panels.Period, step: str) -> list[int]:
    found = _days(period)
    return [found.get(str(day.date()), {}).get(step, 0) for day in period.days()]


def visitors(period: panels.Period) -> panels.Figure:
    counted = _over(period, "visitors")
    return panels.Figure(
        counted[-1], _("today; %(count)d yesterday") % {"count": counted[-2]}, list_link(AnalyticsEvent)
    )


def conversion(period: panels.Period) -> panels.Figure:
    came, ordered = sum(_over(period, "visitors")), sum(_over(period, "ordered"))
    return panels.Figure(
        panels.percent(ordered, came),
        _("of %(count)d daily visitors in 14 days ordered") % {"count": came},
        list_link(AnalyticsEvent),
    )


def undelivered(period: panels.Period) -> panels.Figure:
    count = AnalyticsBatch.objects.filter(
        **period.scope, created_at__gte=period.fortnight_ago, state=AnalyticsBatch.State.DEAD
    ).count()
    link = list_link(AnalyticsBatch, state__exact=AnalyticsBatch.State.DEAD.value)
    return panels.Figure(count, _("batches in 14 days; open to send again"), link, "bad" if count else "neutral")


def funnel_a_day(period: panels.Period) -> panels.Chart:
    series = [panels.Series(TITLES[step], _over(period, step), TONES[step]) for step in STEPS]
    return panels.Chart(period.day_labels(), series, kind="line", link=list_link(AnalyticsEvent))


def funnel_in_all(period: panels.Period) -> panels.Chart:
    """Of the last 14 days together: where visitors are lost."""
    totals = [sum(_over(period, step)) for step in STEPS]
    return panels.Chart(
        [TITLES[step] for step in STEPS],
        [panels.Series(_("Daily visitors"), totals)],
        link=list_link(AnalyticsEvent),
        detail=_("Each visitor counts once a day."),
    )


panels.tile(
    "analytics.visitors",
    title=gettext_lazy("Visitors"),
    icon="group",
    compute=visitors,
    permission=PERMISSION,
    order=50,
)
panels.tile(
    "analytics.conversion",
    title=gettext_lazy("Conversion"),
    icon="conversion_path",
    compute=conversion,
    permission=PERMISSION,
    order=52,
)
panels.tile(
    "analytics.undelivered",
    title=gettext_lazy("Events not forwarded"),
    icon="sync_problem",
    compute=undelivered,
    permission="storefront_engagement.view_analyticsbatch",
    order=54,
)
panels.chart(
    "analytics.days",
    title=gettext_lazy("From visit to order, by day"),
    compute=funnel_a_day,
    permission=PERMISSION,
    order=50,
)
panels.chart(
    "analytics.funnel",
    title=gettext_lazy("From visit to order, 14 days"),
    compute=funnel_in_all,
    permission=PERMISSION,
    order=52,
)
