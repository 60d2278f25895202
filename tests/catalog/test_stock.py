"""Stock and its ledger: nothing moves without a reason, nothing below what is reserved."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import RestrictedError, Sum
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog import demo, services, stock
from catalog.ledger import Reason, StockMovement
from catalog.models import BundleItem, Product, Stock, Variant
from catalog.places import LocationStock
from catalog.plugs import DefaultCatalog
from storefront import selectors as kernel
from storefront.contracts import Sku, StockByLocation
from storefront.errors import Invalid
from storefront.models import StockLocation
from tests.catalog.factories import make_product, variants_of

pytestmark = pytest.mark.django_db


def sku(store: Any, on_hand: int = 0, **fields: Any) -> Variant:
    """A variant whose units were received through the ledger."""
    variant = variants_of(make_product(store, on_hand=0, **fields))[0]
    if on_hand:
        stock.adjust(store=store, variant=variant, delta=on_hand, reason=Reason.OPENING)
    return variant


def left(variant: Variant) -> int:
    return Stock.objects.get(variant=variant).on_hand


def reserve(variant: Variant, units: int) -> None:
    for model in (Stock, LocationStock):
        model._default_manager.filter(variant=variant).update(reserved=units)


def lying(variant: Variant) -> dict[str, int]:
    return dict(LocationStock.objects.filter(variant=variant).values_list("location__name", "on_hand"))


def add_up() -> None:
    call_command("verify_stock", stdout=io.StringIO())


def test_an_adjustment_is_written_down_with_what_was_left(store: Any) -> None:
    variant = sku(store, 5)
    stock.adjust(store=store, variant=variant, delta=-2, reason=Reason.DAMAGED, note="Wet", made_by="anna")
    row = StockMovement.objects.filter(variant=variant).order_by("pk").last()
    assert row is not None
    assert (row.delta, row.on_hand, row.reason, row.note, row.made_by) == (-2, 3, "damaged", "Wet", "anna")
    assert left(variant) == 3


@pytest.mark.parametrize(("reserved", "delta"), [(0, -6), (3, -3), (0, 0), (0, 2**31)])
def test_what_is_not_there_or_is_reserved_cannot_be_taken(store: Any, reserved: int, delta: int) -> None:
    variant = sku(store, 5)
    reserve(variant, reserved)
    with pytest.raises(Invalid):
        stock.adjust(store=store, variant=variant, delta=delta, reason=Reason.DAMAGED)
    assert left(variant) == 5 and StockMovement.objects.filter(variant=variant).count() == 1


def test_stock_on_backorder_may_fall_below_what_is_reserved_but_not_below_none(store: Any) -> None:
    variant = sku(store, 5, backorder=True)
    reserve(variant, 9)
    stock.adjust(store=store, variant=variant, delta=-5, reason=Reason.DAMAGED)
    with pytest.raises(Invalid):
        stock.adjust(store=store, variant=variant, delta=-1, reason=Reason.DAMAGED)
    assert left(variant) == 0


def test_another_store_s_stock_stays(store: Any, other_store: Any) -> None:
    variant = sku(store, 5)
    with pytest.raises(Invalid):
        stock.adjust(store=other_store, variant=variant, delta=1, reason=Reason.RECEIVED)
    assert left(variant) == 5


def test_a_new_count_is_a_movement_by_the_difference(store: Any) -> None:
    variant = sku(store, 5)
    services.set_stock(store=store, variant=variant, on_hand=12, backorder=True, made_by="anna")
    services.set_stock(store=store, variant=variant, on_hand=12)
    assert list(StockMovement.objects.filter(variant=variant).order_by("pk").values_list("delta", "made_by")) == [
        (5, ""),
        (7, "anna"),
    ]


def test_movements_are_written_once(store: Any) -> None:
    variant = sku(store, 5)
    row = StockMovement.objects.get(variant=variant)
    row.delta = 50
    with pytest.raises(TypeError):
        row.save()
    with pytest.raises(TypeError):
        StockMovement.objects.filter(variant=variant).update(delta=50)
    assert StockMovement.objects.aggregate(sum=Sum("delta"))["sum"] == 5


def test_the_demo_s_stock_adds_up(store: Any) -> None:
    demo.build(store=store, pictures=False)
    out = io.StringIO()
    call_command("verify_stock", store="demo", stdout=out)
    assert "adds up" in out.getvalue()


def test_what_does_not_add_up_is_named_and_can_be_corrected(store: Any) -> None:
    variant = sku(store, 5)
    LocationStock.objects.filter(variant=variant).update(on_hand=8, reserved=2)
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("verify_stock", stdout=out)
    assert out.getvalue().count(variant.pk) == 4, "movements, reservations, both sums"
    call_command("verify_stock", repair=True, stdout=out)
    add_up()
    assert left(variant) == 8
    assert Stock.objects.get(variant=variant).reserved == 0
    assert StockMovement.objects.filter(variant=variant, reason=Reason.CORRECTED).get().delta == 3
    with pytest.raises(CommandError):
        call_command("verify_stock", store="nowhere")


def test_a_sum_and_a_movement_without_a_place_are_found(store: Any, shop: StockLocation) -> None:
    variant = sku(store, 5)
    Stock.objects.filter(variant=variant).update(on_hand=6)
    fields = {"store": store, "variant": variant, "location": shop, "on_hand": 2, "reason": Reason.RECEIVED}
    StockMovement.objects.create(delta=2, **fields)
    with pytest.raises(CommandError):
        add_up()
    call_command("verify_stock", repair=True, stdout=io.StringIO())
    add_up()
    assert left(variant) == 5 and lying(variant) == {"Main": 5, "Fort shop": 0}


# --- places ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def shop(store: Any) -> StockLocation:
    return StockLocation.objects.create(store=store, name="Fort shop", can_collect=True)


def test_units_lie_at_a_location_and_the_sum_follows(store: Any, shop: StockLocation) -> None:
    variant = sku(store, 5)
    row = stock.adjust(store=store, variant=variant, delta=3, reason=Reason.RECEIVED, location=shop)
    assert (row.location, row.on_hand) == (shop, 3)
    services.set_stock(store=store, variant=variant, on_hand=1, location=shop)
    services.set_stock(store=store, variant=variant, on_hand=7)
    assert lying(variant) == {"Main": 7, "Fort shop": 1} and left(variant) == 8
    add_up()


def test_what_lies_elsewhere_cannot_be_taken_here(store: Any, shop: StockLocation) -> None:
    variant = sku(store, 5)
    with pytest.raises(Invalid):
        stock.adjust(store=store, variant=variant, delta=-1, reason=Reason.DAMAGED, location=shop)
    assert lying(variant) == {"Main": 5} and left(variant) == 5


def test_units_that_nobody_reserved_can_be_moved(store: Any, shop: StockLocation) -> None:
    variant = sku(store, 5)
    main = StockLocation.objects.get(store=store, is_default=True)
    reserve(variant, 2)
    for quantity in (4, 0, -1):
        with pytest.raises(Invalid):
            stock.transfer(store=store, variant=variant, source=main, target=shop, quantity=quantity)
    with pytest.raises(Invalid):
        stock.transfer(store=store, variant=variant, source=main, target=main, quantity=1)
    assert lying(variant) == {"Main": 5}
    stock.transfer(store=store, variant=variant, source=main, target=shop, quantity=3, made_by="anna", note="Fair")
    assert lying(variant) == {"Main": 2, "Fort shop": 3} and left(variant) == 5
    moved = StockMovement.objects.filter(variant=variant, reason=Reason.MOVED).order_by("pk")
    assert list(moved.values_list("delta", "on_hand", "made_by", "note")) == [
        (-3, 2, "anna", "Fair"),
        (3, 3, "anna", "Fair"),
    ]


def test_another_store_s_location_is_no_place(store: Any, other_store: Any) -> None:
    variant = sku(store, 5)
    there = StockLocation.objects.get(store=other_store)
    main = StockLocation.objects.get(store=store)
    with pytest.raises(Invalid):
        stock.adjust(store=store, variant=variant, delta=1, reason=Reason.RECEIVED, location=there)
    with pytest.raises(Invalid):
        stock.transfer(store=store, variant=variant, source=main, target=there, quantity=1)
    with pytest.raises(Invalid):
        services.set_stock(store=store, variant=variant, on_hand=9, location=there)
    assert lying(variant) == {"Main": 5}


def test_backorder_cannot_end_while_more_is_promised_than_there_is(store: Any) -> None:
    variant = sku(store, 5, backorder=True)
    reserve(variant, 9)
    with pytest.raises(Invalid):
        services.set_stock(store=store, variant=variant, backorder=False)
    services.set_stock(store=store, variant=variant, on_hand=9)
    services.set_stock(store=store, variant=variant, backorder=False)
    assert not LocationStock.objects.filter(variant=variant, backorder=True).exists()


def test_a_location_with_a_history_stays(store: Any, shop: StockLocation) -> None:
    variant = sku(store)
    stock.adjust(store=store, variant=variant, delta=3, reason=Reason.RECEIVED, location=shop)
    with pytest.raises(RestrictedError):
        shop.delete()
    store.delete()
    assert not StockLocation.objects.filter(pk=shop.pk).exists(), "with its store it goes"


def test_the_catalogue_says_what_lies_where(store: Any, shop: StockLocation, configure: Any) -> None:
    configure(STORE_CACHE_SECONDS=600)
    main = StockLocation.objects.get(store=store, is_default=True)
    cup, pot = sku(store, 6), sku(store, 1)
    stock.adjust(store=store, variant=pot, delta=3, reason=Reason.RECEIVED, location=shop)
    stock.adjust(store=store, variant=cup, delta=9, reason=Reason.RECEIVED, location=shop)
    reserve(pot, 1)
    set_of_two = make_product(store, type=Product.Type.BUNDLE)
    BundleItem.objects.create(store=store, bundle=set_of_two, component=cup, quantity=2)
    BundleItem.objects.create(store=store, bundle=set_of_two, component=pot)
    voucher = make_product(store, type=Product.Type.DIGITAL, on_hand=0)
    late = sku(store, 0, backorder=True)
    none = sku(store)
    sizes = variants_of(make_product(store, variants=("S", "M"), on_hand=4))
    skus = [Sku(row.product_id) for row in (cup, pot, late, none)] + [Sku(set_of_two.pk), Sku(voucher.pk), Sku("no")]
    skus += [Sku(sizes[0].product_id, sizes[0].pk), Sku(cup.product_id, sizes[0].pk), Sku(cup.pk, cup.pk)]
    kernel.forget()
    kernel.locations(store=kernel.store(store.pk))
    with CaptureQueriesContext(connection) as captured:
        found = DefaultCatalog().stock_by_location(store.pk, skus)
    assert len(captured) == 1
    assert found == {
        Sku(cup.pk): {main.pk: 6, shop.pk: 9},
        Sku(pot.pk): {shop.pk: 2},
        Sku(set_of_two.pk): {shop.pk: 2},
        Sku(voucher.pk): {main.pk: None, shop.pk: None},
        Sku(late.pk): {main.pk: None},
        Sku(none.pk): {},
        Sku(sizes[0].product_id, sizes[0].pk): {main.pk: 4},
    }
    assert isinstance(DefaultCatalog(), StockByLocation)


def test_staff_adjust_stock_and_read_the_ledger(store: Any, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.catalog.admin_urls"
    staff = Client()
    staff.force_login(get_user_model().objects.create_superuser("anna", "anna@example.com", "x"))
    variant = sku(store, 5)
    page = f"/admin/storefront_catalog/variant/{variant.pk}"
    address = f"{page}/adjust-stock/"
    assert staff.get(address).status_code == 200 and left(variant) == 5
    refused = staff.post(address, {"delta": "-9", "reason": "damaged"})
    assert refused.status_code == 200 and "reserved" in refused.content.decode() and left(variant) == 5
    assert staff.post(address, {"delta": "-2", "reason": "damaged", "note": "Wet"}).status_code == 302
    assert left(variant) == 3
    shown = staff.get(f"{page}/change/").content.decode()
    assert "Stock ledger" in shown and "Wet" in shown and "anna" in shown
