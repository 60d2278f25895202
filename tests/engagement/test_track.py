"""Events that clients send: what is taken, what is refused, what is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from engagement.analytics import buffer, services
from engagement.analytics.models import AnalyticsEvent
from storefront.models import Store
from tests.api import shoppers
from tests.contract import assert_is_error, assert_matches

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def event(**changes: Any) -> dict[str, Any]:
    full = {
        "event": "Product Viewed",
        "type": "track",
        "userId": "somebody",
        "channel": "website",
        "context": {"ip": "", "userAgent": ""},
        "properties": {"product_id": "p1", "price": 10.5},
        "messageId": "m1",
        "timestamp": "2026-03-01T12:00:00Z",
        "sentAt": "2026-03-01T12:00:00Z",
    }
    return {name: value for name, value in (full | changes).items() if value is not ...}


@pytest.fixture
def track(visitor: Any) -> Any:
    return lambda body=None, **changes: visitor.post("/analytics/track", event(**changes) if body is None else body)


def written() -> list[AnalyticsEvent]:
    services.drain()
    return list(AnalyticsEvent.objects.order_by("pk"))


def test_an_event_is_thanked_for_and_written_a_moment_later(store, track, visitor, django_assert_num_queries):
    track()
    services.drain()
    with django_assert_num_queries(0):
        response = track(messageId="m2")
    assert "content" not in assert_matches("track-analytics-event", response)
    assert AnalyticsEvent.objects.count() == 1
    row = written()[1]
    assert (row.store_id, row.message_id, row.name, row.user_id) == ("demo", "m2", "Product Viewed", visitor.user_id)
    assert (row.anonymous, row.origin, row.properties) == (True, "client", {"product_id": "p1", "price": 10.5})
    assert abs(row.occurred_at - timezone.now()) < timedelta(minutes=1)


def test_an_event_is_the_caller_s_own_whatever_it_says(store, track, visitor, configure):
    configure(OTP_DEBUG=True)
    track(userId="the-admin")
    shopper = shoppers.registered(store, "asha@example.com")
    shopper.post("/analytics/track", event(messageId="m2", userId=visitor.user_id))
    mine, theirs = [row for row in written() if row.origin == "client"]
    assert (mine.user_id, mine.anonymous) == (visitor.user_id, True)
    assert (theirs.user_id, theirs.anonymous) == (shopper.user_id, False)


def test_the_same_message_counts_once_in_a_store(store, other_store, track, new_api):
    for name in ("First", "Second"):
        track(event=name)
    assert [row.name for row in written()] == ["First"]
    track(event="Third")
    new_api(other_store).become_visitor().post("/analytics/track", event(event="Elsewhere"))
    assert [(row.store_id, row.name) for row in written()] == [("demo", "First"), ("other", "Elsewhere")]


def test_where_from_is_filled_in_and_kept_coarsely(store, visitor):
    visitor.post("/analytics/track", event(context=...), User_Agent="Browser/1.0")
    visitor.post("/analytics/track", event(messageId="m2", context={"ip": "203.0.113.77", "userAgent": "App/2"}))
    visitor.post(
        "/analytics/track", event(messageId="m3", context={"ip": "2001:db8:1:2:3::4", "userAgent": "x" * 4000})
    )
    visitor.post(
        "/analytics/track",
        event(messageId="m4", context={"ip": "junk", "page": {"path": "/tea"}, "traits": {"email": "a@b.de"}}),
    )
    first, second, third, fourth = (row.context for row in written())
    assert first == {"ip": "127.0.0.0", "userAgent": "Browser/1.0"}
    assert second == {"ip": "203.0.113.0", "userAgent": "App/2"}
    assert third["ip"] == "2001:db8:1::" and len(third["userAgent"]) == 400
    assert fourth["ip"] == "127.0.0.0" and fourth["page"] == {"path": "/tea"} and "traits" not in fourth


@pytest.mark.parametrize(
    ("timestamp", "sent_at", "expected"),
    [
        ("2026-03-01T11:59:00Z", "2026-03-01T12:00:00Z", timedelta(minutes=1)),
        ("2031-01-01T00:00:00Z", "2031-01-01T00:00:30Z", timedelta(seconds=30)),  # a clock five years ahead
        ("1999-01-01T00:00:00Z", "1999-01-01T02:00:00Z", timedelta(hours=2)),  # and one far behind
        ("2026-03-01T13:00:00Z", "2026-03-01T12:00:00Z", timedelta(0)),  # sent before it happened
        ("2026-03-01T17:30:00+05:30", "2026-03-01T12:00:00Z", timedelta(0)),
        ("2026-02-28T12:00:00Z", ..., timedelta(days=1)),
        ("2027-02-28T12:00:00Z", ..., timedelta(0)),
        (..., ..., timedelta(0)),
    ],
)
def test_when_it_happened_is_reckoned_from_how_long_it_was_held_back(timestamp, sent_at, expected):
    from rest_framework.fields import DateTimeField

    read = lambda text: None if text is ... else DateTimeField().run_validation(text)  # noqa: E731
    assert services._happened(read(timestamp), read(sent_at), NOW) == NOW - expected


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"event": ...}, "event"),
        ({"event": ""}, "event"),
        ({"event": "x" * 101}, "event"),
        ({"event": {"a": 1}}, "event"),
        ({"type": "page"}, "type"),
        ({"channel": "app"}, "channel"),
        ({"messageId": ...}, "messageId"),
        ({"messageId": None}, "messageId"),
        ({"messageId": "x" * 101}, "messageId"),
        ({"properties": "text"}, "properties"),
        ({"properties": {"a": "x" * 17_000}}, "properties"),
        ({"context": {"page": "x" * 5000}}, "context"),
        ({"context": "text"}, "context"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": 1_700_000_000_000}, "timestamp"),
        ({"timestamp": "2026-01-01T00:00:00Z", "sentAt": "2026-02-15T00:00:00Z"}, "timestamp"),
        ({"timestamp": "0001-01-01T00:00:00+23:59", "sentAt": "9999-12-31T23:59:59-23:59"}, None),
        ({"sentAt": "x"}, "sentAt"),
    ],
)
def test_a_bad_event_is_refused_by_field_and_not_kept(store, track, changes, field):
    response = track(**changes)
    assert_is_error(response, 400, field=None if field is None else field if field != "context" else None)
    assert written() == []


@pytest.mark.parametrize("body", [[], "text", 7, None, b"{", {"event": "\x00"}])
def test_what_is_no_event_is_refused(store, track, visitor, body):
    response = visitor.post("/analytics/track", body)
    assert_is_error(response, 400)
    assert written() == []


def test_a_client_that_sends_little_is_understood(store, track):
    assert track({"event": "Hello", "messageId": "m9"}).status_code == 200
    assert (
        track({"event": "Hello", "messageId": "m10", "context": None, "properties": None, "userId": None}).status_code
        == 200
    )
    assert [row.message_id for row in written()] == ["m9", "m10"]


def test_a_token_is_needed(store, api):
    assert_is_error(api.post("/analytics/track", event(), X_Api_Key=api.key), 401)
    assert written() == []


def test_a_store_that_keeps_no_events_thanks_and_forgets(store, change, track):
    change(analytics_enabled=False)
    assert track().status_code == 200
    services.record(store=store, event="Signed Up")
    assert written() == []


def test_too_many_from_one_caller_are_braked(store, track, configure):
    configure(LIMITS_ENABLED=True, LIMITS={"track": "2/60", "track_network": "100/60"})
    assert [track(messageId=str(number)).status_code for number in range(3)] == [200, 200, 429]
    assert len(written()) == 2


def test_too_many_from_one_network_are_braked(store, track, configure):
    configure(LIMITS_ENABLED=True, LIMITS={"track": "100/60", "track_network": "1/60"})
    assert [track(messageId=f"n{number}").status_code for number in range(2)] == [200, 429]


def test_when_there_is_no_room_the_client_is_asked_to_wait(store, track, configure, settings):
    settings.REDIS_URL = ""
    configure(ANALYTICS_MEMORY_EVENTS=2)
    assert [track(messageId=str(number)).status_code for number in range(2)] == [200, 200]
    full = track(messageId="2")
    assert_is_error(full, 429, "analytics_busy")
    assert full["Retry-After"] == "5"
    assert len(written()) == 2
    assert track(messageId="2").status_code == 200
    buffer.memory.clear()
    configure(ANALYTICS_MEMORY_EVENTS=100, ANALYTICS_MEMORY_BYTES=500)
    assert track(messageId="3").status_code == 200
    assert track(messageId="4").status_code == 429


def test_what_the_server_saw_is_never_the_reason_for_a_failure(
    store, configure, settings, django_capture_on_commit_callbacks
):
    settings.REDIS_URL = ""
    configure(ANALYTICS_MEMORY_EVENTS=0)
    with django_capture_on_commit_callbacks(execute=True):
        services.record(store=store, event="Signed Up", user_id="asha")
    assert written() == []


def test_the_server_s_own_events_hold_nothing_personal(store, configure, django_capture_on_commit_callbacks):
    configure(OTP_DEBUG=True)
    with django_capture_on_commit_callbacks(execute=True):
        shopper = shoppers.registered(store, "asha@example.com")
        services.cart_updated(store=store, cart_id="cart-1", user_id=shopper.user_id)
    rows = written()
    assert sorted(row.name for row in rows) == ["Cart Updated", "Signed In", "Signed Up"]
    for row in rows:
        assert (row.user_id, row.origin, row.context) == (shopper.user_id, "server", {})
        assert row.properties == ({"cart_id": "cart-1"} if row.name == "Cart Updated" else {})


def test_nothing_is_recorded_of_what_did_not_happen(store, django_capture_on_commit_callbacks):
    from django.db import transaction

    with django_capture_on_commit_callbacks(execute=True), pytest.raises(RuntimeError), transaction.atomic():
        services.shopper_logged_in(store=store, user_id="asha")
        raise RuntimeError
    assert written() == []


def test_a_cart_tells_whose_it_is(store, visitor, django_capture_on_commit_callbacks):
    from catalog import demo

    demo.build(store=store)
    sku = visitor.get("/catalog/skus?limit=1&sku=TAWA-26").json()["content"]["skus"][0]
    item = {"product_id": sku["product_id"], "variant_id": sku["variant_id"], "quantity": 1}
    with django_capture_on_commit_callbacks(execute=True):
        created = visitor.post("/carts", {"items": [item]})
    row = next(row for row in written() if row.name == "Cart Updated")
    assert (row.user_id, row.properties) == (visitor.user_id, {"cart_id": created.json()["content"]["cart"]["id"]})


def test_a_shopper_gets_their_events_and_is_forgotten_with_those_on_their_way(store, track, visitor):
    from storefront import events, privacy

    track()
    services.drain()
    track(messageId="m2")  # still waits
    found = privacy.export(store=store, user_id=visitor.user_id, customer_id=None)["analytics"]
    assert [row["event"] for row in found] == ["Product Viewed"]
    events.send("shopper.erased", store=store, user_id=visitor.user_id, customer_id=None)
    track(messageId="m3")
    assert written() == []
    assert privacy.export(store=Store(pk="x"), user_id=visitor.user_id, customer_id=None) == {}
