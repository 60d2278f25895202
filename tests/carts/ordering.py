"""An order as far as carts and claims go: what an app of orders does at the moment of truth, in a few lines.

It prices the cart outside any lock, then locks it, refuses if it moved, takes what is scarce and closes the cart: one
transaction. Nothing of an order is kept but its id, the owner of the claims.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction

from carts import rules, selectors
from carts.errors import OutOfStock
from carts.models import Cart
from storefront import claims
from storefront.contracts import Shopper, Sku
from storefront.errors import DomainError
from storefront.ids import new_id
from storefront.models import Store
from storefront.pricing import Quote


class CartMoved(DomainError):
    """Somebody wrote to the cart after it was priced."""

    code = "cart_moved"


class Placed(NamedTuple):
    order_id: str
    quote: Quote  # frozen: what the order costs and takes


def place(
    *,
    store: Store,
    shopper: Shopper,
    cart_id: str,
    now: datetime,
    ready: bool = False,
    meanwhile: Callable[[], None] = lambda: None,
) -> Placed:
    """Raises CartNotFound, CartMoved, OutOfStock, and what the claims refuse; nothing is taken then.

    `ready` also wants addresses and a way of delivery. `meanwhile` runs between pricing and locking.
    """
    priced = selectors.cart_detail(store=store, shopper=shopper, cart_id=cart_id, now=now)
    problems = rules.readiness(priced.quote) if ready else priced.quote.problems
    if problems:
        raise OutOfStock(rules.problem_text(problems[0]), code=problems[0].code.removeprefix("item_"))
    meanwhile()
    order_id = new_id()
    with transaction.atomic():
        row = selectors.open_cart(store=store, shopper=shopper, cart_id=cart_id, now=now, lock=True)
        if row.version != priced.cart.version:
            raise CartMoved
        claims.hold(store_id=store.pk, claims=claims.of_quote(priced.quote, owner=order_id))
        Cart.objects.filter(store=store, pk=cart_id).update(closed_at=now, version=row.version + 1)
    return Placed(order_id, priced.quote)


def pay(*, store: Store, order_id: str) -> None:
    claims.confirm(store_id=store.pk, owner=order_id)


def cancel(*, store: Store, order_id: str) -> None:
    """It was never paid, and will not be."""
    claims.release(store_id=store.pk, owner=order_id)


def call_off(*, store: Store, order_id: str) -> None:
    """Whether or not it was paid."""
    claims.give_back(store_id=store.pk, owner=order_id)


def send_back(*, store: Store, order: Placed, returned: Mapping[Sku, int]) -> None:
    """Some of its lines came back: so many units of each in all. Goods return, the coupon does not."""
    parts = []
    left = dict(returned)
    for claim in claims.of_quote(order.quote, owner=order.order_id):
        if claim.resource == claims.STOCK:
            sku, _location = claims.read_stock_key(claim.key)
            units = min(left.get(sku, 0), int(claim.amount))
            left[sku] = left.get(sku, 0) - units
            parts.append(replace(claim, amount=Decimal(units)))
    claims.give_back(store_id=store.pk, owner=order.order_id, parts=parts)
