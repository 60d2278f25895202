from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    label = "storefront_accounts"
    verbose_name = _("Accounts")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import importing, merging, otp, privacy, selectors, services
        from messaging import consent, secrets
        from storefront import events, provided
        from storefront import privacy as kernel_privacy
        from storefront.imports import kinds

        secrets.register("otp", otp.reveal)
        consent.register(selectors.wants)
        kinds.register(importing.CustomerImports())
        events.on("sweep", services.purge)
        events.on("newsletter.changed", services.follow_newsletter)
        events.on("customer.invited", services.send_invitation)
        events.on("customer.merging", merging.lock)
        events.on("customer.merged", merging.move)
        provided.register("account_merge_counts", merging.counts)
        provided.register("customer_ids_of_people", selectors.customer_ids_of_people)
        provided.register("details_of_user", selectors.details_of_user)
        provided.register("proved_contacts", selectors.proved_contacts)
        provided.register("people_of_customers", selectors.people_of_customers)
        kernel_privacy.register_people(privacy.AccountPeople())
        kernel_privacy.register("account", privacy.account)
        kernel_privacy.register("sessions", privacy.sessions)
        kernel_privacy.register("security_log", privacy.security_log)
        kernel_privacy.register("messages", privacy.messages)
        kernel_privacy.register("consents", privacy.consents)
