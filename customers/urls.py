"""Addresses below `/customers`."""

from __future__ import annotations

from django.urls import path

from .bank.views import BankAccountViewSet
from .kyc.views import DocumentViewSet, download
from .views import AddressViewSet, CustomerViewSet, OwnDetailsViewSet, SellerViewSet

urlpatterns = [
    path("customers", CustomerViewSet.as_view({"post": "create"})),
    path("customers/<str:customer_id>", OwnDetailsViewSet.as_view({"put": "update"})),
    path("customers/<str:customer_id>/addresses", AddressViewSet.as_view({"get": "index", "post": "create"})),
    path(
        "customers/<str:customer_id>/addresses/<str:address_id>",
        AddressViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
    path("customers/<str:customer_id>/documents", DocumentViewSet.as_view({"get": "index", "post": "create"})),
    path("customers/<str:customer_id>/documents/verify", DocumentViewSet.as_view({"post": "verify"})),
    path(
        "customers/<str:customer_id>/documents/<str:document_id>",
        DocumentViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
    path("customers/<str:customer_id>/bank-accounts", BankAccountViewSet.as_view({"get": "index", "post": "create"})),
    path(
        "customers/<str:customer_id>/bank-accounts/<str:account_id>",
        BankAccountViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
    path(
        "customers/<str:customer_id>/bank-accounts/<str:account_id>/verify",
        BankAccountViewSet.as_view({"post": "verify"}),
    ),
    path("customers/files/<str:signed>", download, name="storefront_customers_file"),
    path("customers/<str:customer_id>/authorized-sellers", SellerViewSet.as_view({"get": "index"})),
]
