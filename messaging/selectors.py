"""Reads of the queue: what a store sends with, and the lists that staff and tools see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from storefront import crypto
from storefront.conf import conf
from storefront.models import Store
from storefront.selectors import ShortMemory

from . import drivers, rendering, secrets
from .models import ChannelName, Message, MessageTemplate, ProviderAccount, UnreachableAddress


@dataclass(frozen=True, slots=True)
class Step:
    """One stop on a message's route: a channel and who delivers on it."""

    channel: str
    driver: str
    account_id: str | None = None
    daily_budget: int | None = None

    def start(self, now: datetime) -> dict[str, Any]:
        """What changes in a message that goes on to this step."""
        return {
            "state": Message.State.PENDING,
            "done_at": None,
            "sent_at": None,
            "current_channel": self.channel,
            "account": self.account_id,
            "step_failures": 0,
            "provider_message_id": "",
            "next_attempt_at": now,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about a store that delivery needs. Kept for a few seconds; treat it as read-only."""

    store: Store
    accounts: dict[str, ProviderAccount]
    overrides: tuple[MessageTemplate, ...]
    _drivers: dict[str, Any]  # by account id, or the driver's code where there is no account

    def steps(self, message: Message) -> list[Step]:
        """The message's route: the asked channel, then the store's order, each with its accounts by priority.

        Channels without an address for this person, or with nobody to deliver, are left out.
        """
        order = dict.fromkeys((message.channel, *self.store.message_fallback))
        return [step for channel in order if message.address_for(channel) for step in self._channel_steps(channel)]

    def _channel_steps(self, channel: str) -> list[Step]:
        own = [account for account in self.accounts.values() if account.channel == channel and account.active]
        if own:
            return [Step(channel, account.driver, account.pk, account.daily_budget) for account in own]
        if conf().SANDBOX_INBOX:
            return [Step(channel, "sandbox")]
        if channel == ChannelName.EMAIL and getattr(settings, "EMAIL_URL", None):
            return [Step(channel, "email")]  # the deployment's own mail server
        return []

    def driver(self, step: Step) -> Any:
        """The driver of a step, made once. Raises LookupError, TypeError or ValueError for a bad configuration."""
        key = step.account_id or step.driver
        found = self._drivers.get(key)
        if found is None:
            account = self.accounts.get(step.account_id) if step.account_id else None
            found = self._drivers[key] = build_driver(account) if account else drivers.build(step.driver)
        return found


def position(message: Message, steps: list[Step]) -> int | None:
    """Where on its route a message stands. When its account has gone, the next one of its channel, or the channel
    after that."""
    for index, step in enumerate(steps):
        if step.channel == message.current_channel and message.account_id in (None, step.account_id):
            return index
    order = list(dict.fromkeys(step.channel for step in steps))
    if message.current_channel in order:
        return next(index for index, step in enumerate(steps) if step.channel == message.current_channel)
    return 0 if steps else None


_plans: ShortMemory[Plan] = ShortMemory(size=1024, seconds=lambda: conf().STORE_CACHE_SECONDS)
_kept: dict[str, tuple[tuple[str, datetime], Any]] = {}  # drivers outlive a plan, with their open connections


def plan(store_id: str) -> Plan:
    """The plan of a store, whether it is active or not; none or three queries."""
    found = _plans.get(store_id)
    if found is None:
        store = Store.objects.get(pk=store_id)
        accounts = {
            account.pk: account
            for account in ProviderAccount.objects.filter(store=store).order_by("channel", "priority", "pk")
        }
        overrides = tuple(MessageTemplate.objects.filter(store=store, active=True))
        found = _plans.put(store_id, Plan(store, accounts, overrides, {}))
    return found


def forget() -> None:
    """Drops what this process remembers, after a change here."""
    _plans.drop()


def build_driver(account: ProviderAccount, *, callback_url: str = "") -> Any:
    """A driver with an account's credentials. Raises LookupError, TypeError or ValueError for a bad configuration."""
    known = _kept.get(account.pk)
    version = (account.driver, account.modified_at)
    if known and known[0] == version and not callback_url:
        return known[1]
    made = drivers.build(
        account.driver,
        sender=account.sender,
        callback_url=callback_url or callback_address(account),
        **(account.options | account.credentials),
    )
    if not callback_url:
        _kept[account.pk] = (version, made)
    return made


def callback_address(account: ProviderAccount) -> str:
    """Where the account's provider may report to; "" while the deployment has no public address."""
    base = conf().PUBLIC_URL.rstrip("/")
    if not base:
        return ""
    return base + reverse("storefront_messaging_hook", args=[account.store_id, account.pk])


def account_for_hook(*, store_id: str, account_id: str) -> ProviderAccount | None:
    """One query. An account that was switched off still takes reports of what it sent."""
    return ProviderAccount.objects.select_related("store").filter(store_id=store_id, pk=account_id).first()


def address_hashes(*, store: Store, channel: str, address: str) -> list[str]:
    """What an unreachable address is known by, under every live key; the newest first."""
    return crypto.keyed_hashes("unreachable-address", store.pk, channel, address.strip().lower())


def is_unreachable(*, store: Store, channel: str, address: str) -> bool:
    """Whether an address gets only what is essential. One query."""
    hashes = address_hashes(store=store, channel=channel, address=address)
    return UnreachableAddress.objects.filter(store=store, channel=channel, address_hash__in=hashes).exists()


def messages(*, store: Store | None = None, since: datetime | None = None) -> QuerySet[Message]:
    """Messages of one store or of all, the oldest first; one query."""
    found: QuerySet[Message] = Message.objects.order_by("created_at", "pk")
    if store is not None:
        found = found.filter(store=store)
    if since is not None:
        found = found.filter(created_at__gte=since)
    return found


def inbox(*, store: Store, count: int) -> list[dict[str, Any]]:
    """The newest messages of a store with their texts made anew, codes included: for the sandbox inbox alone.

    One query, and one for each code. A code that no longer works shows as dots.
    """
    found = []
    now = timezone.now()
    overrides = plan(store.pk).overrides
    for message in Message.objects.filter(store=store).order_by("-created_at", "-pk")[:count]:
        try:
            secret, gone = secrets.resolve(message.secret_ref, now=now), False
        except secrets.Gone:
            secret, gone = {"code": rendering.HIDDEN_CODE}, True
        try:
            shown = rendering.render(
                message, store=store, channel=message.current_channel, overrides=overrides, secret=secret
            )
        except rendering.CannotRender:
            continue
        found.append(
            {
                "id": message.pk,
                "to": message.address_for(message.current_channel) or message.to,
                "channel": message.current_channel,
                "channel_label": message.get_current_channel_display(),
                "subject": shown.subject if message.current_channel == ChannelName.EMAIL else "",
                "text": shown.text,
                "code": "" if gone else secret.get("code", ""),
                "gone": gone,
                "status": message.status.value,
                "status_label": message.status.label,
                "reason": message.reason,
                "created_at": message.created_at,
            }
        )
    return found


def sent_to(*, store: Store, contacts: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """What these contacts were sent, newest first, JSON-ready, without secrets; one query."""
    rows = Message.objects.filter(store=store, to__in=list(contacts)).order_by("-created_at", "-pk")[:limit]
    return [
        {
            "template": row.template,
            "channel": row.current_channel,
            "to": row.to,
            "language": row.language,
            "values": row.values,
            "status": row.status.value,
            "created_at": row.created_at,
        }
        for row in rows
    ]
