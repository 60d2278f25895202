"""Gift cards (D-38): made one by one or by the thousand, activated, frozen. Codes and PINs leave here once."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from storefront import crypto, limits
from storefront.contracts import GiftCardFound
from storefront.errors import Invalid
from storefront.ids import new_id
from storefront.models import Store
from storefront.money import ZERO

from ..errors import InvalidGiftCard
from ..models import Account, Entry, GiftCard, GiftCardBatch
from . import ledger

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 16  # 80 bits
MAX_BATCH = 10_000
PIN_LENGTH = 6
_CHUNK = 500
_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1"})
_NO_PIN = "0" * 64
State = GiftCard.State


class NewGiftCard(NamedTuple):
    """A card with its code and PIN, which are known at this moment only. `pin` is "" for a card without."""

    card_id: str
    code: str
    pin: str


def find(*, store_id: str, code: str, pin: str) -> GiftCardFound:
    """The live card behind a code. One query and the same work whatever is wrong. Raises InvalidGiftCard.

    Failures are counted by code too, known or not, so that a PIN cannot be guessed from many places: TooManyRequests.
    """
    hashes = code_hashes(store_id, code)
    brake = limits.rules("gift_card_code", store_id, hashes[0])
    limits.hit(brake)
    card = GiftCard.objects.select_related("account").filter(store_id=store_id, code_hash__in=hashes).first()
    wanted = (card.pin_hash if card is not None else "") or _NO_PIN
    matches = [crypto.same(made, wanted) for made in _pin_hashes(hashes, pin[:64])]
    fits = card is not None and (not card.pin_hash or any(matches))
    if card is None or not fits or not card.is_live(timezone.now()) or card.account.available <= 0:
        raise InvalidGiftCard
    limits.give_back(brake)
    return GiftCardFound(card.pk, card.last4)


def code_hashes(store_id: str, code: str) -> list[str]:
    """How a code may be kept, under every live key."""
    return crypto.keyed_hashes("gift-card", store_id, normalised(code)[:64])


def by_code(*, store_id: str, code: str) -> str | None:
    """The id of the card with that code, whatever its state, for staff. One query."""
    hashes = code_hashes(store_id, code)
    return GiftCard.objects.filter(store_id=store_id, code_hash__in=hashes).values_list("pk", flat=True).first()


def issue(
    *, store: Store, amount: Decimal, code: str = "", pin: str = "", with_pin: bool = False,
    expires_at: datetime | None = None, active: bool = True, note: str = "", made_by: str = "",
) -> NewGiftCard:  # fmt: skip
    """One card. Code and PIN are made up unless given. Raises Invalid for an amount or code that cannot be."""
    _check_amount(store, amount)
    code = code or _new_code()
    pin = pin or (_new_pin() if with_pin else "")
    if not 8 <= len(normalised(code)) <= 64:
        raise Invalid(_("A code has 8 to 64 letters and digits."), field="code")
    if by_code(store_id=store.pk, code=code) is not None:
        raise Invalid(_("There is such a card already."), field="code")
    card = _card(store, code, pin, amount, expires_at, active, None, made_by)
    card.note = note
    _write(store, [card], amount, made_by)
    return NewGiftCard(card.pk, code, pin)


def issue_many(
    *, store: Store, name: str, count: int, amount: Decimal, with_pin: bool = False, expires_at: datetime | None = None,
    active: bool = True, made_by: str = "",
) -> list[NewGiftCard]:  # fmt: skip
    """A batch of cards, all or none; a name is taken once, so that a repeated form makes no second batch.

    Raises Invalid for a count above 10,000, a name that is taken, an amount that cannot be.
    """
    _check_amount(store, amount)
    if not 1 <= count <= MAX_BATCH:
        raise Invalid(_("Between 1 and %(count)d cards.") % {"count": MAX_BATCH}, field="count")
    with transaction.atomic():
        batch, made = GiftCardBatch.objects.get_or_create(
            store=store,
            name=name,
            defaults={"count": count, "amount": amount, "expires_at": expires_at, "made_by": made_by},
        )
        if not made:
            raise Invalid(_("There is a batch of that name already."), field="name")
        found = []
        for size in _chunks(count):
            new = [(_new_code(), _new_pin() if with_pin else "") for _number in range(size)]
            cards = [_card(store, code, pin, amount, expires_at, active, batch, made_by) for code, pin in new]
            _write(store, cards, amount, made_by)
            found += [NewGiftCard(card.pk, code, pin) for card, (code, pin) in zip(cards, new, strict=True)]
        return found


def set_state(*, store: Store, card_ids: list[str], frozen: bool | None = None, active: bool | None = None) -> int:
    """Freezes, thaws or activates cards; how many changed. What a card has been promised to an order stays promised."""
    return _set_state(GiftCard.objects.filter(store=store, pk__in=card_ids), frozen, active)


def set_batch_state(*, store: Store, batch_id: int, frozen: bool | None = None, active: bool | None = None) -> int:
    """The same for every card of a batch."""
    return _set_state(GiftCard.objects.filter(store=store, batch_id=batch_id), frozen, active)


def _set_state(cards: QuerySet[GiftCard], frozen: bool | None, active: bool | None) -> int:
    if frozen is True:
        return cards.exclude(state=State.FROZEN).update(state=State.FROZEN)
    if frozen is False:
        return cards.filter(state=State.FROZEN).update(state=State.ACTIVE)
    if active:
        return cards.filter(state=State.INACTIVE).update(state=State.ACTIVE)
    return 0


def set_expiry(*, store: Store, card_id: str, expires_at: datetime | None) -> None:
    """Moves the day on which what is left on a card goes; None for never. What has gone does not come back."""
    with transaction.atomic():
        ledger.lock(store_id=store.pk, account_ids=[card_id])
        GiftCard.objects.filter(store=store, pk=card_id).update(expires_at=expires_at)
        Entry.objects.filter(store=store, account_id=card_id, remaining__gt=0).update(expires_at=expires_at)


def adjust(*, store: Store, card_id: str, amount: Decimal, reason: str, made_by: str, owner: str = "") -> Entry:
    """Corrects what is on a card by staff's word. Raises InvalidGiftCard for more than is not held."""
    where: dict[str, Any] = {
        "store_id": store.pk,
        "account_id": card_id,
        "kind": Entry.Kind.ADJUST,
        "owner": owner or new_id(),
    }
    facts: dict[str, Any] = {"remarks": reason, "made_by": made_by}
    if amount >= 0:
        card = GiftCard.objects.get(store=store, pk=card_id)
        return ledger.add(**where, amount=amount, expires_at=card.expires_at, **facts)
    entry = ledger.take(**where, amount=-amount, **facts)
    assert entry is not None
    return entry


# --- helpers --------------------------------------------------------------------------------------------------------
def normalised(code: str) -> str:
    """A code as it is compared: capitals and digits only, letters that look like digits as digits."""
    return re.sub(r"[^0-9A-Z]", "", code.upper()).translate(_ALIKE)


def _pin_hashes(code_hashes: list[str], pin: str) -> list[str]:
    """A PIN's hashes under every live key; bound to its card by the card's own, so that equal PINs differ."""
    return [made for code_hash in code_hashes for made in crypto.keyed_hashes("gift-card-pin", code_hash, pin)]


def _card(
    store: Store, code: str, pin: str, amount: Decimal, expires_at: datetime | None, active: bool,
    batch: GiftCardBatch | None, made_by: str,
) -> GiftCard:  # fmt: skip
    normal = normalised(code)
    code_hash = crypto.keyed_hash("gift-card", store.pk, normal)
    return GiftCard(
        account=Account(store=store, kind=Account.Kind.GIFT_CARD, balance=amount),
        store=store,
        batch=batch,
        code_hash=code_hash,
        last4=normal[-4:],
        pin_hash=crypto.keyed_hash("gift-card-pin", code_hash, pin) if pin else "",
        state=State.ACTIVE if active else State.INACTIVE,
        issued=amount,
        expires_at=expires_at,
        made_by=made_by,
    )


def _write(store: Store, cards: list[GiftCard], amount: Decimal, made_by: str) -> None:
    with transaction.atomic():
        Account.objects.bulk_create([card.account for card in cards])
        GiftCard.objects.bulk_create(cards)
        Entry.objects.bulk_create(
            [
                Entry(
                    store=store,
                    account_id=card.pk,
                    kind=Entry.Kind.ISSUE,
                    owner=card.pk,
                    amount=amount,
                    remaining=amount,
                    expires_at=card.expires_at,
                    made_by=made_by,
                )
                for card in cards
            ]
        )


def _check_amount(store: Store, amount: Decimal) -> None:
    if amount <= ZERO or amount > 10**9 or amount % store.currency.unit:
        raise Invalid(_("Enter an amount above zero in the store's currency."), field="amount")


def _chunks(count: int) -> Iterator[int]:
    for start in range(0, count, _CHUNK):
        yield min(_CHUNK, count - start)


def _new_code() -> str:
    text = "".join(secrets.choice(ALPHABET) for _number in range(LENGTH))
    return "-".join(text[start : start + 4] for start in range(0, LENGTH, 4))


def _new_pin() -> str:
    return f"{secrets.randbelow(10**PIN_LENGTH):0{PIN_LENGTH}d}"
