"""From a row to a provider: retries, fallback, expiry, dead letters, sending again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import serializers
from django.db import connection, transaction
from django.utils import timezone

from messaging import consent, delivery, secrets, selectors, services
from messaging.models import Message, MessageAttempt, ProviderAccount, Status
from storefront import outbox
from storefront.models import Store
from tests.messaging.conftest import Provider, due_now, fresh

pytestmark = pytest.mark.django_db
Queue = Callable[..., Message]
Add = Callable[..., ProviderAccount]
Failing = Callable[..., Any]


def test_queueing_is_one_insert_and_wakes_the_queue_only_after_the_commit(
    queue: Queue,
    store: Store,
    django_assert_num_queries: Any,
    django_capture_on_commit_callbacks: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    woken: list[str] = []
    monkeypatch.setattr(outbox, "_wake", woken.append)
    with django_capture_on_commit_callbacks(execute=True), django_assert_num_queries(1):
        queue()
        assert not woken
    assert woken == ["messages"]


def test_a_message_of_a_transaction_that_fails_never_existed(queue: Queue, sms: Any, provider: Provider) -> None:
    with transaction.atomic():
        queue()
        transaction.set_rollback(True)
    assert delivery.drain() == 0
    assert not Message.objects.exists()
    assert not provider.sent


def test_a_code_is_sent_once_and_stands_nowhere_in_the_database(
    queue: Queue, sms: ProviderAccount, provider: Provider
) -> None:
    message = queue(values={"name": "Asha"})
    assert delivery.drain() == 1
    assert delivery.drain() == 0
    message = fresh(message)
    assert provider.texts == [
        "482913 is your code to sign in to Demo. It is valid for 5 minutes. Never share it with anyone."
    ]
    assert message.status == Status.SENT
    assert (message.attempts, message.provider, message.provider_message_id) == (1, "recording", "sms-1")
    assert message.sent_at is not None
    attempt = MessageAttempt.objects.get()
    assert (attempt.number, attempt.outcome, attempt.driver, attempt.account_id) == (1, "sent", "recording", sms.pk)
    rows = serializers.serialize("json", [*Message.objects.all(), *MessageAttempt.objects.all()])
    assert "482913" not in rows
    assert "sign in" not in rows


def test_the_same_dedupe_key_sends_once_per_store(
    queue: Queue, sms: Any, provider: Provider, other_store: Store
) -> None:
    first = queue(dedupe_key="order-1")
    assert queue(dedupe_key="order-1").pk == first.pk
    assert queue(dedupe_key="order-1", store=other_store).pk != first.pk
    assert queue().pk != queue().pk  # without a key, every call is a message
    delivery.drain()
    assert len(provider.sent) == 3


def test_a_passing_fault_is_tried_again_later_with_growing_pauses(
    queue: Queue, sms: Any, provider: Provider, failing: Failing
) -> None:
    provider.always["sms"] = failing()
    waits = []
    with time_machine.travel(datetime(2026, 11, 21, 12, tzinfo=UTC), tick=False) as clock:
        message = queue(ttl=0, secret_ref="", template="welcome")
        for _attempt in range(5):
            assert delivery.drain() == 1
            assert delivery.drain() == 0  # not due yet
            waiting = fresh(message)
            assert waiting.status == Status.QUEUED
            waits.append((waiting.next_attempt_at - timezone.now()).total_seconds())
            clock.shift(waits[-1])
        delivery.drain()
    for wait, seconds in zip(waits, delivery.BACKOFF, strict=True):
        assert 0.8 * seconds <= wait <= 1.2 * seconds
    message = fresh(message)
    assert (message.status, message.reason, message.attempts) == (Status.FAILED, "http_503", 6)
    assert [attempt.outcome for attempt in message.tries.all()] == ["retry"] * 6
    assert not provider.sent


def test_a_provider_that_recovers_gets_the_message_once(
    queue: Queue, sms: Any, provider: Provider, failing: Failing
) -> None:
    provider.answers = [failing(), failing("unreachable")]
    message = queue()
    for _attempt in range(3):
        delivery.drain()
        due_now(message)
    delivery.drain()
    assert len(provider.sent) == 1
    assert fresh(message).attempts == 3


def test_the_provider_says_how_long_to_wait(queue: Queue, sms: Any, provider: Provider, failing: Failing) -> None:
    provider.answers = [failing("rate_limited", retry_after=90)]
    message = queue()
    delivery.drain()
    assert 88 <= (fresh(message).next_attempt_at - timezone.now()).total_seconds() <= 91


def test_a_wait_beyond_the_end_of_a_code_gives_up_at_once(
    queue: Queue, sms: Any, provider: Provider, failing: Failing
) -> None:
    provider.answers = [failing("rate_limited", retry_after=3600)]
    message = queue()
    delivery.drain()
    message = fresh(message)
    assert (message.status, message.reason) == (Status.FAILED, "rate_limited")


def test_a_code_that_has_expired_is_not_sent(queue: Queue, sms: Any, provider: Provider) -> None:
    with time_machine.travel(datetime(2026, 11, 21, 12, tzinfo=UTC), tick=False) as clock:
        message = queue(ttl=300)
        clock.shift(timedelta(seconds=300))
        delivery.drain()
    message = fresh(message)
    assert (message.status, message.reason) == (Status.FAILED, "expired")
    assert not provider.sent


def test_a_code_that_did_its_work_still_leaves_unless_an_earlier_attempt_may_have_arrived(
    queue: Queue, sms: Any, provider: Provider
) -> None:
    def used(_secret_id: str, /, *, now: datetime) -> dict[str, str]:
        raise secrets.Used("used", {"code": "123456"})

    secrets.register("used", used)
    late, tried = queue(secret_ref="used:1"), queue(secret_ref="used:2")
    Message.objects.filter(pk=tried.pk).update(answers=1)
    delivery.drain()
    assert (fresh(late).status, fresh(tried).status) == (Status.SENT, Status.FAILED)
    assert len(provider.sent) == 1


def test_a_code_that_was_replaced_is_not_sent(queue: Queue, sms: Any, provider: Provider, code: dict[str, str]) -> None:
    message = queue()
    code.clear()
    delivery.drain()
    assert (fresh(message).status, fresh(message).reason) == (Status.FAILED, "secret_gone")
    assert not provider.sent


def test_a_secret_that_nobody_answers_for_is_gone() -> None:
    with pytest.raises(secrets.Gone):
        secrets.resolve("nobody:1", now=timezone.now())
    assert secrets.resolve("", now=timezone.now()) == {}


def test_a_code_template_without_a_code_is_not_sent(queue: Queue, sms: Any, provider: Provider) -> None:
    message = queue(secret_ref="")
    unknown = queue(template="no_such_template")
    delivery.drain()
    assert fresh(message).reason == "missing_code"
    assert fresh(unknown).reason == "unknown_template"
    assert not provider.sent


# --- fallback -------------------------------------------------------------------------------------------------------


def test_a_dead_address_falls_to_the_next_channel_of_the_same_contact_with_the_same_code(
    queue: Queue, add_account: Add, provider: Provider, failing: Failing
) -> None:
    add_account("whatsapp")
    add_account("sms")
    add_account("email")
    provider.always["whatsapp"] = failing("meta_131026", retry=False)
    message = queue(channel="whatsapp", alternatives={"email": "asha@example.com"})
    delivery.drain()
    message = fresh(message)
    assert provider.senders == ["sms"]
    assert "482913" in provider.texts[0]
    assert (message.channel, message.current_channel, message.status) == ("whatsapp", "sms", Status.SENT)
    assert [(row.channel, row.outcome) for row in message.tries.all()] == [("whatsapp", "failed"), ("sms", "sent")]


def test_a_code_never_leaves_the_contact_that_it_proves(
    queue: Queue, add_account: Add, provider: Provider, failing: Failing
) -> None:
    for channel in ("whatsapp", "sms", "email"):
        add_account(channel)
    provider.always = {"whatsapp": failing("x", retry=False), "sms": failing("y", retry=False)}
    message = queue(channel="whatsapp", alternatives={"email": "asha@example.com"})
    by_email = queue(channel="email", to="asha@example.com", alternatives={"phone": "+919876543210"})
    provider.always["email"] = failing("z", retry=False)
    delivery.drain()
    assert (fresh(message).status, fresh(message).reason) == (Status.FAILED, "y")
    assert (fresh(by_email).status, fresh(by_email).reason) == (Status.FAILED, "z")
    assert not provider.sent


def test_other_messages_fall_to_another_contact_only_when_one_was_given(
    queue: Queue, add_account: Add, provider: Provider, failing: Failing
) -> None:
    for channel in ("whatsapp", "sms", "email"):
        add_account(channel)
    provider.always = {"whatsapp": failing("x", retry=False), "sms": failing("y", retry=False)}
    with_email = queue(secret_ref="", template="welcome", alternatives={"email": "asha@example.com"})
    without = queue(secret_ref="", template="welcome")
    delivery.drain()
    assert [(sender, message.to) for sender, message in provider.sent] == [("email", "asha@example.com")]
    assert provider.sent[0][1].subject == "Welcome to Demo"
    assert "<p>" in provider.sent[0][1].html
    assert fresh(with_email).status == Status.SENT
    assert fresh(without).status == Status.FAILED


def test_the_stores_order_decides_after_the_asked_channel(
    queue: Queue, add_account: Add, provider: Provider, failing: Failing, store: Store
) -> None:
    store.message_fallback = ["email", "sms", "whatsapp"]
    store.save()
    for channel in ("whatsapp", "sms", "email"):
        add_account(channel)
    provider.always["whatsapp"] = failing("x", retry=False)
    queue(channel="whatsapp", secret_ref="", template="welcome", alternatives={"email": "asha@example.com"})
    queue(channel="whatsapp")
    delivery.drain()
    assert sorted(provider.senders) == ["email", "sms"]


def test_a_channel_without_anyone_to_deliver_is_passed_over(queue: Queue, sms: Any, provider: Provider) -> None:
    message = queue(channel="whatsapp")
    delivery.drain()
    assert (fresh(message).status, fresh(message).current_channel) == (Status.SENT, "sms")
    assert fresh(message).attempts == 1


def test_a_store_without_anyone_to_deliver_gives_up_with_that_reason(queue: Queue) -> None:
    message = queue()
    delivery.drain()
    assert (fresh(message).status, fresh(message).reason) == (Status.FAILED, "no_provider")


def test_the_first_run_delivers_to_the_sandbox(queue: Queue, configure: Any) -> None:
    configure(SANDBOX_INBOX=True)
    message = queue(channel="whatsapp")
    delivery.drain()
    message = fresh(message)
    assert (message.status, message.provider, message.current_channel) == (Status.SENT, "sandbox", "whatsapp")


def test_a_slow_provider_gets_no_second_chance_while_another_channel_is_left(
    queue: Queue, add_account: Add, provider: Provider, failing: Failing
) -> None:
    add_account("whatsapp")
    add_account("sms")
    provider.always["whatsapp"] = failing("timeout")
    queue(channel="whatsapp")
    assert delivery.drain() == 2
    assert provider.senders == ["sms"]


def test_a_quick_fault_is_tried_once_more_before_the_next_channel(
    queue: Queue, add_account: Add, provider: Provider, failing: Failing
) -> None:
    add_account("whatsapp")
    add_account("sms")
    provider.always["whatsapp"] = failing("http_502")
    message = queue(channel="whatsapp")
    assert delivery.drain() == 1
    assert not provider.sent
    due_now(message)
    assert delivery.drain() == 2
    assert provider.senders == ["sms"]
    assert fresh(message).attempts == 3


def test_a_long_wait_is_not_waited_out_while_another_channel_is_left(
    queue: Queue, add_account: Add, provider: Provider, failing: Failing
) -> None:
    add_account("whatsapp")
    add_account("sms")
    provider.always["whatsapp"] = failing("rate_limited", retry_after=60)
    queue(channel="whatsapp")
    delivery.drain()
    assert provider.senders == ["sms"]


def test_accounts_of_one_channel_are_tried_by_priority_and_within_their_budget(
    queue: Queue, add_account: Add, provider: Provider, failing: Failing
) -> None:
    add_account("sms", name="dear", sender="dear", priority=20)
    add_account("sms", name="cheap", sender="cheap", priority=5, daily_budget=2)
    add_account("sms", name="off", sender="off", priority=1, active=False)
    for _number in range(3):
        queue()
    delivery.drain()
    assert provider.senders == ["cheap", "cheap", "dear"]
    assert MessageAttempt.objects.filter(reason="budget_used_up").count() == 1


def test_an_account_that_was_switched_off_meanwhile_is_passed_over(
    queue: Queue, add_account: Add, provider: Provider, failing: Failing
) -> None:
    first = add_account("sms", name="a", sender="a", priority=1)
    add_account("sms", name="b", sender="b", priority=2)
    provider.answers = [failing()]
    message = queue()
    delivery.drain()
    assert fresh(message).account_id == first.pk
    first.active = False
    first.save()
    due_now(message)
    delivery.drain()
    assert provider.senders == ["b"]


def test_an_account_with_wrong_settings_is_a_failure_with_a_name(queue: Queue, add_account: Add) -> None:
    add_account("sms", options={"colour": "red"})
    unknown = add_account("whatsapp", driver="pigeon")
    message = queue(channel="whatsapp")
    delivery.drain()
    assert [row.reason for row in fresh(message).tries.all()] == ["misconfigured", "misconfigured"]
    assert fresh(message).reason == "misconfigured"
    assert unknown.pk


def test_a_provider_that_is_away_is_left_alone_and_tried_again_by_one_message(
    queue: Queue, add_account: Add, provider: Provider, failing: Failing
) -> None:
    add_account("whatsapp")
    add_account("sms")
    asked: list[str] = []
    provider.before = lambda sender, _message: asked.append(sender)
    provider.always["whatsapp"] = failing("timeout")
    with time_machine.travel(datetime(2026, 11, 21, 12, tzinfo=UTC), tick=False) as clock:
        for _number in range(8):
            queue(channel="whatsapp")
        delivery.drain()
        assert asked.count("whatsapp") == 5
        assert provider.senders == ["sms"] * 8
        assert MessageAttempt.objects.filter(reason="provider_paused").count() == 3

        clock.shift(16)
        queue(channel="whatsapp")
        queue(channel="whatsapp")
        delivery.drain()
        assert asked.count("whatsapp") == 6  # one tries it for all

        clock.shift(16)
        provider.always = {}
        queue(channel="whatsapp")
        queue(channel="whatsapp")
        delivery.drain()
    assert provider.senders[-2:] == ["whatsapp", "whatsapp"]


def test_dead_addresses_and_rate_limits_do_not_count_against_a_provider(
    queue: Queue, sms: Any, provider: Provider, failing: Failing
) -> None:
    provider.answers = [failing("x", retry=False)] * 8 + [failing("rate_limited", retry_after=2)] * 8
    for _number in range(17):
        queue()
    delivery.drain()
    assert len(provider.sent) == 1


def test_a_code_among_the_values_and_an_unknown_channel_are_refused(queue: Queue) -> None:
    with pytest.raises(ValueError, match="by reference"):
        queue(values={"code": "482913"})
    with pytest.raises(ValueError, match="channels"):
        queue(channel="pigeon")
    assert not Message.objects.exists()


# --- trouble --------------------------------------------------------------------------------------------------------


def test_a_message_that_meets_a_fault_of_ours_does_not_hold_up_the_others(
    queue: Queue, sms: Any, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    def trip(_sender: str, message: Any) -> None:
        if message.to == "+919999999999":
            raise ZeroDivisionError

    provider.before = trip
    bad = queue(to="+919999999999")
    good = queue()
    delivery.drain()
    assert fresh(good).status == Status.SENT
    assert fresh(bad).status == Status.QUEUED
    assert "482913" not in caplog.text
    assert "+919999999999" not in caplog.text


def test_a_killed_worker_loses_nothing(queue: Queue, sms: Any, provider: Provider, configure: Any) -> None:
    with time_machine.travel(datetime(2026, 11, 21, 12, tzinfo=UTC), tick=False) as clock:
        message = queue()
        assert delivery._claim() is not None  # and then the worker dies
        assert delivery.drain() == 0
        clock.shift(timedelta(seconds=21))
        assert delivery.drain() == 1
    message = fresh(message)
    assert (message.status, message.attempts) == (Status.SENT, 2)
    assert [row.number for row in message.tries.all()] == [2]  # the gap shows the attempt that was cut off
    assert len(provider.sent) == 1


def test_a_message_that_kills_every_worker_is_given_up(queue: Queue, sms: Any, provider: Provider) -> None:
    with time_machine.travel(datetime(2026, 11, 21, 12, tzinfo=UTC), tick=False) as clock:
        message = queue(ttl=0, secret_ref="", template="welcome")
        for _death in range(delivery.INTERRUPTIONS):
            assert delivery._claim() is not None
            clock.shift(timedelta(seconds=21))
        delivery.drain()
    assert (fresh(message).status, fresh(message).reason) == (Status.FAILED, "interrupted")
    assert not provider.sent


def test_a_slow_worker_that_lost_its_lease_does_not_undo_the_next_ones_success(
    queue: Queue, sms: Any, provider: Provider, failing: Failing
) -> None:
    with time_machine.travel(datetime(2026, 11, 21, 12, tzinfo=UTC), tick=False) as clock:
        message = queue()
        slow = delivery._claim()
        assert slow is not None
        clock.shift(timedelta(seconds=21))
        assert delivery.drain() == 1
        provider.answers = [failing("x", retry=False)]
        delivery.deliver(slow)
    assert fresh(message).status == Status.SENT
    assert len(provider.sent) == 1


def test_a_success_counts_even_when_the_lease_has_ended(queue: Queue, sms: Any, provider: Provider) -> None:
    with time_machine.travel(datetime(2026, 11, 21, 12, tzinfo=UTC), tick=False) as clock:
        message = queue()
        slow = delivery._claim()
        assert slow is not None
        clock.shift(timedelta(seconds=21))
        delivery.deliver(slow)
        assert fresh(message).status == Status.SENT
        assert delivery.drain() == 0
    assert len(provider.sent) == 1


# --- sending again, housekeeping ------------------------------------------------------------------------------------


def test_a_dead_letter_can_be_sent_again_from_the_start_of_its_route(
    queue: Queue, add_account: Add, provider: Provider, failing: Failing, store: Store
) -> None:
    add_account("whatsapp")
    add_account("sms")
    provider.always = {"whatsapp": failing("x", retry=False), "sms": failing("y", retry=False)}
    message = queue(channel="whatsapp")
    delivery.drain()
    provider.always = {}
    assert services.send_again(store=store, ids=[message.pk]) == 1
    delivery.drain()
    assert provider.senders == ["whatsapp"]
    assert fresh(message).status == Status.SENT
    assert fresh(message).tries.count() == 3


def test_what_was_sent_or_has_expired_or_is_anothers_is_not_sent_again(
    queue: Queue, sms: Any, provider: Provider, other_store: Store, store: Store
) -> None:
    sent = queue()
    delivery.drain()
    with time_machine.travel(timezone.now() - timedelta(hours=1)):
        expired = queue()
    delivery.drain()
    foreign = queue(store=other_store)
    delivery.drain()
    assert fresh(expired).reason == "expired"
    assert fresh(foreign).status == Status.FAILED
    assert services.send_again(store=store, ids=[sent.pk, expired.pk, foreign.pk]) == 0
    assert len(provider.sent) == 1


def test_old_messages_lose_their_addresses_and_values(queue: Queue, sms: Any, provider: Provider, store: Store) -> None:
    old = queue(values={"name": "Asha"}, alternatives={"email": "asha@example.com"})
    young = queue()
    delivery.drain()
    waiting = queue()
    long_ago = timezone.now() - timedelta(days=31)
    Message.objects.filter(pk__in=[old.pk, waiting.pk]).update(created_at=long_ago)
    for _repeat in (1, 2):
        services.sweep(now=timezone.now(), batch=1000)
    assert (fresh(old).to, fresh(old).values, fresh(old).alternatives) == ("+91******3210", {}, {})
    assert fresh(young).to == fresh(waiting).to == "+919876543210"
    assert services.send_again(store=store, ids=[old.pk]) == 0


def test_a_person_who_leaves_is_forgotten_at_once(
    queue: Queue, sms: Any, provider: Provider, store: Store, other_store: Store
) -> None:
    sent = queue()
    delivery.drain()
    waiting, elses, elsewhere = queue(), queue(to="+919876500000"), queue(store=other_store)
    assert services.forget_contacts(store=store, contacts=["+919876543210", ""]) == 2
    delivery.drain()
    assert fresh(sent).to == fresh(waiting).to == "+91******3210"
    assert fresh(waiting).reason == "contact_erased"
    assert fresh(elses).to == "+919876500000"
    assert fresh(elsewhere).to == "+919876543210"
    assert len(provider.sent) == 2


def test_promotions_go_only_to_those_who_want_them(
    queue: Queue, sms: Any, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consent, "_asked", [])
    consent.register(lambda *, store, to, channel, category: False)
    promotion = queue(secret_ref="", template="welcome", category="promotional")
    queue(secret_ref="", template="welcome")
    delivery.drain()
    assert fresh(promotion).reason == "no_consent"
    assert len(provider.sent) == 1


def test_a_test_message_goes_out_at_once_and_leaves_no_row(
    sms: ProviderAccount, provider: Provider, failing: Failing
) -> None:
    assert services.send_test(account=sms, to="+919876543210") == services.TestSend(True, "sms-1")
    assert "test message from Demo" in provider.texts[0]
    provider.answers = [failing("credentials_refused", retry=False)]
    assert services.send_test(account=sms, to="+919876543210") == services.TestSend(False, "credentials_refused")
    assert not Message.objects.exists()


def test_credentials_are_unreadable_in_the_database(add_account: Add) -> None:
    account = add_account("sms", credentials={"token": "very-secret"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM storefront_messaging_provideraccount")
        stored = cursor.fetchone()[0]
    assert "very-secret" not in stored
    assert ProviderAccount.objects.get(pk=account.pk).credentials == {"token": "very-secret"}
    assert "very-secret" not in serializers.serialize("json", [account])


def test_delivery_of_a_message_costs_a_fixed_number_of_queries(
    queue: Queue, sms: Any, provider: Provider, django_assert_num_queries: Any
) -> None:
    selectors.plan(sms.store_id)
    for _number in range(3):
        queue()
    with django_assert_num_queries(3 * 9 + 3):  # claim 4, attempt and result 4, early reports 1; 3 to find no more
        delivery.drain()
    assert json.dumps(provider.senders) == '["sms", "sms", "sms"]'
