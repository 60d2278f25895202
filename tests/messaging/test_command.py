"""manage.py messages."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from messaging import delivery
from messaging.models import Message
from storefront.models import Store
from tests.messaging.conftest import Provider

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("messages", *arguments, stdout=out)
    return out.getvalue()


def rows(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("--json", *arguments))
    return found


def test_json_shows_whereto_and_what_became_of_it_and_nothing_else(queue: Any, sms: Any, provider: Provider) -> None:
    queue(values={"name": "Asha"})
    delivery.drain()
    (row,) = rows()
    assert set(row) == {"id", "store", "to", "channel", "template", "status", "attempts", "created_at", "sent_at"}
    assert (row["to"], row["channel"], row["status"], row["attempts"]) == ("+919876543210", "sms", "sent", 1)
    assert row["created_at"].endswith("Z")
    assert row["sent_at"] >= row["created_at"]
    assert "482913" not in run("--json")
    assert "Asha" not in run("--json")


def test_without_messages_the_array_is_empty() -> None:
    assert run("--json") == "[]\n"
    assert "No messages" in run()


def test_every_status_is_one_word(queue: Any, sms: Any, provider: Provider, failing: Any) -> None:
    delivered, sent = queue(), queue()
    delivery.drain()
    Message.objects.filter(pk=delivered.pk).update(delivered_at=timezone.now())
    provider.always["sms"] = failing("x", retry=False)
    failed = queue()
    delivery.drain()
    waiting = queue()
    assert {row["id"]: row["status"] for row in rows()} == {
        delivered.pk: "delivered",
        sent.pk: "sent",
        failed.pk: "failed",
        waiting.pk: "queued",
    }
    assert {message.pk: message.status_value for message in Message.objects.with_status()} == {
        row["id"]: row["status"] for row in rows()
    }
    table = run()
    assert "4 messages" in table
    assert "failed (x)" in table
    assert "482913" not in table


def test_since_takes_ages_and_times(queue: Any) -> None:
    old, young = queue(), queue()
    Message.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(minutes=30))
    assert [row["id"] for row in rows("--since", "10m")] == [young.pk]
    assert [row["id"] for row in rows("--since", "1h")] == [old.pk, young.pk]
    ten_ago = (timezone.now() - timedelta(minutes=10)).isoformat()
    assert [row["id"] for row in rows("--since", ten_ago)] == [young.pk]
    assert [row["id"] for row in rows("--since", ten_ago.replace("+00:00", "Z"))] == [young.pk]
    assert [row["id"] for row in rows("--since", ten_ago[:19])] == [young.pk]
    assert rows("--since", "2999-01-01") == []
    for nonsense in ("soon", "10", "2026-13-01", "99999999w"):
        with pytest.raises(CommandError):
            run("--json", "--since", nonsense)


def test_one_store_can_be_asked_for(queue: Any, other_store: Store) -> None:
    queue()
    foreign = queue(store=other_store)
    assert [row["id"] for row in rows("--store", "other")] == [foreign.pk]
