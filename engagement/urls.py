"""Addresses of the API, below the store's."""

from __future__ import annotations

from django.urls import path

from .analytics.views import Analytics
from .newsletter.views import Newsletter

urlpatterns = [
    path("analytics/track", Analytics.as_view({"post": "track"})),
    path("campaigns/newsletter-subscribe", Newsletter.as_view({"post": "subscribe"})),
]
