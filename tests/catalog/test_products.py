"""Lists and details of products and variants: shapes, visibility, paging, filters, cost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from catalog import services
from catalog.models import (
    Attribute,
    AttributeChoice,
    BundleItem,
    Price,
    Product,
    ProductAttribute,
    ProductImage,
    ProductLink,
    Stock,
    Variant,
    VariantChoice,
)
from tests.catalog.factories import choose, make_category, make_group, make_price, make_product, variants_of
from tests.contract import assert_is_error, assert_matches

pytestmark = pytest.mark.django_db


def publish(product: Product) -> None:
    services.publish(store=product.store, product_ids=[product.pk])


def names(response: Any) -> list[str]:
    return [product["name"] for product in assert_matches("list-products", response)["products"]]


# --- shapes ---------------------------------------------------------------------------------------------------------
def test_a_standalone_product_is_its_own_sku(store: Any, get: Any) -> None:
    make_product(store, name="Brass diya", slug="brass-diya", sku="DIYA", on_hand=3)
    (product,) = assert_matches("list-products", get("/catalog/products"))["products"]
    assert (product["sku"], product["has_variant"], product["variants"], product["variant_options"]) == (
        "DIYA",
        False,
        [],
        None,
    )
    assert product["stock_available"] is True and product["backorder"] is False
    assert product["tags"] is None and product["bundle_items"] == []


def test_a_product_with_variants_shows_the_default_ones_price_and_every_option(store: Any, get: Any) -> None:
    product = make_product(store, sku="KURTA", variants=("S", "M"), price="900")
    small, medium = variants_of(product)
    indigo = choose(store, "Colour", "Indigo", hexcode="#27408B")
    VariantChoice.objects.create(store=store, variant=medium, attribute=indigo.attribute, choice=indigo)
    Variant.objects.filter(pk=medium.pk).update(is_default=True)
    Price.objects.filter(variant=medium).update(selling_price=800)
    Stock.objects.filter(variant=small).update(on_hand=0)
    publish(product)

    shown = assert_matches("get-product-detail", get(f"/catalog/products/{product.slug}"))["product"]
    assert shown["sku"] is None and shown["has_variant"] is True
    assert shown["pricing"]["selling_price"] == 800
    assert shown["stock_available"] is True
    assert [variant["sku"] for variant in shown["variants"]] == ["KURTA-S", "KURTA-M"]
    assert [variant["is_default"] for variant in shown["variants"]] == [False, True]
    assert [variant["stock_available"] for variant in shown["variants"]] == [False, True]
    assert [variant["name"] for variant in shown["variants"]] == ["S", "Indigo, M"]
    assert shown["variants"][1]["associated_options"] == {
        "colour": {"name": "Colour", "type": "color", "value": {"name": "Indigo", "hexcode": "#27408B"}},
        "size": {"name": "Size", "type": "single-select", "value": "M"},
    }
    assert shown["variant_options"] == [
        {"name": "Colour", "key": "colour", "type": "color", "value": [{"name": "Indigo", "hexcode": "#27408B"}]},
        {"name": "Size", "key": "size", "type": "single-select", "value": ["M", "S"]},
    ]


def test_detail_carries_what_the_list_leaves_out(store: Any, get: Any) -> None:
    other = make_product(store)
    product = make_product(
        store,
        description="<p>Hand-thrown.</p>",
        hsn_code="6912",
        seo_title="Mug",
        seo_keywords=["mug"],
        metadata={"kiln": 7},
        tags=["new"],
        prices={"handling_charge": 20, "handling_tax_rate": 18},
    )
    ProductLink.objects.create(store=store, product=product, kind="up-sell", target=other)
    publish(product)
    shown = assert_matches("get-product-detail", get(f"/catalog/products/{product.pk}"))["product"]
    assert shown["description"] == "<p>Hand-thrown.</p>" and shown["hsn_code"] == "6912"
    assert shown["seo"] == {"title": "Mug", "description": None, "keywords": ["mug"]}
    assert shown["metadata"] == {"kiln": "7"}
    assert shown["upselling_product_ids"] == [other.pk] and shown["crossselling_product_ids"] == []
    assert shown["shipping"] == {
        "handling_charges_including_tax": 23.6,
        "handling_charges_excluding_tax": 20,
        "tax_type": "GST",
        "tax_rate": 18,
    }
    assert "description" not in assert_matches("list-products", get("/catalog/products"))["products"][0]


def test_every_type_of_attribute_is_shown_in_its_shape(store: Any, get: Any) -> None:
    product = make_product(store)
    values: dict[str, Any] = {"text": "Cotton", "date": "2026-11-01", "number": 1.5, "boolean": False}
    for order, kind in enumerate(Attribute.Type.values):
        attribute = Attribute.objects.create(store=store, name=kind.title(), key=kind.replace("-", "_"), type=kind)
        fact = ProductAttribute(
            store=store, product=product, attribute=attribute, value=values.get(kind), sort_order=order
        )
        fact.full_clean()
        fact.save()
        if kind in Attribute.OF_CHOICES:
            fact.choices.add(
                *(
                    AttributeChoice.objects.create(
                        store=store, attribute=attribute, name=name, hexcode="#112233", sort_order=place
                    )
                    for place, name in enumerate(("A", "B")[: 1 if kind == "single-select" else 2])
                )
            )
    publish(product)
    shown = assert_matches("get-product-detail", get(f"/catalog/products/{product.pk}"))["product"]
    assert {fact["type"]: fact["value"] for fact in shown["attributes"]} == {
        "color": [{"name": "A", "hexcode": "#112233"}, {"name": "B", "hexcode": "#112233"}],
        "single-select": "A",
        "multi-select": ["A", "B"],
        "text": "Cotton",
        "date": "2026-11-01T00:00:00Z",
        "number": 1.5,
        "boolean": False,
    }


def test_a_variants_own_attributes_stand_before_the_products(store: Any, get: Any) -> None:
    product = make_product(store, variants=("S",))
    weight = Attribute.objects.create(store=store, name="Weight", key="weight", type="number")
    ProductAttribute.objects.create(store=store, product=product, attribute=weight, value=100)
    ProductAttribute.objects.create(
        store=store, product=product, variant=variants_of(product)[0], attribute=weight, value=80
    )
    publish(product)
    path = f"/catalog/products/{product.slug}/variants/{product.slug}-s"
    variant = assert_matches("get-variant-detail", get(path))["variant"]
    assert [fact["value"] for fact in variant["product_attributes"]] == [100]
    assert [fact["value"] for fact in variant["variant_attributes"]] == [80]
    (item,) = assert_matches("list-skus", get("/catalog/skus"))["skus"]
    assert [fact["value"] for fact in item["attributes"]] == [80]


def test_pictures_have_absolute_addresses_and_variants_show_their_own_first(store: Any, get: Any) -> None:
    product = make_product(store, variants=("S", "M"))
    small, _medium = variants_of(product)
    renditions = {size: f"catalog/{size}.webp" for size in ("tiny", "thumbnail", "standard", "zoom")}
    ProductImage.objects.create(store=store, product=product, renditions=renditions, title="All")
    tied = ProductImage.objects.create(
        store=store, product=product, url="https://cdn.example/s.jpg", title="Small", sort_order=1
    )
    tied.variants.add(small)
    publish(product)
    shown = assert_matches("get-product-detail", get(f"/catalog/products/{product.pk}"))["product"]
    assert [image["title"] for image in shown["images"]] == ["All", "Small"]
    assert shown["images"][0]["url_tiny"] == "http://testserver/media/catalog/tiny.webp"
    assert shown["images"][1]["url_zoom"] == "https://cdn.example/s.jpg"
    assert [[image["title"] for image in variant["images"]] for variant in shown["variants"]] == [
        ["Small", "All"],
        ["All"],
    ]


def test_a_public_address_in_the_settings_replaces_the_hosts(store: Any, get: Any, configure: Any) -> None:
    product = make_product(store)
    renditions = {size: f"{size}.webp" for size in ("tiny", "thumbnail", "standard", "zoom")}
    ProductImage.objects.create(store=store, product=product, renditions=renditions)
    publish(product)
    configure(PUBLIC_URL="https://shop.example/")
    shown = get(f"/catalog/products/{product.pk}").json()["content"]["product"]
    assert shown["images"][0]["url_tiny"] == "https://shop.example/media/tiny.webp"


def test_a_bundle_shows_its_components_and_is_there_as_often_as_the_scarcest(store: Any, get: Any) -> None:
    cup, pot = make_product(store, name="Cup", sku="CUP", on_hand=7), make_product(store, name="Pot", on_hand=9)
    bundle = make_product(store, name="Tea set", type="bundle")
    BundleItem.objects.create(store=store, bundle=bundle, component_id=cup.pk, quantity=6)
    BundleItem.objects.create(store=store, bundle=bundle, component_id=pot.pk, sort_order=1)
    shown = assert_matches("get-product-detail", get(f"/catalog/products/{bundle.slug}"))["product"]
    assert [(item["product_name"], item["quantity"]) for item in shown["bundle_items"]] == [("Cup", 6), ("Pot", 1)]
    assert shown["stock_available"] is True
    Stock.objects.filter(variant=cup.pk).update(on_hand=5)
    by_name = {
        product["name"]: product for product in assert_matches("list-products", get("/catalog/products"))["products"]
    }
    assert by_name["Tea set"]["stock_available"] is False
    assert len(by_name["Tea set"]["bundle_items"]) == 2


def test_lots_are_listed_only_when_asked_for(store: Any, get: Any) -> None:
    product = make_product(store, variants=("S",))
    for path, operation in (
        ("/catalog/products", "list-products"),
        ("/catalog/skus", "list-skus"),
        (f"/catalog/products/{product.pk}", "get-product-detail"),
        (f"/catalog/products/{product.pk}/variants", "list-product-variants"),
    ):
        assert b'"inventory"' not in get(path).content
        response = get(f"{path}?inventory=true")
        assert_matches(operation, response)
        assert b'"inventory":[]' in response.content
    assert_is_error(get("/catalog/products?inventory=maybe"), 400, field="inventory")


# --- who sees what --------------------------------------------------------------------------------------------------
def test_a_token_or_the_key_is_needed(store: Any, api: Any) -> None:
    make_product(store)
    assert_is_error(api.get("/catalog/products"), 401, "unauthorized")
    assert_is_error(api.get("/catalog/products", X_Api_Key="pk_wrong"), 401, "unauthorized")


@pytest.mark.parametrize("change", ["product inactive", "variant inactive", "no price"])
def test_what_cannot_be_sold_is_in_no_list_and_not_found(store: Any, get: Any, change: str) -> None:
    product = make_product(store)
    if change == "product inactive":
        Product.objects.filter(pk=product.pk).update(active=False)
    elif change == "variant inactive":
        Variant.objects.filter(pk=product.pk).update(active=False)
    else:
        Price.objects.all().delete()
    publish(product)
    assert names(get("/catalog/products")) == []
    assert assert_matches("list-skus", get("/catalog/skus"))["skus"] == []
    for path in ("", "/variants"):
        for reference in (product.pk, product.slug):
            assert_is_error(get(f"/catalog/products/{reference}{path}"), 404, "product_not_found")


def test_an_inactive_variant_is_left_out_with_its_options(store: Any, get: Any) -> None:
    product = make_product(store, variants=("S", "M"))
    small, medium = variants_of(product)
    Variant.objects.filter(pk=small.pk).update(active=False)
    publish(product)
    shown = assert_matches("get-product-detail", get(f"/catalog/products/{product.pk}"))["product"]
    assert [variant["id"] for variant in shown["variants"]] == [medium.pk]
    assert shown["variant_options"][0]["value"] == ["M"]
    assert shown["variants"][0]["is_default"] is True
    assert_is_error(get(f"/catalog/products/{product.pk}/variants/{small.pk}"), 404, "variant_not_found")


def test_another_stores_products_are_not_found(store: Any, other_store: Any, get: Any, new_api: Any) -> None:
    mine, theirs = make_product(store, name="Mine"), make_product(other_store, name="Theirs", variants=("S",))
    assert names(get("/catalog/products")) == ["Mine"]
    variant = variants_of(theirs)[0]
    assert_is_error(get(f"/catalog/products/{theirs.pk}"), 404)
    assert_is_error(get(f"/catalog/products/{theirs.pk}/variants/{variant.pk}"), 404)
    assert_is_error(get(f"/catalog/products/{mine.pk}/variants/{variant.pk}"), 404)
    assert_is_error(get("/catalog/products", X_Api_Key=new_api(other_store).key), 401)


def test_the_standalone_variant_has_no_address(store: Any, get: Any) -> None:
    product = make_product(store)
    assert assert_matches("list-product-variants", get(f"/catalog/products/{product.pk}/variants"))["variants"] == []
    assert_is_error(get(f"/catalog/products/{product.pk}/variants/{product.pk}"), 404, "variant_not_found")


# --- prices of groups -----------------------------------------------------------------------------------------------
def price_shown(response: Any) -> float:
    return float(assert_matches("list-products", response)["products"][0]["pricing"]["selling_price"])


def test_prices_are_the_asked_groups_then_the_defaults_then_the_highest(store: Any, other_store: Any, get: Any) -> None:
    wholesale, club, theirs = make_group(store), make_group(store, "Club"), make_group(other_store, "Theirs")
    product = make_product(store, price="100")
    variant = variants_of(product)[0]
    make_price(variant, wholesale, "80")
    asked = {"x_customer_group_id": wholesale.pk}
    assert price_shown(get("/catalog/products", **asked)) == 80
    assert price_shown(get("/catalog/products")) == 100
    for unknown in (club.pk, theirs.pk, "nonsense"):
        assert price_shown(get("/catalog/products", x_customer_group_id=unknown)) == 100
    Price.objects.filter(variant=variant).exclude(group=wholesale).delete()
    make_price(variant, club, "120")
    assert price_shown(get("/catalog/products")) == 120
    assert price_shown(get("/catalog/products", **asked)) == 80


@pytest.mark.parametrize(
    ("including", "selling", "rate", "excluding"),
    [(True, "105", 5, 100), (True, "99.99", 18, 84.74), (False, "99.99", 18, 99.99), (True, "1", 0, 1)],
)
def test_the_price_without_tax_is_always_given(
    store: Any, get: Any, including: bool, selling: str, rate: int, excluding: float
) -> None:
    make_product(store, price=selling, prices={"tax_rate": rate, "price_including_tax": including})
    pricing = assert_matches("list-products", get("/catalog/products"))["products"][0]["pricing"]
    assert pricing["selling_price_excluding_tax"] == excluding
    assert pricing["price_including_tax"] is including and pricing["tax_rate"] == rate


def test_price_and_stock_are_read_live(store: Any, get: Any) -> None:
    product = make_product(store, price="100", on_hand=1)
    Price.objects.update(selling_price="90.5", max_quantity=5)
    Stock.objects.update(reserved=1)
    shown = assert_matches("get-product-detail", get(f"/catalog/products/{product.pk}"))["product"]
    assert shown["pricing"]["selling_price"] == 90.5 and shown["pricing"]["max_order_quantity"] == 5
    assert shown["stock_available"] is False
    Stock.objects.update(backorder=True)
    shown = assert_matches("get-product-detail", get(f"/catalog/products/{product.pk}"))["product"]
    assert (shown["stock_available"], shown["backorder"]) == (False, True)


# --- lists ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def five(store: Any) -> list[Product]:
    now = timezone.now()
    return [
        make_product(store, name=f"N{number}", sku=f"SKU-{number}", created_at=now - timedelta(days=number))
        for number in range(5)
    ]


@pytest.mark.parametrize(
    ("asked", "shown", "previous", "following"),
    [
        ("limit=2", ["N0", "N1"], None, 2),
        ("limit=2&page=2", ["N2", "N3"], 1, 3),
        ("limit=2&page=3", ["N4"], 2, None),
        ("limit=2&page=9", [], 3, None),
        ("limit=100", ["N0", "N1", "N2", "N3", "N4"], None, None),
    ],
)
@pytest.mark.usefixtures("five")
def test_lists_are_paged_newest_first(
    get: Any, asked: str, shown: list[str], previous: int | None, following: int | None
) -> None:
    content = assert_matches("list-products", get(f"/catalog/products?{asked}"))
    assert [product["name"] for product in content["products"]] == shown
    assert content["pagination"]["total_records"] == 5
    assert (content["pagination"]["previous_page"], content["pagination"]["next_page"]) == (previous, following)
    skus = assert_matches("list-skus", get(f"/catalog/skus?{asked}"))
    assert skus["pagination"] == content["pagination"]
    assert len(skus["skus"]) == len(shown)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("limit=101", "limit"),
        ("limit=0", "limit"),
        ("page=0", "page"),
        ("page=x", "page"),
        ("sort_by=name", "sort_by"),
        ('sort_by={"price":"asc"}', "sort_by"),
        ("product_type=service", "product_type"),
    ],
)
@pytest.mark.parametrize("path", ["products", "skus"])
def test_a_question_that_makes_no_sense_is_refused_by_name(
    store: Any, get: Any, path: str, asked: str, field: str
) -> None:
    assert_is_error(get(f"/catalog/{path}?{asked}"), 400, field=field)


@pytest.mark.usefixtures("five")
def test_lists_can_be_sorted(get: Any) -> None:
    assert names(get('/catalog/products?sort_by={"name":"desc"}')) == ["N4", "N3", "N2", "N1", "N0"]
    assert names(get('/catalog/products?sort_by={"created_at":"asc"}'))[0] == "N4"
    skus = assert_matches("list-skus", get('/catalog/skus?sort_by={"name":"desc"}'))["skus"]
    assert skus[0]["product_name"] == "N4"


def test_filters_by_category_take_its_branches_type_and_sku(store: Any, get: Any) -> None:
    tea = make_category(store, "Tea")
    green = make_category(store, "Green", tea)
    make_product(store, name="Green tea", categories=(green,), sku="G")
    make_product(store, name="Tea voucher", categories=(tea, green), type="digital", sku="V")
    make_product(store, name="Mug", sku="M")
    ask = "/catalog/products?"
    assert set(names(get(f"{ask}category_id={tea.pk}"))) == {"Green tea", "Tea voucher"}
    assert set(names(get(f"{ask}category_id[]={green.pk}&category_id[]={tea.pk}"))) == {"Green tea", "Tea voucher"}
    assert set(names(get(f"{ask}category_slug=green"))) == {"Green tea", "Tea voucher"}
    assert names(get(f"{ask}category_slug=green&product_type=digital,bundle")) == ["Tea voucher"]
    assert names(get(f"{ask}category_slug=unknown")) == []
    skus = assert_matches("list-skus", get("/catalog/skus?sku=G&sku=M"))["skus"]
    assert {item["sku"] for item in skus} == {"G", "M"}
    skus = assert_matches("list-skus", get(f"/catalog/skus?category_id={tea.pk}&product_type=physical"))["skus"]
    assert [(item["sku"], item["category_ids"]) for item in skus] == [("G", [green.pk])]


# --- cost -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [2, 40])
def test_statements_do_not_grow_with_the_list(
    store: Any, get: Any, count: int, django_assert_max_num_queries: Any
) -> None:
    category = make_category(store)
    part = make_product(store)
    for number in range(count):
        product = make_product(store, categories=(category,), variants=("S", "M") if number % 2 else ())
    bundle = make_product(store, type="bundle", categories=(category,))
    BundleItem.objects.create(store=store, bundle=bundle, component_id=part.pk)
    for path, budget in (
        (f"/catalog/products?limit=100&category_id={category.pk}", 3),
        (f"/catalog/products/{bundle.slug}", 4),
        (f"/catalog/products/{product.pk}", 4),
        (f"/catalog/products/{product.pk}/variants", 2),
        ("/catalog/skus?limit=100", 1),
        ("/catalog/categories", 0),
    ):
        get(path)  # store, key, groups and categories are in memory from here on
        with django_assert_max_num_queries(budget):
            assert get(path).status_code == 200
