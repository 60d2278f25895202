"""The catalogue's addresses alone, so that its tests need no other app."""

from django.urls import include, path

urlpatterns = [path("api/v1/<str:store_id>/storefront/catalog/", include("catalog.urls"))]
