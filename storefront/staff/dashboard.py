"""The first page of the back office: figures and charts that the apps registered in `storefront.panels`."""

from __future__ import annotations

import json
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront import crypto, panels, scope, services
from storefront.admin_base.rows import stores_seen

_COLOURS = {
    "good": "var(--color-good)",
    "warning": "var(--color-warning)",
    "bad": "var(--color-bad)",
    "info": "var(--color-primary-500)",
    "neutral": "var(--color-base-400)",
}


def context(request: HttpRequest) -> dict[str, Any]:
    """What the dashboard shows: no query for the stores, which the page knows, the rest at most once a minute."""
    stores = [
        {"pk": store.pk, "name": store.name, "time_zone": store.time_zone}
        for store in sorted(stores_seen(request), key=lambda store: store.name)
    ]
    chosen = next((store for store in stores if store["pk"] == request.GET.get("store")), None)
    if len(stores) == 1:
        chosen = stores[0]
    shown = [chosen] if chosen else stores
    period = panels.Period(timezone.now(), tuple(store["pk"] for store in shown), _zone(shown))
    tiles, charts = panels.dashboard(request=request, period=period, name=_name(chosen, period))
    return {
        "tiles": [{"tile": tile, "figure": figure} for tile, figure in tiles],
        "charts": [
            {"tile": tile, "chart": chart, "empty": not any(any(series.values) for series in chart.series)}
            | _for_chart_js(chart)
            for tile, chart in charts
        ],
        "stores": stores if len(stores) > 1 else [],
        "chosen_store": chosen["pk"] if chosen else None,
    }


def _name(chosen: Any, period: panels.Period) -> str:
    """What the figures are kept under: staff who see other stores see other figures."""
    if chosen is not None:
        return str(chosen["pk"])
    limited = scope.stores()
    return "" if limited is None else crypto.keyed_hash("dashboard-stores", *sorted(limited))


def _zone(stores: list[Any]) -> tzinfo:
    """The time zone that the shown stores share; else the site's."""
    names = {store["time_zone"] for store in stores}
    try:
        return ZoneInfo(names.pop()) if len(names) == 1 else timezone.get_current_timezone()
    except (ValueError, ZoneInfoNotFoundError):
        return timezone.get_current_timezone()


def _for_chart_js(chart: panels.Chart) -> dict[str, str]:
    def one(series: panels.Series) -> dict[str, Any]:
        colour = _COLOURS[series.tone]
        look: dict[str, Any] = {"backgroundColor": colour, "borderRadius": 3, "maxBarThickness": 28}
        if chart.kind == "line":
            look = {
                "borderColor": colour,
                "backgroundColor": colour,
                "borderWidth": 2,
                "pointRadius": 0,
                "tension": 0.3,
            }
        return {"label": str(series.title), "data": list(series.values), **look}

    data = {"labels": [str(label) for label in chart.labels], "datasets": [one(series) for series in chart.series]}
    axis = {"grid": {"display": False}, "stacked": chart.stacked, "ticks": {"maxRotation": 0, "autoSkip": True}}
    options = {
        "responsive": True,
        "maintainAspectRatio": False,
        "animation": False,
        "interaction": {"mode": "index", "intersect": False},
        "plugins": {
            "legend": {
                "display": len(chart.series) > 1,
                "align": "end",
                "position": "top",
                "labels": {"boxWidth": 10, "boxHeight": 10, "usePointStyle": True},
            },
            "tooltip": {"enabled": True},
        },
        "scales": {
            "x": axis,
            "y": {
                "beginAtZero": True,
                "stacked": chart.stacked,
                "ticks": {"precision": 0, "maxTicksLimit": 5},
                "grid": {},
            },
        },
    }
    return {"data": json.dumps(data), "options": json.dumps(options)}


def workers(period: panels.Period) -> panels.Figure:
    """Which workers lately said that they live."""
    names = services.worker_names()
    if not names:
        return panels.Figure(_("None"), _("Messages wait until one runs."), tone="bad")
    return panels.Figure(len(names), ", ".join(names), tone="good")


def register() -> None:
    panels.tile("kernel.workers", title=_("Workers"), icon="bolt", compute=workers, order=90)
