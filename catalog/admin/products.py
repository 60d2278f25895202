"""A product with its variants, prices, stock and pictures on one page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.db.models import F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import (
    BooleanFilter,
    ChoicesFilter,
    DropdownFilter,
    SearchFilter,
    StoreModelAdmin,
    SwitchWidget,
    TextWidget,
    action,
    change_link,
    display,
    site,
)
from storefront.models import Store

from .. import bulk, bulk_pages, services
from ..models import Price, Product, ProductImage, Stock, Variant
from .offers import OfferForm, money, thumbnail, with_offers
from .parts import (
    ComponentInline,
    FactInline,
    ImageInline,
    LinkInline,
    PlacingInline,
    PlanInline,
    VariantInline,
    VideoInline,
)
from .stock import table


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
            "store", "name", "slug", "type", "active", "brand", "short_description", "description", "tags", "hsn_code", "weight",
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
            found = self._variant = next(iter(with_offers(rows)), None)
        return found

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        sku, store = (data.get("sku") or "").strip(), data.get("store") or getattr(self.instance, "store", None)
        data["sku"] = sku
        taken = Variant.objects.filter(store=store, sku=sku).exclude(product=self.instance.pk)
        if sku and store and taken.exists():
            self.add_error("sku", ValidationError(_("Another product has this SKU.")))
        return data

    def usual_tax_of_variants(self) -> dict[str, Any]:
        """What the page itself asks for, while the product does not vary; else what another variant has: one query."""
        names = ("tax_rate", "price_including_tax")
        if self.cleaned_data.get("tax_rate") is not None:
            return {name: self.cleaned_data[name] for name in names}
        prices = Price.objects.filter(variant__product=self.instance, group__is_default=True)
        return prices.order_by("variant__is_standalone", "variant__sort_order", "pk").values(*names).first() or {}

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


OFFER, PLACES, RECORD = _("Price and stock"), _("Stock by location"), _("Record")


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
    readonly_fields = ("other_prices", "places", "visible")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "store",
                    "name",
                    "slug",
                    ("type", "brand"),
                    ("active", "weight"),
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
        (PLACES, {"fields": ("places",)}),
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
            hidden = {RECORD, PLACES}
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
        return thumbnail(row.picture_renditions, row.picture_url, name=row.name)

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

    @display(description=_("On hand"))
    def places(self, row: Product) -> str:
        return table(row)

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
        if formset.model is Variant and formset.has_changed():
            usual_tax = form.usual_tax_of_variants()
            for part in formset.forms:
                if part.instance.pk and part.has_changed() and part not in formset.deleted_forms:
                    part.made_by = request.user.get_username()
                    part.usual_tax = usual_tax
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
