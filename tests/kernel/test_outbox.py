"""Queues of a process without a broker."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from django.conf import settings
from kombu.exceptions import OperationalError

from storefront import outbox, services


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """These alone, and a sweep that touches no database."""
    drains: dict[str, Any] = {}
    monkeypatch.setattr(outbox, "_drains", drains)
    monkeypatch.setattr(outbox, "close_old_connections", lambda: None)
    monkeypatch.setattr(services, "beat", lambda **_: None)
    monkeypatch.setattr(services, "sweep", lambda: None)
    return drains


@pytest.fixture
def drainer(queues: dict[str, Any]) -> Iterator[outbox.EmbeddedDrainer]:
    made = outbox.EmbeddedDrainer()
    yield made
    made.stop()


def test_a_queue_whose_receiver_is_silent_holds_up_no_other(
    queues: dict[str, Any], drainer: outbox.EmbeddedDrainer
) -> None:
    let_go, stuck, sent = threading.Event(), threading.Event(), threading.Event()

    def hang() -> int:
        stuck.set()
        let_go.wait(60)
        return 0

    def send() -> int:
        if stuck.is_set():
            sent.set()
        return 1

    queues.update({"a-webhooks": hang, "codes": send})
    drainer.start()
    try:
        assert stuck.wait(60)
        drainer.wake("codes")
        assert sent.wait(60)
        assert not let_go.is_set()
    finally:
        let_go.set()


def test_a_queue_that_fails_goes_on_at_the_next_call(queues: dict[str, Any], drainer: outbox.EmbeddedDrainer) -> None:
    calls: list[int] = []
    failed, done = threading.Event(), threading.Event()

    def drain() -> int:
        calls.append(1)
        if len(calls) == 1:
            failed.set()
            raise RuntimeError
        done.set()
        return 0

    queues["codes"] = drain
    drainer.start()
    assert failed.wait(60)
    drainer.wake("codes")
    assert done.wait(60)


def test_waking_before_the_start_and_an_unknown_queue_do_no_harm(
    queues: dict[str, Any], drainer: outbox.EmbeddedDrainer
) -> None:
    drainer.wake("codes")
    drainer.start()
    drainer.wake("nobody")
    first = drainer._thread
    drainer.start()
    assert drainer._thread is first


def test_to_wake_a_worker_never_waits_for_a_broker_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row is committed by then and the sweep finds it, so whoever asked for a code need not wait for a retry."""
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda seconds: pytest.fail("waited"))
    with socket.socket() as nobody:  # has the port, and listens to no call
        nobody.bind(("127.0.0.1", 0))
        app = Celery(broker=f"redis://127.0.0.1:{nobody.getsockname()[1]}/0", set_as_current=False)
        app.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
        with pytest.raises(OperationalError):
            app.send_task("storefront.drain", retry=False, ignore_result=True)
