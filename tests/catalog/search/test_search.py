"""`POST /catalog/products/search` over the database's own index, as clients meet it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog import services
from catalog.models import Attribute, Brand, BundleItem, Price, Product, ProductAttribute, Stock, Variant
from catalog.search import database
from catalog.search.models import SearchEntry
from storefront import selectors as kernel
from tests.catalog.factories import (
    choose,
    make_category,
    make_group,
    make_price,
    make_product,
    variants_of,
)
from tests.contract import assert_is_error, assert_matches

pytestmark = pytest.mark.django_db


def say(product: Product, **facts: Any) -> None:
    """Attributes of a product: numbers, truths, texts, and lists as entries of a list."""
    store = product.store
    for key, value in facts.items():
        kind = Attribute.Type.TEXT
        if isinstance(value, bool):
            kind = Attribute.Type.BOOLEAN
        elif isinstance(value, int | float):
            kind = Attribute.Type.NUMBER
        elif isinstance(value, list):
            kind = Attribute.Type.MULTIPLE
        attribute, _new = Attribute.objects.get_or_create(
            store=store, key=key, defaults={"name": key.title(), "type": kind}
        )
        row = ProductAttribute.objects.create(store=store, product=product, attribute=attribute)
        if isinstance(value, list):
            row.choices.set([choose(store, key, name) for name in value])
        else:
            row.value = value
            row.save()
    services.publish(store=store, product_ids=[product.pk])


# --- text -----------------------------------------------------------------------------------------------------------
def test_without_words_everything_is_found_newest_first(store: Any, search: Any, names: Any) -> None:
    for name in ("Oldest", "Middle", "Newest"):
        make_product(store, name=name)
    found = search()
    assert [item["product_name"] for item in found["skus"]] == ["Newest", "Middle", "Oldest"]
    assert found["pagination"] == {
        "total_records": 3,
        "total_pages": 1,
        "previous_page": None,
        "next_page": None,
        "limit": 25,
    }
    assert found["facet_distribution"] == found["facet_stats"] == {}
    assert names("  !? ") == ["Newest", "Middle", "Oldest"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("kurta", ["Crème Silk Kurtas"]),
        ("KURTA", ["Crème Silk Kurtas"]),
        ("creme", ["Crème Silk Kurtas"]),
        ("crème kurtas", ["Crème Silk Kurtas"]),
        ("kur", ["Crème Silk Kurtas"]),
        ("silk k", ["Crème Silk Kurtas"]),
        ("kutra", ["Crème Silk Kurtas"]),
        ("selk", ["Crème Silk Kurtas"]),
        ("kurtaa silk", ["Crème Silk Kurtas"]),
        ("run", ["Running Shoes"]),
        ("runing shoe", ["Running Shoes"]),
        ("organi", ["Organic Tea"]),
        ("the tea", ["Organic Tea"]),
        ("breakfast", ["Organic Tea"]),
        ("nothing like it", []),
        ("'; DROP TABLE --", []),
        ('silk" OR name:*', ["Crème Silk Kurtas"]),
        ("कुर्ता", ["कुर्ता नीला"]),
    ],
)
def test_words_are_found_as_people_type_them(store: Any, names: Any, query: str, found: list[str]) -> None:
    make_product(store, name="Crème Silk Kurtas")
    make_product(store, name="Running Shoes")
    make_product(store, name="Organic Tea", description="<p>For a slow <b>breakfast</b>.</p>")
    make_product(store, name="कुर्ता नीला")
    assert names(query) == found


def test_a_name_counts_more_than_tags_and_these_more_than_a_description(store: Any, names: Any) -> None:
    make_product(store, name="Linen Shirt")
    make_product(store, name="Apron", tags=["linen"])
    make_product(store, name="Soap", description="Wash your linen with it. Linen, linen, linen!")
    assert names("linen") == ["Linen Shirt", "Apron", "Soap"]


def test_an_exact_sku_comes_first(store: Any, names: Any) -> None:
    make_product(store, name="The very one", sku="TEA-7")
    make_product(store, name="Tea 7")
    make_product(store, name="Tea 7 Tea 7 Tea 7")
    assert names("tea-7")[0] == "The very one"


def test_only_ten_words_count(store: Any, names: Any) -> None:
    make_product(store, name="one two three four five six seven eight nine ten")
    query = "one two three four five six seven eight nine ten"
    assert len(names(query)) == len(names(f"{query} eleven")) == 1


def test_entries_with_some_of_the_words_are_found_when_none_has_all(store: Any, names: Any) -> None:
    make_product(store, name="Green Tea")
    make_product(store, name="Black Tea")
    assert names("green tea") == ["Green Tea"]
    assert names("green umbrella") == ["Green Tea"]


def test_brands_categories_and_attributes_are_words_too(store: Any, names: Any) -> None:
    above = make_category(store, "Drinks")
    below = make_category(store, "Oolong", parent=above)
    brand = Brand.objects.create(store=store, name="Himalaya House", slug="himalaya")
    product = make_product(store, name="Number 9", brand=brand, categories=(below,))
    say(product, taste=["Malty"])
    for query in ("oolong", "drinks", "himalaya", "malty"):
        assert names(query) == ["Number 9"], query


# --- filters --------------------------------------------------------------------------------------------------------
@pytest.fixture
def shelf(store: Any) -> None:
    """Three products that differ in all that can be filtered."""
    clothes = make_category(store, "Clothes")
    shirts = make_category(store, "T Shirts", parent=clothes)
    plain = make_product(
        store, name="Plain Shirt", sku="PLAIN", price="100", categories=(shirts,), tags=["Summer", "sale"], on_hand=0
    )
    say(plain, material=["Cotton"], weight=200, washable=True)
    sized = make_product(
        store, name="Sized Shirt", sku="SIZED", price="250.50", categories=(clothes,), variants=("S", "M")
    )
    say(sized, material=["Cotton", "Linen"], weight=350.5)
    Product.objects.filter(pk=sized.pk).update(reviews_count=2, reviews_rating_sum=Decimal("9.0"))
    services.publish(store=store, product_ids=[sized.pk])
    song = make_product(store, name="O'Neill \\ Song", price="9", type="digital")
    say(song, released="2024-05-01", number="7")


P, S, M, D = "Plain Shirt ", "Sized Shirt S", "Sized Shirt M", "O'Neill \\ Song "
FILTERS: dict[str, set[str]] = {
    "product_type = physical": {P, S, M},
    "product_type = PHYSICAL": {P, S, M},
    "product_type != physical": {D},
    "product_type IN [digital, bundle]": {D},
    "product_type NOT IN [digital, bundle]": {P, S, M},
    "product_type IN []": set(),
    "categories.name = 't shirts'": {P},
    "categories.name = Clothes": {P, S, M},
    "categories.name EXISTS": {P, S, M},
    "categories.name IS EMPTY": {D},
    "categories.name = Nowhere": set(),
    "categories.name != Clothes": {D},
    "categories.slug = clothes": {P, S, M},
    "tags = summer": {P},
    "tags IN [sale, other]": {P},
    "tags IS EMPTY": {S, M, D},
    "tags IS NOT EMPTY": {P},
    "attribute.material = cotton": {P, S, M},
    "attributes.material = Linen": {S, M},
    "attribute.material = Linen AND attribute.material = Cotton": {S, M},
    "attribute.size = s": {S},
    "attribute.weight > 200": {S, M},
    "attribute.weight >= 200": {P, S, M},
    "attribute.weight = 200.0": {P},
    "attribute.weight 100 TO 300": {P},
    "attribute.weight EXISTS": {P, S, M},
    "attribute.weight NOT EXISTS": {D},
    "attribute.weight IS NULL": {D},
    "attribute.weight IS NOT NULL": {P, S, M},
    "attribute.washable = true": {P},
    "attributes.key = weight": {P, S, M},
    "attributes.key IN [size, washable]": {P, S, M},
    "pricing.selling_price < 100": {D},
    "pricing.selling_price <= 100": {P, D},
    "pricing.selling_price = 250.5": {S, M},
    "pricing.selling_price 100 TO 250.50": {P, S, M},
    "pricing.selling_price IN [9, 100]": {P, D},
    "pricing.listing_price > 99": {P, S, M},
    "pricing.tax_rate = 5": {P, S, M, D},
    "rating > 4": {S, M},
    "rating EXISTS": {S, M},
    "NOT rating > 4": {P, D},
    "rating IS NULL": {P, D},
    "product_name = 'plain shirt'": {P},
    "product_name IN ['Plain Shirt', 'Sized Shirt']": {P, S, M},
    r"product_name = 'O\'Neill \\ Song'": {D},
    "variant_name = m": {M},
    "variant_name NOT EXISTS": {P, D},
    "variant_id IS NULL": {P, D},
    "variant_id IS NOT NULL": {S, M},
    "sku = sized-m": {M},
    "sku != sized-m": {P, S, D},
    "sku IS EMPTY": {D},
    "stock_available = true": {S, M, D},
    "stock_available = false": {P},
    "stock_available IN [true, false]": {P, S, M, D},
    "NOT (product_type = digital OR tags = summer)": {S, M},
    "product_type = digital OR tags = summer AND sku = PLAIN": {P, D},
    "(product_type = digital OR tags = summer) AND sku = PLAIN": {P},
}


def test_every_operator_on_every_attribute(shelf: Any, search: Any) -> None:
    for text, wanted in FILTERS.items():
        items = search(filter=text, limit=100)["skus"]
        found = {f"{item['product_name']} {item['variant_name'] or ''}" for item in items}
        assert found == wanted, text


def test_ids_and_dates_are_filtered(shelf: Any, names: Any, store: Any) -> None:
    product = Product.objects.get(name="Sized Shirt")
    second = variants_of(product)[1]
    assert names(filter=f"product_id = {product.pk}") == ["Sized Shirt", "Sized Shirt"]
    assert names(filter=f"variant_id IN [{second.pk}]") == ["Sized Shirt"]
    Attribute.objects.filter(key="released").update(type="date")
    song = Product.objects.get(type="digital")
    services.publish(store=store, product_ids=[song.pk])
    assert names(filter="attribute.released > 2024-01-01") == [song.name]
    assert names(filter="attribute.released < 2024-01-01") == []


def test_lists_of_filters(shelf: Any, names: Any) -> None:
    assert names(filter=["tags = summer", ["product_type = digital", "sku = PLAIN"]]) == ["Plain Shirt"]
    assert names(filter=[["product_type = digital", "sku = PLAIN"]]) == ["O'Neill \\ Song", "Plain Shirt"]
    assert names("shirt", filter=["product_type = digital"]) == []


@pytest.mark.parametrize(
    ("condition", "field", "words"),
    [
        ("colour = red", "filter", ["colour", "character 1)"]),
        ("sku = x AND attribute.nothing = 1", "filter", ["attribute.nothing", "character 13)"]),
        (
            ["sku = x", ["rating > 1", "pricing.selling_price > cheap"]],
            "filter.1.1",
            ["pricing.selling_price", "number"],
        ),
        ("stock_available = maybe", "filter", ["true or false"]),
        ("sku > 3", "filter", ["sku"]),
        ("attribute.material > soft", "filter", ["character 1)"]),
        ("rating = nan", "filter", ["rating"]),
        ("rating = 1e999999", "filter", ["rating"]),
        ("rating = 4_0", "filter", ["rating"]),
        ("a = ((", "filter", ["character 5)"]),
        ({}, "filter", []),
    ],
)
def test_a_bad_filter_is_named_with_its_place(
    shelf: Any, refused: Any, condition: Any, field: str, words: list[str]
) -> None:
    body = refused("invalid_filter", field, filter=condition)
    for word in words:
        assert word in body["message"]


def test_other_bad_input_is_named(store: Any, refused: Any, api: Any) -> None:
    make_product(store)
    refused("validation_error", "limit", limit=101)
    refused("validation_error", "limit", limit=0)
    refused("validation_error", "page", page=0)
    refused("validation_error", "page", page=1.5)
    refused("validation_error", "page", page="1")
    refused("validation_error", "sort.1", sort=["name:asc", "colour:asc"])
    refused("validation_error", "sort.0", sort=["name"])
    refused("validation_error", "facets.0", facets=["colour"])
    refused("validation_error", "facets.0", facets=["attribute.nothing"])
    refused("validation_error", "facets", facets="tags")
    refused("validation_error", "query", query={})
    assert_is_error(api.post("/catalog/products/search", {"query": ""}), 401)


# --- order, pages, prices -------------------------------------------------------------------------------------------
def test_results_are_sorted_as_asked(shelf: Any, names: Any) -> None:
    assert names(sort=["selling_price:asc"], filter="variant_name NOT EXISTS OR variant_name = S") == [
        "O'Neill \\ Song",
        "Plain Shirt",
        "Sized Shirt",
    ]
    assert names(sort=["pricing.selling_price:desc"])[-1] == "O'Neill \\ Song"
    assert names(sort=["name:asc"])[0] == "O'Neill \\ Song"
    assert names(sort=["name:desc"])[0] == "Sized Shirt"
    assert names(sort=["created_at:asc"])[0] == "Plain Shirt"
    assert names(sort=["rating:asc", "name:asc"])[0] == "Sized Shirt"
    assert names(sort=["rating:desc"])[0] == "Sized Shirt"
    assert names("shirt", sort=["selling_price:desc"])[-1] == "Plain Shirt"


def test_pages_hold_every_sku_once(store: Any, search: Any) -> None:
    for number in range(7):
        make_product(store, name=f"Cup {number}")
    seen: list[str] = []
    for page in (1, 2, 3):
        found = search("cup", page=page, limit=3)
        seen += [item["product_id"] for item in found["skus"]]
        assert found["pagination"]["total_records"] == 7
    assert len(seen) == len(set(seen)) == 7
    past = search("cup", page=9, limit=3)
    assert past["skus"] == [] and past["pagination"]["total_records"] == 7


def test_prices_are_those_that_the_caller_would_see(store: Any, search: Any, names: Any) -> None:
    wholesale = make_group(store)
    cheap = make_product(store, name="Cheaper for some", price="100")
    make_price(variants_of(cheap)[0], wholesale, selling="40")
    make_product(store, name="The same for all", price="80")
    only = make_product(store, name="Without a default price", price=None)
    make_price(variants_of(only)[0], wholesale, selling="60")
    services.publish(store=store, product_ids=[cheap.pk, only.pk])

    assert names(filter="pricing.selling_price < 70") == ["Without a default price"]
    assert names(filter="pricing.selling_price < 70", group=wholesale.pk) == [
        "Without a default price",
        "Cheaper for some",
    ]
    assert names(sort=["selling_price:asc"]) == ["Without a default price", "The same for all", "Cheaper for some"]
    ours = search(sort=["selling_price:asc"], facets=["pricing.selling_price"], group=wholesale.pk)
    assert [item["pricing"]["selling_price"] for item in ours["skus"]] == [40, 60, 80]
    assert ours["facet_distribution"] == {"pricing.selling_price": {"40": 1, "60": 1, "80": 1}}
    assert ours["facet_stats"] == {"pricing.selling_price": {"min": 40, "max": 80}}


# --- facets ---------------------------------------------------------------------------------------------------------
def test_facets_count_what_is_left_after_the_filter(shelf: Any, search: Any) -> None:
    facets = ["product_type", "attribute.material", "attributes.weight", "categories.name", "stock_available", "rating"]
    every = search(facets=facets, limit=1)
    assert every["facet_distribution"] == {
        "product_type": {"physical": 3, "digital": 1},
        "attribute.material": {"Cotton": 3, "Linen": 2},
        "attributes.weight": {"350.5": 2, "200": 1},
        "categories.name": {"Clothes": 3, "T Shirts": 1},
        "stock_available": {"true": 3, "false": 1},
        "rating": {"4.5": 2},
    }
    assert every["facet_stats"] == {
        "attributes.weight": {"min": 200, "max": 350.5},
        "rating": {"min": 4.5, "max": 4.5},
    }
    narrowed = search("shirt", filter="sku = PLAIN", facets=["attribute.material", "tags", "attribute.size"])
    assert narrowed["facet_distribution"] == {
        "attribute.material": {"Cotton": 1},
        "tags": {"Summer": 1, "sale": 1},
        "attribute.size": {},
    }
    assert narrowed["facet_stats"] == {}


def test_a_star_counts_everything(shelf: Any, search: Any) -> None:
    found = search(facets=["*"])
    counts = found["facet_distribution"]
    assert counts["sku"] == {"PLAIN": 1, "SIZED-M": 1, "SIZED-S": 1}
    assert counts["product_name"]["Sized Shirt"] == 2
    assert counts["attribute.size"] == {"M": 1, "S": 1}
    assert counts["attributes.key"]["material"] == 3
    assert len(counts["variant_id"]) == 2
    assert len(counts["product_id"]) == 3
    assert counts["pricing.selling_price"] == {"250.5": 2, "100": 1, "9": 1}
    assert found["facet_stats"]["pricing.tax_rate"] == {"min": 5, "max": 5}
    assert search(facets="*") == found


def test_facets_name_the_most_frequent_hundred(store: Any, search: Any) -> None:
    make_product(store, name="Everything", tags=[f"tag {number}" for number in range(150)])
    make_product(store, name="One", tags=["tag 149"])
    counts = search(facets=["tags"])["facet_distribution"]["tags"]
    assert len(counts) == 100
    assert counts["tag 149"] == 2


def test_facets_that_are_slow_to_count_are_remembered_for_a_moment(
    store: Any, search: Any, monkeypatch: Any, other_store: Any
) -> None:
    make_product(store, name="First", tags=["a"])
    make_product(other_store, name="Theirs", tags=["b"])
    assert search(facets=["tags"])["facet_distribution"]["tags"] == {"a": 1}
    monkeypatch.setattr(database, "SLOW_SECONDS", -1)
    monkeypatch.setattr(kernel, "forget", lambda: None)  # as `search` does between calls
    assert search(facets=["tags"])["facet_distribution"]["tags"] == {"a": 1}
    Product.objects.filter(store=store).update(tags=["c"])
    product = Product.objects.get(store=store)
    services.publish(store=store, product_ids=[product.pk])
    assert search(facets=["tags"])["facet_distribution"]["tags"] == {"a": 1}
    assert search("first", facets=["tags"])["facet_distribution"]["tags"] == {"c": 1}


def test_pages_that_are_slow_to_rank_are_remembered_but_never_what_is_no_longer_sold(
    store: Any, search: Any, monkeypatch: Any
) -> None:
    first, second = make_product(store, name="Lamp one"), make_product(store, name="Lamp two")
    monkeypatch.setattr(database, "SLOW_SECONDS", -1)
    monkeypatch.setattr(kernel, "forget", lambda: None)  # as `search` does between calls
    assert {item["product_id"] for item in search("lamp")["skus"]} == {first.pk, second.pk}
    make_product(store, name="Lamp three")
    Product.objects.filter(pk=second.pk).update(active=False)
    services.publish(store=store, product_ids=[second.pk])
    assert [item["product_id"] for item in search("lamp")["skus"]] == [first.pk]
    assert [item["product_name"] for item in search("lamp", limit=5)["skus"]] == ["Lamp three", "Lamp one"]


# --- what is in the index -------------------------------------------------------------------------------------------
def test_what_is_not_listed_is_not_found(store: Any, names: Any) -> None:
    make_product(store, name="Inactive Lamp", active=False)
    make_product(store, name="Lamp without a price", price=None)
    lamp = make_product(store, name="Lamp", variants=("S", "M"))
    assert names("lamp") == ["Lamp", "Lamp"]
    Variant.objects.filter(pk=variants_of(lamp)[0].pk).update(active=False)
    services.publish(store=store, product_ids=[lamp.pk])
    assert names("lamp") == ["Lamp"]
    Product.objects.filter(pk=lamp.pk).update(active=False)
    services.publish(store=store, product_ids=[lamp.pk])
    assert names("lamp") == []
    assert not SearchEntry.objects.filter(product=lamp).exists()


def test_changes_are_found_at_once(store: Any, names: Any) -> None:
    product = make_product(store, name="Kettle", price="50")
    Product.objects.filter(pk=product.pk).update(name="Teapot")
    services.publish(store=store, product_ids=[product.pk])
    assert names("kettle") == []
    assert names("teapot") == ["Teapot"]
    Price.objects.update(selling_price=Decimal(70))
    services.publish(store=store, product_ids=[product.pk])
    assert names(filter="pricing.selling_price = 70") == ["Teapot"]
    Stock.objects.update(on_hand=0)
    assert names(filter="stock_available = true") == []
    product.refresh_from_db()
    services.delete_product(store=store, product=product)
    assert names("teapot") == []


def test_categories_and_brands_are_found_by_the_names_they_have_now(store: Any, names: Any) -> None:
    above = make_category(store, "Drinks")
    below = make_category(store, "Tea", parent=above)
    brand = Brand.objects.create(store=store, name="Hill House", slug="hill")
    make_product(store, name="Number 9", categories=(below,), brand=brand)
    below.name, below.parent = "Infusions", None
    below.save()
    services.category_changed(store=store, category_id=below.pk)
    kernel.forget()
    Brand.objects.update(name="Valley House")
    services.brand_changed(store=store, brand_id=brand.pk)
    for query in ("infusions", "valley"):
        assert names(query) == ["Number 9"], query
    for query in ("drinks", "hill"):
        assert names(query) == [], query
    assert names(filter="categories.name = infusions AND brand = 'valley house'") == ["Number 9"]
    assert names(filter="categories.name = drinks OR categories.name = tea OR brand = 'hill house'") == []


def test_a_bundle_is_there_while_its_parts_are(store: Any, names: Any) -> None:
    part = make_product(store, name="Cup", on_hand=3)
    bundle = make_product(store, name="Set of two", type="bundle")
    BundleItem.objects.create(store=store, bundle=bundle, component=variants_of(part)[0], quantity=2)
    assert names(filter="stock_available = true AND product_type = bundle") == ["Set of two"]
    Stock.objects.filter(variant=variants_of(part)[0]).update(on_hand=1)
    assert names(filter="stock_available = false") == ["Set of two"]


def test_publishing_the_same_again_writes_no_entry(store: Any) -> None:
    product = make_product(store, name="Cup")
    with CaptureQueriesContext(
        connection,
    ) as asked:
        services.publish(store=store, product_ids=[product.pk])
    written = [query["sql"] for query in asked.captured_queries if "INSERT" in query["sql"].upper()]
    assert not written


def test_stores_do_not_see_each_other(store: Any, other_store: Any, search: Any, names: Any) -> None:
    make_product(store, name="Our Lamp", tags=["ours"])
    theirs = make_product(other_store, name="Their Lamp", tags=["theirs"], sku="THEIRS")
    say(theirs, material=["Brass"], secret=["Yes"])
    assert names() == names("lamp") == ["Our Lamp"]
    assert names("their") == names("brass") == names(filter="tags = theirs") == []
    assert names(filter=f"product_id = {theirs.pk}") == []
    assert names(filter="sku = theirs") == []
    assert search(facets=["tags", "*"])["facet_distribution"]["tags"] == {"ours": 1}


def test_attributes_of_another_store_are_unknown(store: Any, other_store: Any, refused: Any) -> None:
    say(make_product(other_store), secret=["Yes"])
    make_product(store)
    refused("invalid_filter", "filter", filter="attribute.secret = yes")


# --- cost and access ------------------------------------------------------------------------------------------------
def test_queries_do_not_grow_with_what_is_found(store: Any, api: Any) -> None:
    body = {"query": "cup", "facets": ["*"], "filter": "attribute.size = M", "limit": 100, "sort": ["name:asc"]}

    def cost() -> tuple[int, int]:
        api.post("/catalog/products/search", body, X_Api_Key=api.key)  # what is kept in memory is there now
        with CaptureQueriesContext(connection) as asked:
            response = api.post("/catalog/products/search", body, X_Api_Key=api.key)
        return len(asked), len(assert_matches("search-products", response)["skus"])

    make_product(store, name="Cup 1", variants=("S", "M"))
    make_product(store, name="Cup 2", variants=("S", "M"))
    few = cost()
    for number in range(58):
        make_product(store, name=f"Cup {number + 3}", variants=("S", "M"))
    many = cost()
    assert few == (4, 2)  # words, page, facets, items
    assert many == (4, 60)


def test_a_token_will_do(store: Any, api: Any, settings: Any) -> None:
    settings.ROOT_URLCONF = "config.urls"
    make_product(store, name="Cup")
    response = api.become_visitor().post("/catalog/products/search", {"query": "cup"})
    assert len(assert_matches("search-products", response)["skus"]) == 1


def test_missing_and_null_inputs_are_defaults(store: Any, api: Any) -> None:
    make_product(store, name="Cup")
    for body in ({}, {"query": None, "limit": None, "filter": None, "facets": None, "sort": None}):
        response = api.post("/catalog/products/search", body, X_Api_Key=api.key)
        assert assert_matches("search-products", response)["pagination"]["total_records"] == 1


def test_items_are_those_of_the_catalogue(store: Any, search: Any, api: Any) -> None:
    kernel.forget()
    make_product(store, name="Cup", variants=("S", "M"), sku="CUP")
    listed = api.get("/catalog/skus", X_Api_Key=api.key).json()["content"]["skus"]
    assert search("cup")["skus"] == listed


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("किताब", ["हिंदी किताब"]), ("किता", ["हिंदी किताब"]), ("हिन्दी", ["हिंदी किताब"]), ("काला", ["काला चश्मा"]),
        ("हिन", ["हिंदी किताब"]), ("हिन्", ["हिंदी किताब"]), ("हिन्द", ["हिंदी किताब"]), ("कलम", []),
        ("कला", []), ("चांद", ["चाँद"]), ("अखबार", ["अख़बार"]), ("क्षमा", ["क्\u200dषमा"]), ("தேநீ", ["தேநீர் கோப்பை"]),
        ("চায়ের", ["চায়ের কাপ"]), ("ಕಾಫಿ", ["ಕಾಫಿ ಪುಡಿ"]), ("పుస్తకం", ["తెలుగు పుస్తకం"]), ("പുസ്തകം", ["മലയാളം പുസ്തകം"]),
        ("ชา", ["สวัสดี ชา"]), ("الشاي", ["الشاي الأخضر"]),
    ],
)  # fmt: skip
def test_words_of_other_scripts_are_found_whole_and_half_typed(
    store: Any, names: Any, query: str, found: list[str]
) -> None:
    for name in (
        "हिंदी किताब", "काला चश्मा", "कल का", "चाँद", "अख़बार", "क्\u200dषमा", "தேநீர் கோப்பை", "চায়ের কাপ", "ಕಾಫಿ ಪುಡಿ",
        "తెలుగు పుస్తకం", "മലയാളം പുസ്തകം", "สวัสดี ชา", "الشاي الأخضر",
    ):  # fmt: skip
        make_product(store, name=name)
    assert names(query) == found


def test_a_hidden_brand_is_no_facet_and_no_word(store: Any, search: Any, names: Any) -> None:
    product = make_product(store, name="Cup")
    brand = Brand.objects.create(store=store, name="Hillside", slug="hillside")
    Product.objects.filter(pk=product.pk).update(brand=brand)
    services.brand_changed(store=store, brand_id=brand.pk)
    assert names("hillside") == ["Cup"] and search(facets=["brand"])["facet_distribution"] == {"brand": {"Hillside": 1}}
    Brand.objects.filter(pk=brand.pk).update(active=False)
    services.brand_changed(store=store, brand_id=brand.pk)
    assert names("hillside") == [] and search(facets=["brand"])["facet_distribution"] == {"brand": {}}
    assert names("cup") == ["Cup"] and names(filter="brand EXISTS") == []
