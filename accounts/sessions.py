"""Token pairs and the sessions behind them. A visitor's pair is stateless; a login is a row.

A refresh token is used once. Its successor follows from its row by a keyed hash, so that callers who come together
(several tabs) get the very same one; whoever presents a used token after the grace ends the session.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction

from storefront import crypto
from storefront import selectors as kernel
from storefront.conf import conf
from storefront.contacts import split_e164
from storefront.errors import DomainError
from storefront.ids import new_id
from storefront.models import Store

from . import errors, selectors, tokens
from .models import RefreshToken, SecurityEvent, Session, User
from .tokens import Holder, Pair


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A fresh pair, and whom it speaks of."""

    holder: Holder
    pair: Pair


# --- without a row ----------------------------------------------------------------------------------------------------
def visitor(
    *,
    store: Store,
    channel: Mapping[str, str],
    now: datetime,
    user_id: str = "",
    anonymous_id: str = "",
    known: bool = False,
    **shown: str | None,
) -> Opened:
    """A pair without a session: a visitor's, or (`known`) a logged-out shopper's. No queries.

    `shown` are names and contacts that the caller has just given us (D-65); a refresh drops them.
    """
    user_id = user_id or new_id()
    holder = Holder(
        user_id=user_id,
        anonymous_id=anonymous_id or user_id,
        channel=channel,
        is_anonymous=not known,
        **shown,  # type: ignore[arg-type]
    )
    return Opened(holder=holder, pair=_stateless_pair(store, holder, now))


def _stateless_pair(store: Store, holder: Holder, now: datetime) -> Pair:
    return Pair(
        access=tokens.mint_access(store_id=store.pk, holder=holder, now=now),
        refresh=tokens.mint_refresh(
            store_id=store.pk,
            holder=holder,
            issued_at=now,
            expires_at=now + timedelta(seconds=conf().REFRESH_TOKEN_SECONDS),
        ),
    )


# --- with a row -------------------------------------------------------------------------------------------------------
def open_session(
    *, store: Store, user: User, channel: Mapping[str, str], anonymous_id: str, method: str, now: datetime
) -> Opened:
    """A session of a user whose row the caller holds locked, and its first pair. Two queries."""
    now = now.replace(microsecond=0)
    session = Session(
        store=store,
        user=user,
        channel=dict(channel),
        anonymous_id=anonymous_id or user.pk,
        method=method,
        created_at=now,
        last_used_at=now,
        expires_at=now + timedelta(seconds=conf().REFRESH_TOKEN_SECONDS),
    )
    session.save(force_insert=True)
    jti = secrets.token_hex(16)
    row = _add_token(session, jti, now)
    holder = holder_of(store=store, session=session, user=user)
    return Opened(holder=holder, pair=_session_pair(store, holder, row, jti, now))


def _add_token(session: Session, jti: str, now: datetime, parent: RefreshToken | None = None) -> RefreshToken:
    row = RefreshToken(
        store_id=session.store_id,
        session=session,
        parent=parent,
        jti_hash=crypto.keyed_hash("refresh", session.store_id, jti),
        issued_at=now,
        # An honest `exp`: the client reads it, and falls back to a lesser session once it has passed.
        expires_at=min(session.expires_at, now + timedelta(seconds=conf().REFRESH_IDLE_SECONDS)),
    )
    row.save(force_insert=True)
    return row


def _session_pair(store: Store, holder: Holder, row: RefreshToken, jti: str, now: datetime) -> Pair:
    return Pair(
        access=tokens.mint_access(store_id=store.pk, holder=holder, now=now),
        refresh=tokens.mint_refresh(
            store_id=store.pk, holder=holder, issued_at=row.issued_at, expires_at=row.expires_at, jti=jti
        ),
    )


def holder_of(*, store: Store, session: Session, user: User) -> Holder:
    """What the tokens of a logged-in shopper say. The user's customer must be loaded."""
    phone = split_e164(user.phone) if user.phone else None
    return Holder(
        user_id=user.pk,
        anonymous_id=session.anonymous_id,
        channel=session.channel,
        is_logged_in=True,
        is_anonymous=False,
        session_id=session.pk,
        customer_id=user.customer_id,
        group_id=group_id_of(store=store, user=user),
        email=user.email or None,
        phone=phone.national if phone else None,
        username=user.email or user.phone or None,
        first_name=user.first_name or None,
        last_name=user.last_name or None,
        facts={
            "country_code": phone.country_code if phone else None,
            "is_email_verified": user.is_email_verified,
            "is_phone_verified": user.is_phone_verified,
            "is_primary": user.is_primary,
        },
    )


def group_id_of(*, store: Store, user: User) -> str | None:
    """The customer's own group, else the store's default one."""
    if user.customer.group_id:
        return str(user.customer.group_id)
    default = kernel.default_group(store=store)
    return default.pk if default else None


# --- refreshing -------------------------------------------------------------------------------------------------------
def refresh(*, store: Store, raw: str, now: datetime) -> Pair:
    """The pair that follows. Raises RefreshRefused or one of its kinds; ends the session when a used token comes back.

    One query for a visitor, five for a session.
    """
    try:
        token = tokens.RefreshToken(raw, store_id=store.pk)
    except tokens.ExpiredTokenError as error:
        raise errors.RefreshExpired(field="refresh_token") from error
    except tokens.TokenError as error:
        raise errors.RefreshRefused(field="refresh_token") from error
    claims = token.payload
    result = _rotate(store, claims, now) if claims.get("sid") else _refresh_stateless(store, claims, now)
    if isinstance(result, DomainError):  # returned, not raised: what was done about it must be committed
        raise result
    return result


def _refresh_stateless(store: Store, claims: Mapping[str, Any], now: datetime) -> Pair | DomainError:
    user = selectors.user_row(store=store, user_id=claims["ulid"])
    if user is None and not claims.get("is_anonymous", True):
        return errors.RefreshRefused(field="refresh_token")
    if user is not None and not user.live:
        return errors.RefreshRefused(field="refresh_token")
    return visitor(
        store=store,
        channel=claims["channel"],
        now=now,
        user_id=claims["ulid"],
        anonymous_id=claims["anonymous_id"],
        known=user is not None,  # whoever registered from another tab is no longer a visitor
    ).pair


@transaction.atomic
def _rotate(store: Store, claims: Mapping[str, Any], now: datetime) -> Pair | DomainError:
    session = selectors.session_for_update(store=store, session_id=claims["sid"])
    if session is None or session.ended_at or session.expires_at <= now or not session.user.live:
        return errors.SessionEnded(field="refresh_token")
    row = selectors.refresh_token_row(store=store, session=session, jti=claims["jti"])
    if row is None:
        return errors.RefreshRefused(field="refresh_token")
    if RefreshToken.objects.filter(store=store, pk=row.pk, used_at=None).update(used_at=now):
        child, jti = _succeed(session, row, now)
    elif row.used_at is None or now - row.used_at <= timedelta(seconds=conf().REFRESH_GRACE_SECONDS):
        child = RefreshToken.objects.get(store=store, parent=row)
        found = _jti_of(row, child)
        if found is None:  # its key is gone
            return errors.RefreshRefused(field="refresh_token")
        jti = found
    else:
        end(store=store, session_ids=[session.pk], reason=Session.End.REUSE, now=now)
        log(store=store, kind=SecurityEvent.Kind.TOKEN_REUSED, user_id=session.user_id, session_id=session.pk, now=now)
        return errors.RefreshReused(field="refresh_token")
    return _session_pair(store, holder_of(store=store, session=session, user=session.user), child, jti, now)


def _succeed(session: Session, row: RefreshToken, now: datetime) -> tuple[RefreshToken, str]:
    """The one successor of a token that was marked used in this transaction, and its jti."""
    now = now.replace(microsecond=0)
    jti = _successor_jtis(row)[0]
    child = _add_token(session, jti, now, parent=row)
    Session.objects.filter(store_id=session.store_id, pk=session.pk).update(last_used_at=now)
    return child, jti


def _successor_jtis(row: RefreshToken) -> list[str]:
    """What the successor's jti is under each live key, the newest first."""
    return [digest[:32] for digest in crypto.keyed_hashes("refresh-successor", row.store_id, row.jti_hash)]


def _jti_of(row: RefreshToken, child: RefreshToken) -> str | None:
    for jti in _successor_jtis(row):
        if child.jti_hash in crypto.keyed_hashes("refresh", row.store_id, jti):
            return jti
    return None


def renew(*, store: Store, session_id: str, now: datetime) -> Opened:
    """A fresh pair within a live session, after its holder proved something: the next token of its chain.

    Within the caller's transaction. Raises SessionEnded.
    """
    session = selectors.session_for_update(store=store, session_id=session_id)
    if session is None or session.ended_at or session.expires_at <= now or not session.user.live:
        raise errors.SessionEnded
    row = RefreshToken.objects.get(store=store, session=session, used_at=None)
    RefreshToken.objects.filter(store=store, pk=row.pk).update(used_at=now)
    child, jti = _succeed(session, row, now)
    holder = holder_of(store=store, session=session, user=session.user)
    return Opened(holder=holder, pair=_session_pair(store, holder, child, jti, now))


# --- ending -----------------------------------------------------------------------------------------------------------
def end(*, store: Store, session_ids: Iterable[str], reason: str, now: datetime) -> int:
    """Ends those that still live, and returns how many. Here at once, elsewhere within SESSION_CHECK_SECONDS."""
    wanted = sorted(session_ids)
    ended = Session.objects.filter(store=store, pk__in=wanted, ended_at=None).update(ended_at=now, end_reason=reason)
    for session_id in wanted:
        _forget(partial(selectors.forget_session, session_id))
    return ended


def _forget(what: Callable[[], None]) -> None:
    """Now, for the rest of this transaction, and after the commit, for what another thread looked up meanwhile."""
    what()
    transaction.on_commit(what)


def end_all(*, store: Store, user_ids: list[str], reason: str, now: datetime) -> int:
    """Ends every session of these users, whose rows the caller holds locked."""
    ids = selectors.live_session_ids(store=store, user_ids=user_ids)
    for user_id in user_ids:
        _forget(partial(selectors.forget_user, user_id))
    return end(store=store, session_ids=ids, reason=reason, now=now) if ids else 0


def log(
    *, store: Store, kind: str, now: datetime, user_id: str = "", session_id: str = "", **details: str | int
) -> None:
    """Adds to the security log; ids and stable words only."""
    SecurityEvent.objects.create(
        store=store, kind=kind, user_id=user_id, session_id=session_id, details=details, created_at=now
    )
