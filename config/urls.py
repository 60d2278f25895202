"""Every address: the API of each store, the admin, the documentation, health."""

from django.urls import include, path

API = "api/v1/<str:store_id>/storefront/"

urlpatterns = [
    path(API + "auth/", include("accounts.urls")),
    path(API + "catalog/", include("catalog.urls")),
    path(API, include("carts.urls")),
    path("", include("messaging.urls")),
    path("", include("config.pages")),
]
