"""Gift cards: codes that leave once, one answer for whatever is wrong."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from storefront import crypto
from storefront.errors import Invalid, TooManyRequests
from storefront.models import Store
from tests.wallets.conftest import card_account, state
from wallets.errors import InvalidGiftCard
from wallets.models import Account, Entry, GiftCard, GiftCardBatch
from wallets.plugs import StoreGiftCards
from wallets.services import gift_cards, ledger

pytestmark = pytest.mark.django_db
CODE = "GIFT-ABCD-0001"


def find(store: Store, code: str = CODE, pin: str = "") -> Any:
    return StoreGiftCards().find(store.pk, code=code, pin=pin)


def issue(store: Store, amount: str = "100", **facts: Any) -> gift_cards.NewGiftCard:
    return gift_cards.issue(store=store, amount=Decimal(amount), **{"code": CODE, **facts})


@pytest.mark.parametrize("typed", ["GIFT-ABCD-0001", "gift abcd 0001", " gift-abcd-OOOl ", "GIFTABCD0001"])
def test_a_code_is_found_as_people_type_it(store: Store, typed: str) -> None:
    made = issue(store)
    assert find(store, typed) == (made.card_id, "0001")


def test_neither_code_nor_pin_is_kept(store: Store) -> None:
    made = issue(store, code="", with_pin=True)
    row = GiftCard.objects.values().get()
    kept = str(row) + str(list(Account.objects.values())) + str(list(Entry.objects.values()))
    assert made.code not in kept and made.code.replace("-", "") not in kept
    assert made.pin and made.pin not in (row["pin_hash"], row["code_hash"], row["note"])
    assert len(row["pin_hash"]) == len(row["code_hash"]) == 64
    assert find(store, made.code, made.pin).last4 == made.code[-4:]


def test_equal_pins_of_two_cards_are_kept_apart(store: Store) -> None:
    issue(store, pin="1234")
    issue(store, code="GIFT-ABCD-0002", pin="1234")
    first, second = GiftCard.objects.values_list("pin_hash", flat=True)
    assert first != second


@pytest.mark.parametrize(
    "wrong",
    ["code", "pin", "no pin", "expired", "frozen", "inactive", "other store", "empty", "held", "strange", "long"],
)
def test_whatever_is_wrong_is_answered_alike_and_costs_one_query(store: Store, other_store: Store, wrong: str) -> None:
    facts: dict[str, Any] = {"expires_at": timezone.now()} if wrong == "expired" else {}
    made = issue(other_store if wrong == "other store" else store, pin="1234", active=wrong != "inactive", **facts)
    if wrong == "frozen":
        gift_cards.set_state(store=store, card_ids=[made.card_id], frozen=True)
    if wrong == "empty":
        gift_cards.adjust(store=store, card_id=made.card_id, amount=Decimal(-100), reason="x", made_by="anna")
    if wrong == "held":
        ledger.hold(store_id=store.pk, account_id=made.card_id, owner="o", amount=Decimal(100))
    code = {"code": "GIFT-ABCD-0009", "strange": "\x00'; é", "long": "A" * 5000}.get(wrong, CODE)
    pin = {"pin": "1235", "no pin": "", "long": "1" * 5000}.get(wrong, "1234")
    with CaptureQueriesContext(connection) as captured, pytest.raises(InvalidGiftCard) as refused:
        find(store, code, pin)
    assert len(captured) == 1
    assert (refused.value.code, refused.value.message) == ("invalid_gift_card", InvalidGiftCard.default_message)
    assert refused.value.status == 400


def test_a_right_code_costs_one_query_too(store: Store) -> None:
    issue(store, pin="1234")
    with CaptureQueriesContext(connection) as captured:
        find(store, pin="1234")
    assert len(captured) == 1


def test_the_same_hashing_is_done_for_a_code_that_nobody_has(store: Store, monkeypatch: Any) -> None:
    issue(store, pin="1234")
    counts = []
    real = crypto.keyed_hashes
    for code in (CODE, "GIFT-ABCD-0009"):
        made: list[str] = []
        monkeypatch.setattr(crypto, "keyed_hashes", lambda *parts, made=made: (made.append(parts[0]), real(*parts))[1])
        with pytest.raises(InvalidGiftCard):
            find(store, code, "1")
        counts.append(made)
    assert counts[0] == counts[1] != []


def test_a_pin_cannot_be_guessed_from_many_places(store: Store, configure: Any) -> None:
    configure(LIMITS_ENABLED=True)
    issue(store, pin="1234")
    for _time in range(3):
        find(store, pin="1234")  # what is right is not counted
    for number in range(10):
        with pytest.raises(InvalidGiftCard):
            find(store, pin=str(number))
    for pin in ("x", "1234"):
        with pytest.raises(TooManyRequests):
            find(store, pin=pin)
    for _time in range(10):
        with pytest.raises(InvalidGiftCard):
            find(store, "GIFT-ABCD-0009")
    with pytest.raises(TooManyRequests):  # a code that nobody has is counted alike
        find(store, "GIFT-ABCD-0009")


def test_cards_outlive_a_change_of_keys(store: Store, configure: Any) -> None:
    configure(SECRET_KEYS=("old-key-old-key-old-key",))
    issue(store, pin="1234")
    configure(SECRET_KEYS=("new-key-new-key-new-key", "old-key-old-key-old-key"))
    assert find(store, pin="1234")
    with pytest.raises(InvalidGiftCard):
        find(store, pin="1235")
    with pytest.raises(Invalid):
        issue(store)  # the same code is still taken


# --- making ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "1000000001"])
def test_an_amount_must_be_payable(store: Store, amount: str) -> None:
    with pytest.raises(Invalid):
        issue(store, amount)
    with pytest.raises(Invalid):
        gift_cards.issue_many(store=store, name="b", count=2, amount=Decimal(amount))
    assert not Account.objects.exists() and not GiftCardBatch.objects.exists()


@pytest.mark.parametrize("code", ["SHORT", "-" * 20, "A" * 65])
def test_a_code_of_one_s_own_must_be_one(store: Store, code: str) -> None:
    with pytest.raises(Invalid):
        issue(store, code=code)
    assert not Account.objects.exists()


def test_codes_belong_to_their_store(store: Store, other_store: Store) -> None:
    first, second = issue(store), issue(other_store)
    assert find(store).card_id == first.card_id
    assert find(other_store).card_id == second.card_id


def test_thousands_at_once_differ_and_add_up(store: Store) -> None:
    expires_at = timezone.now() + timedelta(days=365)
    with CaptureQueriesContext(connection) as captured:
        made = gift_cards.issue_many(
            store=store, name="Diwali", count=2000, amount=Decimal("250.50"), with_pin=True, expires_at=expires_at,
            made_by="anna",
        )  # fmt: skip
    assert len(captured) < 100
    assert len({card.code for card in made}) == len({card.card_id for card in made}) == 2000
    assert GiftCard.objects.filter(batch__name="Diwali", state="active", expires_at=expires_at).count() == 2000
    assert Entry.objects.filter(kind="issue", amount=Decimal("250.50")).count() == 2000
    card = made[777]
    assert find(store, card.code, card.pin).card_id == card.card_id
    assert state(Account.objects.get(pk=card.card_id)) == (Decimal("250.50"), 0)


def test_a_batch_is_made_once_and_within_bounds(store: Store) -> None:
    gift_cards.issue_many(store=store, name="b", count=3, amount=Decimal(10))
    with pytest.raises(Invalid):
        gift_cards.issue_many(store=store, name="b", count=3, amount=Decimal(10))
    for count in (0, 10_001):
        with pytest.raises(Invalid):
            gift_cards.issue_many(store=store, name="c", count=count, amount=Decimal(10))
    assert GiftCard.objects.count() == 3


# --- life -----------------------------------------------------------------------------------------------------------
def test_activating_freezing_and_thawing(store: Store, other_store: Store) -> None:
    card_id = issue(store, active=False).card_id
    where = {"store": store, "card_ids": [card_id]}
    assert gift_cards.set_state(store=other_store, card_ids=[card_id], active=True) == 0
    assert gift_cards.set_state(**where, frozen=False) == 0  # not frozen, so nothing is thawed
    with pytest.raises(InvalidGiftCard):
        find(store)
    assert gift_cards.set_state(**where, active=True) == 1
    assert find(store)
    assert [gift_cards.set_state(**where, frozen=True) for _time in range(2)] == [1, 0]
    assert gift_cards.set_state(**where, active=True) == 0
    assert gift_cards.set_state(**where, frozen=False) == 1
    assert find(store)


def test_an_expired_card_s_rest_is_booked_out(store: Store) -> None:
    now = timezone.now()
    account = card_account(store, "100", expires_at=now + timedelta(days=1))
    gift_cards.set_expiry(store=store, card_id=account.pk, expires_at=now + timedelta(days=3))
    assert ledger.expire(store_id=store.pk, account_id=account.pk, now=now + timedelta(days=2)) == 0
    assert ledger.expire(store_id=store.pk, account_id=account.pk, now=now + timedelta(days=3)) == 100
    assert state(account) == (0, 0)
    gift_cards.set_expiry(store=store, card_id=account.pk, expires_at=None)
    assert state(account) == (0, 0)
