"""How many of a sku there are and where: counts, adjustments with a reason, transfers, and what orders were promised."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import (
    ReadOnlyAdmin,
    SelectWidget,
    StoreTabularInline,
    TextWidget,
    action,
    change_link,
    display,
    site,
)
from storefront.errors import DomainError
from storefront.models import StockLocation, Store

from .. import documents, services, stock
from ..ledger import BY_HAND, Reason, StockMovement
from ..models import Product, Stock, Variant
from ..places import LocationStock, StockReservation


def locations(store: Store) -> QuerySet[StockLocation]:
    """Where staff can put units, in the order in which orders take from them."""
    return StockLocation.objects.filter(store=store, active=True).order_by("-is_default", "sort_order", "pk")


# --- on the page of a sku -------------------------------------------------------------------------------------------
class StockForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Stock
        fields = ("tracked", "backorder")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        promised = LocationStock.objects.filter(variant=self.instance.pk, reserved__gt=F("on_hand"))
        if "backorder" in self.changed_data and not data.get("backorder") and promised.exists():
            self.add_error("backorder", ValidationError(_("Orders have reserved more than there is.")))
        return data


class StockInline(StoreTabularInline):
    """The sum of all locations, and the rules that hold at each."""

    model = Stock
    form = StockForm
    fields = ("tracked", "backorder", "on_hand", "reserved")
    readonly_fields = ("on_hand", "reserved")
    can_delete = False
    show_change_link = False
    verbose_name_plural = _("Stock")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PlaceForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = LocationStock
        fields = ("location", "on_hand")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.fields["location"].disabled = True

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if (data.get("on_hand") or 0) < self.instance.reserved and not self.instance.backorder:
            self.add_error("on_hand", ValidationError(_("Orders have reserved more than that.")))
        return data


class PlaceInline(StoreTabularInline):
    """What lies at each location. A new count is written to the ledger by the difference."""

    model = LocationStock
    form = PlaceForm
    fields = ("location", "on_hand", "reserved", "free")
    readonly_fields = ("reserved", "free")
    can_delete = False
    show_change_link = False
    verbose_name_plural = _("Stock by location")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LocationStock]:
        rows: QuerySet[LocationStock] = super().get_queryset(request)
        return rows.order_by("-location__is_default", "location__sort_order", "location_id")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The locations of the sku's store, read once for all rows."""
        if db_field.name != "location":
            return super().formfield_for_foreignkey(db_field, request, **kwargs)
        variant_id = request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
        store = Variant.objects.filter(pk=variant_id).values("store")
        rows = StockLocation.objects.filter(store__in=store).order_by("-is_default", "sort_order", "pk")
        return _Places(label=_("Location"), queryset=rows, widget=SelectWidget)

    def get_autocomplete_fields(self, request: HttpRequest) -> Any:
        return []

    @display(description=_("Free"))
    def free(self, row: LocationStock) -> str:
        return "–" if row._state.adding else str(row.on_hand - row.reserved)


class _Places(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Its choices are read once, however many rows show them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.choices = [("", "---------"), *((row.pk, str(row)) for row in self.queryset)]  # type: ignore[union-attr]


class ReservationInline(ReadOnlyAdmin, StoreTabularInline):
    """Orders that were promised units and have not got them all."""

    model = StockReservation
    fields = ("owner", "location", "quantity", "sold", "created_at", "confirmed_at")
    readonly_fields = fields
    show_change_link = False
    tab = True
    per_page = 25
    verbose_name_plural = _("Reserved by orders")

    def get_queryset(self, request: HttpRequest) -> QuerySet[StockReservation]:
        rows: QuerySet[StockReservation] = super().get_queryset(request)
        return rows.filter(sold__lt=F("quantity")).select_related("location")


class MovementInline(ReadOnlyAdmin, StoreTabularInline):
    """The latest changes of the stock: the ledger itself is never written by hand."""

    model = StockMovement
    fields = ("created_at", "location", "delta", "on_hand", "reason", "note", "made_by")
    readonly_fields = fields
    show_change_link = False
    tab = True
    per_page = 25
    verbose_name_plural = _("Stock ledger")

    def get_queryset(self, request: HttpRequest) -> QuerySet[StockMovement]:
        rows: QuerySet[StockMovement] = super().get_queryset(request)
        return rows.select_related("location")


def save_rows(*, store: Store, variant: Variant, formset: Any, made_by: str) -> None:
    """Writes what was changed in the forms of `StockInline` or `PlaceInline`."""
    changed = [part for part in formset.forms if part.has_changed()]
    for part in changed:
        if formset.model is Stock:
            fields = {name: part.cleaned_data[name] for name in part.changed_data}
        else:
            fields = {name: part.cleaned_data[name] for name in ("location", "on_hand")}
        services.set_stock(store=store, variant=variant, made_by=made_by, **fields)
    formset.new_objects, formset.deleted_objects = [], []
    formset.changed_objects = [(part.instance, part.changed_data) for part in changed if part.instance.pk]


class AdjustmentForm(forms.Form):
    delta = forms.IntegerField(label=_("Change"), help_text=_("Such as 12, or -3."), widget=TextWidget)
    reason = forms.ChoiceField(
        label=_("Reason"),
        choices=[(reason.value, reason.label) for reason in BY_HAND],
        initial=Reason.RECEIVED,
        widget=SelectWidget,
    )
    note = forms.CharField(label=_("Note"), max_length=200, required=False, widget=TextWidget)

    def __init__(self, *args: Any, store: Store, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = locations(store)
        field = forms.ModelChoiceField(
            label=_("Location"),
            queryset=rows,
            initial=rows.first(),
            widget=SelectWidget,
            required=False,
            empty_label=None,
        )
        self.fields = {"location": field, **self.fields}


class TransferForm(forms.Form):
    quantity = forms.IntegerField(label=_("How many"), min_value=1, widget=TextWidget)
    note = forms.CharField(label=_("Note"), max_length=200, required=False, widget=TextWidget)

    def __init__(self, *args: Any, store: Store, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        every = StockLocation.objects.filter(store=store).order_by("sort_order", "pk")  # closed ones can be emptied
        self.fields = {
            "source": forms.ModelChoiceField(label=_("From"), queryset=every, widget=SelectWidget),
            "target": forms.ModelChoiceField(label=_("To"), queryset=locations(store), widget=SelectWidget),
            **self.fields,
        }


class StockActions:
    """The buttons of a sku's page. Mixed into its admin class."""

    tell: Any
    has_change_permission: Any

    @action(description=_("Adjust stock"), permissions=["change"], url_path="adjust-stock", icon="inventory")
    def adjust_stock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        variant = get_object_or_404(Variant.objects.select_related("store", "product"), pk=object_id)
        form = AdjustmentForm(request.POST or None, store=variant.store)
        text = _("%(variant)s: how many came in or went out, and why?") % {"variant": variant}
        return self._ask(request, variant, form, stock.adjust, _("Adjust stock"), text, "delta")

    @action(description=_("Move stock"), permissions=["change"], url_path="move-stock", icon="move_down")
    def move_stock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        variant = get_object_or_404(Variant.objects.select_related("store", "product"), pk=object_id)
        form = TransferForm(request.POST or None, store=variant.store)
        text = _("%(variant)s: how many go from one place to another?") % {"variant": variant}
        return self._ask(request, variant, form, stock.transfer, _("Move stock"), text, "quantity")

    def _ask(
        self, request: HttpRequest, variant: Variant, form: forms.Form, call: Any, title: Any, text: Any, field: str
    ) -> HttpResponse:
        back = reverse("admin:storefront_catalog_variant_change", args=[variant.pk])
        if request.method == "POST" and form.is_valid():
            try:
                call(store=variant.store, variant=variant, made_by=request.user.get_username(), **form.cleaned_data)
            except DomainError as error:
                form.add_error(next((name for name in error.errors if name in form.fields), field), str(error.message))
            else:
                self.tell(request, _("The stock was changed."))
                return redirect(back)
        return site.confirm(request, title=title, text=text, button=_("Save"), back=back, form=form)


# --- on the page of a product ---------------------------------------------------------------------------------------
def table(product: Product) -> str:
    """What lies where of each of its skus, with links to where it is changed. Three queries."""
    variants = list(product.variants.prefetch_related("options__attribute", "options__choice"))
    varying = [variant for variant in variants if not variant.is_standalone] or variants
    rows = LocationStock.objects.filter(store=product.store_id, variant__in=varying).select_related("location")
    lying: dict[str, list[LocationStock]] = {}
    for row in rows.order_by("-location__is_default", "location__sort_order", "location_id"):
        lying.setdefault(row.variant_id, []).append(row)
    if not lying:
        return str(_("Nothing yet."))
    return format_html(
        '<table class="w-full"><thead><tr class="text-left">{}</tr></thead><tbody>{}</tbody></table>',
        format_html_join(
            "", "<th>{}</th>", ((text,) for text in (_("SKU"), _("Location"), _("On hand"), _("Reserved"), _("Free")))
        ),
        format_html_join(
            "", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", _cells(varying, lying)
        ),
    )


def _cells(variants: Iterable[Variant], lying: dict[str, list[LocationStock]]) -> Iterable[tuple[Any, ...]]:
    for variant in variants:
        for place, row in enumerate(lying.get(variant.pk, ())):
            name = documents.variant_name(variant) or variant.sku or _("Adjust or move")
            link = "" if place else change_link(variant, name)
            yield link, row.location, row.on_hand, row.reserved, row.on_hand - row.reserved
