"""`manage.py import_pincodes`: the postal codes of a country from a CSV file."""

from __future__ import annotations

import io
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from storefront.public import importing
from storefront.public.countries import country as known_country


class Command(BaseCommand):
    help = "Adds the postal codes of a CSV file with columns for code, city or district, and state. Safe to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="CSV in UTF-8; the first line names the columns")
        parser.add_argument(
            "--sample", action="store_true", help="a few hundred Indian codes that come with the project"
        )
        parser.add_argument("--country", default="IN", help="ISO code (default: IN)")
        parser.add_argument("--states", action="store_true", help="the file holds states: columns code and name")
        parser.add_argument("--dry-run", action="store_true", help="check everything, write nothing")

    def handle(self, *, file: Path | None, sample: bool, country: str, states: bool, dry_run: bool, **_: Any) -> None:
        country = country.upper()
        if known_country(country) is None:
            raise CommandError(f"There is no country {country!r}.")
        if states and country == "IN":
            raise CommandError("India's states are built in.")
        path = importing.SAMPLE if sample and file is None else file
        if path is None:
            raise CommandError("Name a file, or --sample.")
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
        run = importing.import_states if states else importing.import_pincodes
        try:
            report = self._with_progress(run, path, country, dry_run)
        except importing.FileRefused as error:
            raise CommandError(str(error)) from error
        for line, reason in report.errors:
            self.stderr.write(f"line {line}: {reason}")
        if report.refused > len(report.errors):
            self.stderr.write(f"... and {report.refused - len(report.errors)} more")
        done = "would be written" if dry_run else "written"
        self.stdout.write(f"{report.rows} rows read, {report.accepted} {done}, {report.refused} refused.")
        if report.refused:
            raise CommandError("Some rows were refused; the others are in.", returncode=2)

    def _with_progress(self, run: Any, path: Path, country: str, dry_run: bool) -> importing.Report:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rows]} rows"))
        with (
            path.open("rb") as source,
            io.TextIOWrapper(source, encoding="utf-8-sig", errors="replace", newline="") as file,
            Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar,
        ):
            task = bar.add_task(path.name, total=path.stat().st_size, rows=0)

            def show(report: importing.Report) -> None:
                bar.update(task, completed=source.tell(), rows=report.rows)

            report: importing.Report = run(file, country=country, dry_run=dry_run, progress=show)
            return report
