"""Shapes in and out: input serializers, and plain builders for what goes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from storefront.addresses import AddressChangesIn, AddressIn

from .models import Address, Customer, Seller

__all__ = ["AddressChangesIn", "AddressIn", "CustomerChangesIn", "CustomerIn", "customer_detail", "seller"]

Input = serializers.Serializer[Any]


# --- in ---------------------------------------------------------------------------------------------------------------
class OptionalText(serializers.CharField):
    """Absent leaves what is there; null and blank empty it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, allow_blank=True, **kwargs)


class BusinessIn(Input):
    business_type = OptionalText(max_length=60)
    name = OptionalText(max_length=160)
    pan_number = OptionalText(max_length=20)
    gstin = OptionalText(max_length=30)


class CustomerChangesIn(Input):
    business = BusinessIn(required=False, allow_null=True)


class OwnAddressIn(AddressIn):
    id = OptionalText(max_length=64)  # of the caller's book, or of none


class CustomerIn(CustomerChangesIn):
    address = OwnAddressIn(required=False, allow_null=True)


# --- out --------------------------------------------------------------------------------------------------------------
def customer_detail(row: Customer, *, person: Mapping[str, Any], address: Address | None = None) -> dict[str, Any]:
    """The contract's `CustomerDetail`: a `person` who is logged in, a guest by the address that they gave.

    The contract knows no null here, so what is not known is left out.
    """
    source: dict[str, Any] = dict(person) or (address.content() if address else {})
    detail = {name: source.get(name) for name in ("first_name", "last_name", "country_code", "phone", "email")}
    if not detail["phone"]:
        detail["country_code"] = None
    return {
        "id": row.pk,
        **{name: value for name, value in detail.items() if value},
        "is_phone_verified": bool(person.get("is_phone_verified")),
        "is_email_verified": bool(person.get("is_email_verified")),
        **({"business": business(row.business)} if row.business else {}),
    }


def business(stored: dict[str, Any]) -> dict[str, Any]:
    """The contract's `CustomerBusiness`."""
    return {
        "business_type": stored.get("type", ""),
        "name": stored.get("name", ""),
        "pan_number": stored.get("pan_number", ""),
        "gstin": stored.get("gstin", ""),
    }


def seller(row: Seller) -> dict[str, Any]:
    """The contract's `SellerInfo`."""
    return {
        "id": row.pk,
        "trade_name": row.trade_name,
        "legal_name": row.legal_name,
        "business_type": row.business_type,
        "tax_identification_number": row.tax_identification_number,
    }
