"""What commands that import a file share: a bar, resuming, a dry run, errors as a file."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from storefront.errors import DomainError
from storefront.models import Store

from . import jobs
from .models import ImportJob

SHOWN_PROBLEMS = 20


class ImportCommand(BaseCommand):
    kind: str  # of import
    made_by: str  # the command's own name

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=("csv", "json"), help="else by the file's name, or CSV")
        parser.add_argument("--dry-run", action="store_true", help="check every row and write nothing")
        parser.add_argument("--resume", action="store_true", help="go on where an import of this file was broken off")
        parser.add_argument(
            "--errors", metavar="FILE", type=Path, help="write the rows that were left out here, as CSV"
        )

    def handle(
        self,
        *,
        file: Path,
        store: str,
        dry_run: bool,
        resume: bool,
        errors: Path | None,
        pictures: Path | None = None,
        **options: Any,
    ) -> None:
        found = Store.objects.filter(pk=store).first()
        if found is None:
            raise CommandError(f"There is no store {store}.")
        if errors is not None and errors.resolve() == file.resolve():
            raise CommandError("The errors need a file of their own.")
        named = options["format"] or ("json" if file.suffix.lower() in {".json", ".jsonl", ".ndjson"} else "csv")
        try:
            with file.open("rb") as content:
                job = jobs.begin(
                    store=found,
                    kind=self.kind,
                    file=content,
                    name=file.name,
                    format=named,
                    dry_run=dry_run,
                    made_by=self.made_by,
                    resume=resume,
                )
                jobs.claim(job=job)
                self._work(job, content, pictures)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from error
        except DomainError as error:
            raise CommandError(str(error.message)) from error
        except jobs.Stopped as error:
            raise CommandError("The import was stopped from elsewhere.") from error
        self._report(job, errors)

    def _work(self, job: ImportJob, content: IO[bytes], folder: Path | None) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=2) as progress:
            task = progress.add_task(job.name, total=job.total, completed=job.done)
            try:
                jobs.work(
                    job=job,
                    file=content,
                    progress=lambda now: progress.update(task, completed=now.done),
                    folder=folder,
                )
            except BaseException:  # whatever it was, the next run need not wait for the lease to end
                with suppress(DatabaseError):
                    jobs.release(job=job)
                raise

    def _report(self, job: ImportJob, errors: Path | None) -> None:
        verb = "would be " if job.dry_run else ""
        self.stdout.write(
            f"{job.done} rows: {job.created} {verb}created, {job.changed} {verb}changed, {job.unchanged} unchanged, "
            f"{job.errors} with errors"
        )
        if errors is not None:
            with errors.open("wb") as out:
                out.writelines(jobs.error_file(job=job))
        elif job.errors:
            for problem in job.problems.order_by("pk")[:SHOWN_PROBLEMS]:
                self.stderr.write(f"row {problem.row}  {problem.column}  {problem.message}")
        if job.errors:
            raise CommandError(f"{job.errors} rows were left out.", returncode=2)
