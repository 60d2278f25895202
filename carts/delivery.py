"""Reads of what the FULFILLMENT plug knows about a cart. Nothing here is written, and nothing is locked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from storefront.contracts import Shopper, Sku
from storefront.models import Store
from storefront.plugs import has, plug

from . import selectors
from .selectors import PricedCart

_NO_WAY = {"collect_available": False, "deliver_available": False, "recommended_fulfillment_type": "delivery"}


def options(*, store: Store, shopper: Shopper, cart_id: str, now: datetime, kind: str | None) -> Mapping[str, Any]:
    """How the cart's goods can be had, in the contract's words: no way where no app delivers.

    Costs a read of the cart and what the plug asks. Raises CartNotFound, CartExpired, Unavailable.
    """
    priced = selectors.cart_detail(store=store, shopper=shopper, cart_id=cart_id, now=now)
    if not has("FULFILLMENT"):
        nobody: dict[str, Any] = {"is_serviceable": False, "free_shipping_threshold": None, "shipments": []}
        return {"summary": _NO_WAY, "collect": [], "deliver": nobody}
    found: Mapping[str, Any] = plug("FULFILLMENT").options(priced.quote, pincode=None, kind=kind)
    return found


def older_options(
    *, store: Store, shopper: Shopper, cart_id: str | None, now: datetime, pincode: str | None
) -> Mapping[str, Any]:
    """The same as older clients ask: for a pincode, and for the shopper's current cart when they name none.

    Raises Invalid, too, for a pincode that is none.
    """
    priced: PricedCart = (
        selectors.cart_detail(store=store, shopper=shopper, cart_id=cart_id, now=now)
        if cart_id
        else selectors.user_cart_detail(store=store, shopper=shopper, user_id=shopper.user_id, now=now)
    )
    if not has("FULFILLMENT"):
        return {"summary": _NO_WAY, "collect": [], "deliver": {"is_serviceable": False, "shipping_methods": []}}
    found: Mapping[str, Any] = plug("FULFILLMENT").older_options(priced.quote, pincode=pincode)
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
