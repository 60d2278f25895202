"""System checks: a lease must outlast a send, and drivers must exist."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register

from storefront.conf import conf

from . import drivers


@register
def messages_hold(app_configs: Any, **_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if conf().MESSAGE_LEASE_SECONDS <= conf().MESSAGE_TIMEOUT_SECONDS:
        found.append(
            Error(
                "MESSAGE_LEASE_SECONDS must be longer than MESSAGE_TIMEOUT_SECONDS: "
                "a slow message would be sent twice.",
                id="storefront_messaging.E001",
            )
        )
    for code in conf().CHANNELS:
        try:
            drivers.driver_class(code)
        except (ImportError, LookupError) as error:
            found.append(Error(f"CHANNELS {code}: {error}", id="storefront_messaging.E002"))
    return found
