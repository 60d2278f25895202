"""A shopper's own account: reading, changing, leaving."""

from __future__ import annotations

import errno
import io
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from PIL import Image

from accounts import services
from accounts.models import OtpChallenge, RefreshToken, SecurityEvent, Session, User
from customers.models import Customer
from messaging.models import Message
from storefront.models import CustomerGroup, Store
from tests.accounts.conftest import Enter, answer, last_code, named, newest_challenge
from tests.conftest import Api
from tests.contract import assert_is_error, assert_matches

pytestmark = pytest.mark.django_db
ON, OFF = dict.fromkeys(("email", "sms", "whatsapp"), True), dict.fromkeys(("email", "sms", "whatsapp"), False)


def where(api: Api, rest: str = "") -> str:
    return f"/auth/user/{api.user_id}{rest}"


def test_the_profile_as_the_contract_has_it(shopper: Api, django_assert_num_queries: Any) -> None:
    content = assert_matches("get-user-detail", shopper.get(where(shopper)))
    assert content["user"]["email"] == "asha@example.com"
    with django_assert_num_queries(1):
        shopper.get(where(shopper))


@pytest.mark.parametrize("user_id", ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "me", "0"])
def test_any_other_id_is_not_found(shopper: Api, enter: Enter, user_id: str) -> None:
    other = enter("other@example.com")
    for target in (user_id, other.user_id):
        assert_is_error(shopper.get(f"/auth/user/{target}"), 404, "not_found")
        assert_is_error(shopper.put(f"/auth/user/{target}", {"first_name": "M"}), 404, "not_found")
        assert_is_error(shopper.delete(f"/auth/user/{target}"), 404, "not_found")
        assert_is_error(shopper.put(f"/auth/user/{target}/deactivate"), 404, "not_found")
        assert_is_error(shopper.get(f"/auth/user/{target}/notification-preferences"), 404, "not_found")
        assert_is_error(shopper.get(f"/auth/user/{target}/profile-image"), 404, "not_found")
    row = User.objects.get(pk=other.user_id)
    assert row.live and row.first_name == ""


def test_a_partial_body_changes_what_it_names(shopper: Api) -> None:
    shopper.put(where(shopper), {"first_name": " Asha ", "last_name": "Rao"})
    user = assert_matches("update-user", shopper.put(where(shopper), {"last_name": None}))["user"]
    assert (user["first_name"], user["last_name"], user["email"]) == ("Asha", None, "asha@example.com")


def test_the_whole_answer_can_be_sent_back(shopper: Api) -> None:
    business = {"type": "private-limited", "name": "Chai & Co", "metadata": {"gstin": "x"}}
    shopper.put(where(shopper), {"phone": "9876543210", "first_name": "Asha", "business": business})
    user = assert_matches("get-user-detail", shopper.get(where(shopper)))["user"]
    assert user["business"] == business | {"registered_address": None}
    again = assert_matches("update-user", shopper.put(where(shopper), user))["user"]
    assert again | {"modified_at": ""} == user | {"modified_at": ""}


FORBIDDEN = {
    "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "user_id": "x", "store": "other", "store_id": "other", "customer": "x",
    "customer_id": "x", "is_primary": False, "host_user": 1, "is_email_verified": False, "is_phone_verified": True,
    "password": "x", "login_methods": ["password", "sms"], "is_staff": True, "is_superuser": True,
    "is_anonymous": True, "is_logged_in": False, "profile_image": "../../x", "profile_image_url": "http://evil.example/",
    "deactivated_at": "2020-01-01T00:00:00Z", "deleted_at": "2020-01-01T00:00:00Z", "last_login_at": None,
    "created_at": "2020-01-01T00:00:00Z", "metadata": {"vip": "yes"}, "balance": 1, "customer_group": {"id": "x"},
}  # fmt: skip


@pytest.mark.parametrize("name", FORBIDDEN)
def test_nothing_else_can_be_written(name: str, shopper: Api) -> None:
    """R-14."""
    fields = [field.attname for field in User._meta.concrete_fields if field.attname != "modified_at"]
    before = User.objects.values_list(*fields).get()
    customer = Customer.objects.values("id", "group_id", "business", "metadata").get()
    user = shopper.get(where(shopper)).json()["content"]["user"]
    response = shopper.put(where(shopper), {name: FORBIDDEN[name]})
    assert response.status_code == 200
    assert response.json()["content"]["user"] | {"modified_at": ""} == user | {"modified_at": ""}
    assert User.objects.values_list(*fields).get() == before
    assert Customer.objects.values("id", "group_id", "business", "metadata").get() == customer


@pytest.mark.parametrize("route", ["login/email", "register/email", "register/password"])
def test_registering_writes_nothing_else_either(route: str, visitor: Api) -> None:
    contact = {"email": "asha@example.com", "first_name": "Asha", "register_if_not_exists": True}
    passwords = {"password": "correct horse 9", "confirm_password": "correct horse 9"}
    internal = {name: value for name, value in FORBIDDEN.items() if name != "password"}
    asked = visitor.post(f"/auth/{route}", internal | contact | (passwords if "password" in route else {}))
    verified = answer(visitor, asked)
    assert verified.status_code == 200
    row = User.objects.select_related("customer").get()
    assert row.pk == visitor.user_id == row.customer_id and row.store_id == "demo" and row.is_primary
    assert not row.is_phone_verified and row.metadata == {} and row.customer.group_id is None and row.live
    assert row.password == "" or "password" in route


@pytest.mark.parametrize("body", [{"email": "other@example.com"}, {"email": None}, {"email": ""}])
def test_a_verified_contact_changes_by_code_only(shopper: Api, body: dict[str, Any]) -> None:
    assert_is_error(shopper.put(where(shopper), body | {"first_name": "New"}), 400, "verification_required", "email")
    row = User.objects.get()
    assert row.email == "asha@example.com" and row.is_email_verified and row.first_name == ""


def test_a_missing_contact_may_be_added_unverified_and_taken_back(shopper: Api) -> None:
    user = shopper.put(where(shopper), {"phone": "09876543210", "country_code": "+91"}).json()["content"]["user"]
    assert (user["phone"], user["country_code"], user["is_phone_verified"]) == ("9876543210", "+91", False)
    assert shopper.put(where(shopper), {"phone": None}).json()["content"]["user"]["phone"] is None
    assert_is_error(shopper.put(where(shopper), {"phone": "12"}), 400, field="phone")


def test_an_unverified_contact_reserves_nothing(shopper: Api, enter: Enter) -> None:
    shopper.put(where(shopper), {"phone": "9876543210"})
    owner = enter(phone="9876543210")
    assert owner.user_id != shopper.user_id
    assert User.objects.filter(phone="+919876543210").count() == 2


def test_a_shopper_cannot_choose_a_group_unless_the_store_lets_them(shopper: Api, store: Store) -> None:
    trade = CustomerGroup.objects.create(store=store, name="Trade", slug="trade")
    own = shopper.get(where(shopper)).json()["content"]["user"]["customer_group"]["id"]
    refused = shopper.put(where(shopper), {"customer_group_id": trade.pk})
    assert_is_error(refused, 400, "customer_group_not_allowed", "customer_group_id")
    assert Customer.objects.get().group_id is None
    assert shopper.put(where(shopper), {"customer_group_id": own}).status_code == 200
    assert shopper.put(where(shopper), {"customer_group_id": None}).status_code == 200
    Store.objects.filter(pk=store.pk).update(shopper_may_choose_group=True)
    from storefront import selectors

    selectors.forget()
    user = assert_matches("update-user", shopper.put(where(shopper), {"customer_group_id": trade.pk}))["user"]
    assert user["customer_group"]["id"] == trade.pk == Customer.objects.get().group_id
    foreign = CustomerGroup.objects.exclude(store=store).first()
    wrong = foreign.pk if foreign else "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert_is_error(shopper.put(where(shopper), {"customer_group_id": wrong}), 400, "customer_group_not_allowed")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"first_name": "x" * 81}, "first_name"),
        ({"first_name": ["x"]}, "first_name"),
        ({"business": {"name": "x"}}, "business.type"),
        ({"business": "x"}, "business"),
        ({"business": {"type": "x", "name": "x", "metadata": {"a": {"b": 1}}}}, "business.metadata.a"),
        ({"notification_preferences": {"newsletter": {"email": "yes"}}}, "notification_preferences.newsletter.email"),
        ({"notification_preferences": []}, "notification_preferences"),
        ([], "non_field_errors"),
    ],
)
def test_bad_values_are_named_and_change_nothing(shopper: Api, body: Any, field: str) -> None:
    before = User.objects.values().get()
    assert_is_error(shopper.put(where(shopper), body), 400, "validation_error", field)
    assert User.objects.values().get() == before


# --- preferences ------------------------------------------------------------------------------------------------------
def test_preferences_start_at_the_defaults_and_change_one_by_one(shopper: Api) -> None:
    path = where(shopper, "/notification-preferences")
    content = assert_matches("get-notification-preferences", shopper.get(path))
    assert content["notification_preferences"] == {"transactional": ON, "promotional": OFF, "newsletter": OFF}
    sent = {"notification_preferences": {"newsletter": {"email": True}, "transactional": {"sms": False}}}
    content = assert_matches("update-notification-preferences", shopper.put(path, sent))
    assert content["notification_preferences"] == {
        "transactional": ON | {"sms": False}, "promotional": OFF, "newsletter": OFF | {"email": True},
    }  # fmt: skip
    content = assert_matches(
        "create-notification-preferences",
        shopper.post(path, {"notification_preferences": {"promotional": {"sms": True}}}),
    )
    assert content["notification_preferences"] == {
        "transactional": ON, "promotional": OFF | {"sms": True}, "newsletter": OFF,
    }  # fmt: skip
    assert_is_error(shopper.put(path, {}), 400, field="notification_preferences")


def test_messages_ask_the_preferences(shopper: Api, store: Store) -> None:
    from messaging import consent

    def wanted(category: str, channel: str = "email", to: str = "asha@example.com") -> bool:
        return consent.given(store=store, to=to, channel=channel, category=category)

    assert wanted("transactional") and not wanted("newsletter")
    assert wanted("promotional", to="stranger@example.com")
    sent = {"notification_preferences": {"newsletter": {"email": True}}}
    shopper.put(where(shopper, "/notification-preferences"), sent)
    assert wanted("newsletter") and not wanted("newsletter", "sms") and not wanted("promotional")


# --- verified contacts ------------------------------------------------------------------------------------------------
def test_only_the_callers_own_contacts_are_confirmed(shopper: Api, enter: Enter, visitor: Api) -> None:
    enter("other@example.com")
    enter(phone="9876543210")
    body = {"email": ["asha@example.com", "ASHA@example.com ", "other@example.com"], "phone": ["9876543210", "x"]}
    content = assert_matches("check-verification-status", shopper.post("/auth/verified-email-phone", body))
    assert content == {"verified_phone": [], "verified_email": ["asha@example.com", "ASHA@example.com"]}
    for api in (visitor, shopper.take(shopper.post("/auth/logout"))):
        content = assert_matches("check-verification-status", api.post("/auth/verified-email-phone", body))
        assert content == {"verified_phone": [], "verified_email": []}


def test_an_own_phone_is_confirmed_however_it_is_written(enter: Enter) -> None:
    api = enter(phone="9876543210")
    sent = ["9876543210", "+91 98765 43210", "098765-43210", "9876543211"]
    content = assert_matches("check-verification-status", api.post("/auth/verified-email-phone", {"phone": sent}))
    assert content["verified_phone"] == sent[:3]
    assert_is_error(api.post("/auth/verified-email-phone", {"phone": ["1"] * 101}), 400, field="phone")
    assert api.post("/auth/verified-email-phone", {}).status_code == 200


# --- image ------------------------------------------------------------------------------------------------------------
def picture(kind: str = "PNG", size: tuple[int, int] = (900, 600), **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGBA" if kind in {"PNG", "WEBP"} else "RGB", size, (200, 30, 30)).save(out, kind, **options)
    return out.getvalue()


def upload(api: Api, content: bytes, method: str = "post", name: str = "image") -> Any:
    from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

    body = encode_multipart(BOUNDARY, {name: SimpleUploadedFile("evil.php", content, "text/html")})
    return api.client.generic(
        method.upper(),
        f"/api/v1/{api.store.pk}/storefront{where(api, '/profile-image')}",
        body,
        content_type=MULTIPART_CONTENT,
        headers={"Authorization": f"Bearer {api.token}"},
    )


def files() -> list[str]:
    return sorted(default_storage.listdir("profiles/demo")[1]) if default_storage.exists("profiles/demo") else []


@pytest.fixture(autouse=True)
def _no_files() -> Any:
    yield
    for name in files():
        default_storage.delete(f"profiles/demo/{name}")


def test_an_image_is_stored_anew_in_three_sizes(shopper: Api) -> None:
    exif = Image.Exif()
    exif[0x0132] = "2020:01:01 00:00:00"
    exif[0x8825] = {1: "N", 2: (52.0, 30.0, 0.0)}
    assert_is_error(shopper.get(where(shopper, "/profile-image")), 404, "profile_image_not_found")
    content = assert_matches("add-profile-image", upload(shopper, picture("JPEG", exif=exif)))
    url = content["profile_image_url"]
    assert url.startswith("http://testserver/media/profiles/demo/") and url.endswith("-512.webp")
    assert "evil" not in url
    names = files()
    assert [name.rpartition("-")[2] for name in names] == ["256.webp", "512.webp", "96.webp"]
    with default_storage.open(f"profiles/demo/{names[1]}") as stored, Image.open(stored) as image:
        assert image.format == "WEBP" and image.size == (512, 341)
        assert not image.getexif() and "exif" not in image.info and "icc_profile" not in image.info
    assert assert_matches("get-profile-image", shopper.get(where(shopper, "/profile-image"))) == content
    assert shopper.get(where(shopper)).json()["content"]["user"]["profile_image_url"] == url


def test_a_disk_that_fills_up_while_an_image_is_stored_leaves_the_old_one(shopper: Api, monkeypatch: Any) -> None:
    content = assert_matches("add-profile-image", upload(shopper, picture()))
    old = files()
    whole = default_storage.save

    def save(name: str, *args: Any, **options: Any) -> str:
        if name.endswith("-96.webp"):  # the last of the three
            raise OSError(errno.ENOSPC, "No space left on device")
        return str(whole(name, *args, **options))

    monkeypatch.setattr(default_storage, "save", save)
    assert_is_error(upload(shopper, picture("WEBP"), "put"), 503, "temporarily_unavailable")
    assert files() == old
    assert assert_matches("get-profile-image", shopper.get(where(shopper, "/profile-image"))) == content


def test_replacing_and_removing_delete_the_old_files(shopper: Api, django_capture_on_commit_callbacks: Any) -> None:
    upload(shopper, picture())
    old = files()
    with django_capture_on_commit_callbacks(execute=True):
        content = assert_matches("update-profile-image", upload(shopper, picture("WEBP"), "put"))
    assert len(files()) == 3 and not set(files()) & set(old)
    kept = shopper.client.put(
        f"/api/v1/demo/storefront{where(shopper, '/profile-image')}",
        b"{}",
        content_type="application/json",
        headers={"Authorization": f"Bearer {shopper.token}"},
    )
    assert assert_matches("update-profile-image", kept) == content
    with django_capture_on_commit_callbacks(execute=True):
        assert_matches("remove-profile-image", shopper.delete(where(shopper, "/profile-image")))
    assert files() == []
    assert_is_error(shopper.delete(where(shopper, "/profile-image")), 404, "profile_image_not_found")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
def test_every_kind_of_pixel_is_understood(mode: str, shopper: Api) -> None:
    out = io.BytesIO()
    Image.new(mode, (30, 20)).save(out, "JPEG" if mode == "CMYK" else "PNG")
    assert upload(shopper, out.getvalue()).status_code == 200


def test_a_photo_is_turned_upright(shopper: Api) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    upload(shopper, picture("JPEG", exif=exif))
    with default_storage.open(f"profiles/demo/{files()[1]}") as stored, Image.open(stored) as image:
        assert image.size == (341, 512)


def bomb() -> bytes:
    out = io.BytesIO()
    Image.new("1", (13_000, 13_000)).save(out, "PNG")
    return out.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
REFUSED = {
    "text": (lambda: b"not a picture", "image_invalid"),
    "svg": (lambda: SVG, "image_invalid"),
    "gif": (lambda: _saved("GIF"), "image_invalid"),
    "bmp": (lambda: _saved("BMP"), "image_invalid"),
    "cut": (lambda: picture()[:200], "image_invalid"),
    "script behind a header": (lambda: b"\x89PNG\r\n\x1a\n" + SVG, "image_invalid"),
    "too heavy": (lambda: picture("PNG", (1, 1)) + b"\0" * (5 * 1024 * 1024), "image_too_large"),
    "too many pixels": (bomb, "image_too_large"),
}


def _saved(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("P", (10, 10)).save(out, kind)
    return out.getvalue()


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("method", ["post", "put"])
def test_what_is_no_fitting_picture_is_refused_and_not_stored(kind: str, method: str, shopper: Api) -> None:
    make, code = REFUSED[kind]
    assert_is_error(upload(shopper, make(), method), 400, code, "image")
    assert files() == [] and User.objects.get().profile_image == ""


def test_no_file_and_an_empty_file_are_refused(shopper: Api) -> None:
    assert_is_error(upload(shopper, picture(), name="picture"), 400, "validation_error", "image")
    assert_is_error(upload(shopper, b""), 400, "validation_error", "image")
    assert_is_error(shopper.post(where(shopper, "/profile-image"), {"image": "x"}), 400, "validation_error", "image")
    assert_is_error(upload(shopper, picture(), "put", "picture"), 400, field="image")


def test_an_animation_keeps_its_first_frame(shopper: Api) -> None:
    out = io.BytesIO()
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    assert upload(shopper, out.getvalue()).status_code == 200


def test_uploads_are_braked(shopper: Api, configure: Any) -> None:
    configure(LIMITS_ENABLED=True, LIMITS={"upload": "1/3600"})
    assert [upload(shopper, picture("PNG", (8, 8))).status_code for _number in range(2)] == [200, 429]


# --- leaving ----------------------------------------------------------------------------------------------------------
def dead(api: Api) -> None:
    """Neither token of this client is worth anything (R-06)."""
    assert_is_error(api.get(where(api)), 401, "unauthorized")
    assert_is_error(api.post("/auth/refresh-token", {"refresh_token": api.refresh_token}), 400)


def test_deactivating_ends_everything_until_staff_reopen(enter: Enter, visitor: Api, store: Store) -> None:
    here, elsewhere = enter("asha@example.com"), enter("asha@example.com")
    assert_matches("deactivate-user", here.put(where(here, "/deactivate")))
    dead(here)
    dead(elsewhere)
    asked = visitor.post("/auth/login/email", {"email": "asha@example.com", "register_if_not_exists": True})
    assert asked.status_code == 200
    from accounts import otp

    challenge = newest_challenge()
    assert challenge.decoy
    assert_is_error(answer(visitor, asked, code=otp._code(challenge)), 400, "invalid_otp")
    assert User.objects.count() == 1
    services.reactivate(store=store, user_id=here.user_id, now=timezone.now())
    assert enter("asha@example.com").user_id == here.user_id
    dead(elsewhere)
    assert set(Session.objects.exclude(end_reason="").values_list("end_reason", flat=True)) == {"deactivated"}


def test_a_code_that_was_out_when_the_account_closed_opens_nothing(enter: Enter, visitor: Api) -> None:
    account = enter("asha@example.com")
    asked = visitor.post("/auth/login/email", {"email": "asha@example.com"})
    code = last_code()
    account.put(where(account, "/deactivate"))
    assert_is_error(answer(visitor, asked, code=code), 400, "otp_expired")


def test_deleting_removes_the_person_and_keeps_the_row(
    shopper: Api,
    enter: Enter,
    heard: Any,
    django_capture_on_commit_callbacks: Any,
) -> None:
    shopper.put(where(shopper), {"first_name": "Asha", "phone": "9876543210", "business": {"type": "x", "name": "Y"}})
    upload(shopper, picture())
    with django_capture_on_commit_callbacks(execute=True):
        assert_matches("delete-user", shopper.delete(where(shopper)))
    dead(shopper)
    row = User.objects.get()
    shown = (row.first_name, row.last_name, row.email, row.phone, row.password, row.profile_image)
    assert set(shown) == {""} and row.deleted_at and not row.is_email_verified and row.login_methods == []
    customer = Customer.objects.get()
    assert customer.business is None and customer.erased_at
    assert files() == []
    (erased,) = named(heard, "shopper.erased")
    assert erased["user_id"] == shopper.user_id == erased["customer_id"]
    assert "asha" not in str(list(SecurityEvent.objects.values())).lower()
    assert "asha@example.com" not in Message.objects.values_list("to", flat=True)
    assert enter("asha@example.com").user_id != shopper.user_id


def test_a_primary_user_takes_the_others_along_and_another_user_only_itself(
    enter: Enter,
    store: Store,
    heard: Any,
) -> None:
    primary, second, third = enter("a@example.com"), enter("b@example.com"), enter("c@example.com")
    members = [second.user_id, third.user_id]
    User.objects.filter(pk__in=members).update(customer_id=primary.user_id, is_primary=False)
    assert second.delete(where(second)).status_code == 200
    dead(second)
    assert Customer.objects.get(pk=primary.user_id).erased_at is None
    assert third.get(where(third)).status_code == 200
    refused = third.put(where(third), {"business": {"type": "x", "name": "Y"}})
    assert_is_error(refused, 400, "primary_user_only", "business")
    assert primary.delete(where(primary)).status_code == 200
    dead(primary)
    dead(third)
    assert Customer.objects.get(pk=primary.user_id).erased_at
    assert {payload["user_id"] for payload in named(heard, "shopper.erased")} == {*members, primary.user_id}


def test_a_client_may_send_back_the_whole_user_as_it_was_read(enter: Enter) -> None:
    """Also a business without a type, and one with tax numbers that the user's shape does not show."""
    primary, second = enter("a@example.com"), enter("b@example.com")
    User.objects.filter(pk=second.user_id).update(customer_id=primary.user_id, is_primary=False)
    assert primary.post("/customers", {"business": {"name": "Rao", "pan_number": "AAPFU0931F"}}).status_code == 200
    before = Customer.objects.values_list("business", flat=True).get(pk=primary.user_id)
    for api in (primary, second):
        read = api.get(where(api)).json()["content"]["user"]
        assert read["business"]["type"] == ""
        saved = assert_matches("update-user", api.put(where(api), read | {"last_name": "Rao"}))["user"]
        assert (saved["last_name"], saved["business"]) == ("Rao", read["business"])
    assert Customer.objects.values_list("business", flat=True).get(pk=primary.user_id) == before


def test_the_tokens_of_a_logged_out_shopper_die_with_the_account(enter: Enter) -> None:
    elsewhere = enter("asha@example.com")
    elsewhere.take(elsewhere.post("/auth/logout"))
    assert elsewhere.post("/auth/verified-email-phone", {}).status_code == 200
    here = enter("asha@example.com")
    assert here.delete(where(here)).status_code == 200
    assert_is_error(elsewhere.post("/auth/verified-email-phone", {}), 401, "unauthorized")
    refused = elsewhere.post("/auth/refresh-token", {"refresh_token": elsewhere.refresh_token})
    assert_is_error(refused, 400, "invalid_refresh_token")


def test_leaving_takes_a_login(visitor: Api) -> None:
    assert_is_error(visitor.delete(where(visitor)), 401, "login_required")
    assert_is_error(visitor.put(where(visitor, "/deactivate")), 401, "login_required")


# --- housekeeping -----------------------------------------------------------------------------------------------------
def test_the_sweep_empties_and_then_deletes_what_is_over(enter: Enter, visitor: Api) -> None:
    account = enter("asha@example.com")
    visitor.post("/auth/register/email", {"email": "new@example.com", "first_name": "Secret"})
    now = timezone.now()
    services.purge(now=now, batch=10)
    assert OtpChallenge.objects.filter(contact="new@example.com").exists()
    services.purge(now=now + timedelta(minutes=6), batch=10)
    challenge = OtpChallenge.objects.get(voided_at__isnull=False)
    assert challenge.contact == "" and challenge.pending == {}
    services.purge(now=now + timedelta(days=2), batch=1)
    services.purge(now=now + timedelta(days=2), batch=1)
    assert not OtpChallenge.objects.exists()
    with time_machine.travel(now + timedelta(days=10)):
        account.take(account.post("/auth/refresh-token", {"refresh_token": account.refresh_token}))
        services.purge(now=timezone.now(), batch=10)
        assert RefreshToken.objects.count() == 2  # the used one still proves a theft
    services.purge(now=now + timedelta(days=31), batch=10)
    assert not RefreshToken.objects.exists() and Session.objects.exists()
    services.purge(now=now + timedelta(days=61), batch=10)
    assert not Session.objects.exists() and User.objects.exists()
