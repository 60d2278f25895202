"""The environment as settings read it."""

from __future__ import annotations

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured


class Env(environ.Env):  # type: ignore[misc]
    """django-environ's, which names the variable that cannot be read, and never its value: it may be a secret."""

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().get_value(var, *args, **kwargs)
        except (TypeError, ValueError) as error:
            raise ImproperlyConfigured(f"{var} has a value of another kind than docs/settings.md says.") from error

    def address(self, var: str, read: Any) -> dict[str, Any]:
        """What `read` makes of an address such as `postgres://user:password@host:5432/name`."""
        try:
            found: dict[str, Any] = read(self.str(var))
        except (KeyError, TypeError, ValueError, ImproperlyConfigured) as error:
            raise ImproperlyConfigured(f"{var} is no address of a kind that docs/settings.md names.") from error
        return found
