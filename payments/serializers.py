"""Shapes of payments: what comes in is validated here, what goes out is plain dictionaries in the contract's words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from storefront.money import number

from .models import CreditLine, GatewayCustomer, Mandate, MandateDebit, PaymentProvider, SavedCard, SavedMethod

IFSC = re.compile(r"[A-Z]{4}0[A-Z0-9]{6}")
ACCOUNT = re.compile(r"[0-9A-Za-z]{6,34}")


# --- in -------------------------------------------------------------------------------------------------------------
class Text(serializers.CharField):
    """A text of one line: a JSON string and nothing that only looks like one."""

    default_error_messages = {"invalid": _("Enter a text.")}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or not data.isprintable():
            self.fail("invalid")
        found: str = super().to_internal_value(data)
        return found


class MandateIn(serializers.Serializer[Any]):
    payment_method_type = Text(max_length=40)
    payment_method = Text(max_length=40)
    service_provider_slug = Text(max_length=40)
    gateway_reference_id = Text(max_length=160, allow_blank=True)
    bank_ifsc = Text(max_length=20)
    bank_account_number = Text(max_length=40)
    bank_beneficiary_name = Text(max_length=120)

    def validate_bank_ifsc(self, value: str) -> str:
        ifsc = value.upper()
        if not IFSC.fullmatch(ifsc):
            raise serializers.ValidationError(_("An IFSC has four letters, a zero, and six letters or digits."))
        return ifsc

    def validate_bank_account_number(self, value: str) -> str:
        account = value.replace(" ", "").replace("-", "")
        if not ACCOUNT.fullmatch(account):
            raise serializers.ValidationError(_("Enter the number of a bank account."))
        return account


class Amount(serializers.Field):  # type: ignore[type-arg]
    """A JSON number above zero with at most three decimals, as Decimal."""

    default_error_messages = {
        "invalid": _("Enter an amount."),
        "min_value": _("Must be more than zero."),
        "max_value": _("This is too much."),
    }
    LARGEST = Decimal(10_000_000_000)

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, (int, float)):
            self.fail("invalid")
        if data <= 0:
            self.fail("min_value")
        if data > self.LARGEST:
            self.fail("max_value")
        amount = Decimal(str(data))
        if amount != amount.quantize(Decimal("0.001")):
            self.fail("invalid")
        return amount

    def to_representation(self, value: Any) -> Any:
        return value


class MandateChangeIn(serializers.Serializer[Any]):
    """Both are optional; null means no change."""

    max_amount = Amount(required=False, allow_null=True, default=None)
    end_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


# --- out: providers -------------------------------------------------------------------------------------------------
def provider(row: PaymentProvider, *, takes_mandates: bool) -> dict[str, Any]:
    """The contract's `PaymentProvider`, and the settings for clients where there are any. Never a credential."""
    shown: dict[str, Any] = {
        "id": row.pk,
        "name": row.name,
        "short_description": row.short_description,
        "features": [{"code": "saved_methods", "enabled": True}, {"code": "mandates", "enabled": takes_mandates}],
        "logo_dark": row.logo_dark,
        "logo_light": row.logo_light,
        "payment_provider_slug": row.slug,
    }
    return shown | ({"config": row.config} if row.config else {})


# --- out: saved means -----------------------------------------------------------------------------------------------
def cards(holders: Iterable[GatewayCustomer], *, now: datetime) -> list[dict[str, Any]]:
    """The contract's `JuspayCardDetail`, of which only the provider's token and the last four digits are real."""
    return [
        {
            **_card(card, holder, now),
            "health": "HEALTHY",
            "mandate_support": card.can_have_mandate,
            "metadata": {"origin_customer_id": holder.customer_id, "origin_merchant_id": holder.store_id},
        }
        for holder in holders
        for card in holder.cards.all()
    ]


def _card(card: SavedCard, holder: GatewayCustomer, now: datetime) -> dict[str, Any]:
    return {
        "card_token": card.reference,
        "card_reference": card.pk,
        "card_fingerprint": card.fingerprint_hash,
        "card_number": f"XXXX-XXXX-XXXX-{card.last4}",
        "card_isin": card.bin,
        "card_exp_month": f"{card.expiry_month:02d}",
        "card_exp_year": str(card.expiry_year),
        "card_brand": card.brand,
        "card_type": card.kind,
        "card_sub_type": "",
        "card_sub_type_category": "",
        "extended_card_type": card.kind,
        "card_issuer": card.issuer,
        "card_issuer_country": card.issuer_country,
        "country_code": card.country_code,
        "juspay_bank_code": card.bank_code,
        "name_on_card": card.holder_name,
        "nickname": card.nickname,
        "expired": card.expired(now),
        "provider": holder.provider.slug,
        "provider_category": "GATEWAY",
        "vault_provider": holder.provider.slug,
        "tokenize_support": True,
    }


def saved_methods(holders: list[GatewayCustomer], *, kinds: Iterable[str], now: datetime) -> dict[str, Any]:
    """The contract's `SavedPaymentMethod` with the asked kinds; each is there, if empty."""
    methods = [method for holder in holders for method in holder.methods.all()]
    made = {
        "upi_collect": lambda: [_upi(method) for method in methods if method.kind == SavedMethod.Kind.UPI],
        "wallet": lambda: [_wallet(method) for method in methods if method.kind == SavedMethod.Kind.WALLET],
        "card": lambda: [
            {
                **_card(card, holder, now),
                "card_global_fingerprint": card.fingerprint_hash,
                "metadata": {"origin_merchant_id": holder.store_id},
            }
            for holder in holders
            for card in holder.cards.all()
        ],
    }
    return {kind: made[kind]() for kind in kinds}


def _upi(method: SavedMethod) -> dict[str, Any]:
    return {"vpa": method.label, "count": method.use_count, "last_used": _moment_text(method.last_used_at)}


def _wallet(method: SavedMethod) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": method.pk,
        "wallet": method.label,
        "linked": "true" if method.linked else "false",
        "gateway_reference_id": method.holder.provider.slug,
        "last_refreshed": _moment_text(method.refreshed_at),
        "metadata": {"mobile_number": method.phone},
    }
    if method.balance is not None:
        shown["sub_details"] = {
            "payment_method": method.label,
            "payment_method_type": "WALLET",
            "current_balance": f"{method.balance:.2f}",
            "last_used": _moment_text(method.last_used_at),
            "last_refreshed": _moment_text(method.refreshed_at),
        }
    return shown


def _moment_text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


# --- out: mandates --------------------------------------------------------------------------------------------------
def mandate(row: Mandate) -> dict[str, Any]:
    """The contract's `CustomerMandate`. What has not happened yet is left out; the account is masked."""
    shown: dict[str, Any] = {
        "id": row.pk,
        "status": row.status,
        "mandate_type": row.mandate_type,
        "max_amount": number(row.max_amount),
        "frequency": row.frequency,
        "start_date": row.start_at,
        "end_date": row.end_at,
        "gateway": row.provider.slug,
        "gateway_reference_id": row.gateway_reference_id or row.reference,
        "block_fund": row.block_fund,
        "revokable_by_customer": row.revokable_by_customer,
        "currency": row.currency,
        "payment_info": {
            "payment_method_type": row.payment_method_type,
            "payment_method": row.payment_method,
            "bank_details": {
                "account_number": f"XXXXXX{row.account_last4}" if row.account_last4 else "",
                "ifsc": row.ifsc,
                "bank_account_type": row.bank_account_type,
                "beneficiary_name": row.beneficiary,
                "bank_name": row.bank_name,
            },
        },
        "created_at": row.created_at,
        "modified_at": row.modified_at,
    }
    if row.activated_at:
        shown["activated_at"] = row.activated_at
        shown["last_activated_at"] = row.last_activated_at or row.activated_at
    return shown


def debit(row: MandateDebit) -> dict[str, Any]:
    """The contract's `MandateDebitSchedule`."""
    return {
        "id": row.pk,
        "mandate_id": row.mandate_id,
        "order_id": row.order_id,
        "order_number": row.order_number or None,
        "amount": number(row.amount),
        "status": row.status,
        "scheduled_at": row.scheduled_at,
        "picked_at": row.picked_at,
        "executed_at": row.executed_at,
        "external_reference_id": row.external_reference_id or None,
        "gateway_order_id": row.gateway_order_id or None,
        "retry_attempt": row.retry_attempt,
        "max_retries": row.max_retries,
        "next_retry_at": row.next_retry_at,
        "store_id": row.store_id,
        "created_at": row.created_at,
        "modified_at": row.modified_at,
    }


# --- out: credit ----------------------------------------------------------------------------------------------------
def credit(line: CreditLine | None, mandates: Iterable[Mandate]) -> dict[str, Any]:
    """What is held for orders counts as utilised, so that the three amounts add up."""
    balance = None
    if line is not None and line.total_credit_limit is not None and line.mandate_per_order_limit is not None:
        balance = {
            "mandate_per_order_limit": number(line.mandate_per_order_limit),
            "total_credit_limit": number(line.total_credit_limit),
            "utilized_amount": number(line.used),
            "balance_amount": number(line.balance),
            "store_id": line.store_id,
            "created_at": line.created_at,
            "modified_at": line.modified_at,
        }
    return {
        "is_eligible": line is not None and line.is_eligible,
        "credit_line_balance": balance,
        "active_mandates": [mandate(row) for row in mandates],
    }
