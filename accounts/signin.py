"""Ways in and out: codes, passwords, registration, logging out.

Rows are locked in one order everywhere: user, challenge, session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from customers import invitations
from customers import selectors as customers
from customers.services import absorb_guest, create_customer, erase_customer
from messaging import services as messaging
from storefront import events, limits
from storefront import selectors as kernel
from storefront.contacts import mask
from storefront.contracts import Shopper
from storefront.errors import DomainError, InvalidCredentials, LoginRequired
from storefront.ids import is_ulid, new_id
from storefront.models import Store

from . import errors, otp, passwords, selectors, sessions, tokens
from .models import OtpChallenge, SecurityEvent, Session, User
from .otp import Issued
from .sessions import Opened
from .tokens import Pair

Action = OtpChallenge.Action
ENTERING = frozenset({Action.LOGIN.value, Action.REGISTER.value})
OWN_CONTACT = frozenset(
    {Action.VERIFY_PHONE.value, Action.VERIFY_EMAIL.value, Action.UPDATE_PHONE.value, Action.UPDATE_EMAIL.value}
)
METHODS = {"sms": "phone", "whatsapp": "whatsapp", "email": "email"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Entered:
    """A user who is now logged in, and their tokens."""

    user: User
    pair: Pair


def channel_of(*, store: Store, shopper: Shopper) -> Mapping[str, str]:
    """The place of sale that the caller's token names, else the store's first."""
    return shopper.claims.get("channel") or kernel.default_channel(store=store)


# --- visitors ---------------------------------------------------------------------------------------------------------
def become_visitor(
    *, store: Store, channel: Mapping[str, str], old_token: str | None, now: datetime
) -> tuple[Opened, User | None]:
    """A pair without a login. Nothing is queried for a caller without an old token; one query otherwise.

    An old access token, expired or not, keeps its holder's id: a visitor stays that visitor, a logged-in shopper
    becomes the known but logged-out one (their row is returned too). Accounts that are gone, and sessions that were
    revoked, are not continued. Raises AlreadyAuthenticated for a live login.
    """
    if not old_token:
        return sessions.visitor(store=store, channel=channel, now=now), None
    try:
        claims = tokens.AccessToken(old_token, store_id=store.pk, expired_too=True).payload
    except tokens.TokenError:
        return sessions.visitor(store=store, channel=channel, now=now), None
    user = _continued_user(store, claims, now)
    if user is None and not claims.get("is_anonymous", True):
        return sessions.visitor(store=store, channel=channel, now=now), None
    if user is not None and not user.live:
        return sessions.visitor(store=store, channel=channel, now=now), None
    opened = sessions.visitor(
        store=store,
        channel=channel,
        now=now,
        user_id=claims["ulid"],
        anonymous_id=claims.get("anonymous_id") or "",
        known=user is not None,
    )
    return opened, user


def _continued_user(store: Store, claims: Mapping[str, Any], now: datetime) -> User | None:
    session_id = claims.get("sid")
    if not session_id:
        return selectors.user_row(store=store, user_id=claims["ulid"])
    session = selectors.session_row(store=store, session_id=session_id)
    if session is None:
        return None
    if session.ended_at is None:
        if claims["exp"] > now.timestamp() and session.expires_at > now and session.user.live:
            raise errors.AlreadyAuthenticated
        return session.user
    # Ended by its own holder: go on as logged out. Ended for safety: whoever holds this token gets nothing of it.
    return session.user if session.end_reason == Session.End.LOGOUT else None


def log_out(*, store: Store, shopper: Shopper, now: datetime) -> tuple[Opened, User | None]:
    """Ends the caller's session and gives the pair that follows it; harmless for a visitor. Safe to repeat."""
    user = None
    if not shopper.is_anonymous:
        user = selectors.user_row(store=store, user_id=shopper.user_id)
    if shopper.session_id:
        with transaction.atomic():
            ended = sessions.end(store=store, session_ids=[shopper.session_id], reason=Session.End.LOGOUT, now=now)
            if ended:
                sessions.log(
                    store=store,
                    kind=SecurityEvent.Kind.LOGOUT,
                    user_id=shopper.user_id,
                    session_id=shopper.session_id,
                    now=now,
                )
    opened = sessions.visitor(
        store=store,
        channel=channel_of(store=store, shopper=shopper),
        now=now,
        user_id=shopper.user_id,
        anonymous_id=shopper.anonymous_id or "",
        known=not shopper.is_anonymous,
    )
    return opened, user


# --- asking for a code ------------------------------------------------------------------------------------------------
def start_login(
    *, store: Store, contact: str, channel: str, register_if_missing: bool, network: str, now: datetime
) -> Issued:
    """Sends a login code. An unknown contact costs and answers the same, and is told so by message (D-6)."""
    user = selectors.account_of_contact(store=store, contact=contact)
    known = user is not None and user.live
    if not known and not register_if_missing:
        _maybe_reveal(store, network)
    return otp.issue(
        store=store,
        action=Action.REGISTER if register_if_missing and not known else Action.LOGIN,
        channel=channel,
        contact=contact,
        user_id=user.pk if user is not None and known else "",
        decoy=not known and (user is not None or not register_if_missing),
        network=network,
        now=now,
    )


def start_registration(
    *,
    store: Store,
    contact: str,
    channel: str,
    network: str,
    now: datetime,
    pending: Mapping[str, str] | None = None,
    password: str = "",
) -> Issued:
    """Sends a code that makes the account, or opens the one that the contact already has.

    `pending` is what a new account starts with: first_name, last_name, the other contact. A `password` is hashed
    whatever becomes of it, so that known contacts take as long as new ones.
    """
    user = selectors.account_of_contact(store=store, contact=contact)
    kept = {name: value for name, value in (pending or {}).items() if value}
    if password:
        kept["password"] = passwords.hashed(password)
    return otp.issue(
        store=store,
        action=Action.REGISTER,
        channel=channel,
        contact=contact,
        user_id=user.pk if user else "",
        decoy=user is not None and not user.live,
        pending=kept,
        network=network,
        now=now,
    )


def start_reset(*, store: Store, contact: str, channel: str, network: str, now: datetime) -> Issued:
    user = selectors.account_of_contact(store=store, contact=contact)
    known = user is not None and user.live
    if not known:
        _maybe_reveal(store, network)
    return otp.issue(
        store=store,
        action=Action.RESET_PASSWORD,
        channel=channel,
        contact=contact,
        user_id=user.pk if user is not None and known else "",
        decoy=not known,
        network=network,
        now=now,
    )


def start_contact(
    *, store: Store, shopper: Shopper, action: str, contact: str, channel: str, network: str, now: datetime
) -> Issued:
    """Sends a code that verifies a contact of the caller's account, or changes it. Raises ContactMismatch."""
    _require_login(shopper)
    user = selectors.user(store=store, user_id=shopper.user_id)
    kind = "email" if channel == OtpChallenge.Channel.EMAIL else "phone"
    if action in {Action.VERIFY_EMAIL, Action.VERIFY_PHONE} and getattr(user, kind) != contact:
        raise errors.ContactMismatch(field=kind)
    return otp.issue(
        store=store, action=action, channel=channel, contact=contact, user_id=user.pk, network=network, now=now
    )


def start_code(
    *, store: Store, shopper: Shopper, action: str, contact: str, channel: str, network: str, now: datetime
) -> Issued:
    """Sends the code of any action that a client may ask for by name."""
    where = {"store": store, "contact": contact, "channel": channel, "network": network, "now": now}
    if action == Action.REGISTER:
        return start_registration(**where)  # type: ignore[arg-type]
    if action == Action.RESET_PASSWORD:
        return start_reset(**where)  # type: ignore[arg-type]
    return start_contact(shopper=shopper, action=action, **where)  # type: ignore[arg-type]


def _maybe_reveal(store: Store, network: str) -> None:
    if store.reveal_unregistered_contacts:
        limits.hit(limits.rules("otp_network", store.pk, network))
        raise errors.ContactUnknown


def _require_login(shopper: Shopper) -> None:
    if not shopper.is_logged_in:
        raise LoginRequired


# --- answering with the code ------------------------------------------------------------------------------------------
def verify(*, store: Store, shopper: Shopper, token: str, code: str, action: str, now: datetime) -> Entered:
    """What a right code does: logs in, makes the account, or settles a contact of the caller's own account.

    Raises CodeRefused, CodeExpired, ContactTaken, LoginRequired.
    """
    if action in OWN_CONTACT:
        _require_login(shopper)
        challenge = otp.try_code(store=store, token=token, code=code, actions={action}, now=now)
        return _settle_contact(store, shopper, challenge, now)
    actions = ENTERING if action in ENTERING else frozenset({action})
    challenge = otp.try_code(store=store, token=token, code=code, actions=actions, now=now)
    return _twice(partial(_enter_by_code, store, shopper, challenge, now))


def _twice(step: Callable[[], Entered]) -> Entered:
    """For transactions in which a contact becomes somebody's: one that loses to another looks again and finds theirs."""
    try:
        return step()
    except IntegrityError:  # somebody else registered or proved the contact, or took the id, a moment ago
        return step()


@transaction.atomic
def _enter_by_code(store: Store, shopper: Shopper, challenge: OtpChallenge, now: datetime) -> Entered:
    user = selectors.account_of_contact_for_update(store=store, contact=challenge.contact)
    otp.consume(challenge=challenge, now=now)
    if user is None:
        if challenge.action != Action.REGISTER:
            raise errors.CodeExpired(field="otp")  # the account went away while the code was out
        user = _register(store, shopper, challenge, now)
    elif not user.live:
        raise errors.CodeExpired(field="otp")
    elif user.unclaimed:
        _claim(store, user, challenge, now)
    return enter(store=store, shopper=shopper, user=user, method=METHODS[challenge.channel], now=now)


def _register(store: Store, shopper: Shopper, challenge: OtpChallenge, now: datetime) -> User:
    """The account of a contact that was just proved. A visitor is promoted: their id becomes the account's (D-21)."""
    user_id = shopper.user_id
    if not shopper.is_anonymous or not is_ulid(user_id) or selectors.is_registered(user_id=user_id):
        user_id = new_id()
    invitation = invitations.open_invitation(store=store, contact=challenge.contact, now=now)
    if invitation is not None and not invitations.accept(store=store, invitation=invitation, user_id=user_id, now=now):
        invitation = None  # withdrawn a moment ago
    if invitation is not None:
        customer = invitation.customer
        absorb_guest(store=store, guest_id=user_id, customer_id=customer.pk, now=now)
    else:
        customer = create_customer(store=store, customer_id=user_id)
    pending: Mapping[str, str] = challenge.pending
    kind = challenge.contact_kind
    user = User(
        pk=user_id,
        store=store,
        customer=customer,
        is_primary=invitation is None,
        first_name=pending.get("first_name", ""),
        last_name=pending.get("last_name", ""),
        email=challenge.contact if kind == "email" else pending.get("email", ""),
        is_email_verified=kind == "email",
        phone=challenge.contact if kind == "phone" else pending.get("phone", ""),
        is_phone_verified=kind == "phone",
        password=pending.get("password", ""),
        login_methods=["password"] if pending.get("password") else [],
        created_at=now,
    )
    user.save(force_insert=True)
    _registered(store, user, kind, now)
    return user


def _claim(store: Store, user: User, challenge: OtpChallenge, now: datetime) -> None:
    """Gives an imported account, whose row is locked, to whoever has just proved one of its contacts (ADR 16).

    What they gave with their registration fills what the import left empty.
    """
    pending: Mapping[str, str] = challenge.pending
    kind = challenge.contact_kind
    for name in ("first_name", "last_name", "email", "phone"):
        setattr(user, name, getattr(user, name) or pending.get(name, ""))
    setattr(user, f"is_{kind}_verified", True)
    if pending.get("password"):
        user.password, user.login_methods = pending["password"], ["password"]
    user.save(
        update_fields=[
            "first_name", "last_name", "email", "phone", "is_email_verified", "is_phone_verified", "password",
            "login_methods", "modified_at",
        ]
    )  # fmt: skip
    _join_inviting(store, user, challenge.contact, now)
    _registered(store, user, kind, now, imported=True)


def _registered(store: Store, user: User, kind: str, now: datetime, **details: Any) -> None:
    sessions.log(store=store, kind=SecurityEvent.Kind.REGISTERED, user_id=user.pk, now=now, **details)
    events.send("shopper.registered", store=store, user_id=user.pk, customer_id=user.customer_id)
    if kind == "email":
        messaging.queue(store=store, to=user.email, channel="email", template="welcome")


def enter(*, store: Store, shopper: Shopper, user: User, method: str, now: datetime) -> Entered:
    """Logs the caller in to `user`, whose row is locked, with a session of its own beside any other.

    A visitor's things follow them: `shopper.merged` is sent unless the visitor's id is somebody's account.
    """
    if (
        shopper.is_anonymous
        and shopper.user_id
        and shopper.user_id != user.pk
        and not selectors.is_registered(user_id=shopper.user_id)
    ):
        events.send(
            "shopper.merged",
            store=store,
            from_user_id=shopper.user_id,
            to_user_id=user.pk,
            strategy=store.cart_login_strategy,
        )
        absorb_guest(store=store, guest_id=shopper.user_id, customer_id=user.customer_id, now=now)
    user.last_login_at = now
    if method not in user.login_methods:
        user.login_methods = [*user.login_methods, method]
    user.save(update_fields=["last_login_at", "login_methods"])
    opened = sessions.open_session(
        store=store,
        user=user,
        channel=channel_of(store=store, shopper=shopper),
        anonymous_id=shopper.anonymous_id or shopper.user_id,
        method=method,
        now=now,
    )
    sessions.log(
        store=store,
        kind=SecurityEvent.Kind.LOGIN,
        user_id=user.pk,
        session_id=opened.holder.session_id or "",
        method=method,
        now=now,
    )
    events.send("shopper.logged_in", store=store, user_id=user.pk)
    return Entered(user=user, pair=opened.pair)


def _settle_contact(store: Store, shopper: Shopper, challenge: OtpChallenge, now: datetime) -> Entered:
    kind = challenge.contact_kind
    try:
        result = _settle_contact_once(store, shopper, challenge, kind, now)
    except IntegrityError:  # another account verified it a moment ago
        result = errors.ContactTaken(field=kind)
    if isinstance(result, DomainError):  # returned, not raised: the code stays used
        raise result
    return result


@transaction.atomic
def _settle_contact_once(
    store: Store, shopper: Shopper, challenge: OtpChallenge, kind: str, now: datetime
) -> Entered | DomainError:
    user = selectors.user_for_update(store=store, user_id=shopper.user_id)
    otp.consume(challenge=challenge, now=now)
    if user is None or not user.live or challenge.user_id != user.pk:
        return errors.CodeRefused(field="otp")
    owner = selectors.user_by_contact(store=store, contact=challenge.contact)
    if owner is not None and owner.pk != user.pk:
        return errors.ContactTaken(field=kind)
    before, was_verified = getattr(user, kind), getattr(user, f"is_{kind}_verified")
    changing = challenge.action in {Action.UPDATE_EMAIL, Action.UPDATE_PHONE}
    if not changing and before != challenge.contact:
        return errors.ContactMismatch(field=kind)
    setattr(user, kind, challenge.contact)
    setattr(user, f"is_{kind}_verified", True)
    user.save(update_fields=[kind, f"is_{kind}_verified", "modified_at"])
    _join_inviting(store, user, challenge.contact, now)
    if not changing:
        sessions.log(
            store=store,
            kind=SecurityEvent.Kind.CONTACT_VERIFIED,
            user_id=user.pk,
            session_id=shopper.session_id or "",
            now=now,
            contact=kind,
        )
        opened = sessions.renew(store=store, session_id=shopper.session_id or "", now=now)
        return Entered(user=user, pair=opened.pair)
    sessions.log(
        store=store,
        kind=SecurityEvent.Kind.CONTACT_CHANGED,
        user_id=user.pk,
        session_id=shopper.session_id or "",
        now=now,
        contact=kind,
    )
    if before and was_verified and before != challenge.contact:
        messaging.queue(
            store=store,
            to=before,
            channel="email" if kind == "email" else "sms",
            template="contact_changed",
            values={"contact": mask(challenge.contact)},
        )
    sessions.end_all(store=store, user_ids=[user.pk], reason=Session.End.CONTACT, now=now)
    return _again(store, shopper, user, now)


def _join_inviting(store: Store, user: User, contact: str, now: datetime) -> None:
    """Moves a user to the customer that invited a contact which they have just proved.

    Only one whose own customer is theirs alone and still bare: nobody loses an address book by an invitation.
    """
    invitation = invitations.open_invitation(store=store, contact=contact, now=now)
    if invitation is None or invitation.customer_id == user.customer_id or not user.is_primary:
        return
    left = user.customer_id
    alone = selectors.users_of_customer(store=store, customer_id=left).count() == 1
    if not alone or not customers.is_bare(store=store, customer_id=left):
        return
    if invitations.accept(store=store, invitation=invitation, user_id=user.pk, now=now):
        user.customer, user.is_primary = invitation.customer, False
        user.save(update_fields=["customer", "is_primary", "modified_at"])
        erase_customer(store=store, customer_id=left, now=now)


def _again(store: Store, shopper: Shopper, user: User, now: datetime) -> Entered:
    """A fresh session for a caller whose sessions have all just ended."""
    opened = sessions.open_session(
        store=store,
        user=user,
        channel=channel_of(store=store, shopper=shopper),
        anonymous_id=shopper.anonymous_id or "",
        method="renewed",
        now=now,
    )
    return Entered(user=user, pair=opened.pair)


# --- passwords --------------------------------------------------------------------------------------------------------
def log_in_by_password(
    *, store: Store, shopper: Shopper, contact: str, password: str, network: str, now: datetime
) -> Entered:
    """Raises InvalidCredentials after the same work, whether the account, its password or the given one is missing."""
    by_contact = limits.rules("login_contact", store.pk, contact)
    limits.hit([*by_contact, *limits.rules("login_network", store.pk, network)])
    found = selectors.user_by_contact(store=store, contact=contact)
    encoded = found.password if found is not None and found.live else ""
    if not passwords.holds(password=password, encoded=encoded):
        if (found is None or not found.live) and store.reveal_unregistered_contacts:
            raise errors.ContactUnknown
        raise InvalidCredentials
    limits.clear(by_contact)
    rehashed = passwords.hashed(password) if passwords.outdated(encoded) else ""
    with transaction.atomic():
        user = selectors.user_by_contact_for_update(store=store, contact=contact)
        if user is None or not user.live or user.password != encoded:  # changed while we were hashing
            raise InvalidCredentials
        if rehashed:
            user.password = rehashed
            user.save(update_fields=["password"])
        return enter(store=store, shopper=shopper, user=user, method="password", now=now)


def reset_password(
    *, store: Store, shopper: Shopper, token: str, code: str, password: str, confirmation: str, now: datetime
) -> Entered:
    """Sets the password of whoever proved their contact, ends their other sessions and logs them in."""
    passwords.require_match(password=password, confirmation=confirmation)
    passwords.require_acceptable(password=password, context=[store.name], field="new_password")
    challenge = otp.try_code(store=store, token=token, code=code, actions={Action.RESET_PASSWORD.value}, now=now)
    passwords.require_acceptable(password=password, context=[challenge.contact], field="new_password")
    return _twice(partial(_reset_password, store, shopper, challenge, passwords.hashed(password), now))


@transaction.atomic
def _reset_password(store: Store, shopper: Shopper, challenge: OtpChallenge, encoded: str, now: datetime) -> Entered:
    user = selectors.account_of_contact_for_update(store=store, contact=challenge.contact)
    otp.consume(challenge=challenge, now=now)
    if user is None or not user.live:
        raise errors.CodeExpired(field="otp")
    if user.unclaimed:
        _claim(store, user, challenge, now)
    _set_password(store, user, encoded)
    sessions.log(store=store, kind=SecurityEvent.Kind.PASSWORD_RESET, user_id=user.pk, now=now)
    sessions.end_all(store=store, user_ids=[user.pk], reason=Session.End.PASSWORD, now=now)
    return enter(store=store, shopper=shopper, user=user, method=METHODS[challenge.channel], now=now)


def change_password(*, store: Store, shopper: Shopper, old: str, new: str, confirmation: str, now: datetime) -> Pair:
    """A new pair; every session that the account had is over. Raises WrongPassword."""
    passwords.require_match(password=new, confirmation=confirmation)
    brakes = limits.rules("login_contact", store.pk, shopper.user_id)
    limits.hit(brakes)
    user = selectors.user(store=store, user_id=shopper.user_id)
    passwords.require_acceptable(
        password=new, context=[store.name, user.email, user.phone, user.first_name], field="new_password"
    )
    encoded = user.password
    if not passwords.holds(password=old, encoded=encoded):
        raise errors.WrongPassword(field="old_password")
    limits.clear(brakes)
    renewed = passwords.hashed(new)
    with transaction.atomic():
        locked = selectors.user_for_update(store=store, user_id=user.pk)
        if locked is None or not locked.live or locked.password != encoded:
            raise errors.WrongPassword(_("Your password was changed a moment ago."), field="old_password")
        _set_password(store, locked, renewed)
        sessions.log(
            store=store,
            kind=SecurityEvent.Kind.PASSWORD_CHANGED,
            user_id=user.pk,
            session_id=shopper.session_id or "",
            now=now,
        )
        sessions.end_all(store=store, user_ids=[user.pk], reason=Session.End.PASSWORD, now=now)
        return _again(store, shopper, locked, now).pair


def _set_password(store: Store, user: User, encoded: str) -> None:
    user.password = encoded
    if "password" not in user.login_methods:
        user.login_methods = [*user.login_methods, "password"]
    user.save(update_fields=["password", "login_methods", "modified_at"])
    to, channel = (user.email, "email") if user.is_email_verified else (user.phone, "sms")
    phone = user.phone if user.is_phone_verified else ""
    messaging.queue(
        store=store, to=to, channel=channel, template="password_changed", alternatives={"phone": phone} if phone else {}
    )
