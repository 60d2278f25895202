from django.contrib import admin
from django.urls import include, path

API = "api/v1/<str:store_id>/storefront/"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("legacy_accounts.urls")),
    path("products/", include("legacy_products.urls")),
    # what the API adds
    path(API + "auth/", include("accounts.urls")),
    path(API, include("carts.urls")),
    path("", include("messaging.urls")),  # where message providers report to
]
