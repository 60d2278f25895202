"""manage.py messages: what was sent to whom, and what became of it. Never a code, a text or a value."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from messaging import selectors
from messaging.models import Message

_RELATIVE = re.compile(r"(\d{1,9})\s*(s|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_COLOURS = {"queued": "yellow", "sent": "green", "delivered": "bright_green", "failed": "red"}


class Command(BaseCommand):
    help = (
        "Lists outgoing messages, the oldest first. Status is one of: queued (waits or is being sent), sent (a provider "
        "accepted it), delivered (its arrival was reported), failed (given up; the reason says why)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print a JSON array and nothing else.")
        parser.add_argument(
            "--since", metavar="TIME", help="Only messages made at or after TIME: ISO 8601, or 10m, 2h, 3d ago."
        )
        parser.add_argument("--store", metavar="ID", help="Only messages of this store.")

    def handle(self, *args: Any, **options: Any) -> None:
        since = moment(options["since"]) if options["since"] else None
        found = selectors.messages(since=since)
        if options["store"]:
            found = found.filter(store_id=options["store"])
        if options["as_json"]:
            self.stdout.write(json.dumps([as_row(message) for message in found.iterator()], ensure_ascii=False))
        else:
            self._table([as_row(message) | {"reason": message.reason} for message in found.iterator()])

    def _table(self, rows: list[dict[str, Any]]) -> None:
        from rich.console import Console
        from rich.table import Table

        table = Table(title=f"{len(rows)} messages" if rows else "No messages", title_justify="left")
        for name in ("created", "store", "to", "channel", "template", "status", "attempts", "sent"):
            table.add_column(name, no_wrap=True, overflow="fold")
        for row in rows:
            colour = _COLOURS[row["status"]]
            table.add_row(
                row["created_at"][:19].replace("T", " "),
                row["store"],
                row["to"],
                row["channel"],
                row["template"],
                f"[{colour}]{row['status']}[/]" + (f" ({row['reason']})" if row["reason"] else ""),
                str(row["attempts"]),
                (row["sent_at"] or "")[:19].replace("T", " "),
            )
        terminal = self.stdout.isatty()
        with (console := Console(width=None if terminal else 200, no_color=not terminal)).capture() as captured:
            console.print(table)
        self.stdout.write(captured.get(), ending="")


def as_row(message: Message) -> dict[str, Any]:
    """What may be shown of a message anywhere: whereto and what became of it."""
    return {
        "id": message.pk,
        "store": message.store_id,
        "to": message.to,
        "channel": message.current_channel,
        "template": message.template,
        "status": message.status.value,
        "attempts": message.attempts,
        "created_at": _iso(message.created_at),
        "sent_at": _iso(message.sent_at),
    }


def _iso(value: datetime | None) -> str | None:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value else None


def moment(text: str) -> datetime:
    """A time written as ISO 8601 (UTC unless it says otherwise) or as an age: 90s, 10m, 2h, 3d, 1w."""
    wanted = text.strip()
    if match := _RELATIVE.fullmatch(wanted.lower().removesuffix(" ago").removeprefix("-")):
        try:
            return timezone.now() - timedelta(**{_UNITS[match[2]]: int(match[1])})
        except OverflowError:
            raise CommandError(f"{text!r} is too long ago.") from None
    try:
        found = parse_datetime(wanted)
        if found is None and (day := parse_date(wanted)):
            found = datetime(day.year, day.month, day.day, tzinfo=UTC)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{text!r} is not a time; use ISO 8601 or an age such as 10m.")
    return found if found.tzinfo else found.replace(tzinfo=UTC)
