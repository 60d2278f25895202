"""Staff's pages for messages: what they show, what they never show, and what they may set off."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from messaging import delivery
from messaging.models import Message, MessageTemplate, ProviderAccount, Status
from storefront import outgoing
from storefront.models import Store
from tests.messaging.conftest import Provider, fresh

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _admin_alone(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.messaging.urls"


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", "anna@example.com", "x"))
    return client


@pytest.fixture
def clerk(db: None) -> Client:
    """Staff who may look at messages and accounts, and no more."""
    from django.contrib.auth.models import Permission

    user = get_user_model().objects.create_user("hugo", password="x", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_message", "view_provideraccount", "view_messagetemplate"])
    )
    client = Client()
    client.force_login(user)
    return client


def _page(model: str, page: str, *args: Any) -> str:
    return reverse(f"admin:storefront_messaging_{model}_{page}", args=args)


# --- messages -------------------------------------------------------------------------------------------------------


def test_the_list_masks_contacts_finds_by_them_and_never_shows_a_code(
    staff: Client, queue: Any, sms: Any, provider: Provider
) -> None:
    queue()
    delivery.drain()
    address = _page("message", "changelist")
    text = staff.get(address, {"q": "+9198765"}).content.decode()
    assert "+91******3210" in text
    assert "482913" not in text
    assert "+91******3210" not in staff.get(address, {"q": "+9111"}).content.decode()
    for status, shown in (("sent", True), ("delivered", False), ("failed", False), ("queued", False)):
        assert ("+91******3210" in staff.get(address, {"status": status}).content.decode()) is shown
    page = staff.get(_page("message", "change", Message.objects.get().pk)).content.decode()
    assert "sms-1" in page
    assert "482913" not in page


def test_the_list_asks_no_more_for_many_messages_than_for_few(
    staff: Client, queue: Any, sms: Any, provider: Provider, other_store: Store
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(_page("message", "changelist")).status_code == 200
        return len(captured)

    queue()
    queue(store=other_store)
    delivery.drain()
    queries()
    few = queries()
    for number in range(20):
        queue(to=f"+9198{number:08d}", store=other_store)
    delivery.drain()
    assert queries() == few


def test_a_dead_letter_goes_again_one_by_one_and_in_bulk(
    staff: Client, queue: Any, sms: Any, provider: Provider, failing: Any
) -> None:
    provider.always["sms"] = failing("x", retry=False)
    one, two, three = queue(), queue(), queue()
    delivery.drain()
    provider.always = {}
    again = reverse("admin:storefront_messaging_message_send_this_again", args=[one.pk])
    staff.get(again)
    assert fresh(one).status == Status.FAILED  # looking asks first
    staff.post(again)
    bulk = {"action": "send_again", "_selected_action": [two.pk, three.pk]}
    response = staff.post(_page("message", "changelist"), bulk, follow=True)
    assert "2 messages are on their way again" in response.content.decode()
    delivery.drain()
    assert {fresh(message).status for message in (one, two, three)} == {Status.SENT}
    response = staff.post(_page("message", "changelist"), bulk, follow=True)
    assert "2 were passed over" in response.content.decode()
    assert len(provider.sent) == 3


def test_looking_is_not_sending(
    clerk: Client, queue: Any, sms: ProviderAccount, provider: Provider, failing: Any
) -> None:
    provider.always["sms"] = failing("x", retry=False)
    message = queue()
    delivery.drain()
    again = reverse("admin:storefront_messaging_message_send_this_again", args=[message.pk])
    assert clerk.get(again).status_code == 403
    clerk.post(_page("message", "changelist"), {"action": "send_again", "_selected_action": [message.pk]})
    assert fresh(message).status == Status.FAILED
    test = reverse("admin:storefront_messaging_provideraccount_test_send", args=[sms.pk])
    assert clerk.post(test, {"to": "9876543210"}).status_code == 403
    assert not provider.sent


# --- accounts -------------------------------------------------------------------------------------------------------


def _account(**changes: Any) -> dict[str, Any]:
    given = {
        "name": "Twilio",
        "sender": "+15005550006",
        "active": "on",
        "priority": "10",
        "daily_budget": "",
        "options": "{}",
        "credential_account_sid": "",
        "credential_auth_token": "",
    }
    return given | changes


def test_an_account_is_made_in_two_steps_and_its_credentials_never_come_back(
    staff: Client, store: Store, configure: Any
) -> None:
    configure(PUBLIC_URL="https://shop.example")
    response = staff.post(
        _page("provideraccount", "add"),
        {"store": store.pk, "name": "Twilio", "channel": "sms", "driver": "twilio"},
    )
    account = ProviderAccount.objects.get()
    address = _page("provideraccount", "change", account.pk)
    assert response["Location"] == address
    text = staff.get(address).content.decode()
    assert "credential_account_sid" in text
    assert "credential_auth_key" not in text  # another driver's
    assert f"https://shop.example/hooks/messages/demo/{account.pk}" in text

    refused = staff.post(address, _account(credential_account_sid="AC1"))
    assert refused.status_code == 200  # the driver needs the other one too
    assert "look at auth_token" in refused.content.decode()
    secret = {"credential_account_sid": "AC1-private", "credential_auth_token": "token-private"}
    response = staff.post(address, _account(**secret))
    assert response.status_code == 302, response.context["adminform"].form.errors
    account.refresh_from_db()
    assert account.credentials == {"account_sid": "AC1-private", "auth_token": "token-private"}
    for page in (address, _page("provideraccount", "changelist"), _page("provideraccount", "history", account.pk)):
        assert "private" not in staff.get(page).content.decode()
    assert "private" not in json.dumps(list(LogEntry.objects.values_list("change_message", "object_repr")))

    staff.post(address, _account(credential_auth_token="token-second"))  # the empty one keeps what is stored
    account.refresh_from_db()
    assert account.credentials == {"account_sid": "AC1-private", "auth_token": "token-second"}


def test_a_driver_is_offered_only_for_the_channels_that_it_serves(staff: Client, store: Store) -> None:
    response = staff.post(
        _page("provideraccount", "add"),
        {"store": store.pk, "name": "Twilio", "channel": "email", "driver": "twilio"},
    )
    assert response.status_code == 200
    assert "This driver serves: SMS." in response.content.decode()
    assert not ProviderAccount.objects.exists()


def test_an_option_that_the_driver_does_not_know_is_refused_with_its_name(staff: Client, add_account: Any) -> None:
    account = add_account("sms", driver="twilio", credentials={"account_sid": "a", "auth_token": "b"})
    response = staff.post(
        _page("provideraccount", "change", account.pk), _account(name=account.name, options='{"colour": "red"}')
    )
    assert response.status_code == 200
    assert "look at colour" in response.content.decode()
    account.refresh_from_db()
    assert account.options == {}


@pytest.mark.parametrize("name", ["base_url", "proxy"])
@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest",
        "https://10.0.0.7:8443/",
        "http://gateway.example/",
        "https://inside.example/",
        "https://user@gateway.example/",
        "file:///etc/passwd",
    ],
)
def test_staff_cannot_point_an_account_into_our_own_network(
    staff: Client, add_account: Any, monkeypatch: Any, configure: Any, name: str, address: str
) -> None:
    looked_up = {"inside.example": "10.0.0.9", "gateway.example": "93.184.216.34"}
    monkeypatch.setattr(
        outgoing,
        "_looked_up",
        lambda host, port, seconds: [(socket.AF_INET, 0, 0, "", (looked_up.get(host, host), port))],
    )
    account = add_account("sms", driver="twilio", credentials={"account_sid": "a", "auth_token": "b"})

    def change(where: str) -> int:
        options = json.dumps({name: where})
        return staff.post(
            _page("provideraccount", "change", account.pk), _account(name=account.name, options=options)
        ).status_code

    assert change(address) == 200
    account.refresh_from_db()
    assert account.options == {}
    assert change("https://gateway.example/v1") == 302
    account.refresh_from_db()
    assert account.options == {name: "https://gateway.example/v1"}

    configure(OUTGOING_ALLOWED=("10.0.0.9:3128",))
    assert change("http://10.0.0.9:3128") == 302
    configure(OUTGOING_ALLOWED=())
    assert change("http://10.0.0.9:3128") == 302  # what is there already stays


def test_a_test_message_says_what_the_provider_answered(
    staff: Client, sms: ProviderAccount, provider: Provider, failing: Any
) -> None:
    address = reverse("admin:storefront_messaging_provideraccount_test_send", args=[sms.pk])
    assert "Send a test message" in staff.get(address).content.decode()
    assert not provider.sent
    assert "valid phone number" in staff.post(address, {"to": "12"}).content.decode()
    response = staff.post(address, {"to": "98765 43210"}, follow=True)
    assert "accepted the message as sms-1" in response.content.decode()
    assert provider.sent[0][1].to == "+919876543210"
    provider.answers = [failing("credentials_refused", retry=False)]
    response = staff.post(address, {"to": "9876543210"}, follow=True)
    assert "credentials_refused" in response.content.decode()


# --- templates ------------------------------------------------------------------------------------------------------


def _template(store: Store, **changes: Any) -> dict[str, Any]:
    given = {
        "store": store.pk,
        "code": "otp_login",
        "channel": "sms",
        "language": "en",
        "active": "on",
        "subject": "",
        "text": "{code} opens {store}",
        "html": "",
        "provider_template": "",
        "variables": "[]",
        "provider_options": "{}",
    }
    return given | changes


def test_a_template_is_checked_before_it_is_kept_and_can_be_previewed(staff: Client, store: Store) -> None:
    add = _page("messagetemplate", "add")
    assert "Unknown placeholder" in staff.post(add, _template(store, text="{code} {price}")).content.decode()
    assert not MessageTemplate.objects.exists()
    response = staff.post(add, _template(store))
    assert response.status_code == 302, response.context["adminform"].form.errors
    row = MessageTemplate.objects.get()
    preview = staff.get(reverse("admin:storefront_messaging_messagetemplate_preview", args=[row.pk])).content.decode()
    assert "482913 opens Demo" in preview
    assert "GSM" in preview
    again = staff.post(add, _template(store))
    assert again.status_code == 200  # once per store, channel and language
    assert MessageTemplate.objects.count() == 1


def test_a_preview_of_html_cannot_run_anything(staff: Client, store: Store) -> None:
    row = MessageTemplate.objects.create(
        store=store, code="welcome", channel="email", subject="Hi", text="Hi", html="<script>alert(1)</script>{store}"
    )
    text = staff.get(reverse("admin:storefront_messaging_messagetemplate_preview", args=[row.pk])).content.decode()
    assert "<script>alert" not in text
    assert "sandbox srcdoc=" in text


def test_ones_own_words_begin_with_the_built_in_ones(staff: Client, store: Store) -> None:
    built_in = staff.get(reverse("admin:storefront_messaging_messagetemplate_built_in")).content.decode()
    assert "otp_login" in built_in
    add = _page("messagetemplate", "add") + "?code=otp_login&language=hi&channel=sms"
    assert add.replace("&", "&amp;") in built_in
    text = staff.get(add).content.decode()
    assert "साइन इन" in text


# --- the sandbox inbox ----------------------------------------------------------------------------------------------


@pytest.fixture
def sandbox(configure: Any, settings: Any) -> str:
    settings.DEBUG = True
    configure(SANDBOX_INBOX=True)
    return reverse("admin:messaging_inbox")


def test_the_inbox_shows_codes_that_stand_in_no_row(
    staff: Client, queue: Any, sandbox: str, code: dict[str, str], store: Store
) -> None:
    queue(channel="whatsapp")
    queue(channel="email", to="asha@example.com", template="welcome", secret_ref="")
    delivery.drain()
    response = staff.get(sandbox)
    text = response.content.decode()
    assert "482913" in text
    assert "+919876543210" in text
    assert "Welcome to Demo" in text
    assert "no-store" in response["Cache-Control"]
    part = staff.get(sandbox, {"part": "1"}).content.decode()
    assert "482913" in part
    assert "<html" not in part
    code.clear()
    text = staff.get(sandbox).content.decode()
    assert "482913" not in text
    assert "no longer works" in text


def test_the_inbox_shows_only_stores_in_debug_mode(
    staff: Client, queue: Any, sandbox: str, store: Store, other_store: Store
) -> None:
    queue(store=other_store, to="+919999999999")
    delivery.drain()
    assert "+919999999999" not in staff.get(sandbox, {"store": "other"}).content.decode()
    store.debug_mode = False
    store.save()
    assert "No store is in debug mode" in staff.get(sandbox).content.decode()


@pytest.mark.parametrize(("debug", "switched_on"), [(False, True), (True, False)])
def test_the_inbox_is_empty_outside_development(
    staff: Client, queue: Any, configure: Any, settings: Any, debug: bool, switched_on: bool
) -> None:
    queue()
    settings.DEBUG = debug
    configure(SANDBOX_INBOX=switched_on)
    for query in ({}, {"part": "1"}):
        text = staff.get(reverse("admin:messaging_inbox"), query).content.decode()
        assert "482913" not in text
        assert "+919876543210" not in text


def test_the_inbox_is_for_staff_who_may_see_messages(queue: Any, sandbox: str) -> None:
    queue()
    assert Client().get(sandbox).status_code == 302
    helper = Client()
    helper.force_login(get_user_model().objects.create_user("kim", password="x", is_staff=True))
    response = helper.get(sandbox)
    assert response.status_code == 403
    assert "482913" not in response.content.decode()


def test_an_unreachable_address_is_found_in_full_and_made_reachable(staff: Client, clerk: Client, store: Store) -> None:
    from messaging import selectors
    from messaging.models import UnreachableAddress

    for address in ("asha@example.com", "ravi@example.com"):
        UnreachableAddress.objects.create(
            store=store,
            channel="email",
            address_hash=selectors.address_hashes(store=store, channel="email", address=address)[0],
            shown=f"{address[0]}***@example.com",
            reason="bounced",
        )
    address = _page("unreachableaddress", "changelist")
    page = staff.get(address, {"q": "Asha@example.com"}).content.decode()
    assert "a***@example.com" in page and "r***@example.com" not in page
    assert "a***@example.com" not in staff.get(address, {"q": "asha@example"}).content.decode()
    row = UnreachableAddress.objects.get(shown="a***@example.com")
    clerk.post(address, {"action": "lift", "_selected_action": [str(row.pk)]})
    assert UnreachableAddress.objects.count() == 2
    staff.post(address, {"action": "lift", "_selected_action": [str(row.pk)]})
    assert [mark.shown for mark in UnreachableAddress.objects.all()] == ["r***@example.com"]
