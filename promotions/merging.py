"""What a merge of two customers does to the uses of offers, and to offers for named customers."""

from __future__ import annotations

from typing import Any

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from storefront.models import Store

from .models import CustomerUses, OfferAudience, OfferUse

ORDER = ("offer__kind", "offer_id")  # in which orders count the uses of several offers


def move(*, store: Store, from_customer_id: str, to_customer_id: str, **_payload: Any) -> None:
    """Listens to `customer.merged`: uses and their counts become the target's, also above a limit that the two kept
    apart. Locks uses before counts, as orders do. What an order of the source is using at this moment for the first
    time stays under the old id, counted."""
    of_source: dict[str, Any] = {"store": store, "customer_id": from_customer_id}
    uses = OfferUse.objects.filter(**of_source)
    list(uses.select_for_update(of=("self",)).order_by(*ORDER, "pk").values_list("pk", flat=True))
    counters = CustomerUses.objects.filter(**of_source)
    counted = list(counters.select_for_update(of=("self",)).order_by(*ORDER))
    uses.filter(offer__in=[row.offer_id for row in counted]).update(customer_id=to_customer_id)
    for row in counted:
        mine = CustomerUses(store=store, offer_id=row.offer_id, customer_id=to_customer_id, count=0)
        CustomerUses.objects.bulk_create([mine], ignore_conflicts=True)
        theirs = CustomerUses.objects.filter(store=store, offer_id=row.offer_id, customer_id=to_customer_id)
        theirs.update(count=F("count") + row.count)
    counters.filter(pk__in=[row.pk for row in counted]).delete()
    named = OfferAudience.objects.filter(store=store, target_id=from_customer_id)
    there = OfferAudience.objects.filter(store=store, target_id=to_customer_id)
    named.filter(offer__in=list(there.values_list("offer_id", flat=True))).delete()
    named.update(target_id=to_customer_id)


def counts(*, store: Store, customer_id: str) -> dict[str, Any]:
    """What the preview of a merge tells; one query."""
    return {str(_("uses of offers")): OfferUse.objects.filter(store=store, customer_id=customer_id).count()}
