"""The queue of reviews: read, approve, reject, tag, feature."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.storage import default_storage
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from storefront.admin_base import (
    BooleanFilter,
    ChoicesFilter,
    DateRangeFilter,
    SearchFilter,
    StoreModelAdmin,
    TextWidget,
    action,
    display,
    site,
)
from storefront.models import Store

from . import services
from .models import Review, ReviewMedia


class ReviewForm(forms.ModelForm):  # type: ignore[type-arg]
    tags = forms.CharField(
        label=_("Tags"), max_length=500, required=False, widget=TextWidget, help_text=_("With commas between them.")
    )

    class Meta:
        model = Review
        fields = ("name", "is_featured", "tags")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["tags"] = ", ".join(map(str, self.initial.get("tags") or []))

    def clean_tags(self) -> list[str]:
        words = str(self.cleaned_data["tags"] or "").replace("|", " ").split(",")
        return list(dict.fromkeys(word.strip() for word in words if word.strip()))


@site.admin_for(Review)
class ReviewAdmin(StoreModelAdmin):
    empty_hint = _("Reviews by buyers wait here until you approve or reject them.")
    menu, icon, menu_order = "shop", "reviews", 60
    form = ReviewForm
    list_display = ("product", "stars", "excerpt", "media_count", "state", "is_featured", "created_at")
    list_filter = (
        ("status", ChoicesFilter),
        ("is_featured", BooleanFilter),
        ("product", SearchFilter),
        ("created_at", DateRangeFilter),
    )
    search_fields = ("product__name", "order_number", "review_text")
    search_help_text = _("Product, order or text")
    ordering = ("-created_at", "-pk")
    actions = ("approve", "reject")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "product",
                    "state_shown",
                    "stars",
                    "review_text",
                    "shown_media",
                    "name",
                    "is_featured",
                    "tags",
                )
            },
        ),
        (_("Record"), {"fields": ("order_number", "user_id", ("created_at", "modified_at")), "classes": ["collapse"]}),
    )
    readonly_fields = (
        "product", "state_shown", "stars", "review_text", "shown_media", "order_number", "user_id", "created_at",
        "modified_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Review]:
        rows: QuerySet[Review] = super().get_queryset(request)
        return rows.annotate(files=Count("media"))

    def get_list_select_related(self, request: HttpRequest) -> Any:
        return ("product", "store")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Buyers write reviews."""
        return False

    @display(description=_("Rating"), ordering="rating")
    def stars(self, row: Review) -> str:
        return f"{row.rating.normalize():f} ★"

    @display(description=_("Text"))
    def excerpt(self, row: Review) -> str:
        return row.review_text[:80] + ("…" if len(row.review_text) > 80 else "") or "–"

    @display(description=_("Files"), ordering="files")
    def media_count(self, row: Any) -> int:
        return int(row.files)

    @display(
        description=_("State"),
        ordering="status",
        label={"pending": "warning", "approved": "success", "rejected": "danger"},
    )
    def state(self, row: Review) -> Any:
        return row.status, row.get_status_display()

    @display(description=_("State"))
    def state_shown(self, row: Review) -> str:
        """The badge of the list is a pair, which a page would print as one."""
        return str(row.get_status_display())

    @display(description=_("Files"))
    def shown_media(self, row: Review) -> str:
        links = [
            (default_storage.url(one.names.get("standard") or one.names["video"]), str(one), self._small(one))
            for one in row.media.all()
        ]
        return format_html_join(" ", '<a href="{}" title="{}" style="display:inline-block">{}</a>', links) or "–"

    @staticmethod
    def _small(one: ReviewMedia) -> str:
        if one.kind == ReviewMedia.Kind.VIDEO:
            return str(one)
        return format_html(
            '<img src="{}" alt="" loading="lazy" width="96" height="96" style="object-fit:cover;border-radius:6px">',
            default_storage.url(one.names["thumbnail"]),
        )

    # -- writes --
    def save_model(self, request: HttpRequest, obj: Review, form: Any, change: bool) -> None:
        services.label(
            store=obj.store,
            review=obj,
            tags=form.cleaned_data["tags"],
            name=form.cleaned_data["name"],
            is_featured=form.cleaned_data["is_featured"],
        )

    def delete_model(self, request: HttpRequest, obj: Review) -> None:
        services.delete(store=obj.store, review_ids=[obj.pk])

    @action(description=_("Approve"), permissions=["change"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        self._moderate(request, queryset, Review.Status.APPROVED)

    @action(description=_("Reject"), permissions=["change"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        self._moderate(request, queryset, Review.Status.REJECTED)

    def _moderate(self, request: HttpRequest, queryset: QuerySet[Review], status: Review.Status) -> None:
        chosen: dict[str, list[str]] = {}
        for pk, store_id in queryset.order_by().values_list("pk", "store_id"):
            chosen.setdefault(store_id, []).append(pk)
        changed = sum(
            services.moderate(store=store, review_ids=chosen[store.pk], status=status)
            for store in Store.objects.filter(pk__in=chosen)
        )
        self.tell(
            request, ngettext("%(count)d review changed.", "%(count)d reviews changed.", changed) % {"count": changed}
        )
