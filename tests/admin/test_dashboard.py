"""The dashboard's figures: right, within a store, bounded in queries, and leading to lists that open."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import OtpChallenge, SecurityEvent
from carts.models import Cart, CartLine
from messaging.models import Message
from storefront import panels
from storefront.ids import new_ulid
from storefront.models import Store

pytestmark = pytest.mark.django_db


def _message(store: Store, state: str = "done", *, at: datetime | None = None, **fields: Any) -> Message:
    return Message.objects.create(
        **{
            "store": store,
            "to": "+919876543210",
            "channel": "sms",
            "current_channel": "sms",
            "template": "otp",
            "language": "en",
            "state": state,
            "created_at": at or timezone.now(),
            **fields,
        }
    )


def _code(store: Store, *, used: bool, decoy: bool = False) -> None:
    now = timezone.now()
    OtpChallenge.objects.create(
        store=store,
        token_hash=new_ulid(),
        key_id="key",
        contact_hash="hash",
        channel="sms",
        action="login",
        topic="login",
        digits=6,
        decoy=decoy,
        created_at=now,
        expires_at=now + timedelta(minutes=5),
        consumed_at=now if used else None,
    )


def _cart(store: Store, *quantities: int, at: datetime | None = None) -> None:
    at = at or timezone.now()
    cart = Cart.objects.create(
        store=store, user_id=new_ulid(), created_at=at, modified_at=at, expires_at=at + timedelta(days=30)
    )
    for number, quantity in enumerate(quantities):
        CartLine.objects.create(store=store, cart=cart, product_id=str(number), quantity=quantity)


def _period(*stores: Store) -> panels.Period:
    return panels.Period(timezone.now(), tuple(store.pk for store in stores))


def _figure(key: str, *stores: Store) -> panels.Figure:
    return panels._registry.tiles[key].compute(_period(*stores))


def _chart(key: str, *stores: Store) -> dict[str, list[float]]:
    chart = panels._registry.charts[key].compute(_period(*stores))
    assert all(len(series.values) == len(chart.labels) for series in chart.series)
    return {str(series.title): list(series.values) for series in chart.series}


def test_messages_are_counted_by_status_in_their_store_and_day(store, other_store):
    now = timezone.now()
    _message(store, delivered_at=now)
    _message(store)
    _message(store, "dead", channel="email", current_channel="email")
    _message(store, "pending", at=now - timedelta(minutes=5))
    _message(store, "dead", at=now - timedelta(days=3))
    _message(store, "dead", at=now - timedelta(days=20))
    _message(other_store, "dead")

    assert "67" in _figure("messages.sent", store).value  # two of three that ended in 24 hours
    assert _figure("messages.given_up", store).value == 2
    assert _figure("messages.given_up", store, other_store).value == 3
    waiting = _figure("messages.waiting", store)
    assert (waiting.value, waiting.tone) == (1, "warning")
    assert "5" in str(waiting.detail)

    days = _chart("messages.days", store)
    assert {title: sum(values) for title, values in days.items()} == {
        "Delivered": 1,
        "Sent": 1,
        "Queued": 1,
        "Failed": 2,
    }
    assert days["Failed"][-4] == 1 or days["Failed"][-3] == 1
    assert _chart("messages.channels", store) == {
        "Delivered or sent": [0, 2, 0],
        "Queued": [0, 1, 0],
        "Failed": [0, 0, 1],
    }


def test_few_used_codes_are_an_alarm_and_decoys_do_not_count(store, other_store):
    for number in range(20):
        _code(store, used=number < 3)
        _code(store, used=False, decoy=True)
        _code(other_store, used=True)
    figure = _figure("accounts.codes", store)
    assert "15" in figure.value
    assert figure.tone == "bad"
    assert _figure("accounts.codes", other_store).tone == "neutral"


def test_logins_and_sign_ups_are_told_apart(store, other_store):
    for kind, days in (("login", 0), ("login", 2), ("registered", 0), ("logout", 0), ("login", 30)):
        SecurityEvent.objects.create(store=store, kind=kind, created_at=timezone.now() - timedelta(days=days))
    SecurityEvent.objects.create(store=other_store, kind="login")
    assert _figure("accounts.logins", store).value == 1
    assert _figure("accounts.sign_ups", store).value == 1
    assert "2" in str(_figure("accounts.logins", store).detail)
    chart = _chart("accounts.days", store)
    assert (sum(chart["Logins"]), sum(chart["Sign-ups"])) == (2, 1)


def test_carts_and_their_size(store, other_store):
    _cart(store, 2, 3)
    _cart(store, 1)
    _cart(store, 40, at=timezone.now() - timedelta(days=2))
    _cart(other_store, 9)
    figure = _figure("carts.active", store)
    assert figure.value == 2
    assert "3.0" in str(figure.detail)
    assert sum(_chart("carts.days", store)["New carts"]) == 3


def test_days_begin_at_midnight_of_the_store():
    period = panels.Period(datetime(2026, 11, 21, 19, 0, tzinfo=UTC), ("demo",), ZoneInfo("Asia/Kolkata"))
    assert period.days()[-1].isoformat() == "2026-11-22T00:00:00+05:30"
    assert len(period.days()) == 14
    assert panels.over_days([("2026-11-22", 3), ("2026-11-22", 1), ("2020-01-01", 9)], period.days())[-1] == 4


def test_figures_of_nothing_are_calm(store):
    for key, tile in panels._registry.tiles.items():
        assert tile.compute(_period(store)).tone in {"neutral", "good"} or key == "kernel.workers", key
    for key in panels._registry.charts:
        assert all(sum(values) == 0 for values in _chart(key, store).values())


def test_the_dashboard_needs_no_more_queries_for_more_rows_and_stores(staff, store):
    def first_look() -> int:
        cache.clear()
        with CaptureQueriesContext(connection) as captured:
            assert staff.get("/admin/").status_code == 200
        return len(captured)

    first_look()
    few = first_look()
    stores = [store, *(Store.objects.create(pk=f"shop-{number}", name=f"Shop {number}") for number in range(5))]
    for home in stores:
        for back in range(14):
            at = timezone.now() - timedelta(days=back)
            _message(home, at=at)
            _cart(home, 1, 2, at=at)
            _code(home, used=True)
            SecurityEvent.objects.create(store=home, kind="login", created_at=at)
    assert first_look() == few
    assert few <= 24  # each tile and chart is one bounded aggregate; their answers are kept for a minute


def test_figures_are_kept_for_a_minute_for_each_store_alone(staff, store, other_store):
    def shown(query: str) -> str:
        text = staff.get(f"/admin/{query}").content.decode()
        found = re.search(r'data-tile="messages.given_up".*?sf-tile-value[^>]*>([^<]*)<', text, re.DOTALL)
        assert found
        return found[1]

    assert shown("") == shown("?store=demo") == "0"
    _message(store, "dead")
    assert shown("") == shown("?store=demo") == "0"
    assert shown("?store=other") == "0"
    cache.clear()
    assert shown("") == shown("?store=demo") == "1"
    assert shown("?store=other") == "0"
    assert shown("?store=no-such") == "1"


def test_every_tile_and_chart_leads_to_a_list_that_opens(staff, store):
    text = staff.get("/admin/").content.decode()
    links = re.findall(r'<a href="([^"]+)" class="sf-tile"', text) + re.findall(r'<h2><a href="([^"]+)"', text)
    assert len(links) >= 8
    for link in links:
        assert staff.get(html.unescape(link)).status_code == 200, link


def test_charts_carry_their_data_for_the_page(staff, store):
    _message(store)
    text = staff.get("/admin/").content.decode()
    charts = re.findall(r'data-value="([^"]+)"', text)
    empty = text.count("Nothing in this period yet.")
    assert len(charts) >= 1
    assert len(charts) + empty == len(panels._registry.charts)
    for chart in charts:
        data = json.loads(html.unescape(chart))
        assert data["labels"]
        assert data["datasets"]


def test_staff_without_rights_see_no_figures(browser, store):
    browser.force_login(get_user_model().objects.create_user("hugo", password="x", is_staff=True))
    text = browser.get("/admin/").content.decode()
    assert set(re.findall(r'data-tile="([^"]+)"', text)) == {"kernel.workers"}
    assert 'data-value="' not in text


def test_the_dashboard_answers_while_the_cache_is_gone(staff, store, monkeypatch):
    def broken(*_: Any, **__: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(cache, "get_many", broken)
    monkeypatch.setattr(cache, "set_many", broken)
    assert staff.get("/admin/").status_code == 200
