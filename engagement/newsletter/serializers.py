"""What the newsletter form sends."""

from __future__ import annotations

from rest_framework import serializers

from storefront.contacts import parse_email


class SubscribeIn(serializers.Serializer):  # type: ignore[type-arg]
    email = serializers.CharField(max_length=254)

    def validate_email(self, email: str) -> str:
        return parse_email(email)
