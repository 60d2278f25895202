"""`manage.py rebuild_search`: indexes every product anew."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from catalog.models import Product
from catalog.search import index
from storefront.errors import DomainError
from storefront.models import Store


class Command(BaseCommand):
    help = (
        "Indexes every product of one store, or of all, with the engine that SEARCH names. "
        "Searches go on meanwhile; safe to break off and to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--store", metavar="ID", help="only this store")

    def handle(self, *, store: str | None, **_: Any) -> None:
        stores = list(Store.objects.filter(pk=store) if store else Store.objects.order_by("pk"))
        if store and not stores:
            raise CommandError(f"There is no store {store}.")
        for found in stores:
            total = Product.objects.filter(store=found).count()
            try:
                count = self._rebuild(found, total)
            except DomainError as error:
                raise CommandError(f"{found.pk}: {error.message}") from error
            self.stdout.write(f"{found.pk}: {count} products")

    def _rebuild(self, store: Store, total: int) -> int:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(store.pk, total=total)
            return index.rebuild(store=store, progress=lambda done: progress.update(task, completed=done))
