"""Forms of stores' rows: each gets its store before it is checked, and refers to nothing of another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from unfold.forms import (
    AdminOwnPasswordChangeForm,
    AdminPasswordChangeForm,
    BaseDialogForm,
    PaginationInlineFormSet,
    UserChangeForm,
    UserCreationForm,
)

from storefront.admin_base.rows import has_store, store_id_of
from storefront.admin_base.widgets import PasswordWidget
from storefront.models import Store

__all__ = [
    "AdminOwnPasswordChangeForm",
    "AdminPasswordChangeForm",
    "DialogForm",
    "StoreInlineFormSet",
    "UserChangeForm",
    "UserCreationForm",
    "credential_fields",
    "with_store",
]

DialogForm = BaseDialogForm


class _StoreForm:
    """Mixed into every form of a store's row: gives it its store before it is checked, and keeps references inside."""

    only_store: Store | None = None
    instance: Any
    cleaned_data: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.only_store is not None and self.instance.store_id is None:
            self.instance.store = self.only_store

    def _get_validation_exclusions(self) -> set[str]:
        """The store is never left out, so that "once per store" is told as an error, not met as a failed insert."""
        found: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return found - {"store"} if self.instance.store_id else found

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data  # type: ignore[misc]
        chosen = data.get("store")
        store_id = chosen.pk if chosen is not None else self.instance.store_id
        for name, value in list(data.items()):
            rows: Iterable[Any] = value if isinstance(value, models.QuerySet) else [value]
            if store_id and any(getattr(row, "store_id", store_id) != store_id for row in rows):
                self.add_error(name, ValidationError(_("This belongs to another store.")))  # type: ignore[attr-defined]
        return data


def with_store(form: type[Any], only_store: Store | None) -> type[Any]:
    if not has_store(form._meta.model):
        return form
    return type(form.__name__, (_StoreForm, form), {"only_store": only_store, "__module__": form.__module__})


class StoreInlineFormSet(PaginationInlineFormSet):  # type: ignore[misc]
    """Gives the rows of an inline their parent's store, and refuses two new rows of which only one may be."""

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form = super()._construct_form(i, **kwargs)
        if has_store(self.model) and form.instance.store_id is None:
            form.instance.store_id = store_id_of(self.instance)
        return form

    def validate_unique(self) -> None:
        """Django compares the rows by constraints without a condition only."""
        super().validate_unique()
        kept = [form for form in self.forms if form.is_valid() and form not in self.deleted_forms]
        for constraint in self.model._meta.constraints:
            if not isinstance(constraint, models.UniqueConstraint) or constraint.condition is None:
                continue
            seen: set[tuple[Any, ...]] = set()
            for form in kept:
                asked = [name for name in constraint.fields if name in form.cleaned_data and name != self.fk.name]
                value = tuple(
                    getattr(form.instance, self.model._meta.get_field(name).attname) for name in constraint.fields
                )
                if not asked or None in value:
                    continue
                if value in seen and constraint.condition.check(
                    form.instance._get_field_expression_map(meta=self.model._meta)
                ):
                    form.add_error(asked[-1], form.instance.unique_error_message(self.model, (asked[-1],)))
                seen.add(value)


def credential_fields(names: Iterable[str]) -> dict[str, forms.CharField]:
    """A field `credential_<name>` for each: what is typed goes in and is never shown again."""
    return {
        f"credential_{name}": forms.CharField(
            label=name.replace("_", " ").capitalize(),
            required=False,
            strip=True,
            max_length=4000,
            widget=PasswordWidget(render_value=False, attrs={"autocomplete": "new-password"}),
        )
        for name in names
    }
