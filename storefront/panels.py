"""What apps add to admin pages that are not theirs: panels on a change page, tiles and charts on the dashboard.

An app fills these registries from its `panels.py`, which the project imports at start-up. An upper app may name the
model of a lower one by label, so nothing imports upward:

    panels.register("storefront_customers.customer", title=_("Carts"), icon="shopping_cart", compute=carts_of)
    panels.tile("carts.open", title=_("Open carts"), icon="shopping_cart", compute=open_carts)
    panels.chart("messages.days", title=_("Messages a day"), compute=messages_a_day)

Every `compute` of the dashboard must be bounded (an aggregate over an index, never a row per shopper); its answer is
kept for a minute and is shown as at `Period.now`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal

from django.core.cache import cache
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import get_language

logger = logging.getLogger(__name__)
Tone = Literal["neutral", "good", "warning", "bad", "info"]
Text = Any  # str or a lazy translation
CACHE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Period:
    """What the dashboard is asked about: until when, which stores, and in whose time zone days begin and end."""

    now: datetime
    store_ids: tuple[str, ...]
    zone: tzinfo = UTC
    _made: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def scope(self) -> dict[str, Any]:
        """Arguments for `filter` on a model with a store. Always names the stores: every index leads with them."""
        if len(self.store_ids) == 1:
            return {"store_id": self.store_ids[0]}
        return {"store_id__in": self.store_ids}

    @property
    def day_ago(self) -> datetime:
        return self.now - timedelta(days=1)

    @property
    def fortnight_ago(self) -> datetime:
        """Midnight of the first of the last 14 days, today included."""
        return self.days()[0]

    def days(self, count: int = 14) -> list[datetime]:
        """The midnights of the last `count` days, oldest first."""
        today = self.now.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return [today - timedelta(days=count - 1 - number) for number in range(count)]

    def day_labels(self, count: int = 14) -> list[str]:
        return [date_format(day, "j M") for day in self.days(count)]

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """What `make` answers, made once for all figures of this dashboard that ask for it by this key."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


@dataclass(frozen=True, slots=True)
class Figure:
    """A tile's content. `link` leads to the list behind the figure."""

    value: Text
    detail: Text = ""
    link: str = ""
    tone: Tone = "neutral"


@dataclass(frozen=True, slots=True)
class Series:
    title: Text
    values: Sequence[float]
    tone: Tone = "info"


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart's content: one value of each series for each label."""

    labels: Sequence[Text]
    series: Sequence[Series]
    kind: Literal["bar", "line"] = "bar"
    stacked: bool = False
    link: str = ""
    detail: Text = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A panel's content: facts as (label, value) pairs, then rows under headers. Cells may be safe HTML."""

    headers: Sequence[Text] = ()
    rows: Sequence[Sequence[Any]] = ()
    facts: Sequence[tuple[Text, Any]] = ()
    link: str = ""  # to the whole list
    empty: Text = ""


@dataclass(frozen=True, slots=True)
class Panel:
    title: Text
    compute: Callable[[HttpRequest, Any], Table]
    icon: str = ""
    permission: str = ""
    order: int = 50


@dataclass(frozen=True, slots=True)
class Tile:
    key: str
    title: Text
    compute: Callable[[Period], Figure]
    icon: str = ""
    permission: str = ""
    order: int = 50


@dataclass(frozen=True, slots=True)
class ChartTile:
    key: str
    title: Text
    compute: Callable[[Period], Chart]
    permission: str = ""
    order: int = 50
    wide: bool = False


@dataclass(slots=True)
class _Registry:
    panels: dict[str, list[Panel]] = field(default_factory=dict)
    tiles: dict[str, Tile] = field(default_factory=dict)
    charts: dict[str, ChartTile] = field(default_factory=dict)


_registry = _Registry()


def register(
    model_label: str,
    *,
    title: Text,
    compute: Callable[[HttpRequest, Any], Table],
    icon: str = "",
    permission: str = "",
    order: int = 50,
) -> None:
    """Adds a panel to the change page of `model_label` ("app_label.model"). `compute(request, row)` makes its content.

    `permission` ("app_label.codename") hides it from staff who lack it.
    """
    found = _registry.panels.setdefault(model_label.lower(), [])
    found.append(Panel(title, compute, icon, permission, order))
    found.sort(key=lambda panel: panel.order)


def tile(
    key: str,
    *,
    title: Text,
    compute: Callable[[Period], Figure],
    icon: str = "",
    permission: str = "",
    order: int = 50,
) -> None:
    """Adds a figure to the dashboard, or replaces the one of that key."""
    _registry.tiles[key] = Tile(key, title, compute, icon, permission, order)


def chart(
    key: str,
    *,
    title: Text,
    compute: Callable[[Period], Chart],
    permission: str = "",
    order: int = 50,
    wide: bool = False,
) -> None:
    """Adds a chart to the dashboard, or replaces the one of that key."""
    _registry.charts[key] = ChartTile(key, title, compute, permission, order, wide)


def panels_of(*, model_label: str, request: HttpRequest, row: Any) -> list[tuple[Panel, Table]]:
    """The panels that this member of staff may see, with their contents. Not cached: a page of one row."""
    return [
        (panel, panel.compute(request, row))
        for panel in _registry.panels.get(model_label.lower(), [])
        if _may(request, panel.permission)
    ]


def dashboard(
    *, request: HttpRequest, period: Period, name: str
) -> tuple[list[tuple[Tile, Figure]], list[tuple[ChartTile, Chart]]]:
    """All tiles and charts that this member of staff may see. Each is computed at most once a minute and `name`."""
    tiles = sorted((t for t in _registry.tiles.values() if _may(request, t.permission)), key=lambda t: t.order)
    charts = sorted((c for c in _registry.charts.values() if _may(request, c.permission)), key=lambda c: c.order)
    wanted: list[Tile | ChartTile] = [*tiles, *charts]
    keys = {part.key: f"dashboard:{part.key}:{name}:{get_language() or ''}" for part in wanted}
    known = _quietly(lambda: cache.get_many(keys.values())) or {}
    fresh = {keys[part.key]: part.compute(period) for part in wanted if keys[part.key] not in known}
    if fresh:
        _quietly(lambda: cache.set_many(fresh, CACHE_SECONDS))
    known |= fresh
    return (
        [(part, known[keys[part.key]]) for part in tiles],
        [(part, known[keys[part.key]]) for part in charts],
    )


def over_days(counts: Iterable[tuple[Any, int]], days: Sequence[datetime]) -> list[int]:
    """Counts by date (as `TruncDate` gives them, in the period's zone) laid out over `days`, 0 where nothing happened."""
    counted: dict[str, int] = {}
    for date, count in counts:
        counted[str(date)] = counted.get(str(date), 0) + count
    return [counted.get(str(day.date()), 0) for day in days]


def percent(part: int, whole: int) -> str:
    """A share for the eye; a dash where there is nothing to share."""
    return f"{part / whole:.0%}".replace("%", "\N{NARROW NO-BREAK SPACE}%") if whole else "–"


def _quietly(ask: Callable[[], Any]) -> Any:
    """The cache's answer, or None while it cannot be reached: the figures are then computed."""
    try:
        return ask()
    except Exception:
        logger.warning("cache_unreachable")
        return None


def _may(request: HttpRequest, permission: str) -> bool:
    return not permission or bool(request.user.has_perm(permission))
