"""How many visitors of a day looked, added, went to check out and ordered: counted as events are written.

The dashboard reads one small row a day and store, however many visitors there were.
"""

from __future__ import annotations

import zoneinfo
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo

from django.db.models import F

from storefront.models import Store

from .models import AnalyticsEvent, FunnelDay, FunnelVisitor

STEPS = ("visitors", "viewed", "added", "checkout", "ordered")  # columns of FunnelDay; bit 0 first
_STEP_OF = {  # Segment's names of e-commerce events, and how others write them
    "product viewed": "viewed",
    "view item": "viewed",
    "product added": "added",
    "add to cart": "added",
    "cart updated": "added",
    "checkout started": "checkout",
    "begin checkout": "checkout",
    "order completed": "ordered",
    "order placed": "ordered",
    "purchase": "ordered",
}
LATE = timedelta(days=3)  # an event of a day before that changes no figure any more
KEEP_VISITORS = timedelta(days=5)


def step_of(name: str) -> str | None:
    return _STEP_OF.get(" ".join(name.replace("_", " ").replace("-", " ").casefold().split()))


def bits_of(name: str) -> int:
    """Whoever does anything is a visitor."""
    step = step_of(name)
    return 1 | (1 << STEPS.index(step) if step else 0)


def zone_of(store: Store) -> tzinfo:
    try:
        return zoneinfo.ZoneInfo(store.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return UTC


def count(*, store: Store, events: Iterable[AnalyticsEvent], now: datetime) -> None:
    """Adds new events to the figures of their days. The caller has the store's turn, so nobody else counts meanwhile.

    Two queries a day with visitors, and one that adds to the day; nearly always there is one day.
    """
    zone = zone_of(store)
    first = (now - LATE).astimezone(zone).date()
    numbers: Counter[date] = Counter()
    seen: defaultdict[date, dict[str, int]] = defaultdict(dict)
    for event in events:
        day = event.occurred_at.astimezone(zone).date()
        if day < first:
            continue
        numbers[day] += 1
        if event.user_id:
            seen[day][event.user_id] = seen[day].get(event.user_id, 0) | bits_of(event.name)
    for day in sorted(numbers):
        fresh = _remember(store, day, seen[day])
        FunnelDay.objects.bulk_create([FunnelDay(store=store, date=day)], ignore_conflicts=True)
        FunnelDay.objects.filter(store=store, date=day).update(
            events=F("events") + numbers[day], **{step: F(step) + fresh[step] for step in STEPS if fresh[step]}
        )


def _remember(store: Store, day: date, visitors: dict[str, int]) -> Counter[str]:
    """Notes how far these visitors came; how many took each step for the first time that day."""
    if not visitors:
        return Counter()
    known = dict(
        FunnelVisitor.objects.filter(store=store, date=day, user_id__in=visitors).values_list("user_id", "steps")
    )
    changed = {user_id: bits | known.get(user_id, 0) for user_id, bits in visitors.items()}
    changed = {user_id: bits for user_id, bits in changed.items() if bits != known.get(user_id)}
    FunnelVisitor.objects.bulk_create(
        [FunnelVisitor(store=store, date=day, user_id=user_id, steps=bits) for user_id, bits in changed.items()],
        update_conflicts=True,
        unique_fields=["store", "date", "user_id"],
        update_fields=["steps"],
    )
    fresh: Counter[str] = Counter()
    for user_id, bits in changed.items():
        new = bits & ~known.get(user_id, 0)
        fresh.update(step for number, step in enumerate(STEPS) if new & (1 << number))
    return fresh
