"""What pages of models and their inlines share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.http import HttpRequest

from storefront.admin_base import clocks
from storefront.admin_base.widgets import JsonWidget
from storefront.models import Store


class StoreOptions:
    """What model pages and their inlines share."""

    model: type[models.Model]
    admin_site: Any
    formfield_overrides: Any = {models.JSONField: {"widget": JsonWidget}}

    def get_autocomplete_fields(self, request: HttpRequest) -> Sequence[str]:
        """Foreign keys whose targets can be searched; other targets are few enough for a plain select."""
        explicit = list(super().get_autocomplete_fields(request))  # type: ignore[misc]
        for field in (*self.model._meta.fields, *self.model._meta.many_to_many):
            target = field.related_model
            if field.name in explicit or not isinstance(target, type) or target is Store:
                continue
            registered = self.admin_site._registry.get(target)
            if registered is not None and registered.get_search_fields(request):
                explicit.append(field.name)
        return explicit

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, models.URLField):
            kwargs.setdefault("assume_scheme", "https")
        if isinstance(db_field, models.DateTimeField):
            kwargs.setdefault("help_text", f"{db_field.help_text} {clocks.hint(request)}".strip())
        return super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]


class ReadOnlyAdmin:
    """First base of a page, or an inline, on which nothing can be added, changed or deleted by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
