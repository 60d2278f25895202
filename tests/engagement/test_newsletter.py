"""Who gets the newsletter: subscribing, the click, leaving, bouncing, being forgotten."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from engagement.newsletter import links, selectors, services
from engagement.newsletter.models import (
    NewsletterConsent,
    NewsletterRequest,
    NewsletterSubscription,
    NewsletterText,
)
from messaging import consent, delivery
from messaging import services as messaging
from messaging.models import Message, ProviderAccount
from messaging.reports import record_reports
from storefront import events, privacy
from storefront.contracts import DeliveryFailed, DeliveryReport
from storefront.models import Store
from tests.api import shoppers
from tests.contract import assert_is_error, assert_matches
from tests.engagement.conftest import history, link_in, state_of
from tests.threads import in_parallel

pytestmark = pytest.mark.django_db

EMAIL = "asha@example.com"


def wants(store: Store, category: str = "newsletter", channel: str = "email", to: str = EMAIL) -> bool:
    return consent.given(store=store, to=to, channel=channel, category=category)


def sealed(store: Store, kind: str = links.UNSUBSCRIBE, email: str = EMAIL, **ago: Any) -> str:
    return links.seal(store=store, kind=kind, email=email, now=timezone.now() - timedelta(**ago))


def address(store: Store, kind: str, secret: str) -> str:
    return links.path(store=store, kind=kind, sealed=secret)


# --- subscribing ----------------------------------------------------------------------------------------------------
def test_an_address_is_subscribed_once_and_repeats_succeed_quietly(store, subscribe):
    first = subscribe()
    body = assert_matches("subscribe-newsletter", first)
    assert "content" not in body
    again = subscribe("ASHA@example.com")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    row = NewsletterSubscription.objects.get()
    assert (row.store_id, row.email, row.state, row.user_id) == ("demo", EMAIL, "subscribed", "")
    assert history(store) == [("subscribed", "storefront")]
    assert not Message.objects.exists()


@pytest.mark.parametrize("double", [False, True])
def test_the_answer_does_not_tell_what_was_there(store, change, subscribe, double):
    change(newsletter_double_opt_in=double)
    for number, state in enumerate(NewsletterSubscription.State.values):
        NewsletterSubscription.objects.create(store=store, email=f"p{number}@example.com", state=state)
    answers = {subscribe(f"p{number}@example.com").content for number in range(5)}  # the last is new
    assert len(answers) == 1


@pytest.mark.parametrize(
    "email", ["", "x", "a@b", "a b@example.com", "a@example.com\nBcc: b@c.de", "a" * 250 + "@b.de", 7, None, {}, []]
)
def test_what_is_no_address_is_refused_and_nothing_kept(store, subscribe, email):
    response = subscribe(email)
    if email == 7:
        assert response.status_code == 400
    assert_is_error(
        response, 400, "validation_error" if not isinstance(email, str) or not email else None, field="email"
    )
    assert not NewsletterSubscription.objects.exists()


def test_a_token_is_needed_and_an_empty_body_refused(store, api, visitor):
    assert_is_error(visitor.post("/campaigns/newsletter-subscribe", {}), 400, field="email")
    visitor.token = ""
    assert_is_error(visitor.post("/campaigns/newsletter-subscribe", {"email": EMAIL}, X_Api_Key=api.key), 401)


def test_stores_keep_their_lists_apart(store, other_store, subscribe):
    subscribe()
    assert wants(store) and not wants(other_store)
    services.subscribe(store=other_store, email=EMAIL)
    services.unsubscribe(store=store, sealed=sealed(store))
    assert (state_of(store), state_of(other_store)) == ("unsubscribed", "subscribed")
    with pytest.raises(links.BadLink):
        services.unsubscribe(store=other_store, sealed=sealed(store))


def test_forms_are_braked_by_caller_and_by_network(store, subscribe, configure):
    configure(LIMITS_ENABLED=True, LIMITS={"newsletter": "2/60", "newsletter_network": "100/60"})
    for number in range(2):
        assert subscribe(f"p{number}@example.com").status_code == 200
    refused = subscribe("p2@example.com")
    assert_is_error(refused, 429)
    assert int(refused["Retry-After"]) > 0
    assert NewsletterSubscription.objects.count() == 2


def test_the_network_is_kept_coarsely_and_the_words_for_good(store, change, subscribe):
    change(newsletter_text="News once a week.")
    subscribe()
    first = NewsletterConsent.objects.get()
    assert first.network == "127.0.0.0/24"
    change(newsletter_text="News every day.")
    subscribe("b@example.com")
    second = NewsletterConsent.objects.exclude(pk=first.pk).get()
    texts = dict(NewsletterText.objects.values_list("version", "text"))
    assert texts == {first.text_version: "News once a week.", second.text_version: "News every day."}
    assert services.coarse("2001:db8:1:2::/64") == "2001:db8:1::/48"
    assert services.coarse("unknown") == ""


def test_the_history_is_only_added_to(store, subscribe):
    subscribe()
    word = NewsletterConsent.objects.get()
    word.kind = "unsubscribed"
    with pytest.raises(TypeError):
        word.save()
    with pytest.raises(TypeError):
        NewsletterConsent.objects.update(kind="unsubscribed")
    assert history(store) == [("subscribed", "storefront")]


# --- double opt-in --------------------------------------------------------------------------------------------------
def test_with_double_opt_in_an_address_waits_for_a_click(store, change, subscribe, client):
    change(newsletter_double_opt_in=True)
    subscribe()
    assert state_of(store) == "pending" and not wants(store)
    message = Message.objects.get()
    assert (message.to, message.template, message.category) == (EMAIL, "newsletter_confirm", "transactional")
    assert "gAAAA" not in str(message.values)
    link = link_in(message)
    asked = client.get(link)
    assert asked.status_code == 200 and b"<form" in asked.content
    assert state_of(store) == "pending"  # opening it changes nothing
    for _time in range(2):
        done = client.post(link)
        assert done.status_code == 200 and b"subscribed" in done.content
    assert wants(store)
    assert history(store) == [("asked", "storefront"), ("subscribed", "link")]


def test_asking_again_sends_few_messages_and_says_nothing_about_it(store, change, subscribe, configure):
    configure(LIMITS_ENABLED=True, LIMITS={"newsletter_contact": "2/86400"})
    change(newsletter_double_opt_in=True)
    assert len({subscribe().content for _time in range(5)}) == 1
    assert Message.objects.count() == 2


def test_a_link_is_worth_nothing_when_it_is_old_forged_of_another_kind_or_store(store, other_store, client):
    NewsletterSubscription.objects.create(store=store, email=EMAIL, state="pending")
    good = sealed(store, links.CONFIRM)
    for bad in (
        sealed(store, links.CONFIRM, days=8),
        sealed(store, links.UNSUBSCRIBE),
        good[:-3] + "abc",
        "x",
        "x" * 2000,
        "%F0%9F%98%80",
    ):
        for response in (
            client.get(address(store, links.CONFIRM, bad)),
            client.post(address(store, links.CONFIRM, bad)),
        ):
            assert response.status_code == 404
    assert client.post(address(other_store, links.CONFIRM, good)).status_code == 404
    assert client.post("/newsletter/nowhere/confirm/" + good).status_code == 404
    assert state_of(store) == "pending"


def test_a_link_does_not_bring_back_who_has_left_since(store, client):
    NewsletterSubscription.objects.create(store=store, email=EMAIL, state="unsubscribed", refuses_promotions=True)
    assert client.post(address(store, links.CONFIRM, sealed(store, links.CONFIRM))).status_code == 404
    assert state_of(store) == "unsubscribed"


def test_who_never_clicks_is_forgotten_and_who_left_before_stays_out(store, change, subscribe):
    change(newsletter_double_opt_in=True)
    subscribe()
    services.leave(store=store, email="b@example.com", source=services.Source.LINK)
    subscribe("b@example.com")
    assert state_of(store, "b@example.com") == "pending" and not wants(store, "promotional", to="b@example.com")
    services.purge(now=timezone.now() + timedelta(days=6), batch=10)
    assert NewsletterSubscription.objects.count() == 2
    services.purge(now=timezone.now() + timedelta(days=8), batch=10)
    assert (state_of(store), state_of(store, "b@example.com")) == ("", "unsubscribed")
    assert not wants(store, "promotional", to="b@example.com")


# --- leaving --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("body", "source"), [({}, "link"), ({"List-Unsubscribe": "One-Click"}, "one_click")])
def test_a_link_ends_newsletter_and_offers_at_one_post_and_only_then(store, subscribe, client, body, source):
    subscribe()
    link = address(store, links.UNSUBSCRIBE, sealed(store, days=900))
    assert client.get(link).status_code == 200
    assert wants(store)
    for _time in range(2):
        assert client.post(link, body).status_code == 200
    assert not wants(store) and not wants(store, "promotional")
    assert wants(store, "transactional") and wants(store, "promotional", "sms", "+919876543210")
    assert history(store) == [("subscribed", "storefront"), ("unsubscribed", source)]


def test_nobody_but_its_owner_brings_back_an_address_that_left(store, subscribe, client, shopper):
    subscribe()
    services.leave(store=store, email=EMAIL, source=services.Source.LINK)
    assert subscribe().status_code == 200  # by somebody: the answer is the same, the address is asked
    assert state_of(store) == "pending" and not wants(store)
    assert client.post(address(store, links.CONFIRM, sealed(store, links.CONFIRM))).status_code == 200
    assert wants(store)
    services.leave(store=store, email=EMAIL, source=services.Source.LINK)
    assert shopper.post("/campaigns/newsletter-subscribe", {"email": EMAIL}).status_code == 200
    services.drain()
    assert wants(store)  # who has proven the address needs no click


def test_who_never_subscribed_can_refuse_offers(store, client):
    assert wants(store, "promotional") and not wants(store)
    client.post(address(store, links.UNSUBSCRIBE, sealed(store)))
    assert not wants(store, "promotional")


def test_pages_run_nothing_and_tell_nobody_where_from(store, client):
    page = client.get(address(store, links.UNSUBSCRIBE, sealed(store)))
    assert page["Content-Security-Policy"].startswith("default-src 'none'")
    assert page["Referrer-Policy"] == "no-referrer" and "no-store" in page["Cache-Control"]
    assert EMAIL not in page.content.decode()


def test_clicks_are_braked_by_network(store, client, configure):
    configure(LIMITS_ENABLED=True, LIMITS={"newsletter_link": "1/60"})
    link = address(store, links.UNSUBSCRIBE, sealed(store))
    assert client.post(link).status_code == 200
    braked = client.post(link)
    assert braked.status_code == 429 and braked["Retry-After"]


# --- messages -------------------------------------------------------------------------------------------------------
def send(store: Store, category: str = "newsletter", to: str = EMAIL) -> Message:
    message = messaging.queue(store=store, to=to, channel="email", template="welcome", category=category)
    delivery.drain()
    message.refresh_from_db()
    return message


def test_a_newsletter_goes_to_who_wants_it_with_a_way_out(
    store, provider, add_account, configure, subscribe, client, settings
):
    settings.STOREFRONT = settings.STOREFRONT | {"PUBLIC_URL": "https://shop.example"}
    add_account("email")
    assert send(store).reason == "no_consent"
    subscribe()
    assert send(store).status == "sent"
    (_sender, rendered), *others = provider.sent
    assert not others
    assert rendered.opt_out_url.startswith("https://shop.example/newsletter/demo/unsubscribe/")
    assert rendered.opt_out_url in rendered.text and rendered.opt_out_url in rendered.html
    client.post(rendered.opt_out_url.removeprefix("https://shop.example"), {"List-Unsubscribe": "One-Click"})
    assert send(store).reason == send(store, "promotional").reason == "no_consent"
    assert send(store, "transactional").status == "sent"
    assert provider.sent[-1][1].opt_out_url == ""
    assert len(provider.sent) == 2


def test_mail_programs_are_told_where_one_click_unsubscribes(store, subscribe, mailoutbox, settings, configure):
    configure(PUBLIC_URL="https://shop.example")
    ProviderAccount.objects.create(
        store=store,
        name="Mail",
        channel="email",
        driver="email",
        sender="news@shop.example",
        options={"backend": "django.core.mail.backends.locmem.EmailBackend"},
    )
    subscribe()
    assert send(store).status == "sent"
    assert send(store, "transactional").status == "sent"
    newsletter, other = mailoutbox
    assert newsletter.extra_headers["List-Unsubscribe"].startswith("<https://shop.example/newsletter/demo/unsubscribe/")
    assert newsletter.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "List-Unsubscribe" not in other.extra_headers


@pytest.mark.parametrize("how", ["refused", "reported"])
def test_an_address_that_bounces_gets_nothing_until_staff_say_so(store, provider, add_account, subscribe, how):
    account = add_account("email")
    subscribe()
    if how == "refused":
        provider.answers.append(DeliveryFailed("address_refused", retry=False))
        send(store)
    else:
        message = send(store)
        reports = [DeliveryReport(provider_message_id=message.provider_message_id, status="failed", reason="gone")]
        record_reports(store=store, account=account, reports=reports * 2)
    assert state_of(store) == "suppressed"
    assert not wants(store) and not wants(store, "promotional")
    subscribe()
    assert state_of(store) == "suppressed"
    assert history(store) == [("subscribed", "storefront"), ("suppressed", "bounce")]
    assert services.restore(store=store, email=EMAIL, detail="anna") is True
    assert services.restore(store=store, email=EMAIL, detail="anna") is False
    assert wants(store)


@pytest.mark.parametrize("reason", ["timeout", "http_500", "rate_limited", "unreachable"])
def test_trouble_of_the_server_is_no_bounce(store, provider, add_account, subscribe, reason):
    add_account("email")
    subscribe()
    provider.answers.append(DeliveryFailed(reason, retry=True))
    send(store)
    assert state_of(store) == "subscribed"


def test_an_address_that_left_and_bounced_stays_out_when_it_is_restored(store, subscribe):
    subscribe()
    services.leave(store=store, email=EMAIL, source=services.Source.LINK)
    services.bounced(store=store, to=EMAIL, channel="email", reason="address_refused")
    services.bounced(store=store, to="+919876543210", channel="sms", reason="address_refused")
    services.restore(store=store, email=EMAIL, detail="anna")
    assert state_of(store) == "unsubscribed" and not wants(store, "promotional")


# --- accounts -------------------------------------------------------------------------------------------------------
@pytest.fixture
def shopper(store: Store, configure: Any) -> Any:
    """A registered shopper with a proven address."""
    configure(OTP_DEBUG=True)
    return shoppers.registered(store, EMAIL)


def preferences(shopper: Any) -> Any:
    path = f"/auth/user/{shopper.user_id}/notification-preferences"
    return shopper.get(path).json()["content"]["notification_preferences"]


def prefer(shopper: Any, **topics: bool) -> None:
    path = f"/auth/user/{shopper.user_id}/notification-preferences"
    sent = {"notification_preferences": {topic: {"email": value} for topic, value in topics.items()}}
    assert shopper.put(path, sent).status_code == 200


def test_the_switches_of_an_account_and_the_form_follow_each_other(store, shopper, client):
    assert preferences(shopper)["newsletter"]["email"] is False
    shopper.post("/campaigns/newsletter-subscribe", {"email": EMAIL})
    services.drain()
    assert preferences(shopper)["newsletter"]["email"] is True
    assert wants(store)
    prefer(shopper, promotional=True)
    client.post(address(store, links.UNSUBSCRIBE, sealed(store)))
    assert preferences(shopper)["newsletter"]["email"] is preferences(shopper)["promotional"]["email"] is False
    assert not wants(store) and not wants(store, "promotional")
    prefer(shopper, newsletter=True)
    assert wants(store) and not wants(store, "promotional")
    prefer(shopper, promotional=True)
    assert wants(store, "promotional")
    prefer(shopper, newsletter=False)
    assert not wants(store) and wants(store, "promotional")
    assert [entry for entry in history(store) if entry[1] == "preferences"] == [
        ("subscribed", "preferences"),
        ("unsubscribed", "preferences"),
    ]


def test_the_switches_need_no_click_for_they_are_the_owner_s(store, change, shopper):
    change(newsletter_double_opt_in=True)
    prefer(shopper, newsletter=True)
    assert wants(store)
    assert not Message.objects.filter(template="newsletter_confirm").exists()


def test_a_shopper_gets_their_data_and_is_forgotten(store, shopper):
    shopper.post("/campaigns/newsletter-subscribe", {"email": EMAIL})
    shopper.post("/campaigns/newsletter-subscribe", {"email": "second@example.com"})
    services.drain()
    services.subscribe(store=store, email="friend@example.com")
    found = privacy.export(store=store, user_id=shopper.user_id, customer_id=None)["newsletter"]
    assert [row["email"] for row in found] == [EMAIL, "second@example.com"]
    assert found[0]["history"][0]["source"] == "storefront"
    assert shopper.delete(f"/auth/user/{shopper.user_id}").status_code == 200
    assert list(NewsletterSubscription.objects.values_list("email", flat=True)) == ["friend@example.com"]
    assert NewsletterConsent.objects.count() == 1


def test_a_proven_address_is_forgotten_though_a_visitor_subscribed_it(store, subscribe, shopper):
    subscribe()
    assert NewsletterSubscription.objects.get().user_id == ""
    shopper.delete(f"/auth/user/{shopper.user_id}")
    assert not NewsletterSubscription.objects.exists()


def test_a_refused_change_of_the_account_changes_no_list(store, shopper):
    with pytest.raises(RuntimeError), transaction.atomic():
        events.send("shopper.preferences", store=store, email=EMAIL, preferences={"newsletter": {"email": True}})
        raise RuntimeError
    assert not NewsletterSubscription.objects.exists()


# --- at once --------------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_many_forms_at_once_make_one_subscription_with_one_word(store):
    in_parallel(lambda _number: services.subscribe(store=store, email=EMAIL), 8)
    assert history(store) == [("subscribed", "storefront")]


@pytest.mark.django_db(transaction=True)
def test_going_and_coming_at_once_leaves_a_state_that_its_history_explains(store):
    services.subscribe(store=store, email=EMAIL)
    secret = sealed(store)
    calls = [
        lambda: services.unsubscribe(store=store, sealed=secret),
        lambda: services.subscribe(store=store, email=EMAIL),
    ]
    in_parallel(lambda number: calls[number % 2](), 6)
    kinds = [kind for kind, _source in history(store)]
    assert all(first != second for first, second in itertools.pairwise(kinds)), kinds
    assert state_of(store) == {"asked": "pending"}.get(kinds[-1], kinds[-1])


# --- the list -------------------------------------------------------------------------------------------------------
def test_the_export_is_streamed_and_runs_no_formula(store, other_store, django_assert_num_queries):
    for number, email in enumerate(
        ("=cmd|' /c calc'!a1@example.com", "+1@example.com", "-2@example.com", "plain@example.com")
    ):
        NewsletterSubscription.objects.create(store=store, email=email, user_id="@u" if number == 3 else "")
    NewsletterSubscription.objects.create(store=other_store, email="theirs@example.com")
    from storefront.spreadsheets import csv_lines

    with django_assert_num_queries(1):
        text = b"".join(csv_lines(selectors.EXPORT_COLUMNS, selectors.export_rows(store=store))).decode("utf-8-sig")
    lines = text.splitlines()
    assert lines[0] == ",".join(selectors.EXPORT_COLUMNS) and len(lines) == 5
    assert sorted(line.split(",")[0] for line in lines[1:]) == [
        "'+1@example.com",
        "'-2@example.com",
        "'=cmd|' /c calc'!a1@example.com",
        "plain@example.com",
    ]
    assert [line for line in lines if line.endswith(",'@u")] == [line for line in lines if "plain" in line]


# --- the form ---------------------------------------------------------------------------------------------------------
def statements(visitor: Any, email: str) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        assert visitor.post("/campaigns/newsletter-subscribe", {"email": email}).status_code == 200
    return [re.sub(r"'[^']*'|[0-9]+|%\([^)]*\)s|NULL", "?", query["sql"]) for query in queries]


@pytest.mark.parametrize("double", [False, True])
def test_a_form_costs_the_same_whatever_is_known_of_its_address(store, change, visitor, double):
    change(newsletter_double_opt_in=double)
    for state in NewsletterSubscription.State.values:
        NewsletterSubscription.objects.create(store=store, email=f"{state}@example.com", state=state)
    statements(visitor, "first@example.com")  # what a process reads once
    new = statements(visitor, "new@example.com")
    for state in NewsletterSubscription.State.values:
        assert statements(visitor, f"{state}@example.com") == new
    assert sum("INSERT" in sql for sql in new) == 1
    assert not NewsletterConsent.objects.exists()
    assert services.drain() == 6
    assert not NewsletterRequest.objects.exists()


def test_a_form_that_cannot_be_worked_off_waits_and_holds_up_nobody(store, visitor, monkeypatch):
    subscribe = services.subscribe

    def fail(**form: Any) -> None:
        if form["email"] == "bad@example.com":
            raise RuntimeError
        subscribe(**form)

    monkeypatch.setattr(services, "subscribe", fail)
    for email in ("bad@example.com", EMAIL):
        visitor.post("/campaigns/newsletter-subscribe", {"email": email})
    assert services.drain() == 2
    assert (state_of(store), state_of(store, "bad@example.com")) == ("subscribed", "")
    assert NewsletterRequest.objects.get().attempts == 1
    monkeypatch.setattr(services, "subscribe", subscribe)
    assert services.drain() == 0  # its lease still runs
    with time_machine.travel(timezone.now() + services.LEASE, tick=False):
        assert services.drain() == 1
    assert state_of(store, "bad@example.com") == "subscribed"


def test_a_form_that_never_works_is_thrown_away(store, visitor, monkeypatch):
    monkeypatch.setattr(services, "subscribe", lambda **_: 1 / 0)
    visitor.post("/campaigns/newsletter-subscribe", {"email": EMAIL})
    NewsletterRequest.objects.update(attempts=services.ATTEMPTS - 1)
    services.drain()
    assert not NewsletterRequest.objects.exists()


def test_who_is_forgotten_is_not_subscribed_by_a_form_that_waited(store, visitor):
    visitor.post("/campaigns/newsletter-subscribe", {"email": EMAIL})
    messaging.forget_contacts(store=store, contacts=[EMAIL])
    services.drain()
    assert state_of(store) == ""


def test_the_link_leads_where_the_form_came_from(store, change, visitor, configure):
    configure(PUBLIC_URL="https://shop.example")
    change(newsletter_double_opt_in=True)
    visitor.post("/campaigns/newsletter-subscribe", {"email": EMAIL})
    configure(PUBLIC_URL="")
    services.drain()
    assert Message.objects.get().values["page"].startswith("https://shop.example/newsletter/demo/confirm/")
