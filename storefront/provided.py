"""Facts that a lower app needs and an upper one knows, by name, so that nothing imports upward.

The upper app registers a function from its `ready`; whoever asks while nobody has registered gets the default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_functions: dict[str, Callable[..., Any]] = {}


def register(name: str, function: Callable[..., Any]) -> None:
    """Names the function that answers; a second one takes the place of the first. It takes keyword arguments."""
    _functions[name] = function


def ask(name: str, *, default: Any, **arguments: Any) -> Any:
    """What the registered function answers to `arguments`; `default` while there is none."""
    function = _functions.get(name)
    return default if function is None else function(**arguments)
