from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WalletsConfig(AppConfig):
    name = "wallets"
    label = "storefront_wallets"
    verbose_name = _("Loyalty, credit, gift cards")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from storefront import events, provided
        from storefront import privacy as kernel_privacy

        from . import privacy, selectors
        from .services import housekeeping, loyalty, merging

        events.on("shopper.registered", loyalty.welcome)
        events.on("shopper.erased", housekeeping.forget_shopper)
        events.on("customer.merged", merging.move)
        provided.register("wallet_merge_counts", merging.counts)
        events.on("sweep", housekeeping.sweep)
        provided.register("wallet_holdings", selectors.holds_anything)
        kernel_privacy.register("wallets", privacy.collect)
