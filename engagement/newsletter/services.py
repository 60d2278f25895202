"""Every write of the newsletter. Each change of a state and its entry in the history commit together.

An account's own switches follow (`newsletter.changed`) and lead (`shopper.preferences`). Whoever changes both locks
the account first: the event goes out before the subscription is touched, which is then changed only if it is still as
it was read.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from messaging import selectors as messages
from messaging import services as messaging
from storefront import events, limits, origin, outbox
from storefront.errors import TooManyRequests
from storefront.models import Store

from . import links, selectors
from .models import NewsletterConsent, NewsletterRequest, NewsletterSubscription, NewsletterText

logger = logging.getLogger(__name__)
Kind = NewsletterConsent.Kind
Source = NewsletterConsent.Source
State = NewsletterSubscription.State
NEWSLETTER, PROMOTIONAL = "newsletter", "promotional"
TRIES = 5  # of a change that another one overtook


@dataclass(frozen=True, slots=True)
class Word:
    """One entry of the history before it is written."""

    kind: Kind
    source: Source
    network: str = ""
    detail: str = ""


class _Overtaken(Exception):
    """Another call changed the subscription since it was read."""


QUEUE = "newsletter"
LEASE = timedelta(seconds=30)
ATTEMPTS = 20
DRAIN_SECONDS = 10


def ask(*, store: Store, email: str, user_id: str, network: str, proven: bool) -> None:
    """Takes a form in; `subscribe` follows a moment later. One INSERT, whatever is known of the address."""
    NewsletterRequest.objects.create(
        store=store, email=email, user_id=user_id, network=network, proven=proven, base=origin.current()[:300]
    )
    outbox.wake(QUEUE)


def drain() -> int:
    """Works off what was sent in, the oldest first, for some seconds at most. Any number may run at once."""
    until = time.monotonic() + DRAIN_SECONDS
    handled = 0
    while time.monotonic() < until:
        row = NewsletterRequest.objects.claim_next(now=timezone.now(), lease=LEASE)
        if row is None:
            return handled
        handled += 1
        try:
            with transaction.atomic():
                store = Store.objects.get(pk=row.store_id)
                subscribe(
                    store=store,
                    email=row.email,
                    user_id=row.user_id,
                    network=row.network,
                    proven=row.proven,
                    base=row.base,
                    now=row.created_at,
                )
                NewsletterRequest.objects.filter(store_id=row.store_id, pk=row.pk).delete()
        except Exception:  # a fault of ours leaves it to the end of its lease
            logger.exception("newsletter_request_failed", extra={"attempts": row.attempts})
            if row.attempts >= ATTEMPTS:
                NewsletterRequest.objects.filter(store_id=row.store_id, pk=row.pk).delete()
    outbox.wake(QUEUE)
    return handled


def subscribe(
    *,
    store: Store,
    email: str,
    user_id: str = "",
    network: str = "",
    proven: bool = False,
    base: str | None = None,
    now: datetime | None = None,
) -> None:
    """Somebody asks for the newsletter of an address, which is normalised.

    The caller learns nothing of what was there: a second call succeeds quietly (D-57). With double opt-in the address
    waits for a click on the link that it is sent; it is sent few of them a day. So does one that has unsubscribed,
    whatever the store's choice, unless it is `proven` to be the caller's: nobody else takes back what its owner said.
    An address of the list that bounced stays out; one that other mail came back from must click.
    """
    now = now or timezone.now()

    def change() -> None:
        row = selectors.subscription(store=store, email=email)
        if row is not None and row.state in (State.SUBSCRIBED, State.SUPPRESSED):
            return
        taken_back = row is not None and row.state == State.UNSUBSCRIBED
        marked = messages.is_unreachable(store=store, channel="email", address=email)
        if store.newsletter_double_opt_in or marked or (taken_back and not proven):
            _ask(store, row, email=email, user_id=user_id, network=network, base=base, now=now)
            return
        _tell(store, email, wanted=True)
        word = Word(Kind.SUBSCRIBED, Source.STOREFRONT, network)
        _set(store, row, State.SUBSCRIBED, word, email=email, user_id=user_id, now=now)

    _again_if_overtaken(change)


def confirm(*, store: Store, sealed: str, network: str = "", now: datetime | None = None) -> None:
    """The click of double opt-in. Safe to repeat. Raises BadLink, also when the address has unsubscribed since."""
    now = now or timezone.now()
    email = links.opened(store=store, kind=links.CONFIRM, sealed=sealed, now=now)

    def change() -> None:
        row = selectors.subscription(store=store, email=email)
        if row is not None and row.state == State.SUBSCRIBED:
            return
        if row is None or row.state != State.PENDING:
            raise links.BadLink
        _tell(store, email, wanted=True)
        messaging.reachable_again(store=store, channel="email", address=email)  # they have just shown it
        _set(store, row, State.SUBSCRIBED, Word(Kind.SUBSCRIBED, Source.LINK, network), email=email, now=now)

    _again_if_overtaken(change)


def unsubscribe(
    *, store: Store, sealed: str, source: Source = Source.LINK, network: str = "", now: datetime | None = None
) -> None:
    """Ends the newsletter and every offer by e-mail to the address of a link. Safe to repeat. Raises BadLink."""
    now = now or timezone.now()
    email = links.opened(store=store, kind=links.UNSUBSCRIBE, sealed=sealed, now=now)
    leave(store=store, email=email, source=source, network=network, now=now)


def leave(
    *, store: Store, email: str, source: Source, network: str = "", detail: str = "", now: datetime | None = None
) -> None:
    """The same for an address that is known to be the caller's to decide on. One that bounced stays marked so."""
    now = now or timezone.now()

    def change() -> None:
        row = selectors.subscription(store=store, email=email)
        if row is not None and row.refuses_promotions and row.state in (State.UNSUBSCRIBED, State.SUPPRESSED):
            return
        _tell(store, email, wanted=False)
        state = State.SUPPRESSED if row is not None and row.state == State.SUPPRESSED else State.UNSUBSCRIBED
        word = Word(Kind.UNSUBSCRIBED, source, network, detail)
        _set(store, row, state, word, email=email, now=now, refuses_promotions=True)

    _again_if_overtaken(change)


def restore(*, store: Store, email: str, detail: str, now: datetime | None = None) -> bool:
    """Staff say that a suppressed address is reachable again: what its owner said last holds. Whether there was one."""
    now = now or timezone.now()
    done = False

    def change() -> None:
        nonlocal done
        row = selectors.subscription(store=store, email=email)
        if row is None or row.state != State.SUPPRESSED:
            return
        last = row.consents.exclude(kind__in=(Kind.SUPPRESSED, Kind.RESTORED)).order_by("-pk").first()
        wanted = last is not None and last.kind == Kind.SUBSCRIBED
        messaging.reachable_again(store=store, channel="email", address=email)
        _set(
            store,
            row,
            State.SUBSCRIBED if wanted else State.UNSUBSCRIBED,
            Word(Kind.RESTORED, Source.STAFF, detail=detail[:150]),
            email=email,
            now=now,
            refuses_promotions=row.refuses_promotions,
        )
        done = True

    _again_if_overtaken(change)
    return done


# --- listeners ------------------------------------------------------------------------------------------------------
def bounced(*, store: Store, to: str, channel: str, reason: str) -> None:
    """`message.bounced`: an address of ours that a mail server refuses for good gets no more of what it may refuse."""
    if channel != "email":
        return

    def change() -> None:
        row = selectors.subscription(store=store, email=to)
        if row is None or row.state == State.SUPPRESSED:
            return
        word = Word(Kind.SUPPRESSED, Source.BOUNCE, detail=reason[:150])
        _set(
            store, row, State.SUPPRESSED, word, email=to, now=timezone.now(), refuses_promotions=row.refuses_promotions
        )

    _again_if_overtaken(change)


def opted_out(*, store: Store, to: str, channel: str) -> None:
    """`message.unsubscribed`: the owner of an address ended such messages at the service that sends them."""
    if channel == "email":
        leave(store=store, email=to, source=Source.ONE_CLICK)


def follow_preferences(*, store: Store, email: str, preferences: Mapping[str, Mapping[str, bool]]) -> None:
    """`shopper.preferences`: the owner of an address set the switches of the account. Their word needs no click."""
    newsletter = preferences.get(NEWSLETTER, {}).get("email", False)
    promotional = preferences.get(PROMOTIONAL, {}).get("email", False)

    def change() -> None:
        row = selectors.subscription(store=store, email=email)
        now = timezone.now()
        if newsletter and (row is None or row.state in (State.PENDING, State.UNSUBSCRIBED)):
            word = Word(Kind.SUBSCRIBED, Source.PREFERENCES)
            _set(store, row, State.SUBSCRIBED, word, email=email, now=now, refuses_promotions=not promotional)
        elif not newsletter and row is not None and row.state in (State.PENDING, State.SUBSCRIBED):
            word = Word(Kind.UNSUBSCRIBED, Source.PREFERENCES)
            _set(store, row, State.UNSUBSCRIBED, word, email=email, now=now, refuses_promotions=not promotional)
        elif row is not None and promotional and row.refuses_promotions:
            NewsletterSubscription.objects.filter(store=store, pk=row.pk).update(refuses_promotions=False)

    _again_if_overtaken(change)


def forget_shopper(*, store: Store, user_id: str, customer_id: str | None) -> None:
    """`shopper.erased`: what they subscribed goes, with its history."""
    if user_id:
        NewsletterRequest.objects.filter(store=store, user_id=user_id).delete()
        NewsletterSubscription.objects.filter(store=store, user_id=user_id).delete()


def forget_contacts(*, store: Store, contacts: Iterable[str]) -> None:
    """`contacts.forgotten`: proven addresses of somebody who is erased."""
    wanted = [contact for contact in contacts if "@" in contact]
    NewsletterRequest.objects.filter(store=store, email__in=wanted).delete()
    NewsletterSubscription.objects.filter(store=store, email__in=wanted).delete()


def purge(*, now: datetime, batch: int, **_payload: Any) -> None:
    """Addresses that never clicked go once their link is dead: nobody consented to their being kept.

    One that has said something else before keeps that: it is unsubscribed again.
    """
    old = NewsletterSubscription.objects.filter(state=State.PENDING, state_since__lt=now - links.CONFIRM_LIFE)
    keys = list(old.values_list("pk", flat=True)[:batch])
    if keys:
        spoken = NewsletterConsent.objects.filter(subscription=OuterRef("pk")).exclude(kind=Kind.ASKED)
        old.filter(Exists(spoken), pk__in=keys).update(state=State.UNSUBSCRIBED, state_since=now)
        old.filter(pk__in=keys).delete()


coarse = limits.coarse


# --- how ------------------------------------------------------------------------------------------------------------
def _again_if_overtaken(change: Callable[[], None]) -> None:
    for left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                change()
        except _Overtaken:
            if not left:
                raise
        else:
            return


def _tell(store: Store, email: str, *, wanted: bool) -> None:
    categories = (NEWSLETTER,) if wanted else (NEWSLETTER, PROMOTIONAL)
    events.send("newsletter.changed", store=store, email=email, wanted=wanted, categories=categories)


def _set(
    store: Store,
    row: NewsletterSubscription | None,
    state: State,
    word: Word,
    *,
    email: str,
    user_id: str = "",
    now: datetime,
    refuses_promotions: bool = False,
) -> NewsletterSubscription:
    """Moves an address to a state, if it is still as `row` says. Raises _Overtaken."""
    values = {"state": state, "state_since": now, "refuses_promotions": refuses_promotions}
    if user_id:
        values["user_id"] = user_id
    if row is None:
        fresh = NewsletterSubscription(store=store, email=email, language=store.language, created_at=now, **values)
        NewsletterSubscription.objects.bulk_create([fresh], ignore_conflicts=True)
        row = selectors.subscription(store=store, email=email)
        if row is None or row.pk != fresh.pk:
            raise _Overtaken
    else:
        same = NewsletterSubscription.objects.filter(
            store=store, pk=row.pk, state=row.state, state_since=row.state_since
        )
        if not same.update(**values):
            raise _Overtaken
    _note(store, row, word, now)
    return row


def _note(store: Store, row: NewsletterSubscription, word: Word, now: datetime) -> None:
    version = ""
    if word.kind in (Kind.ASKED, Kind.SUBSCRIBED) and word.source in (Source.STOREFRONT, Source.LINK):
        version = _kept_text(store)
    NewsletterConsent.objects.create(
        store=store,
        subscription=row,
        kind=word.kind,
        source=word.source,
        network=word.network,
        detail=word.detail,
        text_version=version,
        created_at=now,
    )


def _kept_text(store: Store) -> str:
    """The version of the store's words, which are kept for good the first time that somebody consents to them."""
    version = selectors.text_version(store)
    if version and not NewsletterText.objects.filter(store=store, version=version).exists():
        fresh = NewsletterText(store=store, version=version, text=store.newsletter_text.strip())
        NewsletterText.objects.bulk_create([fresh], ignore_conflicts=True)
    return version


def _ask(
    store: Store,
    row: NewsletterSubscription | None,
    *,
    email: str,
    user_id: str,
    network: str,
    base: str | None,
    now: datetime,
) -> None:
    try:
        limits.hit_with_row(limits.rules("newsletter_contact", store.pk, email))
    except TooManyRequests:
        return  # silently: the answer must not tell, and the address has its link
    row = _set(
        store,
        row,
        State.PENDING,
        Word(Kind.ASKED, Source.STOREFRONT, network),
        email=email,
        user_id=user_id,
        now=now,
        refuses_promotions=row is not None and row.refuses_promotions,  # somebody else may be asking
    )
    page = links.path(store=store, kind=links.CONFIRM, sealed="-").removesuffix("-")
    messaging.queue(
        store=store,
        to=email,
        channel="email",
        template="newsletter_confirm",
        values={"page": (origin.current() if base is None else base) + page},
        secret_ref=f"newsletter:{row.pk}",
        ttl=int(links.CONFIRM_LIFE.total_seconds()),
    )
