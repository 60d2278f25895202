"""From a template and values to a text. Placeholders are `{name}`; there is no other syntax, so no template can do
more than show the values that its definition names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import translation
from django.utils.html import escape
from django.utils.translation import gettext as _

from storefront.contracts import RenderedMessage
from storefront.models import Store

from . import wording
from .models import ChannelName, Message, MessageTemplate

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_BRACES = re.compile(r"\{[^{}]*\}?|\}")
_LAYOUT = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"></head>
<body style="margin:0;background:#f4f4f5;font-family:system-ui,-apple-system,'Segoe UI',sans-serif;color:#18181b">
<div style="max-width:480px;margin:0 auto;padding:32px 16px">
<p style="font-size:14px;color:#71717a;margin:0 0 12px">{store}</p>
<div style="background:#fff;border-radius:12px;padding:24px;font-size:16px;line-height:1.5">{body}</div>
</div></body></html>"""
_CODE_BOX = (
    '<p style="font-size:32px;letter-spacing:6px;font-weight:600;margin:0 0 16px;'
    'font-family:ui-monospace,Menlo,Consolas,monospace">{code}</p>'
)
HIDDEN_CODE = "••••••"


class CannotRender(Exception):
    """There is no such template, or a value that it cannot do without is missing. `reason` is short and stable."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Words:
    """The wording chosen for one message, with what the provider must be told about it."""

    text: str
    subject: str
    html: str
    language: str
    provider_template: str = ""
    provider_options: Mapping[str, Any] | None = None
    variables: tuple[str, ...] = ()


def choose(*, store: Store, code: str, channel: str, language: str, overrides: Iterable[MessageTemplate]) -> Words:
    """The store's own wording for the channel in the best language, else the built-in one.

    Languages are tried in this order: the asked one, its base ("pt" for "pt-br"), the store's, English. Within a
    language the store's own words win. Raises CannotRender for an unknown template.
    """
    found = wording.definition(code)
    own = {row.language: row for row in overrides if row.code == code and row.channel == channel and row.active}
    for tried in dict.fromkeys((language, language.partition("-")[0], store.language, "en")):
        if row := own.get(tried):
            variables = tuple(row.variables) or (found.variables if found else ())
            return Words(row.text, row.subject, row.html, tried, row.provider_template, row.provider_options, variables)
        if found and (built_in := found.wording.get(tried)):
            return Words(built_in.text, built_in.subject, built_in.html, tried, variables=found.variables)
    raise CannotRender("unknown_template")


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its placeholders replaced; a value that is not there shows as nothing."""
    return _PLACEHOLDER.sub(lambda match: str(values.get(match[1], "")), text)


def render(
    message: Message,
    *,
    store: Store,
    channel: str,
    overrides: Iterable[MessageTemplate],
    secret: Mapping[str, str],
    opt_out_url: str = "",
) -> RenderedMessage:
    """The message as it leaves on `channel`. Never store or log the result. Raises CannotRender.

    An e-mail that can be refused says at its end where, whatever its words are.
    """
    words = choose(store=store, code=message.template, channel=channel, language=message.language, overrides=overrides)
    ttl = int((message.expires_at - message.created_at).total_seconds()) if message.expires_at else 0
    values = {"store": store.name, "minutes": str(max(1, ttl // 60)) if ttl else ""}
    values |= {name: str(value) for name, value in message.values.items()}
    values |= secret
    needed = {name for part in (words.text, words.subject, words.html) for name in placeholders(part)}
    if "code" in needed | set(words.variables) and not values.get("code"):
        raise CannotRender("missing_code")
    is_email = channel == ChannelName.EMAIL
    text, html = fill(words.text, values), _html(words, values, store) if is_email else ""
    if opt_out_url and is_email:
        with translation.override(words.language):
            ending = _("Unsubscribe")
        text = f"{text}\n\n{ending}: {opt_out_url}"
        html = _with_link(html, ending, opt_out_url)
    return RenderedMessage(
        to=message.address_for(channel),
        subject=" ".join(fill(words.subject, values).split()),
        text=text,
        html=html,
        template={
            "code": message.template,
            "name": words.provider_template,
            "language": words.language,
            **(words.provider_options or {}),
        },
        values={name: values.get(name, "") for name in words.variables},
        ttl=ttl,
        key=message.pk,
        opt_out_url=opt_out_url,
    )


def _html(words: Words, values: Mapping[str, str], store: Store) -> str:
    safe = {name: escape(value) for name, value in values.items()}
    if words.html:
        return fill(words.html, safe)
    body = "".join(f"<p>{fill(escape(line), safe)}</p>" for line in words.text.splitlines() if line.strip())
    box = fill(_CODE_BOX, safe) if "code" in placeholders(words.text) else ""
    return fill(_LAYOUT, {"language": escape(words.language), "store": safe["store"], "body": box + body})


def _with_link(html: str, words: str, address: str) -> str:
    link = f'<p style="font-size:12px;text-align:center"><a href="{escape(address)}">{escape(words)}</a></p>'
    before, body, after = html.rpartition("</body>")
    return f"{before}{link}{body}{after}" if body else html + link


def placeholders(text: str) -> list[str]:
    """The names in a text, in order, each once."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(text)))


def check_template(row: MessageTemplate) -> None:
    """Raises ValidationError, by field, for placeholders that the template does not know and for stray braces."""
    found = wording.definition(row.code)
    if found is None:
        raise ValidationError({"code": _("There is no template of that name.")})
    errors: dict[str, str] = {}
    known = ", ".join(f"{{{name}}}" for name in sorted(found.samples))
    for name in ("subject", "text", "html"):
        text = getattr(row, name)
        if name == "html":  # style sheets are full of braces: only what looks like a placeholder is checked
            unknown = [used for used in placeholders(text) if used not in found.samples]
        else:
            unknown = [part for part in _BRACES.findall(text) if part.strip("{}") not in found.samples]
        if unknown:
            errors[name] = _("Unknown placeholder %(name)s; this template knows %(known)s.") % {
                "name": unknown[0][:40],
                "known": known,
            }
    if "code" in found.samples and "{code}" not in row.text:
        errors.setdefault("text", _("The text must show {code}."))
    if row.channel != ChannelName.EMAIL and (row.subject or row.html):
        errors.setdefault("subject", _("Only e-mail has a subject and HTML."))
    if row.channel == ChannelName.EMAIL and not row.subject:
        errors.setdefault("subject", _("An e-mail needs a subject."))
    names = row.variables
    if not isinstance(names, list) or any(name not in found.samples for name in names):
        errors["variables"] = _("Use a list of this template's placeholders: %(known)s.") % {"known": known}
    if not isinstance(row.provider_options, dict):
        errors["provider_options"] = _("Use a JSON object.")
    if errors:
        raise ValidationError(errors)


def preview(row: MessageTemplate, *, store: Store) -> dict[str, Any]:
    """What the row would say with sample values: subject, text, html, and for phones the SMS count."""
    found = wording.definition(row.code)
    values = {**(found.samples if found else {}), "store": store.name}
    words = Words(row.text, row.subject, row.html, row.language)
    text = fill(row.text, values)
    return {
        "subject": fill(row.subject, values),
        "text": text,
        "html": _html(words, values, store) if row.channel == ChannelName.EMAIL else "",
        "size": sms_size(text) if row.channel == ChannelName.SMS else None,
    }


# The characters of GSM 03.38; those of the extension table count twice.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("\f^{}\\[~]|€")


@dataclass(frozen=True, slots=True)
class SmsSize:
    """How an SMS is counted and billed."""

    characters: int
    segments: int
    unicode: bool


def sms_size(text: str) -> SmsSize:
    """160 plain or 70 other characters in one segment; 153 and 67 in each of several."""
    if all(character in _GSM or character in _GSM_TWICE for character in text):
        length = sum(2 if character in _GSM_TWICE else 1 for character in text)
        single, several = 160, 153
        is_unicode = False
    else:
        length = len(text.encode("utf-16-le")) // 2
        single, several = 70, 67
        is_unicode = True
    segments = 1 if length <= single else -(-length // several)
    return SmsSize(length, segments, is_unicode)
