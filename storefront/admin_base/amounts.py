"""Amounts as staff read them."""

from __future__ import annotations

from decimal import Decimal

from django.utils.formats import number_format

from storefront.models import Store


def money(store: Store, amount: Decimal | None) -> str:
    """An amount in the store's currency, in the reader's notation; a dash for none."""
    if amount is None:
        return "–"
    return f"{store.currency_symbol} {number_format(amount, store.currency_exponent, force_grouping=True)}"
