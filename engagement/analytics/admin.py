"""Events, services that clients run, and where the server forwards to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from storefront import outbox, outgoing
from storefront.admin_base import (
    ActionVariant,
    BooleanFilter,
    ChoicesFilter,
    DateRangeFilter,
    PasswordWidget,
    ReadOnlyAdmin,
    RelatedFilter,
    SelectWidget,
    StoreModelAdmin,
    TextareaWidget,
    TextFilter,
    TextWidget,
    action,
    display,
    site,
)

from . import forwarding, providers, sinks
from .models import AnalyticsBatch, AnalyticsEvent, AnalyticsProvider, AnalyticsSink

_REMOVE = "-"
_LONGEST_SECRET = 200


# --- events ---------------------------------------------------------------------------------------------------------
class NameFilter(TextFilter):
    title = _("event")
    parameter_name = "event"

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        return queryset.filter(name=self.value()) if self.value() else queryset


@site.admin_for(AnalyticsEvent)
class AnalyticsEventAdmin(ReadOnlyAdmin, StoreModelAdmin):
    empty_hint = _("What shoppers do appears here once a shop sends events.")
    menu, menu_order, icon = "customers", 70, "monitoring"
    list_display = ("name", "user_id", "anonymous", "origin", "occurred_at")
    list_filter = (NameFilter, ("origin", ChoicesFilter), ("occurred_at", DateRangeFilter))
    search_fields = ("user_id__exact", "message_id__exact")
    search_help_text = _("A shopper's id or an event's own id, in full.")
    ordering = ("-occurred_at", "-pk")
    fields = (
        "store",
        ("name", "origin"),
        ("user_id", "anonymous"),
        "properties",
        "context",
        ("occurred_at", "received_at"),
        "message_id",
    )


# --- services that clients run --------------------------------------------------------------------------------------
class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]
    """One field for each public key of any service; those of the chosen one count."""

    kind = forms.ChoiceField(label=_("Service"), choices=providers.choices, widget=SelectWidget())

    class Meta:
        model = AnalyticsProvider
        exclude = ("credentials",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kept = self.instance.credentials if isinstance(self.instance.credentials, dict) else {}
        if not self.instance._state.adding and self.instance.kind in providers.SERVICES:
            own = {field.name for field in providers.SERVICES[self.instance.kind].fields}
            for name in {"kind", *provider_fields()} - own:
                self.fields.pop(name, None)
        for name in provider_fields():
            if name in self.fields:
                self.fields[name].initial = kept.get(name, "")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        service = providers.SERVICES.get(data.get("kind") or self.instance.kind)
        if service is None:
            return data
        found: dict[str, str] = {}
        for field in service.fields:
            value = (data.get(field.name) or "").strip()
            if not value and field.required:
                self.add_error(field.name, _("%(service)s needs this.") % {"service": service.name})
            elif value and not field.accepts(value):
                self.add_error(
                    field.name,
                    _(
                        "This is not what %(service)s calls so; it looks like %(example)s. Never enter a secret key here."
                    )
                    % {"service": service.name, "example": field.example},
                )
            elif value:
                found[field.name] = value
        self.instance.credentials = found
        return data


def provider_fields() -> dict[str, Any]:
    """The fields of all services by name, each labelled with who wants it."""
    found: dict[str, Any] = {}
    for service in providers.SERVICES.values():
        for field in service.fields:
            found[field.name] = forms.CharField(
                label=field.label,
                required=False,
                max_length=200,
                widget=TextWidget(),
                help_text=f"{service.name}: {field.example}",
            )
    return found


ProviderFormWithFields = type("ProviderFormWithFields", (ProviderForm,), provider_fields())


@site.admin_for(AnalyticsProvider)
class AnalyticsProviderAdmin(StoreModelAdmin):
    menu_order, menu_title, icon = 42, _("Analytics services"), "query_stats"
    form = ProviderFormWithFields
    list_display = ("service", "active", "created_at")
    list_filter = (("active", BooleanFilter),)
    fieldsets = (
        (None, {"fields": ("store", "kind", "active")}),
        (
            _("Public keys"),
            {
                "fields": tuple(provider_fields()),
                "description": _("Every visitor's browser reads these. Fill in those of the chosen service."),
            },
        ),
    )

    def get_fieldsets(self, request: HttpRequest, obj: AnalyticsProvider | None = None) -> Any:
        """A service that was chosen shows its own keys alone."""
        service = providers.SERVICES.get(obj.kind) if obj else None
        if service is None:
            return super().get_fieldsets(request, obj)
        keys = tuple(field.name for field in service.fields)
        return [
            (None, {"fields": ("store", "service", "active")}),
            (_("Public keys"), {"fields": keys, "description": _("Every visitor's browser reads these.")}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: AnalyticsProvider | None = None) -> Sequence[Any]:
        found = super().get_readonly_fields(request, obj)
        return [*found, "service"] if obj is not None else found

    @display(description=_("Service"), ordering="kind")
    def service(self, row: AnalyticsProvider) -> str:
        found = providers.SERVICES.get(row.kind)
        return found.name if found else row.kind


# --- forwarding -----------------------------------------------------------------------------------------------------
class SinkForm(forms.ModelForm):  # type: ignore[type-arg]
    """Secrets go in and never come out: a field left empty keeps what is stored, a single dash removes it."""

    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=lambda: [(kind, kind) for kind in sinks.kinds()],
        initial="webhook",
        widget=SelectWidget(),
    )
    url = forms.CharField(
        label=_("Address"),
        max_length=500,
        widget=TextWidget(),
        help_text=_("Such as https://api.segment.io/v1/batch. Addresses inside our own network are refused."),
    )
    names = forms.CharField(
        label=_("Events"),
        required=False,
        max_length=4000,
        widget=TextareaWidget(attrs={"rows": 4}),
        help_text=_("One name a line, such as Order Completed; empty: all of them."),
    )
    signing_secret = forms.CharField(
        label=_("Signing secret"), required=False, max_length=_LONGEST_SECRET, widget=PasswordWidget()
    )
    write_key = forms.CharField(
        label=_("Write key"), required=False, max_length=_LONGEST_SECRET, widget=PasswordWidget()
    )

    class Meta:
        model = AnalyticsSink
        fields = ("store", "name", "kind", "url", "active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["names"].initial = "\n".join(self.instance.event_names)
        for name in sinks.Webhook.secret_names:
            if self.instance.secrets.get(name):
                self.fields[name].help_text = _(
                    "Stored. Leave empty to keep it, enter a new value to replace it, or a single dash to remove it."
                )

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"].strip()
        try:
            outgoing.check_url(url)
        except outgoing.Refused as error:
            raise forms.ValidationError(
                _("This address cannot be called: %(reason)s.") % {"reason": error.reason}
            ) from error
        return url

    def clean_names(self) -> list[str]:
        names = [" ".join(line.split())[:100] for line in self.cleaned_data["names"].splitlines()]
        return list(dict.fromkeys(name for name in names if name))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        self.instance.event_names = data.get("names", [])
        found = dict(self.instance.secrets)
        for name in sinks.Webhook.secret_names:
            given = (data.get(name) or "").strip()
            if given == _REMOVE:
                found.pop(name, None)
            elif given:
                found[name] = given
        self.instance.secrets = found
        if data.get("active"):
            self.instance.paused_reason, self.instance.failing_since = "", None
        return data


@site.admin_for(AnalyticsSink)
class AnalyticsSinkAdmin(StoreModelAdmin):
    menu_order, menu_title, icon = 44, _("Event forwarding"), "outbound"
    form = SinkForm
    list_display = ("name", "kind", "url", "shown_state", "failing_since")
    list_filter = (("active", BooleanFilter),)
    search_fields = ("name", "url")
    fieldsets = (
        (None, {"fields": ("store", "name", "kind", "url", "active")}),
        (_("Which events"), {"fields": ("names",)}),
        (_("Secrets"), {"fields": ("signing_secret", "write_key")}),
        (_("State"), {"fields": ("shown_state", "paused_reason", "failing_since", "created_at")}),
    )
    readonly_fields: ClassVar[Sequence[str]] = ("shown_state", "paused_reason", "failing_since")

    @display(
        description=_("State"),
        label={_("Forwarding"): "success", _("Failing"): "warning", _("Paused"): "danger", _("Off"): "info"},
    )
    def shown_state(self, sink: AnalyticsSink) -> Any:
        if sink.active:
            return _("Failing") if sink.failing_since else _("Forwarding")
        return _("Paused") if sink.paused_reason else _("Off")


@site.admin_for(AnalyticsBatch)
class AnalyticsBatchAdmin(ReadOnlyAdmin, StoreModelAdmin):
    empty_hint = _("Events on their way to other services appear here, once a receiver is set up.")
    menu_order, icon = 45, "stacks"
    list_display = ("id", "sink", "state", "size", "attempts", "reason", "created_at", "next_attempt_at")
    list_filter = (("state", ChoicesFilter), ("sink", RelatedFilter), ("created_at", DateRangeFilter))
    search_fields = ("id",)
    ordering = ("-created_at", "-pk")
    actions = ("send_again",)
    actions_detail = ("send_this_again",)
    fields = (
        "store",
        "sink",
        "state",
        "size",
        "attempts",
        "reason",
        ("created_at", "next_attempt_at", "done_at"),
        "events",
    )

    def has_send_again_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("storefront_engagement.change_analyticsbatch"))

    @action(description=_("Send again"), permissions=["send_again"], icon="replay", variant=ActionVariant.PRIMARY)
    def send_again(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        self._again(request, list(queryset.filter(state=AnalyticsBatch.State.DEAD)[:1000]))

    @action(description=_("Send again"), url_path="send-again", permissions=["send_again"], icon="replay")
    def send_this_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        back = reverse("admin:storefront_engagement_analyticsbatch_change", args=[object_id])
        rows = list(self.get_queryset(request).filter(pk=object_id, state=AnalyticsBatch.State.DEAD))
        if request.method == "POST":
            self._again(request, rows)
            return HttpResponseRedirect(back)
        return site.confirm(
            request,
            title=_("Send this batch again"),
            text=_("Only a batch that was given up can go again. Its receiver may see some events twice."),
            button=_("Send again"),
            back=back,
        )

    def _again(self, request: HttpRequest, rows: Sequence[AnalyticsBatch]) -> None:
        for row in rows:
            row.send_again()
        if rows:
            outbox.wake(forwarding.QUEUE)
        self.tell(request, _("%(count)d batches are on their way again.") % {"count": len(rows)})
