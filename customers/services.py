"""Every write to customers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from storefront.models import CustomerGroup, Store

from .models import Address, AuthorizedSeller, BankAccount, Customer, Invitation, SegmentMember


def create_customer(*, store: Store, customer_id: str, group: CustomerGroup | None = None) -> Customer:
    """The customer of that id, made unless it exists. At most two queries; safe to repeat and in parallel."""
    customer = Customer(pk=customer_id, store=store, group=group)
    Customer.objects.bulk_create([customer], ignore_conflicts=True)
    return Customer.objects.select_related("group").get(store=store, pk=customer_id)


def set_group(*, store: Store, customer_id: str, group: CustomerGroup | None) -> None:
    """Puts the customer into a group of the same store, None for the default one."""
    if group is not None and group.store_id != store.pk:
        raise ValueError("The group belongs to another store.")
    Customer.objects.filter(store=store, pk=customer_id).update(group=group, modified_at=timezone.now())


def set_business(*, store: Store, customer_id: str, business: Mapping[str, Any] | None) -> None:
    """Replaces the business details; None makes the customer a private person."""
    Customer.objects.filter(store=store, pk=customer_id).update(
        business=None if business is None else dict(business), modified_at=timezone.now()
    )


def erase_customer(*, store: Store, customer_id: str, now: datetime) -> None:
    """Removes personal data from the row and keeps the row, for orders and ledgers hang on it.

    What else is the customer's goes altogether.
    """
    for model in (Address, BankAccount, SegmentMember, AuthorizedSeller, Invitation):
        model._default_manager.filter(store=store, customer_id=customer_id).delete()
    Customer.objects.filter(store=store, pk=customer_id).update(
        business=None, metadata={}, erased_at=now, modified_at=now
    )
