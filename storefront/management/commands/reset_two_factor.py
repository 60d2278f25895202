"""`manage.py reset_two_factor USERNAME`: for the administrator who lost phone and recovery codes."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from storefront.staff import devices


class Command(BaseCommand):
    help = "Takes all second factors from a member of staff; the next sign-in enrols again where that is required."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *, username: str, **options: Any) -> None:
        user = get_user_model()._default_manager.filter(**{get_user_model().USERNAME_FIELD: username}).first()
        if user is None:
            raise CommandError(f"There is no user {username!r}.")
        devices.reset(user=user, by=user)
        self.stdout.write(f"{username} signs in with the password alone until a new device is set up.")
