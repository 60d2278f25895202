"""Films, subscription plans and lots: what products show of them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from catalog import services
from catalog.models import BundleItem, Lot, Product, ProductVideo, SubscriptionPlan
from tests.catalog.factories import make_product, variants_of
from tests.contract import assert_matches

pytestmark = pytest.mark.django_db


def publish(product: Product) -> None:
    services.publish(store=product.store, product_ids=[product.pk])


def film(product: Product, **fields: Any) -> ProductVideo:
    values = {"preview_url": "https://films.example/a.mp4", "title": "How it is woven"} | fields
    return ProductVideo.objects.create(store=product.store, product=product, **values)


def plan(product: Product, **fields: Any) -> SubscriptionPlan:
    values = {"name": "Monthly", "price": Decimal("399.50")} | fields
    return SubscriptionPlan.objects.create(store=product.store, product=product, **values)


def lot(variant: Any, name: str, **fields: Any) -> Lot:
    return Lot.objects.create(store=variant.store, variant=variant, lot_batch=name, **fields)


def test_a_product_shows_all_its_films_and_a_variant_its_own(store, get):
    product = make_product(store, variants=("S", "M"))
    small, medium = variants_of(product)
    film(product, sort_order=1, hls_url="https://films.example/a.m3u8", duration=42)
    film(product, title="", variant=medium, sort_order=2)
    publish(product)
    shown = assert_matches("get-product-detail", get(f"/catalog/products/{product.pk}"))["product"]
    assert [video["title"] for video in shown["videos"]] == ["How it is woven", None]
    assert shown["videos"][0]["video_duration"] == 42 and shown["videos"][0]["video_stream_dash_url"] == ""
    assert [len(variant["videos"]) for variant in shown["variants"]] == [1, 2]
    address = f"/catalog/products/{product.pk}/variants/{small.pk}"
    assert len(assert_matches("get-variant-detail", get(address))["variant"]["videos"]) == 1


def test_plans_of_a_product_hold_for_every_variant_and_those_of_one_for_it_alone(store, get):
    product = make_product(store, variants=("S", "M"), sku="TEA")
    plan(product, order_frequency="annually", billing_frequency="annually")
    plan(product, name="Weekly", variant=variants_of(product)[1], billing_frequency="weekly")
    publish(product)
    other = make_product(store, sku="CUP")
    (cup, tea) = assert_matches("list-products", get('/catalog/products?sort_by={"created_at":"desc"}'))["products"]
    assert (cup["id"], cup["on_subscription"], cup["subscription"]) == (other.pk, False, [])
    assert tea["on_subscription"] is True
    (monthly,) = tea["subscription"]
    assert monthly["subscription_price"] == 399.5
    assert (monthly["billing_frequency"], monthly["order_frequency"]) == ("annually", "annully")
    assert [[p["subscription_plan"] for p in v["subscription"]] for v in tea["variants"]] == [
        ["Monthly"],
        ["Monthly", "Weekly"],
    ]
    items = assert_matches("list-skus", get("/catalog/skus"))["skus"]
    assert {item["sku"]: len(item["subscription"]) for item in items} == {"CUP": 0, "TEA-S": 1, "TEA-M": 2}


def test_lots_are_shown_when_asked_for_the_one_that_expires_first_in_front(store, other_store, get):
    tea = make_product(store, name="Tea", sku="TEA")
    kurta = make_product(store, name="Kurta", variants=("S", "M"), sku="KURTA")
    gift = make_product(store, name="Gift", type="bundle", sku="GIFT")
    (tin,) = variants_of(tea)
    BundleItem.objects.create(store=store, bundle=gift, component=tin)
    lot(tin, "late", expires_on=date(2027, 5, 1), quantity=3)
    lot(tin, "soon", manufactured_on=date(2026, 1, 1), expires_on=date(2027, 1, 1), manufacturer="Estate", quantity=4)
    lot(tin, "never")
    lot(variants_of(kurta)[1], "dye-7", quantity=2)
    shown = assert_matches("list-products", get("/catalog/products?inventory=true"))["products"]
    products = {row["name"]: row for row in shown}
    assert [row["lot_batch"] for row in products["Tea"]["inventory"]] == ["soon", "late", "never"]
    assert products["Tea"]["inventory"][0] == {
        "lot_batch": "soon",
        "mfg_date": "2026-01-01",
        "exp_date": "2027-01-01",
        "manufacturer": "Estate",
        "stock_quantity": 4,
    }
    assert [len(variant["inventory"]) for variant in products["Kurta"]["variants"]] == [0, 1]
    assert len(products["Gift"]["bundle_items"][0]["inventory"]) == 3
    skus = assert_matches("list-skus", get("/catalog/skus?inventory=true"))["skus"]
    assert {row["sku"]: len(row["inventory"]) for row in skus} == {"TEA": 3, "KURTA-S": 0, "KURTA-M": 1, "GIFT": 0}
    address = f"/catalog/products/{kurta.slug}/variants"
    variants = assert_matches("list-product-variants", get(f"{address}?inventory=true"))["variants"]
    assert [row["inventory"][0]["lot_batch"] for row in variants if row["inventory"]] == ["dye-7"]
    variant = assert_matches("get-variant-detail", get(f"{address}/{variants[1]['id']}?inventory=true"))["variant"]
    assert variant["inventory"][0]["stock_quantity"] == 2


@pytest.mark.parametrize("path", ["/catalog/products", "/catalog/skus"])
def test_lots_cost_one_statement_more(store, get, path, django_assert_max_num_queries):
    for _ in range(8):
        lot(variants_of(make_product(store))[0], "a")
    get(path)
    with django_assert_max_num_queries(4):
        get(f"{path}?inventory=true")


def test_what_does_not_fit_together_is_refused(store):
    tea, cup = make_product(store), make_product(store)
    foreign = variants_of(cup)[0]
    for row in (ProductVideo(product=tea, variant=foreign), SubscriptionPlan(product=tea, variant=foreign)):
        with pytest.raises(ValidationError, match="no variant"):
            row.clean()
    with pytest.raises(ValidationError, match="before"):
        Lot(manufactured_on=date(2026, 2, 1), expires_on=date(2026, 1, 1)).clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        plan(tea, price=Decimal(-1))
