"""Wording: what is built in, what a store may change, and what it may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from messaging import delivery, rendering, wording
from messaging.models import Message, MessageTemplate
from storefront.models import Store
from tests.messaging.conftest import Provider

pytestmark = pytest.mark.django_db
CODES = [
    "contact_changed",
    "no_account",
    "otp_login",
    "otp_register",
    "otp_reset_password",
    "otp_update",
    "otp_verify",
    "password_changed",
    "welcome",
]


def _row(store: Store, **fields: Any) -> MessageTemplate:
    given = {"code": "otp_login", "channel": "sms", "language": "en", "text": "{code} for {store}"}
    return MessageTemplate(store=store, **{**given, **fields})


def test_every_built_in_template_is_there_in_english_and_hindi() -> None:
    assert [code for code in wording.codes() if code in CODES] == CODES
    for code in CODES:
        assert wording.languages(code) == ["en", "hi"]
        for language in ("en", "hi"):
            words = wording.definition(code).wording[language]  # type: ignore[union-attr]
            known = wording.definition(code).samples  # type: ignore[union-attr]
            assert words.subject
            for text in (words.text, words.subject):
                assert set(rendering.placeholders(text)) <= set(known)
        english = wording.definition(code).wording["en"].text  # type: ignore[union-attr]
        assert rendering.sms_size(rendering.fill(english, wording.definition(code).samples)).segments <= 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("asked", "own", "expected"),
    [
        ("hi", [], "hi"),
        ("hi-in", [], "hi"),
        ("fr", [], "en"),
        ("fr", ["fr"], "own fr"),
        ("fr-ca", ["fr"], "own fr"),
        ("hi", ["en"], "hi"),
        ("en", ["en"], "own en"),
    ],
)
def test_the_nearest_language_is_taken(store: Store, asked: str, own: list[str], expected: str) -> None:
    rows = [_row(store, language=language, text=f"own {language} {{code}}") for language in own]
    words = rendering.choose(store=store, code="otp_login", channel="sms", language=asked, overrides=rows)
    shown = f"own {words.language}" if words.text.startswith("own") else words.language
    assert shown == expected


def test_a_stores_own_words_are_sent_with_what_the_provider_must_know(
    store: Store, sms: Any, provider: Provider, queue: Callable[..., Message]
) -> None:
    _row(
        store,
        text="Your code: {code}",
        provider_template="flow-1",
        provider_options={"dlt_template_id": "1107"},
        variables=["store", "code"],
    ).save()
    _row(store, text="inactive {code}", language="hi", active=False).save()
    queue()
    delivery.drain()
    message = provider.sent[0][1]
    assert message.text == "Your code: 482913"
    assert message.template == {"code": "otp_login", "name": "flow-1", "language": "en", "dlt_template_id": "1107"}
    assert list(message.values.items()) == [("store", "Demo"), ("code", "482913")]


def test_values_are_escaped_in_html_and_cannot_break_a_subject(
    store: Store, add_account: Any, provider: Provider, queue: Callable[..., Message]
) -> None:
    add_account("email")
    store.name = "<b>Tea</b> & Co\r\nBcc: x@example.com"
    store.save()
    queue(channel="email", to="asha@example.com")
    queue(channel="email", to="asha@example.com", template="welcome", secret_ref="")
    delivery.drain()
    code, welcome = (message for _sender, message in provider.sent)
    assert "<b>Tea</b>" not in code.html
    assert "&lt;b&gt;Tea" in code.html
    assert "482913" in code.html
    assert "\n" not in welcome.subject
    assert "\r" not in welcome.subject


def test_a_value_that_looks_like_a_placeholder_stays_text() -> None:
    assert rendering.fill("{store} {code}", {"store": "{code}", "code": "1"}) == "{code} 1"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"code": "no_such"}, "code"),
        ({"text": "{code} {colour}"}, "text"),
        ({"text": "{code} {store.secret}"}, "text"),
        ({"text": "{code} {{ store }}"}, "text"),
        ({"text": "{code} { store"}, "text"),
        ({"text": "no code at all"}, "text"),
        ({"subject": "x"}, "subject"),
        ({"channel": "email"}, "subject"),
        ({"channel": "email", "subject": "{nope}"}, "subject"),
        ({"channel": "email", "subject": "Hi", "html": "<p>{password}</p>"}, "html"),
        ({"variables": ["colour"]}, "variables"),
        ({"variables": "code"}, "variables"),
        ({"provider_options": []}, "provider_options"),
    ],
)
def test_a_template_that_could_not_be_rendered_is_refused(store: Store, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _row(store, **fields).full_clean(exclude=["store"])
    assert field in caught.value.message_dict


def test_style_sheets_in_html_are_no_placeholders(store: Store) -> None:
    _row(store, channel="email", subject="{code}", html="<style>p { color: red }</style><p>{code}</p>").full_clean(
        exclude=["store"]
    )


@pytest.mark.parametrize(
    ("text", "characters", "segments", "is_unicode"),
    [
        ("a" * 160, 160, 1, False),
        ("a" * 161, 161, 2, False),
        ("a" * 153 * 3 + "b", 460, 4, False),
        ("€" * 80, 160, 1, False),
        ("अ" * 70, 70, 1, True),
        ("अ" * 71, 71, 2, True),
        ("😀", 2, 1, True),
        ("", 0, 1, False),
    ],
)
def test_sms_are_counted_as_operators_count_them(text: str, characters: int, segments: int, is_unicode: bool) -> None:
    assert rendering.sms_size(text) == rendering.SmsSize(characters, segments, is_unicode)


def test_a_preview_uses_sample_values_and_counts(store: Store) -> None:
    shown = rendering.preview(_row(store), store=store)
    assert shown["text"] == "482913 for Demo"
    assert shown["size"] == rendering.SmsSize(15, 1, False)
    mail = rendering.preview(_row(store, channel="email", subject="{code}!"), store=store)
    assert mail["subject"] == "482913!"
    assert "482913" in mail["html"]
    assert mail["size"] is None


def test_another_app_can_add_a_template() -> None:
    with pytest.raises(ValueError, match="no English"):
        wording.register("x", samples={}, wording={"hi": wording.Wording("x")})
