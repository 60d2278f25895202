from __future__ import annotations

from django.urls import path

from .views import OfferViewSet

urlpatterns = [
    path("carts/available-coupons", OfferViewSet.as_view({"get": "coupons"}), name="storefront_promotions_coupons"),
    path(
        "carts/available-promotions",
        OfferViewSet.as_view({"get": "promotions"}),
        name="storefront_promotions_promotions",
    ),
    path("offer/coupons", OfferViewSet.as_view({"get": "older_coupons"}), name="storefront_promotions_older_coupons"),
    path(
        "offer/promotions",
        OfferViewSet.as_view({"get": "older_promotions"}),
        name="storefront_promotions_older_promotions",
    ),
]
