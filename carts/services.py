"""Writes of carts. What may be slow (the catalogue, other pricing steps) runs first; then one short locked section."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from storefront import events
from storefront.contracts import Shopper, Sku
from storefront.ids import new_id
from storefront.models import Store

from . import rules, selectors, sql
from .errors import CartExpired, CartNotFound, TooManyLines
from .models import Cart, CartLine
from .selectors import PricedCart
from .sql import CartRow, HeldLine


def create_cart(
    *,
    store: Store,
    shopper: Shopper,
    items: Sequence[tuple[Sku, int]],
    metadata: Mapping[str, str] | None = None,
    customer_note: str = "",
    now: datetime,
) -> PricedCart:
    """A new cart, which becomes the shopper's current one; older ones stay until they expire.

    A sku named twice is wanted twice: the quantities add up. Raises ProductNotFound and the refusals of
    `rules.refusal`, naming the last of the items that the sku was given by. Four statements and the catalogue's.
    """
    wanted: dict[Sku, HeldLine] = {}
    position: dict[Sku, int] = {}
    for index, (sku, quantity) in enumerate(items):
        before = wanted[sku].quantity if sku in wanted else 0
        wanted[sku], position[sku] = HeldLine(0, sku, before + quantity), index
    cart = CartRow(
        id=new_id(),
        user_id=shopper.user_id,
        version=1,
        expires_at=_expiry(store, now),
        metadata=dict(metadata or {}),
        customer_note=customer_note,
        billing_address=None,
        shipping_address=None,
    )
    priced = selectors.price_cart(store=store, shopper=shopper, cart=cart, lines=wanted.values(), now=now)
    for sku, line in wanted.items():
        path = f"items.{position[sku]}"
        refused = rules.refusal(
            priced.quote.sellables.get(sku),
            line.quantity,
            field=f"{path}.quantity",
            variant_field=f"{path}.variant_id",
        )
        if refused is not None:
            raise refused
    # Nothing below is refused, so an outer transaction (an idempotency record's) needs no savepoint to go back to.
    with transaction.atomic(savepoint=False):
        sql.insert_cart(store_id=store.pk, cart=cart, channel_id=shopper.channel_id or "", now=now)
        sql.insert_lines(store_id=store.pk, cart_id=cart.id, lines=list(wanted.values()))
        _tell(store, cart.id)
    return priced


def set_quantity(*, store: Store, shopper: Shopper, cart_id: str, sku: Sku, quantity: int, now: datetime) -> PricedCart:
    """Makes the cart hold exactly `quantity` units of `sku`; 0 removes the line. The answer is the cart as it is then.

    Repeating a call changes nothing, and parallel calls on one cart all take effect. Stock is claimed by the order, not
    here. Raises CartNotFound, CartExpired, ProductNotFound, TooManyLines and the refusals of `rules.refusal`. Six
    statements and the catalogue's; up to three more where another write came between.
    """
    cart = selectors.open_cart(store=store, shopper=shopper, cart_id=cart_id, now=now)
    held = selectors.lines(store=store, cart_id=cart_id)
    changed = _changed(held, sku, quantity)
    priced = selectors.price_cart(store=store, shopper=shopper, cart=cart, lines=changed, now=now)
    if quantity:
        refused = rules.refusal(priced.quote.sellables.get(sku), quantity, field="quantity")
        if refused is not None:
            raise refused
    expires_at = _expiry(store, now)
    with transaction.atomic():
        claimed = sql.claim(store_id=store.pk, cart=cart, expires_at=expires_at, now=now)
        untouched = claimed is not None
        if claimed is None:  # another write came first: read what it left, with the row locked
            cart = selectors.open_cart(store=store, shopper=shopper, cart_id=cart_id, now=now, lock=True)
            held = selectors.lines(store=store, cart_id=cart_id)
            changed = _changed(held, sku, quantity)
            claimed = sql.claim(store_id=store.pk, cart=cart, expires_at=expires_at, now=now) or cart
        _write(store, cart_id, held, sku, quantity)
        _tell(store, cart_id)
    if untouched:
        return PricedCart(claimed, priced.quote)
    return selectors.price_cart(
        store=store, shopper=shopper, cart=claimed, lines=changed, now=now, sellables=priced.quote.sellables
    )


def delete_cart(*, store: Store, shopper: Shopper, cart_id: str, now: datetime) -> None:
    """The cart is gone, and the next read is CartNotFound (D-17). Raises CartNotFound, CartExpired."""
    with transaction.atomic():
        selectors.open_cart(store=store, shopper=shopper, cart_id=cart_id, now=now, lock=True)
        _delete([cart_id])


def delete_user_carts(*, store: Store, shopper: Shopper, user_id: str, now: datetime) -> None:
    """All open carts of the shopper are gone: the one before the current cart must not come back in its place.

    Raises CartNotFound, CartExpired.
    """
    if user_id != shopper.user_id:
        raise CartNotFound
    with transaction.atomic():
        carts = list(selectors.open_carts(store=store, user_id=user_id).select_for_update().order_by("pk"))
        if not any(cart.expires_at > now for cart in carts):
            raise CartExpired if carts else CartNotFound
        _delete([cart.pk for cart in carts])


# --- what other apps tell -------------------------------------------------------------------------------------------
def merge_carts(*, store: Store, from_user_id: str, to_user_id: str, strategy: str, **_: Any) -> None:
    """A visitor logged in to an account: the cart that they hold keeps its id and becomes the account's (D-21).

    `strategy` decides what is in it: `merge` unites the lines, the larger quantity winning; `guest_wins` keeps the
    visitor's, `account_wins` the account's. An empty cart wins over nothing. The account's own open carts are deleted,
    so that the one cart is current. Runs in the login's transaction; repeating it changes nothing; parallel logins to
    one account take turns, and carts are locked in the order of their ids. Quantities are not checked against rules
    here: the next read says what cannot be bought.
    """
    if from_user_id == to_user_id:
        return
    now = timezone.now()
    with transaction.atomic():
        _take_turns("cart-merge", store.pk, to_user_id)
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
        if accounts:
            _unite(store, cart, accounts[-1], strategy)
            _delete([cart.pk for cart in accounts])
        cart.user_id = to_user_id
        cart.version += 1
        cart.expires_at, cart.modified_at = _expiry(store, now), now
        cart.save(force_update=True)
        _tell(store, cart.pk)


def erase_carts(*, store: Store, user_id: str, **_: Any) -> None:
    """A shopper's personal data must go (D-14): open carts are deleted, those of orders lose what names a person."""
    with transaction.atomic():
        carts = selectors.open_carts(store=store, user_id=user_id).select_for_update().order_by("pk")
        _delete([cart.pk for cart in carts])
        Cart.objects.filter(store=store, user_id=user_id).update(
            billing_address=None, shipping_address=None, customer_note="", metadata={}
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
        _delete([cart.pk for cart in rows])


# --- helpers --------------------------------------------------------------------------------------------------------
def _expiry(store: Store, now: datetime) -> datetime:
    return now + timedelta(days=store.cart_days)


def _changed(held: list[HeldLine], sku: Sku, quantity: int) -> list[HeldLine]:
    """The lines with `sku` at `quantity`, where it stood or else at the end. Raises TooManyLines."""
    changed = [line if line.sku != sku else line._replace(quantity=quantity) for line in held]
    if quantity == 0:
        return [line for line in changed if line.quantity]
    if not any(line.sku == sku for line in held):
        if len(held) >= rules.MAX_LINES:
            raise TooManyLines(field="product_id")
        changed.append(HeldLine(0, sku, quantity))
    return changed


def _write(store: Store, cart_id: str, held: list[HeldLine], sku: Sku, quantity: int) -> None:
    """Sets one line of a cart that the caller has claimed: at most one statement."""
    where = {"store_id": store.pk, "cart_id": cart_id}
    line = next((line for line in held if line.sku == sku), None)
    if line is None:
        if quantity:
            sql.insert_lines(**where, lines=[HeldLine(0, sku, quantity)])
    elif quantity:
        sql.set_line(**where, pk=line.pk, quantity=quantity)
    else:
        sql.delete_line(**where, pk=line.pk)


def _rows(store: Store, cart: Cart, lines: Iterable[HeldLine]) -> list[CartLine]:
    return [CartLine(store=store, cart=cart, **line.sku._asdict(), quantity=line.quantity) for line in lines]


def _delete(cart_ids: Sequence[str]) -> None:
    """Deletes carts that the caller has locked, lines first. A lock keeps lines from being added meanwhile."""
    if cart_ids:
        CartLine.objects.filter(cart__in=cart_ids).delete()
        Cart.objects.filter(pk__in=cart_ids).delete()


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
        for name in ("metadata", "customer_note", "billing_address", "shipping_address"):
            setattr(cart, name, getattr(account, name))
        return
    quantities = {line.sku: line.quantity for line in own}
    larger = [line for line in other if line.quantity > quantities.get(line.sku, 0)]
    CartLine.objects.bulk_create(
        _rows(store, cart, larger),
        update_conflicts=True,
        unique_fields=["cart", "product_id", "variant_id"],
        update_fields=["quantity"],
    )
    cart.metadata = {**account.metadata, **cart.metadata}
    cart.customer_note = cart.customer_note or account.customer_note
    cart.billing_address = cart.billing_address or account.billing_address
    cart.shipping_address = cart.shipping_address or account.shipping_address


def _take_turns(*names: str) -> None:
    """Makes transactions with these names follow one another. SQLite has one writer at a time anyway."""
    if connection.vendor == "postgresql":
        digest = hashlib.sha256("\x1f".join(names).encode()).digest()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], "big", signed=True)])


def _tell(store: Store, cart_id: str) -> None:
    """Sends `cart.updated` after commit. A listener that fails is logged and undoes nothing."""

    def tell() -> None:  # a function, for Django names it in the log and cannot name a partial
        events.send("cart.updated", store=store, cart_id=cart_id)

    transaction.on_commit(tell, robust=True)
