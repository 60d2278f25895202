"""Stores, channels, groups and keys as staff handle them."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from PIL import Image

from storefront import crypto, selectors
from storefront.errors import Unauthenticated
from storefront.models import ApiKey, Channel, CountryState, CustomerGroup, Store, StoreTemplate

pytestmark = pytest.mark.django_db

STORE = {
    "name": "Tea house",
    "id": "tea-house",
    "active": "on",
    "language": "en",
    "time_zone": "Asia/Kolkata",
    "currency_code": "INR",
    "default_country": "IN",
    "message_fallback_1": "sms",
    "message_fallback_2": "email",
    "message_fallback_3": "",
    "cart_login_strategy": "merge",
    "cart_days": "30",
    "cart_abandoned_hours": "24",
    "logo_url": "/logo.svg",
    "instagram": "https://instagram.com/tea",
    "metadata": "{}",
}


def _text_of(response: Any) -> str:
    return str(response.content.decode())


def _shown_key(response: Any) -> str:
    found = re.search(r'id="new-key">(pk_[\w-]+)<', _text_of(response))
    assert found
    return found[1]


def test_a_new_store_comes_with_its_channel_and_group(staff):
    response = staff.post("/admin/storefront/store/add/", STORE)
    assert response.status_code == 302, response.context["errors"]
    store = Store.objects.get()
    assert store.pk == "tea-house"
    assert store.countries == ["IN"]
    assert store.message_fallback == ["sms", "email"]
    assert store.brand == {
        "logo_url": "/logo.svg",
        "social_media_links": {"instagram": "https://instagram.com/tea"},
    }
    assert (store.currency_symbol, store.currency_exponent) == ("₹", 2)
    assert Channel.objects.get(store=store).name == "Web"
    assert CustomerGroup.objects.get(store=store).is_default


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "storefront-1"),
        ("id", "No"),
        ("id", "demo"),
        ("name", ""),
        ("default_country", "XX"),
        ("currency_code", "XXX"),
        ("time_zone", "Mars/Base"),
        ("message_fallback_2", "sms"),
        ("metadata", "{broken"),
        ("logo_url", "javascript:alert(1)"),
        ("logo_url", "//elsewhere.example/logo.png"),
        ("colour", "red"),
        ("instagram", "javascript:alert(1)"),
    ],
)
def test_a_store_with_a_bad_value_is_not_made(staff, store, field, value):
    response = staff.post("/admin/storefront/store/add/", STORE | {field: value})
    assert response.status_code == 200
    assert list(Store.objects.values_list("pk", flat=True)) == ["demo"]


def test_the_id_of_a_store_stays(staff, store):
    change = STORE | {"id": "other-id", "default_country": "AE", "other_countries": ["IN"], "currency_code": "KWD"}
    response = staff.post(f"/admin/storefront/store/{store.pk}/change/", change)
    assert response.status_code == 302
    store.refresh_from_db()
    assert store.pk == "demo"
    assert store.name == "Tea house"
    assert store.countries == ["AE", "IN"]
    assert store.currency_exponent == 3
    assert Store.objects.count() == 1


def test_a_changed_store_is_known_at_once(staff, store, django_capture_on_commit_callbacks):
    assert selectors.store("demo").name == "Demo"
    with django_capture_on_commit_callbacks(execute=True):
        staff.post(f"/admin/storefront/store/{store.pk}/change/", STORE)
    assert selectors.store("demo").name == "Tea house"


def test_a_store_is_closed_and_not_deleted(staff, store):
    assert staff.post(f"/admin/storefront/store/{store.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Store.objects.exists()


def test_a_second_default_group_takes_the_place_of_the_first(staff, store):
    first = CustomerGroup.objects.get(store=store)
    fields = {"name": "Wholesale", "slug": "wholesale", "is_default": "on", "active": "on"}
    assert staff.post("/admin/storefront/customergroup/add/", fields).status_code == 302
    first.refresh_from_db()
    assert not first.is_default
    assert CustomerGroup.objects.get(is_default=True).name == "Wholesale"


def test_what_must_be_once_in_a_store_is_told_as_an_error(staff, store, other_store):
    for expected, home in ((200, store), (302, None)):
        fields = {"name": "Web" if home else "Shop app", "type": "web", "store": store.pk}
        assert staff.post("/admin/storefront/channel/add/", fields).status_code == expected
    assert Channel.objects.filter(store=store).count() == 2


def test_the_only_store_is_filled_in_and_checked_against(staff, store):
    page = _text_of(staff.get("/admin/storefront/channel/add/"))
    assert 'name="store"' not in page
    assert staff.post("/admin/storefront/channel/add/", {"name": "Web", "type": "web"}).status_code == 200
    assert staff.post("/admin/storefront/channel/add/", {"name": "App", "type": "app"}).status_code == 302
    assert Channel.objects.get(name="App").store_id == store.pk


def test_a_row_does_not_refer_to_another_store(staff, store, other_store):
    foreign = Channel.objects.get(store=other_store)
    fields = {"store": store.pk, "name": "Key", "channel": foreign.pk, "expires_at_0": "", "expires_at_1": ""}
    response = staff.post("/admin/storefront/apikey/add/", fields)
    assert response.status_code == 200
    assert "belongs to another store" in _text_of(response)
    assert not ApiKey.objects.exists()


def test_the_last_channel_of_a_store_stays(staff, store, channel):
    assert staff.post(f"/admin/storefront/channel/{channel.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Channel.objects.exists()


# --- API keys -------------------------------------------------------------------------------------------------------
@pytest.fixture
def new_key(staff, store, channel) -> tuple[ApiKey, str]:
    fields = {"name": "Site", "channel": channel.pk, "expires_at_0": "", "expires_at_1": ""}
    response = staff.post("/admin/storefront/apikey/add/", fields)
    assert "no-store" in response["Cache-Control"]
    return ApiKey.objects.get(), _shown_key(response)


def test_a_key_is_shown_once_and_stored_hashed(staff, store, new_key):
    key, text = new_key
    assert key.key_hash == crypto.keyed_hash("api-key", text)
    assert text not in str(list(ApiKey.objects.values_list()))
    assert selectors.key_holder(store=store, raw_key=text).key_id == key.pk
    for address in ("", f"{key.pk}/change/", f"{key.pk}/history/"):
        page = _text_of(staff.get(f"/admin/storefront/apikey/{address}"))
        assert text not in page
    assert f"{key.prefix}…" in _text_of(staff.get("/admin/storefront/apikey/"))
    assert LogEntry.objects.filter(object_id=key.pk).exists()
    assert text not in str(list(LogEntry.objects.values_list()))


@pytest.mark.parametrize(("hours", "still_works"), [("0", False), ("1", True), ("24", True), ("168", True)])
def test_a_rotated_key_works_on_for_as_long_as_was_chosen(
    staff, store, new_key, hours, still_works, django_capture_on_commit_callbacks
):
    key, text = new_key
    with django_capture_on_commit_callbacks(execute=True):
        response = staff.post(f"/admin/storefront/apikey/{key.pk}/rotate/", {"overlap": hours})
    successor = _shown_key(response)
    assert selectors.key_holder(store=store, raw_key=successor).channel_id == key.channel_id
    key.refresh_from_db()
    assert key.live is still_works
    assert abs(key.expires_at - timezone.now() - timedelta(hours=int(hours))) < timedelta(minutes=1)
    assert ApiKey.objects.count() == 2
    if not still_works:
        with pytest.raises(Unauthenticated):
            selectors.key_holder(store=store, raw_key=text)


def test_asking_to_rotate_or_revoke_changes_nothing(staff, new_key):
    key, _text = new_key
    for page in ("rotate", "revoke"):
        assert staff.get(f"/admin/storefront/apikey/{key.pk}/{page}/").status_code == 200
    assert staff.post(f"/admin/storefront/apikey/{key.pk}/rotate/", {"overlap": "5000"}).status_code == 200
    key.refresh_from_db()
    assert key.live
    assert key.expires_at is None
    assert ApiKey.objects.count() == 1


def test_a_revoked_key_opens_nothing(staff, store, new_key, django_capture_on_commit_callbacks):
    key, text = new_key
    selectors.key_holder(store=store, raw_key=text)
    with django_capture_on_commit_callbacks(execute=True):
        staff.post(f"/admin/storefront/apikey/{key.pk}/revoke/")
    with pytest.raises(Unauthenticated):
        selectors.key_holder(store=store, raw_key=text)
    assert key.prefix in _text_of(staff.get("/admin/storefront/apikey/?state=revoked"))
    assert key.prefix not in _text_of(staff.get("/admin/storefront/apikey/?state=live"))


def test_keys_are_not_rotated_or_revoked_without_the_right_to_change_them(browser, store, new_key):
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Permission

    key, _text = new_key
    helper = get_user_model().objects.create_user("hugo", password="x", is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(codename="view_apikey"))
    browser.force_login(helper)
    assert browser.get(f"/admin/storefront/apikey/{key.pk}/change/").status_code == 200
    for page in ("rotate", "revoke"):
        assert browser.post(f"/admin/storefront/apikey/{key.pk}/{page}/", {"overlap": "0"}).status_code == 403
    key.refresh_from_db()
    assert key.live
    assert ApiKey.objects.count() == 1


def _picture() -> SimpleUploadedFile:
    file = io.BytesIO()
    Image.new("RGB", (900, 300), "teal").save(file, "PNG")
    return SimpleUploadedFile("logo.png", file.getvalue())


def test_an_uploaded_logo_is_made_anew_and_takes_the_place_of_the_last(
    staff, store, django_capture_on_commit_callbacks
):
    address = f"/admin/storefront/store/{store.pk}/change/"
    names = []
    for _time in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            assert staff.post(address, STORE | {"logo": _picture()}).status_code == 302
        store.refresh_from_db()
        names.append(store.brand["logo_file"])
        assert store.brand["logo_url"].endswith(names[-1])
    assert [default_storage.exists(name) for name in names] == [False, True]
    with default_storage.open(names[1]) as file, Image.open(file) as kept:
        assert (kept.format, kept.size) == ("WEBP", (512, 171))


def test_what_is_no_picture_is_no_logo(staff, store):
    upload = SimpleUploadedFile("logo.png", b"<svg onload='alert(1)'/>")
    assert staff.post(f"/admin/storefront/store/{store.pk}/change/", STORE | {"logo": upload}).status_code == 200
    store.refresh_from_db()
    assert store.brand == {} and store.name == "Demo"


def test_other_keys_of_a_brand_stay(staff, store):
    Store.objects.filter(pk=store.pk).update(
        brand={"font": "Inter", "social_media_links": {"mastodon": "https://m.example"}}
    )
    staff.post(f"/admin/storefront/store/{store.pk}/change/", STORE | {"logo_url": "", "brand_name": "Chai"})
    store.refresh_from_db()
    assert store.brand == {
        "font": "Inter",
        "name": "Chai",
        "social_media_links": {"mastodon": "https://m.example", "instagram": "https://instagram.com/tea"},
    }


def test_html_of_a_policy_keeps_nothing_that_runs(staff, store):
    text = "<h2 onclick='x()'>Terms</h2><script>alert(1)</script><a href='javascript:x()'>a</a><p>Fair.</p>"
    fields = {"kind": "terms_of_service", "title": "Terms", "content_type": "html", "content": text}
    assert staff.post("/admin/storefront/storetemplate/add/", fields).status_code == 302
    kept = StoreTemplate.objects.get()
    assert kept.content == '<h2>Terms</h2><a rel="noopener noreferrer">a</a><p>Fair.</p>'
    assert staff.post("/admin/storefront/storetemplate/add/", fields).status_code == 200
    assert StoreTemplate.objects.count() == 1


def test_the_states_of_india_are_not_kept_twice(staff, store):
    fields = {"country": "IN", "code": "KA", "name": "Karnataka"}
    assert staff.post("/admin/storefront/countrystate/add/", fields).status_code == 200
    assert staff.post("/admin/storefront/countrystate/add/", fields | {"country": "US"}).status_code == 302
    assert [state.pk for state in CountryState.objects.all()] == ["US-KA"]


def test_each_select_of_the_order_of_channels_has_a_name(staff, store):
    text = staff.get(f"/admin/storefront/store/{store.pk}/change/").content.decode()
    for number in (1, 2, 3):
        assert f'aria-label="{number}."' in text
