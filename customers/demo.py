"""Addresses and documents for the demo store and its shopper."""

from __future__ import annotations

from storefront.addresses import cleaned
from storefront.models import Store

from . import book, selectors
from .models import KycDocumentType

ADDRESSES = (
    {
        "nickname": "Home",
        "first_name": "Asha",
        "last_name": "Rao",
        "phone": "9876543210",
        "email": "shopper@example.com",
        "address_line1": "12 Church Street",
        "address_line2": "Flat 4B",
        "pincode": "560001",
        "city": "Bengaluru",
        "state": "Karnataka",
    },
    {
        "nickname": "Parents",
        "first_name": "Asha",
        "last_name": "Rao",
        "phone": "9876543210",
        "email": "shopper@example.com",
        "address_line1": "7 Marine Drive",
        "landmark": "Near the aquarium",
        "pincode": "400002",
        "city": "Mumbai",
        "state": "Maharashtra",
    },
)
DOCUMENTS = (
    {"title": "PAN card", "kind": "pan", "description": "The permanent account number of the buyer."},
    {"title": "GST registration", "kind": "gst", "description": "For businesses that claim input tax."},
)


def build(*, store: Store, user_id: str, customer_id: str) -> None:
    """Safe to repeat."""
    known = list(selectors.address_book(store=store, customer_id=customer_id))
    for given in ADDRESSES:
        content = cleaned(store=store, data=given)
        if not any(book.same(row, content) for row in known):
            book.create(store=store, customer_id=customer_id, data=given)
    for order, facts in enumerate(DOCUMENTS):
        defaults = facts | {"verification": KycDocumentType.Verification.AUTO, "sort_order": order}
        KycDocumentType.objects.get_or_create(store=store, title=facts["title"], defaults=defaults)
