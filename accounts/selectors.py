"""Every read of accounts, scoped to a store."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from storefront import crypto
from storefront.conf import conf
from storefront.contacts import split_e164
from storefront.errors import NotFound
from storefront.models import Store
from storefront.selectors import ShortMemory

from .models import RefreshToken, Session, User

UNCLAIMED = Q(is_email_verified=False, is_phone_verified=False)  # as `User.unclaimed`, for rows that are not erased
MIN_DIGITS = 4  # of a phone's end that staff look for
_live_sessions: ShortMemory[bool] = ShortMemory(size=20_000, seconds=lambda: conf().SESSION_CHECK_SECONDS)
_live_users: ShortMemory[bool] = ShortMemory(size=20_000, seconds=lambda: conf().SESSION_CHECK_SECONDS)


def _users(store: Store) -> QuerySet[User]:
    return User.objects.filter(store=store).select_related("customer__group")


def user(*, store: Store, user_id: str) -> User:
    """The live user with their customer and group; one query. Raises NotFound."""
    found = _users(store).filter(pk=user_id, deactivated_at=None, deleted_at=None).first()
    if found is None:
        raise NotFound
    return found


def user_row(*, store: Store, user_id: str) -> User | None:
    """Whatever row that id has, deactivated and deleted ones too; one query."""
    return _users(store).filter(pk=user_id).first()


def user_for_update(*, store: Store, user_id: str) -> User | None:
    """The row, locked until the transaction ends; deactivated and deleted ones too. One query."""
    return _users(store).select_for_update(of=("self",), no_key=True).filter(pk=user_id).first()


def is_registered(*, user_id: str) -> bool:
    """Whether a row of any store and state has this id: then it can be nobody else's. One query."""
    return User.objects.filter(pk=user_id).exists()


def _by_contact(rows: QuerySet[User], contact: str) -> QuerySet[User]:
    if "@" in contact:
        return rows.filter(email=contact, is_email_verified=True)
    return rows.filter(phone=contact, is_phone_verified=True)


def user_by_contact(*, store: Store, contact: str) -> User | None:
    """Whose verified contact it is, live or deactivated; one query."""
    return _by_contact(_users(store), contact).first()


def _opened_by_code(rows: QuerySet[User], contact: str) -> QuerySet[User]:
    kind = "email" if "@" in contact else "phone"
    proved = f"is_{kind}_verified"
    found = rows.filter(Q(**{proved: True}) | UNCLAIMED, deleted_at=None, **{kind: contact})
    return found.order_by(f"-{proved}", "created_at", "pk")


def account_of_contact(*, store: Store, contact: str) -> User | None:
    """The account that a code sent to this contact opens, live or deactivated; one query.

    Whoever proved the contact has it. Only where nobody did, an unclaimed account with it is opened, the oldest first.
    """
    return _opened_by_code(_users(store), contact).first()


def account_of_contact_for_update(*, store: Store, contact: str) -> User | None:
    """The same, locked until the transaction ends. Who waited for the lock sees what the other one left."""
    return _opened_by_code(_users(store).select_for_update(of=("self",), no_key=True), contact).first()


def user_by_contact_for_update(*, store: Store, contact: str) -> User | None:
    """Whose verified contact it is, locked until the transaction ends."""
    return _by_contact(_users(store).select_for_update(of=("self",), no_key=True), contact).first()


def session_lives(*, store: Store, session_id: str) -> bool:
    """Whether the session's tokens still count; none or one query. Believed for SESSION_CHECK_SECONDS."""
    if _live_sessions.get(session_id):
        return True
    lives = Session.objects.filter(store=store, pk=session_id, ended_at=None, expires_at__gt=timezone.now()).exists()
    if lives:
        _live_sessions.put(session_id, True)
    return lives


def user_lives(*, store: Store, user_id: str) -> bool:
    """Whether a logged-out shopper's account still exists; none or one query, believed as long as a session."""
    if _live_users.get(user_id):
        return True
    lives = User.objects.filter(store=store, pk=user_id, deactivated_at=None, deleted_at=None).exists()
    if lives:
        _live_users.put(user_id, True)
    return lives


def forget_session(session_id: str) -> None:
    _live_sessions.drop(session_id)


def forget_user(user_id: str) -> None:
    _live_users.drop(user_id)


def forget() -> None:
    """Drops what this process believes of sessions and accounts."""
    _live_sessions.drop()
    _live_users.drop()


def session_row(*, store: Store, session_id: str) -> Session | None:
    """The session with its user, whatever its state; one query."""
    return Session.objects.select_related("user__customer__group").filter(store=store, pk=session_id).first()


def session_for_update(*, store: Store, session_id: str) -> Session | None:
    """The session with its user, locked until the transaction ends; one query."""
    rows = Session.objects.select_related("user__customer__group").select_for_update(of=("self",), no_key=True)
    return rows.filter(store=store, pk=session_id).first()


def refresh_token_row(*, store: Store, session: Session, jti: str) -> RefreshToken | None:
    """The row behind a token's `jti`, under any live key; one query."""
    hashes = crypto.keyed_hashes("refresh", store.pk, jti)
    return RefreshToken.objects.filter(store=store, session=session, jti_hash__in=hashes).first()


def live_session_ids(*, store: Store, user_ids: list[str]) -> list[str]:
    """One query."""
    return list(
        Session.objects.filter(store=store, user_id__in=user_ids, ended_at=None)
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def users_of_customer(*, store: Store, customer_id: str) -> QuerySet[User]:
    return User.objects.filter(store=store, customer_id=customer_id).order_by("pk")


def users_to_import(*, store: Store, emails: Collection[str], phones: Collection[str], lock: bool) -> list[User]:
    """Who proved one of these contacts, and accounts with one of them of which nothing is proved; one query.

    By id; locked until the transaction ends with `lock`. Deactivated ones too.
    """
    rows = User.objects.filter(store=store, deleted_at=None).order_by("pk")
    if lock:
        rows = rows.select_for_update(no_key=True)
    found = rows.filter(
        Q(email__in=emails) & (Q(is_email_verified=True) | UNCLAIMED)
        | Q(phone__in=phones) & (Q(is_phone_verified=True) | UNCLAIMED)
    )
    return list(found)


def proved_contacts(*, store: Store, user_id: str) -> list[str]:
    """E-mail address and phone that the user proved to be theirs; one query."""
    user = User.objects.filter(store=store, pk=user_id, deleted_at=None).first()
    return [] if user is None else [user.email] * user.is_email_verified + [user.phone] * user.is_phone_verified


def customer_ids_of_people(*, text: str) -> QuerySet[Any]:
    """A subquery for staff: customers of users whose name or e-mail begins so, or whose phone ends so, of any store."""
    words = text.split()
    named = Q(email__startswith=text.lower()) | Q(first_name__istartswith=text) | Q(last_name__istartswith=text)
    if len(words) > 1:
        named |= Q(first_name__istartswith=words[0], last_name__istartswith=words[-1])
    digits = "".join(character for character in text if character.isdigit())
    if len(digits) >= MIN_DIGITS:
        named |= Q(phone__endswith=digits)
    return User.objects.filter(named).values("customer_id")


def details_of_user(*, store: Store, user_id: str) -> dict[str, Any]:
    """Names and contacts under the contract's names, as they are now; one query. {} for who is erased."""
    row = User.objects.filter(store=store, pk=user_id, deleted_at=None).first()
    if row is None:
        return {}
    phone = split_e164(row.phone) if row.phone else None
    return {
        "first_name": row.first_name,
        "last_name": row.last_name,
        "email": row.email,
        "country_code": phone.country_code if phone else "",
        "phone": phone.national if phone else "",
        "is_email_verified": row.is_email_verified,
        "is_phone_verified": row.is_phone_verified,
    }


def people_of_customers(*, store: Store, customer_ids: list[str]) -> dict[str, tuple[str, str, str]]:
    """Name, e-mail address and phone of the customers' primary users, by customer; one query."""
    rows = User.objects.filter(store=store, customer_id__in=customer_ids, is_primary=True, deleted_at=None)
    return {row.customer_id: (row.full_name, row.email, row.phone) for row in rows}


def wants(*, store: Store, to: str, channel: str, category: str) -> bool:
    """Whether the owner of a contact wants messages of a category by that channel; strangers have not objected."""
    owner = user_by_contact(store=store, contact=to)
    if owner is None:
        return True
    return owner.live and owner.preferences.get(category, {}).get(channel, False)
