"""The demo's goods: what they must contain, and that building them again changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.storage import default_storage
from PIL import Image

from catalog import audit, demo, selectors
from catalog.models import BundleItem, Category, Price, Product, ProductImage, Stock, Variant
from catalog.places import LocationStock
from catalog.plugs import DefaultCatalog
from storefront import selectors as kernel
from storefront.contracts import Sku
from storefront.models import StockLocation
from tests.contract import assert_component, assert_matches

pytestmark = pytest.mark.django_db


def sku_of(code: str) -> Sku:
    variant = Variant.objects.get(sku=code)
    return Sku(variant.product_id, "" if variant.is_standalone else variant.pk)


def test_the_demo_holds_one_of_every_case(store: Any, get: Any) -> None:
    assert demo.build(store=store, pictures=False) >= 24
    products = assert_matches("list-products", get("/catalog/products?limit=100"))["products"]
    assert len(products) == len(demo.GOODS)
    types = {product["product_type"] for product in products}
    assert types == {"physical", "digital", "bundle"}
    by_slug = {product["slug"]: product for product in products}
    assert by_slug["brass-dal-pot"]["stock_available"] is False
    calendar = by_slug["desk-calendar-2027"]
    assert (calendar["stock_available"], calendar["backorder"]) == (False, True)
    assert [option["key"] for option in by_slug["block-print-kurta"]["variant_options"]] == ["colour", "size"]
    assert {item["quantity"] for item in by_slug["chai-hamper"]["bundle_items"]} == {1, 4}
    assert {product["pricing"]["price_including_tax"] for product in products} == {True, False}
    assert {product["pricing"]["tax_rate"] for product in products} >= {0, 5, 12, 18}
    for product in products:
        detail = get(f"/catalog/products/{product['slug']}")
        assert_matches("get-product-detail", detail)
    assert_matches("list-skus", get("/catalog/skus?limit=100"))
    categories = assert_matches("list-categories", get("/catalog/categories?limit=100"))["categories"]
    assert max(branch.level for branch in selectors.tree(store=store).by_id.values()) >= 3
    assert all(category["product_count"] for category in categories)


def test_its_skus_meet_every_rule_of_a_cart(store: Any) -> None:
    demo.build(store=store, pictures=False)
    catalog = DefaultCatalog()
    asked = {
        code: sku_of(code)
        for code in ("LAST-ONE", "CUP-CHAI", "DABBA", "BOOK-CHUTNEY", "POT-BRASS", "LAMP-BRASS", "HAMPER-CHAI")
    }
    found = catalog.sellables(store.pk, list(asked.values()))
    by_code = {code: found[sku] for code, sku in asked.items()}
    assert by_code["LAST-ONE"].available == 1
    assert (by_code["CUP-CHAI"].min_quantity, by_code["CUP-CHAI"].step) == (2, 2)
    assert by_code["DABBA"].max_quantity == 5
    assert by_code["BOOK-CHUTNEY"].available is None
    assert by_code["POT-BRASS"].available == 0
    assert by_code["LAMP-BRASS"].available is None and by_code["LAMP-BRASS"].backorder
    assert by_code["HAMPER-CHAI"].available == 10
    wholesale = next(group for group in kernel.groups(store=store).values() if group.slug == "wholesale")
    cheaper = catalog.sellables(store.pk, list(asked.values()), group_id=wholesale.pk)
    assert all(cheaper[sku].selling_price < found[sku].selling_price for sku in asked.values())


def test_what_is_sent_weighs_something_and_packs_weigh_what_is_in_them(store: Any) -> None:
    demo.build(store=store, pictures=False)
    rows = Variant.objects.filter(store=store).select_related("product")
    skus = {row.sku: Sku(row.product_id, "" if row.is_standalone else row.pk) for row in rows}
    found = DefaultCatalog().sellables(store.pk, list(skus.values()))
    weights = {code: found[sku].weight for code, sku in skus.items()}
    kinds = {row.sku: row.product.type for row in rows}
    assert {code for code, grams in weights.items() if not grams} == {
        code for code, kind in kinds.items() if kind == Product.Type.DIGITAL
    }
    assert [weights[f"TEA-ASSAM-{grams}-G"] for grams in (100, 250, 500)] == [140, 290, 540]
    parts = {"TEA-CHAI-250-G": 1, "CUP-CHAI": 4, "CANDLE-MOGRA": 1}
    assert weights["HAMPER-CHAI"] >= sum(weights[code] * count for code, count in parts.items())
    slabs = {sum(grams > most for most in (500, 1000, 3000)) for grams in weights.values() if grams}
    assert slabs == {0, 1, 2, 3}, "one of each of the demo's rates"


def test_building_again_makes_nothing_and_keeps_what_staff_changed(store: Any, other_store: Any) -> None:
    demo.build(store=store, pictures=False)
    models = (Product, Variant, Price, Stock, Category, BundleItem, ProductImage)
    before = [model.objects.count() for model in models]
    Product.objects.filter(slug="cast-iron-tawa").update(name="Ours")
    Product.objects.filter(slug="terracotta-diyas").delete()
    assert demo.build(store=store, pictures=False) == 1
    assert demo.build(store=store, pictures=False) == 0
    assert [model.objects.count() for model in models] == before
    assert Product.objects.get(slug="cast-iron-tawa").name == "Ours"
    demo.build(store=other_store, pictures=False)
    assert Product.objects.filter(store=other_store, visible=True).count() == len(demo.GOODS)


def test_pictures_are_files_of_four_sizes_made_once(store: Any, get: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "GOODS", demo.GOODS[:2])
    demo.build(store=store)
    shown = assert_matches("get-product-detail", get("/catalog/products/block-print-kurta"))["product"]
    assert len(shown["images"]) == 3
    for variant in shown["variants"]:
        colour = variant["associated_options"]["colour"]["value"]["name"].lower()
        assert [image["title"] for image in variant["images"]] == [f"Block-print kurta, {colour}"]
    address = shown["images"][0]["url_standard"]
    assert address.startswith("http://testserver/media/catalog/demo/")
    with default_storage.open(address.removeprefix("http://testserver/media/")) as file:
        assert Image.open(file).size == (800, 800)
    files = set(default_storage.listdir("catalog/demo")[1])
    monkeypatch.setattr(demo, "picture", None)
    ProductImage.objects.all().delete()
    demo.build(store=store)
    assert ProductImage.objects.count() == 6
    assert set(default_storage.listdir("catalog/demo")[1]) == files


def test_synthetic_products_fill_a_store_up_to_a_number(store: Any, get: Any) -> None:
    told: list[int] = []
    assert demo.build_many(store=store, count=40, progress=told.append) == 40
    assert demo.build_many(store=store, count=40) == 0
    assert told == [40]
    content = assert_matches("list-products", get("/catalog/products?limit=40"))
    assert content["pagination"]["total_records"] == 40
    assert {len(product["variants"]) for product in content["products"]} == {0, 3}
    for item in get("/catalog/skus?limit=5").json()["content"]["skus"]:
        assert_component("Item", item)


def test_shops_where_goods_are_collected_have_some_of_them(store: Any) -> None:
    demo.build(store=store, pictures=False)
    shops = [StockLocation.objects.create(store=store, name=name, can_collect=True) for name in ("Fort", "Bandra")]
    StockLocation.objects.create(store=store, name="Yard")
    demo.spread(store=store)
    before = list(LocationStock.objects.order_by("pk").values_list("pk", "on_hand"))
    demo.spread(store=store)
    assert list(LocationStock.objects.order_by("pk").values_list("pk", "on_hand")) == before
    for shop in shops:
        assert LocationStock.objects.filter(location=shop, on_hand__gt=0).count() > 10
    assert not LocationStock.objects.filter(location__name="Yard").exists()
    assert not list(audit.mismatches())
    assert not Product.objects.filter(type="physical", weight=0).exists()
