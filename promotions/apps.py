from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PromotionsConfig(AppConfig):
    name = "promotions"
    label = "storefront_promotions"
    verbose_name = _("Promotions")
    default_auto_field = "django.db.models.BigAutoField"
