from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    label = "storefront_accounts"
    verbose_name = _("Accounts")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import otp, services
        from messaging import secrets
        from storefront import events

        secrets.register("otp", otp.reveal)
        events.on("sweep", services.purge)
