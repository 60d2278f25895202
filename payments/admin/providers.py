"""Accounts with gateways, and what these have still to be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from storefront.admin_base import (
    BooleanFilter,
    ChoicesFilter,
    DateRangeFilter,
    ReadOnlyAdmin,
    SelectWidget,
    StoreModelAdmin,
    TextWidget,
    action,
    credential_fields,
    display,
    site,
)

from .. import gateways
from ..models import (
    Errand,
    PaymentProvider,
)

_REMOVE = "-"


def gateway_choices() -> list[tuple[str, str]]:
    return [(code, code.replace("_", " ").capitalize()) for code in sorted(gateways.known())]


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]
    credential_fields: Sequence[str] = ()
    gateway = forms.ChoiceField(label=_("Gateway"), choices=gateway_choices, widget=SelectWidget())
    logo_light = forms.URLField(label=_("Logo, light"), required=False, assume_scheme="https", widget=TextWidget())
    logo_dark = forms.URLField(label=_("Logo, dark"), required=False, assume_scheme="https", widget=TextWidget())

    class Meta:
        model = PaymentProvider
        fields = (
            "store",
            "slug",
            "gateway",
            "name",
            "short_description",
            "logo_light",
            "logo_dark",
            "config",
            "active",
            "sort_order",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.credential_fields:
            held = name in (self.instance.credentials or {})
            self.fields[f"credential_{name}"].help_text = (
                _("Set. Leave empty to keep it; enter - to remove it.") if held else _("Not set.")
            )
        if "config" in self.fields:
            self.fields["config"].required = False
            self.fields["config"].empty_value = dict  # type: ignore[attr-defined]

    def clean_config(self) -> Any:
        config = self.cleaned_data["config"] or {}
        if not isinstance(config, dict):
            raise forms.ValidationError(_("Enter names and values."))
        return config

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not self.credential_fields:
            return data
        credentials = dict(self.instance.credentials or {})
        for name in self.credential_fields:
            given = (data.get(f"credential_{name}") or "").strip()
            if given == _REMOVE:
                credentials.pop(name, None)
            elif given:
                credentials[name] = given
        secrets = {str(value) for value in credentials.values()}
        if secrets & {str(value) for value in (data.get("config") or {}).values()}:
            self.add_error("config", _("A credential must not be among the settings for clients."))
        if not self.errors:
            try:
                gateways.build(self.instance.gateway, credentials=credentials)
            except (LookupError, TypeError, ValueError):
                self.add_error(None, _("The gateway does not work with these credentials."))
        self.instance.credentials = credentials
        return data


def _provider_form(code: str) -> type[ProviderForm]:
    """The form with the credential fields of one gateway."""
    try:
        names = tuple(getattr(gateways.gateway_class(code), "credential_names", ()))
    except (LookupError, ImportError):
        names = ()
    return type(
        "ProviderForm",
        (ProviderForm,),
        {**credential_fields(names), "gateway": None, "credential_fields": names, "__module__": __name__},
    )


@site.admin_for(PaymentProvider)
class PaymentProviderAdmin(StoreModelAdmin):
    """What clients see of a provider is apart from its credentials, which are encrypted and never shown again."""

    menu_order, icon = 60, "account_balance"
    list_display = ("name", "slug", "gateway", "works", "active", "sort_order")
    list_filter = (("active", BooleanFilter),)
    search_fields = ("name", "slug")
    add_fieldsets = (
        (None, {"fields": ("store", ("name", "slug"), "gateway", "short_description", ("active", "sort_order"))}),
    )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = _provider_form(obj.gateway) if obj else ProviderForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: PaymentProvider | None = None) -> Any:
        if obj is None:
            return super().get_fieldsets(request, obj)
        names = tuple(f"credential_{name}" for name in _provider_form(obj.gateway).credential_fields)
        secret = _("Encrypted in the database, and never shown again.")
        public = _("Public: every client of the store can read these.")
        sets: list[Any] = [*self.add_fieldsets]
        if names:
            sets.append((_("Credentials"), {"fields": names, "description": secret}))
        sets.append((_("Logos"), {"fields": ("logo_light", "logo_dark")}))
        sets.append((_("Settings for clients"), {"fields": ("config",), "description": public}))
        return sets

    def get_readonly_fields(self, request: HttpRequest, obj: PaymentProvider | None = None) -> Sequence[Any]:
        found = list(super().get_readonly_fields(request, obj))
        return [*found, "gateway"] if obj is not None else found

    def response_add(self, request: HttpRequest, obj: PaymentProvider, post_url_continue: str | None = None) -> Any:
        """On to the page that asks for what this gateway needs."""
        self.tell(request, _("Now enter the credentials of %(name)s.") % {"name": obj.name}, tone="info")
        return HttpResponseRedirect(reverse("admin:storefront_payments_paymentprovider_change", args=[obj.pk]))

    @display(description=_("Known here"), boolean=True)
    def works(self, row: PaymentProvider) -> bool:
        return gateways.usable(row)


@site.admin_for(Errand)
class ErrandAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """What providers have still to be told: that a person was erased, for example."""

    empty_hint = _("What payment providers still have to be told appears here.")
    menu_order, icon, menu_title = 70, "outbox", _("Messages to providers")
    list_display = ("id", "kind", "provider", "state", "attempts", "reason", "created_at")
    list_filter = (("state", ChoicesFilter), ("kind", ChoicesFilter), ("created_at", DateRangeFilter))
    list_select_related = ("provider",)
    actions = ("send_again",)
    ordering = ("-pk",)

    def has_again_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("storefront_payments.change_errand"))

    @action(description=_("Send again"), permissions=["again"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Errand]) -> None:
        rows = list(queryset.filter(state=Errand.State.DEAD))
        for row in rows:
            row.send_again()
        told = ngettext(
            "%(count)d message is sent again within moments.",
            "%(count)d messages are sent again within moments.",
            len(rows),
        )
        self.tell(request, told % {"count": len(rows)}, tone="success" if rows else "info")
