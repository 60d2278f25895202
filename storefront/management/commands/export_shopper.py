"""`manage.py export_shopper`: all that the shop keeps about somebody, as one JSON document."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder

from storefront import privacy
from storefront.errors import NotFound
from storefront.models import Store
from storefront.staff import trail


class Command(BaseCommand):
    help = "Writes all that is kept about a shopper, or a customer with all its users, as JSON. It is written down."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store_id")
        parser.add_argument("who", help="a proven e-mail address or phone, or the id of a user or customer")
        parser.add_argument(
            "--output", metavar="FILE", help="a new file, readable by its owner only; else standard output"
        )

    def handle(self, *, store_id: str, who: str, output: str | None, **_: Any) -> None:
        store = Store.objects.filter(pk=store_id).first()
        if store is None:
            raise CommandError(f"There is no store {store_id!r}.")
        try:
            people = privacy.find(store=store, who=who)
        except NotFound as error:
            raise CommandError("Nobody has that contact or id.") from error
        found = privacy.export_people(store=store, people=people)
        text = json.dumps(found, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
        for person in people:
            trail.by_command(name="export_shopper", action=trail.Action.EXPORT, store=store, person=person)
        if not output:
            self.stdout.write(text)
            return
        try:
            descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror}") from error
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        self.stderr.write(f"Written to {output}.")
