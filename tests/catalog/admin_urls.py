"""The catalogue and its admin pages."""

from django.urls import path

from storefront.admin_base import site
from tests.catalog.urls import urlpatterns as api

urlpatterns = [*api, path("admin/", site.urls)]
