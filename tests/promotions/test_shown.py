"""What the catalogue shows of promotions (D-35)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from promotions import services
from promotions.plugs import ShownPromotions
from storefront.contracts import Sku
from storefront.models import CustomerGroup, Store
from storefront.wire import dumps, loads
from tests.contract import assert_component
from tests.promotions.conftest import TENTH, NewOffer

pytestmark = pytest.mark.django_db
TEA, CUP = Sku("TEA"), Sku("CUP", "RED")
PRICES = {TEA: (Decimal(100), ("black", "tea")), CUP: (Decimal(250), ("ware",))}


def shown(store: Store, group_id: str | None = None, now: Any = None) -> dict[Sku, dict[str, Any]]:
    found = ShownPromotions().shown(store.pk, PRICES, group_id=group_id, now=now or timezone.now())
    for block in found.values():
        assert_component("ProductPromotion", loads(dumps(block)))
    return found


def on(**entry: Any) -> dict[str, Any]:
    return {"products": [{"product_id": "TEA", **entry}]}


def by_quantity(**entry: Any) -> dict[str, Any]:
    return {"spending_criteria_type": "minimum-quantity", **on(**entry)}


SLABS = [
    {"quantity": 2, "condition": "less-or-equal", "discount_percent": 5},
    {"quantity": 2, "condition": "greater", "discount_percent": 20},
]


@pytest.mark.parametrize(
    ("type_", "applies_to", "details", "block"),
    [
        (
            "discount", "product", TENTH | on(),
            {"promotion_type": "discount", "discount_type": "percentage", "discount_percent": 10},
        ),
        (
            "discount", "category", {"discount_type": "fixed-amount", "fixed_discount_amount": 15.5, "category_id": ["tea"]},
            {"promotion_type": "discount", "discount_type": "fixed-amount", "discount_fixed_amount": 15.5},
        ),
        (
            "fixed-price", "product", by_quantity(minimum_quantity=1, offer_price=79),
            {"promotion_type": "fixed-price", "offer_price": 79},
        ),
        (
            "volume-based", "product", on(slabs=SLABS),
            {
                "promotion_type": "volume-based",
                "slabs": [{"quantity_limit": 2, "discount_percent": 5}, {"quantity_limit": 2, "discount_percent": 20}],
            },
        ),
        (
            "free-goods", "product", by_quantity(auto_scale=True, slab={"buy_quantity": 2, "get_quantity": 1}),
            {"promotion_type": "free-goods", "buy_quantity": 2, "get_quantity": 1},
        ),
    ],
    ids=["percentage", "amount", "fixed-price", "volume-based", "free-goods"],
)  # fmt: skip
def test_each_kind_that_a_product_can_show(
    store: Store, offer: NewOffer, type_: str, applies_to: str, details: dict[str, Any], block: dict[str, Any]
) -> None:
    made = offer("promotion", type_, applies_to=applies_to, details=details)
    found = shown(store)
    assert set(found) == {TEA}
    assert (found[TEA]["id"], found[TEA]["details"], found[TEA]["expires_at"]) == (made.pk, block, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"minimum_order_total": Decimal(1)},
        {"total_limit": 5},
        {"customer_limit": 5},
        {"requires_login": True},
        {"first_order_only": True},
        {"public": False},
        {"max_items": 1},
        {"eligibility": "customer", "audience": ["C1"]},
        {"eligibility": "segment", "audience": ["S1"]},
        {"details": TENTH | on(minimum_quantity=2)},
        {"details": TENTH | on(minimum_value=101)},
        {"details": TENTH | {"maximum_discount_amount": 9} | on()},
        {"live": False},
    ],
    ids=str,
)
def test_what_needs_more_than_the_product_is_not_shown(store: Store, offer: NewOffer, fields: dict[str, Any]) -> None:
    offer("promotion", **{"applies_to": "product", "details": TENTH | on()} | fields)
    assert shown(store) == {}


def test_coupons_and_amounts_off_the_cart_are_not_shown(store: Store, other_store: Store, offer: NewOffer) -> None:
    offer(applies_to="product", details=TENTH | on())
    offer("promotion", details={"discount_type": "fixed-amount", "fixed_discount_amount": 50})
    offer("promotion", "free-shipping")
    offer("promotion", store=other_store)
    assert shown(store) == {}


def test_the_one_with_the_lowest_unit_price_is_shown(store: Store, offer: NewOffer) -> None:
    everywhere = offer("promotion")
    assert {sku: block["id"] for sku, block in shown(store).items()} == dict.fromkeys(PRICES, everywhere.pk)
    cheaper = offer(
        "promotion", "fixed-price", applies_to="product", details=by_quantity(minimum_quantity=1, offer_price=85)
    )
    offer("promotion", "fixed-price", applies_to="product", details=by_quantity(minimum_quantity=1, offer_price=95))
    assert {sku: block["id"] for sku, block in shown(store).items()} == {TEA: cheaper.pk, CUP: everywhere.pk}


def test_a_price_that_is_no_bargain_is_not_shown(store: Store, offer: NewOffer) -> None:
    offer("promotion", "fixed-price", applies_to="product", details=by_quantity(minimum_quantity=1, offer_price=100))
    assert shown(store) == {}


def test_a_variant_shows_what_names_it(store: Store, offer: NewOffer) -> None:
    details = TENTH | {"products": [{"product_id": "CUP", "variant_id": "RED"}]}
    offer("promotion", applies_to="product", details=details)
    assert set(shown(store)) == {CUP}


def test_groups_see_their_own(store: Store, offer: NewOffer) -> None:
    trade = CustomerGroup.objects.create(store=store, name="Trade", slug="trade")
    retail = CustomerGroup.objects.get(store=store, is_default=True)
    offer("promotion", eligibility="group", audience=[trade.pk])
    assert shown(store) == {}
    assert shown(store, retail.pk) == {}
    assert set(shown(store, trade.pk)) == set(PRICES)


def test_the_version_changes_with_rules_and_with_time(store: Store, offer: NewOffer) -> None:
    now = timezone.now()
    plug = ShownPromotions()
    begin, end = now + timedelta(hours=1), now + timedelta(hours=2)
    versions = [plug.version(store.pk, now=now)]
    made = offer("promotion", starts_at=begin, expires_at=end)
    for moment in (now, begin, end):
        versions.append(plug.version(store.pk, now=moment))
        assert bool(shown(store, now=moment)) == (moment == begin)
        assert plug.version(store.pk, now=moment) == versions[-1]
    services.stop_offer(store=store, offer_id=made.pk)
    versions.append(plug.version(store.pk, now=now))
    assert len(set(versions)) == len(versions)


def test_it_costs_one_query_however_many_products(
    store: Store, offer: NewOffer, django_assert_num_queries: Any
) -> None:
    offer("promotion")
    shown(store)
    prices = {Sku(f"P{number}"): (Decimal(100), ("tea",)) for number in range(200)}
    with django_assert_num_queries(1):
        assert len(ShownPromotions().shown(store.pk, prices, group_id=None, now=timezone.now())) == 200
