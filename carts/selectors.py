"""Reads of carts. A cart is found only by its owner in its store; everyone else gets the same CartNotFound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.apps import apps
from django.db.models import QuerySet

from storefront import provided
from storefront.contracts import Offer, Sellable, Shopper, Sku
from storefront.models import Store
from storefront.plugs import has, plug, plug_list
from storefront.pricing import Line, Problem, Quote, Refusal, price

from . import sql
from .errors import AddressNotFound, CartExpired, CartNotFound
from .models import Cart
from .sql import CartRow, HeldLine


class PricedCart(NamedTuple):
    """A cart with what it costs now. `quote.lines` are its lines, oldest first, then gifts."""

    cart: CartRow
    quote: Quote
    dropped: Refusal | None = None  # why the coupon that it had is gone (D-31)


def open_carts(*, store: Store, user_id: str) -> QuerySet[Cart]:
    """The carts of a shopper that have not become orders, expired ones included."""
    return Cart.objects.filter(store=store, user_id=user_id, closed_at=None)


def open_cart(*, store: Store, shopper: Shopper, cart_id: str, now: datetime, lock: bool = False) -> CartRow:
    """One query. `lock` holds the row until the end of the transaction. Raises CartNotFound, CartExpired."""
    found = sql.open_cart(store_id=store.pk, user_id=shopper.user_id, cart_id=cart_id, lock=lock)
    if found is None:
        raise CartNotFound
    if found.expires_at <= now:
        raise CartExpired
    return found


def current_cart(*, store: Store, shopper: Shopper, user_id: str, now: datetime) -> CartRow:
    """The shopper's newest cart that still lives: one query, two when there is none. Raises as `open_cart`."""
    if user_id != shopper.user_id:
        raise CartNotFound
    found = sql.newest_open_cart(store_id=store.pk, user_id=user_id, now=now)
    if found is None:
        raise CartExpired if open_carts(store=store, user_id=user_id).exists() else CartNotFound
    return found


def lines(*, store: Store, cart_id: str) -> list[HeldLine]:
    """The lines of a cart, oldest first: one query."""
    return sql.lines(store_id=store.pk, cart_id=cart_id)


def price_cart(
    *,
    store: Store,
    shopper: Shopper,
    cart: CartRow,
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
        cart_id=cart.id,
        channel_id=cart.channel_id or None,
        now=now,
        lines=tuple([Line(line.sku, line.quantity) for line in lines]),
        sellables=sellables or {},
        coupon_code=cart.coupon_code,
        points_asked=cart.points_asked,
        credit_asked=cart.credit_asked,
        gift_card_id=cart.gift_card_id,
        billing_address=cart.billing_address,
        shipping_address=cart.shipping_address,
        fulfillment=cart.fulfillment,
    )
    priced = price(quote, plug_list("PRICING_STEPS"))
    if not store.guest_orders and not shopper.is_logged_in:  # D-10
        priced = priced._replace(problems=(*priced.problems, Problem("login_required")))
    else:
        priced = priced._replace(problems=(*priced.problems, *_document_problems(store, shopper, now)))
    return PricedCart(cart, priced)


def _document_problems(store: Store, shopper: Shopper, now: datetime) -> tuple[Problem, ...]:
    """The documents without which the store takes no order (D-43). One query, none where it does not ask for any.

    A visitor can give none before they log in.
    """
    missing = provided.ask("kyc_missing", default=(), store=store, customer_id=shopper.customer_id, now=now)
    if missing and not shopper.is_logged_in:
        return (Problem("login_required"),)
    return tuple(Problem("document_missing", title) for title in missing)


def cart_detail(*, store: Store, shopper: Shopper, cart_id: str, now: datetime) -> PricedCart:
    """The cart with today's prices: two queries and the catalogue's, however many lines."""
    cart = open_cart(store=store, shopper=shopper, cart_id=cart_id, now=now)
    return price_cart(store=store, shopper=shopper, cart=cart, lines=lines(store=store, cart_id=cart.id), now=now)


def user_cart_detail(*, store: Store, shopper: Shopper, user_id: str, now: datetime) -> PricedCart:
    """The same for the shopper's current cart."""
    cart = current_cart(store=store, shopper=shopper, user_id=user_id, now=now)
    return price_cart(store=store, shopper=shopper, cart=cart, lines=lines(store=store, cart_id=cart.id), now=now)


def book_address(*, store: Store, shopper: Shopper, address_id: str) -> Mapping[str, Any]:
    """An address of the shopper's own customer, in the contract's shape: one query. Raises AddressNotFound."""
    if not shopper.is_logged_in or shopper.customer_id is None or not apps.is_installed("customers"):
        raise AddressNotFound
    from customers import selectors as customers

    return customers.address(store=store, customer_id=shopper.customer_id, address_id=address_id, shopper=shopper)


def offers(*, store: Store, shopper: Shopper, cart_id: str, kind: str, now: datetime) -> Sequence[Offer]:
    """Every coupon or promotion that the shopper may see, against this cart; none where no app keeps any.

    A read of the cart and what the OFFERS plug asks. Raises CartNotFound, CartExpired.
    """
    priced = cart_detail(store=store, shopper=shopper, cart_id=cart_id, now=now)
    if not has("OFFERS"):
        return ()
    found: Sequence[Offer] = plug("OFFERS").evaluate(priced.quote, kind=kind)
    return found


def owner(*, store_id: str, user_id: str, is_logged_in: bool | None = None) -> Shopper:
    """Whose cart it is, without their token: one query where the shoppers are ours to ask, else none and nothing more is
    known of them. Whoever has an account counts as logged in, unless `is_logged_in` says."""
    customer_id, group_id = None, None
    if apps.is_installed("accounts"):
        from accounts.models import User

        users = User.objects.filter(store=store_id, pk=user_id)
        customer_id, group_id = users.values_list("customer_id", "customer__group_id").first() or (None, None)
    logged_in = customer_id is not None if is_logged_in is None else is_logged_in
    return Shopper(
        store_id=store_id,
        user_id=user_id,
        customer_id=customer_id if logged_in else None,
        group_id=group_id,
        is_logged_in=logged_in,
        is_anonymous=not logged_in,
    )


def owners_view(*, cart: Cart, now: datetime) -> PricedCart:
    """Any cart as it would be priced for its owner now, for staff; expired and ordered ones too. Raises nothing.

    Three queries and those of the pricing steps.
    """
    shopper = owner(store_id=cart.store_id, user_id=cart.user_id)
    row = sql.row_of(cart)
    held = sql.lines(store_id=cart.store_id, cart_id=cart.pk)
    return price_cart(store=cart.store, shopper=shopper, cart=row, lines=held, now=now)


def expired_cart_ids(*, now: datetime, limit: int) -> Sequence[str]:
    """Carts of all stores that may be purged, longest expired first: one query.

    A cart closes when its order is made and is then no longer found here, so one that is being paid stays.
    """
    carts = Cart.objects.filter(closed_at=None, expires_at__lte=now).order_by("expires_at")
    return list(carts.values_list("pk", flat=True)[:limit])


def exported(*, store: Store, user_id: str, **_: Any) -> list[dict[str, Any]]:
    """The carts of a shopper as they are kept, for their own copy of their data: two queries."""
    carts = Cart.objects.filter(store=store, user_id=user_id).prefetch_related("lines").order_by("pk")
    names = ("metadata", "customer_note", "billing_address", "shipping_address", "coupon_code", "points_asked")
    return [
        {
            "id": cart.pk,
            "created_at": cart.created_at,
            "modified_at": cart.modified_at,
            **{name: getattr(cart, name) for name in names},
            "credit_asked": str(cart.credit_asked),
            "gift_card_last4": cart.gift_card_last4,
            "fulfillment": cart.fulfillment,
            "lines": [{**line.sku._asdict(), "quantity": line.quantity} for line in cart.lines.all()],
        }
        for cart in carts
    ]
