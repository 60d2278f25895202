"""Events on to other services."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from engagement.analytics import forwarding, services
from engagement.analytics.models import AnalyticsBatch, AnalyticsEvent, AnalyticsSink
from storefront.contracts import DeliveryFailed
from storefront.models import Store
from tests.engagement.test_writing import raw
from tests.kernel.test_outgoing import _Receiver, receiver

__all__ = ["receiver"]
pytestmark = pytest.mark.django_db


class Recording:
    """A sink that remembers; `answers` are used up in order, then everything is taken."""

    sent: list[dict[str, Any]] = []
    answers: list[Exception] = []

    def send(self, **call: Any) -> None:
        if self.answers:
            raise self.answers.pop(0)
        self.sent.append(call)


@pytest.fixture
def sink(store: Store, configure: Any) -> AnalyticsSink:
    Recording.sent, Recording.answers = [], []
    configure(ANALYTICS_SINKS={"recording": "tests.engagement.test_forwarding.Recording"})
    return AnalyticsSink.objects.create(store=store, name="Test", kind="recording", url="https://sink.example/")


def batches() -> list[AnalyticsBatch]:
    return list(AnalyticsBatch.objects.order_by("pk"))


def due_now() -> None:
    AnalyticsBatch.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))


def test_events_are_forwarded_as_segment_names_things(store, sink):
    services.write(
        [raw(store, 1, "Product Viewed", "u1", properties={"product_id": "p"}, anonymous=False), raw(store, 2)]
    )
    assert forwarding.drain() == 1
    (call,) = Recording.sent
    assert call["url"] == "https://sink.example/"
    first, second = call["events"]
    row = AnalyticsEvent.objects.get(message_id="m1")
    assert first == {
        "type": "track",
        "messageId": "m1",
        "event": "Product Viewed",
        "userId": "u1",
        "channel": "website",
        "context": {},
        "properties": {"product_id": "p"},
        "timestamp": row.occurred_at.isoformat(),
        "receivedAt": row.received_at.isoformat(),
    }
    assert second["anonymousId"] == "u" and "userId" not in second
    assert batches()[0].state == "done"


def test_each_event_goes_once_and_only_to_its_own_store_s_sinks(store, other_store, sink):
    AnalyticsSink.objects.create(store=other_store, name="Theirs", kind="recording", url="https://theirs.example/")
    AnalyticsSink.objects.create(store=store, name="Off", kind="recording", url="https://off.example/", active=False)
    for _time in range(2):
        services.write([raw(store, 1)])
    forwarding.drain()
    assert [call["url"] for call in Recording.sent] == ["https://sink.example/"]


def test_a_sink_gets_the_events_that_it_wants_in_parts_of_a_hundred(store, sink):
    AnalyticsSink.objects.filter(pk=sink.pk).update(event_names=["Page"])
    services.write([raw(store, number) for number in range(120)] + [raw(store, "x", "Other")])
    assert sorted(batch.size for batch in batches()) == [20, 100]


def test_what_is_not_written_is_not_forwarded(store, sink, monkeypatch):
    from django.db import OperationalError

    def away(**_: Any) -> Any:
        raise OperationalError

    monkeypatch.setattr(services.funnel, "count", away)
    with pytest.raises(OperationalError):
        services.write([raw(store, 1)])
    assert not batches() and not AnalyticsEvent.objects.exists()


def test_trouble_is_tried_again_on_schedule_and_ends_as_given_up(store, sink):
    services.write([raw(store, 1)])
    Recording.answers = [DeliveryFailed("http_500", retry=True) for _number in range(20)]
    for attempt, seconds in enumerate(forwarding.SCHEDULE, start=1):
        due_now()
        before = timezone.now()
        assert forwarding.drain() == 1
        (batch,) = batches()
        wait = (batch.next_attempt_at - before).total_seconds()
        assert batch.attempts == attempt and seconds * 0.79 < wait < seconds * 1.21 + 5
        assert forwarding.drain() == 0
    due_now()
    forwarding.drain()
    (batch,) = batches()
    assert (batch.state, batch.reason, Recording.sent) == ("dead", "http_500", [])
    batch.send_again()
    Recording.answers.clear()
    forwarding.drain()
    assert batches()[0].state == "done" and len(Recording.sent) == 1


def test_a_receiver_s_own_wish_is_respected(store, sink):
    services.write([raw(store, 1)])
    Recording.answers = [DeliveryFailed("http_429", retry=True, retry_after=900)]
    forwarding.drain()
    assert batches()[0].next_attempt_at > timezone.now() + timedelta(seconds=890)


@pytest.mark.parametrize(("reason", "active"), [("gone", False), ("http_400", True), ("private_address", True)])
def test_a_refusal_ends_the_batch_and_410_the_sink(store, sink, reason, active):
    services.write([raw(store, 1)])
    Recording.answers = [DeliveryFailed(reason, retry=False)]
    forwarding.drain()
    sink.refresh_from_db()
    assert (batches()[0].state, sink.active) == ("dead", active)


def test_a_sink_that_fails_for_days_is_paused_and_one_success_forgets_it(store, sink):
    services.write([raw(store, 1)])
    Recording.answers = [DeliveryFailed("http_500", retry=True)]
    forwarding.drain()
    sink.refresh_from_db()
    assert sink.failing_since is not None
    due_now()
    forwarding.drain()
    sink.refresh_from_db()
    assert sink.failing_since is None and sink.active
    AnalyticsSink.objects.filter(pk=sink.pk).update(failing_since=timezone.now() - timedelta(days=4))
    services.write([raw(store, 2), raw(store, 3)])
    Recording.answers = [DeliveryFailed("http_500", retry=True)]
    forwarding.drain()
    sink.refresh_from_db()
    assert not sink.active and sink.paused_reason == "http_500"
    services.write([raw(store, 4)])
    assert len(batches()) == 2


def test_a_fault_of_ours_leaves_the_batch_to_the_end_of_its_lease(store, sink):
    services.write([raw(store, 1)])
    Recording.answers = [RuntimeError()]
    assert forwarding.drain() == 1
    (batch,) = batches()
    assert batch.state == "pending" and batch.next_attempt_at > timezone.now() + timedelta(seconds=20)


def test_old_batches_go_and_waiting_ones_stay(store, sink):
    now = timezone.now()
    for state, days in (("done", 2), ("done", 0), ("dead", 31), ("dead", 2), ("pending", 90)):
        batch = AnalyticsBatch.objects.create(store=store, sink=sink, events=[], size=0)
        AnalyticsBatch.objects.filter(pk=batch.pk).update(state=state, created_at=now - timedelta(days=days))
    forwarding.purge(now=now, batch=10)
    assert sorted(batch.state for batch in batches()) == ["dead", "done", "pending"]


# --- the webhook ----------------------------------------------------------------------------------------------------
def webhook(store: Store, url: str, **secrets: str) -> AnalyticsSink:
    return AnalyticsSink.objects.create(store=store, name="Hook", url=url, secrets=secrets)


def test_the_webhook_signs_what_it_sends(store, receiver):
    webhook(store, f"{receiver}/v1/batch", signing_secret="s3cret", write_key="key")
    services.write([raw(store, 1)])
    forwarding.drain()
    (path, headers, body) = _Receiver.seen[0]
    assert path == "/v1/batch"
    assert headers["X-Webhook-Signature"] == hmac.new(b"s3cret", body, "sha256").hexdigest()
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"key:").decode()
    assert headers["X-Webhook-Id"] == batches()[0].pk and int(headers["X-Webhook-Timestamp"])
    sent = json.loads(body)
    assert [event["messageId"] for event in sent["batch"]] == ["m1"] and sent["sentAt"]
    assert batches()[0].state == "done"


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        (302, "dead", "http_302"),
        (400, "dead", "http_400"),
        (410, "dead", "gone"),
        (429, "pending", "http_429"),
        (503, "pending", "http_503"),
    ],
)
def test_answers_of_a_webhook_mean_what_they_say(store, receiver, status, state, reason):
    _Receiver.answer = (status, {"Retry-After": "60", "Location": f"{receiver}/inside"}, b"")
    webhook(store, receiver)
    services.write([raw(store, 1)])
    forwarding.drain()
    (batch,) = batches()
    assert (batch.state, batch.reason) == (state, reason)
    assert len(_Receiver.seen) == 1


def test_a_webhook_never_leads_inside(store):
    webhook(store, "https://169.254.169.254/latest/meta-data")
    services.write([raw(store, 1)])
    forwarding.drain()
    assert (batches()[0].state, batches()[0].reason) == ("dead", "private_address")


def test_secrets_of_a_sink_are_not_readable_in_the_database(store):
    sink = webhook(store, "https://a.example/", signing_secret="s3cret")
    with connection.cursor() as cursor:
        cursor.execute("SELECT secrets FROM storefront_engagement_analyticssink WHERE id = %s", [sink.pk])
        assert "s3cret" not in cursor.fetchone()[0]


# --- what is kept -----------------------------------------------------------------------------------------------------
def test_a_delivered_batch_keeps_no_copy_of_its_events(store, sink):
    services.write([raw(store, 1)])
    assert batches()[0].events
    forwarding.drain()
    assert (batches()[0].state, batches()[0].events, batches()[0].size) == ("done", [], 1)


@pytest.mark.parametrize("state", ["pending", "dead"])
def test_who_is_erased_is_taken_out_of_what_waits_or_was_given_up(store, other_store, sink, state):
    other = AnalyticsSink.objects.create(store=other_store, name="Other", kind="recording", url="https://sink.example/")
    services.write(
        [raw(store, 1, user="asha", anonymous=False), raw(store, 2, user="ravi"), raw(store, 3, user="asha")]
    )
    services.write([raw(other_store, 4, user="asha")])
    AnalyticsBatch.objects.update(state=state)
    services.forget_shopper(store=store, user_id="asha")
    batch = AnalyticsBatch.objects.get(sink=sink)
    assert [event["messageId"] for event in batch.events] == ["m2"]
    assert batch.size == 1
    assert len(AnalyticsBatch.objects.get(sink=other).events) == 1


def test_a_batch_of_nobody_is_not_sent(store, sink):
    services.write([raw(store, 1, user="asha")])
    services.forget_shopper(store=store, user_id="asha")
    assert forwarding.drain() == 1
    assert Recording.sent == []
    assert batches()[0].state == "done"


def test_a_slow_receiver_takes_few_threads_of_a_worker(store, sink, monkeypatch):
    """Each drain that is let in meets another one on its way; those beyond the room are sent away at once."""
    inside: list[int] = []

    def claim(**_: Any) -> None:
        inside.append(1)
        if len(inside) <= forwarding.AT_ONCE:
            inner.append(forwarding.drain())

    inner: list[int] = []
    monkeypatch.setattr(AnalyticsBatch.objects, "claim_next", claim)
    assert forwarding.drain() == 0
    assert len(inside) == forwarding.AT_ONCE
    assert forwarding.drain() == 0  # there is room again
    assert len(inside) > forwarding.AT_ONCE
