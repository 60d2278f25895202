"""The busiest statements on carts, in SQL that PostgreSQL and SQLite share.

Building the same statements through the ORM costs several times the processor time of running them (`make bench`).
Every one names the store; the rules are elsewhere, in selectors and services. Rarer calls use the ORM.
"""
# ruff: noqa: S608 -- what is formatted into statements is names of tables and columns, never a value

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from django.db import connection

from storefront.contracts import Sku

from .models import Cart, CartLine

CART = Cart._meta.db_table
LINE = CartLine._meta.db_table
_COLUMNS = "id, user_id, version, expires_at, metadata, customer_note, billing_address, shipping_address"
_OPEN = f"SELECT {_COLUMNS} FROM {CART} WHERE store_id = %s AND user_id = %s AND closed_at IS NULL"


class CartRow(NamedTuple):
    """An open cart as light as it can be. Set fields with `_replace`."""

    id: str
    user_id: str
    version: int
    expires_at: datetime
    metadata: dict[str, str]
    customer_note: str
    billing_address: dict[str, Any] | None
    shipping_address: dict[str, Any] | None


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


# --- writes ---------------------------------------------------------------------------------------------------------
def insert_cart(*, store_id: str, cart: CartRow, channel_id: str, now: datetime) -> None:
    moment = _moment_in(now)
    _execute(
        f"INSERT INTO {CART} (store_id, id, user_id, version, expires_at, metadata, customer_note, channel_id,"
        " created_at, modified_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            store_id,
            cart.id,
            cart.user_id,
            cart.version,
            _moment_in(cart.expires_at),
            orjson.dumps(cart.metadata).decode(),
            cart.customer_note,
            channel_id,
            moment,
            moment,
        ],
    )


def insert_lines(*, store_id: str, cart_id: str, lines: Sequence[HeldLine]) -> None:
    """One statement, which keeps the order."""
    values = ", ".join(["(%s, %s, %s, %s, %s)"] * len(lines))
    parameters = [value for line in lines for value in (store_id, cart_id, *line.sku, line.quantity)]
    _execute(f"INSERT INTO {LINE} (store_id, cart_id, product_id, variant_id, quantity) VALUES {values}", parameters)


def claim(*, store_id: str, cart: CartRow, expires_at: datetime, now: datetime) -> CartRow | None:
    """Raises the version of an open cart that nobody has written to since it was read, and so locks it; else None."""
    claimed = _execute(
        f"UPDATE {CART} SET version = version + 1, expires_at = %s, modified_at = %s"
        " WHERE store_id = %s AND id = %s AND user_id = %s AND version = %s AND closed_at IS NULL",
        [_moment_in(expires_at), _moment_in(now), store_id, cart.id, cart.user_id, cart.version],
    )
    return cart._replace(version=cart.version + 1, expires_at=expires_at) if claimed else None


def set_line(*, store_id: str, cart_id: str, pk: int, quantity: int) -> None:
    _execute(
        f"UPDATE {LINE} SET quantity = %s WHERE store_id = %s AND cart_id = %s AND id = %s",
        [quantity, store_id, cart_id, pk],
    )


def delete_line(*, store_id: str, cart_id: str, pk: int) -> None:
    _execute(f"DELETE FROM {LINE} WHERE store_id = %s AND cart_id = %s AND id = %s", [store_id, cart_id, pk])


# --- how ------------------------------------------------------------------------------------------------------------
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
    for pk, user_id, version, expires_at, metadata, note, billing, shipping in _fetch(sql, parameters):
        return CartRow(
            pk, user_id, version, _moment_out(expires_at), _json(metadata) or {}, note, _json(billing), _json(shipping)
        )
    return None


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) else value


def _moment_in(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)


def _moment_out(moment: datetime) -> datetime:
    """SQLite gives moments back without their zone."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=connection.timezone)
