"""Orders that compete for what is scarce, each from a cart of its own (R-01 to R-04 of the reliability bars).

ROUNDS=5 runs the bars in full; by default each is a fifth of it, once.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import Sum
from django.utils import timezone

from carts import services
from carts.errors import CartNotFound
from carts.models import Cart
from catalog.models import Product, Stock
from promotions import audit
from promotions import services as promotions
from promotions.models import CustomerUses, Offer, OfferUse
from storefront.contracts import Shopper, Sku
from storefront.errors import DomainError
from storefront.models import Store
from tests.carts import ordering
from tests.carts.ordering import CartMoved, Placed
from tests.catalog.factories import make_product
from tests.threads import in_parallel
from wallets.models import Account, Entry, Hold, Programme
from wallets.services import credit, gift_cards, housekeeping, loyalty

ROUNDS = int(os.environ.get("ROUNDS", "1"))
FULL = ROUNDS >= 5
pytestmark = [pytest.mark.django_db(transaction=True)]
if FULL:  # a thousand spends of one balance, one after the other, take minutes on a busy machine
    pytestmark.append(pytest.mark.timeout(3000))


@pytest.fixture(autouse=True)
def _real(_plugs: None, configure: Any) -> None:
    configure(CATALOG="catalog.plugs.DefaultCatalog")


def sku_of(product: Product) -> Sku:
    return Sku(product.pk)


def guest(store: Store, number: int, **facts: Any) -> Shopper:
    return Shopper(store_id=store.pk, user_id=f"guest-{number}", **facts)


def buyer(store: Store, number: int = 0, **facts: Any) -> Shopper:
    """Somebody logged in to the account of customer `number`."""
    return Shopper(
        store_id=store.pk,
        user_id=f"user-{number}",
        customer_id=f"customer-{number}",
        is_logged_in=True,
        is_anonymous=False,
        **facts,
    )


def cart_of(store: Store, shopper: Shopper, *skus: Sku) -> str:
    items = [(sku, 1) for sku in skus]
    return services.create_cart(store=store, shopper=shopper, items=items, now=timezone.now()).cart.id


Attempt = tuple[Shopper, str]


def checkout(store: Store, attempts: list[Attempt], *, workers: int, again: int = 0) -> list[Placed | str]:
    """All of them at once: what each placed, or the code of its refusal. `again`: how often one that was refused prices
    its cart anew and tries once more, as a shopper does."""

    def act(number: int) -> Placed | str:
        shopper, cart_id = attempts[number]
        code = ""
        for _time in range(1 + again):
            try:
                return ordering.place(store=store, shopper=shopper, cart_id=cart_id, now=timezone.now())
            except DomainError as error:
                code = error.code
        return code

    return in_parallel(act, len(attempts), workers=workers)


def placed(results: list[Placed | str]) -> list[Placed]:
    return [result for result in results if isinstance(result, Placed)]


# --- R-01 -----------------------------------------------------------------------------------------------------------
def test_the_last_pieces_are_sold_once(store: Store) -> None:
    orders, pieces, workers = (400, 100, 32) if FULL else (80, 20, 16)
    for _round in range(ROUNDS):
        tea = make_product(store, on_hand=pieces)
        attempts = [
            (guest(store, number), cart_of(store, guest(store, number), sku_of(tea))) for number in range(orders)
        ]
        results = checkout(store, attempts, workers=workers)
        won = placed(results)
        assert len(won) == pieces
        assert Counter(result for result in results if isinstance(result, str)) == {"out_of_stock": orders - pieces}
        stock = Stock.objects.get(variant__product=tea)
        assert (stock.on_hand, stock.reserved) == (pieces, pieces)
        assert Cart.objects.filter(lines__product_id=tea.pk, closed_at=None).count() == orders - pieces

        settle = [ordering.pay if number % 2 else ordering.cancel for number in range(len(won))]

        def end(number: int, won: list[Placed] = won, settle: list[Callable[..., None]] = settle) -> None:
            for _time in range(2):  # told twice
                settle[number](store=store, order_id=won[number].order_id)

        in_parallel(end, len(won), workers=workers)
        stock.refresh_from_db()
        assert (stock.on_hand, stock.reserved) == (pieces - pieces // 2, 0)


def test_two_orders_of_one_cart_in_parallel_are_one(store: Store) -> None:
    tea = make_product(store, on_hand=50)
    shopper = guest(store, 1)
    for _round in range(3 * ROUNDS):
        cart_id = cart_of(store, shopper, sku_of(tea))
        results = checkout(store, [(shopper, cart_id)] * 8, workers=8)
        assert len(placed(results)) == 1
        assert {result for result in results if isinstance(result, str)} <= {"cart_moved", "cart_not_found"}
    assert Stock.objects.get().reserved == 3 * ROUNDS


# --- R-02 -----------------------------------------------------------------------------------------------------------
def test_lines_in_any_order_never_block_each_other(store: Store) -> None:
    orders = 240 if FULL else 48
    teas = [make_product(store, on_hand=1000) for _number in range(4)]
    chance = random.Random(2)
    for _round in range(ROUNDS):
        attempts = []
        for number in range(orders):
            skus = [sku_of(tea) for tea in chance.sample(teas, 3)]
            attempts.append((guest(store, number), cart_of(store, guest(store, number), *skus)))
        won = placed(checkout(store, attempts, workers=12))
        assert len(won) == orders
        wanted = Counter(line.sku.product_id for order in won for line in order.quote.lines)
        reserved = dict(Stock.objects.values_list("variant__product_id", "reserved"))
        assert reserved == {tea.pk: wanted[tea.pk] for tea in teas}
        in_parallel(
            lambda number, won=won: ordering.cancel(store=store, order_id=won[number].order_id), orders, workers=12
        )
        assert set(Stock.objects.values_list("reserved", flat=True)) == {0}


# --- R-03 -----------------------------------------------------------------------------------------------------------
def ledger(account_id: str) -> tuple[Decimal, Decimal]:
    """(balance, held), after checking that entries and holds add up to them and that nothing is below zero."""
    account = Account.objects.get(pk=account_id)
    entries = Entry.objects.filter(account=account).aggregate(found=Sum("amount"))["found"] or Decimal(0)
    holds = Hold.objects.filter(account=account, state=Hold.State.HELD)
    assert account.balance == entries
    assert account.held == (holds.aggregate(found=Sum("amount"))["found"] or Decimal(0))
    assert 0 <= account.held <= account.balance
    return account.balance, account.held


@pytest.mark.parametrize("kind", ["gift_card", "credit"])
def test_a_balance_is_spent_once_and_what_is_given_back_can_be_spent_again(store: Store, kind: str) -> None:
    spends, balance, given_back, workers = (200, 1000, 50, 32) if FULL else (40, 200, 10, 16)
    tea = make_product(store, price="10", on_hand=10_000, prices={"tax_rate": Decimal(0)})
    for _round in range(ROUNDS):
        shopper = buyer(store, _round)
        if kind == "gift_card":
            card = gift_cards.issue(store=store, amount=Decimal(balance))
            account_id = card.card_id
        else:
            entry = credit.grant(store=store, customer_id=shopper.customer_id or "", amount=Decimal(balance))
            account_id = entry.account_id
        attempts = []
        for number in range(spends):
            owner = guest(store, number) if kind == "gift_card" else shopper
            cart_id = cart_of(store, owner, sku_of(tea))
            where = {"store": store, "shopper": owner, "cart_id": cart_id, "now": timezone.now()}
            if kind == "gift_card":
                services.redeem_gift_card(**where, code=card.code, pin="", network="test")
            else:
                services.set_credit(**where, amount=Decimal(10))
            attempts.append((owner, cart_id))

        def spend(number: int, attempts: list[Attempt] = attempts) -> Placed | None:
            """As a shopper does: when the balance is no longer what it was, look at the cart again and order."""
            owner, cart_id = attempts[number]
            for _time in range(spends):
                try:
                    order = ordering.place(store=store, shopper=owner, cart_id=cart_id, now=timezone.now())
                except DomainError:
                    continue
                if number < given_back:
                    ordering.cancel(store=store, order_id=order.order_id)
                    return None
                return order
            raise AssertionError("nobody could order")

        orders = [order for order in in_parallel(spend, spends, workers=workers) if order is not None]
        paid = sum(((order.quote.gift_card_used + order.quote.credit_used) for order in orders), Decimal(0))
        assert len(orders) == spends - given_back
        kept, held = ledger(account_id)
        assert (kept, held) == (balance, paid)
        assert paid <= balance
        in_parallel(
            lambda number, orders=orders: ordering.pay(store=store, order_id=orders[number].order_id),
            len(orders),
            workers=workers,
        )
        assert ledger(account_id) == (balance - paid, 0)


# --- R-04 -----------------------------------------------------------------------------------------------------------
def test_a_coupon_is_used_as_often_as_it_may_be_and_once_by_each_customer(store: Store) -> None:
    checkouts, limit, workers = (300, 50, 32) if FULL else (60, 10, 16)
    tea = make_product(store, price="100", on_hand=10_000)
    tenth = {"discount_type": "percentage", "discount_percent": 10}
    for number_of_round in range(ROUNDS):
        coupon = promotions.create_offer(
            store=store, kind="coupon", type="discount", name="Ten", details=tenth, codes=[f"TEN{number_of_round}"],
            total_limit=limit, customer_limit=1,
        )  # fmt: skip
        promotions.publish_offer(store=store, offer_id=coupon.pk, now=timezone.now())
        attempts = []
        for number in range(checkouts):
            shopper = buyer(store, number // 3)  # three carts of each customer
            cart_id = cart_of(store, shopper, sku_of(tea))
            where = {"store": store, "shopper": shopper, "cart_id": cart_id, "now": timezone.now()}
            services.set_coupon(**where, code=f"ten{number_of_round}", network="test")
            attempts.append((shopper, cart_id))
        results = checkout(store, attempts, workers=workers)
        won = placed(results)
        used = [order for order in won if "coupon" not in order.quote.refusals]
        assert len(used) == limit
        assert len({order.quote.customer_id for order in used}) == limit
        # Whoever was priced while it still counted is refused; whoever came later sees the cart without it.
        assert all(order.quote.totals().coupon_discount == 0 for order in won if order not in used)
        assert {result for result in results if isinstance(result, str)} <= {"coupon_limit_reached"}
        uses = OfferUse.objects.filter(offer_id=coupon.pk)
        assert uses.count() == limit
        coupon.refresh_from_db()
        assert coupon.redemption_count == limit

        for order in used[: limit // 2]:
            for _time in range(2):
                ordering.pay(store=store, order_id=order.order_id)
        for order in used[limit // 2 :]:
            for _time in range(2):
                ordering.cancel(store=store, order_id=order.order_id)
        coupon.refresh_from_db()
        assert coupon.redemption_count == limit // 2
        assert uses.exclude(state=OfferUse.State.RELEASED).count() == limit // 2


# --- giving back ----------------------------------------------------------------------------------------------------
def full_orders(store: Store, count: int) -> tuple[list[Placed], list[str], Offer]:
    """Orders that each take two units of stock, the coupon, points, credit and a part of one gift card."""
    Programme.objects.create(store=store, base_tier="Silver")
    tea = make_product(store, price="100", on_hand=2 * count)
    tenth = {"discount_type": "percentage", "discount_percent": 10}
    coupon = promotions.create_offer(
        store=store, kind="coupon", type="discount", name="Ten", details=tenth, codes=["TEN"],
        total_limit=count, customer_limit=1, code_limit=count,
    )  # fmt: skip
    promotions.publish_offer(store=store, offer_id=coupon.pk, now=timezone.now())
    card = gift_cards.issue(store=store, amount=Decimal(1000), expires_at=timezone.now() + timedelta(days=9))
    accounts = [card.card_id]
    orders = []
    for number in range(count):
        shopper = buyer(store, number)
        customer_id = shopper.customer_id or ""
        days = timezone.now() + timedelta(days=1)
        accounts.append(
            credit.grant(store=store, customer_id=customer_id, amount=Decimal(50), expires_at=days).account_id
        )
        loyalty.give_bonus(store=store, customer_id=customer_id, points=30, owner="start")
        accounts.append(Account.objects.get(kind="points", customer_id=customer_id).pk)
        cart_id = services.create_cart(
            store=store, shopper=shopper, items=[(sku_of(tea), 2)], now=timezone.now()
        ).cart.id  # fmt: skip
        where = {"store": store, "shopper": shopper, "cart_id": cart_id, "now": timezone.now()}
        services.set_coupon(**where, code="TEN", network="test")
        services.set_points(**where, points=30)
        services.set_credit(**where, amount=Decimal(50))
        services.redeem_gift_card(**where, code=card.code, pin="", network="test")
        orders.append(ordering.place(store=store, shopper=shopper, cart_id=cart_id, now=timezone.now()))
    assert {quote.totals().to_be_paid for _order, quote in orders} == {Decimal(0)}
    return orders, accounts, coupon


def nothing_is_taken(store: Store, accounts: list[str], coupon: Offer, *, units: int) -> None:
    row = Stock.objects.get()
    assert (row.on_hand, row.reserved) == (units, 0)
    call_command("verify_stock", stdout=StringIO())
    assert list(audit.mismatches(store_id=store.pk)) == []
    coupon.refresh_from_db()
    assert coupon.redemption_count == 0
    assert set(CustomerUses.objects.values_list("count", flat=True)) <= {0}
    for account_id in accounts:
        _balance, held = ledger(account_id)
        assert held == 0


@pytest.mark.parametrize("paid", [False, True])
def test_an_order_that_is_called_off_gives_everything_back_once(store: Store, paid: bool) -> None:
    orders, accounts, coupon = full_orders(store, 6 if FULL else 3)
    before = {account_id: Account.objects.get(pk=account_id).balance for account_id in accounts}
    if paid:
        for order in orders:
            ordering.pay(store=store, order_id=order.order_id)
        assert sum(before.values()) > sum(ledger(account_id)[0] for account_id in accounts)
    in_parallel(  # each told four times at once
        lambda number: ordering.call_off(store=store, order_id=orders[number // 4].order_id), 4 * len(orders), workers=8
    )
    nothing_is_taken(store, accounts, coupon, units=2 * len(orders))
    assert {account_id: ledger(account_id)[0] for account_id in accounts} == before


def test_a_cancellation_meets_the_payment_the_end_of_its_window_and_expiry(store: Store) -> None:
    """At once, in any order: nothing stays taken, nothing comes back twice."""
    orders, accounts, coupon = full_orders(store, 8 if FULL else 4)
    soon = timezone.now() + timedelta(days=2)  # when the credit has expired

    def act(number: int) -> None:
        order_id = orders[number % len(orders)].order_id
        which = number // len(orders)
        if which == 3:
            housekeeping.sweep(now=soon, batch=50)
        else:
            (ordering.pay, ordering.call_off, ordering.cancel)[which](store=store, order_id=order_id)

    in_parallel(act, 4 * len(orders), workers=8)
    nothing_is_taken(store, accounts, coupon, units=2 * len(orders))
    housekeeping.sweep(now=soon + timedelta(days=365), batch=50)
    kinds = dict(Account.objects.values_list("kind").annotate(left=Sum("balance")).order_by())
    assert kinds["points"] == 30 * len(orders)
    assert kinds["credit"] <= 50 * len(orders)


def test_a_returned_line_gives_back_its_units_and_nothing_else(store: Store) -> None:
    (order,), accounts, coupon = full_orders(store, 1)
    sku = order.quote.lines[0].sku
    ordering.send_back(store=store, order=order, returned={sku: 1})
    assert Stock.objects.get().reserved == 2  # nothing was paid yet
    ordering.pay(store=store, order_id=order.order_id)
    balances = {account_id: ledger(account_id) for account_id in accounts}
    in_parallel(lambda _number: ordering.send_back(store=store, order=order, returned={sku: 1}), 6)
    row = Stock.objects.get()
    assert (row.on_hand, row.reserved) == (1, 0)
    assert {account_id: ledger(account_id) for account_id in accounts} == balances
    coupon.refresh_from_db()
    assert coupon.redemption_count == 1
    ordering.call_off(store=store, order_id=order.order_id)
    nothing_is_taken(store, accounts, coupon, units=2)


# --- alone ----------------------------------------------------------------------------------------------------------
def test_a_cart_that_moved_after_it_was_priced_is_not_ordered(store: Store) -> None:
    tea = make_product(store, on_hand=5)
    shopper = guest(store, 1)
    cart_id = cart_of(store, shopper, sku_of(tea))
    where = {"store": store, "shopper": shopper, "cart_id": cart_id, "now": timezone.now()}
    with pytest.raises(CartMoved):
        ordering.place(**where, meanwhile=lambda: services.set_quantity(**where, sku=sku_of(tea), quantity=2) and None)
    assert Stock.objects.get().reserved == 0
    order = ordering.place(**where)
    assert Stock.objects.get().reserved == 2
    with pytest.raises(CartNotFound):
        ordering.place(**where)
    ordering.cancel(store=store, order_id=order.order_id)
    assert Stock.objects.get().reserved == 0


def test_an_order_that_one_claim_refuses_takes_nothing_at_all(store: Store) -> None:
    """Stock is claimed before the wallets; when these refuse, it is back."""
    tea = make_product(store, price="10", on_hand=5)
    shopper = buyer(store)
    entry = credit.grant(store=store, customer_id="customer-0", amount=Decimal(10))
    first, second = (cart_of(store, shopper, sku_of(tea)) for _number in range(2))
    now = timezone.now()
    for cart_id in (first, second):
        services.set_credit(store=store, shopper=shopper, cart_id=cart_id, amount=Decimal(10), now=now)

    def spend_elsewhere() -> None:
        ordering.place(store=store, shopper=shopper, cart_id=first, now=now)

    with pytest.raises(DomainError) as refused:
        ordering.place(store=store, shopper=shopper, cart_id=second, now=now, meanwhile=spend_elsewhere)
    assert refused.value.code == "insufficient_credit"
    assert Stock.objects.get().reserved == 1
    assert ledger(entry.account_id) == (10, 10)
    assert Cart.objects.get(pk=second).closed_at is None
