"""What a sku costs and how many there are, on the pages of products and of skus."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import SwitchWidget, TextWidget
from storefront.models import CustomerGroup, Store
from storefront.money import shown

from .. import services
from ..models import Price, Variant
from ..places import LocationStock


def thumbnail(renditions: dict[str, str] | None, url: str | None, *, side: int = 44, name: str = "") -> str:
    """A small picture, or a blank of the same size, so that rows keep their height."""
    address = url or (default_storage.url(renditions["tiny"]) if renditions else "")
    if not address:
        return format_html(
            '<span style="display:block;width:{}px;height:{}px" role="img" aria-label="{}"></span>', side, side, name
        )
    return format_html(
        '<img src="{}" alt="{}" loading="lazy" width="{}" height="{}" style="object-fit:cover;border-radius:6px">',
        address,
        name,
        side,
        side,
    )


def money(store: Store, amount: Decimal | None) -> str:
    """An amount with the store's symbol and decimals."""
    if amount is None:
        return "–"
    return shown(amount, store.currency)


class OfferForm(forms.ModelForm):  # type: ignore[type-arg]
    """Adds price and stock of the default group to the form of a row that has, or is, a variant."""

    selling_price = forms.DecimalField(label=_("Price"), min_value=0, max_digits=14, decimal_places=3, required=False)
    listing_price = forms.DecimalField(
        label=_("Struck through"), min_value=0, max_digits=14, decimal_places=3, required=False
    )
    on_hand = forms.IntegerField(
        label=_("On hand"), min_value=0, required=False, help_text=_("In the default location.")
    )
    backorder = forms.BooleanField(label=_("Backorder"), required=False, widget=SwitchWidget)

    reserved = 0  # units in the default location
    made_by = ""  # the name of the member of staff who saves
    usual_tax: Mapping[str, Any] = {}  # of a price that is made here by a form that does not ask for tax
    offer_fields = ("selling_price", "listing_price", "on_hand", "backorder")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("selling_price", "listing_price", "on_hand"):
            if name in self.fields:
                self.fields[name].widget = TextWidget(attrs={"inputmode": "decimal", "style": "min-width:6rem"})
        variant = self.variant()
        price = getattr(variant, "default_price", None) if variant else None
        stock = getattr(variant, "stock", None) if variant and variant.pk else None
        if price is not None:
            self.initial.update(
                selling_price=short(price.selling_price),
                listing_price=short(price.listing_price),
                tax_rate=short(price.tax_rate),
                price_including_tax=price.price_including_tax,
            )
        if stock is not None:
            place = getattr(variant, "default_place", None)
            self.initial.update(on_hand=place.on_hand if place else 0, backorder=stock.backorder)
            self.reserved = place.reserved if place else 0

    def variant(self) -> Variant | None:
        """The variant whose price and stock the form shows, with `default_price`; None when there is none yet."""
        raise AssertionError("a form says which variant it is about")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("listing_price") is not None and data.get("selling_price") is None:
            self.add_error("selling_price", ValidationError(_("Enter a price too.")))
        counted = data.get("on_hand")
        if counted is not None and counted < self.reserved and not data.get("backorder"):
            self.add_error("on_hand", ValidationError(_("Orders have reserved more than that.")))
        return data

    def save_offer(self, store: Store, variant: Variant) -> None:
        """Writes price and stock as entered, those that were changed only."""
        data = self.cleaned_data
        changed = set(self.changed_data)
        names = {"selling_price", "listing_price", "tax_rate", "price_including_tax"}
        if changed & names and data.get("selling_price") is not None:
            fields = {name: data[name] for name in names if data.get(name) is not None}
            fields["listing_price"] = data.get("listing_price") or data["selling_price"]
            if getattr(self.variant(), "default_price", None) is None:
                fields = {**self.usual_tax, **fields}
            group = CustomerGroup.objects.get(store=store, is_default=True)
            services.set_price(store=store, variant=variant, group=group, **fields)
        stock = {
            name: data[name] for name in ("on_hand", "backorder") if name in changed and data.get(name) is not None
        }
        if stock:
            services.set_stock(store=store, variant=variant, made_by=self.made_by, **stock)


def short(amount: Decimal) -> Decimal:
    """The same amount without the decimals that say nothing, but never with a single one: 420, 420.50."""
    whole, pence = amount.quantize(Decimal(1)), amount.quantize(Decimal("0.01"))
    return whole if whole == amount else pence if pence == amount else amount


def with_offers(variants: list[Variant]) -> list[Variant]:
    """Gives each `default_price`, the price of its store's default group or None, and `default_place`, its units in the
    default location or None: two queries."""
    prices = Price.objects.filter(variant__in=variants, group__is_default=True)
    found = {price.variant_id: price for price in prices}
    places = LocationStock.objects.filter(variant__in=variants, location__is_default=True)
    here = {place.variant_id: place for place in places}
    for variant in variants:
        variant.default_price = found.get(variant.pk)  # type: ignore[attr-defined]
        variant.default_place = here.get(variant.pk)  # type: ignore[attr-defined]
    return variants
