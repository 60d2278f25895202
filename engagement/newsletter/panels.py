"""What the newsletter adds to the dashboard: two queries, each over an index."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from django.db.models.functions import TruncDate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront import panels
from storefront.admin_base import list_link

from .models import NewsletterConsent, NewsletterSubscription

PERMISSION = "storefront_engagement.view_newslettersubscription"
Kind = NewsletterConsent.Kind
State = NewsletterSubscription.State


def _by_day(period: panels.Period) -> list[dict[str, Any]]:
    def read() -> list[dict[str, Any]]:
        rows = NewsletterConsent.objects.filter(**period.scope, created_at__gte=period.fortnight_ago).order_by()
        found: Any = (
            rows.annotate(day=TruncDate("created_at", tzinfo=period.zone))
            .values("day", "kind")
            .annotate(count=Count("pk"))
        )
        return list(found)

    counts: list[dict[str, Any]] = period.once("newsletter.by_day", read)
    return counts


def subscribed(period: panels.Period) -> panels.Figure:
    count = NewsletterSubscription.objects.filter(**period.scope, state=State.SUBSCRIBED).count()
    fresh = sum(row["count"] for row in _by_day(period) if row["kind"] == Kind.SUBSCRIBED)
    link = list_link(NewsletterSubscription, state__exact=State.SUBSCRIBED.value)
    return panels.Figure(count, _("%(count)d in 14 days") % {"count": fresh}, link)


def a_day(period: panels.Period) -> panels.Chart:
    days = period.days()
    tones: dict[Kind, panels.Tone] = {Kind.SUBSCRIBED: "good", Kind.UNSUBSCRIBED: "warning", Kind.SUPPRESSED: "bad"}
    series = [
        panels.Series(
            kind.label,
            panels.over_days(((row["day"], row["count"]) for row in _by_day(period) if row["kind"] == kind), days),
            tone,
        )
        for kind, tone in tones.items()
    ]
    return panels.Chart(period.day_labels(), series, link=list_link(NewsletterSubscription))


panels.tile(
    "newsletter.subscribed",
    title=gettext_lazy("Newsletter readers"),
    icon="newspaper",
    compute=subscribed,
    permission=PERMISSION,
    order=60,
)
panels.chart("newsletter.days", title=gettext_lazy("Newsletter"), compute=a_day, permission=PERMISSION, order=60)
