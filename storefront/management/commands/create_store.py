"""`manage.py create_store`: a store, ready for its first API key."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from storefront import services
from storefront.models import Store


class Command(BaseCommand):
    help = "Makes a store with its Web channel and default customer group."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store_id", help="3 to 32 lower-case letters, digits and dashes; part of every API address")
        parser.add_argument("--name", help="as shoppers see it (default: made from the id)")
        parser.add_argument(
            "--country", dest="countries", action="append", help="ISO code; repeat; the first is default"
        )
        parser.add_argument("--currency-code", default="INR")
        parser.add_argument("--currency-name", default="Indian Rupee")
        parser.add_argument("--currency-symbol", default="₹")
        parser.add_argument("--currency-exponent", type=int, default=2, help="digits after the point")
        parser.add_argument("--time-zone", default="Asia/Kolkata")
        parser.add_argument("--language", default="en")
        parser.add_argument("--debug-mode", action="store_true", help="codes may be returned to x-debug-mode")
        parser.add_argument("--json", dest="as_json", action="store_true")

    def handle(self, *, store_id: str, name: str | None, as_json: bool, **options: Any) -> None:
        fields = {
            field: options[field]
            for field in (
                "currency_code",
                "currency_name",
                "currency_symbol",
                "currency_exponent",
                "time_zone",
                "language",
                "debug_mode",
            )
        }
        if options["countries"]:
            fields["countries"] = [code.upper() for code in options["countries"]]
        if Store.objects.filter(pk=store_id).exists():
            raise CommandError(f"There is a store {store_id!r} already.")
        try:
            store = services.create_store(
                store_id=store_id, name=name or store_id.replace("-", " ").capitalize(), **fields
            )
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        if as_json:
            self.stdout.write(json.dumps({"store_id": store.pk, "name": store.name}))
        else:
            self.stdout.write(f"Store {store.pk} is made. Next: manage.py create_key {store.pk}")
