"""`manage.py verify_ledger`: does every balance of points, credit and gift cards follow from its ledger?"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from storefront.models import Store
from wallets import audit


class Command(BaseCommand):
    help = "Checks that every balance is the sum of its entries and holds. Exits with 1 when one is not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--store", metavar="ID", help="only this store")
        parser.add_argument("--json", dest="as_json", action="store_true", help="one JSON object on standard output")

    def handle(self, *, store: str | None, as_json: bool, **_: Any) -> None:
        if store and not Store.objects.filter(pk=store).exists():
            raise CommandError(f"There is no store {store}.")
        total = audit.accounts(store_id=store).count()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(store or "all stores", total=total)
            found = list(audit.mismatches(store_id=store, progress=lambda done: progress.update(task, completed=done)))
        if as_json:
            rows = [{**row._asdict(), "kept": str(row.kept), "counted": str(row.counted)} for row in found]
            self.stdout.write(json.dumps({"ok": not found, "accounts": total, "mismatches": rows}))
        else:
            for row in found:
                self.stdout.write(
                    f"{row.store_id}  {row.kind}  {row.account_id}  {row.what}: kept {row.kept}, counted {row.counted}"
                )
            self.stdout.write(
                f"{len(found)} of {total} accounts do not add up." if found else f"{total} accounts add up."
            )
        if found:
            sys.exit(1)
