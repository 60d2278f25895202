"""Imports from start to end: by a command that waits for them, or by workers a second at a time."""

from __future__ import annotations

import hashlib
import io
import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, Any

from django.apps import apps
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from storefront import outbox
from storefront import selectors as kernel
from storefront.errors import Invalid
from storefront.models import Store
from storefront.spreadsheets import csv_lines

from . import records
from .kinds import Chunk, ImportKind, Outcome, all_kinds, kind_of
from .models import PART_BYTES, ImportJob, ImportPart, ImportProblem
from .records import BadCell

logger = logging.getLogger(__name__)

QUEUE = "imports"
LEASE = timedelta(seconds=120)  # renewed with every chunk
SLICE_SECONDS = 1.0  # how long a worker stays before other queues have their turn
MAX_PROBLEMS = 10_000  # kept of one job; all are counted
TRIES = 4
SPENT = timedelta(days=1)  # how long a file is kept that was imported
ANALYZED_AT = (500, 2_000, 8_000, 32_000, 128_000, 512_000)  # new rows


class Stopped(Exception):
    """The job was cancelled, or somebody else goes on with it."""


class PartsFile(io.RawIOBase):
    """An uploaded file, read from its parts. One part in memory at a time."""

    def __init__(self, job: ImportJob) -> None:
        self.job, self.position = job, 0
        self._number, self._content = -1, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation
        self.position = offset
        return offset

    def tell(self) -> int:
        return self.position

    def readinto(self, buffer: Any) -> int:
        number, start = divmod(self.position, PART_BYTES)
        if number != self._number:
            parts = ImportPart.objects.filter(job=self.job, number=number).values_list("content", flat=True)
            self._number, self._content = number, bytes(next(iter(parts), b""))
        piece = self._content[start : start + len(buffer)]
        buffer[: len(piece)] = piece
        self.position += len(piece)
        return len(piece)


def open_parts(job: ImportJob) -> IO[bytes]:
    return io.BufferedReader(PartsFile(job))


# --- beginning ------------------------------------------------------------------------------------------------------
def begin(
    *,
    store: Store,
    kind: str,
    file: IO[bytes],
    name: str,
    format: str,  # noqa: A002
    dry_run: bool,
    made_by: str = "",
    upload: bool = False,
    resume: bool = False,
    staff: Any = None,
) -> ImportJob:
    """The job of this file, at its start, or (`resume`) where it was broken off. Reads the file once.

    Raises Invalid for a file that cannot be imported at all, and while somebody works on it.
    """
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    known: ImportJob | None = ImportJob.objects.filter(store=store, kind=kind, digest=digest).first()
    if known is not None and known.claimed:
        raise Invalid(_("This file is being imported right now."), field="file")
    if known is not None and resume and known.running and known.dry_run == dry_run and known.uploaded == upload:
        return known
    file.seek(0)
    columns, first = _header(kind_of(kind), store, file, format)
    file.seek(first)
    total = sum(1 for _record in records.records(file, format=format, columns=columns, first=2))
    if not total:
        raise Invalid(_("The file holds no rows."), field="file")
    with transaction.atomic():
        job = known or ImportJob(store=store, kind=kind, digest=digest)
        job.name, job.format, job.uploaded, job.made_by = name[:200], format, upload, made_by[:150]
        job.columns, job.total = columns, total
        job.save()
        if upload and not job.parts.exists():
            file.seek(0)
            for number, content in enumerate(iter(lambda: file.read(PART_BYTES), b"")):
                ImportPart.objects.create(job=job, number=number, content=content)
        restart(job=job, dry_run=dry_run, staff=staff)
    return job


def _header(kind: ImportKind, store: Store, file: IO[bytes], format: str) -> tuple[list[str], int]:  # noqa: A002
    if format != "csv":
        return [], 0
    try:
        names, first = records.read_header(file)
        return kind.columns(store=store, names=names), first
    except BadCell as error:
        raise Invalid(f"{error.column}: {error.message}" if error.column else error.message, field="file") from error


@transaction.atomic
def restart(*, job: ImportJob, dry_run: bool, staff: Any = None) -> None:
    """Puts a job back to its first row: the real run after a dry one. Raises Invalid while somebody works on it."""
    locked = ImportJob.objects.select_for_update().get(pk=job.pk)
    if locked.claimed:
        raise Invalid(_("This file is being imported right now."), field="file")
    job.dry_run, job.cancelled, job.failures = dry_run, False, 0
    job.done = job.created = job.changed = job.unchanged = job.errors = 0
    job.position, job.next_row = _start_of(job)
    ImportProblem.objects.filter(job=job).delete()
    job.state, job.reason, job.done_at, job.next_attempt_at = job.State.PENDING, "", None, timezone.now()
    job.attempts = 0
    job.save()
    if not dry_run:
        kind_of(job.kind).begins(job=job, staff=staff)
    outbox.wake(QUEUE)


def _start_of(job: ImportJob) -> tuple[int, int]:
    """Nothing is read yet: `work` finds where the first row begins."""
    return 0, 2 if job.format == "csv" else 1


def cancel(*, job: ImportJob) -> None:
    """Stops a job after the rows that are being written. What was written stays."""
    ImportJob.objects.filter(store_id=job.store_id, pk=job.pk, state=ImportJob.State.PENDING).update(
        cancelled=True, state=ImportJob.State.DEAD, reason="cancelled", done_at=timezone.now()
    )


# --- working --------------------------------------------------------------------------------------------------------
def claim(*, job: ImportJob) -> None:
    """Takes a job for the caller's own process. Raises Invalid while somebody else works on it."""
    with transaction.atomic():
        locked = ImportJob.objects.select_for_update().get(pk=job.pk)
        if locked.claimed:
            raise Invalid(_("This file is being imported right now."), field="file")
        job.attempts, job.next_attempt_at = locked.attempts + 1, timezone.now() + LEASE
        job.save(update_fields=["attempts", "next_attempt_at"])


def release(*, job: ImportJob) -> None:
    """Lets a job that was broken off be taken up at once, not when its lease ends."""
    ImportJob.objects.filter(store_id=job.store_id, pk=job.pk, attempts=job.attempts).update(
        next_attempt_at=timezone.now()
    )


def work(
    *,
    job: ImportJob,
    file: IO[bytes],
    rows: int | None = None,
    until: float | None = None,
    progress: Callable[[ImportJob], None] | None = None,
    folder: Path | None = None,
) -> bool:
    """Imports chunk after chunk of `rows`; False when the time `until` (monotonic) came first. Raises Stopped.

    Files that rows name are read from `folder`.
    """
    kind, store = kind_of(job.kind), kernel.store(job.store_id)
    if not job.position and job.format == "csv":
        file.seek(0)
        _columns, job.position = records.read_header(file)
    file.seek(job.position)
    waiting = records.records(file, format=job.format, columns=job.columns, first=job.next_row)
    while found := list(islice(waiting, rows or kind.chunk_rows)):
        before = job.created
        chunk = Chunk(store=store, job=job, records=found, folder=folder, alive=lambda: _renew(job))
        with kind.chunk(chunk) as write:
            _write(job, chunk, write)
        job.refresh_from_db()
        if not job.dry_run and any(before < size <= job.created for size in ANALYZED_AT):
            _analyze(kind)
        if progress:
            progress(job)
        if until is not None and time.monotonic() >= until:
            return False
    if not job.dry_run:
        kind.finished(job=job)
    job.finish()
    return True


def _analyze(kind: ImportKind) -> None:
    """Tells PostgreSQL how large the tables have become: plans made for empty ones read all of them for every chunk."""
    if connection.vendor == "postgresql":
        names = [model._meta.db_table for app in kind.grows for model in apps.get_app_config(app).get_models()]
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {', '.join(names)}")


def _renew(job: ImportJob) -> None:
    mine = ImportJob.objects.filter(pk=job.pk, state=ImportJob.State.PENDING, cancelled=False, attempts=job.attempts)
    if not mine.update(next_attempt_at=timezone.now() + LEASE):
        raise Stopped


def _write(job: ImportJob, chunk: Chunk, write: Callable[[], Outcome]) -> None:
    """Rows, progress and errors in one transaction. The job's row is locked first: who lost it writes nothing."""
    last = chunk.records[-1]
    with transaction.atomic():
        _renew(job)
        outcome = write()
        problems = sorted(outcome.problems, key=lambda problem: problem.row)
        ImportProblem.objects.bulk_create(
            ImportProblem(
                job=job,
                row=problem.row,
                column=_printable(problem.column, 100),
                message=problem.message[:300],
                subject=_printable(problem.subject, 200),
            )
            for problem in problems[: max(0, MAX_PROBLEMS - job.errors)]
        )
        ImportJob.objects.filter(store_id=job.store_id, pk=job.pk).update(
            position=last.end,
            next_row=last.number + 1,
            done=F("done") + len(chunk.records),
            created=F("created") + outcome.created,
            changed=F("changed") + outcome.changed,
            unchanged=F("unchanged") + outcome.unchanged,
            errors=F("errors") + len(problems),
            failures=0,
        )


def _printable(text: str, limit: int) -> str:
    """What a database takes of a cell that may hold anything."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "")[:limit]


# --- by workers -----------------------------------------------------------------------------------------------------
def drain() -> int:
    """Works on one uploaded file for about a second, then lets other queues have their turn and asks to be called."""
    waiting = ImportJob.objects.filter(uploaded=True, cancelled=False)
    job = waiting.claim_next(now=timezone.now(), lease=LEASE)
    if job is None:
        return 0
    before = job.done
    try:
        rows = kind_of(job.kind).worker_chunk_rows
        finished = work(job=job, file=open_parts(job), rows=rows, until=time.monotonic() + SLICE_SECONDS)
    except Stopped:
        return 0
    except Exception as error:
        logger.exception("import_failed", extra={"job": job.pk})
        _failed(job, error)
        return 0
    if not finished:
        ImportJob.objects.filter(
            store_id=job.store_id, pk=job.pk, state=ImportJob.State.PENDING, attempts=job.attempts
        ).update(next_attempt_at=timezone.now())
    outbox.wake(QUEUE)
    return int(job.done) - int(before)


def _failed(job: ImportJob, error: Exception) -> None:
    job.refresh_from_db()
    if job.state != job.State.PENDING:
        return
    if job.failures + 1 >= TRIES:
        job.give_up(type(error).__name__)
        return
    ImportJob.objects.filter(store_id=job.store_id, pk=job.pk).update(
        failures=F("failures") + 1,
        reason=type(error).__name__[:120],
        next_attempt_at=timezone.now() + timedelta(seconds=5 * 2**job.failures),
    )


def sweep(*, now: datetime, batch: int, **_: Any) -> None:
    """Forgets old jobs, and sooner the files of those that need them no longer, in small batches."""
    for kind in all_kinds():
        mine = ImportJob.objects.filter(kind=kind.name)
        old = mine.filter(created_at__lt=now - kind.keep_job).exclude(state=ImportJob.State.PENDING)
        ImportJob.objects.filter(pk__in=list(old.order_by("created_at").values_list("pk", flat=True)[:10])).delete()
        imported = Q(dry_run=False, state=ImportJob.State.DONE, done_at__lt=now - SPENT)
        over = mine.exclude(state=ImportJob.State.PENDING)
        spent = over.filter(imported | Q(done_at__lt=now - kind.keep_file))
        parts = ImportPart.objects.filter(job__in=spent).values_list("pk", flat=True)[: min(batch, 200)]
        ImportPart.objects.filter(pk__in=list(parts)).delete()


def error_file(*, job: ImportJob) -> Iterator[bytes]:
    """The rows that were left out, as a CSV file."""
    found = job.problems.order_by("pk").values_list("row", "column", "subject", "message")
    return csv_lines([_("row"), _("column"), _("value"), _("message")], found.iterator(chunk_size=1000))
