"""The page that answers staff: which zone is this PIN code in, and what does such a parcel cost there?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from storefront import selectors as kernel
from storefront.admin_base import SelectWidget, TextWidget, site
from storefront.contracts import Parcel, ShippingRate
from storefront.models import Store
from storefront.money import tax_on
from storefront.places import valid_pincode

from . import planning, selectors
from .models import ShippingMethod
from .rates import ZoneRates, fits
from .selectors import Rate, Zone

GRAMS = 1000


class TesterForm(forms.Form):
    store = forms.ModelChoiceField(label=_("Store"), queryset=Store.objects.none(), widget=SelectWidget())
    pincode = forms.CharField(label=_("PIN code"), max_length=12, widget=TextWidget(attrs={"placeholder": "560001"}))
    weight = forms.DecimalField(
        label=_("Weight in kilograms"),
        min_value=0,
        max_value=100_000,
        max_digits=9,
        decimal_places=3,
        widget=TextWidget(attrs={"placeholder": "1.2", "inputmode": "decimal"}),
    )
    value = forms.DecimalField(
        label=_("Value of the goods, with tax"),
        min_value=0,
        max_digits=12,
        decimal_places=2,
        widget=TextWidget(attrs={"placeholder": "900", "inputmode": "decimal"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stores = Store.objects.filter(active=True).order_by("name")
        self.fields["store"].queryset = stores  # type: ignore[attr-defined]
        if stores[:2].count() == 1:
            self.fields["store"].initial = stores[0]
            self.fields["store"].widget = forms.HiddenInput()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        store, pincode = data.get("store"), "".join((data.get("pincode") or "").split())
        data["pincode"] = pincode
        if store is not None and pincode:
            place = planning.place_at(store=store, pincode=pincode)
            if not valid_pincode(place.country, pincode):
                self.add_error("pincode", _("Enter a valid PIN code."))
        return data


def tester(request: HttpRequest) -> HttpResponse:
    """Asks the zones and, where a method has one, its carrier. Changes nothing, so it is a GET that can be kept."""
    form = TesterForm(request.GET if "pincode" in request.GET else None)
    context: dict[str, Any] = {"form": form}
    if form.is_bound and form.is_valid():
        context |= _answer(**form.cleaned_data)
    return site.render(request, "fulfillment/tester.html", context, title=_("Try a PIN code"))


def _answer(*, store: Store, pincode: str, weight: Decimal, value: Decimal) -> dict[str, Any]:
    rules = selectors.rules(store=store)
    place = planning.place_at(store=store, pincode=pincode)
    zone = rules.zone_of(place)
    if zone is None:
        return {"asked": True, "zone": None}
    location = kernel.default_location(store=store)
    parcel = Parcel(
        location_id=location.pk,
        quantities={},
        weight=int(weight * GRAMS),
        value=value,
        origin=planning.origin_of(location),
    )
    (rates,) = ZoneRates().rates(store.pk, [parcel], to=place)
    return {
        "asked": True,
        "zone": zone,
        "rows": [_row(store, rate) for rate in rates if rate.answered],
        "silent": [rate.name for rate in rates if not rate.answered],
        "left_out": _left_out(zone, parcel, rates),
        "free": rules.free_shipping_threshold is not None and value >= rules.free_shipping_threshold,
        "currency": store.currency,
        "origin": location,
    }


def _row(store: Store, rate: ShippingRate) -> dict[str, Any]:
    tax = tax_on(rate.amount, rate.tax_rate, store.currency)
    days = [str(day) for day in (rate.days, rate.days_to) if day is not None]
    return {
        "name": rate.name,
        "courier": rate.courier_name,
        "amount": rate.amount,
        "tax": tax,
        "tax_rate": rate.tax_rate,
        "total": rate.amount + tax,
        "days": " – ".join(dict.fromkeys(days)),
        "can_be_free": rate.can_be_free,
    }


def _left_out(zone: Zone, parcel: Parcel, rates: list[ShippingRate]) -> list[tuple[str, Any]]:
    """Methods of the zone that do not take such a parcel, and why."""
    offered = {rate.method_id for rate in rates}
    return [(rate.method.name, _reason(rate, parcel)) for rate in zone.rates if rate.method.id not in offered]


def _reason(rate: Rate, parcel: Parcel) -> Any:
    if not fits(rate, parcel):
        return _("not for parcels of this weight or value")
    if rate.method.kind == ShippingMethod.Kind.CARRIER:
        return _("no courier goes there")
    return _("beyond the last slab") if rate.slabs else _("it has no slabs yet")
