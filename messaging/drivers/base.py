"""What drivers over HTTP share: one strict request, and the meaning of its answer."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, NoReturn

import httpx2

from storefront import outgoing
from storefront.contracts import DeliveryFailed, DeliveryReport, RenderedMessage

MAX_ANSWER_BYTES = 65_536
MAX_RETRY_AFTER = 3600


class Driver:
    """A driver without callbacks. Subclasses implement `send`."""

    channels: ClassVar[tuple[str, ...]] = ()
    credential_names: ClassVar[tuple[str, ...]] = ()  # what the admin asks for, never shown again
    option_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, sender: str = "", timeout: float = 8.0, callback_url: str = "") -> None:
        self.sender = sender
        self.timeout = timeout
        self.callback_url = callback_url

    def send(self, message: RenderedMessage) -> str:
        raise DeliveryFailed("cannot_send", retry=False)

    def reports(self, *, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> list[DeliveryReport]:
        raise PermissionError("This driver takes no callbacks.")

    def challenge(self, query: Mapping[str, str]) -> str:
        """The answer to a provider's check of the callback address. Raises PermissionError."""
        raise PermissionError("This driver takes no callbacks.")


class HttpDriver(Driver):
    """One POST over a kept connection: no redirects, no proxy but a configured one, a limit on time and on size."""

    base: ClassVar[str] = ""

    def __init__(self, *, base_url: str = "", proxy: str = "", **options: Any) -> None:
        super().__init__(**options)
        self._client = httpx2.Client(
            base_url=base_url or self.base,
            timeout=httpx2.Timeout(self.timeout, connect=min(3.0, self.timeout), pool=self.timeout),
            follow_redirects=False,
            trust_env=False,
            transport=outgoing.TimedTransport(trust_env=False, proxy=proxy or None),
            headers={"Accept": "application/json", "User-Agent": "storefront-messaging"},
        )

    def post(
        self,
        path: str,
        *,
        json: Any = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> dict[str, Any]:
        """The JSON object of a 2xx answer. Raises DeliveryFailed for everything else; nothing is logged."""
        deadline = time.monotonic() + self.timeout
        try:
            with self._client.stream("POST", path, json=json, data=data, headers=headers, auth=auth) as response:
                content = b""
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > MAX_ANSWER_BYTES:
                        break
                    if time.monotonic() > deadline:
                        raise DeliveryFailed("timeout", retry=True)
        except httpx2.TimeoutException as error:
            raise DeliveryFailed("timeout", retry=True) from error
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError) as error:
            raise DeliveryFailed("misconfigured", retry=False) from error
        except httpx2.HTTPError as error:
            raise DeliveryFailed("unreachable", retry=True) from error
        answer = _as_object(content)
        if not response.is_success:
            self._refused(response, answer)
        return answer

    def _refused(self, response: httpx2.Response, answer: dict[str, Any]) -> NoReturn:
        status = response.status_code
        if status == 429 or self.is_rate_limit(answer):
            raise DeliveryFailed("rate_limited", retry=True, retry_after=retry_after(response.headers))
        if status >= 500 or status == 408:
            raise DeliveryFailed(f"http_{status}", retry=True, retry_after=retry_after(response.headers))
        if status < 400:
            raise DeliveryFailed("redirected", retry=False)
        if status in (401, 403):
            raise DeliveryFailed("credentials_refused", retry=False)
        raise DeliveryFailed(self.refusal(status, answer), retry=False)

    def is_rate_limit(self, answer: dict[str, Any]) -> bool:
        """Whether a refusal with another status than 429 means "too fast"."""
        return False

    def refusal(self, status: int, answer: dict[str, Any]) -> str:
        """A short stable reason for a 4xx, from the provider's own code."""
        return f"http_{status}"


def _as_object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def retry_after(headers: Mapping[str, str]) -> int | None:
    """The header in seconds, whether it names seconds or a date; None without one. At most an hour."""
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, min(int((moment - datetime.now(UTC)).total_seconds()) + 1, MAX_RETRY_AFTER))


def require_secret(wanted: str, given: str) -> None:
    """Raises PermissionError unless both agree; an account without a secret accepts no callbacks."""
    if not wanted or not hmac.compare_digest(wanted.encode(), given.encode()):
        raise PermissionError("The callback's secret does not match.")


def parsed_json(body: bytes) -> Any:
    """The value of a callback's JSON body, or None."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def digits(phone: str) -> str:
    """An E.164 number as providers without the plus want it."""
    return phone.lstrip("+")


def code_reason(prefix: str, code: object, fallback: str) -> str:
    """`prefix_code` when the provider's code is a short word or number, so that nothing personal slips in."""
    text = str(code if code is not None else "")
    if text and len(text) <= 20 and text.replace("_", "").replace("-", "").isalnum() and text.isascii():
        return f"{prefix}_{text}".lower()
    return fallback
