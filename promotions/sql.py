"""Statements that the ORM cannot say, or says at several times the cost. In SQL that PostgreSQL and SQLite share,
but where a function has another name. Every one names the store; the rules are elsewhere.
"""
# ruff: noqa: S608 -- what is formatted into statements is names of tables and columns, never a value

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from django.db import connection

from .models import Code, CustomerUses, Offer, OfferAudience, OfferUse, Rulebook

if TYPE_CHECKING:
    from .claims import Use

CODE = Code._meta.db_table
OFFER = Offer._meta.db_table
USE = OfferUse._meta.db_table
CUSTOMER = CustomerUses._meta.db_table
AUDIENCE = OfferAudience._meta.db_table
RULEBOOK = Rulebook._meta.db_table


def insert_codes(
    *, store_id: str, offer_id: str, batch_id: str, codes: Sequence[tuple[str, str]], now: datetime
) -> int:
    """Makes those of `codes` (text, key) whose key is free; how many these were. One statement, however many."""
    columns = "store_id, offer_id, batch_id, text, key, use_count, created_at"
    if connection.vendor == "postgresql":
        rows = "SELECT %s, %s, %s, text, key, 0, %s FROM unnest(%s::text[], %s::text[]) AS given (text, key)"
        given: list[Any] = [[text for text, _key in codes], [key for _text, key in codes]]
    else:
        each = "json_extract(value, '$[0]'), json_extract(value, '$[1]')"
        rows = f"SELECT %s, %s, %s, {each}, 0, %s FROM json_each(%s) WHERE true"
        given = [orjson.dumps(codes).decode()]
    moment = connection.ops.adapt_datetimefield_value(now)
    return execute(
        f"INSERT INTO {CODE} ({columns}) {rows} ON CONFLICT (store_id, key) DO NOTHING",
        [store_id, offer_id, batch_id, moment, *given],
    )


# --- reads -----------------------------------------------------------------------------------------------------------


class Counts(NamedTuple):
    """Uses of an offer, held and confirmed: all, and those of one customer. `is_named`: it is for that customer."""

    total: int
    of_customer: int
    is_named: bool


class FoundCode(NamedTuple):
    code_id: int
    text: str
    uses: int
    offer_id: str
    state: str
    counts: Counts
    version: str  # of the store's offers


_OF_CUSTOMER = (
    f"COALESCE((SELECT count FROM {CUSTOMER} u WHERE u.store_id = o.store_id AND u.offer_id = o.id"
    " AND u.customer_id = %s), 0)"
)
_UNCOUNTED = (
    f"(SELECT COUNT(*) FROM {USE} w WHERE w.offer_id = o.id AND NOT w.counted AND w.state IN ('held', 'confirmed'))"
)
_NAMED = f"EXISTS (SELECT 1 FROM {AUDIENCE} a WHERE a.store_id = o.store_id AND a.offer_id = o.id AND a.target_id = %s)"


def version(*, store_id: str) -> str:
    """The version of the store's offers, "" when it never had any: one query."""
    rows = fetch(f"SELECT version FROM {RULEBOOK} WHERE store_id = %s", [store_id])
    return str(rows[0][0]) if rows else ""


def counts(*, store_id: str, offer_ids: Sequence[str], customer_id: str) -> dict[str, Counts]:
    """The uses of these offers; one query, none for none."""
    if not offer_ids:
        return {}
    listed = ", ".join(["%s"] * len(offer_ids))
    rows = fetch(
        f"SELECT o.id, o.redemption_count + {_UNCOUNTED}, {_OF_CUSTOMER}, {_NAMED} FROM {OFFER} o"
        f" WHERE o.store_id = %s AND o.id IN ({listed})",
        [customer_id, customer_id, store_id, *offer_ids],
    )
    return {pk: Counts(total, of_customer, bool(named)) for pk, total, of_customer, named in rows}


def find_code(*, store_id: str, key: str, customer_id: str) -> FoundCode | None:
    """The coupon behind a code, whatever its state, with its uses and the version of the store's offers: one query."""
    rows = fetch(
        f"SELECT c.id, c.text, c.use_count, o.id, o.state, o.redemption_count, {_OF_CUSTOMER}, {_NAMED}, b.version"
        f" FROM {CODE} c JOIN {OFFER} o ON o.id = c.offer_id LEFT JOIN {RULEBOOK} b ON b.store_id = c.store_id"
        " WHERE c.store_id = %s AND c.key = %s",
        [customer_id, customer_id, store_id, key],
    )
    for code_id, text, uses, offer_id, state, total, of_customer, named, version in rows:
        return FoundCode(code_id, text, uses, offer_id, state, Counts(total, of_customer, bool(named)), version or "")
    return None


# --- uses -----------------------------------------------------------------------------------------------------------
def hold_use(*, store_id: str, owner: str, use: Use, now: datetime) -> bool:
    """Writes a use into the ledger, or takes up again one that was released. False when it is there already."""
    moment = connection.ops.adapt_datetimefield_value(now)
    saving, revenue = (connection.ops.adapt_decimalfield_value(amount, 14, 3) for amount in (use.saving, use.revenue))
    held = execute(
        f"INSERT INTO {USE} (store_id, offer_id, code_id, owner, customer_id, user_id, state, saving, revenue,"
        " counted, held_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, 'held', %s, %s, %s, %s)"
        " ON CONFLICT (store_id, owner, offer_id) DO UPDATE SET state = 'held', code_id = excluded.code_id,"
        " customer_id = excluded.customer_id, user_id = excluded.user_id, saving = excluded.saving,"
        " revenue = excluded.revenue, counted = excluded.counted, held_at = excluded.held_at, settled_at = NULL"
        f" WHERE {USE}.state = 'released'",
        [
            store_id, use.offer_id, use.code_id or None, owner, use.customer_id, use.user_id, saving, revenue, False, moment,
        ],
    )  # fmt: skip
    return held > 0


class Limits(NamedTuple):
    total: int | None
    of_code: int | None
    of_customer: int | None

    @property
    def shared(self) -> bool:
        """Whether there is a limit that all customers share."""
        return self.total is not None or self.of_code is not None


def live_limits(*, store_id: str, offer_id: str) -> Limits | None:
    """The limits of a live offer, which nobody changes until the end of the transaction; None for any other.

    Orders do not wait for each other here, only for staff who change the offer at this moment.
    """
    locking = " FOR KEY SHARE" if connection.vendor == "postgresql" else ""
    rows = fetch(
        f"SELECT total_limit, code_limit, customer_limit FROM {OFFER}"
        f" WHERE store_id = %s AND id = %s AND state = 'live'{locking}",
        [store_id, offer_id],
    )
    return Limits(*rows[0]) if rows else None


def count_use(*, store_id: str, owner: str, use: Use, limits: Limits) -> bool:
    """Counts a use in its offer and its code. False when either may have no more; its caller rolls back."""
    total, more = ("", []) if limits.total is None else (" AND redemption_count < %s", [limits.total])
    offer = "WHERE store_id = %s AND id = %s"
    if not execute(
        f"UPDATE {OFFER} SET redemption_count = redemption_count + 1 {offer}{total}", [store_id, use.offer_id, *more]
    ):
        return False
    if use.code_id:
        each, more = ("", []) if limits.of_code is None else (" AND use_count < %s", [limits.of_code])
        code = "WHERE store_id = %s AND offer_id = %s AND id = %s"
        if not execute(
            f"UPDATE {CODE} SET use_count = use_count + 1 {code}{each}",
            [store_id, use.offer_id, use.code_id, *more],
        ):
            return False
    execute(
        f"UPDATE {USE} SET counted = %s WHERE store_id = %s AND owner = %s AND offer_id = %s",
        [True, store_id, owner, use.offer_id],
    )
    return True


def count_customer(*, store_id: str, use: Use, limit: int | None) -> bool:
    below, parameters = ("", []) if limit is None else (f" WHERE {CUSTOMER}.count < %s", [limit])
    return (
        execute(
            f"INSERT INTO {CUSTOMER} (store_id, offer_id, customer_id, count) VALUES (%s, %s, %s, 1)"
            f" ON CONFLICT (offer_id, customer_id) DO UPDATE SET count = {CUSTOMER}.count + 1{below}",
            [store_id, use.offer_id, use.customer_id, *parameters],
        )
        > 0
    )


def uncount(*, store_id: str, use: Use, counted: bool) -> None:
    """Takes back what counting a use counted, in the same order of rows."""
    if counted:
        execute(
            f"UPDATE {OFFER} SET redemption_count = redemption_count - 1"
            " WHERE store_id = %s AND id = %s AND redemption_count > 0",
            [store_id, use.offer_id],
        )
        if use.code_id:
            execute(
                f"UPDATE {CODE} SET use_count = use_count - 1"
                " WHERE store_id = %s AND offer_id = %s AND id = %s AND use_count > 0",
                [store_id, use.offer_id, use.code_id],
            )
    if use.customer_id:
        execute(
            f"UPDATE {CUSTOMER} SET count = count - 1"
            " WHERE store_id = %s AND offer_id = %s AND customer_id = %s AND count > 0",
            [store_id, use.offer_id, use.customer_id],
        )


def add_up(*, store_id: str, offer_id: str) -> int:
    """Counts the uses that are in no counter yet; how many these were. Its caller has locked the offer."""
    rows = fetch(
        f"UPDATE {USE} SET counted = %s WHERE store_id = %s AND offer_id = %s AND NOT counted"
        " AND state IN ('held', 'confirmed') RETURNING code_id",
        [True, store_id, offer_id],
    )
    if rows:
        execute(
            f"UPDATE {OFFER} SET redemption_count = redemption_count + %s WHERE store_id = %s AND id = %s",
            [len(rows), store_id, offer_id],
        )
    for code_id, uses in sorted(Counter(code_id for (code_id,) in rows if code_id).items()):
        execute(
            f"UPDATE {CODE} SET use_count = use_count + %s WHERE store_id = %s AND offer_id = %s AND id = %s",
            [uses, store_id, offer_id, code_id],
        )
    return len(rows)


# --- how ------------------------------------------------------------------------------------------------------------
def fetch(sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()  # type: ignore[no-any-return]


def execute(sql: str, parameters: Sequence[Any]) -> int:
    """How many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)
