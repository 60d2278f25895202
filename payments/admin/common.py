"""What the admin pages of payments share."""

from __future__ import annotations

from typing import Any

from customers.models import Customer
from storefront.admin_base import change_link


def money(row: Any, amount: Any) -> str:
    return "–" if amount is None else f"{row.store.currency_symbol} {amount:.{row.store.currency_exponent}f}"


def customer_link(store_id: str, customer_id: str) -> str:
    """A link to the customer's page without reading the row."""
    return change_link(Customer(pk=customer_id, store_id=store_id), customer_id)
