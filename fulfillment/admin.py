"""Admin pages of delivery: settings, zones with what their methods cost, methods, and the PIN code tester."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import models
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from storefront.admin import country_choices
from storefront.admin_base import (
    BooleanFilter,
    ChoicesFilter,
    SelectManyWidget,
    SelectSearchWidget,
    SelectWidget,
    StoreModelAdmin,
    StoreTabularInline,
    action,
    change_link,
    display,
    site,
)
from storefront.models import Store
from storefront.places import INDIA

from . import carriers, services
from .models import DeliverySettings, RateSlab, ShippingMethod, ShippingZone, ZoneRate
from .tester import tester

Kind = ShippingMethod.Kind


def price_text(rate: ZoneRate) -> str:
    """What a rate costs, in a line. Its method and slabs are loaded."""
    kind, unit = rate.method.kind, _("g") if rate.method.kind == Kind.WEIGHT else ""
    if kind == Kind.FLAT:
        return f"{rate.amount:f}"
    if kind == Kind.CARRIER:
        return (
            str(_("courier + %(amount)s") % {"amount": rate.amount}) if rate.amount else str(_("as the courier says"))
        )
    parts = [
        f"≤ {slab.up_to.normalize():f} {unit}: {rate.amount + slab.amount:f}".replace(" :", ":")
        for slab in rate.slabs.all()
    ]
    if rate.further_step is not None:
        parts.append(f"+ {rate.further_amount:f} / {rate.further_step.normalize():f} {unit}".rstrip())
    return " · ".join(parts) or str(_("No slabs yet: not offered"))


class RateInline(StoreTabularInline):
    """Flat prices right here; slabs and limits on the rate's own page."""

    model = ZoneRate
    fields: Any = ("method", "zone", "active", "amount", "price", "free_from", "days", "days_to")
    readonly_fields = ("price",)
    verbose_name_plural = _("Rates")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        found = super().get_queryset(request).select_related("method", "zone").prefetch_related("slabs")
        return found  # type: ignore[no-any-return]

    @display(description=_("Price"))
    def price(self, rate: ZoneRate) -> str:
        return change_link(rate, price_text(rate)) if rate.pk else "–"


class ZoneRateInline(RateInline):
    fields = ("method", "active", "amount", "price", "free_from", "days", "days_to")


class MethodRateInline(RateInline):
    fields = ("zone", "active", "amount", "price", "free_from", "days", "days_to")


# --- settings -------------------------------------------------------------------------------------------------------
@site.admin_for(DeliverySettings)
class DeliverySettingsAdmin(StoreModelAdmin):
    menu_order, icon = 50, "tune"
    list_display = ("title", "free_shipping_threshold", "shipping_tax_rate", "auto_preference", "split_shipments")
    list_select_related = ("store",)
    fieldsets = (
        (None, {"fields": ("store", "free_shipping_threshold", "shipping_tax_rate", "auto_preference")}),
        (_("Shipments"), {"fields": ("split_shipments",)}),
        (_("Collecting"), {"fields": ("maximum_collect_kilometres",)}),
    )

    @display(description=_("Store"), ordering="store")
    def title(self, row: DeliverySettings) -> str:
        return row.store.name

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """A shop with one store has one row: straight to it."""
        stores = list(Store.objects.order_by("pk")[:2])
        if len(stores) == 1 and self.has_change_permission(request):
            row = DeliverySettings.objects.filter(store=stores[0]).first()
            page = "change" if row else "add"
            args = [row.pk] if row else []
            return HttpResponseRedirect(reverse(f"admin:storefront_fulfillment_deliverysettings_{page}", args=args))
        answer: HttpResponse = super().changelist_view(request, extra_context)
        return answer

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Saved as it was, nobody has to read the rules anew."""
        if form.changed_data or not change:
            super().save_model(request, obj, form, change)


# --- zones ----------------------------------------------------------------------------------------------------------
class ZoneForm(forms.ModelForm):  # type: ignore[type-arg]
    country = forms.ChoiceField(label=_("Country"), choices=country_choices, initial="IN", widget=SelectSearchWidget())
    states = forms.MultipleChoiceField(
        label=_("States"),
        choices=[(state.gst_code, state.name) for state in INDIA],
        required=False,
        widget=SelectManyWidget(),
        help_text=_("States of India that belong to it as a whole, beside the PIN codes below."),
    )

    class Meta:
        model = ShippingZone
        fields = "__all__"


@site.admin_for(ShippingZone)
class ShippingZoneAdmin(StoreModelAdmin):
    menu_order, icon = 20, "map"
    form = ZoneForm
    list_display = ("name", "priority", "country", "places", "rates_count", "active")
    list_editable = ("priority", "active")
    list_filter = (("active", BooleanFilter),)
    search_fields = ("name", "pincodes")
    ordering = ("priority", "pk")
    inlines = (ZoneRateInline,)
    actions = ("switch_on", "switch_off")
    fieldsets = (
        (None, {"fields": ("store", "name", ("priority", "active"))}),
        (_("Which places"), {"fields": ("country", "states", "pincodes")}),
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        found = super().get_queryset(request)
        return found.annotate(live_rates=Count("rates", filter=Q(rates__active=True)))  # type: ignore[no-any-return]

    @display(description=_("Places"))
    def places(self, zone: ShippingZone) -> str:
        names = [state.name for state in INDIA if state.gst_code in zone.states]
        codes = ", ".join(part.strip() for part in zone.pincodes.replace("\n", ",").split(",") if part.strip())
        text = ", ".join([*names, codes] if codes else names)
        return (text[:80] + " …" if len(text) > 80 else text) or str(_("The whole country"))

    @display(description=_("Rates"), ordering="live_rates")
    def rates_count(self, zone: Any) -> int:
        return int(zone.live_rates)

    @action(description=_("Switch on"), permissions=["change"], icon="toggle_on")
    def switch_on(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        self._switch(request, queryset, active=True)

    @action(description=_("Switch off"), permissions=["change"], icon="toggle_off")
    def switch_off(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        self._switch(request, queryset, active=False)

    def _switch(self, request: HttpRequest, queryset: models.QuerySet[Any], *, active: bool) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        services.switch_zones(ids=ids, active=active)
        told = ngettext("%(count)d zone changed.", "%(count)d zones changed.", len(ids))
        self.tell(request, told % {"count": len(ids)})


# --- methods --------------------------------------------------------------------------------------------------------
class MethodForm(forms.ModelForm):  # type: ignore[type-arg]
    carrier = forms.ChoiceField(
        label=_("Carrier"),
        required=False,
        widget=SelectWidget(),
        help_text=_("Only for prices by a carrier's couriers."),
    )

    class Meta:
        model = ShippingMethod
        fields = "__all__"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "carrier" in self.fields:
            known = [(code, code) for code in carriers.codes()]
            self.fields["carrier"].choices = [("", "–"), *known]  # type: ignore[attr-defined]


@site.admin_for(ShippingMethod)
class ShippingMethodAdmin(StoreModelAdmin):
    menu_order, icon = 30, "local_shipping"
    form = MethodForm
    list_display = ("name", "shown_kind", "tax_rate", "can_be_free", "cash_on_delivery", "sort_order", "active")
    list_editable = ("sort_order", "active")
    list_filter = (("kind", ChoicesFilter), ("active", BooleanFilter))
    search_fields = ("name",)
    ordering = ("sort_order", "pk")
    inlines = (MethodRateInline,)
    fieldsets = (
        (None, {"fields": ("store", "name", ("kind", "carrier"), ("sort_order", "active"))}),
        (_("Tax"), {"fields": (("tax_rate", "sac_code"),)}),
        (_("Rules"), {"fields": (("can_be_free", "cash_on_delivery"),)}),
    )

    @display(description=_("Price"), label=True, ordering="kind")
    def shown_kind(self, method: ShippingMethod) -> str:
        return method.get_kind_display()


# --- rates ----------------------------------------------------------------------------------------------------------
class SlabInline(StoreTabularInline):
    model = RateSlab
    fields = ("up_to", "amount")
    extra = 1
    show_change_link = False
    verbose_name_plural = _("Slabs: for prices by weight (grams) or by value")


@site.admin_for(ZoneRate)
class ZoneRateAdmin(StoreModelAdmin):
    menu_order, icon = 40, "payments"
    list_display = ("method", "zone", "price", "free_from", "days", "days_to", "active")
    list_filter = (("active", BooleanFilter), ("method__kind", ChoicesFilter))
    list_select_related = ("method", "zone")
    search_fields = ("method__name", "zone__name")
    ordering = ("zone__priority", "method__sort_order", "pk")
    inlines = (SlabInline,)
    fieldsets = (
        (None, {"fields": ("store", ("method", "zone"), "active")}),
        (_("Price"), {"fields": ("amount", ("further_step", "further_amount"), "free_from")}),
        (_("Time"), {"fields": (("days", "days_to"),)}),
        (
            _("Only for parcels of"),
            {"fields": (("minimum_weight", "maximum_weight"), ("minimum_value", "maximum_value"))},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        found = super().get_queryset(request).prefetch_related("slabs")
        return found  # type: ignore[no-any-return]

    @display(description=_("Price"), ordering="amount")
    def price(self, rate: ZoneRate) -> str:
        return price_text(rate)


site.page(
    "delivery/tester/",
    tester,
    _("Try a PIN code"),
    "travel_explore",
    "storefront_fulfillment.view_shippingzone",
    name="delivery-tester",
    menu="delivery",
    order=5,
)
