from django.apps import AppConfig
from django.db.models.signals import post_delete, post_save
from django.utils.translation import gettext_lazy as _


class FulfillmentConfig(AppConfig):
    name = "fulfillment"
    label = "storefront_fulfillment"
    verbose_name = _("Fulfillment")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import services
        from .models import RULE_MODELS

        for model in RULE_MODELS:
            post_save.connect(services.row_saved, sender=model, dispatch_uid=f"fulfillment-{model.__name__}")
            post_delete.connect(services.row_deleted, sender=model, dispatch_uid=f"fulfillment-{model.__name__}")
