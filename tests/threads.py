"""Running the same call from many threads, each with its own database connection."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

Result = TypeVar("Result")


def in_parallel(call: Callable[[int], Result], count: int, *, workers: int | None = None) -> list[Result]:
    """`call(0) ... call(count - 1)` from `workers` threads (default: one each); results in order, errors raised."""

    def run(number: int) -> Result:
        try:
            return call(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=workers or count) as pool:
        return list(pool.map(run, range(count)))
