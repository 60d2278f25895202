"""What the catalogue serves below `/customers`."""

from __future__ import annotations

from django.urls import path

from .reviews.views import CustomerReviews

urlpatterns = [path("customers/<str:customer_id>/reviews", CustomerReviews.as_view({"get": "list"}))]
