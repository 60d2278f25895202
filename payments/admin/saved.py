"""What providers keep of customers, read-only."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from storefront.admin_base import (
    ChoicesFilter,
    DateRangeFilter,
    ReadOnlyAdmin,
    StoreModelAdmin,
    display,
    site,
)

from ..models import (
    SavedCard,
    SavedMethod,
)


@site.admin_for(SavedCard)
class SavedCardAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """A mirror of what providers keep. Numbers and tokens are not here."""

    empty_hint = _("Cards that customers save appear here, without their numbers.")
    menu_order, icon = 40, "credit_card"
    customer_path = "holder.customer_id"
    list_display = ("label", "customer_name", "provider", "expiry", "created_at")
    list_filter = (("created_at", DateRangeFilter),)
    search_fields = ("=id", "=holder__customer_id", "=last4")
    search_help_text = _("A whole customer's id, or the last four digits")
    list_select_related = ("holder__provider",)
    fields = (
        "store",
        "id",
        "label",
        "customer_name",
        "provider",
        "expiry",
        "holder_name",
        "nickname",
        "issuer",
        "can_have_mandate",
        "created_at",
    )
    readonly_fields = ("label", "customer_name", "provider", "expiry")

    @display(description=_("Card"))
    def label(self, row: SavedCard) -> str:
        return str(row)

    @display(description=_("Provider"))
    def provider(self, row: SavedCard) -> str:
        return str(row.holder.provider)

    @display(description=_("Good until"))
    def expiry(self, row: SavedCard) -> str:
        return f"{row.expiry_month:02d}/{row.expiry_year}"


@site.admin_for(SavedMethod)
class SavedMethodAdmin(ReadOnlyAdmin, StoreModelAdmin):
    empty_hint = _("Ways to pay that customers save appear here.")
    menu_order, icon = 50, "account_balance_wallet"
    customer_path = "holder.customer_id"
    list_display = ("label", "kind", "customer_name", "provider", "use_count", "last_used_at")
    list_filter = (("kind", ChoicesFilter), ("last_used_at", DateRangeFilter))
    search_fields = ("=id", "=holder__customer_id")
    search_help_text = _("A whole customer's id")
    list_select_related = ("holder__provider",)
    fields = (
        "store",
        "id",
        "label",
        "kind",
        "customer_name",
        "provider",
        "phone",
        "linked",
        "use_count",
        "last_used_at",
    )
    readonly_fields = ("customer_name", "provider")

    @display(description=_("Provider"))
    def provider(self, row: SavedMethod) -> str:
        return str(row.holder.provider)
