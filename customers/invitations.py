"""Inviting more users to a customer. The contact itself is the key: who proves it by a code, and has no account of
their own to lose, joins the customer that invited it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from storefront import events
from storefront.models import Store

from . import selectors
from .errors import AlreadyInvited, InvitationNotFound, TooManyInvitations
from .models import Invitation

DAYS = 14
MAX_OPEN = 100
State = Invitation.State


@transaction.atomic
def invite(*, store: Store, customer_id: str, contact: str, invited_by: str, now: datetime) -> Invitation:
    """Invites the owner of a contact (E.164 or an e-mail address, as `storefront.contacts` parses them).

    Sends `customer.invited`, upon which accounts write the message. Inviting again moves the end on and writes again.
    Raises CustomerNotFound, TooManyInvitations, and AlreadyInvited while another customer's invitation is open.
    """
    customer = selectors.customer_for_update(store=store, customer_id=customer_id)
    _expire(Invitation.objects.filter(store=store, contact=contact, state=State.OPEN, expires_at__lte=now))
    row = Invitation.objects.filter(store=store, contact=contact, state=State.OPEN).first()
    if row is not None and row.customer_id != customer_id:
        raise AlreadyInvited(field="contact")
    if row is None:
        if Invitation.objects.filter(store=store, customer_id=customer_id, state=State.OPEN).count() >= MAX_OPEN:
            raise TooManyInvitations
        row = Invitation(store=store, customer=customer, contact=contact, created_at=now)
    row.invited_by, row.expires_at = invited_by[:60], now + timedelta(days=DAYS)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:  # another customer invited it a moment ago
        raise AlreadyInvited(field="contact") from error
    name = str((customer.business or {}).get("name") or store.name)
    events.send("customer.invited", store=store, customer_id=customer_id, contact=contact, inviter=name)
    return row


def open_invitation(*, store: Store, contact: str, now: datetime) -> Invitation | None:
    """The invitation that a contact has, with its customer and group; one query."""
    rows = Invitation.objects.select_related("customer__group").filter(
        store=store, contact=contact, state=State.OPEN, expires_at__gt=now, customer__erased_at=None
    )
    return rows.first()


def accept(*, store: Store, invitation: Invitation, user_id: str, now: datetime) -> bool:
    """Whether it was still open and is now this user's; the contact is forgotten. In the caller's transaction."""
    rows = Invitation.objects.filter(
        store=store, pk=invitation.pk, customer_id=invitation.customer_id, state=State.OPEN, expires_at__gt=now
    )  # a merge of customers may have moved it a moment ago
    return rows.update(state=State.ACCEPTED, contact="", accepted_user_id=user_id, accepted_at=now) == 1


def withdraw(*, store: Store, customer_id: str, invitation_id: str) -> None:
    """Safe to repeat. Raises InvitationNotFound for one that is not the customer's, or was accepted."""
    rows = Invitation.objects.filter(store=store, customer_id=customer_id, pk=invitation_id)
    withdrawn = rows.filter(state=State.OPEN).update(state=State.WITHDRAWN, contact="")
    if not withdrawn and not rows.filter(state=State.WITHDRAWN).exists():
        raise InvitationNotFound


def expire_due(*, now: datetime, batch: int, **_payload: Any) -> None:
    """Listens to "sweep": ends invitations past their time and forgets their contacts, in small batches, all stores'."""
    due = Invitation.objects.filter(state=State.OPEN, expires_at__lte=now).order_by("expires_at")
    found = list(due.values_list("pk", flat=True)[:batch])
    if found:
        _expire(Invitation.objects.filter(pk__in=found, state=State.OPEN))


def _expire(rows: Any) -> None:
    rows.update(state=State.EXPIRED, contact="")
