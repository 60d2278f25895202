"""Providers' reports: genuine ones move a message on, whatever their order and number; others change nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from messaging import delivery, services
from messaging.models import Message, ProviderAccount, Status, UnmatchedReport
from storefront.models import Store
from tests.messaging.conftest import Provider, fresh
from tests.messaging.test_drivers import TestMeta, TestTwilio

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.messaging.urls")]
Report = Callable[..., Any]


@pytest.fixture
def report(client: Client) -> Report:
    def send(account: ProviderAccount, text: str, token: str = "callback-token", store_id: str = "") -> Any:
        return client.post(
            f"/hooks/messages/{store_id or account.store_id}/{account.pk}?token={token}",
            text,
            content_type="text/plain",
        )

    return send


def test_a_delivered_message_stays_delivered_whatever_comes_after(
    queue: Any, sms: ProviderAccount, provider: Provider, report: Report
) -> None:
    message = queue()
    delivery.drain()
    for status in ("delivered", "delivered", "sent", "failed", "read"):
        assert report(sms, f"{status} sms-1").status_code == 200
        assert fresh(message).status == Status.DELIVERED
    assert len(provider.sent) == 1
    assert fresh(message).tries.count() == 1


def test_sent_before_and_after_changes_nothing(
    queue: Any, sms: ProviderAccount, provider: Provider, report: Report
) -> None:
    message = queue()
    delivery.drain()
    report(sms, "sent sms-1")
    assert fresh(message).status == Status.SENT


def test_an_unknown_id_is_answered_kindly(sms: ProviderAccount, report: Report) -> None:
    response = report(sms, "delivered nobody-knows")
    assert response.status_code == 200
    assert response.json()["content"] == {"reports": 1, "known": 0}


def test_a_forged_report_changes_nothing(queue: Any, sms: ProviderAccount, provider: Provider, report: Report) -> None:
    message = queue()
    delivery.drain()
    response = report(sms, "delivered sms-1", token="guess")
    assert response.status_code == 401
    assert response.json() == {
        "message": "You are not authorised to do this.",
        "success": False,
        "code": "unauthorized",
    }
    assert fresh(message).status == Status.SENT
    assert not UnmatchedReport.objects.exists()


def test_an_account_of_another_store_cannot_be_told_from_a_forgery(
    sms: ProviderAccount, report: Report, other_store: Store, client: Client
) -> None:
    assert report(sms, "delivered x", store_id="other").status_code == 401
    assert client.post("/hooks/messages/demo/nobody").status_code == 401
    assert client.get(f"/hooks/messages/demo/{sms.pk}").status_code == 401
    assert client.put(f"/hooks/messages/demo/{sms.pk}").status_code == 405


def test_one_account_cannot_report_on_anothers_messages(
    queue: Any, sms: ProviderAccount, add_account: Any, provider: Provider, report: Report
) -> None:
    spare = add_account("sms", name="spare", priority=99)
    message = queue()
    delivery.drain()
    report(spare, "delivered sms-1")
    assert fresh(message).status == Status.SENT


def test_a_report_of_failure_falls_back_with_the_same_code(
    queue: Any, add_account: Any, provider: Provider, report: Report
) -> None:
    whatsapp = add_account("whatsapp")
    add_account("sms")
    message = queue(channel="whatsapp")
    delivery.drain()
    for _repeat in (1, 2):
        report(whatsapp, "failed whatsapp-1")
    assert fresh(message).status == Status.QUEUED
    delivery.drain()
    report(whatsapp, "failed whatsapp-1")  # late, of the first sending: the second one counts now
    message = fresh(message)
    assert (message.status, message.current_channel) == (Status.SENT, "sms")
    assert provider.senders == ["whatsapp", "sms"]
    assert {"482913" in text for text in provider.texts} == {True}
    assert [row.reason for row in message.tries.all()].count("reported_gone") == 1


def test_a_late_arrival_on_the_first_channel_stops_the_fallback(
    queue: Any, add_account: Any, provider: Provider, report: Report
) -> None:
    whatsapp = add_account("whatsapp")
    add_account("sms")
    message = queue(channel="whatsapp")
    delivery.drain()
    report(whatsapp, "failed whatsapp-1")
    report(whatsapp, "delivered whatsapp-1")
    delivery.drain()
    assert fresh(message).status == Status.DELIVERED
    assert provider.senders == ["whatsapp"]


def test_a_report_of_failure_on_the_last_channel_is_a_dead_letter(
    queue: Any, sms: ProviderAccount, provider: Provider, report: Report
) -> None:
    message = queue()
    delivery.drain()
    report(sms, "failed sms-1")
    assert (fresh(message).status, fresh(message).reason) == (Status.FAILED, "gone")


@pytest.mark.parametrize(("fields", "hours"), [({}, 1), ({"ttl": 0, "secret_ref": "", "template": "welcome"}, 25)])
def test_a_report_of_failure_that_comes_too_late_sends_nothing(
    queue: Any, add_account: Any, provider: Provider, report: Report, fields: dict[str, Any], hours: int
) -> None:
    whatsapp = add_account("whatsapp")
    add_account("sms")
    message = queue(channel="whatsapp", **fields)
    delivery.drain()
    with time_machine.travel(timezone.now() + timedelta(hours=hours)):
        report(whatsapp, "failed whatsapp-1")
    delivery.drain()
    assert fresh(message).status == Status.FAILED
    assert provider.senders == ["whatsapp"]


def test_a_report_that_overtakes_the_workers_note_is_applied_when_the_note_is_written(
    queue: Any, sms: ProviderAccount, provider: Provider, report: Report
) -> None:
    provider.before = lambda _sender, _message: report(sms, "delivered sms-1")
    message = queue()
    delivery.drain()
    assert fresh(message).status == Status.DELIVERED


def test_reports_that_matched_nothing_are_dropped_after_a_day(sms: ProviderAccount, report: Report) -> None:
    report(sms, "delivered nobody")
    services.sweep(now=timezone.now(), batch=100)
    assert UnmatchedReport.objects.count() == 1
    services.sweep(now=timezone.now() + timedelta(hours=25), batch=100)
    assert not UnmatchedReport.objects.exists()


def test_twilios_signature_is_checked_over_the_public_address(
    client: Client, add_account: Any, configure: Any, settings: Any
) -> None:
    configure(PUBLIC_URL="https://shop.example/")
    account = add_account(
        "sms", driver="twilio", credentials={"account_sid": "AC1", "auth_token": "token"}, name="twilio"
    )
    contract = TestTwilio()
    contract.callback_url = f"https://shop.example/hooks/messages/demo/{account.pk}"  # type: ignore[misc]
    genuine = contract.callback("SM1", "delivered")
    path = f"/hooks/messages/demo/{account.pk}"
    form = "application/x-www-form-urlencoded"
    assert client.post(path, genuine.body, content_type=form, headers=dict(genuine.headers)).status_code == 200
    changed = genuine.body.replace(b"SM1", b"SM2")
    assert client.post(path, changed, content_type=form, headers=dict(genuine.headers)).status_code == 401
    assert client.post(path, genuine.body, content_type=form).status_code == 401
    assert UnmatchedReport.objects.count() == 1


def test_metas_check_of_the_address_and_its_reports(client: Client, add_account: Any) -> None:
    account = add_account(
        "whatsapp",
        driver="meta",
        credentials={"access_token": "token", "app_secret": "secret", "verify_token": "verify"},
    )
    path = f"/hooks/messages/demo/{account.pk}"
    query = {"hub.mode": "subscribe", "hub.verify_token": "verify", "hub.challenge": "1158201444"}
    response = client.get(path, query)
    assert (response.status_code, response.content) == (200, b"1158201444")
    assert client.get(path, query | {"hub.verify_token": "guess"}).status_code == 401
    genuine = TestMeta().callback("wamid.1", "failed")
    sent: Any = {"content_type": "application/json", "headers": dict(genuine.headers)}
    assert client.post(path, genuine.body, **sent).status_code == 200
    assert client.post(path, genuine.body + b" ", **sent).status_code == 401


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b'{"entry": 7}', b'{"entry": [{"changes": [[]]}]}', b"\xff"]
)
def test_nonsense_with_a_good_signature_is_passed_over(client: Client, add_account: Any, body: bytes) -> None:
    import hmac

    account = add_account("whatsapp", driver="meta", credentials={"access_token": "t", "app_secret": "secret"})
    signature = "sha256=" + hmac.digest(b"secret", body, "sha256").hex()
    response = client.post(
        f"/hooks/messages/demo/{account.pk}",
        body,
        content_type="application/json",
        headers={"X-Hub-Signature-256": signature},
    )
    assert response.status_code == 200
    assert json.loads(response.content)["content"]["reports"] == 0


def test_messages_of_a_closed_store_are_still_delivered(queue: Any, sms: Any, provider: Provider, store: Store) -> None:
    store.active = False
    store.save()
    queue()
    delivery.drain()
    assert Message.objects.get().status == Status.SENT
