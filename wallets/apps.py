from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WalletsConfig(AppConfig):
    name = "wallets"
    label = "storefront_wallets"
    verbose_name = _("Wallets")
    default_auto_field = "django.db.models.BigAutoField"
