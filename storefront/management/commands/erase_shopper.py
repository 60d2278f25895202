"""`manage.py erase_shopper`: removes a person for good, as the account's own button does (D-14)."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from storefront import privacy
from storefront.errors import NotFound
from storefront.models import Store
from storefront.staff import trail


class Command(BaseCommand):
    help = "Erases a shopper's personal data for good; a primary user takes the customer and its users along."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store_id")
        parser.add_argument("who", help="a proven e-mail address or phone, or the id of a user or customer")
        parser.add_argument("--yes", action="store_true", help="really do it; without, it only says whom")

    def handle(self, *, store_id: str, who: str, yes: bool, **_: Any) -> None:
        store = Store.objects.filter(pk=store_id).first()
        if store is None:
            raise CommandError(f"There is no store {store_id!r}.")
        try:
            person = privacy.find(store=store, who=who)[0]
            if not yes:
                raise CommandError(f"This erases user {person.user_id} for good. Say so with --yes.")
            with transaction.atomic():
                privacy.erase(store=store, person=person, now=timezone.now())
                trail.by_command(name="erase_shopper", action=trail.Action.ERASE, store=store, person=person)
        except NotFound as error:
            raise CommandError("Nobody has that contact or id.") from error
        self.stdout.write(f"Erased user {person.user_id}.")
