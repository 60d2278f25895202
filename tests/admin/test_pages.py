"""Every page of the back office answers, loads nothing from outside, and asks the database no more for more rows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.contrib.auth import get_user_model
from django.db import connection
from django.forms import CheckboxInput, MultiWidget
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from storefront import panels
from storefront.admin_base import site
from storefront.models import Store
from storefront.staff.middleware import policy
from tests.admin.rows import MAKERS
from tests.contract import assert_is_error

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
            if response["Content-Type"].startswith("application/json"):  # what scripts of a page ask
                response.json()
            else:
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


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_an_address_with_nul_is_refused_before_a_database_sees_it(staff, store, model):
    row = MAKERS[model](store, 1)
    for page in ("change", "history", "delete"):
        address = _address(model, page, row.pk).replace(str(row.pk), "%00")
        with CaptureQueriesContext(connection) as captured:
            answer = staff.get(address)
        assert (answer.status_code, len(captured)) == (404, 0), address
    for query in ("q", "state__exact", "store__id__exact", "store__pk__exact"):
        with CaptureQueriesContext(connection) as captured:
            answer = staff.get(_address(model, "changelist") + f"?{query}=%00")
        assert_is_error(answer, 400, "malformed_query")
        assert not captured


# --- queries --------------------------------------------------------------------------------------------------------
def _queries(client: Client, address: str) -> int:
    client.get(address)  # content types and the like are remembered after the first time
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_lists_ask_no_more_for_thirty_rows_than_for_two(staff, store, other_store, model):
    stores = (store, other_store)
    for number in range(2):
        MAKERS[model](stores[number % 2], number)
    few = _queries(staff, _address(model, "changelist"))
    for number in range(2, 30):
        MAKERS[model](stores[number % 2], number)
    assert _queries(staff, _address(model, "changelist")) == few
    assert few <= 12


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_the_pages_of_a_row_answer(staff, store, other_store, model):
    row = MAKERS[model](store, 1)
    _check(staff.get(_address(model, "change", row.pk)))
    _check(staff.get(_address(model, "history", row.pk)))
    assert staff.get(_address(model, "change", row.pk)).status_code == 200
    assert staff.get(_address(model, "delete", row.pk)).status_code in {200, 403}
    assert staff.get(_address(model, "change", "no-such-row")).status_code == 404


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_actions_of_a_row_wait_for_a_second_click_or_a_post(staff, store, model):
    """A link that somebody else's page, or a preview, may open changes nothing."""
    row = MAKERS[model](store, 1)
    admin = site._registry[model]
    before = model._default_manager.filter(pk=row.pk).values().get()
    for action in admin._get_base_actions_detail():
        response = staff.get(_address(model, "change", row.pk).replace("/change/", f"/{action.path}/"))
        assert response.status_code in {200, 302, 405}, action.action_name
        assert model._default_manager.filter(pk=row.pk).values().get() == before, action.action_name


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_a_row_saved_as_it_is_stays_as_it_is(staff, store, model):
    """The form of a page can carry what it shows: nothing is lost or changed by opening and saving."""
    row = MAKERS[model](store, 1)
    page = staff.get(_address(model, "change", row.pk))
    if not page.context["has_change_permission"]:
        assert staff.post(_address(model, "change", row.pk), {}).status_code == 403
        return
    before = model._default_manager.filter(pk=row.pk).values().get()
    response = staff.post(_address(model, "change", row.pk), _as_sent(page))
    assert response.status_code == 302, (response.context["errors"], response.context["adminform"].form.errors)
    after = model._default_manager.filter(pk=row.pk).values().get()
    ignored = {"modified_at", "document", "detail_document", "item_document", "line_document", "own_attributes"}
    ignored |= {"visible", "category_ids"}  # made anew from the rest
    assert {name: value for name, value in after.items() if name not in ignored} == {
        name: value for name, value in before.items() if name not in ignored
    }


def _as_sent(page: Any) -> dict[str, Any]:
    """What a browser would send for the forms of a page, whose moments are as the clocks of its store have them."""
    row = page.context["adminform"].form.instance
    store = row if isinstance(row, Store) else getattr(row, "store", None) or Store.objects.get()
    with timezone.override(store.zone):
        return _all_sent(page)


def _all_sent(page: Any) -> dict[str, Any]:
    forms = [page.context["adminform"].form]
    sent: dict[str, Any] = {}
    for formset in (wrapped.formset for wrapped in page.context["inline_admin_formsets"]):
        forms += [formset.management_form, *formset.forms]
    for form in forms:
        for field in form:
            _collect(sent, field.html_name, field.field.widget, field.value())
    return sent


def _collect(sent: dict[str, Any], name: str, widget: Any, value: Any) -> None:
    widget = widget.widget if isinstance(widget, RelatedFieldWidgetWrapper) else widget
    if isinstance(widget, MultiWidget):
        values = value if isinstance(value, list | tuple) else widget.decompress(value)
        names = widget.widgets_names
        for suffix, part, found in zip(names, widget.widgets, [*values, *[None] * len(names)], strict=False):
            _collect(sent, name + suffix, part, found)
        return
    if isinstance(widget, CheckboxInput):
        if value:
            sent[name] = "on"
        return
    shown = widget.format_value(value)
    if shown not in (None, [], ""):
        sent[name] = shown if not isinstance(shown, list) or widget.allow_multiple_selected else shown[0]


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


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_an_empty_list_says_what_fills_it(staff, store, model):
    """A way to add a row, or a word on where rows come from; and a search that finds nothing leads back."""
    admin = site._registry[model]
    text = staff.get(_address(model, "changelist"), follow=True).content.decode()
    if "Nothing here yet" in text:
        assert admin.empty_hint or f'href="{_address(model, "add")}"' in text
    if admin.search_fields:
        text = staff.get(_address(model, "changelist"), {"q": "zzzzzzzz-no-such"}).content.decode()
        assert "Nothing fits" in text
        assert 'href="?"' in text


def test_a_chart_without_figures_says_so(staff, store):
    text = staff.get("/admin/").content.decode()
    assert text.count("Nothing in this period yet.") == len(panels._registry.charts)
    assert "<canvas" not in text
