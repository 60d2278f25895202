"""The gateways of `PAYMENT_GATEWAYS`, made for a store's account, and every call to one.

Nothing here holds a lock: call a gateway before a transaction, never within one. What a gateway cannot say in time is
`Unavailable` (503), what it refuses is its caller's to name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from storefront.conf import DEFAULT_PAYMENT_GATEWAYS, conf
from storefront.contracts import GatewayRefused, MandateGateway, PaymentGateway
from storefront.errors import DomainError, Unavailable

from .models import PaymentProvider

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")


def known() -> dict[str, dict[str, Any]]:
    """The gateways by code; one that moves no money is left out where it may not work."""
    found = DEFAULT_PAYMENT_GATEWAYS | conf().PAYMENT_GATEWAYS
    return {code: entry for code, entry in found.items() if sandbox_allowed() or not is_sandbox(entry)}


def sandbox_allowed() -> bool:
    return settings.DEBUG or conf().PAYMENT_SANDBOX


def is_sandbox(entry: dict[str, Any]) -> bool:
    return bool(getattr(import_string(entry["NAME"]), "sandbox", False))


def gateway_class(code: str) -> Any:
    """Raises LookupError for a code that nobody named, or that may not work here."""
    return import_string(known()[code]["NAME"])


def build(code: str, *, credentials: dict[str, Any]) -> Any:
    """A gateway ready to be called. Raises LookupError for an unknown code, TypeError or ValueError for bad options."""
    entry = known()[code]
    options = {**entry.get("OPTIONS", {}), **credentials}
    return import_string(entry["NAME"])(timeout=conf().PAYMENT_TIMEOUT_SECONDS, **options)


@cache
def _made(provider_id: str, code: str, modified_at: datetime) -> Any:
    provider = PaymentProvider.objects.get(pk=provider_id)
    return build(code, credentials=provider.credentials)


def gateway(provider: PaymentProvider) -> PaymentGateway:
    """The provider's gateway, made once for each version of its settings. Raises Unavailable where it cannot be made."""
    try:
        made: PaymentGateway = _made(provider.pk, provider.gateway, provider.modified_at)
    except (LookupError, ImportError, TypeError, ValueError) as error:
        logger.error("gateway_not_made", extra={"gateway": provider.gateway, "error": type(error).__name__})
        raise Unavailable(retry_after=60) from error
    return made


def usable(provider: PaymentProvider) -> bool:
    """Whether the provider's gateway is known here; one that was taken out of the settings is not."""
    return provider.gateway in known()


def takes_mandates(provider: PaymentProvider) -> bool:
    """Whether the provider's gateway offers mandates. False for one that is not known here."""
    return usable(provider) and issubclass(gateway_class(provider.gateway), MandateGateway)


def call(name: str, provider: PaymentProvider, /, **arguments: Any) -> Any:
    """One call to the provider's gateway, outside of any transaction. Raises Unavailable, GatewayRefused."""
    return _outside(lambda: getattr(gateway(provider), name)(store_id=provider.store_id, **arguments), name)


def _outside(ask: Callable[[], Answer], name: str) -> Answer:
    if _holds_locks():
        raise RuntimeError(f"{name}: a gateway was called while a transaction holds locks")
    try:
        return ask()
    except (DomainError, GatewayRefused):
        raise
    except Exception as error:  # a gateway that fails is a gateway that is down; its own texts may hold secrets
        logger.error("gateway_failed", extra={"call": name, "error": type(error).__name__})
        raise Unavailable(retry_after=5) from error


def _holds_locks() -> bool:
    """Whether a transaction is open other than the one in which Django's own test cases run each test."""
    blocks = transaction.get_connection().atomic_blocks
    return any(not getattr(block, "_from_testcase", False) for block in blocks)


def forget() -> None:
    _made.cache_clear()
