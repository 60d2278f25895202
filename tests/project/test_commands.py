"""The command line of a shop's operator."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core import checks
from django.core.management import CommandError, call_command
from django.utils import timezone

from storefront import health, selectors, services
from storefront.errors import Unauthenticated
from storefront.models import ApiKey, Channel, CustomerGroup, Store

pytestmark = pytest.mark.django_db


def run(capsys: Any, *arguments: str) -> Any:
    call_command(*arguments, "--json")
    return json.loads(capsys.readouterr().out)


def test_a_store_gets_a_channel_and_a_default_group(capsys: Any) -> None:
    assert run(capsys, "create_store", "tea", "--name", "Tea House", "--country", "in", "--country", "ae") == {
        "store_id": "tea",
        "name": "Tea House",
    }
    store = Store.objects.get(pk="tea")
    assert store.countries == ["IN", "AE"]
    assert not store.debug_mode
    assert Channel.objects.filter(store=store).count() == 1
    assert CustomerGroup.objects.get(store=store).is_default


@pytest.mark.parametrize("store_id", ["Tea", "te", "storefront-tea", "tea_house", "x" * 33])
def test_an_id_that_makes_no_address_is_refused(store_id: str) -> None:
    with pytest.raises(CommandError):
        call_command("create_store", store_id)
    assert not Store.objects.exists()


def test_a_store_is_not_made_twice(store: Store) -> None:
    with pytest.raises(CommandError, match="already"):
        call_command("create_store", store.pk, "--name", "Another")
    assert Store.objects.get().name == "Demo"


def test_a_new_key_opens_its_store_and_only_its_hash_is_kept(store: Store, capsys: Any) -> None:
    made = run(capsys, "create_key", store.pk, "--days", "30")
    holder = selectors.key_holder(store=store, raw_key=made["api_key"])
    assert holder.key_id == made["key_id"]
    key = ApiKey.objects.get(pk=made["key_id"])
    assert made["api_key"].startswith(key.prefix)
    assert made["api_key"] not in json.dumps(list(ApiKey.objects.values()), default=str)
    assert key.expires_at is not None
    assert key.expires_at - timezone.now() > timedelta(days=29)


def test_a_key_for_a_channel_that_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(CommandError, match="has no channel"):
        call_command("create_key", store.pk, "--channel", "Kiosk")
    with pytest.raises(CommandError, match="no store"):
        call_command("create_key", "nowhere")
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(("overlap", "lives"), [("now", False), ("1h", True), ("24h", True), ("7d", True)])
def test_rotation_overlaps_as_asked(store: Store, capsys: Any, overlap: str, lives: bool) -> None:
    old = services.create_key(store=store, name="Web")
    made = run(capsys, "rotate_key", store.pk, old.key.prefix, "--overlap", overlap)
    selectors.forget()
    assert selectors.key_holder(store=store, raw_key=made["api_key"])
    if lives:
        assert selectors.key_holder(store=store, raw_key=old.text)
    else:
        with pytest.raises(Unauthenticated):
            selectors.key_holder(store=store, raw_key=old.text)


def test_a_key_of_another_store_is_not_rotated(store: Store, other_store: Store) -> None:
    foreign = services.create_key(store=other_store, name="Web")
    with pytest.raises(CommandError, match="no live key"):
        call_command("rotate_key", store.pk, foreign.key.prefix)
    foreign.key.refresh_from_db()
    assert foreign.key.expires_at is None
    assert ApiKey.objects.count() == 1


def test_doctor_reports_each_dependency(capsys: Any) -> None:
    services.beat(name="worker")
    report = run(capsys, "doctor")
    names = {component["name"]: component for component in report["components"]}
    assert report["ok"] is True
    assert {"database", "migrations", "redis", "broker", "worker", "storage", "settings"} <= set(names)
    assert names["database"]["detail"]["milliseconds"] >= 0
    assert names["worker"]["detail"]["seen"] == ["worker"]
    queues = [component for name, component in names.items() if name.startswith("queue ")]
    assert queues
    assert all({"pending", "dead", "oldest_due_seconds"} <= set(queue["detail"]) for queue in queues)


def test_doctor_counts_no_checks_that_are_silenced(capsys: Any, monkeypatch: Any, settings: Any) -> None:
    settings.SILENCED_SYSTEM_CHECKS = ["shop.W001"]
    found = [checks.Warning("Known.", id="shop.W001"), checks.Warning("New.", id="shop.W002")]
    monkeypatch.setattr(checks, "run_checks", lambda **_: found)
    services.beat(name="worker")
    (component,) = [row for row in run(capsys, "doctor")["components"] if row["name"] == "settings"]
    assert component["detail"]["warnings"] == 1
    assert component["detail"]["errors"] == []


def test_doctor_fails_when_something_required_is_down(capsys: Any, monkeypatch: Any) -> None:
    def broken() -> health.Component:
        raise OSError("disk full")

    monkeypatch.setattr(health, "_storage", broken)
    with pytest.raises(SystemExit) as left:
        call_command("doctor", "--json")
    assert left.value.code == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    (storage,) = [component for component in report["components"] if component["name"] == "storage"]
    assert storage["state"] == "down"
    assert "disk full" in storage["detail"]["error"]


def test_doctor_notices_a_queue_that_nobody_works_off(store: Store, capsys: Any) -> None:
    from messaging.models import Message

    Message.objects.bulk_create(
        [
            Message(
                store=store, to="+919876543210", channel="sms", next_attempt_at=timezone.now() - timedelta(minutes=10)
            )
        ]
    )
    services.beat(name="worker")
    report = run(capsys, "doctor")
    (queue,) = [part for part in report["components"] if part["name"] == "queue storefront_messaging.message"]
    assert queue["state"] == "late"
    assert queue["detail"]["oldest_due_seconds"] >= 600
