"""The page on which staff say what to change of the products that they chose. Imported by `admin.py`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from storefront.admin_base import SelectWidget, TextWidget, site
from storefront.errors import DomainError
from storefront.models import CustomerGroup, Store

from . import bulk
from .models import Category, Product

CHOSEN = "catalog_bulk_edit"  # in the session: the ids
MOST = 5_000


class BulkForm(forms.Form):
    percent = forms.DecimalField(
        label=_("Change prices by percent"),
        min_value=Decimal(-99),
        max_value=Decimal(1000),
        max_digits=7,
        decimal_places=3,
        required=False,
        help_text=_("Such as 5, or -12.5. Empty: prices stay."),
        widget=TextWidget,
    )
    group = forms.ModelChoiceField(
        label=_("Prices of"),
        queryset=CustomerGroup.objects.none(),
        required=False,
        empty_label=_("Every customer group"),
        widget=SelectWidget,
    )
    active = forms.TypedChoiceField(
        label=_("Active"),
        choices=[("", _("Stays")), ("yes", _("Activate")), ("no", _("Deactivate"))],
        coerce=lambda value: value == "yes",
        empty_value=None,
        required=False,
        widget=SelectWidget,
    )
    add_to = forms.ModelChoiceField(
        label=_("Add to category"), queryset=Category.objects.none(), required=False, widget=SelectWidget
    )
    take_from = forms.ModelChoiceField(
        label=_("Take from category"), queryset=Category.objects.none(), required=False, widget=SelectWidget
    )

    def __init__(self, *args: Any, store: Store, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["group"].queryset = CustomerGroup.objects.filter(store=store)  # type: ignore[attr-defined]
        for name in ("add_to", "take_from"):
            self.fields[name].queryset = Category.objects.filter(store=store)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not self.errors and all(data.get(name) is None for name in ("percent", "active", "add_to", "take_from")):
            raise forms.ValidationError(_("Nothing is to be changed."))
        if data.get("add_to") is not None and data["add_to"] == data.get("take_from"):
            self.add_error("take_from", _("The same category."))
        return data


def bulk_edit(request: HttpRequest) -> HttpResponseBase:
    back = reverse("admin:storefront_catalog_product_changelist")
    ids = request.session.get(CHOSEN, [])[:MOST]
    stores = list(Store.objects.filter(pk__in=Product.objects.filter(pk__in=ids).values("store"))[:2])
    if len(stores) != 1:
        return site.refuse(request, _("Choose products of one store in their list first."), status=200)
    form = BulkForm(request.POST if request.method == "POST" else None, store=stores[0])
    if request.method == "POST" and form.is_valid():
        try:
            bulk.edit(store=stores[0], product_ids=ids, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, str(error.message))
        else:
            request.session.pop(CHOSEN, None)
            _tell_and_log(request, ids)
            return redirect(back)
    text = _("%(count)d products. What should change?") % {"count": len(ids)}
    problems = " ".join(str(error) for error in form.non_field_errors())
    return site.confirm(
        request, title=_("Edit many products"), text=f"{text} {problems}", button=_("Change"), back=back, form=form
    )


def _tell_and_log(request: HttpRequest, ids: list[str]) -> None:
    told = ngettext("%(count)d product changed.", "%(count)d products changed.", len(ids)) % {"count": len(ids)}
    messages.success(request, told)
    LogEntry.objects.log_actions(
        str(request.user.pk), Product.objects.filter(pk__in=ids), CHANGE, change_message=str(_("Edit many products"))
    )


def register() -> None:
    site.page(
        "catalog/bulk-edit/",
        bulk_edit,
        _("Edit many products"),
        name="catalog-bulk-edit",
        permission="storefront_catalog.change_product",
        menu="",
    )
