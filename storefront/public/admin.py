"""Admin pages of what everybody may see: the store's texts, states, postal codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import (
    ChoicesFilter,
    DropdownFilter,
    SelectSearchWidget,
    StoreModelAdmin,
    display,
    site,
)
from storefront.models import CountryState, Pincode, StoreTemplate

from .countries import built_in_states, country


@site.admin_for(StoreTemplate)
class StoreTemplateAdmin(StoreModelAdmin):
    menu_order, icon, menu_title = 15, "gavel", _("Terms and policies")
    list_display = ("name", "title", "content_type", "beginning", "modified_at")
    list_filter = (("kind", ChoicesFilter),)
    search_fields = ("title",)
    ordering = ("store", "kind")
    fields = ("store", "kind", "title", "content_type", "content", "modified_at")

    @display(description=_("Text"), ordering="kind")
    def name(self, template: StoreTemplate) -> str:
        return template.get_kind_display()

    @display(description=_("Beginning"))
    def beginning(self, template: StoreTemplate) -> str:
        return Truncator(template.content).chars(60) or "–"

    def get_readonly_fields(self, request: HttpRequest, obj: StoreTemplate | None = None) -> Sequence[Any]:
        found = super().get_readonly_fields(request, obj)
        return [*found, "kind"] if obj is not None else found


class CountryFilter(DropdownFilter):
    title = _("country")
    parameter_name = "country"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The countries that are there: an index-only look at each, however many rows they have."""
        model = model_admin.model
        found: list[tuple[str, Any]] = []
        code = model.objects.order_by("country").values_list("country", flat=True).first()
        while code is not None and len(found) < 250:
            known = country(code)
            found.append((code, known.name if known else code))
            code = model.objects.filter(country__gt=code).order_by("country").values_list("country", flat=True).first()
        return found

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(country=self.value()) if self.value() else queryset


class PlaceForm(forms.ModelForm):  # type: ignore[type-arg]
    """The country is chosen by name."""

    country = forms.ChoiceField(label=_("Country"), widget=SelectSearchWidget())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "country" in self.fields:
            from storefront.admin import country_choices

            self.fields["country"].choices = country_choices()  # type: ignore[attr-defined]


class StateForm(PlaceForm):
    def clean_country(self) -> str:
        code: str = self.cleaned_data["country"]
        if built_in_states(code):
            raise forms.ValidationError(_("The states of this country are built in."))
        return code


@site.admin_for(CountryState)
class CountryStateAdmin(StoreModelAdmin):
    menu_order, icon, menu_title = 70, "map", _("States")
    form = StateForm
    list_display = ("name", "country", "code", "gst_code", "other_name")
    list_filter = (CountryFilter,)
    search_fields = ("name", "code")
    fields = ("country", "code", "name", "other_name", "gst_code")

    def get_readonly_fields(self, request: HttpRequest, obj: CountryState | None = None) -> Sequence[Any]:
        """Its id is made of both: clients keep it."""
        found = super().get_readonly_fields(request, obj)
        return [*found, "country", "code"] if obj is not None else found


@site.admin_for(Pincode)
class PincodeAdmin(StoreModelAdmin):
    menu_order, icon, menu_title = 71, "pin_drop", _("Postal codes")
    form = PlaceForm
    list_display = ("pincode", "city", "state_name", "country")
    list_filter = (CountryFilter,)
    search_fields: ClassVar[Sequence[str]] = ("pincode__startswith",)
    search_help_text = _("The first digits of a postal code.")
    fields = ("country", "pincode", "city", "state_name")
