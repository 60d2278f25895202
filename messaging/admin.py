"""Messages, whom they go through, how they are worded; and the sandbox inbox."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import get_language_info
from django.utils.translation import gettext_lazy as _

from storefront import outgoing
from storefront.admin_base import (
    ActionVariant,
    BooleanFilter,
    ChoicesFilter,
    DateRangeFilter,
    DropdownFilter,
    ReadOnlyAdmin,
    SelectWidget,
    StoreModelAdmin,
    StoreTabularInline,
    TextareaWidget,
    TextWidget,
    action,
    credential_fields,
    display,
    masked_column,
    site,
)
from storefront.conf import conf
from storefront.contacts import parse_email, parse_phone
from storefront.errors import Invalid
from storefront.models import Store

from . import drivers, rendering, selectors, services, wording
from .models import (
    ChannelName,
    Message,
    MessageAttempt,
    MessageTemplate,
    ProviderAccount,
    Status,
    UnreachableAddress,
)

_REMOVE = "-"
_STATUS_TONES = {
    Status.QUEUED: "info",
    Status.SENT: "success",
    Status.DELIVERED: "success",
    Status.FAILED: "danger",
}


# --- messages -------------------------------------------------------------------------------------------------------
class StatusFilter(DropdownFilter):
    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(status.value, status.label) for status in Status]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        states = Message.State
        wanted: dict[str, dict[str, Any]] = {
            Status.QUEUED: {"state": states.PENDING},
            Status.FAILED: {"state": states.DEAD},
            Status.SENT: {"state": states.DONE, "delivered_at": None},
            Status.DELIVERED: {"state": states.DONE, "delivered_at__isnull": False},
        }
        return queryset.filter(**wanted.get(self.value() or "", {}))


class AttemptInline(ReadOnlyAdmin, StoreTabularInline):
    model = MessageAttempt
    fields = ("number", "channel", "driver", "account", "outcome", "reason", "provider_message_id", "finished_at")
    readonly_fields = fields
    show_change_link = False
    verbose_name_plural = _("Attempts")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        found: models.QuerySet[Any] = super().get_queryset(request).select_related("account")
        return found


@site.admin_for(UnreachableAddress)
class UnreachableAddressAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """Addresses are kept as hashes, so one is searched for in full."""

    empty_hint = _("Addresses that a provider calls unreachable appear here, and get no messages.")
    menu_order, icon = 14, "unsubscribe"
    personal = True
    list_display = ("shown", "channel", "reason", "created_at")
    list_filter = (("channel", ChoicesFilter), ("created_at", DateRangeFilter))
    search_fields = ("reason",)
    search_help_text = _("An e-mail address in full, or a reason.")
    ordering = ("-created_at", "-pk")
    actions = ("lift",)
    fields = ("store", "channel", "shown", "reason", "created_at")

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        if "@" not in search_term:
            found: tuple[models.QuerySet[Any], bool] = super().get_search_results(request, queryset, search_term)
            return found
        wanted = models.Q(pk__in=[])
        for store in Store.objects.only("pk"):
            for channel in ChannelName.values:
                hashes = selectors.address_hashes(store=store, channel=channel, address=search_term)
                wanted |= models.Q(store=store, channel=channel, address_hash__in=hashes)
        return queryset.filter(wanted), False

    def has_lift_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("storefront_messaging.change_unreachableaddress")

    @action(description=_("Reachable again"), permissions=["lift"], icon="mark_email_read")
    def lift(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        rows = list(queryset)
        for row in rows:
            self.log_change(request, row, str(_("Reachable again")))
        UnreachableAddress.objects.filter(pk__in=[row.pk for row in rows]).delete()
        self.tell(
            request,
            _("%(count)d addresses are reachable again. The newsletter keeps its own list.") % {"count": len(rows)},
        )


@site.admin_for(Message)
class MessageAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """What went out to whom. A text is never kept, so it cannot be shown here."""

    empty_hint = _("Every message to a shopper appears here, with what became of it.")
    menu_order, icon = 10, "mail"
    personal = True
    list_display = (
        masked_column("to", title=_("To")),
        "shown_status",
        "shown_channel",
        "template",
        "attempts",
        "reason",
        "created_at",
        "sent_at",
    )
    list_filter = (
        StatusFilter,
        ("current_channel", ChoicesFilter),
        ("category", ChoicesFilter),
        ("created_at", DateRangeFilter),
    )
    search_fields = ("to__istartswith", "id", "provider_message_id")
    search_help_text = _("Beginning of a phone number (+91…) or e-mail address, a message's id, a provider's id.")
    ordering = ("-created_at", "-pk")
    inlines = (AttemptInline,)
    actions = ("send_again",)
    actions_detail = ("send_this_again",)
    fieldsets = (
        (None, {"fields": ("store", "to", "shown_status", "reason", ("template", "language"), "category", "values")}),
        (
            _("Route"),
            {
                "fields": (
                    ("channel", "current_channel"),
                    ("provider", "account"),
                    "provider_message_id",
                    "alternatives",
                )
            },
        ),
        (
            _("Times"),
            {"fields": (("created_at", "expires_at"), ("sent_at", "delivered_at"), ("attempts", "next_attempt_at"))},
        ),
    )
    readonly_fields = ("shown_status", "attempts", "next_attempt_at", "reason", "created_at")

    @display(
        description=_("Status"),
        label={str(status.label): tone for status, tone in _STATUS_TONES.items()},
        ordering="state",
    )
    def shown_status(self, message: Message) -> str:
        return str(message.status.label)

    @display(description=_("Channel"), ordering="current_channel")
    def shown_channel(self, message: Message) -> str:
        if message.channel == message.current_channel:
            return message.get_current_channel_display()
        return f"{message.get_channel_display()} → {message.get_current_channel_display()}"

    def has_send_again_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("storefront_messaging.change_message")

    @action(description=_("Send again"), permissions=["send_again"], icon="replay", variant=ActionVariant.PRIMARY)
    def send_again(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        self._send_again(request, list(queryset.values_list("pk", flat=True)))

    @action(description=_("Send again"), url_path="send-again", permissions=["send_again"], icon="replay")
    def send_this_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.get_queryset(request).filter(pk=object_id).exists():
            raise PermissionDenied
        back = reverse("admin:storefront_messaging_message_change", args=[object_id])
        if request.method == "POST":
            self._send_again(request, [object_id])
            return HttpResponseRedirect(back)
        return site.confirm(
            request,
            title=_("Send again"),
            text=_("Only a message that was given up and is still valid can go again."),
            button=_("Send again"),
            back=back,
        )

    def _send_again(self, request: HttpRequest, ids: Sequence[str]) -> None:
        sent = services.send_again(ids=ids)
        if sent:
            self.tell(request, _("%(count)d messages are on their way again.") % {"count": sent})
        if sent < len(ids):
            text = _("%(count)d were passed over: only messages that were given up and are still valid can go again.")
            self.tell(request, text % {"count": len(ids) - sent}, tone="warning")


# --- provider accounts ----------------------------------------------------------------------------------------------
class AccountForm(forms.ModelForm):  # type: ignore[type-arg]
    """Credentials go in and never come out: a field left empty keeps what is stored."""

    driver = forms.ChoiceField(label=_("Driver"), widget=SelectWidget())
    driver_name: ClassVar[str] = ""
    credential_fields: ClassVar[tuple[str, ...]] = ()

    class Meta:
        model = ProviderAccount
        exclude = ("credentials",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "driver" in self.fields:
            self.fields["driver"].choices = driver_choices()  # type: ignore[attr-defined]
        for name in self.credential_fields:
            if self.instance.credentials.get(name):
                self.fields[f"credential_{name}"].help_text = _(
                    "Stored. Leave empty to keep it, enter a new value to replace it, or a single dash to remove it."
                )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        options = data.get("options")
        if options is None:
            data["options"] = options = {}
        if not isinstance(options, dict):
            self.add_error("options", _("Use a JSON object."))
            return data
        self._check_addresses(options)
        code = data.get("driver") or self.driver_name
        channel = data.get("channel") or self.instance.channel
        try:
            made = drivers.driver_class(code)
        except (LookupError, ImportError):
            self.add_error("driver" if "driver" in self.fields else None, _("There is no such driver."))
            return data
        if channel and channel not in made.channels:
            names = ", ".join(str(ChannelName(name).label) for name in made.channels)
            self.add_error("channel", _("This driver serves: %(names)s.") % {"names": names})
        self.instance.credentials = self._credentials(data)
        if self.credential_fields and not self.errors:
            self._try(code, data)
        return data

    def _credentials(self, data: dict[str, Any]) -> dict[str, Any]:
        found = dict(self.instance.credentials)
        for name in self.credential_fields:
            given = (data.get(f"credential_{name}") or "").strip()
            if given == _REMOVE:
                found.pop(name, None)
            elif given:
                found[name] = given
        return found

    def _check_addresses(self, options: dict[str, Any]) -> None:
        """New addresses that staff type in must not lead into our own network. In development, stubs listen there."""
        for name in ("base_url", "proxy"):
            address = options.get(name)
            if settings.DEBUG or not address or address == (self.instance.options or {}).get(name):
                continue
            try:
                parsed = outgoing.check_url(str(address))
                outgoing.checked_addresses(parsed.host, parsed.port or 443)
            except outgoing.Refused as error:
                text = _("The address %(name)s cannot be called: %(reason)s.")
                self.add_error("options", text % {"name": name, "reason": error.reason})
            except outgoing.Unreachable:  # for now; each message says so, too
                continue

    def _try(self, code: str, data: dict[str, Any]) -> None:
        """A driver that cannot be made now would fail with every message."""
        try:
            drivers.build(code, sender=data.get("sender", ""), **(data["options"] | self.instance.credentials))
        except (TypeError, ValueError) as error:
            name = re.search(r"'(\w+)'", str(error))
            text = _("The driver does not work with these settings; look at %(name)s.")
            self.add_error(None, text % {"name": name[1] if name else _("its options")})


def driver_choices() -> list[tuple[str, str]]:
    return [(code, code) for code in sorted(drivers.known())]


def _account_form(code: str) -> type[AccountForm]:
    """The form with the credential fields of one driver."""
    try:
        names = tuple(getattr(drivers.driver_class(code), "credential_names", ()))
    except (LookupError, ImportError):
        names = ()
    return type(
        "AccountForm",
        (AccountForm,),
        {
            **credential_fields(names),
            "driver": None,
            "driver_name": code,
            "credential_fields": names,
            "__module__": __name__,
        },
    )


class TestSendForm(forms.Form):
    to = forms.CharField(
        label=_("To"),
        max_length=254,
        widget=TextWidget(),
        help_text=_("A phone number or an e-mail address of your own."),
    )

    def __init__(self, *args: Any, account: ProviderAccount, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._account = account

    def clean_to(self) -> str:
        given = self.cleaned_data["to"]
        try:
            if self._account.channel == ChannelName.EMAIL:
                return parse_email(given)
            return parse_phone(store=self._account.store, phone=given).e164
        except Invalid as error:
            raise forms.ValidationError(str(error.message)) from error


@site.admin_for(ProviderAccount)
class ProviderAccountAdmin(StoreModelAdmin):
    menu_order, icon = 30, "cell_tower"
    list_display = ("name", "channel", "driver", "sender", "priority", "active", "daily_budget")
    list_filter = (("channel", ChoicesFilter), ("active", BooleanFilter))
    search_fields = ("name", "driver", "sender")
    actions_detail = ("test_send",)
    add_fieldsets = ((None, {"fields": ("store", "name", "channel", "driver"), "description": _("More comes next.")}),)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = _account_form(obj.driver) if obj else AccountForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: ProviderAccount | None = None) -> Any:
        if obj is None:
            return super().get_fieldsets(request, obj)
        form = _account_form(obj.driver)
        known = _known_options(obj.driver)
        sets: list[Any] = [
            (None, {"fields": ("store", "name", ("channel", "driver"), "sender", "active")}),
            (_("Choice"), {"fields": (("priority", "daily_budget"),)}),
        ]
        names = tuple(f"credential_{name}" for name in form.credential_fields)
        if names:
            text = _("Encrypted in the database, and never shown again.")
            sets.append((_("Credentials"), {"fields": names, "description": text}))
        told = _("This driver knows: %(names)s.") % {"names": ", ".join(known)} if known else ""
        sets.append((_("Options"), {"fields": ("options",), "description": told}))
        sets.append((_("Reports"), {"fields": ("report_address",)}))
        return sets

    def get_readonly_fields(self, request: HttpRequest, obj: ProviderAccount | None = None) -> Sequence[Any]:
        found = [*super().get_readonly_fields(request, obj), "report_address"]
        return [*found, "channel", "driver"] if obj is not None else found

    @display(description=_("Address for the provider's reports"))
    def report_address(self, account: ProviderAccount) -> str:
        if not account.pk or account.driver in ("email", "console", "sandbox"):
            return "–"
        return selectors.callback_address(account) or str(_("Set PUBLIC_URL to receive reports."))

    def response_add(self, request: HttpRequest, obj: ProviderAccount, post_url_continue: str | None = None) -> Any:
        """On to the page that asks for what this driver needs."""
        self.tell(request, _("Now enter the credentials that %(driver)s needs.") % {"driver": obj.driver}, tone="info")
        return HttpResponseRedirect(reverse("admin:storefront_messaging_provideraccount_change", args=[obj.pk]))

    def delete_model(self, request: HttpRequest, obj: ProviderAccount) -> None:
        super().delete_model(request, obj)
        selectors.forget()

    def has_test_send_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("storefront_messaging.change_provideraccount")

    @action(description=_("Send a test"), url_path="test", permissions=["test_send"], icon="send")
    def test_send(self, request: HttpRequest, object_id: str) -> HttpResponse:
        account = self.get_queryset(request).select_related("store").filter(pk=object_id).first()
        if account is None:
            raise PermissionDenied
        back = reverse("admin:storefront_messaging_provideraccount_change", args=[account.pk])
        form = TestSendForm(request.POST or None, account=account)
        if request.method == "POST" and form.is_valid():
            outcome = services.send_test(account=account, to=form.cleaned_data["to"])
            if outcome.accepted:
                self.tell(request, _("The provider accepted the message as %(id)s.") % {"id": outcome.detail})
            else:
                text = _("The provider did not accept the message: %(reason)s.")
                self.tell(request, text % {"reason": outcome.detail}, tone="error")
            return HttpResponseRedirect(back)
        return site.confirm(
            request,
            title=_("Send a test message"),
            text=_("A short text goes out through %(account)s at once. It may cost what any message costs.")
            % {"account": account},
            button=_("Send"),
            back=back,
            form=form,
        )


def _known_options(code: str) -> tuple[str, ...]:
    try:
        return tuple(getattr(drivers.driver_class(code), "option_names", ()))
    except (LookupError, ImportError):
        return ()


# --- templates ------------------------------------------------------------------------------------------------------
def language_choices() -> list[tuple[str, str]]:
    return [(code, get_language_info(code)["name_translated"]) for code, _name in settings.LANGUAGES]


def template_choices() -> list[tuple[str, str]]:
    return [(code, code.replace("_", " ").capitalize()) for code in wording.codes()]


class TemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    code = forms.ChoiceField(label=_("Template"), choices=template_choices, widget=SelectWidget())
    language = forms.ChoiceField(label=_("Language"), choices=language_choices, widget=SelectWidget())

    class Meta:
        model = MessageTemplate
        fields = "__all__"
        widgets: ClassVar[Any] = {
            "text": TextareaWidget(attrs={"rows": 5}),
            "html": TextareaWidget(attrs={"rows": 8}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, empty in (("variables", list), ("provider_options", dict)):
            if name in self.fields:
                self.fields[name].required = False
                self.fields[name].empty_value = empty  # type: ignore[attr-defined]

    def clean_variables(self) -> Any:
        return self.cleaned_data["variables"] or []

    def clean_provider_options(self) -> Any:
        return self.cleaned_data["provider_options"] or {}


@site.admin_for(MessageTemplate)
class MessageTemplateAdmin(StoreModelAdmin):
    menu_order, icon = 20, "edit_note"
    form = TemplateForm
    list_display = ("code", "channel", "language", "beginning", "active", "modified_at")
    list_filter = (("channel", ChoicesFilter), ("active", BooleanFilter))
    search_fields = ("code", "text", "provider_template")
    actions_detail = ("preview",)
    actions_list = ("built_in",)
    fieldsets = (
        (None, {"fields": ("store", "code", ("channel", "language"), "active")}),
        (_("Words"), {"fields": ("subject", "text", "html")}),
        (_("At the provider"), {"fields": ("provider_template", "variables", "provider_options")}),
    )

    @display(description=_("Text"))
    def beginning(self, row: MessageTemplate) -> str:
        return row.text if len(row.text) <= 60 else f"{row.text[:60]}…"

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Starts from the built-in words of the template that the address names."""
        given: dict[str, Any] = super().get_changeform_initial_data(request)
        found = wording.definition(str(given.get("code", "")))
        if found is None:
            return given
        words = found.wording.get(str(given.get("language", "en"))) or found.wording["en"]
        is_email = given.get("channel") == ChannelName.EMAIL
        own = {"text": words.text, "subject": words.subject if is_email else "", "variables": list(found.variables)}
        return {**own, **given}

    @action(description=_("Preview"), url_path="preview", permissions=["view"], icon="visibility")
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.get_queryset(request).select_related("store").filter(pk=object_id).first()
        if row is None:
            raise PermissionDenied
        return site.render(
            request,
            "messaging/preview.html",
            {
                "row": row,
                "shown": rendering.preview(row, store=row.store),
                "back": reverse("admin:storefront_messaging_messagetemplate_change", args=[row.pk]),
            },
            title=_("Preview"),
        )

    @action(description=_("Built-in words"), url_path="built-in", permissions=["view"], icon="menu_book")
    def built_in(self, request: HttpRequest) -> HttpResponse:
        add = reverse("admin:storefront_messaging_messagetemplate_add")
        rows = [
            {
                "code": code,
                "language": language,
                "subject": words.subject,
                "text": words.text,
                "size": rendering.sms_size(rendering.fill(words.text, found.samples)),
                "add": [
                    (ChannelName(channel).label, f"{add}?code={code}&language={language}&channel={channel}")
                    for channel in ChannelName.values
                ],
            }
            for code in wording.codes()
            if (found := wording.definition(code))
            for language, words in sorted(found.wording.items())
        ]
        may_add = self.has_add_permission(request)
        return site.render(
            request, "messaging/built_in.html", {"rows": rows, "may_add": may_add}, title=_("Built-in words")
        )


# --- the sandbox inbox ----------------------------------------------------------------------------------------------
INBOX_MESSAGES = 40


def inbox(request: HttpRequest) -> HttpResponse:
    """A store's latest messages as phones would show them, codes included. Only where debugging is allowed.

    `part=1` answers the messages alone, for the page to renew itself.
    """
    allowed = conf().SANDBOX_INBOX and settings.DEBUG
    stores = list(Store.objects.filter(debug_mode=True).order_by("name")) if allowed else []
    asked = request.GET.get("store", "")
    store = next((found for found in stores if found.pk == asked), stores[0] if stores else None)
    context = {
        "allowed": allowed,
        "stores": stores,
        "store": store,
        "people": _people(store) if store else [],
        "here": reverse("admin:messaging_inbox"),
    }
    if request.GET.get("part"):
        response: HttpResponse = site.render(request, "messaging/inbox_people.html", context, title="")
    else:
        response = site.render(request, "messaging/inbox.html", context, title=_("Sandbox inbox"))
    response["Cache-Control"] = "no-store"
    return response


def _people(store: Store) -> list[dict[str, Any]]:
    """The latest messages by person, those with news first, each person's newest message first."""
    people: dict[str, list[dict[str, Any]]] = {}
    for shown in selectors.inbox(store=store, count=INBOX_MESSAGES):
        people.setdefault(shown["to"], []).append(shown)
    return [{"to": to, "messages": found} for to, found in people.items()]


site.page(
    "messages/inbox/",
    inbox,
    _("Sandbox inbox"),
    "smartphone",
    "storefront_messaging.view_message",
    name="messaging_inbox",
    menu="messages" if conf().SANDBOX_INBOX else "",
    order=5,
)
