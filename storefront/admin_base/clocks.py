"""Whose clocks a page of the back office goes by: times are shown, and read in forms, in the time zone of a store.

Every page begins with `of_page`, around which the site puts `timezone.override`; the page of a row turns to the store
of its row (`follow`), and a list of stores whose clocks differ shows each row's moments in its own store's (`moment`).
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from storefront.admin_base.decorators import display
from storefront.admin_base.rows import stores_seen
from storefront.models import Store

CHOSEN_BY = ("store", "store__id__exact")  # of the dashboard and pages of apps; of lists


def of_page(request: HttpRequest) -> tzinfo:
    """That of the store which the address names or which is the only one, or of all stores seen; else the site's.

    One query, whose answer other parts of the page use as well.
    """
    seen = stores_seen(request)
    named = next((request.GET[name] for name in CHOSEN_BY if request.GET.get(name)), "")
    chosen = next((store for store in seen if store.pk == named), None)
    if chosen is not None:
        request._clocks_chosen = True  # type: ignore[attr-defined]
        return chosen.zone
    return seen[0].zone if seen and not differ(request) else timezone.get_default_timezone()


def differ(request: HttpRequest) -> bool:
    """Whether the stores that these staff see have not all the same time zone."""
    return len({store.time_zone for store in stores_seen(request)}) > 1


def follow(request: HttpRequest, store: Store | None) -> None:
    """From here to the end of this page its times are those of `store`."""
    if store is not None and len(stores_seen(request)) > 1:
        request._clocks_chosen = True  # type: ignore[attr-defined]
        timezone.activate(store.zone)


def hint(request: HttpRequest) -> str:
    """What stands beside a field that takes a time."""
    if differ(request) and not getattr(request, "_clocks_chosen", False):
        return _("Times are those of the store.")
    return _("Times are those of %(zone)s.") % {"zone": timezone.get_current_timezone_name()}


def moment(field: models.Field[Any, Any]) -> Any:
    """A list column for the moment in `field` by the clock of the row's store, which it names."""

    def column(row: Any) -> str | None:
        value = getattr(row, field.name)
        if value is None:
            return None
        local = timezone.localtime(value, row.store.zone)
        return f"{date_format(local, 'DATETIME_FORMAT')} {local:%Z}"

    column.__name__ = field.name
    return display(description=field.verbose_name, ordering=field.name)(column)
