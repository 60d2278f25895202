"""Helpers of model pages: readable JSON, bounded counts, day ranges."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from storefront.admin_base import BoundedPaginator, JsonWidget, masked, readable
from storefront.models import Channel
from tests.admin.rows import MAKERS


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        ({}, "–"),
        ([], "–"),
        (True, "Yes"),
        (3, "3"),
        (["email", "phone"], "email, phone"),
        ("<b>", "<b>"),  # escaped where it is shown
    ],
)
def test_json_is_shown_in_words(value, shown):
    assert readable(value) == shown


def test_json_with_markup_in_it_is_escaped():
    shown = readable({"<i>": {"note": "<script>"}, "list": [{"a": "<b>"}]})
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert "&lt;script&gt;" in shown
    assert "&lt;i&gt;" in shown


@pytest.mark.parametrize(
    ("value", "as_rows"),
    [('{"a": "b", "n": 3}', True), ("{}", True), ('{"a": {"b": 1}}', False), ("[1]", False), ("{broken", False)],
)
def test_a_flat_object_is_edited_as_rows(value, as_rows):
    rows = JsonWidget().get_context("metadata", value, {})["widget"]["rows"]
    assert (rows is not None) is as_rows


def test_contacts_are_masked():
    assert masked("+919876543210") == "+91******3210"
    assert masked("someone@example.com") == "s***@example.com"
    assert masked("") == masked(None) == "–"


@pytest.mark.django_db
def test_long_lists_are_counted_up_to_a_limit(store, monkeypatch):
    for number in range(9):
        MAKERS[Channel](store, number)
    monkeypatch.setattr(BoundedPaginator, "limit", 5)
    with CaptureQueriesContext(connection) as captured:
        assert BoundedPaginator(Channel.objects.order_by("name"), 2).count == 5
    assert "LIMIT 5" in captured[0]["sql"]
    assert "ORDER BY" not in captured[0]["sql"]


@pytest.mark.django_db
def test_a_range_of_days_holds_both_its_ends(staff, store):
    from messaging.models import Message

    now = timezone.now()
    for days in range(4):
        message = MAKERS[Message](store, days)
        Message.objects.filter(pk=message.pk).update(created_at=now - timedelta(days=days))
    day = (now - timedelta(days=1)).astimezone(ZoneInfo(store.time_zone)).strftime("%Y-%m-%d")
    address = "/admin/storefront_messaging/message/"
    found = staff.get(address, {"created_at_from": day, "created_at_to": day}).context["cl"].result_count
    assert found == 1
    since = staff.get(address, {"created_at_from": day}).context["cl"].result_count
    assert since == 2
    assert staff.get(address, {"created_at_from": "no day"}).context["cl"].result_count == 4
