"""Addresses of the kernel, below the store's."""

from __future__ import annotations

from django.urls import path

from storefront.public.views import Countries, StoreCheck, StoreConfig

urlpatterns = [
    path("common/countries", Countries.as_view({"get": "list"})),
    path("common/countries/<str:country_iso_code>/states", Countries.as_view({"get": "states"})),
    path("common/countries/<str:country_iso_code>/pincodes", Countries.as_view({"get": "pincodes"})),
    path("store/check", StoreCheck.as_view({"get": "check"})),
    path("store/config", StoreConfig.as_view({"get": "config"})),
    path("store/kyc-document", StoreConfig.as_view({"get": "kyc_documents"})),
]
