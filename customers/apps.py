from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CustomersConfig(AppConfig):
    name = "customers"
    label = "storefront_customers"
    verbose_name = _("Customers")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from storefront import provided

        from . import selectors

        provided.register("kyc_documents", selectors.kyc_document_types)
        provided.register("kyc_complete", selectors.kyc_complete)
