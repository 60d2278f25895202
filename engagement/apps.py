from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EngagementConfig(AppConfig):
    name = "engagement"
    label = "storefront_engagement"
    verbose_name = _("Engagement")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        self._newsletter()
        self._analytics()

    def _newsletter(self) -> None:
        from messaging import consent, secrets
        from storefront import events, outbox, privacy

        from .newsletter import selectors, services, wording

        wording.register_all()
        consent.register(selectors.wants)
        consent.register_opt_out(selectors.opt_out)
        secrets.register("newsletter", selectors.reveal)
        privacy.register("newsletter", selectors.personal_data)
        outbox.register(services.QUEUE, services.drain)
        events.on("message.bounced", services.bounced)
        events.on("message.unsubscribed", services.opted_out)
        events.on("shopper.preferences", services.follow_preferences)
        events.on("shopper.erased", services.forget_shopper)
        events.on("contacts.forgotten", services.forget_contacts)
        events.on("sweep", services.purge)

    def _analytics(self) -> None:
        from storefront import events, outbox, privacy, provided

        from .analytics import buffer, forwarding, selectors, services

        buffer.writer.write = services.drain_memory
        outbox.register(services.QUEUE, services.drain)
        outbox.register(forwarding.QUEUE, forwarding.drain)
        provided.register("analytics_providers", selectors.client_providers)
        privacy.register("analytics", selectors.personal_data)
        events.on("shopper.registered", services.shopper_registered)
        events.on("shopper.logged_in", services.shopper_logged_in)
        events.on("cart.updated", services.cart_updated)
        events.on("shopper.erased", services.forget_shopper)
        events.on("sweep", services.purge)
