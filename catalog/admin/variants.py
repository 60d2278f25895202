"""A sku: the prices of every group, options, stock."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.db import models
from django.db.models import Case, F, OuterRef, QuerySet, Subquery, Value, When
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import (
    BooleanFilter,
    SearchFilter,
    StoreModelAdmin,
    StoreStackedInline,
    StoreTabularInline,
    display,
    site,
)

from .. import documents, services
from ..models import Price, Product, ProductAttribute, Stock, Variant, VariantChoice
from ..places import LocationStock
from .offers import money, short
from .parts import FactInline, LotInline
from .stock import MovementInline, PlaceInline, ReservationInline, StockActions, StockInline, save_rows


class OptionInline(StoreTabularInline):
    model = VariantChoice
    fields = ("attribute", "choice")
    show_change_link = False
    verbose_name_plural = _("Options")


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, value in self.initial.items():
            if isinstance(value, Decimal):
                self.initial[name] = short(value)


class PriceInline(StoreStackedInline):
    model = Price
    form = PriceForm
    fields = (
        "group",
        ("selling_price", "listing_price"),
        ("tax_rate", "price_including_tax"),
        ("min_quantity", "max_quantity"),
        ("step", "cost_price"),
        ("handling_charge", "handling_tax_rate"),
    )
    show_change_link = False
    verbose_name_plural = _("Prices by customer group")


@site.admin_for(Variant)
class VariantAdmin(StockActions, StoreModelAdmin):
    """Reached from products: the prices of every group, options, stock. Its list finds a SKU."""

    empty_hint = _("SKUs appear here when products are added.")
    menu, icon, menu_order, menu_title = "shop", "barcode", 20, _("SKUs")
    list_display = ("product", "options_shown", "sku", "price", "left", "reserved", "backorder", "visible")
    list_display_links = ("product", "options_shown")
    list_filter = (("active", BooleanFilter), ("visible", BooleanFilter), ("product", SearchFilter))
    search_fields = ("sku", "product__name", "name")
    search_help_text = _("SKU or name")
    ordering = ("-created_at", "-pk")
    fields = (
        "product", "name", "sku", "slug", "short_description", "weight", "active", "is_default", "sort_order", "visible",
    )  # fmt: skip
    readonly_fields = ("visible",)
    inlines = (
        OptionInline, PriceInline, StockInline, PlaceInline, FactInline, LotInline, ReservationInline, MovementInline,
    )  # fmt: skip
    actions_detail = ("adjust_stock", "move_stock")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Variant]:
        """Three queries for a list, whatever its length: rows, options, choices."""
        price = Price.objects.filter(variant=OuterRef("pk"), group__is_default=True).values("selling_price")[:1]
        rows: QuerySet[Variant] = super().get_queryset(request)
        return (
            rows.defer("document", "item_document", "line_document", "own_attributes")
            .select_related("product", "store", "stock")
            .prefetch_related("options__attribute", "options__choice")
            .annotate(
                default_price=Subquery(price),
                units=Case(
                    When(stock__tracked=False, then=Value(None)),
                    default=F("stock__on_hand") - F("stock__reserved"),
                    output_field=models.IntegerField(null=True),
                ),
            )
        )

    def get_list_select_related(self, request: HttpRequest) -> Any:
        return ("product", "store", "stock")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """A component of a bundle is what can be sold: no bundles, and no product whose variants it is sold by."""
        found, duplicates = super().get_search_results(request, queryset, search_term)
        if request.GET.get("model_name") == "bundleitem":
            found = found.filter(visible=True).exclude(product__type=Product.Type.BUNDLE)
        return found, duplicates

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Variants are added on the page of their product."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*super().get_readonly_fields(request, obj), "product"]

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        standalone = obj is not None and obj.is_standalone
        return [inline for inline in self.inlines if not (standalone and inline in (OptionInline, FactInline))]

    @display(description=_("Variant"))
    def options_shown(self, row: Variant) -> str:
        return documents.variant_name(row) or "–"

    @display(description=_("Price"), ordering="default_price")
    def price(self, row: Any) -> str:
        return money(row.store, row.default_price)

    @display(description=_("Left"), ordering="units")
    def left(self, row: Any) -> str:
        return "∞" if row.units is None else str(row.units)

    @display(description=_("Reserved"))
    def reserved(self, row: Variant) -> int:
        return row.stock.reserved

    @display(description=_("Backorder"), boolean=True)
    def backorder(self, row: Variant) -> bool:
        return row.stock.backorder

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        if formset.model in (Stock, LocationStock):
            row = form.instance
            save_rows(store=row.store, variant=row, formset=formset, made_by=request.user.get_username())
            return
        if formset.model is ProductAttribute:
            for part in formset.forms:
                part.instance.product_id = form.instance.product_id
        super().save_formset(request, form, formset, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        services.publish(store=form.instance.store, product_ids=[form.instance.product_id])

    def delete_model(self, request: HttpRequest, obj: Variant) -> None:
        store, product_id = obj.store, obj.product_id
        super().delete_model(request, obj)
        services.publish(store=store, product_ids=[product_id])
