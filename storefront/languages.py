"""The language of an answer: the one that the caller asks for, else the store's own.

Codes, field names and figures are the same in each; only texts differ. `docs/languages.md` says how to add one.
"""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest
from django.utils import translation

from storefront.conf import conf


def asked(request: HttpRequest) -> str | None:
    """The best of our languages by the caller's `Accept-Language`; None when it names none of them."""
    header = request.META.get("HTTP_ACCEPT_LANGUAGE", "")
    return _best(header, conf().LANGUAGES) if header else None


def spoken(language: str) -> str:
    """Our language for a tag such as "hi-IN"; the installation's own where there is none."""
    return _ours(language, conf().LANGUAGES) or settings.LANGUAGE_CODE


def speak(language: str) -> None:
    """From now on texts of this request are in `language`; whoever holds the request puts back what was before."""
    if language != translation.get_language():
        translation.activate(language)


def _ours(tag: str, ours: tuple[str, ...]) -> str | None:
    """`tag` or what it is a kind of: "hi" for "hi-Deva-IN"."""
    parts = tag.lower().split("-")
    known = {language.lower(): language for language in ours}
    for length in range(len(parts), 0, -1):
        if found := known.get("-".join(parts[:length])):
            return found
    return None


@lru_cache(maxsize=512)
def _best(header: str, ours: tuple[str, ...]) -> str | None:
    wishes = []
    for part in header[:400].split(","):
        tag, _, parameters = part.partition(";")
        weight = _weight(parameters)
        if weight > 0 and (language := _ours(tag.strip(), ours)):
            wishes.append((weight, language))
    return max(wishes, key=lambda wish: wish[0])[1] if wishes else None  # of equal ones the first


def _weight(parameters: str) -> float:
    name, _, value = parameters.replace(" ", "").partition("=")
    if name != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
