from typing import Any

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PaymentsConfig(AppConfig):
    name = "payments"
    label = "storefront_payments"
    verbose_name = _("Payments")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.core.signals import setting_changed

        from storefront import events, outbox, privacy, provided

        from . import checks, debits, errands, gateways, merging, public, selectors  # noqa: F401  checks registers itself
        from . import privacy as own

        outbox.register(debits.QUEUE, debits.drain)
        outbox.register(errands.QUEUE, errands.drain)
        events.on("shopper.erased", own.erase)
        events.on("customer.merged", merging.move)
        provided.register("payment_merge_counts", merging.counts)
        privacy.register("payments", own.export)
        provided.register("payment_providers", public.payment_providers)
        provided.register("payment_holdings", selectors.holds_anything)

        def forget(*, setting: str, **_payload: Any) -> None:
            if setting in {"STOREFRONT", "DEBUG"}:
                gateways.forget()

        setting_changed.connect(forget, weak=False, dispatch_uid="payments_forget")
