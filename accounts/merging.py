"""What a merge of two customers does to their users."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.models import Store

from . import sessions
from .models import SecurityEvent, Session, User


def lock(*, store: Store, from_customer_id: str, to_customer_id: str) -> None:
    """Listens to `customer.merging`: whoever changes a user locks it before its customer, so a merge does too."""
    rows = User.objects.select_for_update(no_key=True).filter(
        store=store, customer_id__in=[from_customer_id, to_customer_id]
    )
    list(rows.order_by("pk").values_list("pk", flat=True))


def move(*, store: Store, from_customer_id: str, to_customer_id: str, **_payload: Any) -> None:
    """Listens to `customer.merged`: the source's users join the target, not as its primary one unless it has none. Their
    sessions end, so that no token names the old customer any longer than SESSION_CHECK_SECONDS."""
    moving = User.objects.select_for_update(no_key=True).filter(store=store, customer_id=from_customer_id)
    ids = list(moving.order_by("pk").values_list("pk", flat=True))
    if not ids:
        return
    now = timezone.now()
    kept = User.objects.filter(store=store, customer_id=to_customer_id, is_primary=True, deleted_at=None)
    changes: dict[str, Any] = {"is_primary": False} if kept.exists() else {}
    User.objects.filter(store=store, pk__in=ids).update(customer_id=to_customer_id, modified_at=now, **changes)
    sessions.end_all(store=store, user_ids=ids, reason=Session.End.STAFF, now=now)
    for user_id in ids:
        sessions.log(store=store, kind=SecurityEvent.Kind.SESSIONS_ENDED, user_id=user_id, now=now)


def counts(*, store: Store, customer_id: str) -> dict[str, Any]:
    """What the preview of a merge tells; one query."""
    return {str(_("users")): User.objects.filter(store=store, customer_id=customer_id).count()}
