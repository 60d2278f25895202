"""Rows of a table on their parent's page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold.admin import StackedInline as ThemeStackedInline
from unfold.admin import TabularInline as ThemeTabularInline

from storefront.admin_base.forms import StoreInlineFormSet, with_store
from storefront.admin_base.options import StoreOptions
from storefront.admin_base.rows import has_store


class _InlineOptions(StoreOptions):
    formset: Any = StoreInlineFormSet
    extra = 0
    show_change_link = True

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> Any:
        excluded = list(super().get_exclude(request, obj) or ())  # type: ignore[misc]
        return [*excluded, "store"] if has_store(self.model) else excluded

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)  # type: ignore[misc]
        formset.form = with_store(formset.form, None)
        return formset


class StoreTabularInline(_InlineOptions, ThemeTabularInline):  # type: ignore[misc]
    """Rows of a table on their parent's page, in its store."""


class StoreStackedInline(_InlineOptions, ThemeStackedInline):  # type: ignore[misc]
    """The same, each row as a block of its own."""
