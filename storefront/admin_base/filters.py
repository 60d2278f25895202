"""Filters of lists."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter as SearchFilter,
)
from unfold.contrib.filters.admin import (
    BooleanRadioFilter as BooleanFilter,
)
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter as ChoicesFilter,
)
from unfold.contrib.filters.admin import (
    DropdownFilter as ThemeDropdownFilter,
)
from unfold.contrib.filters.admin import (
    MultipleChoicesDropdownFilter as MultipleChoicesFilter,
)
from unfold.contrib.filters.admin import (
    RangeDateFilter,
)
from unfold.contrib.filters.admin import (
    RangeNumericFilter as NumberRangeFilter,
)
from unfold.contrib.filters.admin import (
    RelatedDropdownFilter as RelatedFilter,
)
from unfold.contrib.filters.admin import (
    TextFilter as ThemeTextFilter,
)
from unfold.utils import parse_date_str

__all__ = [
    "BooleanFilter",
    "ChoicesFilter",
    "DateRangeFilter",
    "DropdownFilter",
    "MultipleChoicesFilter",
    "NumberRangeFilter",
    "RelatedFilter",
    "SearchFilter",
    "TextFilter",
]


class DropdownFilter(ThemeDropdownFilter):  # type: ignore[misc]
    """A filter of one's own: `title`, `parameter_name`, `lookups` and `queryset`, as for Django's SimpleListFilter."""


class TextFilter(ThemeTextFilter):  # type: ignore[misc]
    """The same with a text to type."""


class DateRangeFilter(RangeDateFilter):  # type: ignore[misc]
    """From one day to another, both included, on dates and moments."""

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any] | None:
        name = str(self.parameter_name)
        first, last = (self._day(self.used_parameters.get(f"{name}_{end}")) for end in ("from", "to"))
        if first:
            queryset = queryset.filter(**{f"{name}__gte": first})
        if last:
            queryset = queryset.filter(**{f"{name}__lt": last + timedelta(days=1)})
        return queryset

    def _day(self, text: Any) -> Any:
        day = parse_date_str(text) if isinstance(text, str) and text else None
        if day is None or not isinstance(self.field, models.DateTimeField):
            return day
        return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone())
