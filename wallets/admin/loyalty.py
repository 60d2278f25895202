"""The programme, its members, and what orders earn."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import (
    BooleanFilter,
    ChoicesFilter,
    DateRangeFilter,
    ReadOnlyAdmin,
    RelatedFilter,
    StoreModelAdmin,
    StoreTabularInline,
    action,
    display,
    money,
    site,
)
from storefront.errors import DomainError
from storefront.models import Store

from ..models import Earning, Member, Programme, Tier
from ..services import loyalty
from .common import MENU, PointsForm, shown


class TierInline(StoreTabularInline):
    model = Tier
    fields = ("name", "threshold", "points_per_unit", "bonus_points")
    show_change_link = False
    verbose_name_plural = _("Tiers above the first")


@site.admin_for(Programme)
class ProgrammeAdmin(StoreModelAdmin):
    menu, menu_order, icon = MENU, 10, "loyalty"
    list_display = ("name", "active", "points_per_unit", "point_value", "modified_at")
    list_filter = (("active", BooleanFilter),)
    inlines = (TierInline,)
    fieldsets = (
        (None, {"fields": ("store", ("name", "active"))}),
        (_("Earning"), {"fields": (("base_tier", "points_per_unit"), ("signup_points", "post_days"))}),
        (
            _("Using points"),
            {"fields": ("point_value", ("minimum_points", "maximum_points"), "maximum_percent")},
        ),
        (_("Time"), {"fields": (("expiry_days", "reset_months"), ("carry_percent", "tiers_fall"))}),
        (_("More"), {"fields": (("created_at", "modified_at"),)}),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Members hang on it; switch it off instead."""
        return False

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        loyalty.programme_changed(store=form.instance.store, now=timezone.now())


@site.admin_for(Member)
class MemberAdmin(ReadOnlyAdmin, StoreModelAdmin):
    empty_hint = _("Members appear here when they join the loyalty programme.")
    menu, menu_order, icon = MENU, 20, "card_membership"
    customer_path = "account.customer_id"
    list_display = ("membership_number", "customer_name", "shown_tier", "points", "held", "joined_at")
    list_select_related = ("account", "tier", "store")
    list_filter = (("tier", RelatedFilter), ("joined_at", DateRangeFilter))
    search_fields = ("=membership_number", "=account__customer_id")
    search_help_text = _("A whole membership number, or a customer's id.")
    ordering = ("-joined_at", "-pk")
    fieldsets = (
        (None, {"fields": ("store", ("membership_number", "customer_name"), ("shown_tier", "points", "held"))}),
        (_("Period"), {"fields": (("assigned_at", "resets_at"), "spent_before")}),
        (_("More"), {"fields": ("joined_at", "erased_at")}),
    )
    readonly_fields = ("customer_name", "shown_tier", "points", "held", "spent_before", "joined_at", "assigned_at",
                       "resets_at", "membership_number", "erased_at")  # fmt: skip
    actions = ("recalculate",)
    actions_detail = ("adjust",)

    @display(description=_("Tier"), ordering="tier__threshold", label=True)
    def shown_tier(self, member: Member) -> str:
        return str(member.tier or _("First"))

    @display(description=_("Points"), ordering="account__balance")
    def points(self, member: Member) -> str:
        return shown(member.store, member.account.kind, member.account.balance)

    @display(description=_("Held"), ordering="account__held")
    def held(self, member: Member) -> str:
        return shown(member.store, member.account.kind, member.account.held)

    @display(description=_("Spent in the last period"))
    def spent_before(self, member: Member) -> str:
        return money(member.store, member.previous_spent)

    def has_adjust_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("storefront_wallets.change_member")

    @action(description=_("Put into the tier that they earned"), permissions=["adjust"], icon="sync")
    def recalculate(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        now = timezone.now()
        members = list(queryset.select_related("account", "store"))
        for member in members:
            loyalty.recalculate(store=member.store, customer_id=member.account.customer_id, now=now)
        self.tell(request, _("%(count)d members were looked at.") % {"count": len(members)})

    @action(description=_("Adjust points"), url_path="adjust", permissions=["adjust"], icon="exposure")
    def adjust(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member = self.get_queryset(request).select_related("account", "store").filter(pk=object_id).first()
        if member is None:
            raise PermissionDenied
        back = reverse("admin:storefront_wallets_member_change", args=[member.pk])
        return adjust_points(request, store=member.store, customer_id=member.account.customer_id, back=back)


def adjust_points(request: HttpRequest, *, store: Store, customer_id: str, back: str) -> HttpResponse:
    form = PointsForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            loyalty.adjust(
                store=store,
                customer_id=customer_id,
                points=data["amount"],
                reason=data["reason"],
                made_by=request.user.get_username(),
                owner=data["act"],
            )
            return HttpResponseRedirect(back)
        except DomainError as error:
            form.add_error("amount", str(error.message))
    return site.confirm(
        request,
        title=_("Adjust points"),
        text=_("An entry in the ledger, with your name. Points that are held for orders cannot be taken away."),
        button=_("Adjust"),
        back=back,
        form=form,
    )


@site.admin_for(Earning)
class EarningAdmin(ReadOnlyAdmin, StoreModelAdmin):
    empty_hint = _("Points that orders earn appear here.")
    menu, menu_order, icon = MENU, 30, "hourglass_top"
    customer_path = "account.customer_id"
    list_display = ("label", "customer_name", "points", "points_back", "shown_spent", "state", "posts_at", "placed_at")
    list_select_related = ("account", "store")
    list_filter = (("state", ChoicesFilter), ("placed_at", DateRangeFilter))
    search_fields = ("=reference", "=owner", "=account__customer_id")
    search_help_text = _("A whole order number, or a customer's id.")
    ordering = ("-placed_at", "-pk")
    fieldsets = (
        (
            None,
            {"fields": ("store", ("label", "customer_name"), ("points", "points_back"), ("shown_spent", "shown_back"))},
        ),
        (_("Times"), {"fields": (("state", "placed_at", "posts_at"),)}),
    )
    readonly_fields = ("label", "customer_name", "shown_spent", "shown_back")

    @display(description=_("Order"), ordering="reference")
    def label(self, earning: Earning) -> str:
        return str(earning)

    @display(description=_("Spent"), ordering="spent")
    def shown_spent(self, earning: Earning) -> str:
        return money(earning.store, earning.spent)

    @display(description=_("Returned"))
    def shown_back(self, earning: Earning) -> str:
        return money(earning.store, earning.spent_back)
