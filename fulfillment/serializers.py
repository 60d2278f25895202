"""The contract's shapes of delivery, as plain dictionaries. No queries, no rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from phonenumbers import country_code_for_region

from storefront.addresses import country_name
from storefront.contracts import Sellable, ShippingRate, Sku
from storefront.models import StockLocation
from storefront.money import Currency, number, rounded

from .planning import Part, Shipment, best, payable


def shipment_items(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """`ShipmentItem`s."""
    return [_item(part) for part in parts]


def _item(part: Part) -> dict[str, Any]:
    found, sku = part.line.sellable, part.line.sku
    return {
        "product_id": sku.product_id,
        "product_name": found.product_name if found else "",
        "product_image_url": (found.image_url or None) if found else None,
        "variant_id": sku.variant_id,
        "variant_name": (found.variant_name or "") if found else "",
        "sku": (found.code or "") if found else "",
        "quantity": part.quantity,
        "free_quantity": part.free_quantity,
        "is_free_item": part.line.is_free_item,
    }


def cart_shipment(shipment: Shipment, rate: ShippingRate, *, amount: Decimal | None, tax: Decimal) -> dict[str, Any]:
    """A `CartShipment`; `amount` is after free shipping, None while it is not known: then its amounts are left out."""
    out: dict[str, Any] = {
        "id": shipment.id,
        "shipping_provider_id": rate.method_id,
        "shipping_provider_name": rate.name,
        "courier_company_id": rate.courier or None,
        "courier_company_name": rate.courier_name or None,
        "shipment_items_count": len(shipment.parts),
        "shipment_items": shipment_items(shipment.parts),
    }
    if amount is not None:
        out |= {
            "shipping_amount": number(amount),
            "shipping_tax_amount": number(tax),
            "shipping_amount_including_tax": number(amount + tax),
        }
    return out


def unserviceable_item(sku: Sku, sellable: Sellable | None, *, missing: int, available: int) -> dict[str, Any]:
    """An `UnserviceableItem`; of a sku that nobody knows, only its ids are known."""
    return {
        "product_id": sku.product_id,
        "product_name": sellable.product_name if sellable else _("Unknown product"),
        "product_image_url": (sellable.image_url or None) if sellable else None,
        "variant_id": sku.variant_id,
        "variant_name": (sellable.variant_name or "") if sellable else "",
        "unserviceable_quantity": missing,
        "max_available_quantity": available,
    }


def collect_store(location: StockLocation, *, kilometres: float | None, recommended: bool) -> dict[str, Any]:
    """A `CollectInStore`; without a distance where that is not known."""
    out: dict[str, Any] = {
        "id": location.pk,
        "name": location.name,
        "collect_eta_minutes": location.collect_minutes,
        "is_recommended": recommended,
    }
    if kilometres is not None:
        out["distance_km"] = round(kilometres, 1)
    out["address"] = {
        "name": location.name,
        "address_line1": location.address_line1,
        "address_line2": location.address_line2 or None,
        "landmark": location.landmark or None,
        "pincode": location.pincode,
        "city": location.city,
        "state": location.state,
        "country": country_name(location.country),
        "country_code": f"+{country_code_for_region(location.country)}",
    }
    return out


def delivery_option(
    shipments: Sequence[Shipment], *, serviceable: bool, threshold: Decimal | None, free: bool, currency: Currency
) -> dict[str, Any]:
    """A `DeliveryOption`."""
    return {
        "is_serviceable": serviceable,
        "free_shipping_threshold": None if threshold is None else number(threshold),
        "shipments": [
            {
                "id": shipment.id,
                "items": shipment_items(shipment.parts),
                "shipping_methods": shipping_methods(shipment.rates, free=free, currency=currency),
            }
            for shipment in shipments
        ],
    }


def shipping_methods(rates: Sequence[ShippingRate], *, free: bool, currency: Currency) -> list[dict[str, Any]]:
    """The ways that can be chosen now, by method. Amounts are what the shopper would pay, before tax."""
    by_method: dict[str, list[ShippingRate]] = {}
    for rate in rates:
        if rate.answered:
            by_method.setdefault(rate.method_id, []).append(rate)
    return [_method(found, free, currency) for found in by_method.values()]


def _method(rates: Sequence[ShippingRate], free: bool, currency: Currency) -> dict[str, Any]:
    amounts = [rounded(payable(rate, free=free), currency) for rate in rates]
    least, most = min(amounts), max(amounts)
    couriers = [rate for rate in rates if rate.courier]
    recommended = best(couriers, free=free)
    return {
        "id": rates[0].method_id,
        "name": rates[0].name,
        "shipping_type": "auto" if couriers else "manual",
        "shipping_amount": f"{least:f}" if least == most else f"{least:f}-{most:f}",
        "estimated_delivery_days": _days(rates),
        "courier_companies": [
            {
                "id": rate.courier,
                "name": rate.courier_name,
                "shipping_amount": number(rounded(payable(rate, free=free), currency)),
                "estimated_delivery_days": _days([rate]),
                "is_recommended": rate is recommended,
                "is_hyperlocal": rate.hyperlocal,
                "mode": rate.mode,
                "rating": rate.rating,
            }
            for rate in couriers
        ],
    }


def _days(rates: Sequence[ShippingRate]) -> str:
    """A number of days or a range of them; "" where nobody says."""
    days = [day for rate in rates for day in (rate.days, rate.days_to) if day is not None]
    if not days:
        return ""
    return str(min(days)) if min(days) == max(days) else f"{min(days)}-{max(days)}"


def together(shipments: Sequence[Shipment]) -> list[ShippingRate]:
    """The ways that serve every shipment, each at the price of all of them and the days of the slowest."""
    found: list[ShippingRate] = []
    if not shipments:
        return found
    tables = [{(rate.method_id, rate.courier): rate for rate in shipment.rates} for shipment in shipments]
    for key in tables[0]:
        rates = [table[key] for table in tables if key in table]
        if len(rates) == len(tables) and all(rate.answered for rate in rates):
            found.append(_sum(rates))
    return found


def _sum(rates: Sequence[ShippingRate]) -> ShippingRate:
    fewest = [rate.days for rate in rates if rate.days is not None]
    most = [day for rate in rates if (day := rate.days_to or rate.days) is not None]
    return replace(
        rates[0],
        amount=sum((rate.amount for rate in rates), Decimal(0)),
        days=max(fewest, default=None),
        days_to=max(most, default=None),
    )


def older(store: Mapping[str, Any]) -> dict[str, Any]:
    """A store as the older shape has it: without its address."""
    return {name: value for name, value in store.items() if name != "address"}
