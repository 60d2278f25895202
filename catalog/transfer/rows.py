"""The format: cells to values. Knows no database.

A cell that is empty, or a column that is missing, leaves things as they are; `!clear` (null in JSON) empties them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from storefront.imports.records import CLEAR, MAX_CELL, BadCell, checked, split

MAX_COLUMNS = 400
MAX_ENTRIES = 100  # of one list
BELOW = ">"
_SLUG = re.compile(r"[-a-zA-Z0-9_]+")
_NUMBER = re.compile(r"-?\d{1,11}(\.\d{1,3}0*)?")
_VERBATIM = {
    "attribute",
    "variant_attribute",
    "name",
    "short_description",
    "description",
    "seo_title",
    "seo_description",
    "sku",
    "variant_name",
    "brand",
}
_COLOUR = re.compile(r"(.*?)\s*(#[0-9A-Fa-f]{6})?", re.DOTALL)
_YES, _NO = {"true", "yes", "1"}, {"false", "no", "0"}


# --- cells ----------------------------------------------------------------------------------------------------------
def text(limit: int) -> Callable[[str], str]:
    def read(value: str) -> str:
        if len(value) > limit:
            raise BadCell(_("Longer than %(count)d characters.") % {"count": limit})
        return value

    return read


def slug(value: str) -> str:
    if not _SLUG.fullmatch(value) or len(value) > 200:
        raise BadCell(_("Letters, digits, dashes and underscores only, 200 at most."))
    return value


def boolean(value: str) -> bool:
    word = value.lower()
    if word not in _YES | _NO:
        raise BadCell(_("Enter true or false."))
    return word in _YES


def choice(*allowed: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value.lower() not in allowed:
            raise BadCell(_("One of: %(values)s.") % {"values": ", ".join(allowed)})
        return value.lower()

    return read


def whole(low: int, high: int = 2**31 - 1) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,10}", value) or not low <= int(value) <= high:
            raise BadCell(_("A whole number from %(low)d to %(high)d.") % {"low": low, "high": high})
        return int(value)

    return read


def decimal(high: Decimal) -> Callable[[str], Decimal]:
    def read(value: str) -> Decimal:
        if not value.isascii() or not _NUMBER.fullmatch(value) or not 0 <= Decimal(value) <= high:
            raise BadCell(_("A number from 0 to %(high)s with three decimals at most.") % {"high": high})
        return Decimal(value)

    return read


def entries(limit: int, each: Callable[[str], Any] | None = None) -> Callable[[str], list[Any]]:
    def read(value: str) -> list[Any]:
        found = list(dict.fromkeys(split(value)))
        if len(found) > MAX_ENTRIES:
            raise BadCell(_("More than %(count)d entries.") % {"count": MAX_ENTRIES})
        for entry in found:
            text(limit)(entry)
        return [each(entry) for entry in found] if each else found

    return read


def web_address(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/<>\"]+[^\s<>\"]*", value):
        raise BadCell(_("An address that begins with http:// or https://."))
    return value


def source(value: str) -> str:
    """Where a picture is fetched from: an https address, or a file in the folder that the import was given."""
    if value.startswith("https://"):
        return web_address(value)
    if not re.fullmatch(r"[^/\\\x00-\x1f:][^\\\x00-\x1f:]*", value) or ".." in value.split("/"):
        raise BadCell(_("An address that begins with https://, or the name of a file in the folder of pictures."))
    return value


def component(value: str) -> tuple[str, int]:
    """What a bundle holds: a SKU, or @product or @product/variant by slugs, and how many: "CUP-1 x 2"."""
    found = re.fullmatch(r"(.*?)(?:\s+[x×]\s*([0-9]{1,4}))?", value, re.DOTALL)
    name, count = (found[1].strip(), int(found[2] or 1)) if found else (value, 1)
    if not name or len(name) > 400 or not count:
        raise BadCell(_("A SKU and how many of it, such as CUP-1 x 2."))
    return name, count


def branch(value: str) -> tuple[str, ...]:
    """A path in the category tree, or ("#slug",)."""
    path = tuple(split(value, BELOW))
    if not path:
        raise BadCell(_("A path of names, such as Home > Lighting."))
    if len(path) > 20:
        raise BadCell(_("A category lies 20 levels deep at most."))
    for name in path:
        text(120)(name)
    return path


def colour(value: str) -> tuple[str, str]:
    """An entry of an option with its code: "Indigo #27408B", or a name alone."""
    found = _COLOUR.fullmatch(value)
    name, code = (found[1], found[2] or "") if found else (value, "")
    return text(60)(name or code), code


# --- columns --------------------------------------------------------------------------------------------------------
AMOUNT = decimal(Decimal("99999999999.999"))
PERCENT = decimal(Decimal(100))

PRODUCT: dict[str, tuple[str, Callable[[str], Any]]] = {  # column: field, reader
    "name": ("name", text(200)),
    "type": ("type", choice("physical", "digital", "bundle")),
    "active": ("active", boolean),
    "short_description": ("short_description", text(500)),
    "description": ("description", text(MAX_CELL)),
    "tags": ("tags", entries(60)),
    "hsn_code": ("hsn_code", text(8)),
    "weight": ("weight", whole(0)),
    "seo_title": ("seo_title", text(200)),
    "seo_description": ("seo_description", text(500)),
    "seo_keywords": ("seo_keywords", entries(60)),
}
RELATED: dict[str, Callable[[str], Any]] = {
    "brand": text(120),
    "categories": entries(500, branch),
    "images": entries(500, web_address),
    "media": entries(500, source),
    "components": entries(420, component),
}
VARIANT: dict[str, tuple[str, Callable[[str], Any]]] = {
    "sku": ("sku", text(64)),
    "variant_name": ("name", text(200)),
    "variant_weight": ("weight", whole(0)),
    "variant_active": ("active", boolean),
    "variant_default": ("is_default", boolean),
    "variant_order": ("sort_order", whole(-(2**31), 2**31 - 1)),
}
STOCK: dict[str, Callable[[str], Any]] = {"tracked": boolean, "on_hand": whole(0), "backorder": boolean}
ON_HAND = "on_hand"  # with a colon and the name of a location behind it, elsewhere than in the default one
FACTS = ("attribute", "variant_attribute")  # before the colon
PRICE: dict[str, tuple[str, Callable[[str], Any]]] = {  # before the colon
    "price": ("selling_price", AMOUNT),
    "listing": ("listing_price", AMOUNT),
    "cost": ("cost_price", AMOUNT),
    "tax_included": ("price_including_tax", boolean),
    "tax_rate": ("tax_rate", PERCENT),
    "min_quantity": ("min_quantity", whole(1)),
    "max_quantity": ("max_quantity", whole(1)),
    "step": ("step", whole(1)),
    "handling": ("handling_charge", AMOUNT),
    "handling_tax": ("handling_tax_rate", PERCENT),
}
EMPTY: dict[str, Any] = {  # what `!clear` leaves, where that is possible
    "short_description": "",
    "description": "",
    "tags": [],
    "hsn_code": "",
    "seo_title": "",
    "seo_description": "",
    "seo_keywords": [],
    "brand": "",
    "categories": [],
    "images": [],
    "media": [],
    "components": [],
    "sku": "",
    "variant_name": "",
    "weight": 0,
    "variant_weight": None,
    "cost": None,
    "max_quantity": None,
}


@dataclass(slots=True)
class Row:
    """One variant, as far as the file says anything of it."""

    number: int
    product: str
    variant: str = ""
    product_fields: dict[str, Any] = field(default_factory=dict)
    related: dict[str, Any] = field(default_factory=dict)
    variant_fields: dict[str, Any] = field(default_factory=dict)
    options: dict[str, tuple[str, str]] = field(default_factory=dict)  # attribute key: name, code
    stock: dict[str, Any] = field(default_factory=dict)
    facts: dict[tuple[bool, str], str] = field(default_factory=dict)  # whether the variant's own, attribute key: cell
    places: dict[str, int] = field(default_factory=dict)  # units by location name; "" is the default one
    prices: dict[str, dict[str, Any] | None] = field(default_factory=dict)  # group slug: fields, None removes


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What columns may name behind their colon."""

    groups: frozenset[str] = frozenset()  # slugs
    options: frozenset[str] = frozenset()  # keys
    locations: frozenset[str] = frozenset()  # names
    attributes: frozenset[str] = frozenset()  # keys


def check_columns(names: Sequence[str], *, known: Vocabulary) -> None:
    """Refuses a file whose columns mean nothing: a slip there would lose a whole column in silence."""
    if "product" not in names:
        raise BadCell(_("The file has no column “product”."), "product")
    if len(names) > MAX_COLUMNS:
        raise BadCell(_("The file has more than %(count)d columns.") % {"count": MAX_COLUMNS})
    for name in names:
        if names.count(name) > 1:
            raise BadCell(_("This column occurs twice."), name)
        _check_column(name, known)


def _check_column(name: str, known: Vocabulary) -> None:
    kind, colon, of = name.partition(":")
    if colon and kind in PRICE:
        if of not in known.groups:
            raise BadCell(_("There is no such customer group."), name)
    elif colon and kind == "option":
        if of not in known.options:
            raise BadCell(_("There is no such option."), name)
    elif colon and kind in FACTS:
        if of not in known.attributes:
            raise BadCell(_("There is no such attribute."), name)
    elif colon and kind == ON_HAND:
        if of not in known.locations:
            raise BadCell(_("There is no such location."), name)
    elif name not in {"product", "variant", *PRODUCT, *RELATED, *VARIANT, *STOCK}:
        raise BadCell(_("There is no such column."), name)


def parse(cells: Mapping[str, str], number: int) -> Row:
    """The row behind these cells, empty ones left out. Raises BadCell with the column at fault."""
    row = Row(number, _value("product", slug, cells.get("product", "")), "")
    if cells.get("variant"):
        row.variant = _value("variant", slug, cells["variant"])
    for name, value in cells.items():
        kind, colon, of = name.partition(":")
        if name in {"product", "variant"}:
            continue
        if name in PRODUCT:
            row.product_fields[PRODUCT[name][0]] = _value(name, PRODUCT[name][1], value)
        elif name in RELATED:
            row.related[name] = _value(name, RELATED[name], value)
        elif name in VARIANT:
            row.variant_fields[VARIANT[name][0]] = _value(name, VARIANT[name][1], value)
        elif colon and kind in FACTS:
            row.facts[kind == FACTS[1], of] = value if value == CLEAR else _value(name, text(5000), value)
        elif kind == ON_HAND:
            row.places[of] = _value(name, STOCK[ON_HAND], value)
        elif name in STOCK:
            row.stock[name] = _value(name, STOCK[name], value)
        elif colon and kind == "option":
            row.options[of] = _value(name, colour, value)
        elif kind == "price" and value == CLEAR:
            row.prices[of] = None
        elif row.prices.get(of, {}) is not None:
            fields = row.prices.setdefault(of, {})
            assert fields is not None
            fields[PRICE[kind][0]] = _value(name, PRICE[kind][1], value, kind)
    return row


def _value(column: str, read: Callable[[str], Any], value: str, kind: str = "") -> Any:
    if value == CLEAR:
        if (kind or column) not in EMPTY:
            raise BadCell(_("This cannot be emptied."), column)
        return EMPTY[kind or column]
    checked(value, column)
    try:
        return read(value if column.partition(":")[0] in _VERBATIM else value.strip())
    except BadCell as error:
        raise BadCell(error.message, column) from error
