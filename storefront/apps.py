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
            outbox,
            privacy,
        )
        from storefront.imports import jobs
        from storefront.staff import trail

        events.on("sweep", trail.prune)
        events.on("sweep", jobs.sweep)
        privacy.register("access_by_staff", trail.of_customer)
        outbox.register(jobs.QUEUE, jobs.drain)
