"""Stock and its ledger: nothing moves without a reason, nothing below what is reserved."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db.models import Sum
from django.test import Client

from catalog import demo, services, stock
from catalog.ledger import Reason, StockMovement
from catalog.models import Stock, Variant
from storefront.errors import Invalid
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
    Stock.objects.filter(variant=variant).update(reserved=reserved)
    with pytest.raises(Invalid):
        stock.adjust(store=store, variant=variant, delta=delta, reason=Reason.DAMAGED)
    assert left(variant) == 5 and StockMovement.objects.filter(variant=variant).count() == 1


def test_stock_on_backorder_may_fall_below_what_is_reserved_but_not_below_none(store: Any) -> None:
    variant = sku(store, 5, backorder=True)
    Stock.objects.filter(variant=variant).update(reserved=9)
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
    Stock.objects.filter(variant=variant).update(on_hand=8)
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("verify_stock", stdout=out)
    assert variant.pk in out.getvalue()
    call_command("verify_stock", repair=True, stdout=out)
    call_command("verify_stock", stdout=out)
    assert left(variant) == 8
    assert StockMovement.objects.filter(variant=variant, reason=Reason.CORRECTED).get().delta == 3
    with pytest.raises(CommandError):
        call_command("verify_stock", store="nowhere")


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
