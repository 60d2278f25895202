"""`manage.py verify_offers`: do the counters of coupons and promotions follow from their ledger?"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from promotions import audit
from storefront.models import Store


class Command(BaseCommand):
    help = "Lists offers whose counted uses are not those of the ledger. Fails if there are any. Changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--store", metavar="ID", help="only this store")

    def handle(self, *, store: str | None, **_: Any) -> None:
        if store and not Store.objects.filter(pk=store).exists():
            raise CommandError(f"There is no store {store}.")
        wrong = 0
        for found in audit.mismatches(store_id=store):
            wrong += 1
            self.stdout.write(
                f"{found.store_id}  {found.offer_id}  {found.what} {found.key}  {found.kept}, counted {found.counted}"
            )
        if wrong:
            raise CommandError(f"{wrong} counters do not add up.")
        self.stdout.write("Every counter adds up.")
