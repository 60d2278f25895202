"""Many workers at once: every message is sent exactly once, and a slow provider holds up nobody."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from messaging import delivery
from messaging.models import Message, MessageAttempt, Status
from storefront import outbox
from tests.messaging.conftest import Provider, fresh
from tests.threads import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)
Queue = Callable[..., Message]


@pytest.fixture
def asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody but the test drains the queue."""
    monkeypatch.setattr(outbox, "_wake", lambda _name: None)


@pytest.mark.usefixtures("asleep")
def test_eight_workers_send_each_of_a_hundred_messages_once(
    transactional_db: None, queue: Queue, sms: Any, provider: Provider, settings: Any
) -> None:
    settings.CELERY_BROKER_URL = "redis://elsewhere"  # as in a worker: one message at a time and thread
    numbers = [f"+9198{number:08d}" for number in range(100)]
    for number in numbers:
        queue(to=number)
    handled = in_parallel(lambda _worker: delivery.drain(), 8)
    assert sum(handled) == 100
    assert Counter(message.to for _sender, message in provider.sent) == Counter(numbers)
    assert set(Message.objects.values_list("attempts", flat=True)) == {1}
    assert {message.status for message in Message.objects.all()} == {Status.SENT}
    assert MessageAttempt.objects.count() == 100


@pytest.mark.usefixtures("asleep")
def test_two_processes_without_a_broker_share_a_database(
    transactional_db: None, queue: Queue, sms: Any, provider: Provider, settings: Any
) -> None:
    settings.CELERY_BROKER_URL = ""
    for number in range(40):
        queue(to=f"+9198{number:08d}")
    assert sum(in_parallel(lambda _process: delivery.drain(), 2)) == 40
    assert len(provider.sent) == len({message.to for _sender, message in provider.sent}) == 40


@pytest.mark.usefixtures("asleep")
def test_without_a_broker_a_slow_provider_does_not_hold_up_the_rest(
    transactional_db: None, queue: Queue, sms: Any, provider: Provider, settings: Any
) -> None:
    settings.CELERY_BROKER_URL = ""
    others_are_out = threading.Event()

    def slow(_sender: str, message: Any) -> None:
        if message.to == "+919800000000":
            assert others_are_out.wait(300), "the others waited for the slow one"
        elif len(provider.sent) == 9:
            others_are_out.set()

    provider.before = slow
    for number in range(11):
        queue(to=f"+9198{number:08d}")
    delivery.drain()
    assert len(provider.sent) == 11


@pytest.mark.usefixtures("asleep")
def test_a_message_that_comes_while_a_slow_one_is_under_way_leaves_at_once(
    transactional_db: None, queue: Queue, sms: Any, provider: Provider, settings: Any
) -> None:
    settings.CELERY_BROKER_URL = ""
    second_is_out = threading.Event()

    def slow(_sender: str, message: Any) -> None:
        if message.to == "+919800000001":
            try:
                queue(to="+919800000002")
            finally:
                connection.close()
            assert second_is_out.wait(300)
        else:
            second_is_out.set()

    provider.before = slow
    queue(to="+919800000001")
    assert delivery.drain() == 2
    assert len(provider.sent) == 2


@pytest.mark.usefixtures("asleep")
def test_nothing_is_sent_inside_a_transaction(
    transactional_db: None, queue: Queue, sms: Any, provider: Provider, settings: Any
) -> None:
    settings.CELERY_BROKER_URL = "redis://elsewhere"
    inside: list[bool] = []
    provider.before = lambda _sender, _message: inside.append(connection.in_atomic_block)
    message = queue()
    delivery.drain()
    assert inside == [False]
    assert fresh(message).status == Status.SENT
