"""WhatsApp through Meta's Cloud API: approved templates only, for an unasked message may be nothing else.

A template that shows a code is sent as an authentication template, with its copy-code button.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from storefront.contracts import DeliveryFailed, DeliveryReport, RenderedMessage

from .base import HttpDriver, code_reason, digits, parsed_json, require_secret

_RATE_LIMITS = {4, 80007, 130429, 131048, 131056}
_TRANSIENT = {1, 2, 131000, 131016, 133004}


class Meta(HttpDriver):
    """`sender` is the phone number id. Options: `template` and `template_language`, used by code messages without
    an own template; the template's options may hold `language` and `button` (False: no copy-code button)."""

    channels = ("whatsapp",)
    base = "https://graph.facebook.com"
    credential_names = ("access_token", "app_secret", "verify_token")
    option_names = ("api_version", "template", "template_language", "base_url", "proxy")

    def __init__(
        self,
        *,
        access_token: str,
        app_secret: str = "",
        verify_token: str = "",
        api_version: str = "v23.0",
        template: str = "",
        template_language: str = "",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._access_token = access_token
        self._app_secret = app_secret
        self._verify_token = verify_token
        self._api_version = api_version
        self._template = template
        self._template_language = template_language

    def send(self, message: RenderedMessage) -> str:
        template = message.template
        is_code = "code" in message.values
        name = str(template.get("name") or (self._template if is_code else ""))
        if not name:
            raise DeliveryFailed("template_not_registered", retry=False)
        own_language = "" if template.get("name") else self._template_language
        components: list[dict[str, Any]] = []
        if message.values:
            texts = [{"type": "text", "text": value} for value in message.values.values()]
            components.append({"type": "body", "parameters": texts})
        if is_code and template.get("button", True):
            code = [{"type": "text", "text": message.values["code"]}]
            components.append({"type": "button", "sub_type": "url", "index": "0", "parameters": code})
        answer = self.post(
            f"/{self._api_version}/{self.sender}/messages",
            headers={"Authorization": f"Bearer {self._access_token}"},
            json={
                "messaging_product": "whatsapp",
                "recipient_type": "individual",
                "to": digits(message.to),
                "type": "template",
                "template": {
                    "name": name,
                    "language": {"code": own_language or str(template.get("language") or "en")},
                    "components": components,
                },
                "biz_opaque_callback_data": message.key,
            },
        )
        messages = answer.get("messages")
        if not isinstance(messages, list) or not messages or not isinstance(messages[0], dict):
            raise DeliveryFailed("unreadable_answer", retry=True)
        return str(messages[0].get("id") or "")

    def refusal(self, status: int, answer: dict[str, Any]) -> str:
        code = _error_code(answer)
        if code in _TRANSIENT:
            raise DeliveryFailed(f"meta_{code}", retry=True)
        return code_reason("meta", code, f"http_{status}")

    def is_rate_limit(self, answer: dict[str, Any]) -> bool:
        return _error_code(answer) in _RATE_LIMITS

    def challenge(self, query: Mapping[str, str]) -> str:
        require_secret(self._verify_token, query.get("hub.verify_token", ""))
        if query.get("hub.mode") != "subscribe":
            raise PermissionError("Not a subscription.")
        return query.get("hub.challenge", "")[:200]

    def reports(self, *, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> list[DeliveryReport]:
        wanted = "sha256=" + hmac.digest(self._app_secret.encode(), body, hashlib.sha256).hex()
        require_secret(wanted if self._app_secret else "", headers.get("X-Hub-Signature-256", ""))
        return status_reports(parsed_json(body), id_name="id")


def _error_code(answer: dict[str, Any]) -> Any:
    error = answer.get("error")
    return error.get("code") if isinstance(error, dict) else None


def status_reports(document: Any, *, id_name: str) -> list[DeliveryReport]:
    """The reports in a document of entries, changes and statuses; whatever else it holds is passed over."""
    found = []
    for entry in _list(document, "entry"):
        for change in _list(entry, "changes"):
            for status in _list(change.get("value"), "statuses"):
                name = status.get("status")
                identifier = status.get(id_name)
                if name not in ("sent", "delivered", "read", "failed") or not identifier:
                    continue
                errors = _list(status, "errors")
                code = errors[0].get("code") if errors else None
                reason = code_reason("meta", code, "undelivered") if name == "failed" else ""
                found.append(DeliveryReport(provider_message_id=str(identifier), status=name, reason=reason))
    return found


def _list(value: Any, name: str) -> list[dict[str, Any]]:
    inner = value.get(name) if isinstance(value, dict) else None
    return [item for item in inner if isinstance(item, dict)] if isinstance(inner, list) else []
