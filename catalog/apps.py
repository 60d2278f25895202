from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CatalogConfig(AppConfig):
    name = "catalog"
    label = "storefront_catalog"
    verbose_name = _("Catalogue")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from storefront import events, privacy
        from storefront.imports import kinds
        from storefront.middleware import allow_uploads

        from . import changes, promotions
        from .reviews import media, selectors
        from .reviews import services as reviews
        from .search import index
        from .transfer.kind import ProductImports

        events.on("catalog.published", index.published)
        kinds.register(ProductImports())
        events.on("sweep", changes.prune)
        for change in ("offer.published", "offer.stopped", "offer.expired"):
            events.on(change, promotions.changed)
        events.on("catalog.deleting", reviews.drop_files)
        events.on("shopper.erased", reviews.forget_shopper)
        privacy.register("reviews", selectors.exported)
        allow_uploads(r"/api/v1/[^/]+/storefront/catalog/products/[^/]+/reviews", media.MAX_REQUEST_BYTES)
