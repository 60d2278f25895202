"""`manage.py verify_stock`: does the stock follow from the ledger and from what orders were promised?"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalog import audit
from storefront.models import Store


class Command(BaseCommand):
    help = (
        "Lists variants whose units do not add up: those of a location with its movements, those reserved with the "
        "reservations, the sum with the locations. Fails if there are any."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--store", metavar="ID", help="only this store")
        parser.add_argument("--repair", action="store_true", help="make them agree, and succeed")

    def handle(self, *, store: str | None, repair: bool, **_: Any) -> None:
        chosen = Store.objects.filter(pk=store).first() if store else None
        if store and chosen is None:
            raise CommandError(f"There is no store {store}.")
        wrong: set[tuple[str, str]] = set()
        for found in audit.mismatches(store=chosen):
            wrong.add((found.store_id, found.variant_id))
            where = found.location_id or "all locations"
            self.stdout.write(
                f"{found.store_id}  {found.variant_id}  {where}  {found.what} {found.kept}, counted {found.counted}"
            )
        if not repair:
            if wrong:
                raise CommandError(f"{len(wrong)} variants do not add up.")
            self.stdout.write("Every variant adds up.")
            return
        left = [
            key
            for key in sorted(wrong)
            if not audit.reconcile(store_id=key[0], variant_id=key[1], made_by="verify_stock")
        ]
        if left:
            raise CommandError(f"{len(left)} variants are promised more often than they are there: adjust their stock.")
        self.stdout.write(f"{len(wrong)} corrected." if wrong else "Every variant adds up.")
