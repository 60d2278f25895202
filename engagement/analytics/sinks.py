"""What forwards events: classes named by kind in `ANALYTICS_SINKS`, a webhook that speaks like Segment's among them."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from django.utils.module_loading import import_string

from messaging.drivers.base import retry_after
from storefront import outgoing
from storefront.conf import conf
from storefront.contracts import DeliveryFailed

from .models import AnalyticsEvent

GONE = "gone"
BUILT_IN = {"webhook": "engagement.analytics.sinks.Webhook"}


def kinds() -> dict[str, str]:
    return {**BUILT_IN, **conf().ANALYTICS_SINKS}


def sink_class(kind: str) -> Any:
    """Raises LookupError for an unknown kind, ImportError for one that cannot be loaded."""
    return import_string(kinds()[kind])


def item(event: AnalyticsEvent) -> dict[str, Any]:
    """An event as Segment's HTTP API takes it: a `track` call."""
    who = {"anonymousId" if event.anonymous or not event.user_id else "userId": event.user_id or "server"}
    return {
        "type": "track",
        "messageId": event.message_id,
        "event": event.name,
        **who,
        "channel": "website" if event.origin == AnalyticsEvent.Origin.CLIENT else "server",
        "context": event.context,
        "properties": event.properties,
        "timestamp": event.occurred_at.isoformat(),
        "receivedAt": event.received_at.isoformat(),
    }


class Webhook:
    """POSTs `{"batch": [...], "sentAt": ...}`.

    Signed with the sink's `signing_secret`: `X-Webhook-Signature` is the hex HMAC-SHA256 of the raw body. A `write_key`
    goes out as the user of Basic authentication, as Segment and those that imitate it want it. A receiver drops what
    it has seen by `messageId`: a batch may come twice.
    """

    secret_names = ("signing_secret", "write_key")

    def send(
        self,
        *,
        url: str,
        secrets: Mapping[str, str],
        batch_id: str,
        events: Sequence[Mapping[str, Any]],
        now: datetime,
    ) -> None:
        """Raises DeliveryFailed."""
        body = orjson.dumps({"batch": list(events), "sentAt": now.isoformat()})
        headers = {
            "Content-Type": "application/json",
            "X-Webhook-Id": batch_id,
            "X-Webhook-Timestamp": str(int(now.timestamp())),
        }
        if secret := secrets.get("signing_secret"):
            headers["X-Webhook-Signature"] = hmac.digest(secret.encode(), body, "sha256").hex()
        if key := secrets.get("write_key"):
            headers["Authorization"] = f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}"
        try:
            answer = outgoing.post(url, body=body, headers=headers)
        except outgoing.Refused as error:
            raise DeliveryFailed(error.reason, retry=False) from error
        except outgoing.Unreachable as error:
            raise DeliveryFailed(error.reason, retry=True) from error
        if 200 <= answer.status < 300:
            return
        if answer.status == 410:
            raise DeliveryFailed(GONE, retry=False)
        transient = answer.status in (408, 425, 429) or answer.status >= 500
        raise DeliveryFailed(f"http_{answer.status}", retry=transient, retry_after=retry_after(answer.headers))
