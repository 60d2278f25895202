"""Statements that the ORM cannot say, or says at several times the cost. In SQL that PostgreSQL and SQLite share,
but where a function has another name. Every one names the store; the rules are elsewhere.
"""
# ruff: noqa: S608 -- what is formatted into statements is names of tables and columns, never a value

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from .models import Code

CODE = Code._meta.db_table


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
