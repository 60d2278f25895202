"""`manage.py import_customers STORE FILE`: see docs/customers.md."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from accounts.importing import CustomerImports
from storefront.imports.command import ImportCommand


class Command(ImportCommand):
    help = (
        "Imports customers with names, groups, segments and businesses from a CSV or JSON lines file. Safe to break off "
        "and to repeat."
    )
    kind = CustomerImports.name
    made_by = "import_customers"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store", metavar="STORE", help="the store's id")
        parser.add_argument(
            "file", metavar="FILE", type=Path, help="in UTF-8; a CSV file's first line names the columns"
        )
        super().add_arguments(parser)
