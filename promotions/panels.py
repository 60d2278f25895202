"""What promotions add to a customer's page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront import panels
from storefront.admin_base import change_link

from .models import OfferUse


def uses_of_customer(request: HttpRequest, customer: Any) -> panels.Table:
    """One query."""
    found = OfferUse.objects.filter(store_id=customer.store_id, customer_id=customer.pk)
    rows = found.select_related("offer").order_by("-held_at")[:10]
    return panels.Table(
        headers=(_("Offer"), _("Order"), _("State"), _("Saved"), _("When")),
        rows=[(change_link(row.offer), row.owner, row.get_state_display(), row.saving, row.held_at) for row in rows],
        empty=_("No offer was used yet."),
    )


panels.register(
    "storefront_customers.customer",
    title=gettext_lazy("Offers used"),
    icon="sell",
    compute=uses_of_customer,
    permission="storefront_promotions.view_offeruse",
    order=66,
)
