"""Reviews: who may write, what is taken, what is shown, what products show of them, and the queue of staff."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from catalog import services as catalog
from catalog.models import Product
from catalog.reviews import media, services
from catalog.reviews.models import Review, ReviewMedia
from storefront import events
from storefront.contracts import DeliveredLine, Shopper, Sku
from storefront.models import Store
from tests.catalog.factories import make_product, variants_of
from tests.contract import assert_is_error, assert_matches

pytestmark = pytest.mark.django_db

ASHA = "01J0000000000000000000ASHA"


class Shoppers:
    """`Authorization: Bearer <user id>` is that user."""

    def identify(self, *, store: Store, request: Any) -> Shopper:
        return Shopper(
            store_id=store.pk,
            user_id=request.META["HTTP_AUTHORIZATION"].removeprefix("Bearer "),
            is_logged_in="visitor" not in request.META["HTTP_AUTHORIZATION"],
            is_anonymous=False,
            claims={"first_name": "<b>Asha</b>", "last_name": "Kumar", "email": "asha@example.com"},
        )


class Purchases:
    """Asha's order 1001 and 1002 hold everything; `lines` is what was delivered to her."""

    lines: Sequence[DeliveredLine] = ()

    def delivered_lines(self, store_id: str, user_id: str, *, limit: int) -> Sequence[DeliveredLine]:
        return self.lines[:limit] if (store_id, user_id) == ("demo", ASHA) else ()

    def delivered_line(self, store_id: str, user_id: str, order_number: str, product_id: str) -> bool:
        return store_id == "demo" and user_id == ASHA and order_number in ("1001", "1002")


@pytest.fixture(autouse=True)
def _plugs_and_an_empty_storage(configure: Any) -> None:
    for name in files():
        default_storage.delete(f"reviews/demo/{name}")
    configure(SHOPPER=f"{__name__}.Shoppers", PURCHASES=f"{__name__}.Purchases")


@pytest.fixture
def product(store: Store) -> Product:
    return make_product(store, name="Assam")


@pytest.fixture
def send(store: Store, product: Product) -> Callable[..., Any]:
    """Posts a review as Asha, as a form."""

    def post(*, token: str = ASHA, to: str = "", **fields: Any) -> Any:
        form = {"user_id": ASHA, "order_number": "1001", "rating": "4.5", "review_text": "Strong and malty."} | fields
        return Client().post(
            f"/api/v1/demo/storefront/catalog/products/{to or product.pk}/reviews",
            {name: value for name, value in form.items() if value is not None},
            headers={"Authorization": f"Bearer {token}"},
        )

    return post


def picture(side: int = 40) -> SimpleUploadedFile:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    Image.new("RGB", (side, side), "red").save(out, "JPEG", exif=exif)
    return SimpleUploadedFile("me.jpg", out.getvalue(), content_type="image/jpeg")


def film(head: bytes = b"\x00\x00\x00\x18ftypmp42") -> SimpleUploadedFile:
    return SimpleUploadedFile("me.exe", head + b"\x00" * 200, content_type="text/html")


def files() -> set[str]:
    try:
        return set(default_storage.listdir("reviews/demo")[1])
    except FileNotFoundError:
        return set()


def review(product: Product, number: int = 1, *, status: str = "approved", **fields: Any) -> Review:
    values = {
        "user_id": f"user-{number}",
        "order_number": str(number),
        "rating": Decimal(4),
        "name": "Ravi P.",
    } | fields
    row = Review.objects.create(store=product.store, product=product, **values)
    if values.get("tags"):
        services.label(store=product.store, review=row, tags=values["tags"])
    if status != "pending":
        services.moderate(store=product.store, review_ids=[row.pk], status=Review.Status(status))
    return row


def listed(get: Any, product: Product, query: str = "") -> dict[str, Any]:
    return assert_matches("list-product-reviews", get(f"/catalog/products/{product.slug}/reviews{query}"))


# --- writing --------------------------------------------------------------------------------------------------------
def test_a_review_waits_until_staff_approve_it(store, product, send, get):
    body = assert_matches("create-product-review", send(images=[picture(), picture()], videos=[film()]))
    assert "content" not in body
    row = Review.objects.get()
    assert (row.status, row.rating, row.name, row.product) == ("pending", Decimal("4.5"), "Asha K.", product)
    assert listed(get, product)["reviews"] == []
    product.refresh_from_db()
    assert product.reviews_count == 0

    services.moderate(store=store, review_ids=[row.pk], status=Review.Status.APPROVED)
    (shown,) = listed(get, product)["reviews"]
    assert shown["rating"] == 4.5 and shown["review_text"] == "Strong and malty." and shown["status"] == "approved"
    assert "email" not in shown and "asha@" not in str(shown)
    assert len(shown["images"]) == 2 and len(shown["videos"]) == 1
    assert shown["videos"][0]["video_preview_url"].endswith(".mp4")


def test_pictures_are_stored_anew_without_what_they_tell_of_the_place(store, send):
    assert send(images=[picture()]).status_code == 200
    names = ReviewMedia.objects.get().names
    assert set(names) == {"tiny", "thumbnail", "standard", "zoom"}
    with Image.open(default_storage.open(names["zoom"])) as stored:
        assert stored.format == "WEBP" and not stored.getexif()


@pytest.mark.parametrize("rating", ["1", "1.5", "5", "5.0", "4.50"])
def test_ratings_are_from_one_to_five_in_halves(send, rating):
    assert_matches("create-product-review", send(rating=rating))


@pytest.mark.parametrize("rating", ["0.5", "5.5", "4.3", "four", "NaN", "", None, "-3"])
def test_other_ratings_are_refused(send, rating):
    assert_is_error(send(rating=rating), 400, field="rating")
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"order_number": "9999"}, "order_number", "not_purchased"),
        ({"order_number": None}, "order_number", "validation_error"),
        ({"user_id": "somebody-else"}, "user_id", "validation_error"),
        ({"review_text": "x" * 5001}, "review_text", "validation_error"),
    ],
)
def test_bad_input_is_named_and_nothing_is_kept(send, fields, field, code):
    assert_is_error(send(images=[picture()], **fields), 400, code, field)
    assert not Review.objects.exists() and not files()


def test_a_line_of_an_order_is_reviewed_once(send):
    assert send().status_code == 200
    assert_is_error(send(rating="1", images=[picture()]), 400, "already_reviewed", "order_number")
    assert not files()
    assert send(order_number="1002").status_code == 200
    assert Review.objects.count() == 2


def test_two_at_once_leave_one_review_and_no_files(store, product, monkeypatch):
    """The second one finds the first only at the unique constraint."""
    row = {"store": store, "product_id": product.pk, "user_id": ASHA, "order_number": "1001"}
    saved = media.save

    def slowly(**arguments: Any) -> Any:
        Review.objects.create(**row, rating=3)
        return saved(**arguments)

    monkeypatch.setattr(media, "save", slowly)
    with pytest.raises(Exception) as refused:
        services.write(**row, name="", rating=Decimal(5), review_text="", images=[picture()], videos=[])
    assert refused.value.code == "already_reviewed"
    assert Review.objects.count() == 1 and not files()


def test_only_the_logged_in_write(api, send, product):
    assert_is_error(send(token="visitor"), 401, "login_required")
    assert_is_error(api.post(f"/catalog/products/{product.pk}/reviews", X_Api_Key=api.key), 401)
    assert not Review.objects.exists()


def test_without_orders_nobody_can_write(send, configure):
    from storefront.conf import Conf

    configure(PURCHASES=Conf.PURCHASES)
    assert_is_error(send(), 400, "not_purchased", "order_number")


def test_an_unknown_or_hidden_product_has_no_reviews(other_store, store, send, get):
    foreign, hidden = make_product(other_store), make_product(store, active=False)
    for name in ("nothing", foreign.pk, hidden.pk):
        assert_is_error(send(to=name), 404, "product_not_found")
        assert_is_error(get(f"/catalog/products/{name}/reviews"), 404, "product_not_found")


# --- files ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "sent", "code"),
    [
        ("images", lambda: [picture() for _ in range(9)], "validation_error"),
        ("images", lambda: [picture(), SimpleUploadedFile("a.jpg", b"<svg/>")], "image_invalid"),
        ("images", lambda: [picture(), film()], "image_invalid"),
        ("videos", lambda: [film(), film(), film()], "validation_error"),
        ("videos", lambda: [SimpleUploadedFile("a.mp4", b"<html>" * 50, content_type="video/mp4")], "video_invalid"),
        ("videos", lambda: [film(b"\x00\x00\x00\x18ftypheic")], "video_invalid"),
        ("videos", lambda: [film(b"\x1a\x45\xdf\xa3 matroska")], "video_invalid"),
    ],
)
def test_files_that_are_not_what_they_should_be_are_refused(send, name, sent, code):
    assert_is_error(send(**{name: sent()}), 400, code, name)
    assert not Review.objects.exists() and not files()


def test_a_film_is_named_by_its_content(send):
    assert send(videos=[film(b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm")]).status_code == 200
    assert ReviewMedia.objects.get().names["video"].endswith(".webm")


def test_too_large_a_film_is_refused(send, monkeypatch):
    monkeypatch.setattr(media, "MAX_VIDEO_BYTES", 100)
    assert_is_error(send(videos=[film()]), 400, "video_too_large", "videos")


def test_names_with_brackets_are_read_too(send):
    assert send(**{"images[]": [picture(), picture()]}).status_code == 200
    assert ReviewMedia.objects.count() == 2


def test_only_this_address_takes_so_large_a_form(store, product, configure):
    configure(MAX_UPLOAD_BYTES=1000)
    form = {"user_id": ASHA, "order_number": "1001", "rating": "5", "review_text": "x" * 2000}
    headers = {"Authorization": f"Bearer {ASHA}"}
    base = f"/api/v1/demo/storefront/catalog/products/{product.pk}"
    assert Client().post(f"{base}/reviews", form, headers=headers).status_code == 200
    assert_is_error(Client().post(base, form, headers=headers), 413)


# --- reading --------------------------------------------------------------------------------------------------------
def test_reviews_are_found_by_text_and_tag_and_sorted(store, product, get):
    review(product, 1, rating=Decimal(2), review_text="Weak tea", tags=["Taste", "Price"])
    review(product, 2, rating=Decimal(5), review_text="Strong tea 100%", tags=["Taste"])
    review(product, 3, rating=Decimal(3), review_text="Nice tin", is_featured=True)
    review(product, 4, review_text="Tea", status="rejected", tags=["Rejected"])
    review(make_product(store), 5, review_text="Tea of another product", tags=["Other"])

    def texts(query: str = "") -> list[str]:
        return [row["review_text"] for row in listed(get, product, query)["reviews"]]

    assert texts() == ["Nice tin", "Strong tea 100%", "Weak tea"]
    assert texts('?sort_by={"rating":"asc"}') == ["Weak tea", "Nice tin", "Strong tea 100%"]
    assert texts("?search=TEA") == ["Strong tea 100%", "Weak tea"]
    assert texts("?search=0%25") == ["Strong tea 100%"]
    assert texts("?review_tag=price") == ["Weak tea"]
    assert texts("?review_tag=pri") == []
    content = listed(get, product, "?limit=1&page=2")
    assert [row["review_text"] for row in content["reviews"]] == ["Strong tea 100%"]
    assert content["pagination"]["total_records"] == 3
    assert sorted(content["review_tags"]) == ["Price", "Taste"]
    assert [row["is_featured"] for row in listed(get, product)["reviews"]] == [True, False, False]


@pytest.mark.parametrize(
    ("query", "field"),
    [("?limit=101", "limit"), ('?sort_by={"name":"asc"}', "sort_by"), ("?search=" + "x" * 101, "search")],
)
def test_bad_questions_are_named(product, get, query, field):
    assert_is_error(get(f"/catalog/products/{product.pk}/reviews{query}"), 400, field=field)


@pytest.mark.parametrize("count", [2, 12])
def test_statements_do_not_grow_with_the_reviews(product, get, count, django_assert_max_num_queries):
    for number in range(count):
        row = review(product, number)
        ReviewMedia.objects.create(store=product.store, review=row, kind="video", names={"video": "a.mp4"})
    listed(get, product)
    with django_assert_max_num_queries(4):
        assert len(listed(get, product)["reviews"]) == count


# --- what products show -----------------------------------------------------------------------------------------------
def figures(get: Any, product: Product) -> tuple[int, float]:
    shown = assert_matches("get-product-detail", get(f"/catalog/products/{product.pk}"))["product"]
    return shown["reviews_count"], shown["reviews_rating_sum"]


def test_products_show_the_figures_of_approved_reviews(store, product, get):
    first = review(product, 1, rating=Decimal("4.5"))
    second = review(product, 2, rating=Decimal(2))
    assert figures(get, product) == (2, 6.5)
    (item,) = assert_matches("list-skus", get("/catalog/skus"))["skus"]
    assert (item["reviews_count"], item["reviews_rating_sum"]) == (2, 6.5)
    assert services.moderate(store=store, review_ids=[first.pk], status=Review.Status.APPROVED) == 0
    assert figures(get, product) == (2, 6.5)
    services.moderate(store=store, review_ids=[second.pk], status=Review.Status.REJECTED)
    assert figures(get, product) == (1, 4.5)
    services.delete(store=store, review_ids=[first.pk])
    assert figures(get, product) == (0, 0)


def test_reviews_of_another_store_are_out_of_reach(store, other_store, product):
    row = review(product, status="pending")
    assert services.moderate(store=other_store, review_ids=[row.pk], status=Review.Status.APPROVED) == 0
    services.delete(store=other_store, review_ids=[row.pk])
    row.refresh_from_db()
    assert row.status == "pending"


def test_whoever_is_erased_takes_reviews_and_files_along(store, product, send, get, django_capture_on_commit_callbacks):
    send(images=[picture()])
    services.moderate(store=store, review_ids=[Review.objects.get().pk], status=Review.Status.APPROVED)
    other = review(product, 2, rating=Decimal(3))
    assert files()
    with django_capture_on_commit_callbacks(execute=True):
        events.send("shopper.erased", store=store, user_id=ASHA, customer_id=None)
    assert list(Review.objects.all()) == [other]
    assert not files()
    assert figures(get, product) == (1, 3)


def test_a_deleted_product_takes_its_reviews_and_their_files_along(
    store, product, send, django_capture_on_commit_callbacks
):
    send(images=[picture()])
    with django_capture_on_commit_callbacks(execute=True):
        catalog.delete_product(store=store, product=product)
    assert not Review.objects.exists() and not files()


# --- staff ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def staff(admin_client: Client, settings: Any) -> Client:
    settings.ROOT_URLCONF = "tests.catalog.admin_urls"
    return admin_client


def test_staff_approve_many_at_once_and_tag_one(staff, store, product):
    rows = [review(product, number, status="pending") for number in range(3)]
    address = reverse("admin:storefront_catalog_review_changelist")
    page = staff.get(f"{address}?status__exact=pending")
    assert page.status_code == 200
    staff.post(address, {"action": "approve", "_selected_action": [row.pk for row in rows[:2]]})
    assert sorted(Review.objects.values_list("status", flat=True)) == ["approved", "approved", "pending"]
    product.refresh_from_db()
    assert (product.reviews_count, product.reviews_rating_sum) == (2, 8)
    staff.post(address, {"action": "reject", "_selected_action": [rows[0].pk]})
    product.refresh_from_db()
    assert product.reviews_count == 1

    page = reverse("admin:storefront_catalog_review_change", args=[rows[1].pk])
    shown = staff.get(page).content.decode()
    assert "Approved" in shown and "approved" not in shown
    staff.post(page, {"name": "Ravi", "is_featured": "on", "tags": "Taste, Price, Taste"})
    rows[1].refresh_from_db()
    assert (rows[1].name, rows[1].is_featured, rows[1].tags) == ("Ravi", True, ["Taste", "Price"])
    product.refresh_from_db()
    assert product.review_tags == ["Taste", "Price"]


# --- what a shopper wrote -------------------------------------------------------------------------------------------
@pytest.fixture
def mine(store: Store, configure: Any, monkeypatch: Any) -> Callable[..., Any]:
    """Asks for Asha's reviews, after the delivery of these (order, sku)."""
    configure(STORE_CACHE_SECONDS=600)

    def get(*delivered: tuple[str, Sku], customer: str = ASHA, token: str = ASHA) -> Any:
        lines = [DeliveredLine(order, sku, timezone.now()) for order, sku in delivered]
        monkeypatch.setattr(Purchases, "lines", lines)
        return Client().get(
            f"/api/v1/demo/storefront/customers/{customer}/reviews", headers={"Authorization": f"Bearer {token}"}
        )

    return get


def test_a_shopper_sees_what_they_wrote_and_what_they_still_can(
    store: Store, product: Product, send: Any, mine: Any
) -> None:
    shirt = make_product(store, name="Shirt", variants=("S", "M"), price="250")
    gone = make_product(store, name="Gone")
    assert send(images=picture()).status_code == 200
    catalog.publish(store=store, product_ids=[product.pk])
    small, medium = (Sku(shirt.pk, row.pk) for row in variants_of(shirt))
    delivered = [("1003", small), ("1003", medium), ("1002", Sku(product.pk)), ("1001", Sku(product.pk))]
    content = assert_matches("list-customer-reviews", mine(*delivered, ("1001", Sku("deleted")), ("9", Sku(gone.pk))))
    (written,) = content["reviews"]
    assert (written["product_name"], written["rating"], written["status"]) == ("Assam", 4.5, "pending")
    assert written["order_number"] == "1001" and written["selling_price"] == 100
    assert list(written["images"][0]) == ["blur_url", "thumbnail_url", "standard_url"]
    ready = [(row["order_number"], row["product_name"], row["selling_price"]) for row in content["ready_for_review"]]
    assert ready == [("1003", "Shirt", 250), ("1002", "Assam", 100), ("9", "Gone", 100)], "once each, newest first"
    Product.objects.filter(store=store).update(active=False)
    catalog.publish(store=store, product_ids=[product.pk, gone.pk, shirt.pk])
    content = assert_matches("list-customer-reviews", mine(*delivered))
    assert content["ready_for_review"] == [] and "selling_price" not in content["reviews"][0]
    assert content["reviews"][0]["product_name"] == "Assam"


def test_somebody_else_s_reviews_are_nowhere(send: Any, mine: Any) -> None:
    assert send().status_code == 200
    assert_is_error(mine(customer="01J0000000000000000000BINA"), 404, "not_found")
    assert_is_error(mine(customer=ASHA, token="01J0000000000000000000BINA"), 404, "not_found")
    assert_is_error(mine(token="visitor"), 401, "login_required")
    other = mine(customer="01J0000000000000000000BINA", token="01J0000000000000000000BINA")
    assert assert_matches("list-customer-reviews", other) == {"reviews": [], "ready_for_review": []}


def test_many_reviews_cost_what_one_does(store: Store, mine: Any) -> None:
    def write(count: int) -> None:
        for number in range(count):
            Review.objects.create(
                store=store, product=make_product(store), user_id=ASHA, order_number=f"{count}-{number}", rating=4
            )

    def cost() -> int:
        waiting = [("77", Sku(row.product_id)) for row in Review.objects.all()]
        mine(*waiting)
        with CaptureQueriesContext(connection) as captured:
            assert mine(*waiting).status_code == 200
        return len(captured)

    write(1)
    few = cost()
    write(8)
    assert cost() == few <= 4
