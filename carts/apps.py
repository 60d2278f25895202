from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CartsConfig(AppConfig):
    name = "carts"
    label = "storefront_carts"
    verbose_name = _("Carts")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.apps import apps

        from storefront import events, privacy

        from . import lifecycle, reminders, selectors
        from .wishlist import selectors as wishlists
        from .wishlist import services as wishlist

        events.on("shopper.merged", lifecycle.merge_carts)
        events.on("shopper.erased", lifecycle.erase_carts)
        events.on("shopper.merged", wishlist.merge)
        events.on("shopper.registered", wishlist.keep)
        events.on("shopper.erased", wishlist.erase)
        events.on("sweep", lifecycle.purge_expired)
        events.on("sweep", wishlist.purge_expired)
        events.on("sweep", reminders.tell_abandoned)
        if apps.is_installed("messaging"):
            reminders.register_template()
        privacy.register("carts", selectors.exported)
        privacy.register("wishlist", wishlists.exported)
