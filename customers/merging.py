"""One customer out of two, by staff: the source's things become the target's, and the source stays as an empty row."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront import events, provided
from storefront.models import Store

from . import book, selectors
from .errors import CustomerNotFound, MergeRefused
from .models import (
    Address,
    AuthorizedSeller,
    BankAccount,
    Customer,
    CustomerNote,
    Document,
    DocumentEvent,
    Invitation,
    SegmentMember,
)

LIVE = (Document.Status.SUBMITTED, Document.Status.APPROVED)
# What apps above count for the preview, by `storefront.provided`: {what it is called: how many or how much}.
COUNTS = ("account_merge_counts", "wallet_merge_counts", "promotion_merge_counts", "payment_merge_counts")


@transaction.atomic
def merge_customers(
    *, store: Store, source_id: str, target_id: str, made_by: str, keep_business_of_source: bool = False
) -> bool:
    """Moves all that is the source's to the target, for good. Whether it did: False when it had been done before.

    The target's group and defaults stay, and its business unless `keep_business_of_source`; where one of them is a
    private person, the other one's business stays in any case. A guest can go, and stay only for another guest; what
    the guest gave moves, without `customer.merged`. The source becomes an erased row that names the target. Sends `customer.merging`, before anything of the customers is locked, and
    `customer.merged`; listeners of either may refuse with a DomainError, which undoes everything. Locks both customers
    in the order of their ids. Raises CustomerNotFound, also for another store's, an erased one, and one that went into
    a third; MergeRefused.
    """
    if source_id == target_id:
        raise MergeRefused(_("Choose another customer: this is the same one."))
    if not made_by:
        raise ValueError("somebody has to answer for a merge")
    both: dict[str, Any] = {"store": store, "from_customer_id": source_id, "to_customer_id": target_id}
    events.send("customer.merging", **both)
    rows = Customer.objects.select_for_update(no_key=True).filter(store=store, pk__in=[source_id, target_id])
    found = {row.pk: row for row in rows.order_by("pk")}
    source, target = found.get(source_id), found.get(target_id)
    if source is None or target is None:
        raise CustomerNotFound
    if source.merged_into == target.pk:
        return False
    if source.erased_at is not None or target.erased_at is not None:
        raise CustomerNotFound
    if target.is_guest and not source.is_guest:
        raise MergeRefused(_("A guest has no account that could stay. Merge the other way round."))
    _move(store, source, target)
    now = timezone.now()
    first, second = (source, target) if keep_business_of_source else (target, source)
    Customer.objects.filter(store=store, pk=target.pk).update(
        business=first.business or second.business,
        metadata={**source.metadata, **target.metadata},
        modified_at=now,
    )
    Customer.objects.filter(store=store, pk=source.pk).update(
        business=None, metadata={}, merged_into=target.pk, erased_at=now, modified_at=now
    )
    if not source.is_guest:  # a guest's id is still a visitor's, who may register under it and has all else by it
        events.send("customer.merged", **both, made_by=made_by)
    return True


def preview(*, store: Store, source_id: str) -> dict[str, Any]:
    """What a merge would move, by what it is called, without what there is none of. About a dozen queries."""
    selectors.customer(store=store, customer_id=source_id)
    found: dict[str, Any] = {
        str(model._meta.verbose_name_plural): _of(model, store, source_id).count()
        for model in (Address, Document, BankAccount, SegmentMember, AuthorizedSeller, CustomerNote, Invitation)
    }
    for name in COUNTS:
        found |= provided.ask(name, default={}, store=store, customer_id=source_id)
    return {what: count for what, count in found.items() if count}


def _of(model: Any, store: Store, customer_id: str) -> Any:
    return model._default_manager.filter(store=store, customer_id=customer_id)


def _move(store: Store, source: Customer, target: Customer) -> None:
    addresses = _of(Address, store, source.pk)
    kept = list(_of(Address, store, target.pk))
    twice = [row.pk for row in addresses if any(book.same(other, row.content()) for other in kept)]
    addresses.filter(pk__in=twice).delete()
    if kept:
        addresses.update(customer=target, is_default_billing=False, is_default_shipping=False)
    else:
        addresses.update(customer=target)
    _move_documents(store, source, target)
    _move_bank_accounts(store, source, target)
    for model, what in ((SegmentMember, "segment_id"), (AuthorizedSeller, "seller_id")):
        there = list(_of(model, store, target.pk).values_list(what, flat=True))
        _of(model, store, source.pk).filter(**{f"{what}__in": there}).delete()
        _of(model, store, source.pk).update(customer=target)
    for owned in (CustomerNote, DocumentEvent, Invitation):
        _of(owned, store, source.pk).update(customer=target)


def _move_documents(store: Store, source: Customer, target: Customer) -> None:
    """Where both gave the same kind, the target's counts and the source's is kept as an expired one."""
    there = list(_of(Document, store, target.pk).filter(status__in=LIVE).values_list("type_id", flat=True))
    now, reason = timezone.now(), str(_("The other customer's counts after a merge."))
    twice = _of(Document, store, source.pk).filter(status__in=LIVE, type_id__in=there)
    for row in twice.order_by("pk"):
        DocumentEvent.objects.create(
            store=store, customer=target, document_id=row.pk, kind=DocumentEvent.Kind.EXPIRED, reason=reason
        )
    twice.update(
        status=Document.Status.EXPIRED,
        modified_by=Document.By.ADMIN,
        modified_reason=reason,
        modified_at=now,
    )
    _of(Document, store, source.pk).update(customer=target)


def _move_bank_accounts(store: Store, source: Customer, target: Customer) -> None:
    kept = _of(BankAccount, store, target.pk)
    hashes = list(kept.values_list("number_hash", flat=True))
    _of(BankAccount, store, source.pk).filter(number_hash__in=hashes).delete()
    inbound = list(kept.filter(type=BankAccount.Type.INBOUND).values_list("provider", flat=True))
    moving = _of(BankAccount, store, source.pk)
    moving.filter(type=BankAccount.Type.INBOUND, provider__in=inbound).update(merged=True)  # both can be paid into
    defaults = list(kept.filter(is_default=True).values_list("type", flat=True))
    moving.filter(type__in=defaults).update(is_default=False)
    moving.update(customer=target)
