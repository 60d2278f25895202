"""`manage.py export_products --store S`: the catalogue as `import_products` reads it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalog.transfer import exporting
from storefront.models import Store


class Command(BaseCommand):
    help = "Writes every product of a store as CSV or JSON lines, to a file or to standard output."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path, nargs="?", help="standard output unless named")
        parser.add_argument("--store", metavar="ID", required=True)
        parser.add_argument("--format", choices=("csv", "json"), default="csv")

    def handle(self, *, file: Path | None, store: str, **options: Any) -> None:
        found = Store.objects.filter(pk=store).first()
        if found is None:
            raise CommandError(f"There is no store {store}.")
        content = exporting.export(store=found, format=options["format"])
        if file is None:
            sys.stdout.buffer.writelines(content)
            return
        try:
            with file.open("wb") as out:
                out.writelines(content)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from error
