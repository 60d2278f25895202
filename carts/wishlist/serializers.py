from __future__ import annotations

from typing import Any

from rest_framework import serializers

from storefront.contracts import Sku


class WishIn(serializers.Serializer[Any]):
    """A missing `variant_id` is null."""

    product_id = serializers.CharField(max_length=64)
    variant_id = serializers.CharField(max_length=64, required=False, allow_null=True, allow_blank=True, default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {"sku": Sku(attrs["product_id"], attrs["variant_id"] or "")}
