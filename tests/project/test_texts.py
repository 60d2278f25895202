"""What shoppers read is there in every language that the project ships."""

from __future__ import annotations

import re
import string
import sys
from typing import Any

import pytest
from babel.messages.mofile import read_mo
from django.conf import settings
from django.utils import translation

from messaging import wording
from messaging.rendering import placeholders
from storefront.conf import Conf

sys.path.insert(0, str(settings.BASE_DIR / "scripts"))
import messages

LANGUAGES = sorted({*Conf().LANGUAGES} - {"en"})
EVERY = [(app, language) for language in LANGUAGES for app in messages.APPS]
_PERCENT = re.compile(r"%\((\w+)\)[sd]|%[sd]")


def parts(text: Any) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


def named(text: str) -> set[str]:
    """The placeholders of a text, in the three ways in which texts have them."""
    braces = set()
    if '{"' not in text:
        braces = {f"{{{name}}}" for _text, name, _form, _how in string.Formatter().parse(text) if name}
    return {found[0] for found in _PERCENT.finditer(text)} | braces


@pytest.mark.parametrize(("app", "language"), EVERY)
def test_every_text_that_a_shopper_may_read_is_translated(app, language):
    """After adding or changing a text: `make messages`, then fill in what it names."""
    wanted = messages.texts(messages.collected(app))
    found = messages.texts(messages.translated(app, language))
    assert wanted
    assert sorted(map(str, wanted)) == sorted(map(str, found))
    untranslated = [key for key, message in found.items() if not all(parts(message.string)) or message.fuzzy]
    assert untranslated == []


@pytest.mark.parametrize(("app", "language"), EVERY)
def test_translations_keep_the_placeholders_and_the_plurals(app, language):
    for message in messages.texts(messages.translated(app, language)).values():
        if isinstance(message.id, str):
            assert named(message.id) == named(message.string), message.id
        else:
            assert len(message.string) == 2, message.id
            wanted = named(message.id[-1])
            assert {frozenset(named(text)) for text in message.string} == {frozenset(wanted)}, message.id


@pytest.mark.parametrize(("app", "language"), EVERY)
def test_the_compiled_catalogues_are_those_of_their_sources(app, language):
    with messages.source_of(app, language).with_suffix(".mo").open("rb") as file:
        compiled = messages.texts(read_mo(file))
    written = messages.texts(messages.translated(app, language))
    assert {key: tuple(parts(message.string)) for key, message in compiled.items()} == {
        key: tuple(parts(message.string)) for key, message in written.items()
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_text_has_one_translation_in_all_apps(language):
    """Catalogues are merged when the process starts, and the order must not matter."""
    seen: dict[Any, Any] = {}
    for app in messages.APPS:
        for key, message in messages.texts(messages.translated(app, language)).items():
            assert seen.setdefault(key, message.string) == message.string, key


def test_texts_reach_their_reader_with_the_catalogues_that_are_kept():
    from storefront.errors import TooManyRequests

    with translation.override("hi"):
        assert str(TooManyRequests.default_message) == "बहुत ज़्यादा अनुरोध आए हैं। कृपया थोड़ा रुककर फिर से कोशिश करें।"
        assert translation.ngettext("You get %(count)d unit free.", "You get %(count)d units free.", 1).startswith(
            "आपको"
        )


@pytest.mark.parametrize("code", wording.codes())
@pytest.mark.parametrize("language", LANGUAGES)
def test_messages_say_the_same_in_every_language(code, language):
    found = wording.definition(code)
    assert found is not None
    english, other = found.wording["en"], found.wording[language]
    assert set(placeholders(english.text)) == set(placeholders(other.text))
    assert set(placeholders(english.subject)) <= {*placeholders(other.subject), "store"}
    assert set(placeholders(other.subject)) <= set(found.samples)
    assert bool(english.html) == bool(other.html)
