"""Every page of the back office answers, loads nothing from outside, and asks the database no more for more rows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from storefront import panels, services
from storefront.admin_base import site
from storefront.models import ApiKey, Channel, CustomerGroup
from storefront.staff.middleware import policy

pytestmark = pytest.mark.django_db

MODELS = sorted(site._registry, key=lambda model: model._meta.label)
IDS = [model._meta.label for model in MODELS]
_OUTSIDE = re.compile(r"""(?:src|href|action)\s*=\s*["'](?:https?:)?//""", re.IGNORECASE)


def _address(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def _check(response: Any) -> str:
    text = response.content.decode()
    found = _OUTSIDE.search(text)
    assert found is None, text[max(found.start() - 80, 0) : found.end() + 80] if found else ""
    assert "default-src 'self'" in response["Content-Security-Policy"]
    assert re.search(r"<script(?![^>]*\bsrc=)[^>]*>", text) is None, "inline scripts do not run under our policy"
    return text


@pytest.mark.parametrize("model", MODELS, ids=IDS)
@pytest.mark.parametrize("stores", [1, 2])
def test_list_and_add_pages_answer(staff, store, request, model, stores):
    if stores == 2:
        request.getfixturevalue("other_store")
    response = staff.get(_address(model, "changelist"), follow=True)
    assert response.status_code == 200
    _check(response)
    response = staff.get(_address(model, "add"))
    assert response.status_code in {200, 403}  # 403: nobody adds such rows by hand
    if response.status_code == 200:
        _check(response)


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_search_and_filters_of_lists_take_anything(staff, store, other_store, model):
    admin = site._registry[model]
    address = _address(model, "changelist")
    if admin.search_fields:
        assert staff.get(address, {"q": "a'\"%_\\ 😀"}).status_code == 200
    assert staff.get(address, {"nonsense": "1"}).status_code in {200, 302}
    assert staff.get(address, {"p": "999999", "o": "x.9"}).status_code in {200, 302}


def test_pages_of_apps_answer(staff, store):
    for page in site.pages:
        if "<" not in page.path and page.name != "test-refusal":
            response = staff.get(reverse(f"admin:{page.name}"), follow=True)
            assert response.status_code == 200, page.name
            _check(response)


def test_a_page_of_an_app_is_guarded_and_keeps_the_frame(staff, browser, store):
    assert reverse("admin:test-greeting") == "/admin/test/greeting/"
    text = _check(staff.get("/admin/test/greeting/"))
    assert "Hello from a page" in text
    assert text.count('href="/admin/test/greeting/"') == 1  # its menu entry
    get_user_model().objects.create_user("hugo", password="x", is_staff=True)
    browser.force_login(get_user_model().objects.get(username="hugo"))
    assert browser.get("/admin/test/greeting/").status_code == 403


def test_a_refusal_of_a_service_is_a_page_and_not_a_failure(staff, store):
    response = staff.get("/admin/test/refusal/")
    assert response.status_code == 409
    assert "Not while it rains" in _check(response)


@pytest.mark.parametrize("name", ["index", "security", "enrol", "password_change"])
def test_pages_of_the_site_answer(staff, store, name):
    response = staff.get(reverse(f"admin:{name}"))
    assert response.status_code == 200
    _check(response)


def test_sign_in_pages_load_nothing_from_outside(browser, enrolled, log_in):
    _check(browser.get("/admin/login/"))
    log_in()
    _check(browser.get("/admin/second-step/"))


def test_the_page_after_signing_out_loads_nothing_from_outside(staff):
    response = staff.post("/admin/logout/")
    assert response.status_code == 200
    _check(response)
    assert staff.get("/admin/").status_code == 302


def test_the_policy_names_other_hosts_only_for_the_shop_s_own_files(settings, configure):
    assert "http" not in policy()
    configure(STAFF_IMAGE_ORIGINS=("https://pictures.example",))
    settings.STATIC_URL = "https://static.shop.example/s/"
    settings.MEDIA_URL = "https://media.shop.example/"
    parts = dict(part.split(" ", 1) for part in policy().split("; "))
    assert "https://static.shop.example" in parts["script-src"]
    assert "https://media.shop.example" in parts["img-src"]
    assert "https://pictures.example" in parts["img-src"]
    assert "media" not in parts["script-src"]
    assert "pictures" not in parts["script-src"] + parts["default-src"]
    assert "'unsafe-inline'" not in parts["script-src"]


def test_nobody_sees_a_page_without_signing_in(browser, store):
    for pattern in ("index", "security", *(page.name for page in site.pages if "<" not in page.path)):
        response = browser.get(reverse(f"admin:{pattern}"))
        assert response.status_code == 302, pattern
        assert response.url.startswith("/admin/login/"), pattern
    for model in MODELS:
        assert browser.get(_address(model, "changelist")).status_code == 302


def test_staff_see_only_what_their_rights_allow(browser, store):
    get_user_model().objects.create_user("hugo", password="x", is_staff=True)
    browser.force_login(get_user_model().objects.get(username="hugo"))
    home = browser.get("/admin/").content.decode()
    for model in MODELS:
        address = _address(model, "changelist")
        assert browser.get(address).status_code == 403, model
        assert f'href="{address}"' not in home
    for page in site.pages:
        if page.permission and "<" not in page.path:
            assert browser.get(reverse(f"admin:{page.name}")).status_code == 403


def test_the_menu_names_every_list_once(staff, store):
    home = staff.get("/admin/").content.decode()
    for model, admin in site._registry.items():
        if getattr(admin, "menu", None) != "":
            assert home.count(f'href="{_address(model, "changelist")}"') >= 1, model


def test_an_address_without_its_last_slash_leads_on(staff):
    assert staff.get("/admin/storefront/store").url == "/admin/storefront/store/"
    assert staff.get("/admin/no/such/page/").status_code == 404


# --- queries --------------------------------------------------------------------------------------------------------
def _queries(client: Client, address: str) -> int:
    client.get(address)  # content types and the like are remembered after the first time
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


@pytest.mark.parametrize("model", [Channel, CustomerGroup, ApiKey], ids=lambda model: model.__name__)
def test_lists_ask_no_more_for_thirty_rows_than_for_two(staff, store, other_store, model):
    def fill(count: int) -> None:
        for number in range(count):
            home = (store, other_store)[number % 2]
            name = f"{model.objects.count()}-{number}"
            if model is Channel:
                Channel.objects.create(store=home, name=name)
            elif model is CustomerGroup:
                CustomerGroup.objects.create(store=home, name=name, slug=name)
            else:
                channel = Channel.objects.create(store=home, name=name)
                services.create_key(store=home, name=name, channel=channel)

    fill(2)
    few = _queries(staff, _address(model, "changelist"))
    fill(28)
    assert _queries(staff, _address(model, "changelist")) == few
    assert few <= 9


def test_the_dashboard_asks_each_figure_once_a_minute(staff, store, other_store):
    staff.get("/admin/")
    with CaptureQueriesContext(connection) as first:
        staff.get("/admin/?store=demo")
    with CaptureQueriesContext(connection) as second:
        text = staff.get("/admin/?store=demo").content.decode()
    figures = len(panels._registry.tiles) + len(panels._registry.charts)
    assert len(second) <= 4, second.captured_queries  # session, user, second factor, stores
    assert len(first) - len(second) <= 2 * figures
    assert text.count("data-tile=") == len(panels._registry.tiles)


def test_a_panel_of_another_app_shows_on_the_page_and_respects_rights(staff, store, monkeypatch):
    monkeypatch.setattr(panels._registry, "panels", {})
    panels.register(
        "storefront.store",
        title="Extra",
        compute=lambda request, row: panels.Table(("A",), [(f"<b>{row.pk}</b>",)], facts=[("Fact", 7)]),
    )
    panels.register(
        "storefront.store", title="Secret", permission="no.such", compute=lambda request, row: panels.Table()
    )
    address = _address(type(store), "change", store.pk)
    text = staff.get(address).content.decode()
    assert "Extra" in text
    assert "&lt;b&gt;demo&lt;/b&gt;" in text

    helper = get_user_model().objects.create_user("hugo", password="x", is_staff=True)
    from django.contrib.auth.models import Permission

    helper.user_permissions.set(Permission.objects.filter(codename="view_store"))
    staff.force_login(helper)
    text = staff.get(address).content.decode()
    assert "Extra" in text
    assert "Secret" not in text
