"""Anything that shoppers and staff may do, in any order, from a cart to an order and back (R-28).

After each step nothing is over-spent and everything adds up: the invariants of the reliability bars. MACHINE_RUNS and
MACHINE_STEPS make it longer; the bar is 200 runs of 50 steps.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

import pytest
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from carts import lifecycle, selectors, services
from carts.models import Cart
from catalog.models import Stock
from promotions import services as promotions
from storefront import limits
from storefront import selectors as kernel
from storefront import services as stores
from storefront.contracts import Shopper, Sku
from storefront.errors import DomainError
from storefront.models import Store
from storefront.money import ZERO
from storefront.pricing import Quote
from tests.carts import ordering
from tests.catalog.factories import make_product
from wallets.models import Account, Entry, Hold, Programme
from wallets.services import credit, gift_cards, loyalty

RUNS, STEPS = int(os.environ.get("MACHINE_RUNS", "5")), int(os.environ.get("MACHINE_STEPS", "20"))
SHOPPERS, GOODS = 3, 3
UNITS = 6  # of each product, when the shop opens
COUPON_LIMIT = 2
numbers = some.integers
who = numbers(0, SHOPPERS - 1)


class World(NamedTuple):
    store: Store
    goods: list[Sku]
    card: gift_cards.NewGiftCard
    shoppers: list[Shopper]


def open_shop() -> World:
    """Made once; each run begins with it."""
    store = stores.create_store(store_id="machine", name="Machine")
    goods = [Sku(make_product(store, price=price, on_hand=UNITS).pk) for price in ("99.99", "250", "1000")]
    Programme.objects.create(store=store, base_tier="Silver")
    tenth = {"discount_type": "percentage", "discount_percent": 10}
    coupon = promotions.create_offer(
        store=store, kind="coupon", type="discount", name="Ten", details=tenth, codes=["TEN"],
        total_limit=COUPON_LIMIT, customer_limit=1, combinable=True,
    )  # fmt: skip
    promotions.publish_offer(store=store, offer_id=coupon.pk, now=timezone.now())
    free = {"discount_type": "fixed-amount", "fixed_discount_amount": 30}
    promotion = promotions.create_offer(
        store=store, kind="promotion", type="discount", name="Thirty", details=free, minimum_order_total=300
    )
    promotions.publish_offer(store=store, offer_id=promotion.pk, now=timezone.now())
    card = gift_cards.issue(store=store, amount=Decimal(500))
    shoppers = [
        Shopper(
            store_id=store.pk,
            user_id=f"user-{number}",
            customer_id=f"customer-{number}",
            is_logged_in=True,
            is_anonymous=False,
        )
        for number in range(SHOPPERS)
    ]
    for shopper in shoppers:
        assert shopper.customer_id
        credit.grant(store=store, customer_id=shopper.customer_id, amount=Decimal(150))
        loyalty.give_bonus(store=store, customer_id=shopper.customer_id, points=80, owner="start")
    return World(store, goods, card, shoppers)


class Shop(RuleBasedStateMachine):
    """A small shop where everything is scarce. Each run is rolled back."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.store, self.goods, self.card, self.shoppers = self.world
        self.rollback = ExitStack()
        self.rollback.enter_context(transaction.atomic())
        kernel.forget()
        limits._memory.clear()
        self.orders: dict[str, tuple[ordering.Placed, str]] = {}  # by id: what it took; held, paid, cancelled, undone
        self.returned: dict[str, dict[Sku, int]] = {}  # units that came back to paid orders

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.rollback.close()
        kernel.forget()

    # -- what shoppers do --
    def cart(self, shopper: Shopper) -> str | None:
        found = selectors.open_carts(store=self.store, user_id=shopper.user_id).order_by("-pk").first()
        return found.pk if found else None

    def attempt(self, number: int, call: Any, **facts: Any) -> Any:
        """A call on the shopper's cart; a refusal is an answer like any other, and must leave the cart as it was."""
        shopper = self.shoppers[number]
        cart_id = self.cart(shopper)
        if cart_id is None:
            return None
        before = Cart.objects.filter(pk=cart_id).values().get()
        where = {"store": self.store, "shopper": shopper, "cart_id": cart_id, "now": timezone.now()}
        try:
            with transaction.atomic():
                return call(**where, **facts)
        except DomainError as refused:
            assert refused.status in (400, 404, 429), refused
            assert Cart.objects.filter(pk=cart_id).values().get() == before
            return None

    @rule(number=who, product=numbers(0, GOODS - 1), quantity=numbers(1, 4))
    def begin(self, number: int, product: int, quantity: int) -> None:
        try:
            services.create_cart(
                store=self.store,
                shopper=self.shoppers[number],
                items=[(self.goods[product], quantity)],
                now=timezone.now(),
            )
        except DomainError as refused:
            assert refused.code == "out_of_stock"

    @rule(number=who, product=numbers(0, GOODS - 1), quantity=numbers(0, UNITS + 1))
    def put(self, number: int, product: int, quantity: int) -> None:
        self.attempt(number, services.set_quantity, sku=self.goods[product], quantity=quantity)

    @rule(number=who, code=some.sampled_from(["TEN", "ten", "NONE"]))
    def coupon(self, number: int, code: str) -> None:
        self.attempt(number, services.set_coupon, code=code, network="n")

    @rule(number=who)
    def no_coupon(self, number: int) -> None:
        self.attempt(number, services.clear_coupon)

    @rule(number=who, points=numbers(0, 120))
    def points(self, number: int, points: int) -> None:
        self.attempt(number, services.set_points, points=points)

    @rule(number=who, amount=some.decimals("0", "200", places=2))
    def credit(self, number: int, amount: Decimal) -> None:
        self.attempt(number, services.set_credit, amount=amount)

    @rule(number=who)
    def gift_card(self, number: int) -> None:
        self.attempt(number, services.redeem_gift_card, code=self.card.code, pin="", network="n")

    @rule(number=who)
    def no_gift_card(self, number: int) -> None:
        self.attempt(number, services.remove_gift_card)

    @rule(number=who, into=who, strategy=some.sampled_from(["merge", "guest_wins", "account_wins"]))
    def log_in(self, number: int, into: int, strategy: str) -> None:
        sent = {"from_user_id": f"user-{number}", "to_user_id": f"user-{into}", "strategy": strategy}
        lifecycle.merge_carts(store=self.store, **sent)
        if number != into:
            assert self.cart(self.shoppers[number]) is None

    # -- what becomes of it --
    @rule(number=who)
    def order(self, number: int) -> None:
        placed = self.attempt(number, ordering.place)
        if placed is not None:
            self.orders[placed.order_id] = (placed, "held")

    @rule(pick=numbers(0, 99), paid=some.booleans())
    def settle(self, pick: int, paid: bool) -> None:
        """Any order, settled ones too: the second word changes nothing."""
        if not self.orders:
            return
        order_id = sorted(self.orders)[pick % len(self.orders)]
        placed, state = self.orders[order_id]
        (ordering.pay if paid else ordering.cancel)(store=self.store, order_id=order_id)
        if state != "held":
            return
        self.orders[order_id] = (placed, "paid" if paid else "cancelled")

    @rule(pick=numbers(0, 99), again=some.booleans())
    def call_off(self, pick: int, again: bool) -> None:
        """Any order, paid or not: all that it took is there again, once."""
        if not self.orders:
            return
        order_id = sorted(self.orders)[pick % len(self.orders)]
        for _time in range(1 + again):
            ordering.call_off(store=self.store, order_id=order_id)
        placed, state = self.orders[order_id]
        self.orders[order_id] = (placed, {"held": "cancelled", "paid": "undone"}.get(state, state))

    @rule(pick=numbers(0, 99), units=numbers(1, 4), again=some.booleans())
    def send_back(self, pick: int, units: int, again: bool) -> None:
        """Units of a line of any order; only what was paid for comes back, and never more than that."""
        if not self.orders:
            return
        order_id = sorted(self.orders)[pick % len(self.orders)]
        placed, state = self.orders[order_id]
        line = placed.quote.lines[0]
        before = self.returned.get(order_id, {})
        total = before.get(line.sku, 0) + units
        for _time in range(1 + again):
            ordering.send_back(store=self.store, order=placed, returned=before | {line.sku: total})
        if state == "paid":
            self.returned[order_id] = before | {line.sku: min(total, line.quantity)}

    @rule(number=who, amount=numbers(1, 50))
    def refund(self, number: int, amount: int) -> None:
        customer_id = self.shoppers[number].customer_id or ""
        refund_id = f"refund-{Entry.objects.count()}"
        credit.refund(store=self.store, customer_id=customer_id, amount=Decimal(amount), refund_id=refund_id)

    # -- what always holds --
    def live(self, *states: str) -> list[Quote]:
        return [placed.quote for placed, state in self.orders.values() if state in states]

    @invariant()
    def stock_is_neither_lost_nor_sold_twice(self) -> None:
        for row in Stock.objects.filter(store_id="machine").select_related("variant"):
            sku = Sku(row.variant.product_id)
            held = sum(line.quantity for quote in self.live("held") for line in quote.lines if line.sku == sku)
            assert row.reserved == held
            assert 0 <= row.reserved <= row.on_hand
            sold = sum(line.quantity for quote in self.live("paid") for line in quote.lines if line.sku == sku)
            paid = [order_id for order_id, (_placed, state) in self.orders.items() if state == "paid"]
            sold -= sum(self.returned.get(order_id, {}).get(sku, 0) for order_id in paid)
            assert row.on_hand + sold == UNITS

    @invariant()
    def balances_are_sums_of_their_ledgers_and_never_below_zero(self) -> None:
        for account in Account.objects.filter(store_id="machine"):
            entries = Entry.objects.filter(account=account).aggregate(found=Sum("amount"))["found"] or ZERO
            holds = Hold.objects.filter(account=account, state=Hold.State.HELD)
            held = holds.aggregate(found=Sum("amount"))["found"] or ZERO
            assert account.balance == entries
            assert account.held == held
            assert 0 <= account.held <= account.balance

    @invariant()
    def orders_took_what_they_show(self) -> None:
        for kind, name in (("gift_card", "gift_card_used"), ("credit", "credit_used"), ("points", "points_redeemed")):
            held = Account.objects.filter(store_id="machine", kind=kind).aggregate(found=Sum("held"))["found"] or 0
            assert held == sum(getattr(quote, name) for quote in self.live("held")), kind
            of_orders = Entry.objects.filter(store_id="machine", account__kind=kind, kind__in=["spend", "refund"])
            spent = -(of_orders.exclude(owner__startswith="refund-").aggregate(found=Sum("amount"))["found"] or ZERO)
            assert spent == sum(getattr(quote, name) for quote in self.live("paid")), kind

    @invariant()
    def a_coupon_is_used_no_more_than_it_may_be(self) -> None:
        used = [quote for quote in self.live("held", "paid") if quote.coupon_code and "coupon" not in quote.refusals]
        assert len(used) <= COUPON_LIMIT
        assert len({quote.customer_id for quote in used}) == len(used)

    @invariant()
    def carts_add_up(self) -> None:
        for cart in Cart.objects.filter(store_id="machine", closed_at=None).select_related("store"):
            quote = selectors.owners_view(cart=cart, now=timezone.now()).quote
            totals = quote.totals()
            assert totals.grand_total == sum((line.net + line.tax for line in quote.lines), ZERO)
            assert totals.to_be_paid + totals.other_savings == totals.grand_total
            assert min(totals) >= 0
            assert all(line.discounted >= 0 for line in quote.lines)


@pytest.mark.timeout(max(300, RUNS * STEPS))
@pytest.mark.django_db
def test_no_sequence_of_calls_spends_anything_twice(configure: Any) -> None:
    configure(CATALOG="catalog.plugs.DefaultCatalog", LIMITS_ENABLED=False)
    Shop.world = open_shop()
    found = settings(
        max_examples=RUNS,
        derandomize="MACHINE_RUNS" not in os.environ,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Shop, settings=found)
