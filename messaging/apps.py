from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_delete, post_save
from django.utils.translation import gettext_lazy as _


class MessagingConfig(AppConfig):
    name = "messaging"
    label = "storefront_messaging"
    verbose_name = _("Messages")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from storefront import events, outbox

        from . import checks, delivery, selectors, services  # noqa: F401  checks registers itself
        from .models import QUEUE, MessageTemplate, ProviderAccount

        outbox.register(QUEUE, delivery.drain)
        events.on("sweep", services.sweep)

        def forget(**_: Any) -> None:
            selectors.forget()

        for sender in ("storefront.Store", MessageTemplate, ProviderAccount):
            for signal in (post_save, post_delete):
                signal.connect(forget, sender=sender, weak=False, dispatch_uid=f"messaging_forget_{sender}")
