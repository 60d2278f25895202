"""`manage.py demo`: a store to try things on."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management.base import BaseCommand, CommandError

from config import demo


class Command(BaseCommand):
    help = "Makes a demo store, or finds it again: products, a shopper, an API key and a staff login. Safe to repeat."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--store", metavar="NAME", default=demo.DEFAULT_NAME, help="another name, another store")
        parser.add_argument(
            "--json", dest="as_json", action="store_true", help="one JSON object on standard output, nothing else"
        )

    def handle(self, *, store: str, as_json: bool, **_: Any) -> None:
        try:
            made = demo.ensure(name=store, origin=demo.origin())
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(error.messages[0]) from error
        if as_json:
            self.stdout.write(json.dumps(made.as_dict()))
            return
        width = max(len(name) for name in made.as_dict())
        for name, value in made.as_dict().items():
            self.stdout.write(f"{name:{width}}  {value}")
