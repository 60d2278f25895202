"""Columns and actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import action as theme_action
from unfold.decorators import display as theme_display
from unfold.enums import ActionVariant

__all__ = ["ActionVariant", "action", "display"]

Method = TypeVar("Method", bound=Callable[..., Any])


def display(
    *,
    description: Any = None,
    ordering: Any = None,
    boolean: bool | None = None,
    empty_value: str | None = None,
    label: Any = None,
    header: bool | None = None,
    image: bool | None = None,
) -> Callable[[Method], Method]:
    """A column. `label` shows it as a badge: True, or a map from its value to success, info, warning or danger."""
    found: Callable[[Method], Method] = theme_display(
        description=description,
        ordering=ordering,
        boolean=boolean,
        empty_value=empty_value,
        label=label,
        header=header,
        image=image,
    )
    return found


def action(
    *,
    description: Any,
    permissions: Sequence[str] | None = None,
    url_path: str | None = None,
    icon: str | None = None,
    variant: ActionVariant = ActionVariant.DEFAULT,
    attrs: dict[str, Any] | None = None,
    dialog: dict[str, Any] | None = None,
    confirm: Any = None,
) -> Callable[[Method], Method]:
    """An action of `actions`, `actions_detail`, `actions_list` or `actions_row`.

    Those of a list (`actions`) are written into the history of the chosen rows; with `confirm`, a text that says what
    cannot be undone, staff are asked before. Those of a page (`actions_detail`, `actions_row`) are called by link as
    `method(request, object_id)`: let them change something on POST only, and answer a GET with `site.confirm`.
    """
    themed = theme_action(
        description=description,
        permissions=permissions,
        url_path=url_path,
        icon=icon,
        variant=variant,
        attrs=attrs,
        dialog=dialog,
    )

    def decorate(method: Method) -> Method:
        @wraps(method)
        def run(model_admin: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if not (args and isinstance(args[0], QuerySet)):
                return method(model_admin, request, *args, **kwargs)
            return model_admin.run_on_many(request, method, args[0], description=description, confirm=confirm)

        found: Method = themed(run)
        return found

    return decorate
