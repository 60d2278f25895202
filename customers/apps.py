from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CustomersConfig(AppConfig):
    name = "customers"
    label = "storefront_customers"
    verbose_name = _("Customers")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from storefront import events, provided
        from storefront import privacy as kernel_privacy

        from . import invitations, privacy, selectors, services
        from .kyc import services as kyc

        provided.register("kyc_documents", selectors.kyc_document_types)
        provided.register("kyc_complete", selectors.kyc_complete)
        provided.register("kyc_missing", selectors.kyc_missing)
        kernel_privacy.register("customer", privacy.details)
        kernel_privacy.register("notes", privacy.notes)
        kernel_privacy.register("invitations", privacy.sent_invitations)
        kernel_privacy.register("addresses", privacy.addresses)
        kernel_privacy.register("documents", privacy.documents)
        kernel_privacy.register("bank_accounts", privacy.bank_accounts)
        events.on("sweep", kyc.expire_due)
        events.on("sweep", invitations.expire_due)
        events.on("sweep", services.erase_old_guests)
