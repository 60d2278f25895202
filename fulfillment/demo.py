"""Zones, rates and shops to collect in for the demo store and its shopper."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import transaction

from storefront import selectors as kernel
from storefront.models import StockLocation, Store

from .models import DeliverySettings, RateSlab, ShippingMethod, ShippingZone, ZoneRate

WAREHOUSE: dict[str, Any] = {
    "address_line1": "Plot 14, EPIP Zone",
    "address_line2": "Whitefield Main Road",
    "city": "Bengaluru",
    "state": "Karnataka",
    "pincode": "560066",
}
SHOPS: dict[str, dict[str, Any]] = {
    "Church Street shop": {
        "address_line1": "22 Church Street",
        "landmark": "Opposite the post office",
        "city": "Bengaluru",
        "state": "Karnataka",
        "pincode": "560001",
        "latitude": Decimal("12.974900"),
        "longitude": Decimal("77.605300"),
        "collect_minutes": 90,
    },
    "Fort shop": {
        "address_line1": "7 Nagindas Master Road",
        "landmark": "Kala Ghoda",
        "city": "Mumbai",
        "state": "Maharashtra",
        "pincode": "400001",
        "latitude": Decimal("18.929200"),
        "longitude": Decimal("72.832400"),
        "collect_minutes": 120,
    },
}
ZONES: dict[str, dict[str, Any]] = {
    "Metro cities": {"priority": 10, "pincodes": "110*, 380*, 400*, 411*, 500*, 560*, 600*, 700*"},
    "Remote areas": {"priority": 20, "pincodes": "18*, 19*\n737*, 744*, 79*\n682551-682559"},
    "Rest of India": {"priority": 100},
}
METHODS: dict[str, dict[str, Any]] = {
    "Standard": {"kind": "weight", "sort_order": 10},
    "Express": {"kind": "flat", "sort_order": 20, "can_be_free": False},
    "Courier of your choice": {"kind": "carrier", "carrier": "sandbox", "sort_order": 30},
}
RATES: dict[tuple[str, str], dict[str, Any]] = {
    ("Metro cities", "Standard"): {"days": 2, "days_to": 4, "slabs": (49, 69, 119)},
    ("Rest of India", "Standard"): {"days": 4, "days_to": 7, "slabs": (69, 99, 159)},
    ("Remote areas", "Standard"): {"days": 7, "days_to": 12, "slabs": (129, 179, 299)},
    ("Metro cities", "Express"): {"amount": 149, "days": 1, "days_to": 2, "maximum_weight": 10_000},
    ("Rest of India", "Express"): {"amount": 229, "days": 2, "days_to": 3, "maximum_weight": 10_000},
    ("Metro cities", "Courier of your choice"): {"amount": 10},
    ("Rest of India", "Courier of your choice"): {"amount": 10},
}
UP_TO = (500, 1000, 3000)  # grams


@transaction.atomic
def build(*, store: Store, user_id: str, customer_id: str) -> None:
    """Safe to repeat: what is there, by name, is left as staff made it."""
    DeliverySettings.objects.get_or_create(store=store, defaults={"free_shipping_threshold": Decimal(5000)})
    StockLocation.objects.filter(store=store, is_default=True, pincode="").update(
        name="Whitefield warehouse", **WAREHOUSE
    )
    for name, facts in SHOPS.items():
        shop = {
            "type": StockLocation.Type.STORE,
            "can_collect": True,
            "sort_order": 10,
            "phone": "+918041234567",
            **facts,
        }
        StockLocation.objects.get_or_create(store=store, name=name, defaults=shop)
    zones = {
        name: ShippingZone.objects.get_or_create(store=store, name=name, defaults=facts)[0]
        for name, facts in ZONES.items()
    }
    methods = {
        name: ShippingMethod.objects.get_or_create(store=store, name=name, defaults=facts)[0]
        for name, facts in METHODS.items()
    }
    for (zone, method), facts in RATES.items():
        _rate(store, zones[zone], methods[method], **facts)
    transaction.on_commit(kernel.forget)


def _rate(store: Store, zone: ShippingZone, method: ShippingMethod, slabs: tuple[int, ...] = (), **facts: Any) -> None:
    if slabs:
        facts |= {"further_step": Decimal(1000), "further_amount": Decimal(slabs[0] - 10)}
    rate, made = ZoneRate.objects.get_or_create(store=store, zone=zone, method=method, defaults=facts)
    if made:
        for up_to, amount in zip(UP_TO, slabs, strict=False):
            RateSlab.objects.create(store=store, rate=rate, up_to=Decimal(up_to), amount=Decimal(amount))
