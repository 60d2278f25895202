"""Live carts, for staff to look at. Only their owners change what is in them; staff may delete one or let it live on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.db.models import CharField, Count, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Concat
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import (
    ActionVariant,
    DateRangeFilter,
    DropdownFilter,
    ReadOnlyAdmin,
    StoreModelAdmin,
    action,
    change_link,
    display,
    site,
)
from storefront.plugs import plug

from . import services
from .models import Cart, CartLine, WishlistItem
from .panels import name_of

OPEN, ABANDONED, EXPIRED, ORDERED = _("Open"), _("Abandoned"), _("Expired"), _("Ordered")
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
        return [("open", OPEN), ("abandoned", ABANDONED), ("expired", EXPIRED), ("ordered", ORDERED)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Cart]) -> QuerySet[Cart]:
        now = timezone.now()
        match self.value():
            case "open":
                return queryset.filter(closed_at=None, expires_at__gt=now)
            case "abandoned":
                return queryset.filter(closed_at=None, expires_at__gt=now, abandoned_at__isnull=False)
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


class ProgressFilter(DropdownFilter):
    """How far a cart is on its way to an order, as far as it says itself: prices and stock are its page's to show."""

    title = _("checkout")
    parameter_name = "checkout"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [
            ("delivery", _("Delivery chosen")),
            ("addresses", _("Addresses, no delivery")),
            ("none", _("Not begun")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "delivery":
                return queryset.filter(shipping_address__isnull=False, fulfillment__isnull=False)
            case "addresses":
                return queryset.filter(shipping_address__isnull=False, fulfillment__isnull=True)
            case "none":
                return queryset.filter(shipping_address__isnull=True)
        return queryset


class WishFilter(DropdownFilter):
    title = _("pays with")
    parameter_name = "wish"
    wishes = {
        "coupon": (_("Coupon"), ~Q(coupon_code="")),
        "points": (_("Points"), Q(points_asked__gt=0)),
        "credit": (_("Store credit"), Q(credit_asked__gt=0)),
        "gift-card": (_("Gift card"), ~Q(gift_card_id="")),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(key, title) for key, (title, _condition) in self.wishes.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.wishes.get(self.value() or "")
        return queryset if chosen is None else queryset.filter(chosen[1])


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


def _called(row: Any) -> Any:
    """The shopper of a row with its `owner_name`."""
    return _("Visitor") if row.owner_name is None else row.owner_name.strip() or row.user_id


def _linked(row: Any) -> Any:
    """The same as a link to the user's page; visitors have none, so their ids are shown."""
    if row.owner_name is None:
        return f"{_called(row)} ({row.user_id})"
    from accounts.models import User

    return change_link(User(pk=row.user_id), _called(row))


@site.admin_for(Cart)
class CartAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """Newest first: the id begins with the time. What is in a cart, and what it costs today, are its page's panels."""

    empty_hint = _("Carts appear here as soon as shoppers put something into them.")

    icon = "shopping_cart"
    personal = True
    menu_title = _("Live carts")
    list_display = ("id", "owner", "line_count", "unit_count", "coupon_code", "state", "modified_at", "expires_at")
    list_filter = (StateFilter, SizeFilter, ProgressFilter, WishFilter, ("modified_at", DateRangeFilter))
    search_fields = ("id__startswith", "user_id__exact", "coupon_code__iexact")
    search_help_text = _("The beginning of a cart's id, a whole shopper's id, or a coupon's code")
    ordering = ("-pk",)
    actions = ("extend", "remove")
    fieldsets = (
        (None, {"fields": ("id", "store", "state", "shopper", "customer_note", "metadata")}),
        (_("Addresses"), {"fields": ("billing_address", "shipping_address"), "classes": ["collapse"]}),
        (_("Times"), {"fields": ("created_at", "modified_at", "abandoned_at", "expires_at", "closed_at")}),
    )
    readonly_fields = ("state", "shopper")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Cart]:
        found: QuerySet[Cart] = super().get_queryset(request)
        return found.annotate(
            line_count=_of_lines(Count("pk")), unit_count=_of_lines(Sum("quantity")), owner_name=_owner_name()
        )

    @display(description=_("Shopper"), ordering="owner_name")
    def owner(self, cart: Any) -> Any:
        return _called(cart)

    @display(description=_("Shopper"))
    def shopper(self, cart: Any) -> Any:
        return _linked(cart)

    @display(description=_("Products"), ordering="line_count")
    def line_count(self, cart: Any) -> int:
        return int(cart.line_count)

    @display(description=_("Units"), ordering="unit_count")
    def unit_count(self, cart: Any) -> int:
        return int(cart.unit_count)

    @display(
        description=_("State"),
        label={OPEN: "success", ABANDONED: "warning", EXPIRED: "danger", ORDERED: "info"},
    )
    def state(self, cart: Cart) -> Any:
        if cart.closed_at is not None:
            return ORDERED
        if cart.expires_at <= timezone.now():
            return EXPIRED
        return ABANDONED if cart.abandoned_at is not None else OPEN

    # -- actions --
    def has_extend_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("storefront_carts.change_cart"))

    def has_remove_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("storefront_carts.delete_cart"))

    @action(description=_("Let them live on"), permissions=["extend"], icon="update")
    def extend(self, request: HttpRequest, queryset: QuerySet[Cart]) -> None:
        """From today as long as after a change; expired ones that are still here come back."""
        ids = list(queryset.order_by().values_list("pk", flat=True))
        count = services.extend_carts(cart_ids=ids, now=timezone.now())
        self.tell(request, _("%(count)d carts live on.") % {"count": count})
        self._passed_over(request, len(ids) - count)

    @action(
        description=_("Delete carts"),
        permissions=["remove"],
        icon="delete",
        variant=ActionVariant.DANGER,
        confirm=_("Their shoppers begin anew. This cannot be undone."),
    )
    def remove(self, request: HttpRequest, queryset: QuerySet[Cart]) -> None:
        """Their shoppers begin anew. A cart that became an order stays."""
        ids = list(queryset.order_by().values_list("pk", flat=True))
        count = services.delete_carts(cart_ids=ids)
        self.tell(request, _("%(count)d carts were deleted.") % {"count": count})
        self._passed_over(request, len(ids) - count)

    def _passed_over(self, request: HttpRequest, count: int) -> None:
        if count:
            text = _("%(count)d were passed over: they have become orders.") % {"count": count}
            self.tell(request, text, tone="warning")


@site.admin_for(WishlistItem)
class WishlistItemAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """What shoppers remember, newest first."""

    empty_hint = _("Products that shoppers keep for later appear here.")
    icon = "favorite"
    list_display = ("product", "shopper", "created_at")
    list_filter = (("created_at", DateRangeFilter),)
    search_fields = ("product_id__exact", "variant_id__exact", "user_id__exact")
    search_help_text = _("A whole product's, variant's or shopper's id")
    ordering = ("-pk",)
    fields = ("store", "product", "product_id", "variant_id", "shopper", "created_at", "expires_at")
    readonly_fields = ("product", "shopper")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WishlistItem]:
        found: QuerySet[WishlistItem] = super().get_queryset(request)
        return found.annotate(owner_name=_owner_name())

    def introduce(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """With the names of their products: a call of the catalogue for each store among them."""
        super().introduce(request, rows)
        for store_id in {row.store_id for row in rows}:
            mine = [row for row in rows if row.store_id == store_id]
            known = plug("CATALOG").sellables(store_id, [row.sku for row in mine], group_id=None)
            for row in mine:
                row.sellable = known.get(row.sku)

    @display(description=_("Product"))
    def product(self, item: Any) -> str:
        """By its id where nobody sells it any more."""
        return name_of(item.sellable) if item.sellable else str(item)

    @display(description=_("Shopper"), ordering="owner_name")
    def shopper(self, item: Any) -> Any:
        return _linked(item)
