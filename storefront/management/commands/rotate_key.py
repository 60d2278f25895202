"""`manage.py rotate_key`: a successor for an API key, with time to change over."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from storefront import services
from storefront.models import ApiKey

OVERLAPS = {
    "now": timedelta(0),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}


class Command(BaseCommand):
    help = "Makes a successor for an API key. The old key works on for the overlap, then ends."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store_id")
        parser.add_argument("key", help="the key's id or visible prefix")
        parser.add_argument("--overlap", choices=OVERLAPS, default="24h")
        parser.add_argument("--json", dest="as_json", action="store_true")

    def handle(self, *, store_id: str, key: str, overlap: str, as_json: bool, **_: Any) -> None:
        named = Q(pk=key) | Q(prefix=key[:10])
        found = [row for row in ApiKey.objects.filter(named, store_id=store_id).select_related("store") if row.live]
        if len(found) != 1:
            problem = "several live keys match" if found else "no live key matches"
            raise CommandError(f"In store {store_id!r} {problem} {key[:10]!r}. Name it by its id or its prefix.")
        old = found[0]
        made = services.rotate_key(store=old.store, key=old, overlap=OVERLAPS[overlap])
        old.refresh_from_db(fields=["expires_at"])
        ends = old.expires_at.isoformat(timespec="seconds") if old.expires_at else ""
        if as_json:
            self.stdout.write(
                json.dumps(
                    {
                        "store_id": store_id,
                        "key_id": made.key.pk,
                        "api_key": made.text,
                        "prefix": made.key.prefix,
                        "old_key_id": old.pk,
                        "old_key_expires_at": ends,
                    }
                )
            )
        else:
            self.stdout.write(f"{made.text}\nKeep it now: it cannot be shown again. {old.prefix}… works until {ends}.")
