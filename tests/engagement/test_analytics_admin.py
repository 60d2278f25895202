"""Events, services and forwarding in the back office, and their figures on the dashboard."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from engagement.analytics import panels as figures
from engagement.analytics import services
from engagement.analytics.models import AnalyticsBatch, AnalyticsProvider, AnalyticsSink, FunnelDay
from storefront import panels
from tests.contract import assert_component, assert_matches
from tests.engagement.test_writing import raw

pytestmark = pytest.mark.django_db
BASE = "/admin/storefront_engagement"


@pytest.fixture
def staff(store: Any) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", "anna@example.com", "x"))
    return client


# --- services -------------------------------------------------------------------------------------------------------
def test_clients_learn_of_active_services_and_their_public_keys(store, other_store, staff, api):
    fields = {"kind": "google-analytics", "active": "on", "measurement_id": "G-AB12CD34EF", "store": store.pk}
    assert staff.post(f"{BASE}/analyticsprovider/add/", fields).status_code == 302
    AnalyticsProvider.objects.create(
        store=store, kind="meta-pixel", credentials={"pixel_id": "1234567890123"}, active=False
    )
    AnalyticsProvider.objects.create(store=other_store, kind="meta-pixel", credentials={"pixel_id": "1234567890123"})
    content = assert_matches("get-config", api.get("/store/config", X_Api_Key=api.key))["store_config"]
    (shown,) = content["analytics_providers"]
    assert_component("AnalyticsProvider", shown)
    assert shown["analytics_provider_slug"] == "google-analytics"
    assert shown["api_credentials"] == {"measurement_id": "G-AB12CD34EF"}


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("google-analytics", "measurement_id", ""),
        ("google-analytics", "measurement_id", "UA-1234"),
        ("posthog", "project_api_key", "phx_" + "a" * 40),  # a personal key, which is secret
        ("mixpanel", "project_token", "not a token"),
        ("nonsense", "measurement_id", "G-AB12CD34EF"),
    ],
)
def test_what_is_no_public_key_is_refused(store, staff, kind, field, value):
    assert staff.post(f"{BASE}/analyticsprovider/add/", {"kind": kind, "active": "on", field: value}).status_code == 200
    assert not AnalyticsProvider.objects.exists()


def test_only_named_fields_are_ever_published(store, api):
    kept = {"measurement_id": "G-AB12CD34EF", "api_secret": "hidden", "pixel_id": "1234567890123"}
    AnalyticsProvider.objects.create(store=store, kind="google-analytics", credentials=kept)
    AnalyticsProvider.objects.create(store=store, kind="gone", credentials={"key": "hidden"})
    response = api.get("/store/config", X_Api_Key=api.key)
    assert "hidden" not in response.content.decode()
    (shown,) = assert_matches("get-config", response)["store_config"]["analytics_providers"]
    assert shown["api_credentials"] == {"measurement_id": "G-AB12CD34EF"}


# --- forwarding -----------------------------------------------------------------------------------------------------
SINK = {"name": "Segment", "kind": "webhook", "url": "https://api.segment.io/v1/batch", "active": "on"}


def test_secrets_of_a_sink_go_in_and_never_come_out(store, staff):
    assert (
        staff.post(
            f"{BASE}/analyticssink/add/", SINK | {"signing_secret": "s3cret", "names": "Page\n\nPage\nOrder  Completed"}
        ).status_code
        == 302
    )
    sink = AnalyticsSink.objects.get()
    assert (sink.secrets, sink.event_names) == ({"signing_secret": "s3cret"}, ["Page", "Order Completed"])
    address = f"{BASE}/analyticssink/{sink.pk}/change/"
    assert "s3cret" not in staff.get(address).content.decode()
    for given, kept in (("", {"signing_secret": "s3cret"}), ("new", {"signing_secret": "new"}), ("-", {})):
        staff.post(address, SINK | {"signing_secret": given})
        sink.refresh_from_db()
        assert sink.secrets == kept


@pytest.mark.parametrize(
    "url",
    [
        "http://api.segment.io/",
        "https://127.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "javascript:x",
        "https://u:p@a.example/",
    ],
)
def test_an_address_that_cannot_be_called_is_refused_at_once(store, staff, url):
    assert staff.post(f"{BASE}/analyticssink/add/", SINK | {"url": url}).status_code == 200
    assert not AnalyticsSink.objects.exists()


def test_a_paused_sink_is_switched_on_with_a_clean_slate(store, staff):
    sink = AnalyticsSink.objects.create(
        store=store, name="Segment", url=SINK["url"], active=False, paused_reason="gone", failing_since=timezone.now()
    )
    staff.post(f"{BASE}/analyticssink/{sink.pk}/change/", SINK)
    sink.refresh_from_db()
    assert sink.active and sink.paused_reason == "" and sink.failing_since is None


def test_given_up_batches_go_again_and_others_do_not(store, staff):
    sink = AnalyticsSink.objects.create(store=store, name="Segment", url=SINK["url"])
    dead, done = (
        AnalyticsBatch.objects.create(store=store, sink=sink, events=[], size=0, state=state)
        for state in ("dead", "done")
    )
    address = f"{BASE}/analyticsbatch/{dead.pk}/send-again/"
    assert staff.get(address, follow=True).status_code == 200
    dead.refresh_from_db()
    assert dead.state == "dead"
    staff.post(address, follow=True)
    staff.post(f"{BASE}/analyticsbatch/", {"action": "send_again", "_selected_action": [done.pk]})
    for row in (dead, done):
        row.refresh_from_db()
    assert (dead.state, done.state) == ("pending", "done")


# --- figures --------------------------------------------------------------------------------------------------------
def period(*store_ids: str) -> panels.Period:
    return panels.Period(now=timezone.now(), store_ids=store_ids)


def test_the_funnel_shows_the_days_of_the_asked_stores_from_one_query(store, other_store, django_assert_num_queries):
    today = timezone.now().date()
    FunnelDay.objects.create(store=store, date=today, visitors=100, viewed=60, added=20, checkout=10, ordered=5)
    FunnelDay.objects.create(store=store, date=today - timedelta(days=1), visitors=100, viewed=50)
    FunnelDay.objects.create(store=store, date=today - timedelta(days=20), visitors=999)
    FunnelDay.objects.create(store=other_store, date=today, visitors=7)
    asked = period(store.pk)
    with django_assert_num_queries(1):
        chart, whole = figures.funnel_a_day(asked), figures.funnel_in_all(asked)
        assert figures.visitors(asked).value == 100
        assert str(figures.conversion(asked).value).startswith("2")
    assert [list(series.values)[-2:] for series in chart.series] == [[100, 100], [50, 60], [0, 20], [0, 10], [0, 5]]
    assert list(whole.series[0].values) == [200, 110, 20, 10, 5]
    both = figures.funnel_in_all(period(store.pk, other_store.pk))
    assert both.series[0].values[0] == 207


def test_events_are_found_by_name_and_by_shopper(store, staff):
    services.write([raw(store, 1, "Product Viewed", "asha"), raw(store, 2, "Page", "ravi")])
    by_name = staff.get(f"{BASE}/analyticsevent/?event=Page").content.decode()
    assert "ravi" in by_name and "asha" not in by_name
    by_shopper = staff.get(f"{BASE}/analyticsevent/?q=asha").content.decode()
    assert "asha" in by_shopper and "ravi" not in by_shopper


def test_a_service_that_was_chosen_shows_its_own_keys_and_stays_what_it_is(store, staff):
    row = AnalyticsProvider.objects.create(
        store=store, kind="meta-pixel", credentials={"pixel_id": "1234567890123"}, active=True
    )
    address = f"{BASE}/analyticsprovider/{row.pk}/change/"
    page = staff.get(address).content.decode()
    assert "Meta Pixel" in page and "1234567890123" in page and "measurement_id" not in page
    changed = {"kind": "segment", "pixel_id": "9999999999999", "active": "on"}
    assert staff.post(address, changed).status_code == 302
    row.refresh_from_db()
    assert (row.kind, row.credentials) == ("meta-pixel", {"pixel_id": "9999999999999"})
