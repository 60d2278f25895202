"""Writes of carts. What may be slow (the catalogue, other pricing steps) runs first; then one short locked section."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from storefront import addresses, limits
from storefront.contracts import GiftCardFound, Sellable, Shopper, Sku
from storefront.errors import DomainError, Invalid
from storefront.ids import new_id
from storefront.models import Store
from storefront.money import rounded
from storefront.plugs import has, plug
from storefront.pricing import Quote

from . import rules, selectors, sql
from .changes import Check, Held, accepted, change, expiry, tell
from .errors import (
    CartExpired,
    CartNotFound,
    CouponNotFound,
    CreditNotAvailable,
    FulfillmentNotAvailable,
    GiftCardNotValid,
    PointsNotAvailable,
    TooManyLines,
)
from .models import Cart, CartLine
from .selectors import PricedCart
from .sql import CartRow, HeldLine

# What an address that is in no book has not.
NO_FLAGS = dict.fromkeys(("is_default_billing", "is_default_shipping", "is_phone_verified", "is_email_verified"), False)


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
        expires_at=expiry(store, now),
        channel_id=shopper.channel_id or "",
        metadata=dict(metadata or {}),
        customer_note=customer_note,
    )
    priced = selectors.price_cart(store=store, shopper=shopper, cart=cart, lines=wanted.values(), now=now)
    for sku, line in wanted.items():
        path = f"items.{position[sku]}"
        refused = rules.refusal(
            _sold(priced.quote, sku),
            line.quantity,
            field=f"{path}.quantity",
            variant_field=f"{path}.variant_id",
        )
        if refused is not None:
            raise refused
    # Nothing below is refused, so an outer transaction (an idempotency record's) needs no savepoint to go back to.
    with transaction.atomic(savepoint=False):
        sql.insert_cart(store_id=store.pk, cart=cart, now=now)
        sql.insert_lines(store_id=store.pk, cart_id=cart.id, lines=list(wanted.values()))
        tell(store, cart.id, cart.user_id)
    return priced


def set_quantity(*, store: Store, shopper: Shopper, cart_id: str, sku: Sku, quantity: int, now: datetime) -> PricedCart:
    """Makes the cart hold exactly `quantity` units of `sku`; 0 removes the line. The answer is the cart as it is then.

    Repeating a call changes nothing, and parallel calls on one cart all take effect. Stock is claimed by the order, not
    here. Raises CartNotFound, CartExpired, ProductNotFound, TooManyLines and the refusals of `rules.refusal`.
    """

    def edit(held: Held) -> Held:
        return held._replace(lines=_changed(held.lines, sku, quantity))

    def check(quote: Quote) -> None:
        refused = rules.refusal(_sold(quote, sku), quantity, field="quantity") if quantity else None
        if refused is not None:
            raise refused

    return change(store=store, shopper=shopper, cart_id=cart_id, now=now, edit=edit, check=check)


def delete_cart(*, store: Store, shopper: Shopper, cart_id: str, now: datetime) -> None:
    """The cart is gone, and the next read is CartNotFound (D-17). Raises CartNotFound, CartExpired."""
    with transaction.atomic():
        selectors.open_cart(store=store, shopper=shopper, cart_id=cart_id, now=now, lock=True)
        delete_locked([cart_id])


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
        delete_locked([cart.pk for cart in carts])


# --- wishes ---------------------------------------------------------------------------------------------------------
def set_coupon(*, store: Store, shopper: Shopper, cart_id: str, code: str, network: str, now: datetime) -> PricedCart:
    """The cart's one coupon, in place of any before it (D-26), in any spelling of its code (D-32).

    Codes that there are not are counted for the shopper and their network, and too many are TooManyRequests. Raises
    CartNotFound, CartExpired and whatever the pricing steps say against it, naming `coupon_code`.
    """
    brakes = [*limits.rules("coupon", store.pk, shopper.user_id), *limits.rules("coupon_network", store.pk, network)]
    limits.hit(brakes)
    guessed = False
    try:
        if not has("OFFERS"):
            selectors.open_cart(store=store, shopper=shopper, cart_id=cart_id, now=now)
            raise CouponNotFound(field="coupon_code")
        return _wish(
            *(store, shopper, cart_id, now),
            check=accepted("coupon", "coupon_code"),
            coupon_code=unicodedata.normalize("NFKC", code).strip().upper(),
        )
    except DomainError as error:
        guessed = error.code == CouponNotFound.code
        raise
    finally:
        if not guessed:
            limits.give_back(brakes)


def clear_coupon(*, store: Store, shopper: Shopper, cart_id: str, now: datetime) -> PricedCart:
    """Without a coupon nothing happens. Raises CartNotFound, CartExpired."""
    return _wish(store, shopper, cart_id, now, coupon_code="")


def set_points(*, store: Store, shopper: Shopper, cart_id: str, points: int, now: datetime) -> PricedCart:
    """How many loyalty points should pay, in place of any number before. 0 takes the wish back.

    Raises CartNotFound, CartExpired and what the pricing steps say against it.
    """
    field = "loyalty_point_redeemed"

    def check(quote: Quote) -> None:
        accepted("points", field)(quote)
        if points and not quote.points_redeemed:  # no step keeps points here
            raise PointsNotAvailable(field=field)

    return _wish(store, shopper, cart_id, now, check=check, points_asked=points)


def set_credit(*, store: Store, shopper: Shopper, cart_id: str, amount: Decimal, now: datetime) -> PricedCart:
    """How much store credit should pay, in the store's currency, in place of any amount before. 0 takes it back.

    Raises CartNotFound, CartExpired, Invalid for parts of the smallest unit, and what the pricing steps say against it.
    """
    field = "credit_balance_used"
    if rounded(amount, store.currency) != amount:
        raise Invalid(_("This is not an amount of money that can be paid."), field=field)

    def check(quote: Quote) -> None:
        accepted("credit", field)(quote)
        if amount and not quote.credit_used:
            raise CreditNotAvailable(field=field)

    return _wish(store, shopper, cart_id, now, check=check, credit_asked=amount)


def redeem_gift_card(
    *, store: Store, shopper: Shopper, cart_id: str, code: str, pin: str, network: str, now: datetime
) -> PricedCart:
    """Lets a gift card pay what points and credit leave, in place of any card before (D-38).

    Wrong codes and PINs all answer the same; they are counted for the shopper and their network, and too many are
    TooManyRequests. Raises CartNotFound and CartExpired, too.
    """
    selectors.open_cart(store=store, shopper=shopper, cart_id=cart_id, now=now)
    brakes = [
        *limits.rules("gift_card", store.pk, shopper.user_id),
        *limits.rules("gift_card_network", store.pk, network),
    ]
    limits.hit(brakes)
    if not has("GIFT_CARDS"):
        raise GiftCardNotValid(field="gift_card_code")
    try:
        found: GiftCardFound = plug("GIFT_CARDS").find(store.pk, code=code, pin=pin)
    except DomainError as error:
        error.errors = error.errors or {"gift_card_code": [error.message]}
        raise
    limits.give_back(brakes)
    return _wish(
        *(store, shopper, cart_id, now),
        check=accepted("gift_card", "gift_card_code"),
        gift_card_id=found.card_id,
        gift_card_last4=found.last4,
    )


def remove_gift_card(*, store: Store, shopper: Shopper, cart_id: str, now: datetime) -> PricedCart:
    """Without a card nothing happens. Raises CartNotFound, CartExpired."""
    return _wish(store, shopper, cart_id, now, gift_card_id="", gift_card_last4="")


def set_addresses(
    *,
    store: Store,
    shopper: Shopper,
    cart_id: str,
    now: datetime,
    ids: tuple[str, str] | None = None,
    typed: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None,
) -> PricedCart:
    """Billing and shipping address: two of the customer's own by their `ids`, or two typed ones.

    A copy is kept; later changes of the book do not reach the cart. Raises CartNotFound, CartExpired, AddressNotFound
    and Invalid naming fields as `billing_address.pincode`.
    """
    if ids is None:
        billing, shipping = _typed(store, typed or ({}, {}))
        return _wish(store, shopper, cart_id, now, billing_address=billing, shipping_address=shipping)
    found = {pk: selectors.book_address(store=store, shopper=shopper, address_id=pk) for pk in dict.fromkeys(ids)}
    priced = _wish(*(store, shopper, cart_id, now), billing_address=found[ids[0]], shipping_address=found[ids[1]])
    from customers import book

    book.used(store=store, customer_id=shopper.customer_id or "", address_ids=found, now=now)
    return priced


def set_preference(
    *, store: Store, shopper: Shopper, cart_id: str, wish: Mapping[str, Any], now: datetime
) -> PricedCart:
    """How the shopper wants to get the goods, in the contract's words; the rest is filled in and the cart priced anew.

    Raises CartNotFound, CartExpired, FulfillmentNotAvailable and what the FULFILLMENT plug refuses.
    """
    if not has("FULFILLMENT"):
        selectors.open_cart(store=store, shopper=shopper, cart_id=cart_id, now=now)
        raise FulfillmentNotAvailable(field="fulfillment_type")
    chosen: dict[str, Any] = {}

    def survey(quote: Quote) -> None:
        chosen["fulfillment"] = plug("FULFILLMENT").preference(quote, wish)

    def edit(held: Held) -> Held:
        return held._replace(row=held.row._replace(**chosen))

    return change(
        store=store,
        shopper=shopper,
        cart_id=cart_id,
        now=now,
        survey=survey,
        edit=edit,
        check=accepted("fulfillment", "fulfillment_type"),
    )


# --- staff ----------------------------------------------------------------------------------------------------------
def extend_carts(*, cart_ids: Sequence[str], now: datetime) -> int:
    """Moves the expiry of carts that have not become orders on, as a change of today would; how many there were."""
    with transaction.atomic():
        carts = list(
            Cart.objects.filter(pk__in=cart_ids, closed_at=None)
            .select_related("store")
            .select_for_update(of=("self",))
            .order_by("pk")
        )
        for cart in carts:
            cart.expires_at = expiry(cart.store, now)
        Cart.objects.bulk_update(carts, ["expires_at"])
    return len(carts)


def delete_carts(*, cart_ids: Sequence[str]) -> int:
    """Deletes those that have not become orders; how many there were."""
    with transaction.atomic():
        carts = Cart.objects.filter(pk__in=cart_ids, closed_at=None).select_for_update().order_by("pk")
        ids = [cart.pk for cart in carts]
        delete_locked(ids)
    return len(ids)


# --- helpers --------------------------------------------------------------------------------------------------------
def _wish(
    store: Store, shopper: Shopper, cart_id: str, now: datetime, *, check: Check | None = None, **wishes: Any
) -> PricedCart:
    """Sets fields of the cart's row."""

    def edit(held: Held) -> Held:
        return held._replace(row=held.row._replace(**wishes))

    return change(store=store, shopper=shopper, cart_id=cart_id, now=now, edit=edit, check=check)


def _sold(quote: Quote, sku: Sku) -> Sellable | None:
    """What the catalogue says of a sku, with as many units as there are beside the other lines."""
    lines = (line.sellable for line in quote.lines if line.sku == sku and not line.is_free_item)
    return next(lines, quote.sellables.get(sku))


def _typed(store: Store, pair: tuple[Mapping[str, Any], Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Two typed addresses in the contract's shape. Raises Invalid naming all that is wrong in both."""
    found: list[dict[str, Any]] = []
    wrong: dict[str, Sequence[object]] = {}
    for name, data in zip(("billing_address", "shipping_address"), pair, strict=True):
        try:
            cleaned = addresses.cleaned(store=store, data=data, prefix=f"{name}.")
        except Invalid as error:
            wrong |= error.errors
        else:
            found.append({"id": None, **cleaned, **NO_FLAGS})
    if wrong:
        raise Invalid(next(iter(wrong.values()))[0], errors=wrong)
    return found


def _changed(held: Sequence[HeldLine], sku: Sku, quantity: int) -> list[HeldLine]:
    """The lines with `sku` at `quantity`, where it stood or else at the end. Raises TooManyLines."""
    changed = [line if line.sku != sku else line._replace(quantity=quantity) for line in held]
    if quantity == 0:
        return [line for line in changed if line.quantity]
    if not any(line.sku == sku for line in held):
        if len(held) >= rules.MAX_LINES:
            raise TooManyLines(field="product_id")
        changed.append(HeldLine(0, sku, quantity))
    return changed


def delete_locked(cart_ids: Sequence[str]) -> None:
    """Deletes carts that the caller has locked, lines first. A lock keeps lines from being added meanwhile."""
    if cart_ids:
        CartLine.objects.filter(cart__in=cart_ids).delete()
        Cart.objects.filter(pk__in=cart_ids).delete()
