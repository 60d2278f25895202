"""Shapes of bank accounts. Never the number of an account of the customer's own."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from storefront.addresses import DefaultFlag

from ..models import BankAccount
from . import services

Input = serializers.Serializer[Any]


class Text(serializers.CharField):
    """Absent and null are the same: nothing was said."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, **kwargs)


class BankAccountChangesIn(Input):
    account_type = serializers.ChoiceField(choices=BankAccount.Type.values)
    account_name = Text(max_length=120)
    account_number = Text(max_length=40)
    ifsc_code = Text(max_length=20)
    bank_name = Text(max_length=120)
    is_default = DefaultFlag()


class BankAccountIn(BankAccountChangesIn):
    service_provider_slug = Text(max_length=40)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        needed = ("account_name", "account_number", "ifsc_code", "bank_name")
        if attrs["account_type"] == BankAccount.Type.INBOUND:
            needed = ("service_provider_slug",)  # type: ignore[assignment]
        missing = [name for name in needed if not attrs.get(name)]
        if missing:
            raise serializers.ValidationError({name: _("This field is required.") for name in missing})
        return attrs


class VerifyIn(Input):
    is_verified = serializers.BooleanField()


def bank_account(row: BankAccount) -> dict[str, Any]:
    """The contract's `CustomerBankAccount`, and its id, without which nobody could name it.

    The number is masked; that of an account which a provider opened is shown, for it is there to be paid into.
    """
    return {
        "id": row.pk,
        "account_type": row.type,
        "account_name": row.account_name,
        "account_number": row.number if row.type == BankAccount.Type.INBOUND else services.masked(row),
        "ifsc_code": row.ifsc_code,
        "bank_name": row.bank_name,
        "is_default": row.is_default,
        "is_verified": row.is_verified,
        "verification_status": row.check_state,
        "created_at": row.created_at,
        "modified_at": row.modified_at,
    }
