"""Credit lines with their ledgers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import ExpressionWrapper, F, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from storefront.admin_base import (
    BooleanFilter,
    DropdownFilter,
    ReadOnlyAdmin,
    StoreModelAdmin,
    StoreTabularInline,
    TextWidget,
    action,
    display,
    money,
    site,
)
from storefront.errors import DomainError

from .. import credit
from ..models import (
    CreditEntry,
    CreditLine,
    amount_field,
)


class EntryInline(ReadOnlyAdmin, StoreTabularInline):
    model = CreditEntry
    fields = ("created_at", "kind", "change", "owed", "limit", "order_id", "reason", "staff_name")
    readonly_fields = fields
    per_page = 20
    hide_title = True
    show_change_link = False
    verbose_name_plural = _("Ledger")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditEntry]:
        found: QuerySet[CreditEntry] = super().get_queryset(request).select_related("store")
        return found

    @display(description=_("Change"))
    def change(self, row: CreditEntry) -> str:
        return money(row.store, row.amount)

    @display(description=_("Owed afterwards"))
    def owed(self, row: CreditEntry) -> str:
        return money(row.store, row.utilised_after)

    @display(description=_("Limit"))
    def limit(self, row: CreditEntry) -> str:
        return money(row.store, row.limit_after)


class LeftFilter(DropdownFilter):
    title = _("what is left")
    parameter_name = "left"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("none", _("Used up")), ("owing", _("Something is owed")), ("waiting", _("Without a limit"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "none":
                return queryset.filter(total_credit_limit__lte=F("utilised") + F("held"))
            case "owing":
                return queryset.filter(utilised__gt=0)
            case "waiting":
                return queryset.filter(total_credit_limit=None)
        return queryset


class LimitsForm(forms.Form):
    total_credit_limit = forms.DecimalField(
        label=_("Credit limit"), min_value=0, max_digits=14, decimal_places=3, widget=TextWidget()
    )
    mandate_per_order_limit = forms.DecimalField(
        label=_("Limit of one order"),
        min_value=0,
        max_digits=14,
        decimal_places=3,
        widget=TextWidget(),
        help_text=_("What one debit of a mandate may take; at least the credit limit."),
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, widget=TextWidget())


class AdjustForm(forms.Form):
    amount = forms.DecimalField(
        label=_("Change of what is owed"),
        max_digits=14,
        decimal_places=3,
        widget=TextWidget(),
        help_text=_("Such as -500 when the customer paid in another way."),
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, widget=TextWidget())


class CreditLineForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = CreditLine
        fields = ("store", "customer_id", "is_eligible")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        customer_id = data.get("customer_id")
        store_id = data["store"].pk if data.get("store") else self.instance.store_id
        if self.instance._state.adding and customer_id and store_id:
            customer = Customer.objects.filter(store=store_id, pk=customer_id, erased_at=None)
            if not customer.exists():
                self.add_error("customer_id", _("This store has no such customer."))
        return data


@site.admin_for(CreditLine)
class CreditLineAdmin(StoreModelAdmin):
    """Limits and what is owed change by actions that ask for a reason, and leave an entry in the ledger."""

    menu_order, icon = 30, "credit_score"
    customer_path = "customer_id"
    form = CreditLineForm
    list_display = ("customer", "is_eligible", "limit", "owed", "on_hold", "left", "modified_at")
    list_display_links = ("customer",)
    list_filter = (("is_eligible", BooleanFilter), LeftFilter)
    search_fields = ("=customer_id", "=id")
    search_help_text = _("A whole customer's id")
    list_select_related = ("store",)
    actions_detail = ("set_limits", "adjust")
    inlines = (EntryInline,)
    add_fieldsets = ((None, {"fields": ("store", "customer_id", "is_eligible")}),)
    fieldsets = (
        (None, {"fields": ("store", "customer_name", "is_eligible")}),
        (_("Amounts"), {"fields": (("limit", "per_order"), ("owed", "on_hold", "left"))}),
        (_("Times"), {"fields": (("created_at", "modified_at"),)}),
    )
    readonly_fields = ("customer_name", "limit", "per_order", "owed", "on_hold", "left")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditLine]:
        found: QuerySet[CreditLine] = super().get_queryset(request)
        return found.annotate(
            left_value=ExpressionWrapper(
                F("total_credit_limit") - F("utilised") - F("held"), output_field=amount_field()
            )
        )

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj is not None else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=_("Customer"))
    def customer(self, row: CreditLine) -> str:
        return self.known_as(row)

    @display(description=_("Limit"), ordering="total_credit_limit")
    def limit(self, row: CreditLine) -> str:
        return money(row.store, row.total_credit_limit)

    @display(description=_("Limit of one order"))
    def per_order(self, row: CreditLine) -> str:
        return money(row.store, row.mandate_per_order_limit)

    @display(description=_("Owed"), ordering="utilised")
    def owed(self, row: CreditLine) -> str:
        return money(row.store, row.utilised)

    @display(description=_("Held"), ordering="held")
    def on_hold(self, row: CreditLine) -> str:
        return money(row.store, row.held)

    @display(description=_("Left"), ordering="left_value")
    def left(self, row: CreditLine) -> str:
        return money(row.store, row.balance if row.provisioned else None)

    def has_amounts_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("storefront_payments.change_creditline"))

    @action(description=_("Set limits"), url_path="limits", permissions=["amounts"], icon="tune")
    def set_limits(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self._row(request, object_id)
        initial = {name: getattr(row, name) for name in ("total_credit_limit", "mandate_per_order_limit")}
        text = _("%(customer)s owes %(owed)s, and %(held)s are held for orders.") % {
            "customer": self.known_as(row),
            "owed": money(row.store, row.utilised),
            "held": money(row.store, row.held),
        }
        return self._with_form(
            request, row, LimitsForm, credit.set_limits, title=_("Set limits"), text=text, initial=initial
        )

    @action(description=_("Correct what is owed"), url_path="adjust", permissions=["amounts"], icon="edit_note")
    def adjust(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self._row(request, object_id)
        text = _("%(owed)s are owed now. The change and its reason stay in the ledger.") % {
            "owed": money(row.store, row.utilised)
        }
        return self._with_form(request, row, AdjustForm, credit.adjust, title=_("Correct what is owed"), text=text)

    def _row(self, request: HttpRequest, object_id: str) -> CreditLine:
        row: CreditLine | None = self.get_object(request, object_id)
        if row is None:
            raise PermissionDenied
        return row

    def _with_form(
        self,
        request: HttpRequest,
        row: CreditLine,
        form_class: type[forms.Form],
        service: Any,
        *,
        title: Any,
        text: Any,
        initial: dict[str, Any] | None = None,
    ) -> HttpResponse:
        back = reverse("admin:storefront_payments_creditline_change", args=[row.pk])
        form = form_class(request.POST or None, initial=initial)
        if request.method == "POST" and form.is_valid():
            try:
                service(store=row.store, line_id=row.pk, staff_name=request.user.get_username(), **form.cleaned_data)
            except DomainError as error:
                field = next(iter(error.errors), None)
                form.add_error(field if field in form.fields else None, str(error.message))
            else:
                self.log_change(request, row, f"{title}: {form.cleaned_data['reason']}")
                self.tell(request, _("The credit line was changed."))
                return HttpResponseRedirect(back)
        return site.confirm(request, title=title, text=text, button=_("Save"), back=back, form=form)
