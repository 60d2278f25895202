"""`manage.py staff_stores`: which stores a member of staff sees in the back office."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from storefront.models import Store
from storefront.staff import stores


class Command(BaseCommand):
    help = "Shows which stores a member of staff sees in the back office, or limits them to some. Superusers see all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        wish = parser.add_mutually_exclusive_group()
        wish.add_argument("--store", action="append", metavar="ID", help="limit them to this store; may be repeated")
        wish.add_argument("--all", action="store_true", dest="every", help="all stores, those of later too")
        wish.add_argument("--none", action="store_true", help="no store at all")

    def handle(self, *, username: str, store: list[str] | None, every: bool, none: bool, **_: Any) -> None:
        user = stores.member(username)
        if user is None:
            raise CommandError(f"There is no member of staff {username!r}.")
        if every:
            stores.limit(user=user, stores=None)
        elif store or none:
            found = list(Store.objects.filter(pk__in=store or ()))
            missing = sorted(set(store or ()) - {row.pk for row in found})
            if missing:
                raise CommandError(f"There is no store {missing[0]!r}.")
            stores.limit(user=user, stores=found)
        seen = stores.seen_by(user)
        if user.is_superuser:
            self.stdout.write(f"{username} is a superuser and sees all stores.")
        else:
            self.stdout.write(
                f"{username} sees {'all stores' if seen is None else ', '.join(sorted(seen)) or 'no store'}."
            )
