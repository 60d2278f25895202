"""Resolving plugs: `plug("CATALOG")` is one shared instance of the class that the setting names."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.apps import apps
from django.utils.module_loading import import_string

from storefront.conf import Conf, conf


@cache
def plug(name: str) -> Any:
    """The instance behind a key of `STOREFRONT`. Made once per process; must be safe to use from threads."""
    return import_string(getattr(conf(), name))()


@cache
def plug_list(name: str) -> tuple[Any, ...]:
    """The instances behind a key that lists classes, in order. Defaults of apps that are not installed are left out."""
    return tuple(import_string(path)() for path in paths(name))


def paths(name: str) -> tuple[str, ...]:
    """The classes that such a key names, less the defaults of apps that are not installed."""
    defaults = getattr(Conf, name)
    wanted = getattr(conf(), name)
    return tuple(path for path in wanted if path not in defaults or _installed(path))


@cache
def has(name: str) -> bool:
    """Whether anybody answers to a key: its default does only where the default's app is installed."""
    path = getattr(conf(), name)
    return bool(path) and (path != getattr(Conf, name) or _installed(path))


def _installed(path: str) -> bool:
    return apps.is_installed(path.partition(".")[0])


@cache
def plug_function(name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = import_string(getattr(conf(), name))
    return function


def forget() -> None:
    """Drops what was resolved, after a change of settings."""
    for resolved in (plug, plug_list, plug_function, has):
        resolved.cache_clear()
