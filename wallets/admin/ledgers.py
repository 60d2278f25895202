"""Store credit, and the entries of every account."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import (
    ChoicesFilter,
    DateRangeFilter,
    DropdownFilter,
    ReadOnlyAdmin,
    StoreModelAdmin,
    action,
    change_link,
    display,
    money,
    site,
)
from storefront.errors import DomainError
from storefront.models import Store

from ..models import Account, CreditAccount, Entry, GiftCard, Member
from ..services import credit
from .common import MENU, CreditForm, end_of_day, shown
from .loyalty import adjust_points


@site.admin_for(CreditAccount)
class CreditAccountAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """Customers get their account with the first grant, from their own page."""

    empty_hint = _("Customers appear here once they have store credit; give it on a customer's page.")
    menu, menu_order, icon = MENU, 40, "account_balance_wallet"
    customer_path = "customer_id"
    list_display = ("label", "shown_balance", "shown_held", "created_at")
    list_select_related = ("store",)
    list_filter = (("created_at", DateRangeFilter),)
    search_fields = ("=customer_id",)
    search_help_text = _("A customer's whole id. People are found under Users.")
    ordering = ("-created_at", "-pk")
    fields = ("store", "customer_name", ("shown_balance", "shown_held"), "created_at")
    readonly_fields = ("customer_name", "shown_balance", "shown_held")
    actions_detail = ("adjust",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request).filter(kind=Account.Kind.CREDIT)
        return found

    @display(description=_("Customer"), ordering="customer_id")
    def label(self, account: CreditAccount) -> Any:
        return self.known_as(account)

    @display(description=_("Balance"), ordering="balance")
    def shown_balance(self, account: CreditAccount) -> str:
        return money(account.store, account.balance)

    @display(description=_("Held"), ordering="held")
    def shown_held(self, account: CreditAccount) -> str:
        return money(account.store, account.held)

    def has_adjust_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("storefront_wallets.change_creditaccount")

    @action(description=_("Grant or adjust"), url_path="adjust", permissions=["adjust"], icon="exposure")
    def adjust(self, request: HttpRequest, object_id: str) -> HttpResponse:
        account = self.get_queryset(request).select_related("store").filter(pk=object_id).first()
        if account is None:
            raise PermissionDenied
        back = reverse("admin:storefront_wallets_creditaccount_change", args=[account.pk])
        return adjust_credit(request, store=account.store, customer_id=account.customer_id, back=back)


def adjust_credit(request: HttpRequest, *, store: Store, customer_id: str, back: str) -> HttpResponse:
    form = CreditForm(request.POST or None, store=store)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        facts = {"store": store, "customer_id": customer_id, "amount": data["amount"], "owner": data["act"]}
        staff = request.user.get_username()
        try:
            if data["amount"] > 0:
                expires_at = end_of_day(data["expires_on"], store)
                credit.grant(**facts, expires_at=expires_at, remarks=data["reason"], made_by=staff)
            else:
                credit.adjust(**facts, reason=data["reason"], made_by=staff)
            return HttpResponseRedirect(back)
        except DomainError as error:
            form.add_error("amount", str(error.message))
    return site.confirm(
        request,
        title=_("Store credit"),
        text=_("An entry in the ledger, with your name. What is held for orders cannot be taken away."),
        button=_("Save"),
        back=back,
        form=form,
    )


# --- entries --------------------------------------------------------------------------------------------------------
class AccountFilter(DropdownFilter):
    title = _("account")
    parameter_name = "kind_of_account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(kind.value, kind.label) for kind in Account.Kind]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(account__kind=self.value()) if self.value() in Account.Kind.values else queryset


@site.admin_for(Entry)
class EntryAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """Nothing here can be changed: what was wrong is put right by a further entry."""

    empty_hint = _("Every change of points, credit and gift cards appears here.")
    menu, menu_order, icon = MENU, 70, "receipt_long"
    list_display = (
        "created_at",
        "whose",
        "shown_kind",
        "shown_amount",
        "reference",
        "remarks",
        "made_by",
        "expires_at",
    )
    list_display_links = ("created_at",)
    customer_path = "account.customer_id"
    list_select_related = ("account", "store")
    list_filter = (AccountFilter, ("kind", ChoicesFilter), ("created_at", DateRangeFilter))
    search_fields = ("=reference", "=owner", "=account__customer_id", "=account__id")
    search_help_text = _("A whole order number, or the id of a customer, an account or an act.")
    ordering = ("-created_at", "-pk")
    fieldsets = (
        (None, {"fields": ("store", "whose", ("shown_kind", "shown_amount", "shown_remaining"), "expires_at")}),
        (_("Why"), {"fields": (("owner", "source"), ("reference", "made_by"), "remarks", "created_at")}),
    )
    readonly_fields = ("whose", "shown_kind", "shown_amount", "shown_remaining", "created_at")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        allowed: bool = super().lookup_allowed(lookup, value, request)
        return lookup in {"account__id__exact", "account__exact"} or allowed

    @display(description=_("Account"))
    def whose(self, entry: Entry) -> Any:
        return account_link(entry.account, self.known_as(entry))

    @display(description=_("What"), ordering="kind")
    def shown_kind(self, entry: Entry) -> str:
        return entry.get_kind_display()

    @display(description=_("Amount"), ordering="amount")
    def shown_amount(self, entry: Entry) -> str:
        return shown(entry.store, entry.account.kind, entry.amount)

    @display(description=_("Left of it"))
    def shown_remaining(self, entry: Entry) -> str:
        return shown(entry.store, entry.account.kind, entry.remaining)


def account_link(account: Account, name: str) -> Any:
    """The page of an account, with what it is and whose; no query."""
    text = f"{account.get_kind_display()} {name}".strip()
    pages: dict[str, Any] = {
        Account.Kind.POINTS: Member(pk=account.pk),
        Account.Kind.CREDIT: CreditAccount(pk=account.pk),
        Account.Kind.GIFT_CARD: GiftCard(pk=account.pk),
    }
    return change_link(pages[account.kind], text)


# --- from a customer's page -----------------------------------------------------------------------------------------
def _credit_page(request: HttpRequest, store_id: str, customer_id: str) -> HttpResponse:
    return adjust_credit(request, **_of(store_id, customer_id))


def _points_page(request: HttpRequest, store_id: str, customer_id: str) -> HttpResponse:
    return adjust_points(request, **_of(store_id, customer_id))


def _of(store_id: str, customer_id: str) -> dict[str, Any]:
    """Raises Http404 for a customer that the store does not have; a grant would open an account for nobody."""
    if not apps.is_installed("customers"):
        raise Http404
    from customers.models import Customer

    store = Store.objects.filter(pk=store_id).first()
    customer = Customer.objects.filter(store_id=store_id, pk=customer_id, erased_at=None).first()
    if store is None or customer is None:
        raise Http404
    back = reverse("admin:storefront_customers_customer_change", args=[customer_id])
    return {"store": store, "customer_id": customer_id, "back": back}


site.page(
    "wallets/credit/<str:store_id>/<str:customer_id>/",
    _credit_page,
    _("Store credit"),
    name="wallets-credit",
    permission="storefront_wallets.change_creditaccount",
    menu="",
)
site.page(
    "wallets/points/<str:store_id>/<str:customer_id>/",
    _points_page,
    _("Adjust points"),
    name="wallets-points",
    permission="storefront_wallets.change_member",
    menu="",
)
