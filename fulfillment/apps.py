from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FulfillmentConfig(AppConfig):
    name = "fulfillment"
    label = "storefront_fulfillment"
    verbose_name = _("Fulfillment")
    default_auto_field = "django.db.models.BigAutoField"
