"""Which stores a member of staff sees. The limit itself is `storefront.scope`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from storefront import scope
from storefront.models import StaffStores, Store


def seen_by(user: Any) -> frozenset[str] | None:
    """The ids of the stores that this member of staff sees; None: all. None or one query."""
    if user.is_superuser:
        return None
    rows = list(StaffStores.objects.filter(staff_id=user.pk).values_list("all_stores", "stores"))
    if not rows or rows[0][0]:
        return None
    return frozenset(store_id for _all, store_id in rows if store_id is not None)


@transaction.atomic
def limit(*, user: Any, stores: Iterable[Store] | None) -> None:
    """Lets them see these stores only, or all (None). Counts from their next page on; a repeat changes nothing."""
    row, _made = StaffStores.objects.select_for_update().get_or_create(staff_id=user.pk)
    row.all_stores = stores is None
    row.save(update_fields=["all_stores"])
    row.stores.set(stores or ())


def manageable(users: QuerySet[Any], *, by: Any) -> QuerySet[Any]:
    """Those of `users` whom `by` may see: whoever is limited sees themselves and who sees no more than they do."""
    limited = scope.stores()
    if limited is None:
        return users
    rows = StaffStores.objects.filter(staff=OuterRef("pk"), all_stores=False)
    further = StaffStores.stores.through.objects.filter(staffstores_id=OuterRef("pk")).exclude(store_id__in=limited)
    return users.filter(Q(pk=by.pk) | Q(Exists(rows), ~Exists(further), is_superuser=False))


def member(username: str) -> Any:
    """The member of staff of that user name, or None."""
    model = get_user_model()
    return model._default_manager.filter(**{model.USERNAME_FIELD: username}, is_staff=True).first()
