"""What accounts know of a shopper, for their export, and who belongs to a contact or id."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from customers import services as customers
from messaging import selectors as messaging
from storefront import contacts
from storefront.errors import DomainError
from storefront.models import Store
from storefront.privacy import Person

from . import selectors, services
from .models import ConsentRecord, SecurityEvent, Session, User

MOST = 1000  # rows of each kind in an export


class AccountPeople:
    """For `storefront.privacy`: users, and guests, who are customers without one."""

    def find(self, *, store: Store, who: str) -> Sequence[Person]:
        """Up to three queries."""
        if not who:
            return []
        rows = list(selectors.users_of_customer(store=store, customer_id=who).order_by("-is_primary", "pk"))
        if not rows:
            rows = [row for row in [self._by_contact(store, who)] if row is not None]
        found = [Person(row.pk, row.customer_id) for row in rows if row.deleted_at is None]
        if not rows and customers.is_guest(store=store, customer_id=who):
            return [Person(who, who)]
        return found

    def _by_contact(self, store: Store, who: str) -> User | None:
        row = selectors.user_row(store=store, user_id=who)
        if row is not None:
            return row
        try:
            contact = contacts.parse_email(who) if "@" in who else contacts.parse_phone(store=store, phone=who).e164
        except DomainError:
            return None
        return selectors.account_of_contact(store=store, contact=contact)

    def erase(self, *, store: Store, person: Person, now: datetime) -> None:
        """Raises NotFound for who is no user and no guest, or none any more."""
        if customers.is_guest(store=store, customer_id=person.user_id):
            customers.erase_guest(store=store, customer_id=person.user_id, now=now)
        else:
            services.erase(store=store, user_id=person.user_id, now=now)


def account(*, store: Store, user_id: str, **_: Any) -> Any:
    """One query."""
    user = User.objects.filter(store=store, pk=user_id, deleted_at=None).first()
    if user is None:
        return None
    names = (
        "first_name", "last_name", "email", "is_email_verified", "phone", "is_phone_verified", "login_methods",
        "metadata", "created_at", "last_login_at", "deactivated_at",
    )  # fmt: skip
    return {name: getattr(user, name) for name in names} | {
        "id": user.pk,
        "has_profile_image": bool(user.profile_image),
        "notification_preferences": user.preferences,
    }


def sessions(*, store: Store, user_id: str, **_: Any) -> Any:
    """One query."""
    names = ("id", "method", "created_at", "last_used_at", "expires_at", "ended_at", "end_reason")
    rows = Session.objects.filter(store=store, user_id=user_id).order_by("-created_at")
    return list(rows.values(*names)[:MOST])


def consents(*, store: Store, user_id: str, **_: Any) -> Any:
    """When messages of which kind were turned on and off; one query."""
    rows = ConsentRecord.objects.filter(store=store, user_id=user_id).order_by("-at", "-pk")
    return list(rows.values("topic", "medium", "granted", "source", "network", "at")[:MOST])


def security_log(*, store: Store, user_id: str, **_: Any) -> Any:
    """One query."""
    rows = SecurityEvent.objects.filter(store=store, user_id=user_id).order_by("-created_at")
    return list(rows.values("kind", "session_id", "details", "created_at")[:MOST])


def messages(*, store: Store, user_id: str, **_: Any) -> Any:
    """What was sent to the contacts that the user proved; two queries."""
    proved = selectors.proved_contacts(store=store, user_id=user_id)
    return messaging.sent_to(store=store, contacts=proved, limit=MOST)
