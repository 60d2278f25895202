from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CartsConfig(AppConfig):
    name = "carts"
    label = "storefront_carts"
    verbose_name = _("Carts")
    default_auto_field = "django.db.models.BigAutoField"
