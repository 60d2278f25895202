"""Every read of payments, scoped to a store and a customer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import F, Prefetch, QuerySet

from customers.models import Customer
from storefront.contracts import Shopper
from storefront.errors import NotFound
from storefront.models import Store
from storefront.query import Page

from .errors import MandateNotFound, ProviderNotAvailable
from .models import CreditLine, GatewayCustomer, Mandate, MandateDebit, PaymentProvider, SavedCard, SavedMethod
from .states import MandateStatus


def customer_id_of(*, shopper: Shopper, path_id: str) -> str:
    """The caller's customer id, where the path names that or, as older clients do, the user. No query.

    Raises NotFound for anything else, in the same words whatever it is.
    """
    if shopper.customer_id is None or path_id not in (shopper.customer_id, shopper.user_id):
        raise NotFound
    return shopper.customer_id


# --- providers --------------------------------------------------------------------------------------------------------
def active_providers(*, store: Store) -> QuerySet[PaymentProvider]:
    """Those that a client may use, in the store's order. One query."""
    return PaymentProvider.objects.filter(store=store, active=True).order_by("sort_order", "slug")


def active_provider(*, store: Store, slug: str, field: str) -> PaymentProvider:
    """Raises ProviderNotAvailable naming `field`. One query."""
    provider = PaymentProvider.objects.filter(store=store, slug=slug, active=True).first()
    if provider is None:
        raise ProviderNotAvailable(field=field)
    return provider


# --- saved means ------------------------------------------------------------------------------------------------------
def holders(*, store: Store, customer_id: str, unused_too: bool = False) -> list[GatewayCustomer]:
    """The customer at each provider that the store still uses, with `cards` and `methods` loaded: three queries.

    With `unused_too` also at those that it no longer uses.
    """
    cards = Prefetch("cards", SavedCard.objects.filter(store=store).order_by("-created_at", "-pk"))
    methods = Prefetch(
        "methods", SavedMethod.objects.filter(store=store).order_by(F("last_used_at").desc(nulls_last=True), "-pk")
    )
    found = GatewayCustomer.objects.filter(store=store, customer_id=customer_id)
    if not unused_too:
        found = found.filter(provider__active=True)
    return list(
        found.select_related("provider").prefetch_related(cards, methods).order_by("provider__sort_order", "pk")
    )


# --- mandates ---------------------------------------------------------------------------------------------------------
def mandates(*, store: Store, customer_id: str, statuses: Iterable[str] = (), limit: int = 200) -> list[Mandate]:
    """The customer's mandates, newest first. One query."""
    found = Mandate.objects.filter(store=store, customer_id=customer_id)
    if statuses:
        found = found.filter(status__in=list(statuses))
    return list(found.select_related("provider").order_by("-pk")[:limit])


def mandate(*, store: Store, customer_id: str, mandate_id: str) -> Mandate:
    """Raises MandateNotFound. One query."""
    found = Mandate.objects.select_related("provider").filter(store=store, customer_id=customer_id, pk=mandate_id)
    row = found.first()
    if row is None:
        raise MandateNotFound
    return row


def mandate_for_update(*, store: Store, mandate_id: str) -> Mandate:
    """Locked until the transaction ends. Mandates are locked before their debits, and these before credit lines."""
    row = Mandate.objects.select_for_update().filter(store=store, pk=mandate_id).first()
    if row is None:
        raise MandateNotFound
    return row


def debits(*, store: Store, customer_id: str, page: Page) -> tuple[list[MandateDebit], int]:
    """One page of the customer's debits, newest first, and how many there are. Two queries."""
    found = MandateDebit.objects.filter(store=store, customer_id=customer_id)
    return list(found.order_by("-pk")[page.offset : page.offset + page.limit]), found.count()


# --- credit lines -----------------------------------------------------------------------------------------------------
def credit_line(*, store: Store, customer_id: str) -> CreditLine | None:
    return CreditLine.objects.filter(store=store, customer_id=customer_id).first()


def credit_overview(*, store: Store, customer_id: str) -> dict[str, Any]:
    """The customer's credit line, or None, and their active mandates. Two queries."""
    return {
        "line": credit_line(store=store, customer_id=customer_id),
        "mandates": mandates(store=store, customer_id=customer_id, statuses=[MandateStatus.ACTIVE]),
    }


# --- customers --------------------------------------------------------------------------------------------------------
def holds_anything(*, store: Store, customer_id: str) -> bool:
    """Whether a customer is known to a provider, gave a mandate or has a credit line. Up to three queries."""
    return any(
        model._default_manager.filter(store=store, customer_id=customer_id).exists()
        for model in (GatewayCustomer, Mandate, CreditLine)
    )


def is_gone(*, store: Store, customer_id: str) -> bool:
    """Whether the customer was erased. Locks their row, so that nothing is written for them while that happens."""
    row = Customer.objects.select_for_update(no_key=True).filter(store=store, pk=customer_id).first()
    return row is None or row.erased_at is not None
