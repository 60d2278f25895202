"""What e-mail services say became of a message: django-anymail reads their callbacks, with an account's own secrets.

A callback proves itself by the service's signature where the account holds the key for it, by the account's
`callback_secret` (as user and password or password alone in Basic authentication, in the header `X-Callback-Secret`, or
as `?token=`), and by both where the account holds both.
"""

from __future__ import annotations

import base64
import binascii
import io
import logging
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from django.core.handlers.wsgi import WSGIRequest
from django.utils.module_loading import import_string

from storefront.contracts import DeliveryReport

from .base import require_secret

logger = logging.getLogger(__name__)
_BACKENDS = "anymail.backends."


class _Service(NamedTuple):
    view: str
    key: str = ""  # under which name its view takes the key of its signatures; "" where it signs nothing


_SERVICES = {
    "amazon_ses": _Service("amazon_ses.AmazonSESTrackingWebhookView"),
    "brevo": _Service("brevo.BrevoTrackingWebhookView"),
    "mailersend": _Service("mailersend.MailerSendTrackingWebhookView", "signing_secret"),
    "mailgun": _Service("mailgun.MailgunTrackingWebhookView", "webhook_signing_key"),
    "mailjet": _Service("mailjet.MailjetTrackingWebhookView"),
    "mailtrap": _Service("mailtrap.MailtrapTrackingWebhookView", "tracking_secret"),
    "mandrill": _Service("mandrill.MandrillCombinedWebhookView", "webhook_key"),
    "postal": _Service("postal.PostalTrackingWebhookView", "webhook_key"),
    "postmark": _Service("postmark.PostmarkTrackingWebhookView"),
    "resend": _Service("resend.ResendTrackingWebhookView"),
    "sendgrid": _Service("sendgrid.SendGridTrackingWebhookView", "tracking_webhook_verification_key"),
    "sparkpost": _Service("sparkpost.SparkPostTrackingWebhookView"),
    "unisender_go": _Service("unisender_go.UnisenderGoTrackingWebhookView", "api_key"),
}


def read(
    *,
    backend: str,
    signing_key: str,
    callback_secret: str,
    connection: Mapping[str, Any],
    address: str,
    headers: Mapping[str, str],
    body: bytes,
    query: Mapping[str, str],
) -> list[DeliveryReport]:
    """The reports in a callback of the service behind `backend`. Raises PermissionError unless it proves itself.

    `connection` is what some need to confirm that they may report here (Amazon: session_params, client_params).

    What proves itself and cannot be read is logged and holds no reports: the service would only send it again.
    """
    service = (
        _SERVICES.get(backend.removeprefix(_BACKENDS).partition(".")[0]) if backend.startswith(_BACKENDS) else None
    )
    if service is None:
        raise PermissionError("This service sends no reports.")
    signed = bool(service.key and signing_key)
    if callback_secret or not signed:
        _require_callback_secret(callback_secret, headers, query)
    # The deployment's own secret never counts for a store's account. Where the view looks for one, ours has been proved.
    options: dict[str, Any] = {**connection, "webhook_secret": [] if signed else ["proved"]}
    if service.key:
        options[service.key] = signing_key or "-"
    if "Mandrill" in service.view:
        options["webhook_url"] = address + (f"?{urlencode(query)}" if query else "")
    request = _request(address, headers, body, query)
    try:
        view = _view(service.view)(**options)
        if signed:
            view.run_validators(request)
    except Exception as error:  # keys that are none, and whatever a forger makes of a body
        raise PermissionError("The signature does not match.") from error
    try:
        return list(_reports(view.parse_events(request)))
    except Exception as error:
        logger.warning("message_report_unreadable", extra={"service": backend, "error": type(error).__name__})
        return []


@cache
def _view(name: str) -> Any:
    """Without the warning that nobody has to prove anything: what proves a callback is seen to here."""
    found = import_string(f"anymail.webhooks.{name}")
    return type(found.__name__, (found,), {"warn_if_no_basic_auth": False})


def _require_callback_secret(wanted: str, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
    given = headers.get("X-Callback-Secret", "") or query.get("token", "")
    kind, _, encoded = headers.get("Authorization", "").partition(" ")
    if not given and kind.lower() == "basic":
        try:
            given = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, ValueError):
            given = ""
        if ":" not in wanted:
            given = given.partition(":")[2]
    require_secret(wanted, given)


def _request(address: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> WSGIRequest:
    """The callback as Django's request, under the address that the service was told: some sign that too."""
    parts = urlsplit(address)
    secure = parts.scheme == "https"
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": parts.path,
        "QUERY_STRING": urlencode(query),
        "SERVER_NAME": parts.hostname or "localhost",
        "SERVER_PORT": str(parts.port or (443 if secure else 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in headers.items():
        if name.lower() not in ("content-type", "content-length", "host"):
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    environ["HTTP_HOST"] = parts.netloc
    return WSGIRequest(environ)


# --- meaning ----------------------------------------------------------------------------------------------------------
_ARRIVED = {
    EventType.DELIVERED: "delivered",
    EventType.OPENED: "read",
    EventType.CLICKED: "read",
    EventType.SENT: "sent",
}
_FAILED = (EventType.BOUNCED, EventType.REJECTED, EventType.FAILED)


def _reports(events: Iterable[AnymailTrackingEvent]) -> Iterable[DeliveryReport]:
    for event in events:
        if not event.message_id:
            continue
        where: dict[str, Any] = {
            "provider_message_id": str(event.message_id),
            "recipient": str(event.recipient or "").strip().lower(),
        }
        if event.event_type in _ARRIVED:
            yield DeliveryReport(**where, status=_ARRIVED[event.event_type])
        elif event.event_type == EventType.COMPLAINED or _refused(event, RejectReason.SPAM):
            yield DeliveryReport(**where, status="complained", reason="complained")
        elif event.event_type == EventType.UNSUBSCRIBED or _refused(event, RejectReason.UNSUBSCRIBED):
            yield DeliveryReport(**where, status="unsubscribed", reason="unsubscribed")
        elif event.event_type in _FAILED:
            permanent = _is_permanent(event)
            reason = "bounced" if permanent else f"{event.event_type}_{event.reject_reason or 'other'}"
            if event.event_type == EventType.BOUNCED and not permanent:
                reason = "soft_bounce"
            yield DeliveryReport(**where, status="failed", reason=reason[:60], permanent=permanent)


def _refused(event: AnymailTrackingEvent, reason: str) -> bool:
    """The service would not even try, because of what the recipient said before."""
    return event.event_type in (EventType.REJECTED, EventType.BOUNCED) and event.reject_reason == reason


def _is_permanent(event: AnymailTrackingEvent) -> bool:
    """Whether the address is no good, as against a full mailbox, a message that is too large or a policy."""
    if event.event_type == EventType.FAILED:
        return False
    wanted = {RejectReason.BOUNCED, RejectReason.INVALID}
    if event.event_type == EventType.BOUNCED:
        wanted |= {None}
    if event.reject_reason not in wanted:
        return False
    answer = f" {event.mta_response or ''}"
    if any(mark in answer for mark in (" 4.", " 5.2.2", " 5.3.4", " 452", " 421", " 450", " 451")):
        return False
    return not _says_soft(event.esp_event)


def _says_soft(value: Any, depth: int = 0) -> bool:
    """django-anymail calls soft bounces bounces; the services name them, each in its own field."""
    if not isinstance(value, Mapping) or depth > 2:
        return False
    for name in ("Type", "type", "event", "event_name", "bounceType", "bounce_type", "severity"):
        text = value.get(name)
        if isinstance(text, str) and any(mark in text.lower() for mark in ("soft", "transient", "temporary")):
            return True
    if value.get("hard_bounce") is False:
        return True
    return any(_says_soft(inner, depth + 1) for inner in value.values())
