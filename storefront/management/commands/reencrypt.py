"""`manage.py reencrypt`: what is encrypted in the database, under the newest SECRET_KEY."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models
from django.db.models import Value
from django.db.models.functions import Cast

from storefront import crypto

BATCH = 500


class Command(BaseCommand):
    help = (
        "Encrypts anew whatever an older SECRET_KEY of SECRET_KEY_FALLBACKS encrypted: credentials, numbers of documents "
        "and bank accounts. Safe to repeat, to interrupt, and to run while the shop is open."
    )

    def handle(self, **_: Any) -> None:
        changed = lost = 0
        for model, column in encrypted_columns():
            for pk, old in _stored(model, column):
                try:
                    new = crypto.renewed(old)
                except ValueError:
                    lost += 1
                    continue
                if new is not None:  # unless somebody saved another value meanwhile
                    unchanged = _rows(model, column).filter(pk=pk, stored=old)
                    changed += unchanged.update(**{column: Value(new, models.TextField())})
        self.stdout.write(f"{changed} values encrypted anew.")
        if lost:
            raise CommandError(f"{lost} values open with no key of SECRET_KEY and SECRET_KEY_FALLBACKS.")


def encrypted_columns() -> Iterator[tuple[type[models.Model], str]]:
    """Fields of the kernel's own type, and those whose name says that they hold what `crypto.encrypt` gave."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, crypto.EncryptedJSONField) or field.name.endswith("_encrypted"):
                yield model, field.name


def _rows(model: type[models.Model], column: str) -> models.QuerySet[Any]:
    """All rows, of every store, with the column as it is stored."""
    return model._base_manager.annotate(stored=Cast(column, models.TextField())).order_by("pk")


def _stored(model: type[models.Model], column: str) -> Iterator[tuple[Any, str]]:
    after: dict[str, Any] = {}
    while batch := list(_rows(model, column).filter(**after).values_list("pk", "stored")[:BATCH]):
        yield from ((pk, stored) for pk, stored in batch if stored)
        after = {"pk__gt": batch[-1][0]}
