"""A `FulfillmentPreference` as a client sends it or a cart keeps it, read and checked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from django.utils.translation import gettext as _

from storefront.contracts import Sku
from storefront.errors import Invalid

DELIVERY, COLLECT, PARTIAL = "delivery", "collect-in-store", "partial-collect-and-delivery"
USER, AUTO = "user", "auto"
MAX_ROWS = 500
MAX_UNITS = 1_000_000


@dataclass(frozen=True, slots=True)
class Way:
    """A method, and a courier of it ("" to leave that open)."""

    method_id: str
    courier: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """`ways` are by shipment id when all is delivered. A partial wish has one way for what it delivers."""

    kind: str
    ways: Mapping[str, Way] | None = None
    pickup_location_id: str = ""
    collected: Mapping[Sku, int] | None = None
    delivered: Mapping[Sku, int] | None = None
    way: Way | None = None


def read(data: Any) -> Wish:
    """Any JSON value as a wish; what only the server says (names, `preference_type`) is ignored.

    Raises Invalid naming the first field that is wrong.
    """
    if not isinstance(data, Mapping):
        _wrong("fulfillment_type", _("This field is required."))
    kind = data.get("fulfillment_type")
    if kind == COLLECT:
        return Wish(COLLECT, pickup_location_id=_text(data, "pickup_location_id"))
    if kind == DELIVERY:
        ways: dict[str, Way] = {}
        for index, row in enumerate(_rows(data, "shipments")):
            at = f"shipments.{index}"
            pk = _text(row, "id", at)
            if pk in ways:
                _wrong(f"{at}.id", _("Each shipment can be named once."))
            ways[pk] = _way(row, at)
        return Wish(DELIVERY, ways=ways)
    if kind == PARTIAL:
        collect, deliver = _part(data, COLLECT), _part(data, DELIVERY)
        return Wish(
            PARTIAL,
            pickup_location_id=_text(collect, "pickup_location_id", COLLECT),
            collected=_items(collect, COLLECT),
            way=_way(deliver, DELIVERY),
            delivered=_items(deliver, DELIVERY),
        )
    _wrong("fulfillment_type", _("Use one of: %(names)s.") % {"names": f"{DELIVERY}, {COLLECT}, {PARTIAL}"})


def _wrong(field: str, message: str) -> NoReturn:
    raise Invalid(message, field=field)


def _path(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _text(data: Mapping[str, Any], name: str, at: str = "", *, optional: bool = False) -> str:
    value = data.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # couriers may have numbers for ids
    if optional and (value is None or value == ""):
        return ""
    if not isinstance(value, str) or not value or len(value) > 100:
        _wrong(_path(at, name), _("This field is required.") if value in (None, "") else _("Not a valid id."))
    return value


def _way(data: Mapping[str, Any], at: str) -> Way:
    return Way(_text(data, "shipping_provider_id", at), _text(data, "courier_company_id", at, optional=True))


def _part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    if not isinstance(value, Mapping):
        _wrong(name, _("This field is required.") if value is None else _("Use an object."))
    return value


def _rows(data: Mapping[str, Any], name: str, at: str = "") -> list[Mapping[str, Any]]:
    value = data.get(name)
    path = _path(at, name)
    if not isinstance(value, list) or not value:
        _wrong(path, _("Name at least one."))
    if len(value) > MAX_ROWS:
        _wrong(path, _("Too many entries."))
    for index, row in enumerate(value):
        if not isinstance(row, Mapping):
            _wrong(f"{path}.{index}", _("Use an object."))
    return value


def _items(data: Mapping[str, Any], at: str) -> dict[Sku, int]:
    found: dict[Sku, int] = {}
    for index, row in enumerate(_rows(data, "items", at)):
        here = f"{at}.items.{index}"
        sku = Sku(_text(row, "product_id", here), _text(row, "variant_id", here, optional=True))
        quantity = row.get("quantity")
        if isinstance(quantity, bool) or not isinstance(quantity, int | float) or not 1 <= quantity <= MAX_UNITS:
            _wrong(f"{here}.quantity", _("Enter a whole number."))
        if quantity != int(quantity):
            _wrong(f"{here}.quantity", _("Enter a whole number."))
        found[sku] = found.get(sku, 0) + int(quantity)
    return found
