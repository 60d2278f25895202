"""What messages add to the dashboard. One query of an index for all figures: the last 14 days by day, channel, status."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Min, Q
from django.db.models.functions import TruncDate
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront import panels
from storefront.admin_base import list_link

from .models import ChannelName, Message, Status

LATE_SECONDS = 60  # a message that waits longer than this is worth a look
PERMISSION = "storefront_messaging.view_message"


def _by_day(period: panels.Period) -> list[dict[str, Any]]:
    def read() -> list[dict[str, Any]]:
        rows = Message.objects.filter(**period.scope, created_at__gte=period.fortnight_ago).with_status().order_by()
        return list(
            rows.annotate(day=TruncDate("created_at", tzinfo=period.zone))
            .values("day", "current_channel", "status_value")
            .annotate(count=Count("pk"), last_day=Count("pk", filter=Q(created_at__gte=period.day_ago)))
        )

    found: list[dict[str, Any]] = period.once("messages.by_day", read)
    return found


def sent(period: panels.Period) -> panels.Figure:
    rows = [row for row in _by_day(period) if row["last_day"]]
    total = sum(row["last_day"] for row in rows)
    good = sum(row["last_day"] for row in rows if row["status_value"] in {Status.SENT, Status.DELIVERED})
    ended = good + sum(row["last_day"] for row in rows if row["status_value"] == Status.FAILED)
    tone: panels.Tone = "neutral" if not ended else "good" if good / ended >= 0.95 else "warning"
    return panels.Figure(
        panels.percent(good, ended), _("of %(count)d messages in 24 hours") % {"count": total}, list_link(Message), tone
    )


def waiting(period: panels.Period) -> panels.Figure:
    found = Message.objects.filter(**period.scope, state=Message.State.PENDING).aggregate(
        count=Count("pk"), oldest=Min("created_at")
    )
    if not found["count"]:
        return panels.Figure(0, _("Nothing waits"), list_link(Message, status=Status.QUEUED.value))
    late = (period.now - found["oldest"]).total_seconds() > LATE_SECONDS
    return panels.Figure(
        found["count"],
        _("The oldest for %(time)s") % {"time": timesince(found["oldest"], period.now)},
        list_link(Message, status=Status.QUEUED.value),
        "warning" if late else "neutral",
    )


def given_up(period: panels.Period) -> panels.Figure:
    count = sum(row["count"] for row in _by_day(period) if row["status_value"] == Status.FAILED)
    return panels.Figure(
        count,
        _("in 14 days; open to send again"),
        list_link(Message, status=Status.FAILED.value),
        "bad" if count else "neutral",
    )


def a_day(period: panels.Period) -> panels.Chart:
    days = period.days()
    tones: dict[str, panels.Tone] = {
        Status.DELIVERED: "good",
        Status.SENT: "info",
        Status.QUEUED: "neutral",
        Status.FAILED: "bad",
    }
    series = [
        panels.Series(
            Status(status).label,
            panels.over_days(
                ((row["day"], row["count"]) for row in _by_day(period) if row["status_value"] == status), days
            ),
            tone,
        )
        for status, tone in tones.items()
    ]
    return panels.Chart(period.day_labels(), series, stacked=True, link=list_link(Message))


def by_channel(period: panels.Period) -> panels.Chart:
    """Of the last 24 hours, under the channel on which each message ended."""

    def count(channel: str, *statuses: Status) -> int:
        return sum(
            row["last_day"]
            for row in _by_day(period)
            if row["current_channel"] == channel and row["status_value"] in statuses
        )

    labels = []
    for channel in ChannelName:
        good = count(channel, Status.SENT, Status.DELIVERED)
        share = panels.percent(good, good + count(channel, Status.FAILED))
        labels.append(f"{channel.label} {share}")
    shown: list[tuple[Any, tuple[Status, ...], panels.Tone]] = [
        (gettext_lazy("Delivered or sent"), (Status.SENT, Status.DELIVERED), "good"),
        (Status.QUEUED.label, (Status.QUEUED,), "neutral"),
        (Status.FAILED.label, (Status.FAILED,), "bad"),
    ]
    series = [
        panels.Series(title, [count(channel, *statuses) for channel in ChannelName], tone)
        for title, statuses, tone in shown
    ]
    return panels.Chart(labels, series, stacked=True, link=list_link(Message))


panels.tile(
    "messages.sent",
    title=gettext_lazy("Delivery rate"),
    icon="mark_email_read",
    compute=sent,
    permission=PERMISSION,
    order=10,
)
panels.tile(
    "messages.waiting",
    title=gettext_lazy("Messages waiting"),
    icon="schedule_send",
    compute=waiting,
    permission=PERMISSION,
    order=12,
)
panels.tile(
    "messages.given_up",
    title=gettext_lazy("Messages given up"),
    icon="unsubscribe",
    compute=given_up,
    permission=PERMISSION,
    order=14,
)
panels.chart("messages.days", title=gettext_lazy("Messages a day"), compute=a_day, permission=PERMISSION, order=10)
panels.chart(
    "messages.channels",
    title=gettext_lazy("Messages by channel, 24 hours"),
    compute=by_channel,
    permission=PERMISSION,
    order=12,
)
