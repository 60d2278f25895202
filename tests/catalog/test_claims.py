"""Orders and stock: what is taken, sold and given back, and that nothing is ever sold twice."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from catalog import changes, services, stock
from catalog.claims import StockClaims
from catalog.errors import OutOfStock
from catalog.ledger import Reason, StockMovement
from catalog.models import BundleItem, Product, Stock, Variant
from catalog.places import LocationStock, StockReservation
from storefront import claims
from storefront.contracts import Claim, Sku
from storefront.models import StockLocation
from storefront.testing import ClaimsContract
from tests.catalog.factories import make_product, variants_of
from tests.threads import in_parallel

pytestmark = pytest.mark.django_db


def ask(owner: str, *wanted: tuple[Any, int] | tuple[Any, int, StockLocation]) -> list[Claim]:
    found = []
    for row, units, *at in wanted:
        sku = Sku(row.product_id, row.pk) if isinstance(row, Variant) and not row.is_standalone else Sku(row.pk)
        key = claims.stock_key(sku, at[0].pk if at else "")
        found.append(Claim(resource="stock", key=key, amount=Decimal(units), owner=owner))
    return found


def hold(store: Any, owner: str, *wanted: Any) -> None:
    with transaction.atomic():
        claims.hold(store_id=store.pk, claims=ask(owner, *wanted))


def numbers(row: Any) -> tuple[int, int]:
    found = Stock.objects.get(pk=row.pk)
    return found.on_hand, found.reserved


def lying(row: Any) -> dict[str, tuple[int, int]]:
    rows = LocationStock.objects.filter(variant=row.pk).values_list("location__name", "on_hand", "reserved")
    return {name: (on_hand, reserved) for name, on_hand, reserved in rows}


def add_up() -> None:
    call_command("verify_stock", stdout=io.StringIO())


@pytest.fixture
def shop(store: Any) -> StockLocation:
    return StockLocation.objects.create(store=store, name="Fort shop", can_collect=True)


def test_an_order_reserves_buys_and_repeats_nothing(store: Any) -> None:
    tea = make_product(store, on_hand=5)
    for _repeat in range(2):
        hold(store, "order-1", (tea, 2))
        assert numbers(tea) == (5, 2)
    for _repeat in range(2):
        claims.confirm(store_id=store.pk, owner="order-1")
        assert numbers(tea) == (3, 0)
    claims.release(store_id=store.pk, owner="order-1")
    hold(store, "order-1", (tea, 2))
    assert numbers(tea) == (3, 0), "what was sold is neither given back nor taken again"
    sold = StockMovement.objects.get(reason=Reason.SOLD)
    assert (sold.delta, sold.on_hand, sold.note) == (-2, 3, "order-1")
    add_up()


def test_what_is_given_back_can_be_had_again(store: Any) -> None:
    tea = make_product(store, on_hand=5)
    hold(store, "order-1", (tea, 5))
    with pytest.raises(OutOfStock):
        hold(store, "order-2", (tea, 1))
    for _repeat in range(2):
        claims.release(store_id=store.pk, owner="order-1")
    assert numbers(tea) == (5, 0) and not StockReservation.objects.exists()
    claims.confirm(store_id=store.pk, owner="order-1")
    assert numbers(tea) == (5, 0)
    hold(store, "order-2", (tea, 4))
    hold(store, "order-1", (tea, 1))
    assert numbers(tea) == (5, 5)
    add_up()


def test_a_refusal_names_all_that_is_short_and_takes_nothing(store: Any) -> None:
    tea, cup, pot = (
        make_product(store, name=name, on_hand=left) for name, left in (("Tea", 9), ("Cup", 1), ("Pot", 0))
    )
    with pytest.raises(OutOfStock) as caught:
        hold(store, "order-1", (tea, 3), (cup, 2), (pot, 1))
    assert caught.value.code == "out_of_stock" and caught.value.status == 400
    assert sorted(map(str, caught.value.errors["items"])) == ["Only 1 of Cup are left.", "Pot is out of stock."]
    assert [numbers(row) for row in (tea, cup, pot)] == [(9, 0), (1, 0), (0, 0)]
    assert not StockReservation.objects.exists()


def test_unknown_goods_and_those_of_another_store_are_short(store: Any, other_store: Any) -> None:
    there, here = make_product(other_store), make_product(store)
    strays = [Claim(resource="stock", key=claims.stock_key(Sku(here.pk, there.pk)), amount=Decimal(1), owner="x")]
    for wanted in (ask("x", (there, 1)), strays):
        with pytest.raises(OutOfStock):
            StockClaims().hold(store.pk, wanted)
    with pytest.raises(ValueError, match="owner"):
        StockClaims().hold(store.pk, ask("", (here, 1)))
    hold(store, "order-1", (here, 1))
    claims.confirm(store_id=other_store.pk, owner="order-1")
    claims.release(store_id=other_store.pk, owner="order-1")
    assert numbers(here) == (10, 1) and numbers(there) == (10, 0)


def test_a_claim_names_its_location_or_takes_from_several(store: Any, shop: StockLocation) -> None:
    tea = make_product(store, on_hand=3)
    variant = variants_of(tea)[0]
    stock.adjust(store=store, variant=variant, delta=4, reason=Reason.RECEIVED, location=shop)
    with pytest.raises(OutOfStock):
        hold(store, "order-1", (tea, 5, shop))
    hold(store, "order-1", (tea, 2, shop))
    assert lying(tea) == {"Main": (3, 0), "Fort shop": (4, 2)}
    hold(store, "order-2", (tea, 4))
    assert lying(tea) == {"Main": (3, 3), "Fort shop": (4, 3)}
    assert stock.promised(store=store, variant_ids=[tea.pk])[tea.pk][shop.pk] == 3
    claims.confirm(store_id=store.pk, owner="order-2")
    claims.release(store_id=store.pk, owner="order-1")
    assert lying(tea) == {"Main": (0, 0), "Fort shop": (3, 0)} and numbers(tea) == (3, 0)
    add_up()


def test_in_one_order_named_locations_are_served_first(store: Any, shop: StockLocation) -> None:
    tea = make_product(store, on_hand=2)
    main = StockLocation.objects.get(store=store, is_default=True)
    stock.adjust(store=store, variant=variants_of(tea)[0], delta=2, reason=Reason.RECEIVED, location=shop)
    hold(store, "order-1", (tea, 2), (tea, 2, main))
    assert lying(tea) == {"Main": (2, 2), "Fort shop": (2, 2)}


def test_a_bundle_takes_its_components(store: Any) -> None:
    cup, pot = make_product(store, on_hand=5), make_product(store, on_hand=5)
    bundle = make_product(store, type=Product.Type.BUNDLE, on_hand=0, name="Set")
    BundleItem.objects.create(store=store, bundle=bundle, component=variants_of(cup)[0], quantity=2)
    BundleItem.objects.create(store=store, bundle=bundle, component=variants_of(pot)[0])
    hold(store, "order-1", (bundle, 2), (cup, 1))
    assert [numbers(row) for row in (cup, pot, bundle)] == [(5, 5), (5, 2), (0, 0)]
    with pytest.raises(OutOfStock, match="out_of_stock"):
        hold(store, "order-2", (bundle, 1))
    claims.confirm(store_id=store.pk, owner="order-1")
    assert [numbers(row) for row in (cup, pot)] == [(0, 0), (3, 0)]
    Product.objects.filter(pk=pot.pk).update(active=False)
    services.publish(store=store, product_ids=[pot.pk])
    stock.adjust(store=store, variant=variants_of(cup)[0], delta=9, reason=Reason.RECEIVED)
    with pytest.raises(OutOfStock):
        hold(store, "order-3", (bundle, 1))
    assert numbers(cup) == (9, 0)


def test_what_is_not_tracked_needs_nothing(store: Any) -> None:
    voucher = make_product(store, type=Product.Type.DIGITAL, on_hand=0)
    hold(store, "order-1", (voucher, 500))
    claims.confirm(store_id=store.pk, owner="order-1")
    assert numbers(voucher) == (0, 0) and not StockReservation.objects.exists()


def test_backorder_goes_beyond_and_is_sold_as_units_come_in(store: Any) -> None:
    tea = make_product(store, on_hand=1, backorder=True)
    variant = variants_of(tea)[0]
    hold(store, "order-1", (tea, 3))
    hold(store, "order-2", (tea, 2))
    assert numbers(tea) == (1, 5)
    claims.confirm(store_id=store.pk, owner="order-2")
    assert numbers(tea) == (0, 4), "who pays first is served first"
    claims.confirm(store_id=store.pk, owner="order-1")
    stock.adjust(store=store, variant=variant, delta=2, reason=Reason.RECEIVED)
    assert numbers(tea) == (0, 2)
    claims.release(store_id=store.pk, owner="order-1")
    stock.adjust(store=store, variant=variant, delta=5, reason=Reason.RECEIVED)
    assert numbers(tea) == (5, 0), "a cancelled order waits no longer"
    sold = StockMovement.objects.filter(reason=Reason.SOLD).values_list("note").annotate(units=Sum("delta")).order_by()
    assert dict(sold) == {"order-2": -2, "order-1": -1}
    add_up()


def test_backorder_needs_no_unit_anywhere(store: Any) -> None:
    tea = make_product(store, on_hand=0, backorder=True)
    hold(store, "order-1", (tea, 3))
    assert lying(tea) == {"Main": (0, 3)}
    with pytest.raises(OutOfStock):
        hold(store, "order-2", (tea, 2**31 - 2))
    with pytest.raises(OutOfStock):  # each would fit, both do not
        hold(store, "order-2", (tea, 2**31 - 9), (tea, 2**31 - 9, StockLocation.objects.get(store=store)))
    assert numbers(tea) == (0, 3)


@pytest.mark.django_db(transaction=True)
def test_readers_learn_of_it(store: Any) -> None:
    tea = make_product(store, on_hand=5)
    seen = {changes._read(store)}
    for step in (
        lambda: hold(store, "order-1", (tea, 1)),
        lambda: claims.confirm(store_id=store.pk, owner="order-1"),
        lambda: hold(store, "order-2", (tea, 1)),
        lambda: claims.release(store_id=store.pk, owner="order-2"),
    ):
        step()
        seen.add(changes._read(store))
    assert len(seen) == 5


def test_an_order_costs_the_same_whatever_its_size(store: Any, shop: StockLocation) -> None:
    goods = [make_product(store, on_hand=9) for _number in range(12)]

    def cost(owner: str, some: list[Product]) -> list[int]:
        found = []
        for step in (
            lambda: StockClaims().hold(store.pk, ask(owner, *((row, 1) for row in some))),
            lambda: StockClaims().confirm(store.pk, owner),
        ):
            with CaptureQueriesContext(connection) as captured:
                step()
            found.append(len([row for row in captured if "SAVEPOINT" not in row["sql"]]))
        return found

    few, many = cost("order-1", goods[:1]), cost("order-2", goods)
    assert many[0] <= 11 and many[1] <= 11
    statements = 2 * (len(goods) - 1)  # one update of each row in each table, sent together
    assert [each - base <= statements for base, each in zip(few, many, strict=True)] == [True, True]


class TestContract(ClaimsContract):
    resource = "stock"

    @pytest.fixture(autouse=True)
    def _shop(self, store: Any) -> Iterator[None]:
        self.store = store
        yield
        add_up()

    def claims(self) -> StockClaims:
        return StockClaims()

    def put(self, amount: Decimal) -> str:
        return claims.stock_key(Sku(make_product(self.store, on_hand=int(amount)).pk))

    def free(self, key: str) -> Decimal:
        found = Stock.objects.get(pk=claims.read_stock_key(key)[0].product_id)
        return Decimal(found.on_hand - found.reserved)


def test_units_return_to_where_they_were_sold_from_with_a_movement(store: Any, shop: StockLocation) -> None:
    tea = make_product(store, on_hand=2)
    stock.adjust(store=store, variant=variants_of(tea)[0], delta=3, reason=Reason.RECEIVED, location=shop)
    hold(store, "order-1", (tea, 4))
    claims.confirm(store_id=store.pk, owner="order-1")
    assert lying(tea) == {"Main": (0, 0), "Fort shop": (1, 0)}
    (asked,) = ask("order-1", (tea, 1))
    for units in (1, 1, 3, 2):
        claims.give_back(store_id=store.pk, owner="order-1", parts=[replace(asked, amount=Decimal(units))])
    assert numbers(tea) == (4, 0)
    claims.give_back(store_id=store.pk, owner="order-1")
    assert lying(tea) == {"Main": (2, 0), "Fort shop": (3, 0)}
    back = StockMovement.objects.filter(reason=Reason.RETURNED)
    assert sum(row.delta for row in back) == 4 and {row.note for row in back} == {"order-1"}
    add_up()


def test_a_bundle_gives_its_components_back(store: Any) -> None:
    cup, pot = make_product(store, on_hand=6), make_product(store, on_hand=3)
    bundle = make_product(store, type=Product.Type.BUNDLE, on_hand=0, name="Set")
    item = BundleItem.objects.create(store=store, bundle=bundle, component=variants_of(cup)[0], quantity=2)
    BundleItem.objects.create(store=store, bundle=bundle, component=variants_of(pot)[0])
    hold(store, "order-1", (bundle, 3))
    claims.confirm(store_id=store.pk, owner="order-1")
    item.delete()  # what it holds today does not matter
    (part,) = ask("order-1", (bundle, 2))
    for _time in range(2):
        claims.give_back(store_id=store.pk, owner="order-1", parts=[part])
        assert [numbers(row) for row in (cup, pot)] == [(4, 0), (2, 0)]
    claims.give_back(store_id=store.pk, owner="order-1")
    assert [numbers(row) for row in (cup, pot)] == [(6, 0), (3, 0)]
    add_up()


def test_what_comes_back_goes_on_to_whoever_waits(store: Any) -> None:
    tea = make_product(store, on_hand=2, backorder=True)
    hold(store, "order-1", (tea, 3))
    hold(store, "order-2", (tea, 2))
    for owner in ("order-1", "order-2"):
        claims.confirm(store_id=store.pk, owner=owner)
    assert numbers(tea) == (0, 3)
    (part,) = ask("order-1", (tea, 1))
    claims.give_back(store_id=store.pk, owner="order-1", parts=[part])
    assert numbers(tea) == (0, 2), "the unit that it waits for comes first"
    claims.give_back(store_id=store.pk, owner="order-1")
    assert numbers(tea) == (0, 0)
    assert StockReservation.objects.get(owner="order-2").sold == 2
    claims.give_back(store_id=store.pk, owner="order-2")
    assert numbers(tea) == (2, 0)
    add_up()


def test_what_was_taken_from_the_waiting_part_stays_counted(store: Any) -> None:
    """A release of the rest that a paid order waits for, then a return."""
    tea = make_product(store, on_hand=1, backorder=True)
    hold(store, "order-1", (tea, 3))
    claims.confirm(store_id=store.pk, owner="order-1")
    (part,) = ask("order-1", (tea, 1))
    claims.give_back(store_id=store.pk, owner="order-1", parts=[part])
    claims.release(store_id=store.pk, owner="order-1")
    assert numbers(tea) == (0, 0)
    claims.give_back(store_id=store.pk, owner="order-1", parts=[part])
    assert numbers(tea) == (0, 0)
    claims.give_back(store_id=store.pk, owner="order-1")
    assert numbers(tea) == (1, 0)
    add_up()


# --- many at once ---------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_the_last_pieces_are_sold_once(store: Any) -> None:
    """R-01: a hundred pieces at two places, many more orders than that."""
    shop = StockLocation.objects.create(store=store, name="Fort shop")
    tea = make_product(store, on_hand=70)
    stock.adjust(store=store, variant=variants_of(tea)[0], delta=30, reason=Reason.RECEIVED, location=shop)

    def order(number: int) -> bool:
        try:
            hold(store, f"order-{number}", (tea, 1))
        except OutOfStock:
            return False
        if number % 5 == 0:  # some fail and are tried again
            claims.release(store_id=store.pk, owner=f"order-{number}")
            try:
                hold(store, f"order-{number}", (tea, 1))
            except OutOfStock:
                return False
        claims.confirm(store_id=store.pk, owner=f"order-{number}")
        return True

    won = in_parallel(order, 160, workers=16)
    left = numbers(tea)
    assert sum(won) + left[0] == 100 and left[1] == 0
    more = [order(number) for number in range(1000, 1000 + left[0] + 1)]  # what was given back too late for others
    assert sum(won) + sum(more) == 100 and numbers(tea) == (0, 0)
    assert StockReservation.objects.count() == 100
    add_up()


@pytest.mark.django_db(transaction=True)
def test_the_same_order_at_once_takes_once(store: Any) -> None:
    tea = make_product(store, on_hand=5)
    in_parallel(lambda _number: hold(store, "order-1", (tea, 2)), 8)
    assert numbers(tea) == (5, 2)
    in_parallel(lambda _number: claims.confirm(store_id=store.pk, owner="order-1"), 8)
    assert numbers(tea) == (3, 0)
    add_up()


@pytest.mark.django_db(transaction=True)
def test_a_payment_and_a_cancellation_at_once_agree(store: Any) -> None:
    tea = make_product(store, on_hand=20)
    for number in range(5):
        hold(store, f"order-{number}", (tea, 2))
    in_parallel(
        lambda number: (claims.confirm if number % 2 else claims.release)(
            store_id=store.pk, owner=f"order-{number // 2}"
        ),
        10,
    )
    sold = -(StockMovement.objects.filter(reason=Reason.SOLD).aggregate(sum=Sum("delta"))["sum"] or 0)
    assert numbers(tea) == (20 - sold, 0) and sold % 2 == 0
    add_up()


@pytest.mark.django_db(transaction=True)
def test_orders_whose_lines_come_in_any_order_never_block_each_other(store: Any) -> None:
    """R-02: three lines of four variants, shuffled, while staff count and move the same goods."""
    goods = [make_product(store, on_hand=500) for _number in range(4)]
    variants = [variants_of(row)[0] for row in goods]
    shop = StockLocation.objects.create(store=store, name="Fort shop")
    main = StockLocation.objects.get(store=store, is_default=True)

    def order(number: int) -> int:
        chance = random.Random(number)
        if number % 6 == 0:
            stock.transfer(store=store, variant=chance.choice(variants), source=main, target=shop, quantity=1)
            return 0
        lines = chance.sample(goods, 3)
        hold(store, f"order-{number}", *((row, 1) for row in lines))
        claims.confirm(store_id=store.pk, owner=f"order-{number}")
        return 3

    sold = sum(in_parallel(order, 120, workers=12))
    assert sum(500 - numbers(row)[0] for row in goods) == sold == 300
    assert all(numbers(row)[1] == 0 for row in goods)
    add_up()


@pytest.mark.django_db(transaction=True)
def test_orders_that_are_called_off_at_once_give_each_unit_back_once(store: Any) -> None:
    """Two cancellations, a payment and the end of the payment window of the same orders, in any order."""
    goods = [make_product(store, on_hand=60) for _number in range(3)]
    for number in range(20):
        hold(store, f"order-{number}", *((row, 1) for row in random.Random(number).sample(goods, 2)))

    def end(number: int) -> None:
        act = (claims.give_back, claims.confirm, claims.give_back, claims.release)[number // 20]
        act(store_id=store.pk, owner=f"order-{number % 20}")

    in_parallel(end, 80, workers=8)
    assert [numbers(row) for row in goods] == [(60, 0)] * 3
    add_up()
