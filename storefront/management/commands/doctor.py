"""`manage.py doctor`: each dependency and its state."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from storefront import health


class Command(BaseCommand):
    help = "Shows each dependency and its state. Exits with 1 when something that is required is down."
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", dest="as_json", action="store_true", help="one JSON object on standard output")

    def handle(self, *, as_json: bool, **_: Any) -> None:
        found = health.report()
        sound = not any(component.harmful for component in found)
        if as_json:
            self.stdout.write(json.dumps({"ok": sound, "components": [component.as_dict() for component in found]}))
        else:
            for component in found:
                self.stdout.write(f"{self._state(component)}  {component.name:<28} {_words(component.detail)}")
            self.stdout.write("All that is required is up." if sound else "Something that is required is down.")
        if not sound:
            sys.exit(1)

    def _state(self, component: health.Component) -> str:
        warning = self.style.WARNING
        styles = {
            health.OK: self.style.SUCCESS,
            health.DOWN: self.style.ERROR,
            health.LATE: warning,
            health.LOW: warning,
        }
        style = styles.get(component.state, str)
        return str(style(f"{component.state:<5}"))


def _words(detail: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')}: {_word(value)}" for name, value in detail.items() if value != [])


def _word(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
