from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PromotionsConfig(AppConfig):
    name = "promotions"
    label = "storefront_promotions"
    verbose_name = _("Promotions")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from promotions import merging, selectors, services
        from storefront import events, privacy, provided

        events.on("sweep", services.expire_offers)
        events.on("sweep", services.add_up_uses)
        events.on("shopper.erased", services.forget_shopper)
        events.on("customer.merged", merging.move)
        provided.register("promotion_merge_counts", merging.counts)
        privacy.register("offers", selectors.uses_of)
