"""Who of the staff read or changed whose personal data: a list to search, and a panel on the customer's page."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront import panels
from storefront.admin_base import (
    ChoicesFilter,
    DateRangeFilter,
    DropdownFilter,
    ReadOnlyAdmin,
    StoreModelAdmin,
    display,
    list_link,
    site,
)
from storefront.models import StaffAccess


def kind_name(label: str) -> str:
    """How the site calls rows of a model, from its label; the label itself once the model is gone."""
    try:
        return str(capfirst(apps.get_model(label)._meta.verbose_name))
    except (LookupError, ValueError):
        return label


class KindFilter(DropdownFilter):
    title = gettext_lazy("of what")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        labels = [model._meta.label for model, page in site._registry.items() if getattr(page, "personal", False)]
        return sorted(((label, kind_name(label)) for label in labels), key=lambda pair: str(pair[1]))

    def queryset(self, request: HttpRequest, queryset: QuerySet[StaffAccess]) -> QuerySet[StaffAccess]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@site.admin_for(StaffAccess)
class StaffAccessAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """Nobody changes it, superusers neither."""

    empty_hint = gettext_lazy("Who of the staff reads or changes personal data is written down here.")
    menu, menu_order, icon = "customers", 90, "policy"
    list_display = ("at", "staff_name", "what", "of_what", "object_id", "customer_id", "changed")
    list_filter = (("action", ChoicesFilter), KindFilter, ("at", DateRangeFilter))
    search_fields = ("=staff_name", "=object_id", "=customer_id")
    search_help_text = gettext_lazy(
        "A staff member's whole user name, or the whole id of a customer, user or other row"
    )
    ordering = ("-at", "-pk")
    fields = ("store", "at", "staff_name", "what", "of_what", "object_id", "customer_id", "changed")
    readonly_fields = ("what", "of_what", "changed")

    @display(
        description=gettext_lazy("What"),
        ordering="action",
        label={
            StaffAccess.Action.VIEW.label: "info",
            StaffAccess.Action.CHANGE.label: "warning",
            StaffAccess.Action.EXPORT.label: "warning",
            StaffAccess.Action.ERASE.label: "danger",
            StaffAccess.Action.END_SESSION.label: "warning",
        },
    )
    def what(self, row: StaffAccess) -> Any:
        return StaffAccess.Action(row.action).label

    @display(description=gettext_lazy("Of what"), ordering="kind")
    def of_what(self, row: StaffAccess) -> str:
        return kind_name(row.kind)

    @display(description=gettext_lazy("Changed fields"))
    def changed(self, row: StaffAccess) -> str:
        return ", ".join(row.fields) or "–"


def of_customer(request: HttpRequest, customer: Any) -> panels.Table:
    """One query."""
    found = StaffAccess.objects.filter(store_id=customer.store_id, customer_id=customer.pk).order_by("-at")[:8]
    return panels.Table(
        headers=(_("When"), _("Who"), _("What"), _("Of what"), _("Fields")),
        rows=[
            (row.at, row.staff_name, row.get_action_display(), kind_name(row.kind), ", ".join(row.fields))
            for row in found
        ],
        link=list_link(StaffAccess, q=customer.pk),
        empty=_("Nobody has opened this customer's data yet."),
    )


panels.register(
    "storefront_customers.customer",
    title=gettext_lazy("Access by staff"),
    icon="policy",
    compute=of_customer,
    permission="storefront.view_staffaccess",
    order=95,
)
