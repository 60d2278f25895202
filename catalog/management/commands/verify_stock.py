"""`manage.py verify_stock`: does what is on hand follow from the ledger?"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalog import stock
from storefront.models import Store


class Command(BaseCommand):
    help = "Lists variants whose movements do not add up to what is on hand, and fails if there are any."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--store", metavar="ID", help="only this store")
        parser.add_argument("--repair", action="store_true", help="add a correcting movement for each, and succeed")

    def handle(self, *, store: str | None, repair: bool, **_: Any) -> None:
        chosen = Store.objects.filter(pk=store).first() if store else None
        if store and chosen is None:
            raise CommandError(f"There is no store {store}.")
        count = 0
        for found in stock.mismatches(store=chosen):
            count += 1
            self.stdout.write(f"{found.store_id}  {found.variant_id}  on hand {found.on_hand}, moved {found.moved}")
            if repair:
                stock.reconcile(mismatch=found, made_by="verify_stock")
        if count and not repair:
            raise CommandError(f"{count} variants do not add up.")
        self.stdout.write(f"{count} corrected." if count else "Every variant adds up.")
