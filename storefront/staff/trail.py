"""Which member of staff read or changed whose personal data. Kept apart from what they did with it.

Pages whose admin class says `personal = True` write here by themselves: a read when a row's page is opened, a change
with what `log_change` says. Exports and erasures are written by whoever does them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.http import HttpRequest

from storefront.conf import conf
from storefront.models import StaffAccess, Store
from storefront.privacy import Person

logger = structlog.get_logger(__name__)
Action = StaffAccess.Action
MOST_EXPORTED = 1000


def record(*, staff: Any, action: str, row: Any, fields: Iterable[str] = (), customer_id: str | None = None) -> None:
    """One row about `row`, in the caller's transaction: without it, what it tells of does not happen either."""
    StaffAccess.objects.create(
        store_id=row.store_id,
        staff_id=str(staff.pk),
        staff_name=staff.get_username(),
        action=action,
        kind=row._meta.label,
        object_id=str(row.pk),
        customer_id=customer_of(row) if customer_id is None else customer_id,
        fields=sorted(fields),
    )


def exported_list(*, staff: Any, store: Store, kind: str, fields: Iterable[str]) -> None:
    """The same for a list of everybody, which has no row of its own. One insert."""
    StaffAccess.objects.create(
        store=store,
        staff_id=str(staff.pk),
        staff_name=staff.get_username(),
        action=Action.EXPORT,
        kind=kind,
        object_id="*",
        fields=list(fields),
    )


def imported_list(*, store: Store, kind: str, fields: Iterable[str], staff: Any = None, command: str = "") -> None:
    """The same for an import of many, by a member of staff or a command; before its first row is written. One insert."""
    StaffAccess.objects.create(
        store=store,
        staff_id="" if staff is None else str(staff.pk),
        staff_name=f"manage.py {command}" if staff is None else staff.get_username(),
        action=Action.CHANGE,
        kind=kind,
        object_id="*",
        fields=list(fields),
    )


def by_command(*, name: str, action: str, store: Store, person: Person) -> None:
    """The same for a command that works on a whole person. One insert."""
    StaffAccess.objects.create(
        store=store,
        staff_name=f"manage.py {name}",
        action=action,
        kind="storefront_accounts.User",
        object_id=person.user_id,
        customer_id=person.customer_id,
    )


def viewed(*, request: HttpRequest, row: Any, fields: Iterable[str] = ()) -> None:
    """The same for a page that is being shown. A failure is logged as an error and the page is shown nevertheless."""
    try:
        with transaction.atomic():
            record(staff=request.user, action=Action.VIEW, row=row, fields=fields)
    except Exception:
        logger.exception("staff_access_not_written", kind=row._meta.label, object_id=str(row.pk))


def customer_of(row: Any) -> str:
    """The id of the customer that a row is about: itself, or what it names; "" where it names none."""
    if row._meta.label == "storefront_customers.Customer":
        return str(row.pk)
    return str(getattr(row, "customer_id", "") or "")


def of_customer(*, store: Store, customer_id: str | None, **_: Any) -> Any:
    """For `storefront.privacy`: when staff read or changed what of the customer; who it was is theirs. One query."""
    rows = StaffAccess.objects.filter(store=store, customer_id=customer_id or "").exclude(customer_id="")
    return list(rows.order_by("-at").values("action", "kind", "fields", "at")[:MOST_EXPORTED])


def prune(*, now: datetime, batch: int, **_: Any) -> None:
    """Listens to "sweep": rows older than STAFF_ACCESS_DAYS go."""
    old = StaffAccess.objects.filter(at__lt=now - timedelta(days=conf().STAFF_ACCESS_DAYS))
    keys = list(old.order_by("at").values_list("pk", flat=True)[:batch])
    if keys:
        StaffAccess.objects.filter(pk__in=keys).delete()
