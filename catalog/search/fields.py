"""What can be searched by: the names that filters, facets and sort orders may use, and what each of them means."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from storefront.errors import Invalid

from . import grammar
from .grammar import Compare, Condition, Node, Range


class Kind(Enum):
    TERM = "term"  # a few values of a list, each with what it is as a number where it is one
    TEXT = "text"  # a column of text
    NUMBER = "number"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Field:
    """A name as the API knows it. `key` is where the index keeps it; several spellings share one."""

    key: str
    kind: Kind


ATTRIBUTE = "attribute."
KEYS = "attributes.key"
CATEGORY_IDS = "categories.id"
CATEGORY_NAMES = "categories.name"

FIELDS: dict[str, Field] = {
    "product_type": Field("product_type", Kind.TERM),
    CATEGORY_NAMES: Field(CATEGORY_NAMES, Kind.TERM),
    CATEGORY_IDS: Field(CATEGORY_IDS, Kind.TERM),
    "categories.slug": Field("categories.slug", Kind.TERM),
    KEYS: Field(KEYS, Kind.TERM),
    "brand": Field("brand", Kind.TERM),
    "tags": Field("tags", Kind.TERM),
    "pricing.listing_price": Field("listing_price", Kind.NUMBER),
    "pricing.selling_price": Field("selling_price", Kind.NUMBER),
    "pricing.tax_rate": Field("tax_rate", Kind.NUMBER),
    "rating": Field("rating", Kind.NUMBER),
    "product_id": Field("product_id", Kind.TEXT),
    "variant_id": Field("variant_id", Kind.TEXT),
    "product_name": Field("product_name", Kind.TEXT),
    "variant_name": Field("variant_name", Kind.TEXT),
    "sku": Field("sku", Kind.TEXT),
    "stock_available": Field("stock_available", Kind.BOOLEAN),
}
PRICES = ("listing_price", "selling_price", "tax_rate")
# What `*` counts besides the attributes.
EVERY_FACET = tuple(name for name in FIELDS if name not in (CATEGORY_IDS, "categories.slug"))

SORTS: dict[str, str] = {
    "selling_price": "selling_price",
    "pricing.selling_price": "selling_price",
    "listing_price": "listing_price",
    "pricing.listing_price": "listing_price",
    "name": "product_name",
    "product_name": "product_name",
    "created_at": "created_at",
    "rating": "rating",
}

MAX_FACETS = 50
MAX_SORTS = 5


def attribute_key(name: str) -> str | None:
    """The key in `attribute.<key>` or `attributes.<key>`; `attributes.key` alone means the keys themselves."""
    if name == KEYS:
        return None
    for prefix in (ATTRIBUTE, "attributes."):
        if name.startswith(prefix) and len(name) > len(prefix):
            return name[len(prefix) :]
    return None


def find(name: str) -> Field | None:
    """What a name means, or None for none of ours. Whether a store has that attribute is not asked here."""
    key = attribute_key(name)
    return Field(ATTRIBUTE + key, Kind.TERM) if key else FIELDS.get(name)


def attribute_keys(names: Iterable[str]) -> set[str]:
    return {key for key in map(attribute_key, names) if key}


def unknown(name: str) -> str:
    return _("There is no attribute named %(name)s.") % {"name": name[:80]}


def check_filter(node: Node | None, keys: Collection[str]) -> None:
    """Raises Invalid with the code `invalid_filter` for names that are none, and for values of the wrong kind.

    `keys` are those of the store's attributes.
    """
    for condition in grammar.conditions(node):
        field = find(condition.name)
        key = attribute_key(condition.name)
        if field is None or (key and key not in keys):
            raise grammar.refusal(unknown(condition.name), condition.place)
        _check_values(condition, field)


def _check_values(condition: Condition, field: Field) -> None:
    values: list[str] = []
    ordered = False
    match condition:
        case Compare():
            values, ordered = [condition.value], condition.operator != "="
        case Range():
            values, ordered = [condition.low, condition.high], True
        case grammar.In():
            values = list(condition.values)
    name = {"name": condition.name[:80]}
    if ordered and field.kind in (Kind.TEXT, Kind.BOOLEAN):
        raise grammar.refusal(_("%(name)s has no order; use =, != or IN.") % name, condition.place)
    for value in values:
        if field.kind is Kind.NUMBER and number(value) is None:
            raise grammar.refusal(_("%(name)s takes a number.") % name, condition.place)
        if field.kind is Kind.BOOLEAN and value.lower() not in ("true", "false"):
            raise grammar.refusal(_("%(name)s takes true or false.") % name, condition.place)
        if ordered and field.kind is Kind.TERM and sortable(value) is None:
            raise grammar.refusal(_("Only numbers and dates have an order."), condition.place)


def check_facets(names: Collection[str], keys: Collection[str]) -> None:
    """Raises Invalid naming the first entry that is no attribute."""
    if len(names) > MAX_FACETS:
        raise Invalid(_("At most %(count)d facets at once.") % {"count": MAX_FACETS}, field="facets")
    for index, name in enumerate(names):
        key = attribute_key(name)
        if name != "*" and (find(name) is None or (key and key not in keys)):
            raise Invalid(unknown(name), field=f"facets.{index}")


def sort_order(entries: Collection[str]) -> tuple[tuple[str, bool], ...]:
    """`field:asc` and `field:desc` as (field, descending). Raises Invalid naming the entry."""
    if len(entries) > MAX_SORTS:
        raise Invalid(_("Sort by at most %(count)d fields.") % {"count": MAX_SORTS}, field="sort")
    found: dict[str, bool] = {}
    for index, entry in enumerate(entries):
        name, _colon, direction = entry.partition(":")
        if name not in SORTS:
            message = _("Cannot sort by %(name)s; use one of: %(allowed)s.") % {
                "name": name[:60],
                "allowed": ", ".join(SORTS),
            }
            raise Invalid(message, field=f"sort.{index}")
        if direction not in ("asc", "desc"):
            raise Invalid(_("Sort directions are asc and desc."), field=f"sort.{index}")
        found.setdefault(SORTS[name], direction == "desc")
    return tuple(found.items())


# --- values ---------------------------------------------------------------------------------------------------------
def number(text: str) -> Decimal | None:
    """A plain decimal number, or None."""
    if len(text) > 40 or not text.isascii() or "_" in text:
        return None
    try:
        found = Decimal(text.strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found.adjusted()) < 20 else None


def sortable(value: Any) -> float | None:
    """The number by which a value is compared: itself, or the seconds since 1970 of a date."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        return None
    found = number(value)
    if found is not None:
        return float(found)
    try:
        moment = parse_datetime(value)
        if moment is None and (day := parse_date(value)):
            moment = parse_datetime(f"{day.isoformat()}T00:00:00Z")
    except ValueError:
        return None
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def shown(value: Any) -> str:
    """A value as facets name it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        text = format(Decimal(str(value)).normalize(), "f")
        return "0" if text == "-0" else text
    return str(value)
