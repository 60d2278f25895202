"""Addresses of the API, below the store's."""

from __future__ import annotations

from django.urls import path

from .newsletter.views import Newsletter

urlpatterns = [
    path("campaigns/newsletter-subscribe", Newsletter.as_view({"post": "subscribe"})),
]
