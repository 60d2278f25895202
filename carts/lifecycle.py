"""What becomes of carts without their shopper's doing: logins, erasure, the end of their time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from storefront.errors import DomainError
from storefront.models import Store

from . import rules, selectors, sql
from .changes import expiry, tell
from .models import Cart, CartLine
from .services import delete_locked
from .sql import HeldLine

# Wishes that only make sense together: one cart's or the other's.
_TOGETHER = (
    ("customer_note",),
    ("billing_address", "shipping_address", "fulfillment"),
    ("coupon_code",),
    ("points_asked",),
    ("credit_asked",),
    ("gift_card_id", "gift_card_last4"),
)


def merge_carts(*, store: Store, from_user_id: str, to_user_id: str, strategy: str, **_: Any) -> None:
    """A visitor logged in to an account: the cart that they hold keeps its id and becomes the account's (D-21).

    `strategy` decides what is in it: `merge` unites the lines, the larger quantity winning, and the wishes, the
    visitor's winning, and leaves out the account's last lines where there would be more than MAX_LINES; `guest_wins`
    keeps the visitor's, `account_wins` the account's. An empty cart wins over nothing. All other open carts of both are
    deleted, so that the one cart is current and a repeat finds nothing more to unite. Runs in the login's transaction;
    repeating it changes nothing; parallel logins to one account take turns, and carts are locked in the order of their
    ids.
    Quantities are not checked against rules here: the next read says what cannot be bought. A coupon is looked at anew,
    for whose it is has changed, which prices the cart within the transaction: one that does not count is dropped.
    """
    if from_user_id == to_user_id:
        return
    now = timezone.now()
    with transaction.atomic():
        sql.take_turns("cart-merge", store.pk, to_user_id)
        carts = list(
            Cart.objects.select_for_update()
            .filter(store=store, user_id__in=(from_user_id, to_user_id), closed_at=None, expires_at__gt=now)
            .order_by("pk")
        )
        guests = [cart for cart in carts if cart.user_id == from_user_id]
        accounts = [cart for cart in carts if cart.user_id == to_user_id]
        if not guests:
            return
        cart = guests[-1]
        cart.user_id = to_user_id
        coupons = [cart.coupon_code]
        if accounts:
            _unite(store, cart, accounts[-1], strategy)
            coupons = [cart.coupon_code, accounts[-1].coupon_code if strategy == "merge" else ""]
        delete_locked([other.pk for other in carts if other is not cart])
        cart.coupon_code = _first_that_counts(store, cart, coupons, now)
        cart.version += 1
        cart.expires_at, cart.modified_at = expiry(store, now), now
        cart.save(force_update=True)
        tell(store, cart.pk, to_user_id)


def erase_carts(*, store: Store, user_id: str, **_: Any) -> None:
    """A shopper's personal data must go (D-14): open carts are deleted, those of orders lose what names a person."""
    with transaction.atomic():
        carts = selectors.open_carts(store=store, user_id=user_id).select_for_update().order_by("pk")
        delete_locked([cart.pk for cart in carts])
        Cart.objects.filter(store=store, user_id=user_id).update(
            billing_address=None,
            shipping_address=None,
            customer_note="",
            metadata={},
            gift_card_id="",
            gift_card_last4="",
        )


def purge_expired(*, now: datetime, batch: int, **_: Any) -> None:
    """Deletes up to `batch` expired carts. Safe to repeat and to run twice at once.

    A cart that someone writes to at this moment is left for the next time.
    """
    ids = selectors.expired_cart_ids(now=now, limit=batch)
    if not ids:
        return
    with transaction.atomic():
        rows = Cart.objects.filter(pk__in=ids, closed_at=None, expires_at__lte=now).order_by("pk")
        if connection.features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True)
        delete_locked([cart.pk for cart in rows])


# --- helpers --------------------------------------------------------------------------------------------------------
def _rows(store: Store, cart: Cart, lines: Iterable[HeldLine]) -> list[CartLine]:
    return [CartLine(store=store, cart=cart, **line.sku._asdict(), quantity=line.quantity) for line in lines]


def _unite(store: Store, cart: Cart, account: Cart, strategy: str) -> None:
    """Fills the visitor's cart as the strategy says. Both are locked; the caller saves `cart`."""
    own, other = (selectors.lines(store=store, cart_id=found.pk) for found in (cart, account))
    if not own and not other:
        return
    if own and other and strategy == "guest_wins":
        return
    if own and other and strategy == "account_wins":
        CartLine.objects.filter(cart=cart).delete()
        CartLine.objects.bulk_create(_rows(store, cart, other))
        for name in ("metadata", "customer_note", *sql.WISHES):
            setattr(cart, name, getattr(account, name))
        return
    quantities = {line.sku: line.quantity for line in own}
    more = [line for line in other if line.sku not in quantities][: max(0, rules.MAX_LINES - len(own))]
    larger = more + [line for line in other if line.quantity > quantities.get(line.sku, line.quantity)]
    CartLine.objects.bulk_create(
        _rows(store, cart, larger),
        update_conflicts=True,
        unique_fields=["cart", "product_id", "variant_id"],
        update_fields=["quantity"],
    )
    cart.metadata = {**account.metadata, **cart.metadata}
    for names in _TOGETHER:
        if not any(getattr(cart, name) for name in names):
            for name in names:
                setattr(cart, name, getattr(account, name))


def _first_that_counts(store: Store, cart: Cart, codes: Iterable[str], now: datetime) -> str:
    """The first of these coupons that counts for the cart's owner, logged in; "" when none does.

    When nobody can say, because what prices depend on does not answer, the first is kept: each read asks again.
    """
    wanted = [code for code in dict.fromkeys(codes) if code]
    if not wanted:
        return ""
    shopper = selectors.owner(store_id=store.pk, user_id=cart.user_id, is_logged_in=True)
    held = selectors.lines(store=store, cart_id=cart.pk)
    for code in wanted:
        row = sql.row_of(cart)._replace(coupon_code=code)
        try:
            priced = selectors.price_cart(store=store, shopper=shopper, cart=row, lines=held, now=now)
        except DomainError:
            return code
        if "coupon" not in priced.quote.refusals:
            return code
    return ""
