from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StorefrontConfig(AppConfig):
    name = "storefront"
    label = "storefront"
    verbose_name = _("Store")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from storefront import (
            checks,  # noqa: F401  registers them
            events,
        )
        from storefront.staff import trail

        events.on("sweep", trail.prune)
