"""Shapes of the contract: Country, Brand, CustomerGroup, StoreTemplate, StoreConfig. Only what a client may know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from storefront import origin
from storefront.models import CustomerGroup, Store, StoreTemplate

from .countries import Country


def country(found: Country) -> dict[str, str]:
    return {
        "id": found.iso_code,
        "country_name": found.name,
        "country_code": found.dial_code,
        "country_iso_code": found.iso_code,
        "currency_code": found.currency_code,
        "currency_symbol": found.currency_symbol,
        "currency_name": found.currency_name,
        "flag_icon_url": found.flag,
        "country_alias": found.native_name,
        "continent": found.continent,
    }


def brand(store: Store) -> dict[str, Any]:
    kept = store.brand if isinstance(store.brand, dict) else {}
    logo = kept.get("logo_url")
    links = kept.get("social_media_links")
    return {
        "name": str(kept.get("name") or store.name),
        "logo_url": origin.absolute(str(logo)) if logo else None,
        "social_media_links": {str(name): str(address) for name, address in links.items() if address}
        if isinstance(links, dict)
        else {},
    }


def group(found: CustomerGroup) -> dict[str, Any]:
    return {
        "id": found.pk,
        "name": found.name,
        "slug": found.slug,
        "description": found.description or None,
        "is_default": found.is_default,
        "active": found.active,
    }


def template(kind: StoreTemplate.Kind, found: StoreTemplate | None) -> dict[str, Any]:
    """A text of the store. One that nobody wrote yet is there and empty; its id is the same afterwards."""
    return {
        "id": kind.value.replace("_", "-"),
        "name": str(kind.label),
        "content_title": (found.title or None) if found else None,
        "content_type": found.content_type if found else StoreTemplate.Format.PLAINTEXT.value,
        "content": found.content if found else "",
    }


def config(
    store: Store,
    *,
    groups: Sequence[CustomerGroup],
    templates: Mapping[str, StoreTemplate],
    kyc_documents: Sequence[dict[str, Any]],
    analytics_providers: Sequence[dict[str, Any]],
    payment_providers: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    currency = store.currency
    return {
        "is_kyc_enabled": store.kyc_enabled,
        "is_customer_group_enabled": store.customer_groups_enabled,
        "brand": brand(store),
        "currency": {"name": currency.name, "code": currency.code, "symbol": currency.symbol},
        "customer_groups": [group(found) for found in groups],
        "kyc_documents": list(kyc_documents),
        "analytics_providers": list(analytics_providers),
        "payment_providers": list(payment_providers),
        **{kind.value: template(kind, templates.get(kind.value)) for kind in StoreTemplate.Kind},
    }
