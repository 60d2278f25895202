"""System checks: gateways exist, and those that move no money stay out of production."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string

from storefront.conf import DEFAULT_PAYMENT_GATEWAYS, conf

from . import gateways

METHODS = ("start", "status", "refund", "events", "customer", "saved_cards", "saved_methods", "forget_customer")


@register
def gateways_hold(app_configs: Any, **_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for code, entry in (DEFAULT_PAYMENT_GATEWAYS | conf().PAYMENT_GATEWAYS).items():
        unknown = set(entry) - {"NAME", "OPTIONS"} if isinstance(entry, dict) else {"?"}
        if unknown or not isinstance(entry.get("NAME"), str):
            text = f"PAYMENT_GATEWAYS {code}: give NAME, a class's path, and perhaps OPTIONS."
            found.append(Error(text, id="storefront_payments.E001"))
            continue
        try:
            made = import_string(entry["NAME"])
        except ImportError as error:
            text = f"PAYMENT_GATEWAYS {code}: cannot import {entry['NAME']} ({error})."
            found.append(Error(text, id="storefront_payments.E001"))
            continue
        missing = [name for name in METHODS if not callable(getattr(made, name, None))]
        if missing:
            text = f"PAYMENT_GATEWAYS {code}: {entry['NAME']} lacks {', '.join(missing)}."
            found.append(Error(text, id="storefront_payments.E001"))
        if code in conf().PAYMENT_GATEWAYS and getattr(made, "sandbox", False) and not gateways.sandbox_allowed():
            text = f"PAYMENT_GATEWAYS {code}: {entry['NAME']} moves no money. Remove it, or set PAYMENT_SANDBOX."
            found.append(Error(text, id="storefront_payments.E002"))
    return found
