"""Addresses beside the API: where links in messages lead."""

from __future__ import annotations

from django.urls import path

from .newsletter import links
from .newsletter.pages import LinkPage

urlpatterns = [
    path(
        "newsletter/<str:store_id>/confirm/<str:sealed>",
        LinkPage.as_view(kind=links.CONFIRM),
        name="storefront_newsletter_confirm",
    ),
    path(
        "newsletter/<str:store_id>/unsubscribe/<str:sealed>",
        LinkPage.as_view(kind=links.UNSUBSCRIBE),
        name="storefront_newsletter_unsubscribe",
    ),
]
