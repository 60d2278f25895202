"""WhatsApp through Gupshup: approved templates by id. Reports carry a shared secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from storefront.contracts import DeliveryFailed, DeliveryReport, RenderedMessage

from .base import HttpDriver, code_reason, digits, parsed_json, require_secret
from .meta import status_reports


class Gupshup(HttpDriver):
    """`sender` is the source number, `app_name` the app it belongs to. `template` serves codes without an own one."""

    channels = ("whatsapp",)
    base = "https://api.gupshup.io"
    credential_names = ("api_key", "callback_secret")
    option_names = ("app_name", "template", "base_url", "proxy")

    def __init__(
        self, *, api_key: str, callback_secret: str = "", app_name: str = "", template: str = "", **options: Any
    ) -> None:
        super().__init__(**options)
        self._api_key = api_key
        self._callback_secret = callback_secret
        self._app_name = app_name
        self._template = template

    def send(self, message: RenderedMessage) -> str:
        template = str(message.template.get("name") or (self._template if "code" in message.values else ""))
        if not template:
            raise DeliveryFailed("template_not_registered", retry=False)
        parameters = list(message.values.values())
        if "code" in message.values and message.template.get("button", True):
            parameters.append(message.values["code"])  # the copy-code button takes the code once more
        answer = self.post(
            "/wa/api/v1/template/msg",
            headers={"apikey": self._api_key},
            data={
                "channel": "whatsapp",
                "source": digits(self.sender),
                "destination": digits(message.to),
                "src.name": self._app_name,
                "template": json.dumps({"id": template, "params": parameters}),
            },
        )
        if answer.get("status") not in ("submitted", "success"):
            raise DeliveryFailed(self.refusal(200, answer), retry=False)
        if not answer.get("messageId"):
            raise DeliveryFailed("unreadable_answer", retry=True)
        return str(answer["messageId"])

    def refusal(self, status: int, answer: dict[str, Any]) -> str:
        return code_reason("gupshup", answer.get("code"), "refused")

    def reports(self, *, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> list[DeliveryReport]:
        require_secret(self._callback_secret, headers.get("X-Callback-Secret", "") or query.get("token", ""))
        document = parsed_json(body)
        if not isinstance(document, dict):
            return []
        if "entry" in document:  # the newer format follows Meta's and adds Gupshup's own id
            return status_reports(document, id_name="gs_id")
        event = document.get("payload")
        if document.get("type") != "message-event" or not isinstance(event, dict):
            return []
        # `id` is Gupshup's for a failure and WhatsApp's for the later states, which name Gupshup's beside it.
        identifier = event.get("gsId") or event.get("id")
        status = event.get("type")
        if status not in ("sent", "delivered", "read", "failed") or not identifier:
            return []
        details = event.get("payload")
        code = details.get("code") if isinstance(details, dict) else None
        reason = code_reason("gupshup", code, "undelivered") if status == "failed" else ""
        return [DeliveryReport(provider_message_id=str(identifier), status=str(status), reason=reason)]
