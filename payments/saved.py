"""Customers at providers, and the mirror of what these keep: filled by the provider's word, shown without it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from storefront import crypto
from storefront.conf import conf
from storefront.contacts import mask_phone
from storefront.contracts import GatewayRefused, SavedCardFacts, SavedMethodFacts
from storefront.errors import Unavailable
from storefront.models import Store

from . import gateways, selectors
from .models import TWELVE_DIGITS, GatewayCustomer, PaymentProvider, SavedCard, SavedMethod

logger = logging.getLogger(__name__)
MOST = 50  # of each kind, for each customer and provider
_DIGITS = re.compile(TWELVE_DIGITS)
_RUN = re.compile(r"(?:\d[ .-]?){12,18}\d")
CARD, METHOD = "payment-card", "payment-method"  # what keyed hashes are for


def holder(*, store: Store, provider: PaymentProvider, customer_id: str) -> GatewayCustomer:
    """The customer at that provider, made on both sides unless there is one. Calls the gateway, outside of any lock.

    Raises Unavailable, GatewayRefused. Safe to repeat and in parallel.
    """
    own: dict[str, Any] = {"store": store, "customer_id": customer_id, "provider": provider, "merged": False}
    found = GatewayCustomer.objects.filter(**own).first()
    if found is None:
        reference = gateways.call("customer", provider, customer_id=customer_id)
        row = GatewayCustomer(store=store, customer_id=customer_id, provider=provider, reference=reference)
        GatewayCustomer.objects.bulk_create([row], ignore_conflicts=True)
        found = GatewayCustomer.objects.get(**own)
    found.provider = provider
    return found


def means(*, store: Store, customer_id: str, now: datetime) -> list[GatewayCustomer]:
    """What is kept of the customer, with `cards` and `methods` loaded.

    Three queries while the mirror is fresh. A mirror older than PAYMENT_REFRESH_SECONDS is renewed first; when the
    provider does not answer, what was known is shown. A customer unknown to every provider costs one query.
    """
    found = selectors.holders(store=store, customer_id=customer_id)
    stale = now - timedelta(seconds=conf().PAYMENT_REFRESH_SECONDS)
    renewed = [refresh(row, now=now) for row in found if row.refreshed_at is None or row.refreshed_at < stale]
    return selectors.holders(store=store, customer_id=customer_id) if any(renewed) else found


def refresh(row: GatewayCustomer, *, now: datetime) -> bool:
    """Asks the provider what it keeps, and mirrors that. False when it does not say. Safe to repeat and in parallel."""
    try:
        cards = gateways.call("saved_cards", row.provider, customer_reference=row.reference)
        methods = gateways.call("saved_methods", row.provider, customer_reference=row.reference)
    except (Unavailable, GatewayRefused):
        GatewayCustomer.objects.filter(store=row.store_id, pk=row.pk).update(refreshed_at=now)  # not at every read
        return False
    with transaction.atomic():
        locked = GatewayCustomer.objects.select_for_update().filter(store=row.store_id, pk=row.pk).first()
        if locked is None:  # erased meanwhile
            return True
        _mirror(locked, SavedCard, [_card(locked, facts) for facts in cards if _storable(facts)][:MOST], now)
        _mirror(locked, SavedMethod, [_method(locked, facts) for facts in methods][:MOST], now)
        locked.refreshed_at = now
        locked.save(update_fields=["refreshed_at"])
    return True


def _mirror(row: GatewayCustomer, model: Any, wanted: Iterable[Any], now: datetime) -> None:
    """Makes the rows of that model the wanted ones; those that are there already keep their id. New ones are a
    microsecond apart, so that the provider's order is kept."""
    by_hash = {made.reference_hash: made for made in wanted}
    held = {old.reference_hash: old for old in model.objects.filter(store=row.store_id, holder=row)}
    gone = [old.pk for key, old in held.items() if key not in by_hash]
    if gone:
        model.objects.filter(store=row.store_id, pk__in=gone).delete()
    new = [made for key, made in by_hash.items() if key not in held]
    for place, made in enumerate(new):
        made.created_at = now + timedelta(microseconds=place)
    if new:
        model.objects.bulk_create(new)
    kept = []
    for key, made in by_hash.items():
        if key in held:
            made.pk, made.created_at = held[key].pk, held[key].created_at
            kept.append(made)
    if kept:
        fields = [
            field.name
            for field in model._meta.fields
            if field.name not in {"id", "store", "holder", "reference_hash", "created_at"}
        ]
        model.objects.bulk_update(kept, fields)


def _storable(facts: SavedCardFacts) -> bool:
    """A gateway that sends what looks like a card's number in any text is not mirrored, and told in the log."""
    texts = [value for name in SavedCardFacts.__slots__ if isinstance(value := getattr(facts, name), str)]
    if any(looks_like_a_card(text) for text in texts) or not re.fullmatch(r"\d{4}", facts.last4, re.ASCII):
        logger.error("saved_card_refused", extra={"reason": "the gateway sent what may be a card's number"})
        return False
    return 1 <= facts.expiry_month <= 12 and 2000 <= facts.expiry_year <= 2199


def looks_like_a_card(text: str) -> bool:
    """Whether a text holds 13 to 19 digits that pass the check of card numbers."""
    return any(_luhn(re.sub(r"\D", "", run)) for run in _RUN.findall(text))


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (1 + place % 2)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def _text(value: str, length: int) -> str:
    """A provider's text as the column can take it: without runs of twelve digits, short enough."""
    return _DIGITS.sub("", value)[:length].strip()


def _card(row: GatewayCustomer, facts: SavedCardFacts) -> SavedCard:
    return SavedCard(
        store_id=row.store_id,
        holder=row,
        reference=facts.reference,
        reference_hash=crypto.keyed_hash(CARD, row.store_id, facts.reference),
        fingerprint_hash=crypto.keyed_hash(CARD, row.store_id, "fingerprint", facts.fingerprint or facts.reference),
        brand=_text(facts.brand, 20).upper(),
        kind=_text(facts.kind, 20).upper(),
        last4=facts.last4,
        bin=facts.bin if re.fullmatch(r"\d{6}", facts.bin, re.ASCII) else "",
        expiry_month=facts.expiry_month,
        expiry_year=facts.expiry_year,
        holder_name=mask_name(_text(facts.holder_name, 60)),
        nickname=_text(facts.nickname, 60),
        issuer=_text(facts.issuer, 80),
        issuer_country=_text(facts.issuer_country, 60),
        country_code=_text(facts.country_code, 3),
        bank_code=_text(facts.bank_code, 20),
        can_have_mandate=facts.can_have_mandate,
    )


def _method(row: GatewayCustomer, facts: SavedMethodFacts) -> SavedMethod:
    is_upi = facts.kind == SavedMethod.Kind.UPI
    return SavedMethod(
        store_id=row.store_id,
        holder=row,
        kind=SavedMethod.Kind.UPI if is_upi else SavedMethod.Kind.WALLET,
        reference=facts.reference,
        reference_hash=crypto.keyed_hash(METHOD, row.store_id, facts.kind, facts.reference),
        label=mask_vpa(facts.reference) if is_upi else _text(facts.wallet, 80),
        phone=mask_phone(facts.phone)[:24],
        linked=facts.linked,
        balance=facts.balance,
        use_count=max(facts.use_count, 0),
        last_used_at=facts.last_used_at,
        refreshed_at=facts.refreshed_at,
    )


def mask_name(name: str) -> str:
    """Asha Rao as A*** R***."""
    return " ".join(f"{word[0]}***" for word in name.split())[:60]


def mask_vpa(address: str) -> str:
    """asha.rao@bank as as***@bank."""
    name, _at, bank = address.partition("@")
    return f"{name[:2]}***@{_text(bank, 60)}"


def forget(*, store: Store, customer_id: str) -> list[GatewayCustomer]:
    """Deletes the mirror of a customer and answers which customers of providers that were. For the erasing of people."""
    rows = list(GatewayCustomer.objects.select_related("provider").filter(store=store, customer_id=customer_id))
    keys = [row.pk for row in rows]
    SavedCard.objects.filter(Q(holder__in=keys), store=store).delete()
    SavedMethod.objects.filter(Q(holder__in=keys), store=store).delete()
    GatewayCustomer.objects.filter(store=store, pk__in=keys).delete()
    return rows
