"""Pages of what customers own and of how a shop sorts them: addresses, documents, bank accounts, sellers, segments."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.enums import ActionVariant

from storefront.admin_base import (
    BooleanFilter,
    ChoicesFilter,
    DateRangeFilter,
    ReadOnlyAdmin,
    RelatedFilter,
    SelectWidget,
    StoreModelAdmin,
    StoreTabularInline,
    TextareaWidget,
    action,
    change_link,
    display,
    masked_column,
    site,
)
from storefront.errors import DomainError
from storefront.staff import trail

from . import invitations, selectors
from .bank.services import masked
from .kyc import services as kyc
from .kyc.links import link
from .models import (
    Address,
    AuthorizedSeller,
    BankAccount,
    Document,
    DocumentEvent,
    Invitation,
    KycDocumentType,
    Segment,
    SegmentMember,
    Seller,
)

SHOWN_IN_SEGMENT = 10


def _address(row: Any) -> str:
    return reverse(f"{site.name}:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


@site.admin_for(Address)
class AddressAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """The customer's own to write."""

    empty_hint = _("Addresses appear here when customers enter them.")
    menu_order, icon = 20, "home_pin"
    personal = True
    customer_path = "customer_id"
    list_display = (
        "label",
        "customer_name",
        "city",
        "state",
        "is_default_billing",
        "is_default_shipping",
        "created_at",
    )
    list_filter = (("is_default_shipping", BooleanFilter), ("created_at", DateRangeFilter))
    search_fields = ("=customer__id", "=pincode", "=phone", "=email")
    search_help_text = _("A customer's whole id, a postal code, phone or e-mail address")
    ordering = ("-created_at", "-pk")
    fieldsets = (
        (None, {"fields": ("store", "customer_name", "nickname", ("is_default_billing", "is_default_shipping"))}),
        (
            _("Address"),
            {
                "fields": (
                    ("first_name", "last_name"),
                    "business_name",
                    "address_line1",
                    "address_line2",
                    "landmark",
                    ("pincode", "city"),
                    ("state", "country"),
                    "tax_identification_number",
                )
            },
        ),
        (_("Contact"), {"fields": (("country_code", "phone"), "email")}),
        (_("Times"), {"fields": (("created_at", "modified_at"), "last_used_at")}),
    )
    readonly_fields = ("customer_name",)

    @display(description=_("Address"))
    def label(self, row: Address) -> str:
        return str(row)


@site.admin_for(KycDocumentType)
class KycDocumentTypeAdmin(StoreModelAdmin):
    menu_order, icon = 40, "badge"
    list_display = ("title", "kind", "verification", "is_mandatory", "is_attachment_required", "active")
    list_filter = (("kind", ChoicesFilter), ("active", BooleanFilter))
    search_fields = ("title",)
    fieldsets = (
        (None, {"fields": ("store", "title", "description", "kind", "active", "sort_order")}),
        (_("Rules"), {"fields": ("is_mandatory", "is_attachment_required", "verification", "valid_days")}),
    )


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"), max_length=300, widget=TextareaWidget, help_text=_("The customer reads it.")
    )


@site.admin_for(Document)
class DocumentAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """The queue of documents: look at the file, approve, or reject with a reason."""

    empty_hint = _("Documents that customers hand in wait here for a decision.")
    menu_order, icon = 30, "description"
    personal = True
    customer_path = "customer_id"
    list_display = ("type", "customer_name", "number_hint", "state", "has_file", "expires_at", "created_at")
    list_filter = (("status", ChoicesFilter), ("type", RelatedFilter), ("created_at", DateRangeFilter))
    search_fields = ("=customer__id", "=id")
    search_help_text = _("The whole id of a customer or document")
    ordering = ("-created_at", "-pk")
    actions = ("approve",)
    actions_list = ("review",)
    actions_detail = ("download", "approve_one", "reject_one")
    fieldsets = (
        (None, {"fields": ("type", "customer_name", "number", "note", "state", "shown_file")}),
        (_("Decision"), {"fields": ("is_automatic", "verified_at", "expires_at", "modified_reason")}),
        (_("Record"), {"fields": (("created_by", "modified_by"), "history", ("created_at", "modified_at"))}),
    )
    readonly_fields = ("customer_name", "number", "state", "shown_file", "history")

    @display(
        description=_("State"),
        ordering="status",
        label={
            Document.Status.SUBMITTED.label: "warning",
            Document.Status.APPROVED.label: "success",
            Document.Status.REJECTED.label: "danger",
            Document.Status.EXPIRED.label: "info",
        },
    )
    def state(self, row: Document) -> Any:
        return (Document.Status.EXPIRED if row.expired(timezone.now()) else Document.Status(row.status)).label

    @display(description=_("File"), boolean=True)
    def has_file(self, row: Document) -> bool:
        return bool(row.file)

    @display(description=_("Number"))
    def number(self, row: Document) -> str:
        return row.number

    @display(description=_("File"))
    def shown_file(self, row: Document) -> Any:
        return f"{row.file_type}, {filesizeformat(row.file_size)}" if row.file else "–"

    @display(description=_("History"))
    def history(self, row: Document) -> Any:
        events = DocumentEvent.objects.filter(store_id=row.store_id, document_id=row.pk)
        lines = [
            f"{date_format(timezone.localtime(event.created_at), 'DATETIME_FORMAT')}: "
            f"{event.get_kind_display()}{': ' if event.reason else ''}{event.reason}"
            for event in events
        ]
        return "\n".join(lines) or "–"

    def has_judge_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("storefront_customers.change_document"))

    @action(description=_("Review the queue"), url_path="review", icon="playlist_play", permissions=["judge"])
    def review(self, request: HttpRequest) -> HttpResponse:
        """To the submitted document that has waited longest."""
        return self._next(request)

    def _next(self, request: HttpRequest, store_id: str | None = None) -> HttpResponse:
        waiting = Document.objects.filter(status=Document.Status.SUBMITTED)
        if store_id is not None:
            waiting = waiting.filter(store_id=store_id)
        row = waiting.order_by("created_at", "pk").first()
        if row is not None:
            self.tell(request, _("This is the one that has waited longest."), tone="info")
            return HttpResponseRedirect(_address(row))
        self.tell(request, _("No document waits for a decision."), tone="info")
        return HttpResponseRedirect(reverse(f"{site.name}:storefront_customers_document_changelist"))

    @action(description=_("Download"), url_path="download", icon="download", permissions=["view"])
    def download(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None or not self.has_view_permission(request, row):
            raise PermissionDenied
        if not row.file:
            self.tell(request, _("This document came without a file."), tone="warning")
            return HttpResponseRedirect(_address(row))
        trail.viewed(request=request, row=row, fields=["file"])
        return HttpResponseRedirect(link(row, request))

    @action(description=_("Approve"), permissions=["judge"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        done = sum(self._approve(request, row) for row in queryset.select_related("store"))
        told = ngettext("%(count)d document is approved.", "%(count)d documents are approved.", done)
        self.tell(request, told % {"count": done}, tone="success" if done else "warning")

    def _approve(self, request: HttpRequest, row: Document) -> bool:
        try:
            with transaction.atomic():
                kyc.approve(store=row.store, document_id=row.pk, by=request.user.get_username(), now=timezone.now())
                self.log_change(request, row, "Approved")
        except DomainError:  # one that was decided already stays as it is
            return False
        return True

    @action(description=_("Approve"), url_path="approve", icon="check", permissions=["judge"])
    def approve_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self._judged(request, object_id)
        if request.method == "POST":
            if self._approve(request, row):
                self.tell(request, _("%(document)s is approved.") % {"document": row})
                return self._next(request, row.store_id)
            self.tell(request, _("Only submitted documents can be approved."), tone="error")
            return HttpResponseRedirect(_address(row))
        return site.confirm(
            request,
            title=_("Approve this document"),
            text=_("%(document)s counts as proved from now on.") % {"document": row},
            button=_("Approve"),
            back=_address(row),
        )

    @action(
        description=_("Reject"), url_path="reject", icon="close", permissions=["judge"], variant=ActionVariant.WARNING
    )
    def reject_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self._judged(request, object_id)
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            reason, by = form.cleaned_data["reason"], request.user.get_username()
            try:
                with transaction.atomic():
                    kyc.reject(store=row.store, document_id=row.pk, by=by, reason=reason, now=timezone.now())
                    self.log_change(request, row, "Rejected")
            except DomainError:
                self.tell(request, _("This document is rejected or expired already."), tone="error")
            else:
                self.tell(request, _("%(document)s is rejected.") % {"document": row})
                return self._next(request, row.store_id)
            return HttpResponseRedirect(_address(row))
        return site.confirm(
            request,
            title=_("Reject this document"),
            text=_("The customer can send it again."),
            button=_("Reject"),
            back=_address(row),
            form=form,
            dangerous=True,
        )

    def _judged(self, request: HttpRequest, object_id: str) -> Document:
        row = self.get_object(request, object_id)
        if row is None or not self.has_judge_permission(request):
            raise PermissionDenied
        return row  # type: ignore[no-any-return]


@site.admin_for(BankAccount)
class BankAccountAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """The customer's own to write; nobody sees a whole number."""

    empty_hint = _("Bank accounts appear here when customers enter them.")
    menu_order, icon = 35, "account_balance"
    personal = True
    customer_path = "customer_id"
    list_display = ("bank_name", "customer_name", "shown_number", "type", "check_state", "is_default", "created_at")
    list_filter = (("type", ChoicesFilter), ("check_state", ChoicesFilter), ("created_at", DateRangeFilter))
    search_fields = ("=customer__id", "=ifsc_code", "=last4")
    search_help_text = _("A customer's whole id, an IFSC, or the last four digits")
    ordering = ("-created_at", "-pk")
    fields = (
        "customer_name", "type", "account_name", "shown_number", "ifsc_code", "bank_name", "provider", "is_default",
        "check_state", "verified_at", "created_at", "modified_at",
    )  # fmt: skip
    readonly_fields = ("customer_name", "shown_number")

    @display(description=_("Number"), ordering="last4")
    def shown_number(self, row: BankAccount) -> str:
        return masked(row)


class AuthorizedSellerInline(StoreTabularInline):
    model = AuthorizedSeller
    fields = ("customer",)
    ordering = ("-pk",)
    per_page = 25
    verbose_name_plural = _("Customers to whom they may sell")


@site.admin_for(Seller)
class SellerAdmin(StoreModelAdmin):
    menu_order, icon = 60, "storefront"
    list_display = ("trade_name", "legal_name", "business_type", "active", "created_at")
    list_filter = (("active", BooleanFilter),)
    search_fields = ("trade_name", "legal_name", "=tax_identification_number")
    ordering = ("trade_name", "pk")
    fields = ("store", "trade_name", "legal_name", "business_type", "tax_identification_number", "active", "created_at")
    inlines = (AuthorizedSellerInline,)


class SegmentMemberInline(StoreTabularInline):
    """Members are added by a search and taken out; those that are there are shown, for a field each asks for its own."""

    model = SegmentMember
    fields = ("customer",)
    ordering = ("-pk",)
    per_page = 25

    def get_queryset(self, request: HttpRequest) -> QuerySet[SegmentMember]:
        rows: QuerySet[SegmentMember] = super().get_queryset(request)
        return rows.select_related("customer")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class SegmentForm(forms.ModelForm):  # type: ignore[type-arg]
    is_business = forms.TypedChoiceField(
        label=_("Businesses"),
        choices=[("", _("Either")), ("True", _("Only businesses")), ("False", _("Only private persons"))],
        coerce=lambda text: text == "True",
        empty_value=None,
        required=False,
        widget=SelectWidget,
    )

    class Meta:
        model = Segment
        fields = (
            "name", "description", "kind", "group", "registered_from", "registered_until", "is_business", "has_document",
        )  # fmt: skip


@site.admin_for(Segment)
class SegmentAdmin(StoreModelAdmin):
    form = SegmentForm
    menu_order, icon = 50, "groups"
    list_display = ("name", "kind", "member_count", "description", "created_at")
    list_filter = (("kind", ChoicesFilter),)
    search_fields = ("name", "description")
    ordering = ("name", "pk")
    fieldsets = (
        (None, {"fields": ("store", "name", "description", "kind")}),
        (
            _("Conditions"),
            {
                "fields": ("group", "registered_from", "registered_until", "is_business", "has_document"),
                "description": _("For a segment by conditions: all that are given must apply."),
            },
        ),
        (_("Record"), {"fields": ("who_is_in_it", "created_at")}),
    )
    readonly_fields = ("who_is_in_it",)
    inlines = (SegmentMemberInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        rows: QuerySet[Segment] = super().get_queryset(request)
        return rows.annotate(named=Count("members"))

    @display(description=_("Who is in it"))
    def who_is_in_it(self, row: Segment) -> Any:
        """How many at this moment, by the conditions as they are saved, and the newest of them; two queries."""
        if row._state.adding:
            return "–"
        found = selectors.customers_of_segment(segment=row)
        count = found.count()
        told = ngettext("%(count)d customer", "%(count)d customers", count) % {"count": count}
        links = format_html_join(", ", "{}", ((change_link(customer),) for customer in found[:SHOWN_IN_SEGMENT]))
        return format_html("{}{}{}", told, ": " if count else "", links)

    @display(description=_("Members by hand"), ordering="named")
    def member_count(self, row: Any) -> Any:
        return row.named if row.kind == Segment.Kind.MANUAL else "–"


@site.admin_for(Invitation)
class InvitationAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """Sent from a customer's page."""

    empty_hint = _("Invitations to a customer's account appear here.")
    menu_order, icon = 45, "forward_to_inbox"
    personal = True
    customer_path = "customer_id"
    list_display = (masked_column("contact", title=_("Contact")), "customer_name", "state", "expires_at", "created_at")
    list_filter = (("state", ChoicesFilter), ("created_at", DateRangeFilter))
    search_fields = ("=customer__id", "=contact")
    search_help_text = _("A customer's whole id, or a whole contact")
    ordering = ("-created_at", "-pk")
    actions = ("withdraw",)
    readonly_fields = ("customer_name",)
    fields = (
        "customer_name",
        "contact",
        "state",
        "invited_by",
        "accepted_user_id",
        "expires_at",
        "accepted_at",
        "created_at",
    )

    def has_withdraw_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("storefront_customers.change_invitation"))

    @action(
        description=_("Withdraw"),
        permissions=["withdraw"],
        confirm=_("The links in these invitations end at once. This cannot be undone."),
    )
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        done = 0
        for row in queryset.select_related("store").filter(state=Invitation.State.OPEN):
            with transaction.atomic():
                invitations.withdraw(store=row.store, customer_id=row.customer_id, invitation_id=row.pk)
                self.log_change(request, row, "Withdrawn")
            done += 1
        told = ngettext("%(count)d invitation is withdrawn.", "%(count)d invitations are withdrawn.", done)
        self.tell(request, told % {"count": done})
