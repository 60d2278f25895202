"""What points, credit and a gift card pay of a cart, and what it costs to ask."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as some

from storefront.contracts import Sku
from storefront.models import Store
from storefront.money import INR, ZERO, Currency
from storefront.pricing import Line, Quote, price
from tests.wallets.conftest import ASHA, BELA, card_account, credit_account, make_programme, points_account
from wallets import steps
from wallets.models import Account, GiftCard, Member, Programme, Tier
from wallets.rules import Rules, TierRule
from wallets.selectors import Wallet
from wallets.services import gift_cards

pytestmark = pytest.mark.django_db
STEPS = (steps.Points(), steps.Credit(), steps.GiftCard())


def quote_of(store: Store, net: str = "1000", tax: str = "0", **facts: Any) -> Quote:
    """A cart of one line; a logged-in shopper's unless `facts` say otherwise."""
    line = Line(Sku("TEA"), 1, amount=Decimal(net), subtotal=Decimal(net), net=Decimal(net), tax=Decimal(tax))
    who: dict[str, Any] = {"customer_id": ASHA, "user_id": ASHA, "is_logged_in": True}
    return Quote(store_id=store.pk, currency=INR, lines=(line,), now=timezone.now(), **(who | facts))


def paid(store: Store, **facts: Any) -> Quote:
    return price(quote_of(store, **facts), STEPS)


def queries(store: Store, **facts: Any) -> int:
    paid(store, **facts)  # the process knows the programme now
    with CaptureQueriesContext(connection) as captured:
        paid(store, **facts)
    return len(captured)


def test_they_pay_in_order_and_lower_what_is_to_be_paid_only(store: Store, programme: Programme) -> None:
    points, own, card = points_account(store, 300), credit_account(store, "400"), card_account(store, "5000")
    quote = paid(store, points_asked=300, credit_asked=Decimal("250.5"), gift_card_id=card.pk)
    totals = quote.totals()
    assert (quote.points_redeemed, quote.points_value) == (300, 300)
    assert (quote.credit_used, quote.gift_card_used) == (Decimal("250.5"), Decimal("449.5"))
    assert (totals.grand_total, totals.to_be_paid) == (1000, 0)
    assert [(claim.resource, claim.key, claim.amount) for claim in quote.claims] == [
        ("points", points.pk, 300),
        ("credit", own.pk, Decimal("250.5")),
        ("gift_card", card.pk, Decimal("449.5")),
    ]
    assert not quote.refusals


def test_nothing_pays_more_than_is_left(store: Store, programme: Programme) -> None:
    points_account(store, 5000)
    credit_account(store, "5000")
    card = card_account(store, "5000")
    quote = paid(store, net="99.50", points_asked=5000, credit_asked=Decimal(5000), gift_card_id=card.pk)
    assert (quote.points_redeemed, quote.points_value, quote.credit_used) == (99, 99, Decimal("0.5"))
    assert quote.gift_card_used == 0
    assert quote.totals().to_be_paid == 0
    assert not quote.refusals
    assert [claim.resource for claim in quote.claims] == ["points", "credit"]


def test_a_wish_for_more_than_there_is_is_refused_and_uses_what_there_is(store: Store, programme: Programme) -> None:
    points_account(store, 30)
    credit_account(store, "20")
    quote = paid(store, points_asked=31, credit_asked=Decimal("20.01"), gift_card_id="nobody")
    assert {wish: refusal.code for wish, refusal in quote.refusals.items()} == {
        "points": "insufficient_points",
        "credit": "insufficient_credit",
        "gift_card": "invalid_gift_card",
    }
    assert (quote.points_redeemed, quote.credit_used, quote.gift_card_used) == (30, 20, 0)


@pytest.mark.parametrize(
    ("asked", "code", "used"),
    [
        (99, "points_below_minimum", 0),
        (100, None, 100),
        (250, None, 250),
        (251, "points_above_maximum", 250),
        (5000, "insufficient_points", 250),
    ],
)
def test_the_programme_bounds_what_an_order_may_use(store: Store, asked: int, code: str | None, used: int) -> None:
    make_programme(store, minimum_points=100, maximum_points=250)
    points_account(store, 400)
    quote = paid(store, points_asked=asked)
    assert (quote.refusals["points"].code if quote.refusals else None, quote.points_redeemed) == (code, used)


def test_points_may_pay_a_part_of_the_total_only(store: Store) -> None:
    make_programme(store, maximum_percent=Decimal("12.5"), point_value=Decimal("0.25"))
    points_account(store, 10_000)
    quote = paid(store, net="1000", tax="180", points_asked=591)
    assert quote.refusals["points"].code == "points_above_maximum"
    assert (quote.points_redeemed, quote.points_value) == (590, Decimal("147.5"))


def test_a_cart_worth_less_than_the_minimum_can_still_be_paid_in_points(store: Store) -> None:
    make_programme(store, minimum_points=100)
    points_account(store, 400)
    quote = paid(store, net="60", points_asked=100)
    assert (quote.points_redeemed, dict(quote.refusals)) == (60, {})


def test_points_are_earned_by_tier_on_what_is_spent_before_tax(store: Store, programme: Programme) -> None:
    assert paid(store, net="100.99", tax="18").points_earned == 100  # nobody has to have joined
    points_account(store, 50)
    assert paid(store, net="100", tax="18", points_asked=50).points_earned == 50
    Member.objects.update(tier=Tier.objects.get(name="Platinum"))
    assert paid(store, net="100", tax="18", bonus_points=7).points_earned == 307
    assert paid(store, customer_id=BELA, net="100", bonus_points=7).points_earned == 107


def test_a_visitor_earns_and_pays_nothing_but_by_card(store: Store, programme: Programme) -> None:
    points_account(store, 50)
    credit_account(store, "50")
    card = card_account(store, "50")
    wishes = {"points_asked": 50, "credit_asked": Decimal(50), "gift_card_id": card.pk, "bonus_points": 5}
    quote = paid(store, is_logged_in=False, **wishes)
    assert (quote.points_redeemed, quote.points_earned, quote.credit_used, quote.gift_card_used) == (0, 0, 0, 50)
    assert {refusal.code for refusal in quote.refusals.values()} == {"login_required"}


def test_without_a_programme_points_are_worth_nothing(store: Store) -> None:
    quote = paid(store, points_asked=10, bonus_points=5)
    assert (quote.points_redeemed, quote.points_earned) == (0, 0)
    assert quote.refusals["points"].code == "points_not_available"
    make_programme(store, active=False)
    assert paid(store, points_asked=10).refusals["points"].code == "points_not_available"


def test_what_is_held_or_has_expired_does_not_pay(store: Store) -> None:
    credit_account(store, "100")
    credit_account(store, "70", expires_at=timezone.now() - timedelta(seconds=1))
    assert paid(store, credit_asked=Decimal(500)).credit_used == 100
    Account.objects.update(held=Decimal(90))  # 70 of what is held are the expired ones
    assert paid(store, credit_asked=Decimal(500)).credit_used == 80


@pytest.mark.parametrize("change", ["frozen", "expired", "empty", "inactive", "other store"])
def test_a_card_that_may_not_pay_does_not(store: Store, other_store: Store, change: str) -> None:
    card = card_account(other_store if change == "other store" else store, "100", active=change != "inactive")
    if change == "frozen":
        gift_cards.set_state(store=store, card_ids=[card.pk], frozen=True)
    if change == "expired":
        GiftCard.objects.update(expires_at=timezone.now())
    if change == "empty":
        gift_cards.adjust(store=store, card_id=card.pk, amount=Decimal(-100), reason="lost", made_by="anna")
    quote = paid(store, gift_card_id=card.pk)
    assert (quote.gift_card_used, quote.refusals["gift_card"].code) == (0, "invalid_gift_card")
    assert not quote.claims


def test_the_last_four_are_left_for_the_serializer(store: Store) -> None:
    card = card_account(store, "10", code="GIFT-1234-ABCD-EFGH")
    assert paid(store, gift_card_id=card.pk).facts["gift_card"]["last4"] == "EFGH"


def test_another_customer_s_wallets_are_not_seen(store: Store, other_store: Store, programme: Programme) -> None:
    points_account(store, 50, BELA)
    credit_account(other_store, "50")
    quote = paid(store, points_asked=50, credit_asked=Decimal(50), gift_card_id=Account.objects.first().pk)  # type: ignore[union-attr]
    assert (quote.points_redeemed, quote.credit_used, quote.gift_card_used) == (0, 0, 0)


# --- cost -----------------------------------------------------------------------------------------------------------
def test_all_three_ask_once(store: Store, programme: Programme) -> None:
    points_account(store, 50)
    credit_account(store, "50")
    card = card_account(store, "50")
    for number in range(20):
        credit_account(store, "1", owner=f"g-{number}", expires_at=timezone.now() + timedelta(days=number))
    assert queries(store, points_asked=50, credit_asked=Decimal(50), gift_card_id=card.pk) == 1
    assert queries(store) == 1
    visitor = {"is_logged_in": False, "customer_id": None}
    assert queries(store, gift_card_id=card.pk, **visitor) == 1
    assert queries(store, **visitor) == 0


def test_a_store_without_a_programme_asks_for_wishes_only(store: Store) -> None:
    credit_account(store, "50")
    assert queries(store) == 0
    assert queries(store, credit_asked=Decimal(50)) == 1


def test_each_step_stands_alone(store: Store) -> None:
    credit_account(store, "50")
    card = card_account(store, "50")
    quote = price(quote_of(store, gift_card_id=card.pk), STEPS[2:])
    assert quote.gift_card_used == 50
    assert price(quote_of(store, credit_asked=Decimal(50)), STEPS[1:]).credit_used == 50


# --- any cart -------------------------------------------------------------------------------------------------------
def cents(highest: int) -> some.SearchStrategy[Decimal]:
    return some.integers(min_value=0, max_value=highest).map(lambda number: Decimal(number).scaleb(-2))


@given(
    net=cents(10**7),
    tax=cents(10**6),
    balances=some.tuples(some.integers(0, 50_000), cents(10**7), cents(10**7)),
    asked=some.tuples(some.integers(0, 100_000), cents(10**7)),
    point_value=some.sampled_from([Decimal(value) for value in ("1", "0.25", "0.333", "7.5", "0.0001")]),
    bounds=some.tuples(some.integers(0, 500), some.one_of(some.none(), some.integers(0, 900)), some.integers(0, 100)),
    currency=some.sampled_from([INR, Currency(code="JPY", name="Yen", symbol="¥", exponent=0)]),
)
def test_any_cart_adds_up_and_nobody_pays_more_than_there_is(
    net: Decimal, tax: Decimal, balances: Any, asked: Any, point_value: Decimal, bounds: Any, currency: Currency
) -> None:
    net, tax = net.quantize(currency.unit), tax.quantize(currency.unit)
    money = [balance.quantize(currency.unit) for balance in balances[1:]]
    rules = Rules(
        "R", point_value, bounds[0], bounds[1], Decimal(bounds[2]), 0, None, 0, None, Decimal(100), True,
        (TierRule(None, "First", ZERO, Decimal(1)),), timezone.now(),
    )  # fmt: skip
    facts = steps.Wallets(
        rules,
        {
            "points": Wallet("p", Decimal(balances[0])),
            "credit": Wallet("c", money[0]),
            "gift_card": Wallet("g", money[1]),
        },
    )
    line = Line(Sku("TEA"), 1, net=net, tax=tax)
    quote = Quote(
        store_id="demo", currency=currency, lines=(line,), customer_id=ASHA, is_logged_in=True, points_asked=asked[0],
        credit_asked=asked[1], gift_card_id="g",
    )  # fmt: skip
    for step in STEPS:
        quote = step.apply(quote, facts)
    totals = quote.totals()
    assert totals.grand_total == net + tax
    assert totals.to_be_paid == totals.grand_total - totals.other_savings >= 0
    assert quote.points_redeemed <= min(asked[0], balances[0])
    assert quote.points_value <= totals.grand_total * bounds[2] / 100 + currency.unit
    assert quote.credit_used <= min(asked[1] + currency.unit, money[0])
    assert quote.gift_card_used == min(money[1], totals.grand_total - quote.points_value - quote.credit_used)
    assert all(claim.amount > 0 for claim in quote.claims)
    assert quote.points_earned >= 0
    for amount in (quote.points_value, quote.credit_used, quote.gift_card_used):
        assert amount % currency.unit == 0
