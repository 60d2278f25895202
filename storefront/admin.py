"""Admin pages of the kernel: stores, channels, customer groups, API keys."""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from importlib import import_module
from typing import Any, ClassVar

import phonenumbers
from babel import Locale
from babel.numbers import get_currency_name, get_currency_precision, get_currency_symbol, get_territory_currencies
from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from storefront import scope, selectors, services
from storefront.admin_base import (
    ActionVariant,
    BooleanFilter,
    ChoicesFilter,
    DropdownFilter,
    SelectManyWidget,
    SelectSearchWidget,
    SelectWidget,
    StoreModelAdmin,
    action,
    display,
    site,
)
from storefront.models import ApiKey, Channel, CustomerGroup, Store
from storefront.public.forms import BrandForm
from storefront.staff import dashboard

dashboard.register()
import_module("storefront.public.admin")
import_module("storefront.staff.locations")
import_module("storefront.staff.trail_admin")
if site.installed:  # it keeps second factors in tables of django-otp, which a shop with an admin of its own has not
    import_module("storefront.staff.admin")


# --- stores ---------------------------------------------------------------------------------------------------------
def _locale() -> Locale:
    return Locale.parse((get_language() or "en").replace("-", "_"))


def country_choices() -> list[tuple[str, str]]:
    """Every country that has phone numbers, by name in the reader's language."""
    names = _locale().territories
    return sorted(((code, names.get(code, code)) for code in phonenumbers.SUPPORTED_REGIONS), key=lambda pair: pair[1])


@cache
def _currency_codes() -> frozenset[str]:
    return frozenset(code for region in phonenumbers.SUPPORTED_REGIONS for code in get_territory_currencies(region))


def currency_choices() -> list[tuple[str, str]]:
    """Every currency that is somewhere in use."""
    names = _locale().currencies
    return sorted((code, f"{code} – {names.get(code, code)}") for code in _currency_codes())


@cache
def time_zone_choices() -> list[tuple[str, str]]:
    names = (name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith(("Etc/", "System")))
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in sorted(names))]


CHANNELS = [("whatsapp", _("WhatsApp")), ("sms", _("SMS")), ("email", _("E-mail"))]


class OrderWidget(forms.MultiWidget):
    """One select for each place of an order."""

    template_name = "storefront/staff/order_widget.html"

    def __init__(self, choices: Sequence[tuple[str, Any]], attrs: dict[str, Any] | None = None) -> None:
        places = {
            str(number): SelectWidget(attrs={"aria-label": f"{number}."}, choices=[("", "–"), *choices])
            for number in range(1, len(choices) + 1)
        }
        super().__init__(places, attrs)

    def decompress(self, value: Any) -> list[Any]:
        return list(value or [])


class OrderField(forms.MultiValueField):
    """A list of distinct choices in an order of their own."""

    def __init__(self, *, choices: Sequence[tuple[str, Any]], **kwargs: Any) -> None:
        fields = [forms.ChoiceField(choices=[("", "–"), *choices], required=False) for _choice in choices]
        super().__init__(fields, widget=OrderWidget(choices), require_all_fields=False, **kwargs)

    def compress(self, values: Sequence[Any]) -> list[str]:
        chosen = [value for value in values if value]
        if len(set(chosen)) != len(chosen):
            raise forms.ValidationError(_("Choose each of them once."))
        return chosen


class StoreForm(BrandForm):
    default_country = forms.ChoiceField(
        label=_("Default country"),
        choices=country_choices,
        initial="IN",
        widget=SelectSearchWidget(),
        help_text=_("Phone numbers without a country code belong to it."),
    )
    other_countries = forms.MultipleChoiceField(
        label=_("Other countries served"), choices=country_choices, required=False, widget=SelectManyWidget()
    )
    message_fallback = OrderField(
        label=_("Order of channels"),
        choices=CHANNELS,
        help_text=_("A message tries the first channel that reaches the shopper, then the next."),
    )
    currency_code = forms.ChoiceField(
        label=_("Currency"),
        choices=currency_choices,
        initial="INR",
        widget=SelectSearchWidget(),
        help_text=_("Prices are kept as numbers: changing the currency of a running shop does not convert them."),
    )
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES, widget=SelectWidget())
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=time_zone_choices, widget=SelectSearchWidget())

    class Meta:
        model = Store
        exclude = ("brand", "countries", "currency_name", "currency_symbol", "currency_exponent")
        labels = {
            "guest_orders": _("Visitors may order"),
            "shopper_may_choose_group": _("Shoppers choose their group"),
            "cart_login_strategy": _("Two carts at login"),
            "cart_days": _("Days that a cart is kept"),
            "cart_abandoned_hours": _("Hours until a cart is abandoned"),
            "cart_reminders": _("Remind of abandoned carts"),
            "reveal_unregistered_contacts": _("Reveal unknown contacts"),
            "analytics_enabled": _("Keep events"),
            "newsletter_double_opt_in": _("Ask for a click"),
            "newsletter_text": _("Words of consent"),
            "kyc_enabled": _("Documents (KYC)"),
            "kyc_required": _("Documents before orders"),
            "customer_groups_enabled": _("Show customer groups"),
        }
        help_texts = {
            "guest_orders": _("An order needs no account."),
            "shopper_may_choose_group": _("A shopper may set their own customer group, and so their prices."),
            "cart_login_strategy": _("When a visitor with a cart logs in to an account that has one too."),
            "cart_days": _("Counted from its last change."),
            "cart_abandoned_hours": _("Counted from its last change; 0 for never."),
            "cart_reminders": _("One message for a cart, to shoppers who want promotional messages."),
            "reveal_unregistered_contacts": _(
                "A login with an unknown contact is answered 404. Shoppers learn sooner that they must register, "
                "and strangers can find out who has an account."
            ),
            "debug_mode": _(
                "For development: where debugging is allowed, one-time codes are returned to clients that ask for them."
            ),
            "metadata": _("Your own data; the shop does not read it."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        countries = self.instance.countries or ["IN"]
        self.fields["default_country"].initial = countries[0]
        self.fields["other_countries"].initial = countries[1:]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        first = data.get("default_country")
        if first:
            others = [code for code in data.get("other_countries", ()) if code != first]
            self.instance.countries = [first, *others]
        code = data.get("currency_code")
        if code and ("currency_code" in self.changed_data or self.instance._state.adding):
            self.instance.currency_name = get_currency_name(code, locale="en")
            self.instance.currency_symbol = get_currency_symbol(code, locale="en")
            self.instance.currency_exponent = get_currency_precision(code)
        return data


class KernelAdmin(StoreModelAdmin):
    """Rows that processes remember for a few seconds: a change here is forgotten at once in this one."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        transaction.on_commit(selectors.forget)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        transaction.on_commit(selectors.forget)


@site.admin_for(Store)
class StoreAdmin(KernelAdmin):
    menu_order, icon = 10, "storefront"
    form = StoreForm
    list_display = ("name", "id", "state", "currency_code", "served", "debug")
    search_fields = ("name", "id")
    list_filter = (("active", BooleanFilter),)
    fieldsets = (
        (None, {"fields": ("name", "id", "active", ("language", "time_zone"))}),
        (_("Money"), {"fields": ("currency_code",)}),
        (_("Countries"), {"fields": ("default_country", "other_countries")}),
        (_("Messages"), {"fields": ("message_fallback",)}),
        (
            _("Shoppers and carts"),
            {
                "fields": (
                    "guest_orders",
                    ("customer_groups_enabled", "shopper_may_choose_group"),
                    ("kyc_enabled", "kyc_required"),
                    "cart_login_strategy",
                    ("cart_days", "cart_abandoned_hours"),
                    "cart_reminders",
                )
            },
        ),
        (_("Analytics"), {"fields": ("analytics_enabled",)}),
        (_("Newsletter"), {"fields": ("newsletter_double_opt_in", "newsletter_text")}),
        (_("Brand"), {"fields": BrandForm.brand_fields, "description": _("Shown to clients.")}),
        (_("Privacy and debugging"), {"fields": ("reveal_unregistered_contacts", "debug_mode")}),
        (_("Own data"), {"fields": ("metadata",)}),
        (_("History"), {"fields": (("created_at", "modified_at"),), "classes": ("collapse",)}),
    )

    @display(description=_("State"), label={_("Open"): "success", _("Closed"): "danger"}, ordering="active")
    def state(self, store: Store) -> Any:
        return _("Open") if store.active else _("Closed")

    @display(description=_("Countries"))
    def served(self, store: Store) -> str:
        return ", ".join(store.countries[:6]) + (" …" if len(store.countries) > 6 else "")

    @display(description=_("Debug mode"), label={_("On"): "warning"}, ordering="debug_mode", empty_value="–")
    def debug(self, store: Store) -> Any:
        return _("On") if store.debug_mode else None

    def get_readonly_fields(self, request: HttpRequest, obj: Store | None = None) -> Sequence[Any]:
        found = super().get_readonly_fields(request, obj)
        return [*found, "id"] if obj is not None else found

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who sees some stores only opens no further ones: they would not see them."""
        return super().has_add_permission(request) and scope.stores() is None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A store is closed, not deleted: everything hangs on it."""
        return False

    def save_model(self, request: HttpRequest, obj: Store, form: Any, change: bool) -> None:
        form.place_logo(obj)
        if change:
            super().save_model(request, obj, form, change)
            return
        fields = {field.attname: getattr(obj, field.attname) for field in Store._meta.concrete_fields}
        fields.pop("id")
        created = services.create_store(store_id=obj.pk, **fields)
        obj.__dict__.update(created.__dict__)


@site.admin_for(Channel)
class ChannelAdmin(KernelAdmin):
    menu_order, icon = 20, "devices"
    list_display = ("name", "kind", "id")
    list_filter = (("type", ChoicesFilter),)
    search_fields = ("name", "id")

    @display(description=_("Type"), label=True, ordering="type")
    def kind(self, channel: Channel) -> str:
        return channel.get_type_display()

    def has_delete_permission(self, request: HttpRequest, obj: Channel | None = None) -> bool:
        """A store keeps one channel at least: tokens name it."""
        allowed = bool(super().has_delete_permission(request, obj))
        if obj is None or not allowed:
            return allowed
        return Channel.objects.filter(store_id=obj.store_id).exclude(pk=obj.pk).exists()


class GroupForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = CustomerGroup
        fields = "__all__"

    def _get_validation_exclusions(self) -> set[str]:
        """A second default is no error: it takes the place of the first."""
        return {*super()._get_validation_exclusions(), "is_default"}  # type: ignore[misc]


@site.admin_for(CustomerGroup)
class CustomerGroupAdmin(KernelAdmin):
    menu, menu_order, icon = "customers", 40, "groups"
    form = GroupForm
    list_display = ("name", "slug", "is_default", "active", "description")
    list_filter = (("active", BooleanFilter),)
    search_fields = ("name", "slug")
    prepopulated_fields: ClassVar[Any] = {"slug": ("name",)}

    def save_model(self, request: HttpRequest, obj: CustomerGroup, form: Any, change: bool) -> None:
        if obj.is_default:
            CustomerGroup.objects.filter(store_id=obj.store_id, is_default=True).exclude(pk=obj.pk).update(
                is_default=False
            )
        super().save_model(request, obj, form, change)


# --- API keys -------------------------------------------------------------------------------------------------------
OVERLAPS = [
    ("0", _("Now: the old key ends at once")),
    ("1", _("1 hour")),
    ("24", _("24 hours")),
    ("168", _("7 days")),
]


class RotateForm(forms.Form):
    overlap = forms.ChoiceField(
        label=_("The old key keeps working for"), choices=OVERLAPS, initial="24", widget=SelectWidget()
    )


class KeyStateFilter(DropdownFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("live", _("Live")), ("expired", _("Expired")), ("revoked", _("Revoked"))]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        over = Q(expires_at__lte=timezone.now())
        wanted = {
            "live": Q(revoked_at=None) & (Q(expires_at=None) | ~over),
            "expired": Q(revoked_at=None) & over,
            "revoked": Q(revoked_at__isnull=False),
        }
        return queryset.filter(wanted.get(self.value() or "", Q()))


@site.admin_for(ApiKey)
class ApiKeyAdmin(StoreModelAdmin):
    menu_order, icon = 30, "key"
    list_display = ("name", "beginning", "channel", "state", "last_used_at", "expires_at")
    list_filter = (KeyStateFilter,)
    search_fields = ("name", "prefix")
    ordering = ("-created_at",)
    actions_detail = ("rotate", "revoke")
    fieldsets = (
        (None, {"fields": ("store", "name", "channel", "expires_at")}),
        (_("Use"), {"fields": ("beginning", "state", "last_used_at", "revoked_at", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("store", "name", "channel", "expires_at")}),)
    readonly_fields = ("beginning", "state", "last_used_at", "revoked_at")

    @display(description=_("Key"), ordering="prefix")
    def beginning(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @display(
        description=_("State"),
        label={_("Live"): "success", _("Ending"): "warning", _("Expired"): "danger", _("Revoked"): "danger"},
    )
    def state(self, key: ApiKey) -> Any:
        if key.revoked_at is not None:
            return _("Revoked")
        if not key.live:
            return _("Expired")
        return _("Ending") if key.expires_at and key.expires_at - timezone.now() < timedelta(days=8) else _("Live")

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """A key that may be in use is revoked first, so that its end shows."""
        return super().has_delete_permission(request, obj) and (obj is None or not obj.live)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Sequence[Any]:
        found = super().get_readonly_fields(request, obj)
        return [*found, "channel"] if obj is not None else found

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            transaction.on_commit(selectors.forget)
            return
        new = services.create_key(store=obj.store, name=obj.name, channel=obj.channel, expires_at=obj.expires_at)
        obj.__dict__.update(new.key.__dict__)
        request._new_key = new  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """The key's text, in the only answer that has it: nothing keeps it for a second look."""
        return self._show(request, request._new_key)  # type: ignore[attr-defined]

    def _show(self, request: HttpRequest, new: services.NewKey, *, old: ApiKey | None = None) -> HttpResponse:
        path = f"/api/v1/{new.key.store_id}/storefront/auth/anonymous"
        return site.render(
            request,
            "storefront/staff/new_key.html",
            {
                "key": new.key,
                "key_text": new.text,
                "old": old,
                "address": request.build_absolute_uri(path),
                "next_url": reverse("admin:storefront_apikey_changelist"),
            },
            title=_("New API key"),
        )

    def _changeable(self, request: HttpRequest, object_id: str) -> ApiKey:
        key: ApiKey | None = self.get_queryset(request).select_related("store", "channel").filter(pk=object_id).first()
        if key is None or not self.has_change_permission(request, key):
            raise PermissionDenied
        return key

    @action(description=_("Rotate"), url_path="rotate", icon="autorenew", permissions=["change"])
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self._changeable(request, object_id)
        form = RotateForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            overlap = timedelta(hours=int(form.cleaned_data["overlap"]))
            new = services.rotate_key(store=key.store, key=key, overlap=overlap)
            self.log_change(request, key, "Rotated")
            self.log_addition(request, new.key, "Rotated in")
            key.refresh_from_db()
            return self._show(request, new, old=key)
        return site.confirm(
            request,
            title=_("Rotate this key"),
            text=_("%(name)s gets a successor of the same channel. Both work until the old key ends.") % {"name": key},
            button=_("Make the new key"),
            back=reverse("admin:storefront_apikey_change", args=[key.pk]),
            form=form,
        )

    @action(
        description=_("Revoke"), url_path="revoke", icon="block", permissions=["change"], variant=ActionVariant.DANGER
    )
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self._changeable(request, object_id)
        back = reverse("admin:storefront_apikey_change", args=[key.pk])
        if request.method == "POST":
            services.revoke_key(store=key.store, key=key)
            self.log_change(request, key, "Revoked")
            self.tell(request, _("The key is revoked."))
            return HttpResponseRedirect(back)
        return site.confirm(
            request,
            title=_("Revoke this key"),
            text=_("%(name)s ends at once and for good. Whoever still uses it gets no new visitors.") % {"name": key},
            button=_("Revoke it"),
            back=back,
            dangerous=True,
        )
