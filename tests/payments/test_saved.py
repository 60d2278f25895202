"""Saved means: mirrored from providers, shown while these are away, never a card's number; erased with a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core import serializers as dumps
from django.db import DataError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from payments import demo, errands, saved
from payments.models import (
    CreditEntry,
    CreditLine,
    Errand,
    GatewayCustomer,
    Mandate,
    MandateDebit,
    PaymentProvider,
    SandboxRecord,
    SavedCard,
    SavedMethod,
)
from payments.sandbox import Sandbox
from storefront import outbox, privacy
from storefront.errors import Unavailable
from storefront.models import Store
from tests.contract import assert_component, assert_is_error, assert_matches
from tests.payments.conftest import VISA
from tests.payments.factories import card_row, mandate_row

pytestmark = pytest.mark.django_db
PAN = "4242424242424242"


def cards(api: Any) -> list[str]:
    return [card["card_number"][-4:] for card in api.get(f"{api.path}/cards").json()["content"]["cards"]]


def age(**span: Any) -> None:
    GatewayCustomer.objects.update(refreshed_at=timezone.now() - timedelta(**span))


# --- the mirror -------------------------------------------------------------------------------------------------------
def test_the_mirror_follows_the_provider_and_keeps_ids(
    shopper: Any, kept: GatewayCustomer, sandbox: Sandbox, store: Store
) -> None:
    assert cards(shopper) == ["1881", "4242"]
    visa = SavedCard.objects.get(last4="4242").pk
    SandboxRecord.objects.filter(kind="card", reference="tok_old").delete()
    sandbox.save_card(
        store_id=store.pk, customer_reference=kept.reference, card=replace(VISA, reference="tok_new", last4="0005")
    )
    SandboxRecord.objects.filter(reference="tok_visa").update(
        data={**SandboxRecord.objects.get(reference="tok_visa").data, "nickname": "Work"}
    )
    assert cards(shopper) == ["1881", "4242"], "believed for a while"
    age(minutes=2)
    assert cards(shopper) == ["0005", "4242"]
    row = SavedCard.objects.get(last4="4242")
    assert (row.pk, row.nickname) == (visa, "Work")


def test_while_the_provider_is_away_what_was_known_is_shown_and_it_is_not_asked_at_every_read(
    shopper: Any, kept: GatewayCustomer, monkeypatch: Any
) -> None:
    assert len(cards(shopper)) == 2
    calls = []

    def away(*_: Any, **__: Any) -> None:
        calls.append(1)
        raise Unavailable

    monkeypatch.setattr(Sandbox, "saved_cards", away)
    age(minutes=2)
    for _repeat in range(3):
        assert cards(shopper) == ["1881", "4242"]
    assert len(calls) == 1


def test_reading_costs_three_queries_however_much_is_saved(
    shopper: Any, kept: GatewayCustomer, sandbox: Sandbox, store: Store
) -> None:
    cards(shopper)
    now = timezone.now()
    for rows in (2, 12):
        with CaptureQueriesContext(connection) as queries:
            (holder,) = saved.means(store=store, customer_id=shopper.customer_id, now=now)
            assert len(holder.cards.all()) == rows and len(holder.methods.all()) == 2
            assert all(
                card.reference and method.label for card in holder.cards.all() for method in holder.methods.all()
            )
        assert len(queries) == 3
        for number in range(10):
            fresh = replace(VISA, reference=f"tok_{number}")
            sandbox.save_card(store_id=store.pk, customer_reference=kept.reference, card=fresh)
        saved.refresh(holder, now=now)


def test_an_inactive_provider_shows_nothing(shopper: Any, kept: GatewayCustomer, provider: PaymentProvider) -> None:
    cards(shopper)
    PaymentProvider.objects.update(active=False)
    assert cards(shopper) == []


# --- no card number ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("field", ["reference", "nickname", "holder_name", "issuer", "fingerprint", "brand"])
@pytest.mark.parametrize("text", [PAN, "4242 4242 4242 4242", "4242-4242-4242-4242", f"x{PAN}y"])
def test_a_gateway_that_sends_a_cards_number_is_not_mirrored(
    shopper: Any, kept: GatewayCustomer, sandbox: Sandbox, store: Store, field: str, text: str, caplog: Any
) -> None:
    card = replace(VISA, reference="tok_bad") if field != "reference" else VISA
    SandboxRecord.objects.create(
        store=store,
        kind="card",
        reference="bad",
        parent=kept.reference,
        data={name: getattr(card, name) for name in card.__slots__} | {field: text},
    )
    assert cards(shopper) == ["1881", "4242"]
    assert "saved_card_refused" in caplog.text
    assert "4242424242" not in caplog.text and "4242 4242" not in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        {field: text}
        for field in (
            "brand",
            "kind",
            "holder_name",
            "nickname",
            "issuer",
            "issuer_country",
            "country_code",
            "bank_code",
        )
        for text in (PAN, "4242 4242 4242 4242", "424242424242")
    ]
    + [
        {"last4": PAN},
        {"last4": "42x2"},
        {"bin": PAN},
        {"bin": "42424"},
        {"reference_hash": PAN},
        {"expiry_month": 13},
    ],
    ids=str,
)
def test_no_column_takes_the_number_of_a_card(store: Store, change: dict[str, Any]) -> None:
    row = card_row(store, 1)
    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        SavedCard.objects.filter(pk=row.pk).update(**change)


@given(st.from_regex(r"\A[a-z]{0,5}(?:[0-9][ .-]?){12,19}[a-z]{0,5}\Z"))
def test_what_is_cut_for_a_column_never_has_twelve_digits_in_a_row(text: str) -> None:
    assert not saved._DIGITS.search(saved._text(text, 200))


def test_luhn_tells_cards_from_other_numbers() -> None:
    for card in (PAN, "378282246310005", "6011 1111 1111 1117", "6304000000000000"):
        assert saved.looks_like_a_card(card), card
    for other in ("4242424242424241", "1881", "tok_424242", "2031-05-06", ""):
        assert not saved.looks_like_a_card(other), other


def test_names_and_addresses_are_masked() -> None:
    assert saved.mask_name("Asha  Rao") == "A*** R***"
    assert saved.mask_vpa("asha.rao@bank") == "as***@bank"
    assert saved.mask_vpa("a@b") == "a***@b"


# --- nothing in dumps and logs ----------------------------------------------------------------------------------------
def test_nothing_secret_is_in_a_dump_or_in_the_log(
    shopper: Any, kept: GatewayCustomer, mandate: dict[str, Any], provider: PaymentProvider, caplog: Any, capfd: Any
) -> None:
    provider.credentials = {"secret": "hush-hush"}
    provider.save()
    for path in ("cards", "payment-methods", "mandates", f"mandates/{mandate['id']}?sync=true", "credit-line-balance"):
        assert shopper.get(f"{shopper.path}/{path}").status_code == 200
    models = (PaymentProvider, GatewayCustomer, SavedCard, SavedMethod, Mandate, MandateDebit, CreditLine, CreditEntry)
    rows = [row for model in models for row in model._default_manager.all()]
    text = dumps.serialize("json", rows) + caplog.text + "".join(capfd.readouterr())
    for secret in ("50100000000001", "tok_visa", "fp_visa", "asha.rao", "hush-hush", "9876543210", "Rao"):
        assert secret not in text, secret


# --- providers for clients --------------------------------------------------------------------------------------------
def test_clients_see_providers_without_credentials(store: Store, provider: PaymentProvider, api: Any) -> None:
    provider.credentials, provider.config = {"secret": "hush-hush"}, {"key": "public"}
    provider.save()
    PaymentProvider.objects.create(store=store, slug="gone", gateway="gone", name="Gone")
    PaymentProvider.objects.create(store=store, slug="off", gateway="sandbox", name="Off", active=False)
    config = assert_matches("get-config", api.get("/store/config", X_Api_Key=api.key))
    (shown,) = config["store_config"]["payment_providers"]
    assert_component("PaymentProvider", shown)
    assert (shown["payment_provider_slug"], shown["config"]) == ("sandbox", {"key": "public"})
    assert "hush-hush" not in str(shown)


# --- a person's rights ------------------------------------------------------------------------------------------------
def test_a_shopper_can_take_what_is_known_along(
    shopper: Any, kept: GatewayCustomer, mandate: dict[str, Any], store: Store
) -> None:
    cards(shopper)
    taken = privacy.export(store=store, user_id=shopper.user_id, customer_id=shopper.customer_id)["payments"]
    assert [card["card_number"][-4:] for card in taken["cards"]] == ["1881", "4242"]
    assert [row["id"] for row in taken["mandates"]] == [mandate["id"]]
    assert taken["credit_line"]["total_credit_limit"] == 1000.0
    assert "50100000000001" not in str(taken)
    other = privacy.export(store=store, user_id="nobody", customer_id="nobody")
    assert "payments" not in other


def test_erasing_a_customer_ends_mandates_and_forgets_means_here_and_at_the_provider(
    shopper: Any, kept: GatewayCustomer, mandate: dict[str, Any], store: Store, stranger: Any
) -> None:
    cards(shopper)
    other = mandate_row(store, stranger.customer_id)
    assert shopper.delete(f"/auth/user/{shopper.user_id}").status_code == 200
    row = Mandate.objects.get(pk=mandate["id"])
    assert (row.status, row.reason, row.bank, row.beneficiary, row.account_last4) == ("revoked", "erased", {}, "", "")
    assert not SavedCard.objects.exists() and not SavedMethod.objects.exists() and not GatewayCustomer.objects.exists()
    assert CreditLine.objects.exists() and CreditEntry.objects.exists()  # ledgers stay
    outbox.drain(errands.QUEUE)
    assert set(Errand.objects.values_list("state", flat=True)) == {"done"}
    assert not SandboxRecord.objects.exclude(kind="debit").exists()
    other.refresh_from_db()
    assert other.status == "active"
    assert_is_error(shopper.get(f"{shopper.path}/cards"), 401)


def test_an_errand_is_tried_until_the_provider_answers(shopper: Any, kept: GatewayCustomer, monkeypatch: Any) -> None:
    real = Sandbox.forget_customer

    def away(*_: Any, **__: Any) -> None:
        raise Unavailable

    monkeypatch.setattr(Sandbox, "forget_customer", away)
    shopper.delete(f"/auth/user/{shopper.user_id}")
    assert outbox.drain(errands.QUEUE) == 1
    row = Errand.objects.get()
    assert (row.state, row.attempts, row.reason) == ("pending", 1, "no answer")
    assert row.next_attempt_at > timezone.now() + timedelta(seconds=30)
    monkeypatch.setattr(Sandbox, "forget_customer", real)
    Errand.objects.update(next_attempt_at=timezone.now())
    assert outbox.drain(errands.QUEUE) == 1
    assert Errand.objects.get().state == "done"
    assert not SandboxRecord.objects.exists()


def test_erasing_one_of_several_users_leaves_the_customers_means(
    shopper: Any, kept: GatewayCustomer, store: Store
) -> None:
    from storefront import events

    cards(shopper)
    events.send("shopper.erased", store=store, user_id="colleague", customer_id=shopper.customer_id)
    assert SavedCard.objects.count() == 2


# --- the demo ---------------------------------------------------------------------------------------------------------
def test_the_demo_can_be_built_twice(store: Store, shopper: Any) -> None:
    for _repeat in range(2):
        demo.build(store=store, user_id=shopper.user_id, customer_id=shopper.customer_id)
    assert cards(shopper) == ["4242"]
    shown = shopper.get(f"{shopper.path}/credit-line-balance").json()["content"]
    assert shown["credit_line_balance"]["balance_amount"] == 50_000.0
    assert [row["status"] for row in shown["active_mandates"]] == ["active"]
