"""SMS through Twilio's Messages resource; reports are signed with HMAC-SHA1 over the address and the form fields."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from storefront.contracts import DeliveryFailed, DeliveryReport, RenderedMessage

from .base import HttpDriver, code_reason

_STATUSES = {"sent": "sent", "delivered": "delivered", "read": "read", "undelivered": "failed", "failed": "failed"}
_MAX_VALIDITY = 36_000  # seconds


class Twilio(HttpDriver):
    """`sender` is a number, an alphanumeric sender or a messaging service (MG...)."""

    channels = ("sms",)
    base = "https://api.twilio.com"
    credential_names = ("account_sid", "auth_token")
    option_names = ("base_url", "proxy")

    def __init__(self, *, account_sid: str, auth_token: str, **options: Any) -> None:
        super().__init__(**options)
        self._account_sid = account_sid
        self._auth_token = auth_token

    def send(self, message: RenderedMessage) -> str:
        form = {"To": message.to, "Body": message.text}
        form["MessagingServiceSid" if self.sender.startswith("MG") else "From"] = self.sender
        if message.ttl:
            form["ValidityPeriod"] = str(min(message.ttl, _MAX_VALIDITY))
        if self.callback_url.startswith("https://"):
            form["StatusCallback"] = self.callback_url
        answer = self.post(
            f"/2010-04-01/Accounts/{self._account_sid}/Messages.json",
            data=form,
            auth=(self._account_sid, self._auth_token),
        )
        if answer.get("status") in ("failed", "undelivered"):
            raise DeliveryFailed(self.refusal(0, {"code": answer.get("error_code")}), retry=False)
        if not answer.get("sid"):
            raise DeliveryFailed("unreadable_answer", retry=True)
        return str(answer["sid"])

    def refusal(self, status: int, answer: dict[str, Any]) -> str:
        return code_reason("twilio", answer.get("code"), f"http_{status}")

    def is_rate_limit(self, answer: dict[str, Any]) -> bool:
        return answer.get("code") in (20429, 14107)

    def reports(self, *, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> list[DeliveryReport]:
        try:
            fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100)
        except ValueError as error:
            raise PermissionError("unreadable") from error
        address = self.callback_url
        if query:
            address += "?" + "&".join(f"{name}={value}" for name, value in query.items())
        if not hmac.compare_digest(
            self.signature(address, fields).encode(), headers.get("X-Twilio-Signature", "").encode()
        ):
            raise PermissionError("The signature does not match.")
        found = dict(fields)
        status = _STATUSES.get(found.get("MessageStatus", ""))
        if status is None or not found.get("MessageSid"):
            return []
        reason = code_reason("twilio", found.get("ErrorCode") or None, "undelivered") if status == "failed" else ""
        return [DeliveryReport(provider_message_id=found["MessageSid"], status=status, reason=reason)]

    def signature(self, address: str, fields: list[tuple[str, str]]) -> str:
        """Base64 of the HMAC-SHA1 of the address followed by every distinct field, sorted, without separators."""
        text = address + "".join(f"{name}{value}" for name, value in sorted(set(fields)))
        return base64.b64encode(hmac.digest(self._auth_token.encode(), text.encode(), hashlib.sha1)).decode()
