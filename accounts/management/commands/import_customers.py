"""`manage.py import_customers STORE FILE`: see docs/customers.md."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from accounts import importing
from accounts.models import User
from storefront.errors import DomainError
from storefront.models import Store
from storefront.spreadsheets import csv_line, csv_lines
from storefront.staff import trail

SHOWN_PROBLEMS = 20


class Command(BaseCommand):
    help = "Imports customers with names, groups, segments and businesses from a CSV file. Safe to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store", metavar="STORE", help="the store's id")
        parser.add_argument("file", metavar="FILE", type=Path, help="CSV in UTF-8; the first line names the columns")
        parser.add_argument("--dry-run", action="store_true", help="check every row and write nothing")
        parser.add_argument(
            "--errors", metavar="FILE", type=Path, help="write the rows that were left out here, as CSV"
        )

    def handle(self, *, store: str, file: Path, dry_run: bool, errors: Path | None, **_: Any) -> None:
        found = Store.objects.filter(pk=store).first()
        if found is None:
            raise CommandError(f"There is no store {store}.")
        if errors is not None and errors.resolve() == file.resolve():
            raise CommandError("The errors need a file of their own.")
        try:
            report = self._import(found, file, dry_run, errors)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        except DomainError as error:
            raise CommandError(str(error.message)) from error
        verb = "would be " if dry_run else ""
        self.stdout.write(
            f"{report.rows} rows: {report.created} {verb}created, {report.changed} {verb}changed, "
            f"{report.unchanged} unchanged, {report.refused} with errors"
        )
        if report.refused:
            raise CommandError(f"{report.refused} rows were left out.", returncode=2)

    def _import(self, store: Store, path: Path, dry_run: bool, errors: Path | None) -> importing.Report:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with ExitStack() as stack:
            file = stack.enter_context(path.open("rb"))
            out = None
            if errors is not None:
                out = stack.enter_context(errors.open("wb"))
                out.writelines(csv_lines(importing.PROBLEM_COLUMNS, ()))
            bar = stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
            task = bar.add_task(path.name, total=path.stat().st_size)
            shown = 0

            def refuse(problem: importing.Problem) -> None:
                nonlocal shown
                if out is not None:
                    out.write(csv_line(problem.cells()))
                elif shown < SHOWN_PROBLEMS:
                    shown += 1
                    self.stderr.write(f"line {problem.line}  {problem.column}  {problem.message}")

            if not dry_run:
                trail.imported_list(
                    store=store, kind=User._meta.label, fields=importing.COLUMNS, command="import_customers"
                )
            return importing.run(
                store=store,
                file=file,
                dry_run=dry_run,
                refuse=refuse,
                progress=lambda report: bar.update(task, completed=report.done),
            )
