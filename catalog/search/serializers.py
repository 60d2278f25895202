"""What comes in; what goes out is items of the catalogue."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from storefront.conf import conf
from storefront.contracts import SearchResult

from .fields import shown
from .grammar import MAX_LENGTH

MAX_PAGE = 1_000_000


class Whole(serializers.Field):  # type: ignore[type-arg]
    """A JSON number without a fraction, at least 1."""

    default_error_messages = {
        "invalid": gettext_lazy("Enter a whole number."),
        "too_small": gettext_lazy("Must be at least 1."),
    }

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int | float) or data != int(data):
            self.fail("invalid")
        if data < 1:
            self.fail("too_small")
        return int(data)


class Anything(serializers.Field):  # type: ignore[type-arg]
    """Passed on as it is, for a parser of its own."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class Names(serializers.ListField):
    """A list of names; `*` alone is the list of itself."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(["*"] if data == "*" else data)


class SearchIn(serializers.Serializer[Any]):
    query = serializers.CharField(
        max_length=MAX_LENGTH, allow_blank=True, allow_null=True, required=False, default="", trim_whitespace=False
    )
    page = Whole(required=False, default=1)
    limit = Whole(required=False, allow_null=True, default=None)
    facets = Names(
        child=serializers.CharField(max_length=80), allow_empty=True, allow_null=True, required=False, default=list
    )
    filter = Anything(required=False, allow_null=True, default=None)
    sort = serializers.ListField(
        child=serializers.CharField(max_length=80), allow_empty=True, allow_null=True, required=False, default=list
    )

    def validate_page(self, value: int) -> int:
        return _at_most(value, MAX_PAGE)

    def validate_limit(self, value: int | None) -> int:
        return conf().PAGE_SIZE if value is None else _at_most(value, conf().MAX_PAGE_SIZE)


def _at_most(value: int, maximum: int) -> int:
    if value > maximum:
        raise serializers.ValidationError(_("Must be at most %(maximum)d.") % {"maximum": maximum})
    return value


def facet_stats(result: SearchResult) -> dict[str, dict[str, float]]:
    return {
        name: {"min": _number(low), "max": _number(high)} for name, (low, high) in sorted(result.facet_ranges.items())
    }


def _number(value: float) -> float:
    return int(value) if value == int(value) else float(shown(value))
