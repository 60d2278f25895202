"""Writes to customers themselves. What they own has modules of its own: `book`, `kyc`, `bank`, `invitations`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from storefront import events
from storefront.addresses import cleaned, place_of
from storefront.conf import conf
from storefront.contracts import Shopper
from storefront.errors import Invalid, LoginRequired
from storefront.ids import ID_LENGTH
from storefront.models import CustomerGroup, Store

from . import book, selectors
from .business import TAX_NUMBERS
from .business import cleaned as cleaned_business
from .errors import CustomerNotFound
from .kyc import services as kyc
from .models import Address, AuthorizedSeller, BankAccount, Customer, CustomerNote, Invitation, SegmentMember


def create_customer(*, store: Store, customer_id: str, group: CustomerGroup | None = None) -> Customer:
    """The customer of that id, made unless it exists. At most two queries, one more for a guest, who is one no longer.

    Safe to repeat and in parallel.
    """
    customer = Customer(pk=customer_id, store=store, group=group)
    Customer.objects.bulk_create([customer], ignore_conflicts=True)
    found = Customer.objects.select_related("group").get(store=store, pk=customer_id)
    if found.is_guest:
        Customer.objects.filter(store=store, pk=customer_id).update(is_guest=False, erased_at=None, merged_into="")
        found.is_guest, found.erased_at, found.merged_into = False, None, ""
    return found


def give_details(
    *,
    store: Store,
    shopper: Shopper,
    business_sent: Mapping[str, Any] | None,
    address_sent: Mapping[str, Any] | None,
    now: datetime,
) -> tuple[Customer, Address | None]:
    """What a caller tells of themselves before they order: their business and an address, each of them or not.

    A logged-in shopper's customer gets them. A visitor becomes a guest: a customer under the visitor's id, without an
    account; registering keeps it. The same address again is the same address, and one of their book that is named by its
    id is changed. Raises Invalid naming the fields, LoginRequired for somebody who has an account and isn't logged in.
    """
    content = None if address_sent is None else cleaned(store=store, data=address_sent, prefix="address.")
    place = place_of(store=store, address=content)
    gst_state = place.state if place is not None and place.country == "IN" else ""
    with transaction.atomic():
        customer = _of_caller(store, shopper)
        if business_sent is not None:
            customer.business = cleaned_business(sent=business_sent, stored=customer.business, gst_state=gst_state)
            customer.save(update_fields=["business", "modified_at"])
        if content is None:
            return customer, None
        kept = list(selectors.address_book(store=store, customer_id=customer.pk))
        for row in kept:
            if book.same(row, content):
                return customer, row
        named = (address_sent or {}).get("id")
        if any(row.pk == named for row in kept):
            return customer, book.update(
                store=store,
                customer_id=customer.pk,
                address_id=str(named),
                changes=address_sent or {},
                now=now,
                prefix="address.",
            )
        return customer, book.add(
            store=store, customer_id=customer.pk, content=content, wished=address_sent or {}, now=now
        )


def _of_caller(store: Store, shopper: Shopper) -> Customer:
    """The caller's customer, locked; made for a visitor."""
    if shopper.is_logged_in:
        return selectors.customer_for_update(store=store, customer_id=shopper.customer_id or "")
    if not shopper.is_anonymous or not 0 < len(shopper.user_id) <= ID_LENGTH:
        raise LoginRequired
    guest = Customer(pk=shopper.user_id, store=store, is_guest=True)
    Customer.objects.bulk_create([guest], ignore_conflicts=True)
    found = Customer.objects.select_for_update(no_key=True).filter(store=store, pk=shopper.user_id).first()
    if found is None or not found.is_guest:  # the visitor registered; this old token opens nothing of the account
        raise LoginRequired
    if found.erased_at is not None:
        found.erased_at, found.merged_into = None, ""
        found.save(update_fields=["erased_at", "merged_into", "modified_at"])
    return found


@transaction.atomic
def absorb_guest(*, store: Store, guest_id: str, customer_id: str, now: datetime) -> None:
    """Moves what a visitor gave as a guest to the customer that they logged in to; one query when there was nothing.

    Addresses that the customer has already are dropped, and those for which there is no room. The customer's own
    defaults and business stay. Safe to repeat. Locks both customers, in the order of their ids.
    """
    if not Customer.objects.filter(store=store, pk=guest_id, is_guest=True, erased_at=None).exists():
        return
    pair = Customer.objects.select_for_update(no_key=True).filter(store=store, pk__in=[guest_id, customer_id])
    rows = {row.pk: row for row in pair.order_by("pk")}
    guest, customer = rows.get(guest_id), rows.get(customer_id)
    if guest is None or customer is None or not guest.is_guest or guest.erased_at or customer.erased_at:
        return
    kept = list(selectors.address_book(store=store, customer_id=customer.pk))
    moving = [
        row.pk
        for row in selectors.address_book(store=store, customer_id=guest.pk)
        if not any(book.same(other, row.content()) for other in kept)
    ][: max(book.MAX_ADDRESSES - len(kept), 0)]
    going = Address.objects.filter(store=store, pk__in=moving)
    if kept:
        going.update(customer=customer, is_default_billing=False, is_default_shipping=False)
    else:
        going.update(customer=customer)
    if guest.business and not customer.business:
        customer.business = guest.business
        customer.save(update_fields=["business", "modified_at"])
    erase_customer(store=store, customer_id=guest.pk, now=now)


def change_business(*, store: Store, customer_id: str, sent: Mapping[str, Any] | None) -> Customer:
    """Changes those members of the business that were sent; None makes the customer a private person.

    Raises Invalid naming the fields, CustomerNotFound.
    """
    with transaction.atomic():
        customer = selectors.customer_for_update(store=store, customer_id=customer_id)
        customer.business = None if sent is None else cleaned_business(sent=sent, stored=customer.business)
        customer.save(update_fields=["business", "modified_at"])
    return customer


def set_group(*, store: Store, customer_id: str, group: CustomerGroup | None) -> None:
    """Puts the customer into a group of the same store, None for the default one."""
    if group is not None and group.store_id != store.pk:
        raise ValueError("The group belongs to another store.")
    Customer.objects.filter(store=store, pk=customer_id).update(group=group, modified_at=timezone.now())


@transaction.atomic
def set_business(*, store: Store, customer_id: str, business: Mapping[str, Any] | None) -> None:
    """Replaces name, kind, metadata and registered address of the business; None makes the customer a private person.

    Tax numbers that were checked stay unless `business` names others. An erased customer stays as it is.
    """
    customer = (
        Customer.objects.select_for_update(no_key=True).filter(store=store, pk=customer_id, erased_at=None).first()
    )
    if customer is None:
        return
    kept = {name: value for name, value in (customer.business or {}).items() if name in TAX_NUMBERS}
    customer.business = None if business is None else kept | dict(business)
    customer.save(update_fields=["business", "modified_at"])


def save_imported(
    *,
    store: Store,
    new: Sequence[Customer],
    changed: Sequence[Customer],
    members: Sequence[tuple[str, str]],
    now: datetime,
) -> None:
    """What an import of customers found out, in the caller's transaction, which holds those of `changed` locked.

    Of `changed`, group and business are written. `members` are pairs of a customer's and a segment's id, of this store.
    Three statements at most (more on databases with short statements).
    """
    if any(row.store_id != store.pk for row in (*new, *changed)):
        raise ValueError("A customer of another store.")
    Customer.objects.bulk_create(new)
    for row in changed:
        row.modified_at = now
    if changed:
        Customer.objects.bulk_update(changed, ["group", "business", "modified_at"])
    SegmentMember.objects.bulk_create(
        [SegmentMember(store=store, customer_id=customer, segment_id=segment) for customer, segment in members],
        ignore_conflicts=True,
    )


def add_note(*, store: Store, customer_id: str, text: str, author: str) -> CustomerNote:
    """What a member of staff wants remembered. Raises CustomerNotFound, Invalid for an empty one."""
    if not text.strip():
        raise Invalid(field="text")
    with transaction.atomic():
        selectors.customer_for_update(store=store, customer_id=customer_id)
        return CustomerNote.objects.create(store=store, customer_id=customer_id, text=text.strip(), author=author)


def is_guest(*, store: Store, customer_id: str) -> bool:
    """Whether this is a customer without an account, of whom something is kept; one query."""
    return Customer.objects.filter(store=store, pk=customer_id, is_guest=True, erased_at=None).exists()


@transaction.atomic
def erase_guest(*, store: Store, customer_id: str, now: datetime) -> None:
    """Erases a customer without an account, everywhere. Raises CustomerNotFound, also the second time."""
    rows = Customer.objects.select_for_update(no_key=True)
    if not rows.filter(store=store, pk=customer_id, is_guest=True, erased_at=None).first():
        raise CustomerNotFound
    erase_customer(store=store, customer_id=customer_id, now=now)
    events.send("shopper.erased", store=store, user_id=customer_id, customer_id=customer_id)


def erase_old_guests(*, now: datetime, batch: int, **_payload: Any) -> None:
    """Listens to "sweep": guests of whom nothing changed and whose addresses nobody used for GUEST_DAYS go."""
    since = now - timedelta(days=conf().GUEST_DAYS)
    used = Address.objects.filter(store=OuterRef("store"), customer=OuterRef("pk"), last_used_at__gte=since)
    old = Customer.objects.filter(~Exists(used), is_guest=True, erased_at=None, modified_at__lt=since)
    for row in old.select_related("store").order_by("modified_at")[: min(batch, 100)]:
        try:
            erase_guest(store=row.store, customer_id=row.pk, now=now)
        except CustomerNotFound:  # somebody registered meanwhile
            continue


def erase_customer(*, store: Store, customer_id: str, now: datetime) -> None:
    """Removes personal data from the row and keeps the row, for orders and ledgers hang on it.

    What else is the customer's goes altogether.
    """
    kyc.erase(store=store, customer_id=customer_id)
    for model in (Address, BankAccount, CustomerNote, SegmentMember, AuthorizedSeller, Invitation):
        model._default_manager.filter(store=store, customer_id=customer_id).delete()
    Customer.objects.filter(store=store, pk=customer_id).update(
        business=None, metadata={}, erased_at=now, modified_at=now
    )
