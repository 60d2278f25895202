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

        from . import checks, gateways  # noqa: F401  checks registers itself

        def forget(*, setting: str, **_payload: Any) -> None:
            if setting in {"STOREFRONT", "DEBUG"}:
                gateways.forget()

        setting_changed.connect(forget, weak=False, dispatch_uid="payments_forget")
