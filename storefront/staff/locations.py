"""Admin pages of stock locations: warehouses, and shops where goods are collected."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from storefront import selectors, services
from storefront.admin_base import BooleanFilter, ChoicesFilter, StoreModelAdmin, action, display, site
from storefront.models import StockLocation
from storefront.places import state_of, valid_pincode


class LocationForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = StockLocation
        fields = "__all__"

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        country = (data.get("country") or "").upper()
        data["country"] = country
        pincode = "".join((data.get("pincode") or "").split())
        data["pincode"] = pincode
        if pincode and not valid_pincode(country, pincode):
            self.add_error("pincode", _("Enter a valid PIN code."))
        state = state_of(country, data.get("state") or "")
        if state is not None:
            data["state"] = state.name
        elif country == "IN" and data.get("state"):
            self.add_error("state", _("Enter the state or union territory."))
        if data.get("can_collect"):
            for name in ("address_line1", "city", "state", "pincode"):
                if not data.get(name) and name not in self.errors:
                    self.add_error(name, _("Shoppers need the address to collect their goods."))
        if self.instance.is_default and data.get("active") is False:
            self.add_error("active", _("The default location stays active. Make another one the default first."))
        if (data.get("latitude") is None) != (data.get("longitude") is None):
            self.add_error("longitude", _("Enter both, or neither."))
        for name, most in (("latitude", 90), ("longitude", 180)):
            if data.get(name) is not None and abs(data[name]) > most:
                self.add_error(name, _("Between -%(most)d and %(most)d degrees.") % {"most": most})
        return data


@site.admin_for(StockLocation)
class StockLocationAdmin(StoreModelAdmin):
    menu, menu_order, icon = "delivery", 10, "warehouse"
    form = LocationForm
    list_display = ("name", "kind", "city", "pincode", "can_deliver", "can_collect", "state_of_it", "sort_order")
    list_filter = (
        ("type", ChoicesFilter),
        ("can_deliver", BooleanFilter),
        ("can_collect", BooleanFilter),
        ("active", BooleanFilter),
    )
    search_fields = ("name", "city", "pincode")
    search_help_text = _("Name, city or PIN code.")
    ordering = ("-is_default", "sort_order", "pk")
    actions_detail = ("make_default",)
    fieldsets = (
        (None, {"fields": ("store", "name", "type", "active", "state_of_it")}),
        (_("What it does"), {"fields": (("can_deliver", "sort_order"), ("can_collect", "collect_minutes"))}),
        (
            _("Address"),
            {
                "fields": (
                    "address_line1",
                    "address_line2",
                    "landmark",
                    ("city", "pincode"),
                    ("state", "country"),
                    "phone",
                )
            },
        ),
        (
            _("On the map"),
            {
                "fields": (("latitude", "longitude"),),
                "description": _("Distances are measured from here; without it, from the middle of its postal region."),
            },
        ),
        (_("History"), {"fields": (("created_at", "modified_at"),), "classes": ("collapse",)}),
    )
    readonly_fields = ("state_of_it",)

    @display(description=_("Type"), label=True, ordering="type")
    def kind(self, location: StockLocation) -> str:
        return location.get_type_display()

    @display(
        description=_("State"),
        label={_("Default"): "info", _("Active"): "success", _("Inactive"): "danger"},
        ordering="active",
    )
    def state_of_it(self, location: StockLocation) -> Any:
        if location.is_default:
            return _("Default")
        return _("Active") if location.active else _("Inactive")

    def has_delete_permission(self, request: HttpRequest, obj: StockLocation | None = None) -> bool:
        """A store keeps a default location: goods lie there whose place nobody named."""
        return bool(super().has_delete_permission(request, obj)) and (obj is None or not obj.is_default)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        kept = queryset.filter(is_default=True)
        if kept.exists():
            self.tell(request, _("The default location was kept."), tone="warning")
        super().delete_queryset(request, queryset.filter(is_default=False))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        transaction.on_commit(selectors.forget)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        transaction.on_commit(selectors.forget)

    @action(description=_("Make default"), url_path="make-default", icon="home_pin", permissions=["change"])
    def make_default(self, request: HttpRequest, object_id: str) -> HttpResponse:
        location = self.get_queryset(request).select_related("store").filter(pk=object_id).first()
        if location is None or not self.has_change_permission(request, location):
            raise PermissionDenied
        back = reverse("admin:storefront_stocklocation_change", args=[location.pk])
        if request.method == "POST":
            services.make_default_location(store=location.store, location=location)
            self.log_change(request, location, "Made the default")
            self.tell(request, _("It is the default location now."))
            return HttpResponseRedirect(back)
        return site.confirm(
            request,
            title=_("Make this the default location"),
            text=_("Goods whose place nobody names will lie in %(name)s. What lies elsewhere stays there.")
            % {"name": location},
            button=_("Make it the default"),
            back=back,
        )
