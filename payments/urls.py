from django.urls import path

from .views import CreditViewSet, MandateViewSet, SavedMeansViewSet

CUSTOMER = "customers/<str:customer_id>"
MANDATE = f"{CUSTOMER}/mandates/<str:mandate_id>"

urlpatterns = [
    path(f"{CUSTOMER}/cards", SavedMeansViewSet.as_view({"get": "cards"}), name="storefront_payments_cards"),
    path(
        f"{CUSTOMER}/payment-methods",
        SavedMeansViewSet.as_view({"get": "methods"}),
        name="storefront_payments_methods",
    ),
    path(
        f"{CUSTOMER}/mandates",
        MandateViewSet.as_view({"get": "list", "post": "create"}),
        name="storefront_payments_mandates",
    ),
    path(
        MANDATE,
        MandateViewSet.as_view({"get": "retrieve", "put": "update"}),
        name="storefront_payments_mandate",
    ),
    path(f"{MANDATE}/pause", MandateViewSet.as_view({"post": "pause"}), name="storefront_payments_pause"),
    path(f"{MANDATE}/resume", MandateViewSet.as_view({"post": "resume"}), name="storefront_payments_resume"),
    path(f"{MANDATE}/revoke", MandateViewSet.as_view({"post": "revoke"}), name="storefront_payments_revoke"),
    path(
        f"{CUSTOMER}/mandate-debit-schedules",
        CreditViewSet.as_view({"get": "schedules"}),
        name="storefront_payments_debits",
    ),
    path(
        f"{CUSTOMER}/credit-line-balance",
        CreditViewSet.as_view({"get": "balance"}),
        name="storefront_payments_credit",
    ),
]
