"""What can be imported: each kind says how its rows are read and written; everything else about a file is in `jobs`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from storefront.models import Store

from .models import ImportJob
from .records import Record


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row was left out. `subject` is what the row is about, or what stands in the cell."""

    row: int
    column: str
    message: str
    subject: str = ""


@dataclass(slots=True)
class Outcome:
    """What became of some rows: each was created, changed, unchanged or is among the problems."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Some rows of a file that is being imported. `alive` tells that the job still is; it raises `jobs.Stopped`."""

    store: Store
    job: ImportJob
    records: Sequence[Record]
    folder: Path | None  # of files that rows may name; never with an upload
    alive: Callable[[], None]


class ImportKind(Protocol):
    """One kind of file."""

    name: str  # of the kind, in rows and addresses
    chunk_rows: int  # in one transaction of a command
    worker_chunk_rows: int  # the same of a worker, while shoppers wait for the same database
    grows: tuple[str, ...]  # apps whose tables grow by it
    keep_file: timedelta  # how long an upload waits for its real import, after its dry run
    keep_job: timedelta

    def columns(self, *, store: Store, names: Sequence[str]) -> list[str]:
        """What the columns of a CSV file are called here. Raises BadCell for those that cannot be used."""

    def begins(self, *, job: ImportJob, staff: Any) -> None:
        """A real run begins, for the first time or anew; in its transaction. `staff` is None for a command."""

    def chunk(self, chunk: Chunk) -> AbstractContextManager[Callable[[], Outcome]]:
        """Slow work first; gives what writes the rows, which is called once, in the job's transaction. A dry run writes
        nothing. What is left to be cleaned up, after a commit or a failure, is done on leaving."""

    def finished(self, *, job: ImportJob) -> None:
        """Every row of a real run is written; in no transaction."""


_kinds: dict[str, ImportKind] = {}


def register(kind: ImportKind) -> None:
    """Makes a kind known, from an app's `ready`."""
    _kinds[kind.name] = kind


def kind_of(name: str) -> ImportKind:
    return _kinds[name]


def all_kinds() -> list[ImportKind]:
    return list(_kinds.values())
