from __future__ import annotations

from django.urls import path

from .views import LoyaltyViewSet

urlpatterns = [
    path(
        "customers/<str:customer_id>/loyalty",
        LoyaltyViewSet.as_view({"get": "retrieve"}),
        name="storefront_wallets_loyalty",
    ),
    path(
        "customers/<str:customer_id>/loyalty-points-activity",
        LoyaltyViewSet.as_view({"get": "activity"}),
        name="storefront_wallets_activity",
    ),
]
