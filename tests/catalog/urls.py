"""The catalogue's addresses alone, so that its tests need no other app."""

from django.urls import include, path

API = "api/v1/<str:store_id>/storefront/"

urlpatterns = [
    path(API + "catalog/", include("catalog.urls")),
    path(API, include("catalog.customer_urls")),
]
