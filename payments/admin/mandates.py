"""Mandates and their debits."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import (
    ActionVariant,
    ChoicesFilter,
    DateRangeFilter,
    ReadOnlyAdmin,
    RelatedFilter,
    StoreModelAdmin,
    StoreTabularInline,
    action,
    display,
    money,
    site,
)
from storefront.errors import DomainError

from .. import debits, mandates
from ..models import (
    Mandate,
    MandateDebit,
)
from ..states import MANDATE_STEPS, DebitStatus, MandateStatus, MandateStep

MANDATE_TONES = {
    MandateStatus.CREATED: "info",
    MandateStatus.ACTIVE: "success",
    MandateStatus.PAUSED: "warning",
    MandateStatus.REVOKED: "danger",
    MandateStatus.ERROR: "danger",
}
DEBIT_TONES = {
    DebitStatus.SCHEDULED: "info",
    DebitStatus.PENDING: "info",
    DebitStatus.SUCCESS: "success",
    DebitStatus.FAILED: "danger",
    DebitStatus.CANCELLED: "warning",
    DebitStatus.AWAITING_RETRY: "warning",
}


class DebitInline(ReadOnlyAdmin, StoreTabularInline):
    model = MandateDebit
    fields = ("order_number", "shown_amount", "status", "scheduled_at", "next_retry_at", "executed_at", "reason")
    readonly_fields = fields
    per_page = 20
    hide_title = True
    verbose_name_plural = _("Debits")

    def get_queryset(self, request: HttpRequest) -> QuerySet[MandateDebit]:
        found: QuerySet[MandateDebit] = super().get_queryset(request).select_related("store")
        return found

    @display(description=_("Amount"))
    def shown_amount(self, row: MandateDebit) -> str:
        return money(row.store, row.amount)


@site.admin_for(Mandate)
class MandateAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """Changed by steps that the provider takes first. The account is encrypted, and shown by its last characters."""

    empty_hint = _("Mandates appear here when customers let the shop collect payments.")
    menu_order, icon = 10, "assignment_turned_in"
    customer_path = "customer_id"
    personal = True
    list_display = ("__str__", "shown_status", "customer_name", "provider", "largest", "end_at", "created_at")
    list_filter = (
        ("status", ChoicesFilter),
        ("provider", RelatedFilter),
        ("created_at", DateRangeFilter),
        ("end_at", DateRangeFilter),
    )
    search_fields = ("=id", "=customer_id", "=reference")
    search_help_text = _("A whole id: of the mandate, the customer, or at the provider")
    list_select_related = ("store", "provider")
    actions = ("pause_many", "resume_many", "revoke_many")
    actions_detail = ("sync", "pause", "resume", "revoke")
    inlines = (DebitInline,)
    fieldsets = (
        (None, {"fields": ("store", "id", ("status", "reason"), "customer_name", "provider")}),
        (_("Terms"), {"fields": (("largest", "frequency"), ("start_at", "end_at"), "mandate_type")}),
        (_("Account"), {"fields": (("account", "ifsc"), ("bank_name", "bank_account_type"), "beneficiary")}),
        (
            _("At the provider"),
            {
                "fields": (
                    "reference",
                    "gateway_reference_id",
                    ("payment_method_type", "payment_method"),
                    ("block_fund", "revokable_by_customer"),
                )
            },
        ),
        (_("Times"), {"fields": (("created_at", "modified_at"), ("activated_at", "last_activated_at"))}),
    )
    readonly_fields = ("customer_name", "account", "largest")

    @display(description=_("Status"), ordering="status", label=MANDATE_TONES)
    def shown_status(self, row: Mandate) -> Any:
        return MandateStatus(row.status), MandateStatus(row.status).label

    @display(description=_("Account"))
    def account(self, row: Mandate) -> str:
        return f"••••{row.account_last4}" if row.account_last4 else "–"

    @display(description=_("Largest debit"), ordering="max_amount")
    def largest(self, row: Mandate) -> str:
        return money(row.store, row.max_amount)

    def has_step_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("storefront_payments.change_mandate"))

    def has_pause_permission(self, request: HttpRequest, object_id: str) -> bool:
        return self._fits(request, object_id, MandateStep.PAUSE)

    def has_resume_permission(self, request: HttpRequest, object_id: str) -> bool:
        return self._fits(request, object_id, MandateStep.RESUME)

    def has_revoke_permission(self, request: HttpRequest, object_id: str) -> bool:
        return self._fits(request, object_id, MandateStep.REVOKE)

    def _fits(self, request: HttpRequest, object_id: str, step: MandateStep) -> bool:
        """Whether the button makes sense now; only looked at for showing it. Pressing it asks the service."""
        if not self.has_step_permission(request):
            return False
        if request.resolver_match is None or not str(request.resolver_match.url_name).endswith("_change"):
            return True
        known: dict[str, str | None] = request.__dict__.setdefault("_mandate_status", {})
        if object_id not in known:
            known[object_id] = Mandate.objects.filter(pk=object_id).values_list("status", flat=True).first()
        return (known[object_id] or "", step) in MANDATE_STEPS

    # -- many --
    @action(description=_("Pause"), permissions=["step"])
    def pause_many(self, request: HttpRequest, queryset: QuerySet[Mandate]) -> None:
        self._many(request, queryset, MandateStep.PAUSE)

    @action(description=_("Resume"), permissions=["step"])
    def resume_many(self, request: HttpRequest, queryset: QuerySet[Mandate]) -> None:
        self._many(request, queryset, MandateStep.RESUME)

    @action(
        description=_("Revoke for good"),
        permissions=["step"],
        confirm=_("The providers are told at once, and no further debit is made. This cannot be undone."),
    )
    def revoke_many(self, request: HttpRequest, queryset: QuerySet[Mandate]) -> None:
        self._many(request, queryset, MandateStep.REVOKE)

    def _many(self, request: HttpRequest, queryset: QuerySet[Mandate], step: MandateStep) -> None:
        done = 0
        for row in queryset.select_related("store"):
            try:
                mandates.by_staff(store=row.store, mandate_id=row.pk, step=step, now=timezone.now())
            except DomainError as error:
                self.tell(request, f"{row.pk}: {error.message}", tone="warning")
            else:
                done += 1
                self.log_change(request, row, f"{step.label}")
        if done:
            self.tell(request, _("%(step)s: %(count)d done.") % {"step": step.label, "count": done})

    # -- one --
    @action(description=_("Ask the provider"), url_path="sync", permissions=["step"], icon="sync")
    def sync(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self._row(request, object_id)
        text = _("The provider is asked how the mandate stands, and its answer is written down.")
        return self._one(request, row, None, title=_("Ask the provider"), text=text)

    @action(description=_("Pause"), url_path="pause", permissions=["pause"], icon="pause")
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        text = _("No debit until it is resumed; what is scheduled is cancelled.")
        return self._one(
            request, self._row(request, object_id), MandateStep.PAUSE, title=_("Pause this mandate"), text=text
        )

    @action(description=_("Resume"), url_path="resume", permissions=["resume"], icon="play_arrow")
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        text = _("It can be debited again. What was cancelled stays cancelled.")
        return self._one(
            request, self._row(request, object_id), MandateStep.RESUME, title=_("Resume this mandate"), text=text
        )

    @action(
        description=_("Revoke"), url_path="revoke", permissions=["revoke"], icon="block", variant=ActionVariant.DANGER
    )
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        text = _("It ends for good; what is scheduled is cancelled. The customer would have to make a new one.")
        return self._one(
            request, self._row(request, object_id), MandateStep.REVOKE, title=_("Revoke this mandate"), text=text
        )

    def _row(self, request: HttpRequest, object_id: str) -> Mandate:
        row: Mandate | None = (
            self.get_queryset(request).select_related("store", "provider").filter(pk=object_id).first()
        )
        if row is None:
            raise PermissionDenied
        return row

    def _one(
        self, request: HttpRequest, row: Mandate, step: MandateStep | None, *, title: Any, text: Any
    ) -> HttpResponse:
        back = reverse("admin:storefront_payments_mandate_change", args=[row.pk])
        if request.method != "POST":
            return site.confirm(
                request, title=title, text=text, button=title, back=back, dangerous=step == MandateStep.REVOKE
            )
        try:
            if step is None:
                after = mandates.sync(store=row.store, row=row, now=timezone.now())
            else:
                after = mandates.by_staff(store=row.store, mandate_id=row.pk, step=step, now=timezone.now())
        except DomainError as error:
            self.tell(request, error.message, tone="error")
        else:
            self.log_change(request, row, str(step.label if step else title))
            told = _("The mandate is now: %(status)s.") % {"status": MandateStatus(after.status).label}
            self.tell(request, told)
        return HttpResponseRedirect(back)


@site.admin_for(MandateDebit)
class MandateDebitAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """Planned by orders; carried out by the worker."""

    empty_hint = _("Payments that are collected by mandates appear here.")
    menu_order, icon = 20, "event_repeat"
    customer_path = "customer_id"
    list_display = ("order", "shown_status", "shown_amount", "customer_name", "scheduled_at", "tries", "reason")
    list_filter = (("status", ChoicesFilter), ("scheduled_at", DateRangeFilter), ("next_retry_at", DateRangeFilter))
    search_fields = ("=id", "=order_id", "=order_number", "=customer_id", "=mandate__id")
    search_help_text = _("A whole id: of the debit, order, customer or mandate; or an order's number")
    list_select_related = ("store",)
    actions = ("retry_many", "cancel_many")
    actions_detail = ("retry",)
    fieldsets = (
        (None, {"fields": ("store", "id", ("status", "reason"), "order", "customer_name", "mandate", "shown_amount")}),
        (_("Times"), {"fields": (("scheduled_at", "picked_at"), ("next_retry_at", "executed_at"))}),
        (_("At the provider"), {"fields": ("tries", "gateway_order_id", "external_reference_id")}),
    )
    readonly_fields = ("order", "customer_name", "shown_amount", "tries")

    @display(description=_("Status"), ordering="status", label=DEBIT_TONES)
    def shown_status(self, row: MandateDebit) -> Any:
        return DebitStatus(row.status), DebitStatus(row.status).label

    @display(description=_("Order"), ordering="order_number")
    def order(self, row: MandateDebit) -> str:
        return row.order_number or row.order_id

    @display(description=_("Amount"), ordering="amount")
    def shown_amount(self, row: MandateDebit) -> str:
        return money(row.store, row.amount)

    @display(description=_("Tried again"))
    def tries(self, row: MandateDebit) -> str:
        return f"{row.retry_attempt} / {row.max_retries}"

    def has_retry_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("storefront_payments.change_mandatedebit"))

    @action(description=_("Try again now"), permissions=["retry"])
    def retry_many(self, request: HttpRequest, queryset: QuerySet[MandateDebit]) -> None:
        done = 0
        for row in queryset.select_related("store"):
            try:
                debits.retry(store=row.store, debit_id=row.pk, now=timezone.now())
            except DomainError as error:
                self.tell(request, f"{row.pk}: {error.message}", tone="warning")
            else:
                done += 1
                self.log_change(request, row, str(_("Try again now")))
        if done:
            self.tell(request, _("%(count)d debits are tried again.") % {"count": done})

    @action(
        description=_("Cancel what is not under way"),
        permissions=["retry"],
        confirm=_("Debits of the same orders that wait are given up. This cannot be undone."),
    )
    def cancel_many(self, request: HttpRequest, queryset: QuerySet[MandateDebit]) -> None:
        done = 0
        for row in queryset.select_related("store"):
            done += debits.cancel(
                store=row.store, order_id=row.order_id, reason="cancelled_by_staff", now=timezone.now()
            )
        self.tell(request, _("%(count)d debits were cancelled.") % {"count": done}, tone="success" if done else "info")

    @action(description=_("Try again now"), url_path="retry", permissions=["retry"], icon="replay")
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.get_queryset(request).select_related("store").filter(pk=object_id).first()
        if row is None:
            raise PermissionDenied
        back = reverse("admin:storefront_payments_mandatedebit_change", args=[row.pk])
        if request.method != "POST":
            return site.confirm(
                request,
                title=_("Try again now"),
                text=_("The account is debited with %(amount)s within moments.")
                % {"amount": money(row.store, row.amount)},
                button=_("Try again"),
                back=back,
            )
        try:
            debits.retry(store=row.store, debit_id=row.pk, now=timezone.now())
        except DomainError as error:
            self.tell(request, error.message, tone="error")
        else:
            self.log_change(request, row, str(_("Try again now")))
            self.tell(request, _("The debit is tried again within moments."))
        return HttpResponseRedirect(back)
