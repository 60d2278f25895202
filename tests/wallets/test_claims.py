"""Holding, spending and giving back, the same for points, credit and gift cards."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from storefront import claims, provided
from storefront.errors import DomainError
from storefront.models import Store
from storefront.testing import ClaimsContract
from tests.threads import in_parallel
from tests.wallets.conftest import ASHA, MAKERS, card_account, claim, credit_account, points_account, state
from wallets.claims import WalletClaims
from wallets.errors import InsufficientCredit, InvalidGiftCard
from wallets.models import Account, Entry, GiftCard, Hold, Programme
from wallets.services import credit, gift_cards, ledger, spending

pytestmark = pytest.mark.django_db
KINDS = pytest.mark.parametrize("kind", ["points", "credit", "gift_card"])
CODES = {"points": "insufficient_points", "credit": "insufficient_credit", "gift_card": "invalid_gift_card"}


def hold(store: Store, account: Account, amount: str | int, owner: str = "order-1") -> None:
    with transaction.atomic():
        WalletClaims().hold(store.pk, [claim(account, amount, owner)])


def confirm(store: Store, owner: str = "order-1") -> None:
    WalletClaims().confirm(store.pk, owner)


def release(store: Store, owner: str = "order-1") -> None:
    WalletClaims().release(store.pk, owner)


@KINDS
def test_what_is_held_can_be_spent_once(store: Store, programme: Programme, kind: str) -> None:
    account = MAKERS[kind](store, "100")
    hold(store, account, 60)
    assert state(account) == (100, 60)
    for _time in range(2):
        confirm(store)
        assert state(account) == (40, 0)
    release(store)
    hold(store, account, 60)  # the same claim again, after it was spent
    assert state(account) == (40, 0)
    assert Entry.objects.filter(account=account, kind="spend").count() == 1


@KINDS
def test_what_is_released_is_free_again_and_can_be_held_anew(store: Store, programme: Programme, kind: str) -> None:
    account = MAKERS[kind](store, "100")
    hold(store, account, 60)
    for _time in range(2):
        release(store)
        assert state(account) == (100, 0)
    confirm(store)
    assert state(account) == (100, 0)
    hold(store, account, 80)
    confirm(store)
    assert state(account) == (20, 0)


@KINDS
def test_more_than_there_is_cannot_be_held_and_leaves_no_trace(store: Store, programme: Programme, kind: str) -> None:
    account = MAKERS[kind](store, "100")
    hold(store, account, 60)
    with pytest.raises(DomainError) as refused:
        hold(store, account, 41, "order-2")
    assert refused.value.code == CODES[kind]
    assert state(account) == (100, 60)
    assert Hold.objects.count() == 1
    hold(store, account, 40, "order-2")
    assert state(account) == (100, 100)


@KINDS
def test_a_claim_with_another_amount_replaces_the_first(store: Store, programme: Programme, kind: str) -> None:
    account = MAKERS[kind](store, "100")
    hold(store, account, 60)
    hold(store, account, 60)
    hold(store, account, 20)
    assert state(account) == (100, 20)
    hold(store, account, 100)
    with pytest.raises(DomainError):
        hold(store, account, 101)
    assert state(account) == (100, 100)


def test_all_claims_of_an_order_or_none(store: Store, programme: Programme) -> None:
    points, own, card = points_account(store, 100), credit_account(store, "50"), card_account(store, "10")
    wanted = [claim(points, 100), claim(own, "50.01"), claim(card, 10)]
    with pytest.raises(InsufficientCredit), transaction.atomic():
        claims.hold(store_id=store.pk, claims=wanted)
    assert not Hold.objects.exists()
    assert [state(account)[1] for account in (points, own, card)] == [0, 0, 0]
    wanted[1] = claim(own, "49.99")
    with transaction.atomic():
        claims.hold(store_id=store.pk, claims=wanted)
    claims.confirm(store_id=store.pk, owner="order-1")
    assert [state(account)[0] for account in (points, own, card)] == [0, Decimal("0.01"), 0]
    assert spending.spent(store=store, order_id="order-1") == {
        "points": 100,
        "credit": Decimal("49.99"),
        "gift_card": 10,
    }


def test_a_spent_entry_carries_the_number_of_its_order(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    account = credit_account(store, "100")
    hold(store, account, 10)
    numbers = {("demo", "order-1"): "OD-1001"}
    monkeypatch.setitem(
        provided._functions, "order_number", lambda *, store_id, order_id: numbers.get((store_id, order_id))
    )
    confirm(store)
    assert Entry.objects.get(kind="spend").reference == "OD-1001"
    spending.give_back(
        store=store, resource="credit", order_id="order-1", refund_id="r", amount=Decimal(1), now=timezone.now()
    )
    assert Entry.objects.get(kind="refund").reference == "OD-1001"


def test_another_store_s_account_and_owner_are_out_of_reach(store: Store, other_store: Store) -> None:
    account = credit_account(store, "100")
    with pytest.raises(DomainError):
        hold(other_store, account, 10)
    hold(store, account, 10)
    confirm(other_store)
    release(other_store)
    assert state(account) == (100, 10)


def test_a_frozen_or_expired_card_cannot_be_held_but_what_it_promised_is_paid(store: Store) -> None:
    account = card_account(store, "100")
    hold(store, account, 30)
    gift_cards.set_state(store=store, card_ids=[account.pk], frozen=True)
    with pytest.raises(InvalidGiftCard):
        hold(store, account, 10, "order-2")
    confirm(store)
    assert state(account) == (70, 0)
    gift_cards.set_state(store=store, card_ids=[account.pk], frozen=False)
    GiftCard.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(InvalidGiftCard):
        hold(store, account, 10, "order-2")


class Kept(ClaimsContract):
    @pytest.fixture(autouse=True)
    def _shop(self, store: Store, programme: Programme) -> None:
        self.store = store
        self.made = 0

    def claims(self) -> WalletClaims:
        return WalletClaims()

    def put(self, amount: Decimal) -> str:
        self.made += 1
        customer_id = f"customer-{self.made}"
        return {
            "points": lambda: points_account(self.store, int(amount), customer_id),
            "credit": lambda: credit_account(self.store, str(amount), customer_id),
            "gift_card": lambda: card_account(self.store, str(amount)),
        }[self.resource]().pk

    def free(self, key: str) -> Decimal:
        balance, held = state(Account.objects.get(pk=key))
        return balance - held


class TestPoints(Kept):
    resource = "points"


class TestCredit(Kept):
    resource = "credit"


class TestGiftCards(Kept):
    resource = "gift_card"


# --- giving back ----------------------------------------------------------------------------------------------------
@KINDS
def test_no_more_goes_back_than_was_spent(store: Store, programme: Programme, kind: str) -> None:
    account, now = MAKERS[kind](store, "100"), timezone.now()
    hold(store, account, 60)

    def back(refund_id: str, amount: int) -> Decimal:
        return spending.give_back(
            store=store, resource=kind, order_id="order-1", refund_id=refund_id, amount=Decimal(amount), now=now
        )

    assert back("refund-1", 10) == 0  # nothing was spent yet
    confirm(store)
    assert [back("refund-1", 25), back("refund-1", 25), back("refund-2", 50), back("refund-3", 1)] == [25, 25, 35, 0]
    assert state(account) == (100, 0)
    assert spending.spent(store=store, order_id="order-1") == {kind: 0}


def test_a_card_that_gets_money_back_lives_on(store: Store) -> None:
    now = timezone.now()
    account = card_account(store, "100", expires_at=now + timedelta(days=1))
    hold(store, account, 100)
    confirm(store)
    later = now + timedelta(days=5)
    given = spending.give_back(
        store=store, resource="gift_card", order_id="order-1", refund_id="r", amount=Decimal(40), now=later
    )
    assert given == 40
    assert GiftCard.objects.get().expires_at == later + timedelta(days=30)
    assert ledger.expire(store_id=store.pk, account_id=account.pk, now=later + timedelta(days=29)) == 0
    assert ledger.expire(store_id=store.pk, account_id=account.pk, now=later + timedelta(days=30)) == 40


@KINDS
def test_calling_an_order_off_gives_only_what_no_refund_gave(store: Store, programme: Programme, kind: str) -> None:
    account, now = MAKERS[kind](store, "100"), timezone.now()
    hold(store, account, 60)
    confirm(store)
    refund = {"store": store, "resource": kind, "order_id": "order-1", "now": now}
    spending.give_back(**refund, refund_id="refund-1", amount=Decimal(25))
    part = [claim(account, 20)]
    claims.give_back(store_id=store.pk, owner="order-1", parts=part)  # more is back already
    assert state(account) == (65, 0)
    for _time in range(2):
        claims.give_back(store_id=store.pk, owner="order-1")
        assert state(account) == (100, 0)
    assert spending.give_back(**refund, refund_id="refund-2", amount=Decimal(1)) == 0
    assert state(account) == (100, 0)
    assert spending.spent(store=store, order_id="order-1") == {kind: 0}


def test_points_that_come_back_expire_as_new_ones_and_cards_live_on_only_for_what_they_got(
    store: Store, programme: Programme
) -> None:
    now = timezone.now()
    Programme.objects.update(expiry_days=10)
    loaded = points_account(store, 100)
    card = card_account(store, "50", expires_at=now + timedelta(days=1))
    for account in (loaded, card):
        hold(store, account, 50, owner="order-1")
    confirm(store)
    claims.give_back(store_id=store.pk, owner="order-1", parts=[claim(loaded, 50)])
    assert GiftCard.objects.get().expires_at == now + timedelta(days=1)
    claims.give_back(store_id=store.pk, owner="order-1")
    lives = GiftCard.objects.get().expires_at
    assert lives is not None and lives >= now + timedelta(days=30)
    claims.give_back(store_id=store.pk, owner="order-1")
    assert GiftCard.objects.get().expires_at == lives
    back = Entry.objects.get(kind="refund", account=loaded)
    assert back.expires_at is not None and back.expires_at >= now + timedelta(days=10)


# --- expiry ---------------------------------------------------------------------------------------------------------
def test_credit_expires_first_in_first_out_and_what_was_used_does_not(store: Store) -> None:
    now = timezone.now()
    account = credit_account(store, "100", expires_at=now + timedelta(days=10))
    credit_account(store, "50", expires_at=now + timedelta(days=5))
    credit_account(store, "25")
    hold(store, account, 70)
    confirm(store)  # all of the 50, then 20 of the 100
    assert ledger.expire(store_id=store.pk, account_id=account.pk, now=now + timedelta(days=6)) == 0
    assert state(account) == (105, 0)
    assert ledger.expire(store_id=store.pk, account_id=account.pk, now=now + timedelta(days=11)) == 80
    assert ledger.expire(store_id=store.pk, account_id=account.pk, now=now + timedelta(days=11)) == 0
    assert state(account) == (25, 0)


def test_what_is_held_does_not_expire_until_it_is_released(store: Store) -> None:
    now = timezone.now()
    account = credit_account(store, "60", expires_at=now + timedelta(days=1))
    credit_account(store, "40")
    hold(store, account, 50)
    later = now + timedelta(days=2)
    assert ledger.expire(store_id=store.pk, account_id=account.pk, now=later) == 10
    assert state(account) == (90, 50)
    release(store)
    assert ledger.expire(store_id=store.pk, account_id=account.pk, now=later) == 50
    assert state(account) == (40, 0)


def test_what_has_expired_cannot_be_held_though_no_sweep_came(store: Store) -> None:
    account = credit_account(store, "60", expires_at=timezone.now() - timedelta(seconds=1))
    credit_account(store, "40")
    with pytest.raises(InsufficientCredit):
        hold(store, account, 41)
    assert state(account) == (100, 0)  # the refused order leaves no trace
    hold(store, account, 40)
    assert state(account) == (40, 40)


# --- cost, threads --------------------------------------------------------------------------------------------------
def test_statements_of_an_order_do_not_grow_with_the_ledger(store: Store) -> None:
    account = credit_account(store, "1000")
    counts = []
    for owner in ("order-1", "order-2"):
        with CaptureQueriesContext(connection) as held:
            hold(store, account, 10, owner)
        with CaptureQueriesContext(connection) as confirmed:
            confirm(store, owner)
        counts.append((len(held), len(confirmed)))
        for number in range(20):
            hold(store, account, 1, f"{owner}-{number}")
            confirm(store, f"{owner}-{number}")
    assert counts[0] == counts[1]
    assert counts[0][0] <= 12 and counts[0][1] <= 12, counts


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["gift_card", "credit"])
def test_parallel_spends_and_refunds_never_overspend(store: Store, kind: str) -> None:
    """R-03: 200 spends of 10 on 1,000, and 50 refunds of 10, all at once."""
    account = MAKERS[kind](store, "1500")
    hold(store, account, 500, "earlier")
    confirm(store, "earlier")
    now = timezone.now()

    def act(number: int) -> bool:
        if number % 5 == 4:
            refund_id = f"refund-{number}"
            for _time in range(2):  # a repeat gives nothing more
                spending.give_back(
                    store=store, resource=kind, order_id="earlier", refund_id=refund_id, amount=Decimal(10), now=now
                )
            return False
        owner = f"order-{number}"
        try:
            hold(store, account, 10, owner)
        except DomainError:
            return False
        confirm(store, owner)
        confirm(store, owner)
        return True

    won = sum(in_parallel(act, 250, workers=16))
    balance, held = state(account)
    refunded = Entry.objects.filter(account=account, kind="refund").count() * 10
    assert refunded == 500
    assert 100 <= won <= 150  # what was there at first, and at most what came back
    assert (balance, held) == (1000 + refunded - won * 10, 0)


@pytest.mark.django_db(transaction=True)
def test_the_same_order_in_parallel_holds_and_spends_once(store: Store) -> None:
    account = credit_account(store, "1000")

    def act(number: int) -> None:
        hold(store, account, 100)
        (confirm if number % 2 else release)(store)

    in_parallel(act, 24, workers=12)
    confirm(store)
    release(store)
    balance, held = state(account)
    assert held == 0 and balance in (900, 1000)
    assert Entry.objects.filter(account=account, kind="spend").count() <= 1


@pytest.mark.django_db(transaction=True)
def test_orders_over_the_same_accounts_never_wait_in_a_circle(store: Store) -> None:
    own, card = credit_account(store, "10000"), card_account(store, "10000")

    def act(number: int) -> None:
        wanted = [claim(own, 1, f"order-{number}"), claim(card, 1, f"order-{number}")]
        with transaction.atomic():
            claims.hold(store_id=store.pk, claims=wanted[:: 1 if number % 2 else -1])
        (claims.confirm if number % 3 else claims.release)(store_id=store.pk, owner=f"order-{number}")

    in_parallel(act, 60, workers=12)
    assert state(own)[0] == state(card)[0] == 9960


@pytest.mark.django_db(transaction=True)
def test_the_first_credit_of_a_customer_in_parallel_makes_one_account(store: Store) -> None:
    in_parallel(
        lambda number: credit.grant(store=store, customer_id=ASHA, amount=Decimal(10), owner=f"g-{number % 4}"), 16
    )
    assert state(Account.objects.get()) == (40, 0)
