"""`manage.py verify_credit`: does what every credit line owes and holds follow from its ledger and its orders?"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payments import credit
from payments.models import CreditLine
from storefront.models import Store


class Command(BaseCommand):
    help = "Checks that every credit line is the sum of its entries and holds. Exits with 1 when one is not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--store", metavar="ID", help="only this store")
        parser.add_argument("--json", dest="as_json", action="store_true", help="one JSON object on standard output")

    def handle(self, *, store: str | None, as_json: bool, **_: Any) -> None:
        if store and not Store.objects.filter(pk=store).exists():
            raise CommandError(f"There is no store {store}.")
        lines = CreditLine.objects.filter(store=store) if store else CreditLine.objects.all()
        total, found = lines.count(), list(credit.mismatches(store_id=store))
        if as_json:
            rows = [{**row._asdict(), "kept": str(row.kept), "counted": str(row.counted)} for row in found]
            self.stdout.write(json.dumps({"ok": not found, "lines": total, "mismatches": rows}))
        else:
            for row in found:
                self.stdout.write(
                    f"{row.store_id}  {row.customer_id}  {row.what}: kept {row.kept}, counted {row.counted}"
                )
            self.stdout.write(f"{len(found)} figures do not add up." if found else f"{total} credit lines add up.")
        if found:
            sys.exit(1)
