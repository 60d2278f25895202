"""System checks: a misconfigured shop does not start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from storefront import plugs
from storefront.conf import DEFAULT_LIMITS, Conf, conf, limit_rules

CUSTOMER_PLUGS = ("DOCUMENT_CHECKS", "BANK_VERIFICATION", "VIRTUAL_ACCOUNTS")


@register(Tags.security)
def settings_hold(app_configs: Any, **_: Any) -> list[CheckMessage]:
    try:
        found = conf()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="storefront.E001")]
    messages: list[CheckMessage] = []
    for name in ("SHOPPER", "CATALOG", "NEW_ID"):
        messages += _importable(name, getattr(found, name))
    if found.SEARCH != Conf.SEARCH or apps.is_installed("catalog"):  # a shop without our catalogue needs no search
        messages += _importable("SEARCH", found.SEARCH)
    if found.PURCHASES != Conf.PURCHASES or apps.is_installed("catalog"):
        messages += _importable("PURCHASES", found.PURCHASES)
    for name in ("OFFERS", "PRODUCT_PROMOTIONS", "GIFT_CARDS", "FULFILLMENT", "SHIPPING_RATES", "TAX", *CUSTOMER_PLUGS):
        if plugs.has(name):
            messages += _importable(name, getattr(found, name))
    for name in ("PRICING_STEPS", "CLAIMS"):
        for path in plugs.paths(name):
            messages += _importable(name, path)
    for path in plugs.paths("CLAIMS"):
        messages += _complete("CLAIMS", path, ("resources", "hold", "confirm", "release", "give_back"))
    for path in found.SHIPPING_CARRIERS.values():
        messages += _importable("SHIPPING_CARRIERS", path)
    for name in found.LIMITS:
        if name not in DEFAULT_LIMITS:
            messages.append(Error(f"STOREFRONT LIMITS has no limit named {name!r}.", id="storefront.E003"))
    try:
        for name in DEFAULT_LIMITS:
            limit_rules(name)
    except ImproperlyConfigured as error:
        messages.append(Error(str(error), id="storefront.E003"))
    if found.OTP_DEBUG and not settings.DEBUG:
        messages.append(
            Error("OTP_DEBUG returns one-time codes to whoever asks; it needs DEBUG (D-7).", id="storefront.E004")
        )
    if found.SANDBOX_INBOX and not settings.DEBUG:
        messages.append(Error("SANDBOX_INBOX shows one-time codes; it needs DEBUG.", id="storefront.E005"))
    if found.ACCESS_TOKEN_SECONDS <= 60:
        messages.append(
            Error("ACCESS_TOKEN_SECONDS must be over 60: the client refreshes 30 s ahead.", id="storefront.E006")
        )
    if found.STAFF_TWO_FACTOR not in {"required", "optional"}:
        messages.append(Error("STAFF_TWO_FACTOR is required or optional.", id="storefront.E007"))
    return messages


def _importable(name: str, path: str) -> list[CheckMessage]:
    try:
        import_string(path)
    except (ImportError, RuntimeError) as error:  # RuntimeError: its models are of an app that is not installed
        return [Error(f"STOREFRONT {name}: cannot import {path} ({error}).", id="storefront.E002")]
    return []


def _complete(name: str, path: str, methods: Iterable[str]) -> list[CheckMessage]:
    """Told when the process starts, not when the first order is cancelled."""
    try:
        kept = import_string(path)
    except (ImportError, RuntimeError):
        return []  # told already
    missing = [method for method in methods if not callable(getattr(kept, method, None))]
    if not missing:
        return []
    return [Error(f"STOREFRONT {name}: {path} lacks {', '.join(missing)}.", id="storefront.E008")]
