"""The one way in which a cart changes: read it, edit it, price what came out, look at the price, write.

Pricing may be slow (the catalogue, promotions, rates), so it runs before any lock. A cart's version tells whether
another write came between; then all of it is done again over what that one left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction

from storefront import events
from storefront.contracts import Sellable, Shopper, Sku
from storefront.errors import DomainError
from storefront.models import Store
from storefront.money import ZERO
from storefront.pricing import Quote

from . import selectors, sql
from .selectors import PricedCart
from .sql import CartRow, HeldLine

TRIES = 8  # without a lock; each one fails only because another write took effect


class Held(NamedTuple):
    """What a cart holds: its row with the wishes, and its lines, oldest first."""

    row: CartRow
    lines: Sequence[HeldLine]


Edit = Callable[[Held], Held]  # pure, for it may be called again; raises DomainError for what no cart can hold
Check = Callable[[Quote], None]  # raises DomainError when the edited cart's price says that it must not be
Survey = Callable[[Quote], None]  # looks at the cart as it is, priced but for what pays, before `edit` is called


def change(
    *,
    store: Store,
    shopper: Shopper,
    cart_id: str,
    now: datetime,
    edit: Edit,
    check: Check | None = None,
    survey: Survey | None = None,
) -> PricedCart:
    """Makes a cart what `edit` says and answers it priced. Moves its expiry on.

    Parallel changes of one cart all take effect, one after the other, each over the one before. A coupon that no longer
    counts afterwards is dropped, and `PricedCart.dropped` says why (D-31). Nothing is written when one of the functions
    raises. Five statements, those of the pricing steps, and one to three where lines change; up to TRIES times as many
    where other writes come between. Raises CartNotFound and CartExpired beside what the two raise.
    """
    where: dict[str, Any] = {"store": store, "shopper": shopper, "cart_id": cart_id, "now": now}
    known: Mapping[Sku, Sellable | None] = {}
    for _attempt in range(TRIES):
        before = _read(**where)
        if survey is not None:
            known = _surveyed(store, shopper, before, now, survey, known)
        after, priced = _edited(store, shopper, before, now, edit, check, known)
        with transaction.atomic():
            claimed = _write(store, before, after, now)
        if claimed is not None:
            return priced._replace(cart=claimed)
        known = priced.quote.sellables
    with transaction.atomic():  # a cart under such a rush of writes: wait for them, and price with the row locked
        before = _read(**where, lock=True)
        if survey is not None:
            known = _surveyed(store, shopper, before, now, survey, known)
        after, priced = _edited(store, shopper, before, now, edit, check, known)
        claimed = _write(store, before, after, now)
    assert claimed is not None, "the row was locked"
    return priced._replace(cart=claimed)


def accepted(wish: str, field: str) -> Check:
    """A check that this wish counts; else a refusal with the reason that the pricing steps gave, naming `field`."""

    def check(quote: Quote) -> None:
        refusal = quote.refusals.get(wish)
        if refusal is not None:
            raise DomainError(refusal.message, code=refusal.code, field=field)

    return check


def expiry(store: Store, now: datetime) -> datetime:
    """When a cart that is written to now will expire (D-18)."""
    return now + timedelta(days=store.cart_days)


def tell(store: Store, cart_id: str, user_id: str) -> None:
    """Sends `cart.updated` after commit. A listener that fails is logged and undoes nothing."""

    def send() -> None:  # a function, for Django names it in the log and cannot name a partial
        events.send("cart.updated", store=store, cart_id=cart_id, user_id=user_id)

    transaction.on_commit(send, robust=True)


def without_lapsed_coupon(priced: PricedCart) -> PricedCart:
    """The cart without a coupon that does not count; nothing of the price changes by that."""
    refusal = priced.quote.refusals.get("coupon")
    if refusal is None or not priced.cart.coupon_code:
        return priced
    left = {wish: found for wish, found in priced.quote.refusals.items() if wish != "coupon"}
    return PricedCart(
        priced.cart._replace(coupon_code=""), priced.quote._replace(coupon_code="", refusals=left), refusal
    )


def _read(*, store: Store, shopper: Shopper, cart_id: str, now: datetime, lock: bool = False) -> Held:
    row = selectors.open_cart(store=store, shopper=shopper, cart_id=cart_id, now=now, lock=lock)
    return Held(row, selectors.lines(store=store, cart_id=row.id))


def _surveyed(
    store: Store,
    shopper: Shopper,
    held: Held,
    now: datetime,
    survey: Survey,
    known: Mapping[Sku, Sellable | None],
) -> Mapping[Sku, Sellable | None]:
    """Answers what the catalogue said meanwhile, so that it isn't asked again."""
    row = held.row._replace(points_asked=0, credit_asked=ZERO, gift_card_id="")
    priced = selectors.price_cart(store=store, shopper=shopper, cart=row, lines=held.lines, now=now, sellables=known)
    survey(priced.quote)
    return priced.quote.sellables


def _edited(
    store: Store,
    shopper: Shopper,
    before: Held,
    now: datetime,
    edit: Edit,
    check: Check | None,
    known: Mapping[Sku, Sellable | None],
) -> tuple[Held, PricedCart]:
    row, lines = edit(before)
    row = row._replace(expires_at=expiry(store, now))
    priced = selectors.price_cart(store=store, shopper=shopper, cart=row, lines=lines, now=now, sellables=known)
    if check is not None:
        check(priced.quote)
    priced = without_lapsed_coupon(priced)
    return Held(priced.cart, lines), priced


def _write(store: Store, before: Held, after: Held, now: datetime) -> CartRow | None:
    """None when somebody else wrote since `before`; nothing is written then."""
    claimed = sql.claim(store_id=store.pk, before=before.row, after=after.row, now=now)
    if claimed is None:
        return None
    if before.lines is not after.lines:
        _write_lines(store, claimed.id, before.lines, after.lines)
    tell(store, claimed.id, claimed.user_id)
    return claimed


def _write_lines(store: Store, cart_id: str, before: Sequence[HeldLine], after: Sequence[HeldLine]) -> None:
    where = {"store_id": store.pk, "cart_id": cart_id}
    held = {line.pk: line for line in before}
    gone = held.keys() - {line.pk for line in after}
    if gone:
        sql.delete_lines(**where, pks=sorted(gone))
    for line in after:
        if line.pk and line.quantity != held[line.pk].quantity:
            sql.set_line(**where, pk=line.pk, quantity=line.quantity)
    new = [line for line in after if not line.pk]
    if new:
        sql.insert_lines(**where, lines=new)
