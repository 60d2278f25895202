"""How events get from where they wait into the database, and into the figures of a day."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
from django.db import OperationalError
from django.utils import timezone

from engagement.analytics import buffer, funnel, services
from engagement.analytics.models import AnalyticsEvent, FunnelDay, FunnelVisitor
from storefront import outbox, redis_client
from storefront.models import Store
from tests.threads import in_parallel

pytestmark = pytest.mark.django_db
NOON = datetime.now(UTC).replace(hour=6, minute=30, second=0, microsecond=0)  # noon in India
needs_redis = pytest.mark.services  # what waits in Redis


def raw(
    store: Store, number: int | str = 0, name: str = "Page", user: str = "u", at: datetime = NOON, **more: Any
) -> bytes:
    return orjson.dumps(
        {
            "store": store.pk,
            "message_id": f"m{number}",
            "name": name,
            "user_id": user,
            "anonymous": True,
            "origin": "client",
            "properties": {},
            "context": {},
            "occurred_at": at.isoformat(),
            "received_at": at.isoformat(),
            **more,
        }
    )


def names() -> list[str]:
    return list(AnalyticsEvent.objects.order_by("message_id").values_list("message_id", flat=True))


# --- writing --------------------------------------------------------------------------------------------------------
def test_a_batch_is_written_at_one_go_however_long_it_is(store, django_assert_max_num_queries):
    with django_assert_max_num_queries(13) as captured:
        assert services.write([raw(store, number, user=f"u{number}") for number in range(20)]) == 20
    few = len(captured)
    with django_assert_max_num_queries(60) as captured:  # SQLite takes some hundred values at once
        assert services.write([raw(store, 100 + number, user=f"u{number}") for number in range(200)]) == 200
    assert len(captured) <= few + 8 * 5


def test_writing_again_writes_nothing_more_and_counts_nothing_twice(store):
    events = [raw(store, number) for number in range(5)]
    assert services.write([*events, events[0]]) == 5
    assert services.write(events) == 0
    day = FunnelDay.objects.get()
    assert (day.events, day.visitors, AnalyticsEvent.objects.count()) == (5, 1, 5)


def test_events_of_a_store_that_is_gone_are_left_out(store):
    assert services.write([raw(Store(pk="gone")), raw(store)]) == 1


def test_an_event_that_the_database_will_not_have_does_not_hold_up_the_rest(store, caplog):
    bad = raw(store, "bad", name="x" * 500, occurred_at="nonsense")
    assert services.write([raw(store, 1), bad, raw(store, 2)]) == 2
    assert names() == ["m1", "m2"]
    assert "analytics_event_refused" in caplog.text


def test_while_the_database_is_away_events_wait(store, settings, monkeypatch):
    settings.REDIS_URL = ""
    buffer.add(raw(store))

    def away(*_: Any) -> Any:
        raise OperationalError

    with monkeypatch.context() as patch:
        patch.setattr(services, "_write_together", away)
        with pytest.raises(OperationalError):
            services.drain()
    assert len(buffer.memory) == 1
    assert services.drain() == 1
    assert names() == ["m0"] and len(buffer.memory) == 0


def test_the_sweep_and_the_queues_write_what_waits(store):
    buffer.add(raw(store))
    assert "analytics" in outbox.names()
    outbox.drain(services.QUEUE)
    assert names() == ["m0"]


@pytest.mark.django_db(transaction=True)
def test_the_thread_of_a_process_writes_within_its_time(store, configure, settings):
    settings.REDIS_URL = ""
    configure(ANALYTICS_FLUSH_SECONDS=0.05)
    done = threading.Event()
    writer = buffer.Writer()

    def write() -> None:
        services.drain_memory()
        done.set()

    writer.write = write
    buffer.memory.add(raw(store))
    writer.wake(full=True)
    assert done.wait(300)
    assert names() == ["m0"]


@pytest.mark.django_db(transaction=True)
def test_many_writers_at_once_count_each_visitor_and_event_once(store):
    def write(number: int) -> int:
        return services.write([raw(store, index, user=f"u{index % 7}", name="Product Viewed") for index in range(30)])

    assert sum(in_parallel(write, 6)) == 30
    day = FunnelDay.objects.get()
    assert (day.events, day.visitors, day.viewed, day.added) == (30, 7, 7, 0)


# --- Redis ----------------------------------------------------------------------------------------------------------
@needs_redis
def test_events_wait_in_redis_so_a_dead_process_loses_none(store):
    for number in range(3):
        buffer.add(raw(store, number))
    assert len(buffer.memory) == 0
    buffer.memory.clear()  # the process is gone
    assert services.drain() == 3
    assert names() == ["m0", "m1", "m2"]
    assert redis_client.client().get("analytics:bytes") == b"0"


@needs_redis
def test_a_drain_that_was_overtaken_drops_nothing_unwritten(store):
    buffer.add(raw(store, 0))
    events, mark = buffer.shared.peek(10)
    assert services.drain() == 1  # another worker is quicker
    buffer.add(raw(store, 1))
    assert buffer.shared.drop(events, mark) is False
    assert services.drain() == 1
    assert names() == ["m0", "m1"]


@needs_redis
def test_a_worker_killed_between_writing_and_dropping_doubles_nothing(store):
    buffer.add(raw(store, 0))
    events, _mark = buffer.shared.peek(10)
    services.write(events)
    services.drain()
    assert names() == ["m0"]
    assert FunnelDay.objects.get().events == 1


@needs_redis
def test_redis_takes_no_more_than_its_bound(store, configure):
    configure(ANALYTICS_REDIS_EVENTS=2)
    buffer.add(raw(store, 0))
    buffer.add(raw(store, 1))
    with pytest.raises(buffer.Full):
        buffer.add(raw(store, 2))
    services.drain()
    buffer.add(raw(store, 2))
    configure(ANALYTICS_REDIS_EVENTS=100, ANALYTICS_REDIS_BYTES=len(raw(store, 2)) + 10)
    with pytest.raises(buffer.Full):
        buffer.add(raw(store, 3))
    assert len(buffer.memory) == 0


@needs_redis
def test_while_redis_is_away_this_process_keeps_them(store, monkeypatch):
    monkeypatch.setattr(redis_client, "_down_until", float("inf"))
    buffer.add(raw(store))
    assert len(buffer.memory) == 1
    assert services.drain() == 1


# --- figures --------------------------------------------------------------------------------------------------------
def day_of(store: Store, day: date | None = None) -> tuple[int, ...]:
    rows = FunnelDay.objects.filter(store=store)
    row = rows.get(date=day) if day else rows.get()
    return tuple(getattr(row, step) for step in funnel.STEPS)


def test_visitors_are_counted_once_a_day_for_each_step_they_take(store, other_store):
    services.write(
        [raw(store, 1, "Product Viewed", "a"), raw(store, 2, "Product Viewed", "a"), raw(store, 3, "Page", "b")]
    )
    services.write(
        [
            raw(store, 4, "Product Added", "a"),
            raw(store, 5, "product_viewed", "b"),
            raw(store, 6, "Product Viewed", "a"),
        ]
    )
    services.write(
        [
            raw(store, 7, "Checkout Started", "a"),
            raw(store, 8, "Order Completed", "a"),
            raw(store, 9, "Order Completed", "c"),
        ]
    )
    services.write([raw(other_store, 1, "Product Viewed", "a")])
    assert day_of(store) == (3, 2, 1, 1, 2)
    assert day_of(other_store) == (1, 1, 0, 0, 0)


def test_events_of_nobody_make_no_visitor(store):
    services.write([raw(store, 1, "Order Completed", "")])
    assert day_of(store) == (0, 0, 0, 0, 0)
    assert FunnelDay.objects.get().events == 1


def test_a_day_is_the_store_s_own(store):
    Store.objects.filter(pk=store.pk).update(time_zone="Asia/Kolkata")
    midnight = NOON.replace(hour=18, minute=30) - timedelta(days=1)  # in India
    services.write([raw(store, 1, at=midnight - timedelta(minutes=1)), raw(store, 2, at=midnight)])
    yesterday, today = FunnelDay.objects.order_by("date")
    assert today.date - yesterday.date == timedelta(days=1)
    assert today.date == midnight.date() + timedelta(days=1)


def test_what_comes_days_late_is_kept_but_changes_no_figure(store):
    services.write([raw(store, 1, at=timezone.now() - timedelta(days=10))])
    assert names() == ["m1"]
    assert not FunnelDay.objects.exists()


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("Product Viewed", "viewed"),
        ("view_item", "viewed"),
        ("ADD-TO-CART", "added"),
        ("Cart Updated", "added"),
        (" checkout  started ", "checkout"),
        ("purchase", "ordered"),
        ("Something Else", None),
        ("", None),
    ],
)
def test_steps_are_known_by_the_usual_names(name, step):
    assert funnel.step_of(name) == step


# --- housekeeping ---------------------------------------------------------------------------------------------------
def test_events_go_when_their_time_is_over_in_batches_and_figures_stay(store, other_store):
    now = timezone.now()
    for shop in (store, other_store):
        for number, days in enumerate((399, 401, 402, 403)):
            services.write([raw(shop, number, at=now - timedelta(days=days))])
    FunnelDay.objects.create(store=store, date=(now - timedelta(days=500)).date(), visitors=1)
    FunnelVisitor.objects.create(store=store, date=(now - timedelta(days=9)).date(), user_id="a", steps=1)
    FunnelVisitor.objects.create(store=store, date=now.date(), user_id="a", steps=1)
    services.purge(now=now, batch=2)
    assert AnalyticsEvent.objects.count() == 4
    services.purge(now=now, batch=2)
    services.purge(now=now, batch=2)
    assert set(names()) == {"m0"} and AnalyticsEvent.objects.count() == 2
    assert FunnelDay.objects.count() == 1
    assert FunnelVisitor.objects.get().date == now.date()
