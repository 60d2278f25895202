"""The busiest statements on carts, in SQL that PostgreSQL and SQLite share.

Building the same statements through the ORM costs several times the processor time of running them (`make bench`).
Every one names the store; the rules are elsewhere, in selectors and services. Rarer calls use the ORM.
"""
# ruff: noqa: S608 -- what is formatted into statements is names of tables and columns, never a value

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
from django.db import connection

from storefront.contracts import Sku
from storefront.money import ZERO

from .models import Cart, CartLine

CART = Cart._meta.db_table
LINE = CartLine._meta.db_table


class CartRow(NamedTuple):
    """An open cart as light as it can be. Set fields with `_replace`. Each is the column of its name."""

    id: str
    user_id: str
    version: int
    expires_at: datetime
    channel_id: str = ""
    metadata: Mapping[str, str] = {}
    customer_note: str = ""
    billing_address: Mapping[str, Any] | None = None
    shipping_address: Mapping[str, Any] | None = None
    coupon_code: str = ""
    points_asked: int = 0
    credit_asked: Decimal = ZERO
    gift_card_id: str = ""
    gift_card_last4: str = ""
    fulfillment: Mapping[str, Any] | None = None


# What a shopper wants of a cart beside its lines. A change writes those that it changed.
WISHES = (
    *("billing_address", "shipping_address", "coupon_code", "points_asked", "credit_asked"),
    *("gift_card_id", "gift_card_last4", "fulfillment"),
)
_OPEN = f"SELECT {', '.join(CartRow._fields)} FROM {CART} WHERE store_id = %s AND user_id = %s AND closed_at IS NULL"


class HeldLine(NamedTuple):
    """A line of a cart, as light as it can be. `pk` is 0 for one that is yet to be written."""

    pk: int
    sku: Sku
    quantity: int


# --- reads ----------------------------------------------------------------------------------------------------------
def open_cart(*, store_id: str, user_id: str, cart_id: str, lock: bool) -> CartRow | None:
    """The open cart of that id if it is this shopper's. `lock` holds the row until the end of the transaction."""
    locking = " FOR UPDATE" if lock and connection.features.has_select_for_update else ""
    return _cart(f"{_OPEN} AND id = %s{locking}", [store_id, user_id, cart_id])


def newest_open_cart(*, store_id: str, user_id: str, now: datetime) -> CartRow | None:
    """The newest open cart of a shopper that has not expired."""
    return _cart(f"{_OPEN} AND expires_at > %s ORDER BY id DESC LIMIT 1", [store_id, user_id, _moment_in(now)])


def lines(*, store_id: str, cart_id: str) -> list[HeldLine]:
    """Oldest first."""
    rows = _fetch(
        f"SELECT id, product_id, variant_id, quantity FROM {LINE} WHERE store_id = %s AND cart_id = %s ORDER BY id",
        [store_id, cart_id],
    )
    return [HeldLine(pk, Sku(product_id, variant_id), quantity) for pk, product_id, variant_id, quantity in rows]


def row_of(cart: Cart) -> CartRow:
    """The same of a model's instance."""
    return CartRow(*(getattr(cart, name) for name in CartRow._fields))


# --- writes ---------------------------------------------------------------------------------------------------------
def insert_cart(*, store_id: str, cart: CartRow, now: datetime) -> None:
    columns = ("store_id", *CartRow._fields, "created_at", "modified_at")
    moment = _moment_in(now)
    values = [_in(name, value) for name, value in zip(CartRow._fields, cart, strict=True)]
    _execute(
        f"INSERT INTO {CART} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})",
        [store_id, *values, moment, moment],
    )


def insert_lines(*, store_id: str, cart_id: str, lines: Sequence[HeldLine]) -> None:
    """One statement, which keeps the order."""
    values = ", ".join(["(%s, %s, %s, %s, %s)"] * len(lines))
    parameters = [value for line in lines for value in (store_id, cart_id, *line.sku, line.quantity)]
    _execute(f"INSERT INTO {LINE} (store_id, cart_id, product_id, variant_id, quantity) VALUES {values}", parameters)


def claim(*, store_id: str, before: CartRow, after: CartRow, now: datetime) -> CartRow | None:
    """Writes the wishes of `after` and its expiry if nobody has written to the cart since it was read as `before`, and
    so locks it; else None. Raises the version."""
    changed = [name for name in WISHES if getattr(before, name) != getattr(after, name)]
    settings = "".join(f", {name} = %s" for name in changed)
    claimed = _execute(
        f"UPDATE {CART} SET version = version + 1, expires_at = %s, modified_at = %s{settings}"
        " WHERE store_id = %s AND id = %s AND user_id = %s AND version = %s AND closed_at IS NULL",
        [
            _moment_in(after.expires_at),
            _moment_in(now),
            *(_in(name, getattr(after, name)) for name in changed),
            *(store_id, before.id, before.user_id, before.version),
        ],
    )
    return after._replace(version=before.version + 1) if claimed else None


def set_line(*, store_id: str, cart_id: str, pk: int, quantity: int) -> None:
    _execute(
        f"UPDATE {LINE} SET quantity = %s WHERE store_id = %s AND cart_id = %s AND id = %s",
        [quantity, store_id, cart_id, pk],
    )


def delete_lines(*, store_id: str, cart_id: str, pks: Iterable[int]) -> None:
    wanted = list(pks)
    _execute(
        f"DELETE FROM {LINE} WHERE store_id = %s AND cart_id = %s AND id IN ({', '.join(['%s'] * len(wanted))})",
        [store_id, cart_id, *wanted],
    )


def take_turns(*names: str) -> None:
    """Makes transactions with these names follow one another. SQLite has one writer at a time anyway."""
    if connection.vendor == "postgresql":
        digest = hashlib.sha256("\x1f".join(names).encode()).digest()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], "big", signed=True)])


# --- how ------------------------------------------------------------------------------------------------------------
_JSON = frozenset(["metadata", "billing_address", "shipping_address", "fulfillment"])


def _fetch(sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()  # type: ignore[no-any-return]


def _execute(sql: str, parameters: Sequence[Any]) -> int:
    """How many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def _cart(sql: str, parameters: Sequence[Any]) -> CartRow | None:
    for found in _fetch(sql, parameters):
        row = CartRow._make(found)
        return row._replace(
            expires_at=_moment_out(row.expires_at),
            metadata=_json(row.metadata) or {},
            billing_address=_json(row.billing_address),
            shipping_address=_json(row.shipping_address),
            credit_asked=Decimal(str(row.credit_asked)) if row.credit_asked else ZERO,
            fulfillment=_json(row.fulfillment),
        )
    return None


def _in(name: str, value: Any) -> Any:
    """A value as its column takes it."""
    if name in _JSON:
        return None if value is None else orjson.dumps(value).decode()
    if name == "expires_at":
        return _moment_in(value)
    return str(value) if isinstance(value, Decimal) else value


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) else value


def _moment_in(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)


def _moment_out(moment: datetime) -> datetime:
    """SQLite gives moments back without their zone."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=connection.timezone)
