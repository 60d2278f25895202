"""One-time codes: sent, tried, used. All of their policy (D-8) is here.

A code is never stored. It is RFC 4226 over a key that only the server has and the identity of its challenge, so that
delivery and verification both compute it when they need it. Known and unknown contacts cost the same statements.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django_otp.oath import hotp

from messaging import secrets as message_secrets
from messaging import services as messaging
from storefront import crypto, limits
from storefront.conf import conf
from storefront.errors import TooManyRequests
from storefront.ids import new_id
from storefront.models import Store

from .errors import CodeExpired, CodeRefused
from .models import OtpChallenge

Action = OtpChallenge.Action
ENTER = "enter"  # logging in and registering are one topic: a shopper need not know which of them it will be
TEMPLATES = {
    Action.LOGIN: "otp_login",
    Action.REGISTER: "otp_register",
    Action.RESET_PASSWORD: "otp_reset_password",
    Action.VERIFY_PHONE: "otp_verify",
    Action.VERIFY_EMAIL: "otp_verify",
    Action.UPDATE_PHONE: "otp_update",
    Action.UPDATE_EMAIL: "otp_update",
}
COOLDOWN_MEMORY = timedelta(hours=1)  # codes older than this no longer make the next wait longer


@dataclass(frozen=True, kw_only=True, slots=True)
class Issued:
    """A challenge as its requester sees it. `code` is for the debug answer (D-7) only; neither is ever logged."""

    token: str = field(repr=False)
    code: str = field(repr=False)
    action: str


def issue(
    *,
    store: Store,
    action: str,
    channel: str,
    contact: str,
    network: str,
    now: datetime,
    user_id: str = "",
    decoy: bool = False,
    pending: Mapping[str, str] | None = None,
) -> Issued:
    """Sends a code to `contact` and voids the older ones of its topic. Seven statements, whatever the contact.

    A decoy's contact is told that it has no account; its challenge cannot be passed. Raises TooManyRequests, and then
    nothing was counted, voided or sent.
    """
    token = secrets.token_urlsafe(32)
    topic = ENTER if action in {Action.LOGIN, Action.REGISTER} else action
    contact_hashes = crypto.keyed_hashes("otp-contact", store.pk, contact)
    challenge = OtpChallenge(
        pk=new_id(),
        store=store,
        token_hash=crypto.keyed_hash("otp-token", store.pk, token),
        key_id=crypto.key_id(crypto.derived_keys("otp")[0]),
        contact=contact,
        contact_hash=contact_hashes[0],
        channel=channel,
        action=action,
        topic=topic,
        digits=conf().OTP_DIGITS,
        user_id=user_id,
        decoy=decoy,
        pending=dict(pending or {}),
        created_at=now,
        expires_at=now + timedelta(seconds=conf().OTP_TTL),
    )
    with transaction.atomic():
        limits.hit_with_row(sending_rules(store=store, contact=contact, network=network))
        same_topic = OtpChallenge.objects.filter(store=store, contact_hash__in=contact_hashes, topic=topic)
        _cool_down(same_topic, now)
        same_topic.filter(consumed_at=None, voided_at=None).update(voided_at=now, contact="", pending={})
        challenge.save(force_insert=True)
        messaging.queue(
            store=store,
            to=contact,
            channel=channel,
            template="no_account" if decoy else TEMPLATES[Action(action)],
            secret_ref="" if decoy else f"otp:{challenge.pk}",
            ttl=conf().OTP_TTL,
        )
    return Issued(token=token, code=_code(challenge), action=action)


def sending_rules(*, store: Store, contact: str, network: str) -> list[limits.Rule]:
    """Every brake on sending, the narrowest first. The contact's counter also makes its callers take turns."""
    found = limits.rules("otp_contact", store.pk, contact)
    if not found:  # lifted: the turn is still needed, or two codes could live at once
        found = [limits.Rule(crypto.keyed_hash("otp-turn", store.pk, contact)[:40], 2_000_000_000, 86_400)]
    if "@" not in contact:
        found += limits.rules("otp_prefix", store.pk, contact[:-4])
    found += limits.rules("otp_network", store.pk, network)
    budget = conf().OTP_STORE_DAILY_BUDGET
    if budget and conf().LIMITS_ENABLED:
        found.append(limits.Rule(f"otp_budget:{store.pk}", budget, 86_400))
    return found


def _cool_down(same_topic: Any, now: datetime) -> None:
    """Refuses a code that comes too soon after the last; the wait grows until one of them is used."""
    waits = conf().OTP_COOLDOWN if conf().LIMITS_ENABLED else ()
    recent = same_topic.filter(created_at__gt=now - COOLDOWN_MEMORY).order_by("-created_at")
    sent: list[datetime] = []
    for created_at, consumed_at in recent.values_list("created_at", "consumed_at")[: len(waits)]:
        if consumed_at is not None:
            break
        sent.append(created_at)
    if not sent:
        return
    left = (sent[0] + timedelta(seconds=waits[len(sent) - 1]) - now).total_seconds()
    if left > 0:
        raise TooManyRequests(retry_after=int(left) + 1)


def try_code(*, store: Store, token: str, code: str, actions: Collection[str], now: datetime) -> OtpChallenge:
    """The challenge that `code` opens, to be consumed with its effect. Raises CodeRefused or CodeExpired.

    The try is counted and committed before anything is compared, so that no parallelism buys more tries. Call it
    outside transactions.
    """
    hashes = crypto.keyed_hashes("otp-token", store.pk, token)
    challenge = OtpChallenge.objects.filter(store=store, token_hash__in=hashes).first()
    if challenge is None:
        raise CodeRefused(field="otp")
    counted = _open(challenge, now).filter(tries__lt=conf().OTP_TRIES).update(tries=F("tries") + 1)
    if not counted:
        raise CodeExpired(field="otp")
    right = hmac.compare_digest(_code(challenge).encode(), code.strip().encode())
    if not right or challenge.decoy or challenge.action not in actions:
        raise CodeRefused(field="otp")
    return challenge


def consume(*, challenge: OtpChallenge, now: datetime) -> None:
    """Uses the challenge up, in the caller's transaction; one of several parallel callers succeeds.

    Raises CodeExpired. The object in memory keeps the contact and the pending data; the row loses them.
    """
    if not _open(challenge, now).update(consumed_at=now, contact="", pending={}):
        raise CodeExpired(field="otp")


def _open(challenge: OtpChallenge, now: datetime) -> Any:
    return OtpChallenge.objects.filter(
        store_id=challenge.store_id, pk=challenge.pk, consumed_at=None, voided_at=None, expires_at__gt=now
    )


def reveal(secret_id: str, /, *, now: datetime) -> dict[str, str]:
    """For delivery: the code of a challenge that can be passed. Raises Gone, or Used once it has been."""
    challenge = OtpChallenge.objects.filter(pk=secret_id, decoy=False).first()
    if challenge is None or challenge.voided_at or challenge.expires_at <= now:
        raise message_secrets.Gone("otp")
    try:
        values = {"code": _code(challenge)}
    except CodeExpired as error:
        raise message_secrets.Gone("otp") from error
    if challenge.consumed_at:
        raise message_secrets.Used("otp", values)
    if challenge.tries >= conf().OTP_TRIES:
        raise message_secrets.Gone("otp")
    return values


def _code(challenge: OtpChallenge) -> str:
    """Raises CodeExpired when the key it was made under is gone."""
    for key in crypto.derived_keys("otp"):
        if crypto.key_id(key) == challenge.key_id:
            break
    else:
        raise CodeExpired(field="otp")
    identity = (challenge.store_id, challenge.pk, challenge.contact_hash, challenge.channel, challenge.action)
    secret = hmac.digest(key, "\x1f".join(identity).encode(), "sha256")
    return str(hotp(secret, 0, challenge.digits)).zfill(challenge.digits)


def void_for_user(*, store: Store, user_id: str, contacts: Collection[str], now: datetime) -> None:
    """Ends every open challenge of an account that goes away."""
    hashes = [
        digest for contact in contacts if contact for digest in crypto.keyed_hashes("otp-contact", store.pk, contact)
    ]
    open_ones = OtpChallenge.objects.filter(store=store, consumed_at=None, voided_at=None)
    if hashes:
        open_ones.filter(contact_hash__in=hashes).update(voided_at=now, contact="", pending={})
    open_ones.filter(user_id=user_id).update(voided_at=now, contact="", pending={})
