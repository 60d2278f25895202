"""The back office and the providers' callbacks alone: these tests need no API."""

from django.urls import include, path

from storefront.admin_base import site

urlpatterns = [path("admin/", site.urls), path("", include("messaging.urls"))]
