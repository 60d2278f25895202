"""Pages of lists, by number, at the same price at the front and at the far end of a list.

A short list is counted, and its page found, as it is at this moment. Of a long one the number of rows is remembered
until the catalogue changes, and so is where pages that were read begin; a page is walked to from the nearest of those
places or from the end of the list. See docs/adr/0011-page-numbers.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from storefront.models import Store
from storefront.query import Page
from storefront.selectors import ShortMemory

from . import changes

Row = tuple[Any, ...]

LARGE = 5_000  # rows from which on there is something to spare
MAX_STARTS = 512  # of one list
REMEMBERED_SECONDS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Paged:
    """The rows of `source`, a FROM and WHERE, in the order of `terms`: columns and whether they descend, the last one
    being the key of a row. `columns` are shown of `joined`, where the keys of the page are looked up.
    """

    columns: str
    joined: str
    joined_parameters: Sequence[Any] = ()
    source: str
    parameters: Sequence[Any]
    terms: Sequence[tuple[str, bool]]

    @property
    def key(self) -> str:
        return self.terms[-1][0]

    @property
    def sorted_columns(self) -> str:
        return ", ".join(name for name, _down in self.terms)

    def order(self, *, backwards: bool = False) -> str:
        return ", ".join(f"{name}{' DESC' if down is not backwards else ''}" for name, down in self.terms)

    def statement(self, first: str, *, after: str = "", backwards: bool = False) -> str:
        """Takes the parameters of `first`, of the join, of the source and of `after`, then limit and offset."""
        return f"""SELECT {first}, {self.columns} {self.joined}
                   WHERE {self.key} IN (SELECT {self.key} {self.source}{after}
                                        ORDER BY {self.order(backwards=backwards)} LIMIT %s OFFSET %s)
                   ORDER BY {self.order()}"""


@dataclass(frozen=True, slots=True)
class _Known:
    """A long list at one version of the catalogue; `starts` are the sort columns of rows by how many come before."""

    version: str
    total: int
    starts: dict[int, Row] = field(default_factory=dict)


_known: ShortMemory[_Known] = ShortMemory(size=256, seconds=lambda: REMEMBERED_SECONDS)


def read(
    fetch: Callable[[str, Sequence[Any]], list[Row]], *, store: Store, paged: Paged, page: Page
) -> tuple[int, list[Row]]:
    """How many rows there are, and those of the page with that number in front: one query, two past the end.

    None past the end of a list that is known. Asking for the version of the catalogue is one more every few seconds.
    """
    name = repr((store.pk, paged.source, paged.parameters, paged.terms))
    known = _known.get(name)
    # Asked before anything is counted: a number may be newer than the version it goes by, never older.
    version = changes.version(store=store) if known else ""
    if known and known.version == version:
        return _near(fetch, known, paged, page)
    rows = fetch(
        paged.statement(f"(SELECT COUNT(*) {paged.source})"),
        [*paged.parameters, *paged.joined_parameters, *paged.parameters, page.limit, page.offset],
    )
    if rows or page.number == 1:
        total = rows[0][0] if rows else 0
    else:
        total = fetch(f"SELECT COUNT(*) {paged.source}", paged.parameters)[0][0]
    if total >= LARGE:
        _known.put(name, _Known(version, total))
    return total, rows


def _near(
    fetch: Callable[[str, Sequence[Any]], list[Row]], known: _Known, paged: Paged, page: Page
) -> tuple[int, list[Row]]:
    """A page of a known list: walks from its nearest start before the page, or back from the end."""
    limit = min(page.limit, known.total - page.offset)
    if limit <= 0:
        return known.total, []
    start = max((place for place in list(known.starts) if place <= page.offset), default=0)
    from_end = known.total - page.offset - limit
    after, place, offset, backwards = "", tuple[Any, ...](), page.offset - start, from_end < page.offset - start
    if backwards:
        offset = from_end
    elif start:
        place = known.starts[start]
        after = (
            f" AND ({paged.sorted_columns}) {'<=' if paged.terms[0][1] else '>='} ({', '.join(['%s'] * len(place))})"
        )
    rows = fetch(
        paged.statement(paged.sorted_columns, after=after, backwards=backwards),
        [*paged.joined_parameters, *paged.parameters, *place, limit, offset],
    )
    width = len(paged.terms)
    one_way = len({down for _name, down in paged.terms}) == 1  # else no comparison of rows says what comes after
    if rows and one_way and len(known.starts) < MAX_STARTS:
        known.starts[page.offset] = rows[0][:width]
    return known.total, [(known.total, *row[width:]) for row in rows]
