from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    label = "storefront_accounts"
    verbose_name = _("Accounts")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import otp, selectors, services
        from messaging import consent, secrets
        from storefront import events

        secrets.register("otp", otp.reveal)
        consent.register(selectors.wants)
        events.on("sweep", services.purge)
        events.on("newsletter.changed", services.follow_newsletter)
        events.on("customer.invited", services.send_invitation)
