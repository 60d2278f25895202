"""Addresses below `/catalog`. Static segments come before parameters: they can be no product's slug."""

from __future__ import annotations

from django.urls import path

from .reviews.views import Reviews
from .search.views import Searches
from .views import Categories, Products, Recommendations, Skus, Variants

urlpatterns = [
    path("categories", Categories.as_view({"get": "list"})),
    path("skus", Skus.as_view({"get": "list"})),
    path("products", Products.as_view({"get": "list"})),
    path("products/search", Searches.as_view({"post": "search"})),
    path("products/similar", Recommendations.as_view({"get": "similar"})),
    path("products/up-sell", Recommendations.as_view({"get": "up_sell"})),
    path("products/cross-sell", Recommendations.as_view({"get": "cross_sell"})),
    path("products/recommended", Recommendations.as_view({"get": "recommended"})),
    path("products/<str:product_id>", Products.as_view({"get": "retrieve"})),
    path("products/<str:product_id>/reviews", Reviews.as_view({"get": "list", "post": "create"})),
    path("products/<str:product_id>/variants", Variants.as_view({"get": "list"})),
    path("products/<str:product_id>/variants/<str:variant_id>", Variants.as_view({"get": "retrieve"})),
]
