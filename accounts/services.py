"""What a registered shopper changes about their own account, and housekeeping. Ways in and out are in `signin`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from customers import services as customers
from messaging import services as messaging
from storefront import events
from storefront import selectors as kernel
from storefront.addresses import cleaned
from storefront.conf import conf
from storefront.errors import Invalid, NotFound, VerificationRequired
from storefront.limits import coarse
from storefront.models import Store

from . import errors, images, otp, selectors, sessions
from .models import MEDIA, TOPICS, ConsentRecord, OtpChallenge, RefreshToken, SecurityEvent, Session, User

KEEP_ENDED = timedelta(days=30)  # how long an ended session's row is kept for staff to see
KEEP_CHALLENGES = timedelta(days=1)


def _locked(store: Store, user_id: str) -> User:
    user = selectors.user_for_update(store=store, user_id=user_id)
    if user is None or not user.live:
        raise NotFound
    return user


# --- profile ----------------------------------------------------------------------------------------------------------
@transaction.atomic
def update_profile(*, store: Store, user_id: str, changes: Mapping[str, Any], network: str = "") -> User:
    """Applies those of the writable members that were sent; the rest of the account is out of reach.

    `network` is the caller's, for the history of consent.

    Members: first_name, last_name, email, phone (normalised; None removes), preferences, group_id, business.
    Raises VerificationRequired for a verified contact (D-12), GroupNotAllowed (D-11).
    """
    user = _locked(store, user_id)
    before = user.preferences
    for name in ("first_name", "last_name"):
        if name in changes:
            setattr(user, name, changes[name] or "")
    for kind in ("email", "phone"):
        if kind in changes:
            _change_contact(user, kind, changes[kind] or "")
    if "preferences" in changes:
        user.notification_preferences = _merged(user.notification_preferences, changes["preferences"])
    if changes.get("group_id"):
        _choose_group(store, user, changes["group_id"])
    if "business" in changes:
        business = _wanted_business(store, changes["business"], user.customer.business)
        if _business(business) != _business(user.customer.business):
            if not user.is_primary:
                raise Invalid(_("Only the primary user can change this."), code="primary_user_only", field="business")
            customers.set_business(store=store, customer_id=user.customer_id, business=business)
            user.customer.business = business  # as it is shown; the tax numbers beside it stay
    user.save(update_fields=["first_name", "last_name", "email", "phone", "notification_preferences", "modified_at"])
    if "preferences" in changes:
        _remember(store, user, before=before, source=ConsentRecord.Source.API, network=network)
        _tell_preferences(store, user)
    return user


def _business(held: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What a user is shown of a business, and sends back: a client that changes a name may send the whole user."""
    if not held:
        return None
    empty: dict[str, Any] = {"type": "", "name": "", "metadata": {}, "registered_address": None}
    return {name: held.get(name) or nothing for name, nothing in empty.items()}


def _wanted_business(
    store: Store, sent: Mapping[str, Any] | None, stored: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """What was sent with its registered address checked. An address that was not sent stays, and one that was sent
    back as it is shown is not judged again: the store's rules may have changed since."""
    if sent is None:
        return None
    kept: Mapping[str, Any] | None = (stored or {}).get("registered_address")
    wanted = dict(sent)
    address = wanted.pop("registered_address", kept)
    if kept and address and all(address.get(name) == text for name, text in kept.items()):
        wanted["registered_address"] = kept
    elif address:
        wanted["registered_address"] = cleaned(store=store, data=address, prefix="business.registered_address.")
    return wanted


def _change_contact(user: User, kind: str, contact: str) -> None:
    if contact == getattr(user, kind):
        return
    if getattr(user, f"is_{kind}_verified"):
        raise VerificationRequired(field=kind)
    setattr(user, kind, contact)


def _choose_group(store: Store, user: User, group_id: str) -> None:
    if group_id == sessions.group_id_of(store=store, user=user):
        return
    group = kernel.groups(store=store).get(group_id)
    if not store.shopper_may_choose_group or group is None:
        raise errors.GroupNotAllowed(field="customer_group_id")
    customers.set_group(store=store, customer_id=user.customer_id, group=group)
    user.customer.group = group


def _merged(stored: Mapping[str, Any], sent: Mapping[str, Mapping[str, bool]]) -> dict[str, dict[str, bool]]:
    return {
        topic: {
            medium: value
            for medium in MEDIA
            if (value := (sent.get(topic) or {}).get(medium, (stored.get(topic) or {}).get(medium))) is not None
        }
        for topic in TOPICS
    }


@transaction.atomic
def set_preferences(
    *,
    store: Store,
    user_id: str,
    preferences: Mapping[str, Mapping[str, bool]],
    from_defaults: bool = False,
    source: str = ConsentRecord.Source.API,
    network: str = "",
) -> User:
    """Changes the named switches; the others keep their value, or return to the default with `from_defaults`.

    What changed is kept as the history of consent, with its source and the caller's network.
    """
    user = _locked(store, user_id)
    before = user.preferences
    user.notification_preferences = _merged({} if from_defaults else user.notification_preferences, preferences)
    user.save(update_fields=["notification_preferences", "modified_at"])
    _remember(store, user, before=before, source=source, network=network)
    _tell_preferences(store, user)
    return user


def _remember(store: Store, user: User, *, before: Mapping[str, Any], source: str, network: str = "") -> None:
    """One row for each switch that says otherwise now; one insert, or none."""
    after = user.preferences
    ConsentRecord.objects.bulk_create(
        ConsentRecord(
            store=store, user=user, topic=topic, medium=medium, granted=after[topic][medium], source=source,
            network=coarse(network),
        )
        for topic in TOPICS
        for medium in MEDIA
        if after[topic][medium] != before[topic][medium]
    )  # fmt: skip


def _tell_preferences(store: Store, user: User) -> None:
    """Who keeps lists of addresses follows the owner of one; an unproved address may be somebody else's."""
    if user.email and user.is_email_verified:
        events.send("shopper.preferences", store=store, email=user.email, preferences=user.preferences)


@transaction.atomic
def follow_newsletter(*, store: Store, email: str, wanted: bool, categories: Sequence[str]) -> None:
    """The owner of an address subscribed or unsubscribed elsewhere: their switches say so too."""
    owner = selectors.user_by_contact(store=store, contact=email)
    user = selectors.user_for_update(store=store, user_id=owner.pk) if owner is not None else None
    if user is None or user.email != email:
        return
    before = user.preferences
    user.notification_preferences = _merged(
        user.notification_preferences, {category: {"email": wanted} for category in categories}
    )
    user.save(update_fields=["notification_preferences", "modified_at"])
    _remember(store, user, before=before, source=ConsentRecord.Source.LINK)


def set_image(*, store: Store, user_id: str, file: Any) -> User:
    """Stores a new profile image; the old one's files go after the commit. Raises Invalid naming `image`."""
    selectors.user(store=store, user_id=user_id)  # before any work is done
    stem = images.save(store=store, file=file)
    try:
        with transaction.atomic():
            user = _locked(store, user_id)
            images.discard_after_commit(user.profile_image)
            user.profile_image = stem
            user.save(update_fields=["profile_image", "modified_at"])
    except BaseException:
        images.discard(stem)
        raise
    return user


@transaction.atomic
def remove_image(*, store: Store, user_id: str) -> None:
    """Raises NoProfileImage."""
    user = _locked(store, user_id)
    if not user.profile_image:
        raise errors.NoProfileImage
    images.discard_after_commit(user.profile_image)
    user.profile_image = ""
    user.save(update_fields=["profile_image", "modified_at"])


# --- leaving ----------------------------------------------------------------------------------------------------------
@transaction.atomic
def deactivate(*, store: Store, user_id: str, now: datetime) -> None:
    """Closes the account to its owner until staff reopen it; every session ends at once (D-14)."""
    user = _locked(store, user_id)
    user.deactivated_at = now
    user.save(update_fields=["deactivated_at", "modified_at"])
    otp.void_for_user(store=store, user_id=user.pk, contacts=[user.email, user.phone], now=now)
    sessions.end_all(store=store, user_ids=[user.pk], reason=Session.End.DEACTIVATED, now=now)
    sessions.log(store=store, kind=SecurityEvent.Kind.DEACTIVATED, user_id=user.pk, now=now)


@transaction.atomic
def reactivate(*, store: Store, user_id: str, now: datetime) -> None:
    """For staff. A deleted account cannot come back. Raises NotFound."""
    user = selectors.user_for_update(store=store, user_id=user_id)
    if user is None or user.deleted_at is not None:
        raise NotFound
    if user.deactivated_at is not None:
        user.deactivated_at = None
        user.save(update_fields=["deactivated_at", "modified_at"])
        sessions.log(store=store, kind=SecurityEvent.Kind.REACTIVATED, user_id=user.pk, now=now)


@transaction.atomic
def erase(*, store: Store, user_id: str, now: datetime) -> None:
    """Removes the person from the account and keeps the empty row, for orders name it (D-14).

    The primary user takes the customer and all its users along. Raises NotFound.
    """
    user = selectors.user_row(store=store, user_id=user_id)
    if user is None:
        raise NotFound
    wanted = selectors.users_of_customer(store=store, customer_id=user.customer_id)
    if not user.is_primary:
        wanted = wanted.filter(pk=user.pk)
    going = [row for row in wanted.select_for_update(no_key=True) if row.deleted_at is None]
    if not any(row.pk == user.pk for row in going):
        raise NotFound
    for row in going:
        otp.void_for_user(store=store, user_id=row.pk, contacts=[row.email, row.phone], now=now)
    sessions.end_all(store=store, user_ids=[row.pk for row in going], reason=Session.End.DELETED, now=now)
    for row in going:
        proved = [row.email] * row.is_email_verified + [row.phone] * row.is_phone_verified
        messaging.forget_contacts(store=store, contacts=proved)  # the others may be somebody else's
        images.discard_after_commit(row.profile_image)
        _blank(row, now)
        ConsentRecord.objects.filter(store=store, user=row).delete()
        sessions.log(store=store, kind=SecurityEvent.Kind.ERASED, user_id=row.pk, now=now)
    if user.is_primary:
        customers.erase_customer(store=store, customer_id=user.customer_id, now=now)
    for row in going:
        events.send("shopper.erased", store=store, user_id=row.pk, customer_id=row.customer_id)


def _blank(user: User, now: datetime) -> None:
    user.first_name = user.last_name = user.email = user.phone = user.password = user.profile_image = ""
    user.is_email_verified = user.is_phone_verified = False
    user.login_methods, user.notification_preferences, user.metadata = [], {}, {}
    user.host_user = None
    user.deleted_at = now
    user.save()


def send_invitation(*, store: Store, contact: str, inviter: str, **_payload: Any) -> None:
    """Listens to "customer.invited": queues the message in the same transaction."""
    channel = "email" if "@" in contact else "sms"
    messaging.queue(
        store=store, to=contact, channel=channel, template="customer_invitation", values={"customer": inviter}
    )


# --- staff ------------------------------------------------------------------------------------------------------------
@transaction.atomic
def end_session(*, store: Store, session_id: str, now: datetime) -> None:
    """For staff. Safe to repeat."""
    session = selectors.session_for_update(store=store, session_id=session_id)
    if session is None:
        raise NotFound
    if sessions.end(store=store, session_ids=[session_id], reason=Session.End.STAFF, now=now):
        sessions.log(
            store=store,
            kind=SecurityEvent.Kind.SESSIONS_ENDED,
            user_id=session.user_id,
            session_id=session_id,
            now=now,
        )


@transaction.atomic
def end_sessions_of(*, store: Store, user_id: str, now: datetime) -> int:
    """For staff: ends every session of the user and returns how many lived."""
    user = selectors.user_for_update(store=store, user_id=user_id)
    if user is None:
        raise NotFound
    ended = sessions.end_all(store=store, user_ids=[user.pk], reason=Session.End.STAFF, now=now)
    if ended:
        sessions.log(store=store, kind=SecurityEvent.Kind.SESSIONS_ENDED, user_id=user.pk, now=now, count=ended)
    return ended


# --- housekeeping -----------------------------------------------------------------------------------------------------
def purge(*, now: datetime, batch: int, **_payload: Any) -> None:
    """Listens to "sweep": empties challenges that ended, deletes what nobody can use any more. Small batches."""
    over = OtpChallenge.objects.filter(expires_at__lt=now, consumed_at=None, voided_at=None)
    keys: list[Any] = list(over.order_by("expires_at").values_list("pk", flat=True)[:batch])
    if keys:
        over.filter(pk__in=keys).update(voided_at=now, contact="", pending={})
    for model, old in (
        (OtpChallenge, Q(expires_at__lt=now - KEEP_CHALLENGES)),
        # A token that was used long ago still proves a theft, so it is kept as long as its session can live.
        (RefreshToken, Q(expires_at__lt=now, session__expires_at__lt=now)),
        (Session, Q(expires_at__lt=now - KEEP_ENDED)),
    ):
        rows: Any = model._default_manager
        found = list(rows.filter(old).order_by("expires_at").values_list("pk", flat=True)[:batch])
        if found:
            rows.filter(pk__in=found).delete()
    events_of_long_ago = SecurityEvent.objects.filter(created_at__lt=now - timedelta(days=conf().SECURITY_EVENT_DAYS))
    keys = list(events_of_long_ago.order_by("created_at").values_list("pk", flat=True)[:batch])
    if keys:
        SecurityEvent.objects.filter(pk__in=keys).delete()
