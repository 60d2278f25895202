"""What a merge of two customers does to saved means of payment and mandates."""

from __future__ import annotations

from typing import Any

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.errors import MergeRefused
from storefront.models import Store

from . import errands
from .models import CreditLine, Errand, GatewayCustomer, Mandate, MandateDebit, SavedCard, SavedMethod


def move(*, store: Store, from_customer_id: str, to_customer_id: str, **_payload: Any) -> None:
    """Listens to `customer.merged`: mandates, their debits and saved means become the target's.

    Where a provider keeps means for both, it knows each of them under a name of its own, and the target has both names
    from then on: the means of either can be used, new ones are kept under the target's. Raises MergeRefused for an open
    credit line of the source, which is an agreement with that customer.
    """
    of_source: dict[str, Any] = {"store": store, "customer_id": from_customer_id}
    line = CreditLine.objects.select_for_update().filter(**of_source).first()
    if line is not None and (line.used or line.total_credit_limit):
        raise MergeRefused(
            _(
                "The customer who would go has a credit line, which is an agreement with that customer. Let it be repaid "
                "and set its limit to 0 first, or merge the other way round."
            )
        )
    mandates = Mandate.objects.filter(**of_source)
    moving = list(mandates.select_for_update().order_by("pk").values_list("pk", flat=True))
    now = timezone.now()
    moved_mandates = Mandate.objects.filter(store=store, pk__in=moving)
    mandates.update(customer_id=to_customer_id, version=F("version") + 1)
    MandateDebit.objects.filter(**of_source).update(customer_id=to_customer_id, modified_at=now)
    holders = GatewayCustomer.objects.filter(**of_source)
    list(holders.select_for_update().order_by("pk").values_list("pk", flat=True))
    known = GatewayCustomer.objects.filter(store=store, customer_id=to_customer_id, merged=False)
    twice = holders.select_related("provider").filter(provider__in=list(known.values_list("provider_id", flat=True)))
    empty = [row for row in twice if not _keeps_something(store, row)]
    for row in empty:
        if not moved_mandates.filter(provider=row.provider).exists():
            errands.send(store=store, provider=row.provider, kind=Errand.Kind.FORGET_CUSTOMER, reference=row.reference)
    kept = [row.pk for row in twice if row not in empty]
    holders.filter(pk__in=[row.pk for row in empty]).delete()
    holders.filter(pk__in=kept).update(merged=True)
    holders.update(customer_id=to_customer_id)


def _keeps_something(store: Store, row: GatewayCustomer) -> bool:
    return any(model._default_manager.filter(store=store, holder=row).exists() for model in (SavedCard, SavedMethod))


def counts(*, store: Store, customer_id: str) -> dict[str, Any]:
    """What the preview of a merge tells; three queries."""
    of_holder = {"store": store, "holder__customer_id": customer_id}
    return {
        str(_("mandates")): Mandate.objects.filter(store=store, customer_id=customer_id).count(),
        str(_("saved cards")): SavedCard.objects.filter(**of_holder).count(),
        str(_("other saved means of payment")): SavedMethod.objects.filter(**of_holder).count(),
    }
