"""Categories as a tree, brands, attributes with their choices."""

from __future__ import annotations

from typing import Any

from django.db import models, transaction
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import BooleanFilter, ChoicesFilter, StoreModelAdmin, StoreTabularInline, display, site

from .. import selectors, services
from ..models import Attribute, AttributeChoice, Brand, Category, Product


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

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """What is about to be saved or deleted comes locked, with its products."""
        found = super().get_object(request, object_id, from_field)
        if found is not None and request.method == "POST":
            services.lock_branch(store=found.store, category_id=found.pk)
        return found

    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        services.recount_categories(store=obj.store)
        if change and {"name", "slug", "parent", "active"} & set(form.changed_data):
            services.category_changed(store=obj.store, category_id=obj.pk)

    @transaction.atomic
    def delete_model(self, request: HttpRequest, obj: Category) -> None:
        store = obj.store
        placed = services.lock_branch(store=store, category_id=obj.pk)
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
        if change and {"name", "active"} & set(form.changed_data):
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
