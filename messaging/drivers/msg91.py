"""SMS through MSG91, with the ids of India's DLT registers. Reports carry a shared secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from storefront.contracts import DeliveryFailed, DeliveryReport, RenderedMessage

from .base import HttpDriver, code_reason, digits, parsed_json, require_secret

_DELIVERED = "1"
_FAILED = {"2": "failed", "9": "do_not_disturb", "16": "rejected", "17": "blocked", "25": "rejected"}


class Msg91(HttpDriver):
    """A template with MSG91's own id goes out by the flow API; one with only a DLT id goes out as text.

    The template's options may hold `dlt_template_id` and `dlt_entity_id`, and `variables` the provider's names of the
    values in order (VAR1, VAR2 ... unless told).
    """

    channels = ("sms",)
    base = "https://control.msg91.com"
    credential_names = ("auth_key", "callback_secret")
    option_names = ("dlt_entity_id", "base_url", "proxy")

    def __init__(self, *, auth_key: str, callback_secret: str = "", dlt_entity_id: str = "", **options: Any) -> None:
        super().__init__(**options)
        self._auth_key = auth_key
        self._callback_secret = callback_secret
        self._dlt_entity_id = dlt_entity_id

    def send(self, message: RenderedMessage) -> str:
        template = message.template
        dlt_template = str(template.get("dlt_template_id") or "")
        entity = str(template.get("dlt_entity_id") or self._dlt_entity_id)
        body: dict[str, Any]
        if template.get("name"):
            names = list(template.get("variables") or [])
            recipient = {"mobiles": digits(message.to)}
            for number, value in enumerate(message.values.values()):
                recipient[str(names[number]) if number < len(names) else f"VAR{number + 1}"] = value
            body = {"template_id": str(template["name"]), "short_url": "0", "recipients": [recipient]}
            path = "/api/v5/flow"
        elif dlt_template:
            sms = {"message": message.text, "to": [digits(message.to)]}
            body = {"route": "4", "country": "0", "unicode": int(not message.text.isascii()), "sms": [sms]}
            path = "/api/v2/sendsms"
        else:
            raise DeliveryFailed("template_not_registered", retry=False)
        if self.sender:
            body["sender"] = self.sender
        if dlt_template:
            body["DLT_TE_ID"] = dlt_template
        if entity:
            body["PE_ID"] = entity
        answer = self.post(path, json=body, headers={"authkey": self._auth_key})
        if answer.get("type") != "success":  # refusals may come with status 200
            raise DeliveryFailed(self.refusal(200, answer), retry=False)
        if not answer.get("message"):
            raise DeliveryFailed("unreadable_answer", retry=True)
        return str(answer["message"])

    def refusal(self, status: int, answer: dict[str, Any]) -> str:
        return code_reason("msg91", answer.get("code"), "refused")

    def reports(self, *, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> list[DeliveryReport]:
        require_secret(self._callback_secret, headers.get("X-Callback-Secret", "") or query.get("token", ""))
        rows = parsed_json(body)
        if rows is None:  # the older form: data=<JSON>
            try:
                rows = parsed_json("".join(parse_qs(body.decode()).get("data", [])).encode())
            except ValueError:
                rows = None
        if isinstance(rows, dict) and isinstance(rows.get("data"), str):
            rows = parsed_json(rows["data"].encode())
        found = []
        for row in rows if isinstance(rows, list) else [rows]:
            if not isinstance(row, dict) or not row.get("requestId"):
                continue
            report = row.get("report")
            for part in report if isinstance(report, list) else [row]:
                status = str(part.get("status", "")) if isinstance(part, dict) else ""
                if status == _DELIVERED:
                    found.append(DeliveryReport(provider_message_id=str(row["requestId"]), status="delivered"))
                elif status in _FAILED:
                    found.append(
                        DeliveryReport(
                            provider_message_id=str(row["requestId"]), status="failed", reason=_FAILED[status]
                        )
                    )
        return found
