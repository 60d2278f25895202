"""The parts of a product's page: its variants, pictures, facts and so on."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import (
    FileWidget,
    SelectManyWidget,
    StoreStackedInline,
    StoreTabularInline,
    TextWidget,
    change_link,
    display,
)
from storefront.errors import DomainError

from .. import documents, images
from ..models import (
    BundleItem,
    Lot,
    Product,
    ProductAttribute,
    ProductCategory,
    ProductImage,
    ProductLink,
    ProductVideo,
    SubscriptionPlan,
    Variant,
)
from .offers import OfferForm, thumbnail, with_offers


class VariantForm(OfferForm):
    class Meta:
        model = Variant
        fields = ("name", "sku", "slug", "active", "is_default", "sort_order")

    def variant(self) -> Variant | None:
        return self.instance if self.instance.pk and not self.instance._state.adding else None

    def clean_sku(self) -> str:
        return str(self.cleaned_data["sku"]).strip()

    def _get_validation_exclusions(self) -> set[str]:
        # Which one is the default is settled between all rows, below.
        return super()._get_validation_exclusions() | {"is_default"}  # type: ignore[misc, no-any-return]


class VariantFormSet(StoreTabularInline.formset):  # type: ignore[misc]
    """Loads prices and stock of all rows at once, and sees to it that at most one is the default."""

    def clean(self) -> None:
        super().clean()
        kept = [form for form in self.forms if form not in self.deleted_forms]
        if sum(bool(form.cleaned_data.get("is_default")) for form in kept if hasattr(form, "cleaned_data")) > 1:
            raise ValidationError(_("Only one variant can be shown first."))

    def save(self, commit: bool = True) -> Any:
        if self.instance.pk and any("is_default" in form.changed_data for form in self.forms):
            Variant.objects.filter(product=self.instance, is_default=True).update(is_default=False)
        return super().save(commit)

    def get_queryset(self) -> Any:
        if not hasattr(self, "_rows"):
            rows = super().get_queryset().filter(is_standalone=False).select_related("stock")
            self._rows = rows
            with_offers(list(rows))
        return self._rows


class VariantInline(StoreTabularInline):
    model = Variant
    form = VariantForm
    formset = VariantFormSet
    fields = (
        "options_shown",
        "name",
        "sku",
        "slug",
        "selling_price",
        "listing_price",
        "on_hand",
        "backorder",
        "active",
        "is_default",
        "sort_order",
    )
    readonly_fields = ("options_shown",)
    ordering = ("sort_order", "created_at")
    tab = True
    hide_title = True
    show_change_link = False
    verbose_name_plural = _("Variants")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Variant]:
        rows: QuerySet[Variant] = super().get_queryset(request)
        return rows.prefetch_related("options__attribute", "options__choice")

    @display(description=_("Options"))
    def options_shown(self, row: Variant) -> str:
        """Leads to the page on which they are chosen, with the prices of the other groups."""
        return change_link(row, documents.variant_name(row) or _("Choose")) if not row._state.adding else "–"


class ImageForm(forms.ModelForm):  # type: ignore[type-arg]
    upload = forms.FileField(label=_("File"), required=False, widget=FileWidget)
    url = forms.URLField(label=_("Address"), max_length=500, required=False, assume_scheme="https", widget=TextWidget)
    picture: images.Picture | None = None

    class Meta:
        model = ProductImage
        fields = ("url", "title", "alternate_text", "variants", "sort_order")

    def clean_upload(self) -> Any:
        file = self.cleaned_data["upload"]
        if file:
            try:
                self.picture = images.read(file)
            except DomainError as error:
                raise ValidationError(str(error.message)) from error
        return file

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if self.picture is None and not data.get("url") and not self.instance.renditions:
            self.add_error("upload", ValidationError(_("Choose a file, or enter the address of a picture.")))
        return data

    def _get_validation_exclusions(self) -> set[str]:
        # The rule that a row has a picture holds once the file is stored, which is after validation.
        return super()._get_validation_exclusions() | {"renditions", "url"}  # type: ignore[misc, no-any-return]


class ImageInline(StoreTabularInline):
    model = ProductImage
    form = ImageForm
    fields = ("shown", "upload", "url", "title", "alternate_text", "variants", "sort_order")
    readonly_fields = ("shown",)
    ordering_field = "sort_order"
    hide_ordering_field = True
    hide_title = True
    show_change_link = False
    tab = True
    verbose_name, verbose_name_plural = _("Picture"), _("Pictures")

    @display(description=_("Picture"))
    def shown(self, row: ProductImage) -> str:
        return thumbnail(row.renditions, row.url, side=64)

    def get_autocomplete_fields(self, request: HttpRequest) -> Any:
        return []

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProductImage]:
        rows: QuerySet[ProductImage] = super().get_queryset(request).prefetch_related("variants")
        return rows

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Only the variants of the product whose page it is, read once for all its pictures."""
        if db_field.name != "variants":
            return super().formfield_for_manytomany(db_field, request, **kwargs)
        product_id = request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
        rows = Variant.objects.filter(product_id=product_id, is_standalone=False).order_by("sort_order", "created_at")
        return VariantsField(
            label=_("Variants"),
            queryset=rows.prefetch_related("options__attribute", "options__choice"),
            required=False,
            widget=SelectManyWidget(),
            help_text=db_field.help_text,
        )


class VariantsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """The forms of a page are copies of one form, so its copies share the choices that the first of them read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.shared: dict[str, list[tuple[Any, str]]] = {}
        super().__init__(*args, **kwargs)

    def _get_choices(self) -> Any:
        if "choices" not in self.shared:
            self.shared["choices"] = [(row.pk, self.label_from_instance(row)) for row in self.queryset]  # type: ignore[union-attr]
        return self.shared["choices"]

    choices: Any = property(_get_choices)

    def label_from_instance(self, variant: Any) -> str:
        return documents.variant_name(variant) or variant.sku or variant.pk


class PlacingInline(StoreTabularInline):
    model = ProductCategory
    fields = ("category", "sort_order")
    show_change_link = False
    tab = True
    verbose_name_plural = _("Categories")


class FactInline(StoreTabularInline):
    model = ProductAttribute
    fields = ("attribute", "choices", "value", "sort_order")
    formfield_overrides = {models.JSONField: {"widget": TextWidget}}
    show_change_link = False
    tab = True
    verbose_name_plural = _("Attributes")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProductAttribute]:
        rows: QuerySet[ProductAttribute] = super().get_queryset(request).prefetch_related("choices")
        return rows.filter(variant__isnull=True) if self.parent_model is Product else rows


class VideoInline(StoreTabularInline):
    model = ProductVideo
    fields = ("title", "preview_url", "hls_url", "dash_url", "thumbnail_url", "duration", "variant", "sort_order")
    show_change_link = False
    tab = True
    verbose_name_plural = _("Videos")


class PlanInline(StoreStackedInline):
    model = SubscriptionPlan
    fields = (
        ("name", "price", "variant"),
        ("billing_interval", "billing_frequency", "billing_limit", "trial_days"),
        ("order_interval", "order_frequency", "order_limit", "fulfill_separately"),
        ("minimum_quantity", "sort_order"),
    )
    show_change_link = False
    tab = True
    verbose_name_plural = _("Subscriptions")


class LotInline(StoreTabularInline):
    model = Lot
    fields = ("lot_batch", "manufactured_on", "expires_on", "manufacturer", "quantity")
    show_change_link = False
    verbose_name_plural = _("Lots and batches")


class LinkInline(StoreTabularInline):
    model = ProductLink
    fk_name = "product"
    fields = ("kind", "target", "sort_order")
    show_change_link = False
    tab = True
    verbose_name_plural = _("Recommendations")


class ComponentInline(StoreTabularInline):
    model = BundleItem
    fk_name = "bundle"
    fields = ("component", "quantity", "sort_order")
    show_change_link = False
    tab = True
    verbose_name_plural = _("Held by the bundle")

    def get_queryset(self, request: HttpRequest) -> QuerySet[BundleItem]:
        rows: QuerySet[BundleItem] = super().get_queryset(request).select_related("component__product")
        return rows
