"""Links to pages of rows, and contacts as staff see them in lists."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.db import models
from django.urls import reverse
from django.utils.html import format_html

from storefront import contacts
from storefront.admin_base.admin_site import site
from storefront.admin_base.decorators import display


def masked(contact: str | None) -> str:
    """A phone or e-mail address as staff see it in lists; an empty one as a dash."""
    return contacts.mask(contact) if contact else "–"


def masked_column(field: str, *, title: Any) -> Any:
    """A list column for the contact in `field`, masked: `list_display = (masked_column("phone", title=_("Phone")),)`."""

    def column(row: models.Model) -> str:
        return masked(getattr(row, field))

    column.__name__ = f"masked_{field}"
    return display(description=title, ordering=field)(column)


def change_link(row: Any, text: Any = "") -> str:
    """A link to a row's page, or its text alone where it has none."""
    if row is None:
        return "–"
    if not site.is_registered(type(row)):
        return str(text or row)
    meta = type(row)._meta
    address = reverse(f"{site.name}:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}" class="text-primary-600 dark:text-primary-500">{}</a>', address, text or row)


def list_link(model: type[models.Model], **filters: Any) -> str:
    """The address of a model's list, filtered: `list_link(Message, state__exact="dead")`; "" where it has none."""
    if not site.is_registered(model):
        return ""
    address = reverse(f"{site.name}:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address
