"""What the demo store says about itself, and a few postal codes."""

from __future__ import annotations

from storefront.models import Pincode, Store, StoreTemplate

from . import importing

TERMS = """# Terms of service

This is a shop for trying things out. Nothing is sold, and nobody is charged.
"""
REFUNDS = """# Refunds

Seven days from delivery, unused and in its box. The money goes back the way it came.
"""


def build(*, store: Store) -> None:
    """Safe to repeat; what staff wrote meanwhile stays."""
    if not store.brand:
        store.brand = {
            "colour": "#0f766e",
            "support_email": "help@example.com",
            "social_media_links": {"instagram": "https://instagram.com/example"},
        }
        Store.objects.filter(pk=store.pk).update(brand=store.brand)
    for kind, title, content in (
        (StoreTemplate.Kind.TERMS, "Terms of service", TERMS),
        (StoreTemplate.Kind.REFUNDS, "Refund policy", REFUNDS),
    ):
        StoreTemplate.objects.get_or_create(store=store, kind=kind, defaults={"title": title, "content": content})
    if not Pincode.objects.filter(country="IN").exists():
        with importing.SAMPLE.open(encoding="utf-8", newline="") as file:
            importing.import_pincodes(file, country="IN")
