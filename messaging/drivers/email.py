"""E-mail through any Django e-mail backend: SMTP, or a provider's through django-anymail."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping
from typing import Any

import requests
from anymail.exceptions import (
    AnymailAPIError,
    AnymailConfigurationError,
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
)
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from storefront.contracts import DeliveryFailed, DeliveryReport, RenderedMessage

from . import email_reports
from .base import Driver, require_secret, retry_after

_CONFIRMING = ("session_params", "client_params")


class Email(Driver):
    """`backend` is a dotted path; everything else in credentials and options goes to it as keyword arguments:
    host, port, username, password, use_tls for SMTP; api_key and the like for django-anymail.
    Without any of them the deployment's own e-mail settings are used. `signing_key` is what the service signs its
    reports with, `callback_secret` what proves those of a service that signs none."""

    channels = ("email",)
    credential_names = ("username", "password", "api_key", "signing_key", "callback_secret")
    option_names = ("backend", "host", "port", "use_tls", "use_ssl")

    def __init__(
        self,
        *,
        backend: str = "",
        sender: str = "",
        timeout: float = 8.0,
        callback_url: str = "",
        signing_key: str = "",
        callback_secret: str = "",
        **connection: Any,
    ) -> None:
        super().__init__(sender=sender, timeout=timeout, callback_url=callback_url)
        self._backend = backend or settings.EMAIL_BACKEND
        self._signing_key, self._callback_secret = signing_key, callback_secret
        self._connection = connection
        if self._backend.startswith("anymail."):
            self._connection.setdefault("requests_timeout", timeout)
        elif self._backend.endswith("smtp.EmailBackend"):
            self._connection.setdefault("timeout", timeout)

    def send(self, message: RenderedMessage) -> str:
        sender = self.sender or settings.DEFAULT_FROM_EMAIL
        identifier = f"<{message.key}@{sender.rpartition('@')[2].strip('> ') or 'localhost'}>"
        headers = {"Message-ID": identifier, "Auto-Submitted": "auto-generated"}
        if message.opt_out_url:
            headers |= {
                "List-Unsubscribe": f"<{message.opt_out_url}>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            }
        try:
            mail = EmailMultiAlternatives(
                subject=message.subject,
                body=message.text,
                from_email=sender,
                to=[message.to],
                headers=headers,
                connection=get_connection(self._backend, **self._connection),
            )
            if message.html:
                mail.attach_alternative(message.html, "text/html")
            mail.send()
        except Exception as error:
            raise _failure(error) from None  # the cause may quote addresses and contents
        status = getattr(mail, "anymail_status", None)
        return str(getattr(status, "message_id", None) or identifier)

    def reports(self, *, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> list[DeliveryReport]:
        return email_reports.read(
            backend=self._backend,
            signing_key=self._signing_key,
            callback_secret=self._callback_secret,
            connection={name: self._connection[name] for name in _CONFIRMING if name in self._connection},
            address=self.callback_url,
            headers=headers,
            body=body,
            query=query,
        )

    def challenge(self, query: Mapping[str, str]) -> str:
        """A service that looks before it sends gets an empty page, if it knows the secret."""
        require_secret(self._callback_secret, query.get("token", ""))
        return ""


def _failure(error: Exception) -> DeliveryFailed:
    match error:
        case smtplib.SMTPRecipientsRefused():
            codes = [code for code, _text in error.recipients.values()]
            return DeliveryFailed("address_refused", retry=all(400 <= code < 500 for code in codes))
        case smtplib.SMTPAuthenticationError():
            return DeliveryFailed("credentials_refused", retry=False)
        case smtplib.SMTPResponseException():
            return DeliveryFailed(f"smtp_{error.smtp_code}", retry=not 500 <= error.smtp_code < 600)
        case AnymailRecipientsRefused() | AnymailInvalidAddress():
            return DeliveryFailed("address_refused", retry=False)
        case AnymailConfigurationError():
            return DeliveryFailed("misconfigured", retry=False)
        case TimeoutError() | requests.Timeout():
            return DeliveryFailed("timeout", retry=True)
        case smtplib.SMTPServerDisconnected() if isinstance(error.__context__, TimeoutError):
            return DeliveryFailed("timeout", retry=True)
        case AnymailAPIError():  # also an OSError, so it comes before that
            return _answer(getattr(error, "response", None))
        case smtplib.SMTPException() | OSError():
            return DeliveryFailed("unreachable", retry=True)
        case _:
            return DeliveryFailed("misconfigured", retry=False)


def _answer(response: Any) -> DeliveryFailed:
    if response is None:  # no answer at all
        return DeliveryFailed("unreachable", retry=True)
    status = response.status_code
    wait = retry_after(response.headers)
    if status == 429:
        return DeliveryFailed("rate_limited", retry=True, retry_after=wait)
    if status >= 500:
        return DeliveryFailed(f"http_{status}", retry=True, retry_after=wait)
    if status in (401, 403):
        return DeliveryFailed("credentials_refused", retry=False)
    return DeliveryFailed(f"http_{status}", retry=False)
