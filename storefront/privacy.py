"""What is known about a shopper, gathered from every app that knows something (data portability; GDPR art. 20, DPDP s. 11).

An app names its part from `ready`; the event `shopper.erased` is how the same apps forget it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storefront.models import Store

# (store, user_id, customer_id) to JSON-ready data, or nothing. Everything is scoped to the store by the collector.
Collector = Callable[..., Any]
_collectors: dict[str, Collector] = {}


def register(section: str, collector: Collector) -> None:
    """Adds a section to a shopper's export. `collector(store=, user_id=, customer_id=)` answers JSON-ready data."""
    _collectors[section] = collector


def export(*, store: Store, user_id: str, customer_id: str | None) -> dict[str, Any]:
    """Everything that any app keeps about a shopper, by section; empty ones left out."""
    found = {
        section: collect(store=store, user_id=user_id, customer_id=customer_id)
        for section, collect in sorted(_collectors.items())
    }
    return {section: data for section, data in found.items() if data}
