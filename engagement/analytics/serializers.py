"""The contract's AnalyticsEvent as it comes in. What a client may leave out is filled in; what it must not say is not
believed. Unknown members are passed over."""

from __future__ import annotations

import ipaddress
from typing import Any

import orjson
from django.utils.translation import gettext as _
from rest_framework import serializers

LONGEST_PROPERTIES = 16_384  # bytes as JSON
LONGEST_CONTEXT = 4_096
KEPT_CONTEXT = ("campaign", "library", "locale", "page", "referrer", "screen", "timezone")  # beside ip and userAgent


class ContextIn(serializers.Serializer):  # type: ignore[type-arg]
    """`ip` and `userAgent`; what else Segment's clients send here is kept if it is of use and small."""

    ip = serializers.CharField(max_length=60, required=False, allow_blank=True, allow_null=True)
    userAgent = serializers.CharField(max_length=4000, required=False, allow_blank=True, allow_null=True)  # noqa: N815  the contract's name

    def validate_ip(self, text: str | None) -> str:
        try:
            return str(ipaddress.ip_address((text or "").strip()))
        except ValueError:
            return ""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().to_internal_value(data)
        more = {name: data[name] for name in KEPT_CONTEXT if name in data}
        if more and len(orjson.dumps(more)) > LONGEST_CONTEXT:
            raise serializers.ValidationError(_("The context is too large."))
        return found | more


class EventIn(serializers.Serializer):  # type: ignore[type-arg]
    event = serializers.CharField(max_length=100)
    type = serializers.ChoiceField(choices=["track"], required=False)
    userId = serializers.CharField(max_length=200, required=False, allow_blank=True, allow_null=True)  # noqa: N815
    channel = serializers.ChoiceField(choices=["website"], required=False)
    context = ContextIn(required=False, allow_null=True)  # type: ignore[assignment]  # hides DRF's own, which nobody needs here
    properties = serializers.DictField(required=False, allow_null=True)
    messageId = serializers.CharField(max_length=100)  # noqa: N815
    timestamp = serializers.DateTimeField(required=False)
    sentAt = serializers.DateTimeField(required=False)  # noqa: N815

    def validate_properties(self, properties: dict[str, Any] | None) -> dict[str, Any]:
        if properties and len(orjson.dumps(properties)) > LONGEST_PROPERTIES:
            raise serializers.ValidationError(_("The properties are larger than 16 KB."))
        return properties or {}
