from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.module_loading import autodiscover_modules


class ProjectConfig(AppConfig):
    name = "config"
    label = "storefront_config"


class BackOfficeConfig(AdminConfig):
    """Django's admin with our site; also imports what apps add to each other's pages and to the dashboard, and tidies sessions."""

    default_site = "storefront.admin_base.default_site"

    def ready(self) -> None:
        super().ready()
        autodiscover_modules("panels")
        from storefront import events
        from storefront.staff import access

        events.on("sweep", access.purge_sessions)
