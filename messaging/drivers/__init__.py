"""The drivers by code. `STOREFRONT["CHANNELS"]` adds a shop's own or replaces one of these.

A driver is a `storefront.contracts.Channel` with a class attribute `channels`, the channels that it serves. It is
built once per account with keyword arguments: `sender`, `timeout` (seconds for one send), `callback_url` (where the
provider may report to) and whatever the account's credentials and options hold.
"""

from __future__ import annotations

from typing import Any

from django.utils.module_loading import import_string

from storefront.conf import conf

DRIVERS = {
    "console": "messaging.drivers.console.Console",
    "sandbox": "messaging.drivers.sandbox.Sandbox",
    "email": "messaging.drivers.email.Email",
    "twilio": "messaging.drivers.twilio.Twilio",
    "msg91": "messaging.drivers.msg91.Msg91",
    "meta": "messaging.drivers.meta.Meta",
    "gupshup": "messaging.drivers.gupshup.Gupshup",
}


def known() -> dict[str, str]:
    return DRIVERS | conf().CHANNELS


def driver_class(code: str) -> Any:
    """Raises LookupError for a code that nobody named."""
    path = known().get(code)
    if path is None:
        raise LookupError(code)
    return import_string(path)


def build(code: str, *, sender: str = "", callback_url: str = "", **options: Any) -> Any:
    """A driver ready to send. Raises LookupError for an unknown code, TypeError or ValueError for bad options."""
    made = driver_class(code)
    return made(sender=sender, timeout=conf().MESSAGE_TIMEOUT_SECONDS, callback_url=callback_url, **options)
