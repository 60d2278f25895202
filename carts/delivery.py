"""Reads of what the FULFILLMENT plug knows about a cart. Nothing here is written, and nothing is locked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

from storefront.contracts import Shopper, Sku
from storefront.errors import Invalid
from storefront.models import Store
from storefront.places import valid_pincode
from storefront.plugs import has, plug

from . import selectors

NOBODY = {  # no app that delivers is installed
    "summary": {
        "collect_available": False,
        "deliver_available": False,
        "recommended_fulfillment_type": "delivery",
    },
    "collect": [],
    "deliver": {"is_serviceable": False, "free_shipping_threshold": None, "shipments": []},
}


def options(
    *, store: Store, shopper: Shopper, cart_id: str | None, now: datetime, kind: str | None, pincode: str | None
) -> Mapping[str, Any]:
    """How the cart's goods can be had, in the contract's words; of the shopper's current cart without `cart_id`.

    Costs a read of the cart and what the plug asks. Raises CartNotFound, CartExpired, Invalid for a pincode that is
    none, Unavailable.
    """
    where: dict[str, Any] = {"store": store, "shopper": shopper, "now": now}
    _check_pincode(store, pincode)
    priced = (
        selectors.cart_detail(**where, cart_id=cart_id)
        if cart_id
        else selectors.user_cart_detail(**where, user_id=shopper.user_id)
    )
    if not has("FULFILLMENT"):
        return NOBODY
    found: Mapping[str, Any] = plug("FULFILLMENT").options(priced.quote, pincode=pincode, kind=kind)
    return found


def serviceability(
    *,
    store: Store,
    shopper: Shopper,
    now: datetime,
    cart_id: str | None,
    skus: Sequence[Sku],
    pincode: str | None,
    kind: str | None,
) -> Mapping[str, Any]:
    """Whether these skus, one unit each, or the lines of a cart can be brought there or collected.

    Two queries for a cart, and what the plug asks. Raises CartNotFound, CartExpired, Invalid, Unavailable.
    """
    _check_pincode(store, pincode)
    wanted = dict.fromkeys(skus, 1)
    if cart_id is not None:
        cart = selectors.open_cart(store=store, shopper=shopper, cart_id=cart_id, now=now)
        wanted = {line.sku: line.quantity for line in selectors.lines(store=store, cart_id=cart.id)}
    if not has("FULFILLMENT"):
        return {"is_serviceable": False, "unserviceable_items": []}
    found: Mapping[str, Any] = plug("FULFILLMENT").serviceability(
        store.pk, wanted, pincode=pincode, kind=kind, group_id=shopper.group_id
    )
    return found


def as_older(found: Mapping[str, Any]) -> dict[str, Any]:
    """Options in the shape of older clients, who know one parcel: its methods stand below `deliver` itself. Of several
    parcels, the methods that all of them offer, at the sum of their amounts."""
    delivery = found.get("deliver")
    if delivery is None:
        return dict(found)
    shipments = delivery.get("shipments") or []
    methods = [{method["id"]: method for method in shipment["shipping_methods"]} for shipment in shipments]
    together = [
        _together([of_shipment[pk] for of_shipment in methods])
        for pk in (methods[0] if methods else {})
        if all(pk in of_shipment for of_shipment in methods)
    ]
    return {**found, "deliver": {**delivery, "shipping_methods": together}}


def _together(methods: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """One method over several parcels."""
    if len(methods) == 1:
        return methods[0]
    try:
        amount = str(sum(Decimal(method["shipping_amount"]) for method in methods))
    except (InvalidOperation, TypeError):  # a range: of the first parcel, better than nothing
        amount = methods[0]["shipping_amount"]
    return {**methods[0], "shipping_amount": amount, "courier_companies": []}


def _check_pincode(store: Store, pincode: str | None) -> None:
    if pincode is not None and not valid_pincode(str(store.countries[0]), pincode):
        raise Invalid(_("Enter a valid PIN code."), field="delivery_pincode")
