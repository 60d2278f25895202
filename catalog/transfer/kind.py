"""The catalogue as a kind of import: rows are parsed and their pictures fetched before anything is locked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from storefront import selectors as kernel
from storefront.imports.kinds import Chunk, Outcome, Problem
from storefront.imports.models import ImportJob
from storefront.imports.records import CLEAR, CLEAR_WORD, BadCell
from storefront.models import CustomerGroup, StockLocation, Store

from .. import services
from ..models import Attribute
from . import importing, pictures, rows
from .rows import Row


class ProductImports:
    """Products, variants, prices, stock, categories: a row for each variant (docs/import.md)."""

    name = "products"
    chunk_rows = 500
    worker_chunk_rows = 200
    grows: tuple[str, ...] = ("storefront_catalog",)
    keep_file = timedelta(days=30)
    keep_job = timedelta(days=30)

    def columns(self, *, store: Store, names: Sequence[str]) -> list[str]:
        """Four queries."""
        rows.check_columns(names, known=vocabulary(store=store))
        return list(names)

    def begins(self, *, job: ImportJob, staff: Any) -> None:
        """Nothing: there is no personal data in a catalogue."""

    @contextmanager
    def chunk(self, chunk: Chunk) -> Iterator[Callable[[], Outcome]]:
        """Pictures that came into no row, whatever the reason, are deleted again."""
        job = chunk.job
        parsed = list(_parsed(chunk))
        good = [row for row in parsed if isinstance(row, Row)]
        fetched = pictures.fetch(
            store=chunk.store, rows=good, folder=chunk.folder, dry_run=job.dry_run, alive=chunk.alive
        )
        used: set[tuple[str, str]] = set()

        def write() -> Outcome:
            outcome = importing.apply(
                store=chunk.store, rows=good, dry_run=job.dry_run, made_by=job.made_by, fetched=fetched
            )
            outcome.problems += [row for row in parsed if isinstance(row, Problem)]
            cells = {record.number: record.cells for record in chunk.records}
            outcome.problems = [
                replace(problem, subject=_shown(cells[problem.row], problem.column)) for problem in outcome.problems
            ]
            used.update(outcome.used)
            return outcome

        try:
            yield write
        except BaseException:
            fetched.discard()
            raise
        fetched.discard(() if job.dry_run else used)

    def finished(self, *, job: ImportJob) -> None:
        services.recount_categories(store=kernel.store(job.store_id))


def vocabulary(*, store: Store) -> rows.Vocabulary:
    """What the columns of a file for this store may name. Four queries."""
    groups = CustomerGroup.objects.filter(store=store).values_list("slug", flat=True)
    options = Attribute.objects.filter(store=store, type__in=Attribute.OF_VARIANTS).values_list("key", flat=True)
    locations = StockLocation.objects.filter(store=store).values_list("name", flat=True)
    attributes = Attribute.objects.filter(store=store).values_list("key", flat=True)
    return rows.Vocabulary(
        groups=frozenset(groups),
        options=frozenset(options),
        locations=frozenset(locations),
        attributes=frozenset(attributes),
    )


def _parsed(chunk: Chunk) -> Iterator[Row | Problem]:
    known, words = set(chunk.job.columns), None
    for record in chunk.records:
        try:
            if record.error:
                raise record.error
            if not record.cells.keys() <= known:
                words = words or vocabulary(store=chunk.store)
                rows.check_columns(list(record.cells), known=words)
                known |= record.cells.keys()
            yield rows.parse(record.cells, record.number)
        except BadCell as error:
            yield Problem(record.number, error.column, error.message)


def _shown(cells: Mapping[str, str], column: str) -> str:
    """What stands in the cell at fault, as the file has it; of a row that is at fault as a whole, its product."""
    cell = cells.get(column or "product", "")
    return CLEAR_WORD if cell == CLEAR else cell
