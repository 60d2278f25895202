"""Reads of carts. A cart is found only by its owner in its store; everyone else gets the same CartNotFound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import QuerySet

from storefront.contracts import Sellable, Shopper, Sku
from storefront.models import Store
from storefront.plugs import plug_list
from storefront.pricing import Line, Quote, price

from .errors import CartExpired, CartNotFound
from .models import Cart, CartLine


class HeldLine(NamedTuple):
    """A row of a cart, as light as it can be. `pk` is 0 for a line that is yet to be written."""

    pk: int
    sku: Sku
    quantity: int


@dataclass(frozen=True, slots=True)
class PricedCart:
    """A cart with what it costs now. `quote.lines` are its lines, oldest first, then gifts."""

    cart: Cart
    quote: Quote


def open_carts(*, store: Store, user_id: str) -> QuerySet[Cart]:
    """The carts of a shopper that have not become orders, expired ones included."""
    return Cart.objects.filter(store=store, user_id=user_id, closed_at=None)


def open_cart(*, store: Store, shopper: Shopper, cart_id: str, now: datetime, lock: bool = False) -> Cart:
    """One query. `lock` holds the row until the end of the transaction. Raises CartNotFound, CartExpired."""
    carts = open_carts(store=store, user_id=shopper.user_id).filter(pk=cart_id)
    found = list(carts.select_for_update() if lock else carts)
    if not found:
        raise CartNotFound
    if found[0].expires_at <= now:
        raise CartExpired
    return found[0]


def current_cart(*, store: Store, shopper: Shopper, user_id: str, now: datetime) -> Cart:
    """The shopper's newest cart that still lives: one query, two when there is none. Raises as `open_cart`."""
    if user_id != shopper.user_id:
        raise CartNotFound
    carts = open_carts(store=store, user_id=user_id)
    for cart in carts.filter(expires_at__gt=now).order_by("-pk")[:1]:
        return cart
    raise CartExpired if carts.exists() else CartNotFound


def lines(*, cart: Cart) -> list[HeldLine]:
    """The lines of a cart, oldest first: one query."""
    rows = CartLine.objects.filter(cart=cart).order_by("pk").values_list("pk", "product_id", "variant_id", "quantity")
    return [HeldLine(pk, Sku(product_id, variant_id), quantity) for pk, product_id, variant_id, quantity in rows]


def price_cart(
    *,
    store: Store,
    shopper: Shopper,
    cart: Cart,
    lines: Iterable[HeldLine],
    now: datetime,
    sellables: Mapping[Sku, Sellable | None] | None = None,
) -> PricedCart:
    """Runs the pricing steps over these lines; their queries only. What `sellables` holds is not asked for again."""
    quote = Quote(
        store_id=store.pk,
        currency=store.currency,
        group_id=shopper.group_id,
        customer_id=shopper.customer_id,
        user_id=shopper.user_id,
        is_logged_in=shopper.is_logged_in,
        now=now,
        lines=tuple([Line(line.sku, line.quantity) for line in lines]),
        sellables=sellables or {},
        shipping_address=cart.shipping_address,
    )
    return PricedCart(cart, price(quote, plug_list("PRICING_STEPS")))


def cart_detail(*, store: Store, shopper: Shopper, cart_id: str, now: datetime) -> PricedCart:
    """The cart with today's prices: two queries and the catalogue's, however many lines."""
    cart = open_cart(store=store, shopper=shopper, cart_id=cart_id, now=now)
    return price_cart(store=store, shopper=shopper, cart=cart, lines=lines(cart=cart), now=now)


def user_cart_detail(*, store: Store, shopper: Shopper, user_id: str, now: datetime) -> PricedCart:
    """The same for the shopper's current cart."""
    cart = current_cart(store=store, shopper=shopper, user_id=user_id, now=now)
    return price_cart(store=store, shopper=shopper, cart=cart, lines=lines(cart=cart), now=now)


def expired_cart_ids(*, now: datetime, limit: int) -> Sequence[str]:
    """Carts of all stores that may be purged, longest expired first: one query.

    A cart closes when its order is made and is then no longer found here, so one that is being paid stays.
    """
    carts = Cart.objects.filter(closed_at=None, expires_at__lte=now).order_by("expires_at")
    return list(carts.values_list("pk", flat=True)[:limit])
