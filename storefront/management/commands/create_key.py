"""`manage.py create_key`: an API key, shown once."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from storefront import services
from storefront.models import Channel, Store


class Command(BaseCommand):
    help = "Makes an API key for one channel of a store. The text is shown once: only its hash is kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store_id")
        parser.add_argument("--name", default="Web", help="to tell keys apart")
        parser.add_argument("--channel", help="name or type of a channel (default: the store's first)")
        parser.add_argument("--days", type=int, help="how long it is valid (default: until revoked)")
        parser.add_argument("--json", dest="as_json", action="store_true")

    def handle(
        self, *, store_id: str, name: str, channel: str | None, days: int | None, as_json: bool, **_: Any
    ) -> None:
        store = Store.objects.filter(pk=store_id).first()
        if store is None:
            raise CommandError(f"There is no store {store_id!r}.")
        if days is not None and days < 1:
            raise CommandError("--days must be at least 1.")
        expires_at = timezone.now() + timedelta(days=days) if days else None
        made = services.create_key(
            store=store, name=name, channel=_channel(store, channel) if channel else None, expires_at=expires_at
        )
        if as_json:
            self.stdout.write(
                json.dumps(
                    {"store_id": store.pk, "key_id": made.key.pk, "api_key": made.text, "prefix": made.key.prefix}
                )
            )
        else:
            self.stdout.write(f"{made.text}\nKeep it now: it cannot be shown again. Its prefix is {made.key.prefix}.")


def _channel(store: Store, wanted: str) -> Channel:
    channels = Channel.objects.filter(store=store).order_by("created_at", "pk")
    found = channels.filter(name__iexact=wanted).first() or channels.filter(type=wanted.lower()).first()
    if found is None:
        known = ", ".join(channels.values_list("name", flat=True))
        raise CommandError(f"{store.pk} has no channel {wanted!r}; it has {known}.")
    return found
