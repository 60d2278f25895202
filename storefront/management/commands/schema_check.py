"""`manage.py schema_check`: our routes, access rules and inputs against the published contract."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from storefront import contract, schema


class Command(BaseCommand):
    help = "Compares the API with the published contract; exits with an error where they differ."

    def handle(self, *args: Any, **options: Any) -> None:
        found = schema.disagreements()
        have = Counter(operation.tag for operation, _view, _action in schema.served().values())
        want = Counter(operation.tag for operation in contract.operations().values())
        for tag in sorted(want):
            self.stdout.write(f"{tag:<22}{have[tag]:>4} of {want[tag]}")
        if found:
            raise CommandError("\n".join(["The API and the contract differ:", *found]))
        self.stdout.write(f"{sum(have.values())} operations served, no disagreement.")
