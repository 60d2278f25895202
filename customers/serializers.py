"""Shapes in and out: input serializers, and plain builders for what goes out."""

from __future__ import annotations

from typing import Any

from storefront.addresses import AddressChangesIn, AddressIn

from .models import Seller

__all__ = ["AddressChangesIn", "AddressIn", "seller"]


def seller(row: Seller) -> dict[str, Any]:
    """The contract's `SellerInfo`."""
    return {
        "id": row.pk,
        "trade_name": row.trade_name,
        "legal_name": row.legal_name,
        "business_type": row.business_type,
        "tax_identification_number": row.tax_identification_number,
    }
