"""The back office's pages of users, their sessions, codes and security log. Nothing here shows a code or a token."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from storefront import privacy
from storefront.admin_base import (
    ActionVariant,
    CheckboxesWidget,
    ChoicesFilter,
    DateRangeFilter,
    DropdownFilter,
    ReadOnlyAdmin,
    StoreModelAdmin,
    action,
    change_link,
    display,
    masked,
    masked_column,
    site,
)
from storefront.imports import pages
from storefront.staff import trail

from . import services
from .importing import COLUMNS, CustomerImports
from .models import MEDIA, TOPICS, ConsentRecord, OtpChallenge, SecurityEvent, Session, User
from .selectors import UNCLAIMED

IMPORT_PAGES = pages.ImportPages(
    kind=CustomerImports.name,
    path="accounts/import/",
    name="accounts-import",
    title=_("Import customers"),
    heading=_("Import customers"),
    intro=_(
        "A row for each customer, found again by e-mail address or phone. Every row is checked first; nothing is written "
        "before you say so. Empty cells leave things as they are, and no contact counts as verified."
    ),
    columns=COLUMNS,
    permissions=("storefront_accounts.add_user", "storefront_accounts.change_user"),
)
STATES = {
    _("Active"): "success",
    _("Imported, nobody's yet"): "info",
    _("Deactivated"): "warning",
    _("Deleted"): "danger",
    _("Ended"): "danger",
}


class UserStateFilter(DropdownFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("active", _("Active")),
            ("unclaimed", _("Imported, nobody's yet")),
            ("deactivated", _("Deactivated")),
            ("deleted", _("Deleted")),
        ]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        wanted = {
            "active": Q(deactivated_at=None, deleted_at=None) & ~UNCLAIMED,
            "unclaimed": Q(deactivated_at=None, deleted_at=None) & UNCLAIMED,
            "deactivated": Q(deactivated_at__isnull=False, deleted_at=None),
            "deleted": Q(deleted_at__isnull=False),
        }
        return queryset.filter(wanted.get(self.value() or "", Q()))


class _Steps:
    """What the confirmation pages of this app's actions share."""

    model: Any

    def _changeable(self, request: HttpRequest, object_id: str) -> Any:
        row = self.get_queryset(request).select_related("store").filter(pk=object_id).first()  # type: ignore[attr-defined]
        if row is None or not request.user.has_perm(f"storefront_accounts.change_{self.model._meta.model_name}"):
            raise PermissionDenied
        return row

    def _back(self, row: Any) -> str:
        return reverse(f"{site.name}:storefront_accounts_{row._meta.model_name}_change", args=[row.pk])


def _switches() -> list[tuple[str, Any]]:
    topics = {"transactional": _("About orders"), "promotional": _("Offers"), "newsletter": _("Newsletter")}
    media = {"email": _("e-mail"), "sms": _("SMS"), "whatsapp": _("WhatsApp")}
    return [(f"{topic}.{medium}", f"{topics[topic]}: {media[medium]}") for topic in TOPICS for medium in MEDIA]


class UserForm(forms.ModelForm):  # type: ignore[type-arg]
    wanted = forms.MultipleChoiceField(
        label=_("Wanted messages"), choices=_switches, required=False, widget=CheckboxesWidget
    )

    class Meta:
        model = User
        fields = ("first_name", "last_name", "host_user", "metadata")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = self.instance.preferences
        self.initial["wanted"] = [f"{topic}.{medium}" for topic in TOPICS for medium in MEDIA if found[topic][medium]]

    def preferences(self) -> dict[str, dict[str, bool]]:
        wanted = self.cleaned_data["wanted"]
        return {topic: {medium: f"{topic}.{medium}" in wanted for medium in MEDIA} for topic in TOPICS}


@site.admin_for(User)
class UserAdmin(_Steps, StoreModelAdmin):
    """Accounts are made by shoppers who prove a contact, so none is added here, and none is deleted but by erasing."""

    empty_hint = _("Users appear here when shoppers register, or by an import.")
    menu_order, icon = 10, "person"
    personal = True
    form = UserForm
    list_display = (
        "name",
        masked_column("email", title=_("E-mail")),
        masked_column("phone", title=_("Phone")),
        "state",
        "last_login_at",
        "created_at",
    )
    list_filter = (
        UserStateFilter,
        "is_email_verified",
        "is_phone_verified",
        ("created_at", DateRangeFilter),
    )
    # By the beginning, so that an index can serve; a phone by its end, for staff rarely know the country code.
    search_fields = ("=id", "email__startswith", "phone__endswith", "first_name__istartswith", "last_name__istartswith")
    search_help_text = _("The beginning of a name or e-mail address, the end of a phone number, or an id.")
    ordering = ("-created_at", "-pk")
    autocomplete_fields = ("host_user",)
    actions_list = ("import_list",)
    actions_detail = ("end_sessions", "deactivate", "reactivate", "export_data", "erase")
    readonly_fields = (
        "id",
        "customer_link",
        "is_primary",
        "email",
        "is_email_verified",
        "phone",
        "is_phone_verified",
        "login_methods",
        "has_password",
        "state",
        "last_login_at",
        "deactivated_at",
        "deleted_at",
    )
    fieldsets = (
        (None, {"fields": ("store", "id", "state", ("first_name", "last_name"))}),
        (_("Contacts"), {"fields": (("email", "is_email_verified"), ("phone", "is_phone_verified"))}),
        (_("Account"), {"fields": ("customer_link", "is_primary", "host_user", "login_methods", "has_password")}),
        (_("More"), {"fields": ("wanted", "metadata")}),
        (_("Times"), {"fields": ("last_login_at", "created_at", "modified_at", "deactivated_at", "deleted_at")}),
    )

    @display(description=_("Name"), ordering="first_name")
    def name(self, user: User) -> str:
        return user.full_name or "–"

    @display(description=_("State"), label=STATES)
    def state(self, user: User) -> Any:
        if user.deleted_at:
            return _("Deleted")
        if user.deactivated_at:
            return _("Deactivated")
        return _("Imported, nobody's yet") if user.unclaimed else _("Active")

    @display(description=_("Customer"))
    def customer_link(self, user: User) -> str:
        return change_link(user.customer, user.customer_id)

    @display(description=_("Has a password"), boolean=True)
    def has_password(self, user: User) -> bool:
        return bool(user.password)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is written into an erased row. Actions ask with an id in place of the row."""
        erased = isinstance(obj, User) and obj.deleted_at is not None
        return bool(super().has_change_permission(request, obj)) and not erased

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Only what staff may change, so that a contact verified meanwhile is not written back."""
        own = [name for name in form.changed_data if name not in {"store", "wanted"}]
        obj.save(update_fields=[*own, "modified_at"])
        if "wanted" in form.changed_data:
            services.set_preferences(
                store=obj.store, user_id=obj.pk, preferences=form.preferences(), source=ConsentRecord.Source.ADMIN
            )

    @action(description=_("Import"), url_path="import-list", icon="upload_file", permissions=["import"])
    def import_list(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:accounts-import"))

    def has_import_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return IMPORT_PAGES.allowed(request)

    @action(description=_("End all sessions"), url_path="end-sessions", icon="logout", permissions=["change"])
    def end_sessions(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self._changeable(request, object_id)
        if request.method == "POST":
            with transaction.atomic():
                count = services.end_sessions_of(store=user.store, user_id=user.pk, now=timezone.now())
                self.log_change(request, user, "Ended all sessions", action=trail.Action.END_SESSION)
            told = ngettext("%(count)d session has ended.", "%(count)d sessions have ended.", count)
            self.tell(request, told % {"count": count})
            return HttpResponseRedirect(self._back(user))
        return site.confirm(
            request,
            title=_("End all sessions"),
            text=_("%(name)s has to log in again on every device.") % {"name": user},
            button=_("End them"),
            back=self._back(user),
        )

    @action(
        description=_("Deactivate"),
        url_path="deactivate",
        icon="person_off",
        permissions=["change"],
        variant=ActionVariant.WARNING,
    )
    def deactivate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self._changeable(request, object_id)
        if request.method == "POST":
            with transaction.atomic():
                services.deactivate(store=user.store, user_id=user.pk, now=timezone.now())
                self.log_change(request, user, "Deactivated")
            self.tell(request, _("The account is deactivated."))
            return HttpResponseRedirect(self._back(user))
        return site.confirm(
            request,
            title=_("Deactivate this account"),
            text=_("%(name)s is logged out everywhere and cannot log in until staff reopen the account.")
            % {"name": user},
            button=_("Deactivate"),
            back=self._back(user),
            dangerous=True,
        )

    @action(description=_("Reactivate"), url_path="reactivate", icon="person_check", permissions=["change"])
    def reactivate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self._changeable(request, object_id)
        if request.method == "POST":
            with transaction.atomic():
                services.reactivate(store=user.store, user_id=user.pk, now=timezone.now())
                self.log_change(request, user, "Reactivated")
            self.tell(request, _("The account is open again."))
            return HttpResponseRedirect(self._back(user))
        return site.confirm(
            request,
            title=_("Reactivate this account"),
            text=_("%(name)s can log in again; ended sessions stay ended.") % {"name": user},
            button=_("Reactivate"),
            back=self._back(user),
        )

    @action(description=_("Export all data"), url_path="export-data", icon="download", permissions=["export"])
    def export_data(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self.get_queryset(request).select_related("store").filter(pk=object_id).first()
        if user is None or not self.has_export_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self.export_people(request, user, [privacy.Person(user.pk, user.customer_id)])
        return site.confirm(
            request,
            title=_("Export all data"),
            text=_("One file with all that is kept about %(name)s. Hand it to nobody else; the export is written down.")
            % {"name": user},
            button=_("Download"),
            back=self._back(user),
        )

    def has_export_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("storefront_accounts.export_user"))

    @action(
        description=_("Erase"),
        url_path="erase",
        icon="delete_forever",
        permissions=["erase"],
        variant=ActionVariant.DANGER,
    )
    def erase(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self._changeable(request, object_id)
        if not self.has_erase_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            with transaction.atomic():
                services.erase(store=user.store, user_id=user.pk, now=timezone.now())
                self.log_change(request, user, "Erased", action=trail.Action.ERASE)
            self.tell(request, _("The person is erased; the empty account stays for the orders that name it."))
            return HttpResponseRedirect(self._back(user))
        whom = _("%(name)s and every other user of this customer") if user.is_primary else _("%(name)s")
        return site.confirm(
            request,
            title=_("Erase this person"),
            text=_("Personal data of %(whom)s is removed for good.") % {"whom": whom % {"name": user}},
            button=_("Erase for good"),
            back=self._back(user),
            dangerous=True,
        )

    def has_erase_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("storefront_accounts.delete_user"))


class SessionStateFilter(DropdownFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("live", _("Live")), ("over", _("Over"))]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        live = Q(ended_at=None, expires_at__gt=timezone.now())
        return queryset.filter({"live": live, "over": ~live}.get(self.value() or "", Q()))


@site.admin_for(Session)
class SessionAdmin(_Steps, ReadOnlyAdmin, StoreModelAdmin):
    empty_hint = _("Log-ins of shoppers appear here.")
    menu_order, icon = 20, "devices"
    personal = True
    list_display = ("user", "method", "place", "state", "last_used_at", "created_at")
    list_filter = (SessionStateFilter, ("end_reason", ChoicesFilter), ("created_at", DateRangeFilter))
    list_select_related = ("user",)
    search_fields = ("=id", "=user__id", "user__email__startswith", "user__phone__endswith")
    ordering = ("-created_at", "-pk")
    actions = ("end_selected",)
    actions_detail = ("end",)
    fields = (
        "store", "id", "user", "method", "place", "anonymous_id", "state", "created_at", "last_used_at", "expires_at",
        "ended_at", "end_reason",
    )  # fmt: skip
    readonly_fields = ("place", "state")

    @display(description=_("Place of sale"))
    def place(self, session: Session) -> str:
        return str(session.channel.get("name", "–"))

    @display(description=_("State"), label={_("Live"): "success", _("Ended"): "danger", _("Expired"): "warning"})
    def state(self, session: Session) -> Any:
        if session.ended_at:
            return _("Ended")
        return _("Live") if session.expires_at > timezone.now() else _("Expired")

    def has_end_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("storefront_accounts.change_session"))

    @action(
        description=_("End the selected sessions"),
        permissions=["end"],
        confirm=_("Whoever uses them is signed out at once and has to log in again."),
    )
    def end_selected(self, request: HttpRequest, queryset: models.QuerySet[Session]) -> None:
        rows = list(queryset.select_related("store", "user")[:500])
        for session in rows:
            with transaction.atomic():
                services.end_session(store=session.store, session_id=session.pk, now=timezone.now())
                self.log_change(request, session, "Ended", action=trail.Action.END_SESSION)
        told = ngettext("%(count)d session has ended.", "%(count)d sessions have ended.", len(rows))
        self.tell(request, told % {"count": len(rows)})

    @action(description=_("End"), url_path="end", icon="logout", permissions=["end"], variant=ActionVariant.WARNING)
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        session = self._changeable(request, object_id)
        if request.method == "POST":
            with transaction.atomic():
                services.end_session(store=session.store, session_id=session.pk, now=timezone.now())
                self.log_change(request, session, "Ended", action=trail.Action.END_SESSION)
            self.tell(request, _("The session has ended."))
            return HttpResponseRedirect(self._back(session))
        return site.confirm(
            request,
            title=_("End this session"),
            text=_("The shopper has to log in again on that device."),
            button=_("End it"),
            back=self._back(session),
        )


@site.admin_for(OtpChallenge)
class OtpChallengeAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """Which codes went out and what became of them. The codes themselves are nowhere to be seen."""

    empty_hint = _("One-time codes appear here when shoppers ask for one.")
    menu_order, icon = 30, "pin"
    list_display = ("action", "channel", "to", "state", "tries", "created_at")
    list_filter = (("action", ChoicesFilter), ("channel", ChoicesFilter), ("created_at", DateRangeFilter))
    search_fields = ("=id", "=user_id")
    ordering = ("-created_at", "-pk")
    fields = (
        "store", "id", "action", "channel", "to", "user_id", "state", "tries", "digits", "key_id", "created_at",
        "expires_at", "consumed_at", "voided_at",
    )  # fmt: skip
    readonly_fields = ("to", "state")

    @display(description=_("To"))
    def to(self, challenge: OtpChallenge) -> str:
        return masked(challenge.contact)

    @display(
        description=_("State"),
        label={_("Waiting"): "info", _("Used"): "success", _("Over"): "warning", _("No account"): "danger"},
    )
    def state(self, challenge: OtpChallenge) -> Any:
        if challenge.decoy:
            return _("No account")
        if challenge.consumed_at:
            return _("Used")
        return _("Over") if challenge.voided_at or challenge.expires_at <= timezone.now() else _("Waiting")


@site.admin_for(SecurityEvent)
class SecurityEventAdmin(ReadOnlyAdmin, StoreModelAdmin):
    empty_hint = _("Log-ins, failures and changes of passwords and contacts appear here.")
    menu_order, icon = 40, "shield"
    list_display = ("kind", "user_id", "session_id", "created_at")
    list_filter = (("kind", ChoicesFilter), ("created_at", DateRangeFilter))
    search_fields = ("=user_id", "=session_id")
    ordering = ("-created_at", "-pk")
    fields = ("store", "kind", "user_id", "session_id", "details", "created_at")


pages.register(IMPORT_PAGES)
