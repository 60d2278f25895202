"""Admin pages of the catalogue: a product with its variants, prices, stock and pictures on one page; the tree."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.storage import default_storage
from django.db import models, transaction
from django.db.models import Case, F, OuterRef, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import (
    BooleanFilter,
    ChoicesFilter,
    DropdownFilter,
    ReadOnlyAdmin,
    SearchFilter,
    SelectManyWidget,
    SelectWidget,
    StoreModelAdmin,
    StoreStackedInline,
    StoreTabularInline,
    SwitchWidget,
    TextWidget,
    action,
    change_link,
    display,
    site,
)
from storefront.errors import DomainError
from storefront.models import CustomerGroup, Store

from . import bulk, bulk_pages, documents, images, selectors, services, stock
from .ledger import Reason, StockMovement
from .models import (
    Attribute,
    AttributeChoice,
    Brand,
    BundleItem,
    Category,
    Lot,
    Price,
    Product,
    ProductAttribute,
    ProductCategory,
    ProductImage,
    ProductLink,
    ProductVideo,
    Stock,
    SubscriptionPlan,
    Variant,
    VariantChoice,
)
from .reviews import admin as _reviews  # noqa: F401 -- pages of the same app
from .transfer import pages


def thumbnail(renditions: dict[str, str] | None, url: str | None, *, side: int = 44) -> str:
    """A small picture, or a blank of the same size, so that rows keep their height."""
    address = url or (default_storage.url(renditions["tiny"]) if renditions else "")
    if not address:
        return format_html('<span style="display:block;width:{}px;height:{}px"></span>', side, side)
    return format_html(
        '<img src="{}" alt="" loading="lazy" width="{}" height="{}" style="object-fit:cover;border-radius:6px">',
        address,
        side,
        side,
    )


def money(store: Store, amount: Decimal | None) -> str:
    """An amount with the store's symbol and decimals."""
    if amount is None:
        return "–"
    return f"{store.currency_symbol}{amount:,.{store.currency_exponent}f}"


# --- what a sku costs and how many there are ------------------------------------------------------------------------
class OfferForm(forms.ModelForm):  # type: ignore[type-arg]
    """Adds price and stock of the default group to the form of a row that has, or is, a variant."""

    selling_price = forms.DecimalField(label=_("Price"), min_value=0, max_digits=14, decimal_places=3, required=False)
    listing_price = forms.DecimalField(
        label=_("Struck through"), min_value=0, max_digits=14, decimal_places=3, required=False
    )
    on_hand = forms.IntegerField(label=_("On hand"), min_value=0, required=False)
    backorder = forms.BooleanField(label=_("Backorder"), required=False, widget=SwitchWidget)

    made_by = ""  # the name of the member of staff who saves
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
                selling_price=_short(price.selling_price),
                listing_price=_short(price.listing_price),
                tax_rate=_short(price.tax_rate),
                price_including_tax=price.price_including_tax,
            )
        if stock is not None:
            self.initial.update(on_hand=stock.on_hand, backorder=stock.backorder)

    def variant(self) -> Variant | None:
        """The variant whose price and stock the form shows, with `default_price`; None when there is none yet."""
        raise AssertionError("a form says which variant it is about")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("listing_price") is not None and data.get("selling_price") is None:
            self.add_error("selling_price", ValidationError(_("Enter a price too.")))
        return data

    def save_offer(self, store: Store, variant: Variant) -> None:
        """Writes price and stock as entered, those that were changed only."""
        data = self.cleaned_data
        changed = set(self.changed_data)
        names = {"selling_price", "listing_price", "tax_rate", "price_including_tax"}
        if changed & names and data.get("selling_price") is not None:
            fields = {name: data[name] for name in names if data.get(name) is not None}
            fields["listing_price"] = data.get("listing_price") or data["selling_price"]
            group = CustomerGroup.objects.get(store=store, is_default=True)
            services.set_price(store=store, variant=variant, group=group, **fields)
        stock = {
            name: data[name] for name in ("on_hand", "backorder") if name in changed and data.get(name) is not None
        }
        if stock:
            services.set_stock(store=store, variant=variant, made_by=self.made_by, **stock)


def _short(amount: Decimal) -> Decimal:
    """The same amount without the decimals that say nothing, but never with a single one: 420, 420.50."""
    whole, pence = amount.quantize(Decimal(1)), amount.quantize(Decimal("0.01"))
    return whole if whole == amount else pence if pence == amount else amount


def with_default_prices(variants: list[Variant]) -> list[Variant]:
    """Gives each `default_price`, the price of its store's default group or None: one query."""
    prices = Price.objects.filter(variant__in=variants, group__is_default=True)
    found = {price.variant_id: price for price in prices}
    for variant in variants:
        variant.default_price = found.get(variant.pk)  # type: ignore[attr-defined]
    return variants


# --- parts of a product's page --------------------------------------------------------------------------------------
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
            with_default_prices(list(rows))
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
    upload = forms.FileField(label=_("File"), required=False)
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


class WordsField(forms.CharField):
    """A list of words or short phrases, typed with commas between them."""

    widget = TextWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        words = value if isinstance(value, list) else str(value or "").split(",")
        return list(dict.fromkeys(word.strip() for word in words if word.strip()))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


class ProductForm(OfferForm):
    """A product that does not vary has its price and stock right here."""

    sku = forms.CharField(label=_("SKU"), max_length=64, required=False)
    tax_rate = forms.DecimalField(label=_("Tax in percent"), min_value=0, max_value=100, required=False)
    price_including_tax = forms.BooleanField(
        label=_("Price includes tax"), required=False, initial=True, widget=SwitchWidget
    )
    tags = WordsField(label=_("Tags"), required=False, help_text=_("With commas between them."))
    seo_keywords = WordsField(label=_("SEO keywords"), required=False, help_text=_("With commas between them."))

    class Meta:
        model = Product
        fields = (
            "store", "name", "slug", "type", "active", "brand", "short_description", "description", "tags", "hsn_code",
            "seo_title", "seo_description", "seo_keywords", "metadata",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        variant = self.variant()
        if variant is not None:
            self.initial["sku"] = variant.sku
        for name in ("sku", "tax_rate"):
            if name in self.fields:
                self.fields[name].widget = TextWidget()
        if "description" in self.fields:
            self.fields["description"].widget.attrs["rows"] = 6

    def variant(self) -> Variant | None:
        if self.instance._state.adding:
            return None
        found = getattr(self, "_variant", None)
        if found is None:
            rows = list(Variant.objects.filter(pk=self.instance.pk).select_related("stock"))
            found = self._variant = next(iter(with_default_prices(rows)), None)
        return found

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        sku, store = (data.get("sku") or "").strip(), data.get("store") or getattr(self.instance, "store", None)
        data["sku"] = sku
        taken = Variant.objects.filter(store=store, sku=sku).exclude(product=self.instance.pk)
        if sku and store and taken.exists():
            self.add_error("sku", ValidationError(_("Another product has this SKU.")))
        return data

    def save_standalone(self, product: Product) -> None:
        """Its only variant, where it does not vary."""
        if product.variants.filter(is_standalone=False).exists():
            return
        variant, made = Variant.objects.get_or_create(
            pk=product.pk, defaults={"store_id": product.store_id, "product": product, "is_standalone": True}
        )
        if made:
            Stock.objects.create(
                store_id=product.store_id, variant=variant, tracked=product.type == Product.Type.PHYSICAL
            )
        if variant.sku != self.cleaned_data["sku"]:
            Variant.objects.filter(store_id=product.store_id, pk=variant.pk).update(sku=self.cleaned_data["sku"])
        self.save_offer(product.store, variant)


# --- products -------------------------------------------------------------------------------------------------------
class StockFilter(DropdownFilter):
    title = _("Stock")
    parameter_name = "stock"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("out", _("Out of stock")), ("low", _("Five or fewer")), ("backorder", _("On backorder"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        stock = Stock.objects.filter(variant__product=OuterRef("pk"), variant__active=True, tracked=True)
        left = stock.annotate(left=F("on_hand") - F("reserved"))
        match self.value():
            case "out":
                return queryset.filter(models.Exists(stock), ~models.Exists(left.filter(left__gt=0)))
            case "low":
                return queryset.filter(models.Exists(left.filter(left__lte=5)))
            case "backorder":
                return queryset.filter(models.Exists(stock.filter(backorder=True)))
        return None


OFFER, RECORD = _("Price and stock"), _("Record")


@site.admin_for(Product)
class ProductAdmin(StoreModelAdmin):
    menu, icon, menu_order = "shop", "inventory_2", 10
    form = ProductForm
    list_display = ("picture", "name", "skus", "type", "state", "price", "stock", "brand", "modified_at")
    list_display_links = ("picture", "name")
    list_filter = (
        ("active", BooleanFilter),
        ("visible", BooleanFilter),
        ("type", ChoicesFilter),
        StockFilter,
        ("brand", SearchFilter),
        ("placings__category", SearchFilter),
    )
    search_fields = ("name", "slug", "variants__sku")
    search_help_text = _("Name, slug or SKU")
    ordering = ("-created_at", "-pk")
    prepopulated_fields = {"slug": ("name",)}
    actions = ("activate", "deactivate", "edit_many")
    actions_detail = ("duplicate",)
    inlines = (
        VariantInline, ImageInline, PlacingInline, FactInline, ComponentInline, LinkInline, VideoInline, PlanInline,
    )  # fmt: skip
    readonly_fields = ("other_prices", "visible")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "store",
                    "name",
                    "slug",
                    ("type", "brand"),
                    "active",
                    "short_description",
                    "tags",
                    "description",
                )
            },
        ),
        (
            OFFER,
            {
                "fields": (
                    ("sku", "on_hand", "backorder"),
                    ("selling_price", "listing_price"),
                    ("tax_rate", "price_including_tax"),
                    "other_prices",
                )
            },
        ),
        (
            _("Tax code, search engines, own data"),
            {
                "fields": ("hsn_code", "seo_title", "seo_description", "seo_keywords", "metadata"),
                "classes": ["collapse"],
            },
        ),
        (RECORD, {"fields": ("visible", "created_at", "modified_at"), "classes": ["collapse"]}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        """With the first picture, the default group's lowest price and the units that are left: one query."""
        picture = ProductImage.objects.filter(product=OuterRef("pk")).order_by("sort_order", "created_at", "pk")
        variants = Variant.objects.filter(product=OuterRef("pk"), active=True)
        prices = (
            Price.objects.filter(variant__product=OuterRef("pk"), variant__active=True, group__is_default=True)
            .order_by("selling_price")
            .values("selling_price")
        )
        left = (
            Stock.objects.filter(variant__product=OuterRef("pk"), variant__active=True, tracked=True)
            .order_by()
            .values("variant__product")
            .annotate(left=Sum(F("on_hand") - F("reserved")))
        )
        rows: QuerySet[Product] = super().get_queryset(request)
        return rows.defer("document", "detail_document", "description").annotate(
            picture_renditions=Subquery(picture.values("renditions")[:1]),
            picture_url=Subquery(picture.values("url")[:1]),
            lowest_price=Subquery(prices[:1]),
            left=Subquery(left.values("left")[:1]),
            first_sku=Subquery(variants.order_by("sort_order", "created_at").values("sku")[:1]),
            variant_count=Coalesce(
                Subquery(
                    variants.filter(is_standalone=False)
                    .order_by()
                    .values("product")
                    .annotate(count=models.Count("pk"))
                    .values("count")[:1]
                ),
                0,
            ),
        )

    def get_list_select_related(self, request: HttpRequest) -> Any:
        return ("brand", "store")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without price and stock where every variant has its own."""
        hidden = set()
        if obj is None:
            hidden = {RECORD}
        elif obj.variants.filter(is_standalone=False).exists():
            hidden = {OFFER}
        found = [(title, options) for title, options in super().get_fieldsets(request, obj) if title not in hidden]
        if obj is not None:
            return found
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name != "other_prices"]})
            for title, options in found
        ]

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Components only where there is a bundle to hold them."""
        bundle = obj is None or obj.type == Product.Type.BUNDLE
        return [inline for inline in self.inlines if inline is not ComponentInline or bundle]

    # -- columns --
    @display(description="")
    def picture(self, row: Any) -> str:
        return thumbnail(row.picture_renditions, row.picture_url)

    @display(description=_("SKU"))
    def skus(self, row: Any) -> str:
        if row.variant_count:
            return str(_("%(count)d variants") % {"count": row.variant_count})
        return row.first_sku or "–"

    @display(
        description=_("State"),
        ordering="active",
        label={"on sale": "success", "inactive": "warning", "no price": "danger"},
    )
    def state(self, row: Product) -> Any:
        if row.visible:
            return "on sale", _("On sale")
        return ("inactive", _("Inactive")) if not row.active else ("no price", _("No price"))

    @display(description=_("Price"), ordering="lowest_price")
    def price(self, row: Any) -> str:
        text = money(row.store, row.lowest_price)
        return str(_("from %(price)s") % {"price": text}) if row.variant_count and row.lowest_price else text

    @display(description=_("Stock"), ordering="left")
    def stock(self, row: Any) -> str:
        return "∞" if row.left is None else str(row.left)

    @display(description=_("Prices of other groups"))
    def other_prices(self, row: Product) -> str:
        return change_link(Variant(pk=row.pk, product=row), _("Open the prices of every group"))

    # -- writes --
    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        product: Product = form.instance
        form.made_by = request.user.get_username()
        form.save_standalone(product)
        services.publish(store=product.store, product_ids=[product.pk])
        product.refresh_from_db(fields=["visible"])
        if product.active and not product.visible:
            self.tell(request, _("Shoppers do not see this product yet: nothing of it has a price."), tone="warning")

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        store = form.instance.store
        if formset.model is ProductImage:
            for part in formset.forms:
                if getattr(part, "picture", None) is not None and part not in formset.deleted_forms:
                    services.replace_picture(store=store, image=part.instance, picture=part.picture)
            for part in formset.deleted_forms:
                if part.instance.pk and not part.instance._state.adding:
                    services.delete_image(store=store, image=part.instance)
        super().save_formset(request, form, formset, change)
        if formset.model is Variant:
            for part in formset.forms:
                if part.instance.pk and part.has_changed() and part not in formset.deleted_forms:
                    part.made_by = request.user.get_username()
                    part.save_offer(store, part.instance)

    def delete_model(self, request: HttpRequest, obj: Product) -> None:
        services.delete_product(store=obj.store, product=obj)

    @action(description=_("Activate"), permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        self._switch(request, queryset, active=True)

    @action(description=_("Deactivate"), permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        self._switch(request, queryset, active=False)

    @action(description=_("Edit prices, categories, state"), permissions=["change"])
    def edit_many(self, request: HttpRequest, queryset: QuerySet[Product]) -> HttpResponse:
        """Leads to the page that asks what to change."""
        request.session[bulk_pages.CHOSEN] = list(queryset.order_by().values_list("pk", flat=True)[: bulk_pages.MOST])
        return redirect("admin:catalog-bulk-edit")

    @action(description=_("Duplicate"), permissions=["change"], url_path="duplicate", icon="content_copy")
    def duplicate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        product = get_object_or_404(Product.objects.select_related("store"), pk=object_id)
        if request.method == "POST":
            copy = bulk.duplicate(store=product.store, product=product)
            self.log_addition(request, copy, "Duplicated")
            self.tell(request, _("This is the copy. Shoppers see it once it is active."))
            return redirect("admin:storefront_catalog_product_change", copy.pk)
        return site.confirm(
            request,
            title=_("Duplicate"),
            text=_("An inactive copy of %(product)s is made, without SKUs and stock.") % {"product": product},
            button=_("Duplicate"),
            back=reverse("admin:storefront_catalog_product_change", args=[object_id]),
        )

    def _switch(self, request: HttpRequest, queryset: QuerySet[Product], *, active: bool) -> None:
        with transaction.atomic():
            chosen = list(queryset.values_list("pk", "store_id"))
            Product.objects.filter(pk__in=[pk for pk, _store in chosen]).update(active=active)
            for store in Store.objects.filter(pk__in={store_id for _pk, store_id in chosen}):
                services.publish(store=store, product_ids=[pk for pk, store_id in chosen if store_id == store.pk])
        self.tell(request, _("%(count)d products changed.") % {"count": len(chosen)})


# --- variants -------------------------------------------------------------------------------------------------------
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
                self.initial[name] = _short(value)


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


class StockForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Stock
        fields = ("tracked", "on_hand", "backorder")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if (data.get("on_hand") or 0) < self.instance.reserved and not data.get("backorder"):
            self.add_error("on_hand", ValidationError(_("Orders have reserved more than that.")))
        return data


class StockInline(StoreTabularInline):
    model = Stock
    form = StockForm
    fields = ("tracked", "on_hand", "reserved", "backorder")
    readonly_fields = ("reserved",)
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MovementInline(ReadOnlyAdmin, StoreTabularInline):
    """The latest changes of the stock: the ledger itself is never written by hand."""

    model = StockMovement
    fields = ("created_at", "delta", "on_hand", "reason", "note", "made_by")
    readonly_fields = fields
    show_change_link = False
    tab = True
    per_page = 25
    verbose_name_plural = _("Stock ledger")


class AdjustmentForm(forms.Form):
    delta = forms.IntegerField(label=_("Change"), help_text=_("Such as 12, or -3."), widget=TextWidget)
    reason = forms.ChoiceField(label=_("Reason"), choices=Reason.choices, initial=Reason.RECEIVED, widget=SelectWidget)
    note = forms.CharField(label=_("Note"), max_length=200, required=False, widget=TextWidget)


@site.admin_for(Variant)
class VariantAdmin(StoreModelAdmin):
    """Reached from products: the prices of every group, options, stock. Its list finds a SKU."""

    menu, icon, menu_order, menu_title = "shop", "barcode", 20, _("SKUs")
    list_display = ("product", "options_shown", "sku", "price", "left", "reserved", "backorder", "visible")
    list_display_links = ("product", "options_shown")
    list_filter = (("active", BooleanFilter), ("visible", BooleanFilter), ("product", SearchFilter))
    search_fields = ("sku", "product__name", "name")
    search_help_text = _("SKU or name")
    ordering = ("-created_at", "-pk")
    fields = ("product", "name", "sku", "slug", "short_description", "active", "is_default", "sort_order", "visible")
    readonly_fields = ("visible",)
    inlines = (OptionInline, PriceInline, StockInline, FactInline, LotInline, MovementInline)
    actions_detail = ("adjust_stock",)

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

    @action(description=_("Adjust stock"), permissions=["change"], url_path="adjust-stock", icon="inventory")
    def adjust_stock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        variant = get_object_or_404(Variant.objects.select_related("store", "product"), pk=object_id)
        form = AdjustmentForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                stock.adjust(
                    store=variant.store, variant=variant, made_by=request.user.get_username(), **form.cleaned_data
                )
            except DomainError as error:
                form.add_error("delta", str(error.message))
            else:
                self.tell(request, _("The stock was changed."))
                return redirect("admin:storefront_catalog_variant_change", object_id)
        return site.confirm(
            request,
            title=_("Adjust stock"),
            text=_("%(variant)s: how many came in or went out, and why?") % {"variant": variant},
            button=_("Save"),
            back=reverse("admin:storefront_catalog_variant_change", args=[object_id]),
            form=form,
        )

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        if formset.model is Stock:
            for part in formset.forms:
                if part.has_changed():
                    fields = {name: part.cleaned_data[name] for name in part.changed_data}
                    services.set_stock(
                        store=form.instance.store,
                        variant=form.instance,
                        made_by=request.user.get_username(),
                        **fields,
                    )
            formset.new_objects, formset.deleted_objects = [], []
            formset.changed_objects = [
                (part.instance, part.changed_data) for part in formset.forms if part.has_changed()
            ]
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


# --- categories, brands, attributes ---------------------------------------------------------------------------------
@site.admin_for(Category)
class CategoryAdmin(StoreModelAdmin):
    """The tree as an indented list."""

    menu, icon, menu_order = "shop", "account_tree", 30
    list_display = ("branch", "slug", "product_count", "active")
    list_filter = (("active", BooleanFilter),)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    list_per_page = 200
    fields = (
        "store",
        "parent",
        "name",
        "slug",
        "description",
        "image_url",
        "sort_order",
        "active",
        "product_count",
        "metadata",
    )
    readonly_fields = ("product_count",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """A list in the order of the tree. That costs one query more, for the keys of all categories."""
        base = super().get_changelist(request, **kwargs)

        class TreeList(base):  # type: ignore[misc, valid-type]
            def get_queryset(self, *args: Any, **options: Any) -> Any:
                places = selectors.places_in_tree()
                order = [When(pk=pk, then=Value(place)) for pk, (place, _level) in places.items()]
                below = [When(pk=pk, then=Value(level)) for pk, (_place, level) in places.items() if level]
                number = models.IntegerField()
                rows = super().get_queryset(*args, **options)
                return rows.annotate(
                    place=Case(*order, default=Value(len(places)), output_field=number),
                    depth=Case(*below, default=Value(0), output_field=number),
                ).order_by("place", "pk")

        return TreeList

    @display(description=_("Category"))
    def branch(self, row: Any) -> str:
        return format_html(
            '<span style="padding-inline-start:{}rem">{}{}</span>',
            row.depth * 1.75,
            "↳ " if row.depth else "",
            row.name,
        )

    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        services.recount_categories(store=obj.store)
        if change and {"name", "slug", "parent", "active"} & set(form.changed_data):
            services.category_changed(store=obj.store, category_id=obj.pk)

    def delete_model(self, request: HttpRequest, obj: Category) -> None:
        store = obj.store
        placed = list(ProductCategory.objects.filter(category=obj).values_list("product_id", flat=True))
        super().delete_model(request, obj)
        services.publish(store=store, product_ids=placed, recount=False)
        services.recount_categories(store=store)


@site.admin_for(Brand)
class BrandAdmin(StoreModelAdmin):
    menu, icon, menu_order = "shop", "sell", 40
    list_display = ("name", "slug", "active")
    list_filter = (("active", BooleanFilter),)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}

    def save_model(self, request: HttpRequest, obj: Brand, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "name" in form.changed_data:
            services.brand_changed(store=obj.store, brand_id=obj.pk)

    def delete_model(self, request: HttpRequest, obj: Brand) -> None:
        products = list(Product.objects.filter(brand=obj).values_list("pk", flat=True))
        super().delete_model(request, obj)
        services.publish(store=obj.store, product_ids=products, recount=False)


class ChoiceInline(StoreTabularInline):
    model = AttributeChoice
    fields = ("name", "hexcode", "swatch", "sort_order")
    readonly_fields = ("swatch",)
    show_change_link = False

    @display(description="")
    def swatch(self, row: AttributeChoice) -> str:
        if not row.hexcode:
            return ""
        return format_html(
            '<span style="display:inline-block;width:1.5rem;height:1.5rem;border-radius:50%;background:{}"></span>',
            row.hexcode,
        )


@site.admin_for(Attribute)
class AttributeAdmin(StoreModelAdmin):
    menu, icon, menu_order = "shop", "palette", 50
    menu_title = _("Attributes and options")
    list_display = ("name", "key", "type", "choices_shown", "sort_order")
    list_filter = (("type", ChoicesFilter),)
    search_fields = ("name", "key")
    fields = ("store", "name", "key", "type", "sort_order")
    inlines = (ChoiceInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attribute]:
        rows: QuerySet[Attribute] = super().get_queryset(request).prefetch_related("choices")
        return rows

    @display(description=_("Choices"))
    def choices_shown(self, row: Attribute) -> str:
        names = [choice.name for choice in row.choices.all()]
        return ", ".join(names[:6]) + (" …" if len(names) > 6 else "") if names else "–"

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        services.attribute_changed(store=form.instance.store, attribute_id=form.instance.pk)


@site.admin_for(AttributeChoice)
class ChoiceAdmin(StoreModelAdmin):
    """For the selects that search; staff edit choices on the page of their attribute."""

    menu = ""
    list_display = ("name", "attribute", "hexcode")
    search_fields = ("name", "attribute__name")
    ordering = ("attribute__sort_order", "sort_order", "name")


pages.register()
bulk_pages.register()
