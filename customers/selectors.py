"""Reads of customers, each of one store. What belongs to another customer is not found, in the same words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from storefront import provided
from storefront import selectors as kernel
from storefront.addresses import contact_flags
from storefront.contracts import Shopper
from storefront.models import CustomerGroup, Store
from storefront.query import Page

from .errors import AddressNotFound, BankAccountNotFound, CustomerNotFound, DocumentNotFound
from .models import (
    Address,
    AuthorizedSeller,
    BankAccount,
    Customer,
    Document,
    KycDocumentType,
    Segment,
    SegmentMember,
    Seller,
)


def customer(*, store: Store, customer_id: str) -> Customer:
    """The live customer; one query. Raises CustomerNotFound."""
    found = Customer.objects.filter(store=store, pk=customer_id, erased_at=None).first()
    if found is None:
        raise CustomerNotFound
    return found


def customer_for_update(*, store: Store, customer_id: str) -> Customer:
    """The live customer, locked until the transaction ends; one query. Raises CustomerNotFound.

    Every write to what a customer owns takes this lock first.
    """
    rows = Customer.objects.select_for_update(no_key=True).filter(store=store, pk=customer_id, erased_at=None)
    found = rows.first()
    if found is None:
        raise CustomerNotFound
    return found


def customers_by_id(*, store: Store, customer_ids: Collection[str], lock: bool = False) -> dict[str, Customer]:
    """The live ones of these customers; one query. With `lock` locked, in the order of their ids."""
    rows = Customer.objects.filter(store=store, pk__in=customer_ids, erased_at=None).order_by("pk")
    return {row.pk: row for row in (rows.select_for_update(no_key=True) if lock else rows)}


# --- addresses --------------------------------------------------------------------------------------------------------
def address_book(*, store: Store, customer_id: str) -> QuerySet[Address]:
    """All addresses of a customer, the newest first."""
    return Address.objects.filter(store=store, customer_id=customer_id).order_by("-created_at", "-pk")


def addresses(*, store: Store, customer_id: str, page: Page) -> tuple[list[Address], int]:
    """One page of the book, the newest first, and how many there are: two queries."""
    book = address_book(store=store, customer_id=customer_id)
    return list(book[page.offset : page.offset + page.limit]), book.count()


def address_row(*, store: Store, customer_id: str, address_id: str) -> Address:
    """One query. Raises AddressNotFound."""
    found = address_book(store=store, customer_id=customer_id).filter(pk=address_id).first()
    if found is None:
        raise AddressNotFound
    return found


def address(*, store: Store, customer_id: str, address_id: str, shopper: Shopper | None = None) -> dict[str, Any]:
    """An address of the book in the contract's shape, with id and flags; one query. Raises AddressNotFound.

    The contact flags are those of `shopper`, whose token says which contacts they proved; False without one. Tell
    `book.used` when an order or cart takes it.
    """
    return shown(address_row(store=store, customer_id=customer_id, address_id=address_id), shopper=shopper)


def default_address(
    *, store: Store, customer_id: str, kind: str = "billing", shopper: Shopper | None = None
) -> dict[str, Any] | None:
    """The default address for `billing` or `shipping` in the same shape, None in an empty book; one query."""
    row = address_book(store=store, customer_id=customer_id).filter(**{f"is_default_{kind}": True}).first()
    return shown(row, shopper=shopper) if row else None


def shown(row: Address, *, shopper: Shopper | None = None) -> dict[str, Any]:
    """A row as the contract's `CustomerAddress`. No queries."""
    content = row.content()
    return {
        "id": row.pk,
        **content,
        "is_default_billing": row.is_default_billing,
        "is_default_shipping": row.is_default_shipping,
        **contact_flags(address=content, shopper=shopper),
    }


def person(*, store: Store, shopper: Shopper) -> Mapping[str, Any]:
    """Names and contacts of who is logged in, as they are now: a token may be older than the last change. {} for a
    visitor. One query."""
    if not shopper.is_logged_in:
        return {}
    known: Mapping[str, Any] = provided.ask(
        "details_of_user", default=shopper.claims, store=store, user_id=shopper.user_id
    )
    return known


# --- documents that are asked for -------------------------------------------------------------------------------------
def kyc_document_types(*, store: Store) -> list[dict[str, Any]]:
    """The active kinds of document in the contract's `KycDocumentConfig` shape, in the store's order; one query."""
    return [
        {
            "id": row.pk,
            "document_type": row.kind,
            "title": row.title,
            "description": row.description or None,
            "active": row.active,
            "is_mandatory": row.is_mandatory,
            "is_attachment_required": row.is_attachment_required,
            "verification_type": row.verification,
        }
        for row in KycDocumentType.objects.filter(store=store, active=True)
    ]


def kyc_complete(*, store: Store, customer_id: str | None, now: datetime | None = None) -> bool:
    """Whether every mandatory kind of document is approved and in date (D-43); one query. True where none is asked."""
    return not _not_approved(store, customer_id, now or timezone.now()).exists()


def kyc_missing(*, store: Store, customer_id: str | None, now: datetime | None = None) -> list[str]:
    """The titles of the documents that stand in the way of an order (D-43), in the store's order.

    No query unless the store says that documents may; one then.
    """
    if not (store.kyc_enabled and store.kyc_required):
        return []
    return list(_not_approved(store, customer_id, now or timezone.now()).values_list("title", flat=True))


def _not_approved(store: Store, customer_id: str | None, now: datetime) -> QuerySet[KycDocumentType]:
    """The mandatory kinds of which the customer has no approved document in date."""
    approved = _approved(store, customer_id or "", now)
    asked = KycDocumentType.objects.filter(store=store, active=True, is_mandatory=True)
    return asked.exclude(Exists(approved.filter(type=OuterRef("pk"))))


HOLDINGS = ("wallet_holdings", "payment_holdings", "order_holdings")  # what apps above know, by `storefront.provided`


def is_bare(*, store: Store, customer_id: str) -> bool:
    """Whether nothing hangs on a customer yet: no business, address, document, bank account; no money, mandate, order.

    One query, and those of the apps that know of the last three.
    """
    row = Customer.objects.filter(store=store, pk=customer_id, business__isnull=True, erased_at=None)
    owned = [model._default_manager.filter(store=store, customer_id=customer_id) for model in (Address, Document)]
    accounts = BankAccount.objects.filter(store=store, customer_id=customer_id)
    if not row.exclude(Exists(owned[0])).exclude(Exists(owned[1])).exclude(Exists(accounts)).exists():
        return False
    return not any(provided.ask(name, default=False, store=store, customer_id=customer_id) for name in HOLDINGS)


def _approved(store: Store, customer_id: str, now: datetime) -> QuerySet[Document]:
    rows = Document.objects.filter(store=store, customer_id=customer_id, status=Document.Status.APPROVED)
    return rows.filter(Q(expires_at=None) | Q(expires_at__gt=now))


def documents(*, store: Store, customer_id: str) -> QuerySet[Document]:
    """A customer's documents with their kinds, the newest first: one query."""
    rows = Document.objects.filter(store=store, customer_id=customer_id).select_related("type")
    return rows.order_by("-created_at", "-pk")


def document(*, store: Store, customer_id: str, document_id: str) -> Document:
    """One query. Raises DocumentNotFound."""
    found = documents(store=store, customer_id=customer_id).filter(pk=document_id).first()
    if found is None:
        raise DocumentNotFound
    return found


# --- bank accounts ----------------------------------------------------------------------------------------------------
def bank_accounts(*, store: Store, customer_id: str, kind: str = "") -> QuerySet[BankAccount]:
    """A customer's bank accounts, the newest first: one query."""
    rows = BankAccount.objects.filter(store=store, customer_id=customer_id)
    return (rows.filter(type=kind) if kind else rows).order_by("-created_at", "-pk")


def bank_account(*, store: Store, customer_id: str, account_id: str, lock: bool = False) -> BankAccount:
    """One query. `lock` holds the account until the transaction ends, against what its bank says meanwhile.
    Raises BankAccountNotFound."""
    rows = bank_accounts(store=store, customer_id=customer_id).filter(pk=account_id)
    found = (rows.select_for_update() if lock else rows).first()
    if found is None:
        raise BankAccountNotFound
    return found


def verified_bank_account(*, store: Store, customer_id: str, account_id: str) -> BankAccount:
    """An outbound account to which money may be sent, for refunds; one query. Raises BankAccountNotFound."""
    rows = bank_accounts(store=store, customer_id=customer_id, kind=BankAccount.Type.OUTBOUND)
    found = rows.filter(pk=account_id, check_state=BankAccount.Check.VERIFIED).first()
    if found is None:
        raise BankAccountNotFound
    return found


# --- sellers and segments ---------------------------------------------------------------------------------------------
def authorized_sellers(*, store: Store, customer_id: str, page: Page) -> tuple[Sequence[Seller], int]:
    """One page of the sellers who may sell to a customer, by name, and how many there are: two queries."""
    found = AuthorizedSeller.objects.filter(store=store, customer_id=customer_id, seller__active=True)
    rows = found.select_related("seller").order_by("seller__trade_name", "seller_id")
    return [row.seller for row in rows[page.offset : page.offset + page.limit]], found.count()


def segment_ids(*, store: Store, customer_id: str | None, now: datetime | None = None) -> frozenset[str]:
    """The segments that a customer is in, by hand or by conditions; one query, none for a visitor."""
    if not customer_id:
        return frozenset()
    default = kernel.default_group(store=store)
    owner = Customer.objects.filter(store=store, pk=customer_id, erased_at=None)
    documents = _approved(store, customer_id, now or timezone.now())
    rows = (
        Segment.objects.filter(Exists(owner), store=store)
        .annotate(
            owner_group=Coalesce(Subquery(owner.values("group_id")[:1]), Value(default.pk if default else "")),
            owner_since=Subquery(owner.values("created_at")[:1]),
            owner_is_business=Exists(owner.filter(business__isnull=False)),
        )
        .filter(
            Q(Exists(_member(store, customer_id)), kind=Segment.Kind.MANUAL)
            | Q(
                Q(group=None) | Q(group_id=F("owner_group")),
                Q(registered_from=None) | Q(registered_from__lte=F("owner_since")),
                Q(registered_until=None) | Q(registered_until__gt=F("owner_since")),
                Q(is_business=None) | Q(is_business=F("owner_is_business")),
                Q(has_document=None) | Exists(documents.filter(type=OuterRef("has_document"))),
                kind=Segment.Kind.RULE,
            )
        )
    )
    return frozenset(rows.values_list("pk", flat=True))


def _member(store: Store, customer_id: str) -> QuerySet[SegmentMember]:
    return SegmentMember.objects.filter(store=store, customer_id=customer_id, segment=OuterRef("pk"))


def segments_named(*, store: Store, names: Collection[str]) -> QuerySet[Segment]:
    """One query."""
    return Segment.objects.filter(store=store, name__in=names)


def memberships(*, store: Store, customer_ids: Collection[str], segment_ids: Collection[str]) -> set[tuple[str, str]]:
    """Which of these customers were put into which of these segments by hand: pairs of ids; one query."""
    found = SegmentMember.objects.filter(store=store, customer_id__in=customer_ids, segment_id__in=segment_ids)
    return set(found.values_list("customer_id", "segment_id"))


def customers_of_segment(*, segment: Segment, now: datetime | None = None) -> QuerySet[Customer]:
    """Who is in a segment at this moment, by hand or by conditions, the newest first. Erased customers are in none."""
    rows = Customer.objects.filter(store_id=segment.store_id, erased_at=None).order_by("-created_at", "-pk")
    if segment.kind == Segment.Kind.MANUAL:
        return rows.filter(pk__in=SegmentMember.objects.filter(segment=segment).values("customer_id"))
    if segment.group_id is not None:
        default = CustomerGroup.objects.filter(store_id=segment.store_id, is_default=True, pk=segment.group_id)
        rows = rows.filter(Q(group_id=segment.group_id) | Q(Exists(default), group=None))
    if segment.registered_from is not None:
        rows = rows.filter(created_at__gte=segment.registered_from)
    if segment.registered_until is not None:
        rows = rows.filter(created_at__lt=segment.registered_until)
    if segment.is_business is not None:
        rows = rows.filter(business__isnull=not segment.is_business)
    if segment.has_document_id is not None:
        approved = Document.objects.filter(
            Q(expires_at=None) | Q(expires_at__gt=now or timezone.now()),
            store_id=segment.store_id,
            customer=OuterRef("pk"),
            type_id=segment.has_document_id,
            status=Document.Status.APPROVED,
        )
        rows = rows.filter(Exists(approved))
    return rows
