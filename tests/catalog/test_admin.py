"""The catalogue as staff handle it."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image

from catalog import demo
from catalog.models import (
    Attribute,
    Category,
    Price,
    Product,
    ProductAttribute,
    ProductImage,
    Stock,
    Variant,
)
from catalog.places import LocationStock
from storefront import selectors as kernel
from storefront.models import StockLocation
from tests.catalog.factories import group_of, make_category, make_group, make_product, variants_of

pytestmark = pytest.mark.django_db
SHOP = "/admin/storefront_catalog"


@pytest.fixture(autouse=True)
def _admin_too(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.catalog.admin_urls"


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", "anna@example.com", "x"))
    return client


def fields_of(page: Any) -> dict[str, Any]:
    """What a browser would send back from a change page that nobody touched."""
    sent: dict[str, Any] = {}
    form = page.context["adminform"].form
    parts = [form, *(part for formset in page.context["inline_admin_formsets"] for part in formset.formset.forms)]
    for formset in page.context["inline_admin_formsets"]:
        for bound in formset.formset.management_form:
            sent[bound.html_name] = bound.value()
    for part in parts:
        for bound in part:
            value = bound.value()
            if isinstance(value, bool):
                if value:
                    sent[bound.html_name] = "on"
            elif value is not None:
                sent[bound.html_name] = value if isinstance(value, str | list) else str(value)
    return {
        name: [getattr(one, "pk", one) for one in value] if isinstance(value, list) else value
        for name, value in sent.items()
    }


def errors_of(response: Any) -> Any:
    return [*response.context["errors"]] if response.status_code == 200 else None


def row_of(fields: dict[str, Any], prefix: str, number: int = 0, **values: Any) -> dict[str, Any]:
    """One more row of an inline."""
    total = int(fields.get(f"{prefix}-TOTAL_FORMS", 0))
    return {f"{prefix}-TOTAL_FORMS": str(total + 1)} | {
        f"{prefix}-{total}-{name}": value for name, value in values.items()
    }


# --- lists ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "path",
    ["product", "product/?stock=low", "product/?q=N1", "variant", "category", "brand", "attribute", "attributechoice"],
)
def test_lists_cost_the_same_however_long(store: Any, staff: Client, path: str) -> None:
    address = f"{SHOP}/{path}" if "?" in path else f"{SHOP}/{path}/"

    def cost() -> int:
        with CaptureQueriesContext(connection) as asked:
            response = staff.get(address)
        assert response.status_code == 200
        return len(asked)

    def fill(first: int, count: int) -> None:
        for number in range(first, first + count):
            category = make_category(store, f"C{number}")
            make_product(store, name=f"N{number}", variants=("S", "M"), categories=(category,), on_hand=3)

    fill(10, 2)
    cost()
    few = cost()
    fill(12, 7)
    assert cost() == few


def test_the_list_of_products_says_what_staff_need(store: Any, staff: Client) -> None:
    demo.build(store=store, pictures=False)
    make_product(store, name="Unpriced", price=None)
    page = staff.get(f"{SHOP}/product/?all=").content.decode()
    assert "from ₹1,490.00" in page and "12 variants" in page and "LAST-ONE" in page
    assert "No price" in page and "On sale" in page and "∞" in page
    page = staff.get(f"{SHOP}/product/?stock=out").content.decode()
    assert "Brass dal pot" in page and "Cast-iron tawa" not in page
    page = staff.get(f"{SHOP}/product/?q=LAST-ONE").content.decode()
    assert "Darjeeling" in page and "Brass dal pot" not in page


def test_the_tree_is_indented_in_its_order(store: Any, staff: Client) -> None:
    tea = make_category(store, "Tea")
    make_category(store, "Cups", sort_order=1)
    make_category(store, "Green", tea)
    page = staff.get(f"{SHOP}/category/").content.decode()
    assert page.index(">Tea<") < page.index("↳ Green") < page.index(">Cups<")


# --- products -------------------------------------------------------------------------------------------------------
def test_a_product_is_made_with_price_and_stock_on_one_page(store: Any, staff: Client, get: Any) -> None:
    category = make_category(store)
    page = staff.get(f"{SHOP}/product/add/")
    sent = fields_of(page) | {
        "name": "Brass bell", "slug": "brass-bell", "sku": "BELL", "selling_price": "499.50", "tax_rate": "12",
        "on_hand": "7", "tags": "new, handmade", "metadata": "{}",
    }  # fmt: skip
    sent |= row_of(sent, "placings", category=category.pk, sort_order="0")
    response = staff.post(f"{SHOP}/product/add/", sent)
    assert response.status_code == 302, errors_of(response)
    product = Product.objects.get()
    assert product.visible
    price = Price.objects.get()
    assert (price.group, price.selling_price, price.listing_price, price.tax_rate) == (
        group_of(store), Decimal("499.5"), Decimal("499.5"), 12,
    )  # fmt: skip
    assert (Stock.objects.get().on_hand, Variant.objects.get().sku) == (7, "BELL")
    kernel.forget()
    shown = get("/catalog/products/brass-bell").json()["content"]["product"]
    assert shown["sku"] == "BELL" and shown["tags"] == ["new", "handmade"] and shown["category_ids"] == [category.pk]
    assert Category.objects.get().product_count == 1


def test_a_product_without_a_price_is_saved_and_staff_are_told(store: Any, staff: Client) -> None:
    sent = fields_of(staff.get(f"{SHOP}/product/add/")) | {
        "name": "Bell",
        "slug": "bell",
        "tags": "new, handmade",
        "metadata": "{}",
    }
    response = staff.post(f"{SHOP}/product/add/", sent, follow=True)
    assert "nothing of it has a price" in response.content.decode()
    assert not Product.objects.get().visible


def test_saving_an_untouched_page_changes_nothing(store: Any, staff: Client) -> None:
    demo.build(store=store, pictures=False)
    for slug in ("block-print-kurta", "cast-iron-tawa", "chai-hamper", "gift-voucher"):
        product = Product.objects.get(slug=slug)
        before = [list(model.objects.order_by("pk").values()) for model in (Price, Stock)]
        document = (product.document, product.detail_document)
        page = staff.get(f"{SHOP}/product/{product.pk}/change/")
        response = staff.post(f"{SHOP}/product/{product.pk}/change/", fields_of(page))
        assert response.status_code == 302, errors_of(response)
        product.refresh_from_db()
        assert (product.document, product.detail_document) == document
        assert [list(model.objects.order_by("pk").values()) for model in (Price, Stock)] == before


def test_prices_and_stock_of_variants_are_changed_in_their_rows(store: Any, staff: Client, get: Any) -> None:
    product = make_product(store, name="Kurta", sku="K", variants=("S", "M"))
    small, medium = variants_of(product)
    address = f"{SHOP}/product/{product.pk}/change/"
    page = staff.get(address)
    assert "Price and stock" not in page.content.decode()
    sent = fields_of(page) | {
        "name": "Long kurta", "variants-1-selling_price": "120", "variants-1-listing_price": "150",
        "variants-1-on_hand": "4", "variants-1-is_default": "on",
    }  # fmt: skip
    response = staff.post(address, sent)
    assert response.status_code == 302, errors_of(response)
    assert (Price.objects.get(variant=medium).selling_price, Price.objects.get(variant=small).selling_price) == (
        120,
        100,
    )
    assert (Stock.objects.get(pk=medium.pk).on_hand, Stock.objects.get(pk=small.pk).on_hand) == (4, 10)
    shown = get(f"/catalog/products/{product.pk}").json()["content"]["product"]
    assert shown["name"] == "Long kurta" and shown["pricing"]["selling_price"] == 120
    assert shown["variants"][0]["product_name"] == "Long kurta"
    sent = fields_of(staff.get(address))
    del sent["variants-1-is_default"]
    assert staff.post(address, sent | {"variants-0-is_default": "on"}).status_code == 302
    assert Variant.objects.get(is_default=True) == small
    refused = staff.post(address, fields_of(staff.get(address)) | {"variants-1-is_default": "on"})
    assert refused.status_code == 200
    assert Variant.objects.get(is_default=True) == small


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", "search"),
        ("slug", "taken"),
        ("sku", "TAKEN"),
        ("selling_price", "-1"),
        ("tax_rate", "101"),
        ("on_hand", "-1"),
        ("listing_price", "9"),
    ],
)
def test_bad_values_are_refused_beside_their_field(store: Any, staff: Client, field: str, value: str) -> None:
    make_product(store, slug="taken", sku="TAKEN")
    sent = fields_of(staff.get(f"{SHOP}/product/add/")) | {
        "name": "Bell",
        "slug": "bell",
        "tags": "new, handmade",
        "metadata": "{}",
    }
    response = staff.post(f"{SHOP}/product/add/", sent | {field: value})
    assert response.status_code == 200
    assert errors_of(response)
    assert Product.objects.count() == 1


def test_new_variants_are_taxed_as_their_product_is(store: Any, staff: Client) -> None:
    sent = fields_of(staff.get(f"{SHOP}/product/add/")) | {
        "name": "Bag", "slug": "bag", "metadata": "{}", "selling_price": "499", "tax_rate": "12",
    }  # fmt: skip
    del sent["price_including_tax"]
    sent |= row_of(sent, "variants", sku="S", selling_price="399", sort_order="0")
    response = staff.post(f"{SHOP}/product/add/", sent)
    assert response.status_code == 302, errors_of(response)
    address = f"{SHOP}/product/{Product.objects.get().pk}/change/"
    Price.objects.filter(variant__sku="S").update(tax_rate=5)
    sent = fields_of(staff.get(address)) | {"variants-0-selling_price": "400"}
    response = staff.post(address, sent | row_of(sent, "variants", sku="M", selling_price="450", sort_order="1"))
    assert response.status_code == 302, errors_of(response)
    rows = Price.objects.order_by("selling_price").values_list("selling_price", "tax_rate", "price_including_tax")
    assert list(rows) == [(400, 5, False), (450, 5, False)]

    single = make_product(store, name="Scarf", prices={"tax_rate": 18})
    address = f"{SHOP}/product/{single.pk}/change/"
    sent = fields_of(staff.get(address))
    staff.post(address, sent | row_of(sent, "variants", sku="L", selling_price="700", sort_order="0"))
    assert Price.objects.get(variant__sku="L").tax_rate == Price.objects.get(variant=single.pk).tax_rate == 18


@pytest.mark.parametrize(
    ("prefix", "values", "field"),
    [
        ("variants", {"sku": "S", "selling_price": "1", "sort_order": "0"}, "sku"),
        ("variants", {"slug": "small", "selling_price": "1", "sort_order": "0"}, "slug"),
        ("facts", {"attribute": "", "value": '"Khadi"', "sort_order": "0"}, "attribute"),
    ],
)
def test_two_new_rows_of_one_kind_are_refused_beside_their_field(
    store: Any, staff: Client, prefix: str, values: dict[str, str], field: str
) -> None:
    product = make_product(store)
    address = f"{SHOP}/product/{product.pk}/change/"
    if field == "attribute":
        values = values | {"attribute": Attribute.objects.create(store=store, name="Cloth", key="cloth").pk}
    sent = fields_of(staff.get(address))
    once = sent | row_of(sent, prefix, **values)
    response = staff.post(address, once | row_of(once, prefix, **values))
    assert response.status_code == 200
    rows = {part.formset.prefix: part.formset for part in response.context["inline_admin_formsets"]}[prefix]
    assert [list(row.errors) for row in rows.forms] == [[], [field]]
    assert not Variant.objects.filter(is_standalone=False).exists() and not ProductAttribute.objects.exists()
    assert staff.post(address, once).status_code == 302


def picture_file(name: str = "bell.png") -> SimpleUploadedFile:
    file = io.BytesIO()
    Image.new("RGB", (1000, 500), "#9C3D2E").save(file, "PNG")
    return SimpleUploadedFile(name, file.getvalue(), "image/png")


def test_pictures_are_uploaded_replaced_and_deleted_with_their_files(
    store: Any, staff: Client, get: Any, django_capture_on_commit_callbacks: Any
) -> None:
    product = make_product(store)
    address = f"{SHOP}/product/{product.pk}/change/"
    sent = fields_of(staff.get(address))
    sent |= row_of(sent, "images", upload=picture_file(), title="Bell", sort_order="0")
    response = staff.post(address, sent)
    assert response.status_code == 302, errors_of(response)
    row = ProductImage.objects.get()
    assert set(row.renditions) == {"tiny", "thumbnail", "standard", "zoom"}
    assert Image.open(default_storage.open(row.renditions["zoom"])).size == (1000, 500)
    assert Image.open(default_storage.open(row.renditions["tiny"])).format == "WEBP"
    shown = get(f"/catalog/products/{product.pk}").json()["content"]["product"]
    assert shown["images"][0]["title"] == "Bell"

    first = row.renditions["standard"]
    with django_capture_on_commit_callbacks(execute=True):
        staff.post(address, fields_of(staff.get(address)) | {"images-0-upload": picture_file()})
    row.refresh_from_db()
    assert row.renditions["standard"] != first and not default_storage.exists(first)
    with django_capture_on_commit_callbacks(execute=True):
        staff.post(address, fields_of(staff.get(address)) | {"images-0-DELETE": "on"})
    assert not ProductImage.objects.exists() and not default_storage.exists(row.renditions["standard"])
    assert get(f"/catalog/products/{product.pk}").json()["content"]["product"]["images"] == []


@pytest.mark.parametrize(
    "file", [SimpleUploadedFile("x.svg", b"<svg onload='x'/>"), SimpleUploadedFile("x.png", b"\x89PNG nonsense"), None]
)
def test_what_is_no_picture_is_refused(store: Any, staff: Client, file: Any) -> None:
    product = make_product(store)
    address = f"{SHOP}/product/{product.pk}/change/"
    sent = fields_of(staff.get(address))
    sent |= row_of(sent, "images", title="Bell", sort_order="0", **({"upload": file} if file else {}))
    response = staff.post(address, sent)
    assert response.status_code == 200 and errors_of(response)
    assert not ProductImage.objects.exists()


def test_many_are_switched_off_and_on(store: Any, other_store: Any, staff: Client) -> None:
    products = [make_product(store), make_product(other_store), make_product(store)]
    chosen = [product.pk for product in products[:2]]
    staff.post(f"{SHOP}/product/", {"action": "deactivate", "_selected_action": chosen})
    assert set(Product.objects.filter(visible=True)) == {products[2]}
    staff.post(f"{SHOP}/product/", {"action": "activate", "_selected_action": chosen})
    assert Product.objects.filter(visible=True).count() == 3


def reserve(units: int) -> None:
    for model in (Stock, LocationStock):
        model._default_manager.update(reserved=units)


def test_deleting_a_product_counts_its_categories_anew(store: Any, staff: Client) -> None:
    product = make_product(store, categories=(make_category(store),))
    assert Category.objects.get().product_count == 1
    assert staff.post(f"{SHOP}/product/{product.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Product.objects.exists() and Category.objects.get().product_count == 0


def test_another_stores_category_cannot_be_chosen(store: Any, other_store: Any, staff: Client) -> None:
    product, theirs = make_product(store), make_category(other_store)
    sent = fields_of(staff.get(f"{SHOP}/product/{product.pk}/change/"))
    sent |= row_of(sent, "placings", category=theirs.pk, sort_order="0")
    response = staff.post(f"{SHOP}/product/{product.pk}/change/", sent)
    assert response.status_code == 200
    assert not product.placings.exists()


# --- variants and attributes ----------------------------------------------------------------------------------------
def test_every_groups_price_and_the_stock_are_on_the_skus_page(store: Any, staff: Client) -> None:
    wholesale = make_group(store)
    product = make_product(store, variants=("S",))
    variant = variants_of(product)[0]
    reserve(3)
    address = f"{SHOP}/variant/{variant.pk}/change/"
    sent = fields_of(staff.get(address)) | {"places-0-on_hand": "5"}
    sent |= row_of(
        sent, "prices", group=wholesale.pk, selling_price="80", listing_price="90", tax_rate="5", handling_charge="0",
        handling_tax_rate="0", min_quantity="6", step="6",
    )  # fmt: skip
    response = staff.post(address, sent)
    assert response.status_code == 302, errors_of(response)
    assert Price.objects.get(group=wholesale).step == 6
    assert (Stock.objects.get().on_hand, Stock.objects.get().reserved) == (5, 3)
    response = staff.post(address, fields_of(staff.get(address)) | {"places-0-on_hand": "2"})
    assert response.status_code == 200
    assert Stock.objects.get().on_hand == 5


def test_the_page_of_a_standalone_sku_opens_and_saves(store: Any, staff: Client) -> None:
    product = make_product(store, sku="BELL")
    address = f"{SHOP}/variant/{product.pk}/change/"
    response = staff.post(address, fields_of(staff.get(address)) | {"prices-0-selling_price": "77"})
    assert response.status_code == 302, errors_of(response)
    assert Price.objects.get().selling_price == 77


def test_stock_saved_from_an_old_page_keeps_what_orders_reserved(store: Any, staff: Client) -> None:
    product = make_product(store)
    address = f"{SHOP}/product/{product.pk}/change/"
    sent = fields_of(staff.get(address))
    reserve(4)
    assert staff.post(address, sent | {"on_hand": "12"}).status_code == 302
    assert (Stock.objects.get().on_hand, Stock.objects.get().reserved) == (12, 4)


def test_fewer_than_orders_reserved_cannot_be_counted_on_the_products_page(store: Any, staff: Client) -> None:
    product = make_product(store)
    reserve(4)
    address = f"{SHOP}/product/{product.pk}/change/"
    response = staff.post(address, fields_of(staff.get(address)) | {"on_hand": "3"})
    assert response.status_code == 200 and Stock.objects.get().on_hand == 10


def test_units_are_counted_and_moved_by_location(store: Any, other_store: Any, staff: Client) -> None:
    shop = StockLocation.objects.create(store=store, name="Fort shop")
    main = StockLocation.objects.get(store=store, is_default=True)
    product = make_product(store, backorder=True)
    page = f"{SHOP}/variant/{product.pk}"
    sent = fields_of(staff.get(f"{page}/change/"))
    sent |= row_of(sent, "places", location=shop.pk, on_hand="4") | {"places-0-on_hand": "9"}
    response = staff.post(f"{page}/change/", sent)
    assert response.status_code == 302, errors_of(response)
    lying = LocationStock.objects.order_by("pk").values_list("location__name", "on_hand", "backorder")
    assert list(lying.all()) == [("Main", 9, True), ("Fort shop", 4, True)]
    move = {"source": main.pk, "target": shop.pk, "quantity": "20"}
    assert staff.post(f"{page}/move-stock/", move).status_code == 200
    assert staff.post(f"{page}/move-stock/", move | {"quantity": "2", "note": "Fair"}).status_code == 302
    assert (
        staff.post(f"{page}/adjust-stock/", {"location": shop.pk, "delta": "-1", "reason": "damaged"}).status_code
        == 302
    )
    there = StockLocation.objects.get(store=other_store)
    assert (
        staff.post(f"{page}/adjust-stock/", {"location": there.pk, "delta": "1", "reason": "received"}).status_code
        == 200
    )
    assert staff.post(f"{page}/adjust-stock/", {"delta": "1", "reason": "sold"}).status_code == 200
    assert list(lying.all()) == [("Main", 7, True), ("Fort shop", 5, True)] and Stock.objects.get().on_hand == 12
    reserve(9)
    LocationStock.objects.filter(location=shop).update(reserved=0)
    sent = fields_of(staff.get(f"{page}/change/"))
    sent.pop("stock-0-backorder")
    assert staff.post(f"{page}/change/", sent).status_code == 200
    assert Stock.objects.get().backorder
    for shown in (staff.get(f"{page}/change/"), staff.get(f"{SHOP}/product/{product.pk}/change/")):
        assert "Fort shop" in shown.content.decode()


def test_a_component_of_a_bundle_is_found_by_its_sku_and_no_bundle_is(store: Any, staff: Client) -> None:
    make_product(store, name="Cup", sku="CUP")
    make_product(store, name="Cup set", sku="CUPS", type="bundle")
    address = "/admin/autocomplete/?app_label=storefront_catalog&model_name=bundleitem&field_name=component&term=CUP"
    assert [found["text"] for found in staff.get(address).json()["results"]] == ["Cup"]


def test_renaming_a_choice_reaches_the_shop(store: Any, staff: Client, get: Any) -> None:
    product = make_product(store, variants=("S",))
    attribute = Attribute.objects.get()
    address = f"{SHOP}/attribute/{attribute.pk}/change/"
    response = staff.post(address, fields_of(staff.get(address)) | {"choices-0-name": "Small"})
    assert response.status_code == 302, errors_of(response)
    shown = get(f"/catalog/products/{product.pk}").json()["content"]["product"]
    assert shown["variants"][0]["name"] == "Small"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks the whole database")
@pytest.mark.parametrize("what", ["change", "delete"])
def test_a_category_is_locked_after_its_products_as_publishing_does(store: Any, staff: Client, what: str) -> None:
    """In any other order, staff and whoever publishes at that moment would wait for each other."""
    tea = make_category(store, "Tea")
    make_product(store, categories=(make_category(store, "Green", tea),))
    category = tea if what == "change" else Category.objects.get(name="Green")
    address = f"{SHOP}/category/{category.pk}"
    sent = fields_of(staff.get(f"{address}/change/")) | {"name": "Teas", "metadata": "{}", "post": "yes"}
    with CaptureQueriesContext(connection) as caught:
        assert staff.post(f"{address}/{what}/", sent).status_code == 302
    statements = [query["sql"] for query in caught.captured_queries]
    tables = ('"storefront_catalog_product"', '"storefront_catalog_category"')
    changes = [
        sql for sql in statements if sql.startswith(tuple(f"{verb} {tables[1]}" for verb in ("UPDATE", "DELETE FROM")))
    ]
    locks = [sql for sql in statements if sql.endswith("FOR NO KEY UPDATE") and "SELECT" in sql]
    assert [table in sql.partition(" FROM ")[2][:40] for table, sql in zip(tables, locks, strict=False)] == [True, True]
    assert statements.index(locks[1]) < statements.index(changes[0])


def test_moving_a_category_counts_both_branches_anew(store: Any, staff: Client) -> None:
    tea, cups = make_category(store, "Tea"), make_category(store, "Cups")
    green = make_category(store, "Green", tea)
    make_product(store, categories=(green,))
    address = f"{SHOP}/category/{green.pk}/change/"
    response = staff.post(address, fields_of(staff.get(address)) | {"parent": cups.pk, "metadata": "{}"})
    assert response.status_code == 302, errors_of(response)
    assert dict(Category.objects.values_list("name", "product_count")) == {"Tea": 0, "Cups": 1, "Green": 1}
