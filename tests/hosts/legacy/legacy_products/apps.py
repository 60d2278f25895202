from django.apps import AppConfig


class ProductsConfig(AppConfig):
    name = "legacy_products"
    label = "catalog"
    default_auto_field = "django.db.models.AutoField"
