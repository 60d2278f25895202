"""Live carts, for staff to look at. Only their owners change them."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models import CharField, Count, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Concat
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import DateRangeFilter, DropdownFilter, ReadOnlyAdmin, StoreModelAdmin, display, site

from .models import Cart, CartLine

OPEN, EXPIRED, ORDERED = _("Open"), _("Expired"), _("Ordered")
SIZES = {
    "0": (_("Empty"), 0, 0),
    "1": (_("1 product"), 1, 1),
    "2": (_("2 to 5"), 2, 5),
    "6": (_("6 and more"), 6, None),
}


class StateFilter(DropdownFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("open", OPEN), ("expired", EXPIRED), ("ordered", ORDERED)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Cart]) -> QuerySet[Cart]:
        now = timezone.now()
        match self.value():
            case "open":
                return queryset.filter(closed_at=None, expires_at__gt=now)
            case "expired":
                return queryset.filter(closed_at=None, expires_at__lte=now)
            case "ordered":
                return queryset.exclude(closed_at=None)
        return queryset


class SizeFilter(DropdownFilter):
    title = _("size")
    parameter_name = "size"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(key, title) for key, (title, _least, _most) in SIZES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = SIZES.get(self.value() or "")
        if chosen is None:
            return queryset
        _title, least, most = chosen
        queryset = queryset.filter(line_count__gte=least)
        return queryset if most is None else queryset.filter(line_count__lte=most)


def _of_lines(aggregate: Any) -> Coalesce:
    rows = CartLine.objects.filter(cart=OuterRef("pk")).order_by().values("cart").annotate(found=aggregate)
    return Coalesce(Subquery(rows.values("found")), 0)


def _owner_name() -> Any:
    """The name of a registered owner, NULL for a visitor; where the shoppers are ours to ask."""
    if not apps.is_installed("accounts"):
        return Value(None, CharField())
    from accounts.models import User

    users = User.objects.filter(store=OuterRef("store"), pk=OuterRef("user_id"))
    return Subquery(users.values(name=Concat("first_name", Value(" "), "last_name")))


@site.admin_for(Cart)
class CartAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """Newest first: the id begins with the time. What is in a cart, and what it costs today, is its page's panel."""

    icon = "shopping_cart"
    menu_title = _("Live carts")
    list_display = ("id", "owner", "line_count", "unit_count", "state", "modified_at", "expires_at")
    list_filter = (StateFilter, SizeFilter, ("modified_at", DateRangeFilter))
    search_fields = ("id__startswith", "user_id__exact")
    search_help_text = _("The beginning of a cart's id, or a whole shopper's id")
    ordering = ("-pk",)
    fieldsets = (
        (None, {"fields": ("id", "store", "state", "user_id", "customer_note", "metadata")}),
        (_("Addresses"), {"fields": ("billing_address", "shipping_address"), "classes": ["collapse"]}),
        (_("Times"), {"fields": ("created_at", "modified_at", "expires_at", "closed_at")}),
    )
    readonly_fields = ("state",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Cart]:
        found: QuerySet[Cart] = super().get_queryset(request)
        return found.annotate(
            line_count=_of_lines(Count("pk")), unit_count=_of_lines(Sum("quantity")), owner_name=_owner_name()
        )

    @display(description=_("Shopper"), ordering="owner_name")
    def owner(self, cart: Any) -> Any:
        if cart.owner_name is None:
            return _("Visitor")
        return cart.owner_name.strip() or cart.user_id

    @display(description=_("Products"), ordering="line_count")
    def line_count(self, cart: Any) -> int:
        return int(cart.line_count)

    @display(description=_("Units"), ordering="unit_count")
    def unit_count(self, cart: Any) -> int:
        return int(cart.unit_count)

    @display(description=_("State"), label={OPEN: "success", EXPIRED: "warning", ORDERED: "info"})
    def state(self, cart: Cart) -> Any:
        if cart.closed_at is not None:
            return ORDERED
        return OPEN if cart.expires_at > timezone.now() else EXPIRED
