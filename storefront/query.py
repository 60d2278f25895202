"""Query parameters as clients really write them: `a=1&a=2`, `a[]=1`, `a=1,2`, sort orders as JSON objects."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.http import QueryDict
from django.utils.translation import gettext as _

from storefront.conf import conf
from storefront.errors import Invalid

MAX_LIST = 100


def strings(query: QueryDict, name: str, *, commas: bool = True) -> list[str]:
    """The values of a list parameter in any of the three spellings, blanks dropped, in order, each once."""
    values = [*query.getlist(name), *query.getlist(f"{name}[]")]
    if commas:
        values = [part for value in values for part in value.split(",")]
    found = list(dict.fromkeys(value.strip() for value in values if value.strip()))
    if len(found) > MAX_LIST:
        raise Invalid(_("Too many values; at most %(count)d.") % {"count": MAX_LIST}, field=name)
    return found


def flag(query: QueryDict, name: str) -> bool:
    """A boolean parameter; absent is False. Raises Invalid for anything but true, false, 1 and 0."""
    value = query.get(name, "").strip().lower()
    if value not in {"", "true", "false", "1", "0"}:
        raise Invalid(_("Use true or false."), field=name)
    return value in {"true", "1"}


def integer(query: QueryDict, name: str, *, default: int, minimum: int = 1, maximum: int | None = None) -> int:
    value = query.get(name, "").strip()
    if not value:
        return default
    try:
        number = int(value) if value.isascii() and len(value) < 19 else None
    except ValueError:
        number = None
    if number is None:
        raise Invalid(_("Enter a whole number."), field=name)
    if number < minimum:
        raise Invalid(_("Must be at least %(minimum)d.") % {"minimum": minimum}, field=name)
    if maximum is not None and number > maximum:
        raise Invalid(_("Must be at most %(maximum)d.") % {"maximum": maximum}, field=name)
    return number


def sort_by(query: QueryDict, allowed: Collection[str], name: str = "sort_by") -> list[tuple[str, bool]]:
    """The wanted order as (field, descending), in the order of the keys. Raises Invalid for an unknown field."""
    value = query.get(name, "").strip()
    if not value:
        return []
    try:
        wanted = orjson.loads(value)
    except orjson.JSONDecodeError:
        wanted = None
    if not isinstance(wanted, Mapping):
        raise Invalid(_('Use a JSON object such as {"name":"asc"}.'), field=name)
    found = []
    for key, direction in wanted.items():
        if key not in allowed:
            raise Invalid(
                _("Cannot sort by %(name)s; use one of: %(allowed)s.")
                % {"name": str(key)[:60], "allowed": ", ".join(sorted(allowed))},
                field=name,
            )
        if direction not in ("asc", "desc"):
            raise Invalid(_("Sort directions are asc and desc."), field=name)
        found.append((str(key), direction == "desc"))
    return found


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list: number from 1, at most `limit` rows."""

    number: int
    limit: int

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.limit

    def pagination(self, total: int) -> dict[str, Any]:
        """The contract's Pagination object."""
        pages = -(-total // self.limit)
        return {
            "total_records": total,
            "total_pages": pages,
            "previous_page": min(self.number - 1, pages) if self.number > 1 and pages else None,
            "next_page": self.number + 1 if self.number < pages else None,
            "limit": self.limit,
        }


def page(query: QueryDict) -> Page:
    """The asked page (D-2): `page` and `limit` at least 1, `limit` at most 100."""
    return Page(
        integer(query, "page", default=1, maximum=1_000_000),
        integer(query, "limit", default=conf().PAGE_SIZE, maximum=conf().MAX_PAGE_SIZE),
    )
