"""Resolving plugs: `plug("CATALOG")` is one shared instance of the class that the setting names."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.utils.module_loading import import_string

from storefront.conf import conf


@cache
def plug(name: str) -> Any:
    """The instance behind a key of `STOREFRONT`. Made once per process; must be safe to use from threads."""
    return import_string(getattr(conf(), name))()


@cache
def plug_list(name: str) -> tuple[Any, ...]:
    """The instances behind a key that lists classes, in order."""
    return tuple(import_string(path)() for path in getattr(conf(), name))


@cache
def plug_function(name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = import_string(getattr(conf(), name))
    return function


def forget() -> None:
    """Drops what was resolved, after a change of settings."""
    for resolved in (plug, plug_list, plug_function):
        resolved.cache_clear()
