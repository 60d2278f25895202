"""`manage.py import_products FILE --store S`: see docs/import.md."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from catalog.transfer.kind import ProductImports
from storefront.imports.command import ImportCommand


class Command(ImportCommand):
    help = (
        "Imports products, variants, prices and stock from a CSV or JSON lines file. Safe to break off and to repeat."
    )
    kind = ProductImports.name
    made_by = "import_products"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--store", metavar="ID", required=True)
        super().add_arguments(parser)
        parser.add_argument("--pictures", metavar="FOLDER", type=Path, help="where files in the column media are")
