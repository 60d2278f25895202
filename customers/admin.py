"""Customers as staff see them: who buys at which prices. Their people are users, on pages of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront import privacy, provided
from storefront.admin_base import (
    ActionVariant,
    DateRangeFilter,
    DropdownFilter,
    RelatedFilter,
    StoreModelAdmin,
    TextareaWidget,
    TextWidget,
    action,
    display,
    site,
)
from storefront.contacts import parse_email, parse_phone
from storefront.errors import DomainError, NotFound
from storefront.models import CustomerGroup, Store
from storefront.staff import trail

from . import exporting, invitations, merging, owned_admin, services
from .models import Customer

__all__ = ["CustomerAdmin", "owned_admin"]


class KindFilter(DropdownFilter):
    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("person", _("Private person")),
            ("business", _("Business")),
            ("merged", _("Merged")),
            ("erased", _("Erased")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        wanted: dict[str, dict[str, Any]] = {
            "person": {"business__isnull": True, "erased_at": None},
            "business": {"business__isnull": False},
            "merged": {"merged_into__gt": ""},
            "erased": {"erased_at__isnull": False, "merged_into": ""},
        }
        return queryset.filter(**wanted.get(self.value() or "", {}))


class CustomerForm(forms.ModelForm):  # type: ignore[type-arg]
    business_name = forms.CharField(
        label=_("Name of the business"),
        max_length=160,
        required=False,
        widget=TextWidget(),
        help_text=_("Empty for a private person."),
    )
    business_type = forms.CharField(
        label=_("Kind of business"), max_length=60, required=False, widget=TextWidget(), help_text=_("Such as company.")
    )

    class Meta:
        model = Customer
        fields = ("group", "metadata")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance.business or {}
        self.initial.update(business_name=stored.get("name", ""), business_type=stored.get("type", ""))
        if "group" in self.fields and self.instance.store_id:
            groups = CustomerGroup.objects.filter(store_id=self.instance.store_id).order_by("name")
            self.fields["group"].queryset = groups  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("business_type") and not data.get("business_name"):
            self.add_error("business_name", _("Enter the name too."))
        return data

    def business(self) -> dict[str, Any] | None:
        """What to store; what the client added beside name and kind stays."""
        name = self.cleaned_data["business_name"].strip()
        if not name:
            return None
        kept = self.instance.business or {"metadata": {}}
        return {**kept, "name": name, "type": self.cleaned_data["business_type"].strip()}


class NoteForm(forms.Form):
    text = forms.CharField(label=_("Note"), max_length=4000, widget=TextareaWidget())


class MergeSearchForm(forms.Form):
    who = forms.CharField(label=_("The customer who stays"), max_length=254, widget=TextWidget())


class MergeForm(forms.Form):
    target = forms.ChoiceField(label=_("The customer who stays"), widget=forms.RadioSelect())
    keep_business_of_source = forms.BooleanField(required=False)

    def __init__(self, *args: Any, source: Customer, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["target"].choices = choices  # type: ignore[attr-defined]
        if len(choices) == 1:
            self.initial.setdefault("target", choices[0][0])
        if not source.business:
            del self.fields["keep_business_of_source"]
            return
        told = _("Where both are businesses, keep %(business)s instead of the other one's")
        self.fields["keep_business_of_source"].label = told % {"business": source.business.get("name") or "–"}


class InvitationForm(forms.Form):
    contact = forms.CharField(label=_("E-mail address or phone"), max_length=254, widget=TextWidget())

    def __init__(self, *args: Any, store: Store, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._store = store

    def clean_contact(self) -> str:
        text = str(self.cleaned_data["contact"])
        try:
            return parse_email(text) if "@" in text else parse_phone(store=self._store, phone=text).e164
        except DomainError as error:
            raise forms.ValidationError(str(error.message)) from error


@site.admin_for(Customer)
class CustomerAdmin(StoreModelAdmin):
    """A customer comes with the first user who registers and goes by erasing that user."""

    empty_hint = _("Customers appear here when shoppers register or order; import them at Users.")
    menu_order, icon = 15, "contacts"
    personal = True
    form = CustomerForm
    customer_path = "pk"
    list_display = ("label", "kind", "group", "created_at")
    list_filter = (KindFilter, ("group", RelatedFilter), ("created_at", DateRangeFilter))
    search_fields = ("=id",)
    search_help_text = _(
        "The beginning of a name, a business's name or an e-mail address, the end of a phone number, or a whole id."
    )
    ordering = ("-created_at", "-pk")
    fieldsets = (
        (None, {"fields": ("store", "label", "id", "group")}),
        (_("Business"), {"fields": ("business_name", "business_type", ("pan_number", "gstin"), "registered_address")}),
        (_("More"), {"fields": ("metadata", ("created_at", "modified_at"), "erased_at", "merged_into")}),
    )
    readonly_fields = ("label", "id", "pan_number", "gstin", "registered_address", "erased_at", "merged_into")
    actions_list = ("export_list",)
    actions_detail = (
        "note",
        "invite",
        {"title": _("More"), "icon": "more_horiz", "items": ["export_data", "merge", "erase"]},
    )

    @action(description=_("Invite a user"), url_path="invite", icon="person_add", permissions=["change"])
    def invite(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row, back = self._allowed(request, object_id, self.has_change_permission(request))
        if not self.has_change_permission(request, row):
            raise PermissionDenied  # an erased one
        form = InvitationForm(request.POST or None, store=row.store)

        def save() -> None:
            invitations.invite(
                store=row.store,
                customer_id=row.pk,
                contact=form.cleaned_data["contact"],
                invited_by=request.user.get_username(),
                now=timezone.now(),
            )

        return self._ask(
            request,
            row,
            form,
            save,
            log="Invited a user",
            done=_("The invitation is on its way."),
            title=_("Invite a user"),
            text=_("Who proves this contact buys for the same customer, with its addresses and prices."),
            button=_("Invite"),
            back=back,
        )

    def introduce(self, request: HttpRequest, rows: Sequence[Customer]) -> None:
        """Titles of pages name people too."""
        super().introduce(request, rows)
        for row in rows:
            row.called = self.known_as(row)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By the customer's users too, whom the app with the accounts knows. Still one query."""
        text = search_term.strip()
        if not text:
            return queryset, False
        found = Q(pk=text) | Q(business__isnull=False, business__name__istartswith=text)
        users = provided.ask("customer_ids_of_people", default=None, text=text)
        return queryset.filter(found if users is None else found | Q(pk__in=users)), False

    @action(description=_("Export"), url_path="export-list", icon="download", permissions=["export"])
    def export_list(self, request: HttpRequest) -> HttpResponseBase:
        return exporting.lead(request)

    def has_note_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("storefront_customers.add_customernote"))

    @action(description=_("Add a note"), url_path="note", icon="sticky_note_2", permissions=["note"])
    def note(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row, back = self._allowed(request, object_id, self.has_note_permission(request))
        form = NoteForm(request.POST or None)

        def save() -> None:
            author = request.user.get_username()
            services.add_note(store=row.store, customer_id=row.pk, text=form.cleaned_data["text"], author=author)

        return self._ask(
            request,
            row,
            form,
            save,
            log="Added a note",
            done=_("The note is kept."),
            title=_("Add a note"),
            text=_("Notes cannot be changed later. The customer gets them with an export of all data."),
            button=_("Keep it"),
            back=back,
        )

    def _ask(
        self,
        request: HttpRequest,
        row: Customer,
        form: Any,
        save: Callable[[], None],
        *,
        log: str,
        done: Any,
        **page: Any,
    ) -> HttpResponse:
        """The page with the form; once it is filled in, saves in one transaction with the log and says what came of it."""
        if request.method != "POST" or not form.is_valid():
            return site.confirm(request, form=form, **page)
        try:
            with transaction.atomic():
                save()
                self.log_change(request, row, log)
        except DomainError as error:
            self.tell(request, error.message, tone="error")
        else:
            self.tell(request, done)
        return HttpResponseRedirect(page["back"])

    def _people(self, row: Customer) -> list[privacy.Person]:
        """The customer's users, the primary one first; the customer itself while it has none."""
        try:
            return privacy.find(store=row.store, who=row.pk)
        except NotFound:
            return [privacy.Person(row.pk, row.pk)]

    def _allowed(self, request: HttpRequest, object_id: str, allowed: bool) -> tuple[Customer, str]:
        row = self.get_object(request, object_id)
        if row is None or not allowed:
            raise PermissionDenied
        return row, reverse(f"{site.name}:storefront_customers_customer_change", args=[row.pk])

    def has_export_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("storefront_customers.export_customer"))

    def has_erase_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("storefront_customers.delete_customer"))

    @action(description=_("Export all data"), url_path="export-data", icon="download", permissions=["export"])
    def export_data(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row, back = self._allowed(request, object_id, self.has_export_permission(request))
        if request.method == "POST":
            return self.export_people(request, row, self._people(row))
        return site.confirm(
            request,
            title=_("Export all data"),
            text=_("One file with all that is kept about this customer and its users. The export is written down."),
            button=_("Download"),
            back=back,
        )

    def has_merge_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(
            self.has_erase_permission(request) and request.user.has_perm("storefront_customers.change_customer")
        )

    @action(description=_("Merge into another"), url_path="merge", icon="merge", permissions=["merge"])
    def merge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """First whom to look for, then one of those found, with what would move."""
        row, back = self._allowed(request, object_id, self.has_merge_permission(request))
        if not self.has_change_permission(request, row):
            raise PermissionDenied  # an erased one
        search = MergeSearchForm(request.POST if "who" in request.POST or "target" not in request.POST else None)
        if request.method == "POST" and "target" in request.POST:
            choices = self._merge_choices(request, row, request.POST["target"])
            chosen = MergeForm(request.POST, source=row, choices=choices)
            if chosen.is_valid():
                return self._merge(request, row, chosen.cleaned_data, back)
        elif request.method == "POST" and search.is_valid():
            choices = self._merge_choices(request, row, search.cleaned_data["who"])
            if choices:
                return self._ask_merge(request, row, MergeForm(source=row, choices=choices), back)
            search.add_error("who", _("Nobody else was found in this store."))
        return site.confirm(
            request,
            title=_("Merge into another"),
            text=_("Name the customer who stays: the beginning of a name or e-mail address, or a whole id."),
            button=_("Search"),
            back=back,
            form=search if request.method == "POST" else MergeSearchForm(),
        )

    def _merge_choices(self, request: HttpRequest, row: Customer, text: str) -> list[tuple[str, str]]:
        """Up to 20 live customers of the row's store, with the names of their people; two queries."""
        rows = Customer.objects.filter(store=row.store, erased_at=None).exclude(pk=row.pk)
        if not row.is_guest:
            rows = rows.filter(is_guest=False)
        found = (
            list(self.get_search_results(request, rows, text)[0].order_by("-created_at", "-pk")[:20]) if text else []
        )
        ids = [other.pk for other in found]
        people = provided.ask("people_of_customers", default={}, store=row.store, customer_ids=ids)
        named = [(other, people.get(other.pk, ("", "", ""))[0]) for other in found]
        return [
            (other.pk, " · ".join(part for part in dict.fromkeys((str(other), name, other.pk)) if part))
            for other, name in named
        ]

    def _ask_merge(self, request: HttpRequest, row: Customer, form: forms.Form, back: str) -> HttpResponse:
        moving = merging.preview(store=row.store, source_id=row.pk)
        listed = ", ".join(f"{what}: {count}" for what, count in moving.items()) or _("nothing")
        return site.confirm(
            request,
            title=_("Merge %(customer)s into another") % {"customer": self.label(row)},
            text=_("This cannot be undone. What moves: %(listed)s. This customer's users are logged out.")
            % {"listed": listed},
            button=_("Merge for good"),
            back=back,
            form=form,
            dangerous=True,
        )

    def _merge(self, request: HttpRequest, row: Customer, chosen: dict[str, Any], back: str) -> HttpResponse:
        name, target_id = request.user.get_username(), chosen.pop("target")
        try:
            with transaction.atomic():
                done = merging.merge_customers(
                    store=row.store, source_id=row.pk, target_id=target_id, made_by=name, **chosen
                )
                if done:
                    target = Customer.objects.get(store=row.store, pk=target_id)
                    self.log_change(request, row, f"Merged into {target_id}")
                    self.log_change(request, target, f"Took over {row.pk}")
        except DomainError as error:
            self.tell(request, error.message, tone="error")
            return HttpResponseRedirect(back)
        self.tell(request, _("The customers are one now."))
        return HttpResponseRedirect(reverse(f"{site.name}:storefront_customers_customer_change", args=[target_id]))

    @action(
        description=_("Erase"),
        url_path="erase",
        icon="delete_forever",
        permissions=["erase"],
        variant=ActionVariant.DANGER,
    )
    def erase(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row, back = self._allowed(request, object_id, self.has_erase_permission(request))
        if request.method == "POST":
            with transaction.atomic():
                privacy.erase(store=row.store, person=self._people(row)[0], now=timezone.now())
                self.log_change(request, row, "Erased", action=trail.Action.ERASE)
            self.tell(request, _("The customer is erased; the empty row stays for the orders that name it."))
            return HttpResponseRedirect(back)
        return site.confirm(
            request,
            title=_("Erase this customer"),
            text=_("Personal data of the customer and all its users is removed for good."),
            button=_("Erase for good"),
            back=back,
            dangerous=True,
        )

    @display(description=_("Customer"))
    def label(self, customer: Customer) -> str:
        return str(customer)

    @display(description=_("PAN"))
    def pan_number(self, customer: Customer) -> str:
        return str((customer.business or {}).get("pan_number") or "–")

    @display(description=_("GSTIN"))
    def gstin(self, customer: Customer) -> str:
        return str((customer.business or {}).get("gstin") or "–")

    @display(description=_("Registered address"))
    def registered_address(self, customer: Customer) -> str:
        address = (customer.business or {}).get("registered_address") or {}
        names = ("address_line1", "address_line2", "landmark", "city", "pincode", "state", "country")
        return ", ".join(address[name] for name in names if address.get(name)) or "–"

    @display(description=_("Kind"), label={_("Business"): "info", _("Erased"): "danger"})
    def kind(self, customer: Customer) -> Any:
        if customer.merged_into:
            return _("Merged")
        if customer.erased_at:
            return _("Erased")
        return _("Business") if customer.business else _("Private person")

    def get_autocomplete_fields(self, request: HttpRequest) -> Any:
        return []  # the groups of one store are few, and a select can keep to them

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is written into an erased row. Actions ask with an id in place of the row."""
        erased = isinstance(obj, Customer) and obj.erased_at is not None
        return bool(super().has_change_permission(request, obj)) and not erased

    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:
        if {"business_name", "business_type"} & set(form.changed_data):
            services.set_business(store=obj.store, customer_id=obj.pk, business=form.business())
        if "group" in form.changed_data:
            services.set_group(store=obj.store, customer_id=obj.pk, group=obj.group)
        if "metadata" in form.changed_data:
            obj.save(update_fields=["metadata", "modified_at"])
