"""Staff who are limited to some stores meet nothing of another: on no page, in no select, search, file or figure."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO, StringIO
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.db import models
from django.forms import BaseForm, ModelChoiceField
from django.test import Client
from django.urls import reverse

from promotions.models import Coupon
from storefront import scope, services
from storefront.admin_base import site
from storefront.errors import StoreNotFound
from storefront.imports import jobs
from storefront.models import CountryState, Pincode, StaffStores, Store
from storefront.scope import StoreManager
from storefront.selectors import forget
from storefront.selectors import store as store_by_id
from storefront.staff import stores
from tests.admin.rows import MAKERS

pytestmark = pytest.mark.django_db

NAME = "Elsewhere Emporium"
StaffUser = get_user_model()
NOBODYS = {CountryState, Pincode, Group}  # the same for every store
OWN_RULES = {Store, StaffUser}
MODELS = sorted(site._registry, key=lambda model: model._meta.label)
SCOPED = [model for model in MODELS if model not in NOBODYS | OWN_RULES]


@pytest.fixture
def elsewhere(store: Store) -> Store:
    return services.create_store(store_id="elsewhere", name=NAME, debug_mode=True)


@pytest.fixture
def helper(store: Store) -> Any:
    """Has every right, in one store."""
    user = StaffUser.objects.create_user("hugo", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    stores.limit(user=user, stores=[store])
    return user


@pytest.fixture
def limited(helper: Any) -> Client:
    client = Client()
    client.force_login(helper)
    return client


def _shows_nothing(answer: Any, *rows: Any) -> None:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    text = body.decode(errors="replace")
    assert NAME not in text
    for row in rows:
        if isinstance(row.pk, str) and len(row.pk) > 12:  # short ids and numbers may be anything
            assert row.pk not in text
        assert f"/{row._meta.model_name}/{row.pk}/" not in text


def _patterns(model: Any) -> list[tuple[str, Any]]:
    """Every address of a model's pages, with what it takes."""
    root = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return [(root, pattern) for pattern in site._registry[model].get_urls()]


# --- pages of models ------------------------------------------------------------------------------------------------
def test_every_model_with_pages_is_covered():
    """Pages for a new model need a row of it (`rows.MAKERS`), and a reason here if it belongs to no store."""
    assert set(MODELS) == set(SCOPED) | NOBODYS | OWN_RULES
    for model in SCOPED:
        assert model._meta.get_field("store").related_model is Store, model
        assert model in MAKERS, model
    for model in NOBODYS:
        assert not any(field.related_model is Store for field in model._meta.get_fields()), model


@pytest.mark.parametrize("model", SCOPED, ids=lambda model: model._meta.label)
def test_a_row_of_another_store_is_met_nowhere(limited, helper, elsewhere, rf, model):
    row = MAKERS[model](elsewhere, 1)
    before = _facts(row)
    for root, pattern in _patterns(model):
        takes = set(pattern.pattern.converters)
        address = root + str(pattern.pattern).replace("<path:object_id>", str(row.pk))
        if takes == {"object_id"}:
            wanted = {404} if pattern.name else {302}  # Django's old addresses lead to the change page unseen
            if address.endswith(("/delete/", "/change/")):
                wanted |= {403}  # where nobody deletes or changes anything, whichever row it is
            assert pattern.name is None or limited.get(address.replace("/delete/", "/change/")).status_code == 404
            for answer in (limited.get(address), limited.post(address, {"post": "yes", "confirm": "1"})):
                assert answer.status_code in wanted, (address, answer.status_code)
                _shows_nothing(answer) if pattern.name else None
        elif not takes:
            _shows_nothing(limited.get(address, follow=True), row)
        else:
            pytest.fail(f"{address} takes {takes}: say here which object of another store it could show")
    if site._registry[model].search_fields:
        for term in (str(row.pk), str(row)[:20]):
            _shows_nothing(limited.get(root, {"q": term + " "}), *([row] if term != str(row.pk) else []))
    _shows_nothing(limited.get(root, {"store__id__exact": elsewhere.pk}, follow=True), row)
    request = rf.get("/")
    request.user = helper
    for name in site._registry[model].get_actions(request):
        sent = {"action": name, "_selected_action": [str(row.pk)], "post": "yes", "confirmed": "1", "index": "0"}
        answer = limited.post(root, sent, follow=True)
        assert answer.status_code == 200, name
        _shows_nothing(answer, row)
    assert _facts(row) == before


@pytest.mark.parametrize("model", SCOPED, ids=lambda model: model._meta.label)
def test_forms_offer_and_take_nothing_of_another_store(limited, store, elsewhere, model):
    """Selects of the row's own form and of its inlines, and what a search for a foreign key finds."""
    mine, theirs = MAKERS[model](store, 1), MAKERS[model](elsewhere, 1)
    page = limited.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[mine.pk]))
    assert page.status_code == 200
    _shows_nothing(page, theirs)
    forms = [page.context["adminform"].form]
    forms += [form for inline in page.context["inline_admin_formsets"] for form in inline.formset.forms]
    with scope.limited_to(frozenset({store.pk})):
        for form in forms:
            for name, field in form.fields.items():
                if isinstance(field, ModelChoiceField) and _of_a_store(field.queryset.model):
                    found = {row.pk if isinstance(row, Store) else row.store_id for row in field.queryset.all()}
                    assert found <= {store.pk}, name
    for field in (*model._meta.fields, *model._meta.many_to_many):
        target = site._registry.get(field.related_model)
        if target is None or not target.search_fields or field.related_model not in SCOPED:
            continue
        asked = {"app_label": model._meta.app_label, "model_name": model._meta.model_name, "field_name": field.name}
        answer = limited.get(reverse("admin:autocomplete"), {**asked, "term": ""})
        if answer.status_code == 200:
            ids = {str(found["id"]) for found in answer.json()["results"]}
            foreign = field.related_model._base_manager.filter(store=elsewhere).values_list("pk", flat=True)
            assert not ids & {str(pk) for pk in foreign}, field.name


def _of_a_store(model: Any) -> bool:
    return model is Store or any(field.related_model is Store for field in model._meta.fields)


def _facts(row: Any) -> Any:
    return type(row)._base_manager.filter(pk=row.pk).values().get()


# --- pages of apps --------------------------------------------------------------------------------------------------
def _import(shop: Store, kind: str = "products") -> Any:
    rows = {"products": b"product,sku,name\nz-1,Z-1,Elsewhere Emporium tea\n,,\n", "customers": b"email\nno-address\n"}
    return jobs.begin(
        kind=kind,
        store=shop,
        file=BytesIO(rows[kind]),
        name=f"{NAME}.csv",
        format="csv",
        dry_run=True,
        made_by=NAME,
        upload=True,
    )


def _coupon(shop: Store) -> Any:
    return MAKERS[Coupon](shop, 1)


def _customer(shop: Store) -> Any:
    return MAKERS[apps.get_model("storefront_customers.Customer")](shop, 1)


# Of every page with something in its address: what it takes of another store. Then all of its answers are 404.
WITH_OBJECT: dict[str, Callable[[Store, Client], list[Any]]] = {
    "customers-export": lambda shop, client: [shop.pk],
    "catalog-import-job": lambda shop, client: [_import(shop).pk],
    "catalog-import-errors": lambda shop, client: [_import(shop).pk],
    "catalog-export": lambda shop, client: [shop.pk, "csv"],
    "accounts-import-job": lambda shop, client: [_import(shop, "customers").pk],
    "accounts-import-errors": lambda shop, client: [_import(shop, "customers").pk],
    "promotions-codes": lambda shop, client: [_coupon(shop).pk],
    "promotions-codes-file": lambda shop, client: [_coupon(shop).pk],
    "wallets-credit": lambda shop, client: [shop.pk, _customer(shop).pk],
    "wallets-points": lambda shop, client: [shop.pk, _customer(shop).pk],
    "newsletter-export": lambda shop, client: [shop.pk],
}
# Of every other page: how one might ask it for another store.
WITHOUT_OBJECT: dict[str, dict[str, str]] = {
    "messaging_inbox": {"store": "elsewhere"},
    "catalog-import": {"store": "elsewhere"},
    "catalog-bulk-edit": {},
    "accounts-import": {"store": "elsewhere"},
    "promotions-search": {"store": "elsewhere", "kind": "products", "q": "Tea", "what": "products"},
    "promotions-simulator": {"store": "elsewhere"},
    "wallets-gift-cards": {"store": "elsewhere"},
    "delivery-tester": {"store": "elsewhere", "pincode": "560001", "country": "IN"},
    "test-greeting": {},
    "test-refusal": {},
}
SITE_PAGES = {"index": {"store": "elsewhere"}, "search": {"s": "elsewhere"}, "security": {}, "password_change": {}}


def test_every_page_of_an_app_is_covered():
    """A new page says above what it could show of another store."""
    assert {page.name for page in site.pages if "<" in page.path} == set(WITH_OBJECT)
    assert {page.name for page in site.pages if "<" not in page.path} == set(WITHOUT_OBJECT)
    named = {pattern.name for pattern in site.get_urls() if getattr(pattern, "name", None)}
    known = {*WITH_OBJECT, *WITHOUT_OBJECT, *SITE_PAGES, "login", "logout", "password_change_done", "autocomplete"}
    known |= {"jsi18n", "view_on_site", "app_list", "second_step", "enrol"}
    assert named - known <= {"toggle_sidebar"}, named - known


@pytest.mark.parametrize("name", sorted(WITH_OBJECT))
def test_a_page_about_something_of_another_store_is_not_there(limited, elsewhere, name):
    address = reverse(f"admin:{name}", args=WITH_OBJECT[name](elsewhere, limited))
    for answer in (limited.get(address), limited.post(address, {"wish": "apply", "confirm": "1"})):
        assert answer.status_code == 404
        _shows_nothing(answer)


@pytest.mark.parametrize("name", sorted({**WITHOUT_OBJECT, **SITE_PAGES}))
def test_a_page_about_all_stores_shows_those_of_the_member_of_staff(limited, elsewhere, name):
    coupon, job = _coupon(elsewhere), _import(elsewhere)
    for label in ("storefront_catalog.Product", "storefront_messaging.Message", "storefront_carts.Cart"):
        MAKERS[apps.get_model(label)](elsewhere, 2)
    asked = {**WITHOUT_OBJECT, **SITE_PAGES}[name]
    address = reverse(f"admin:{name}")
    _shows_nothing(limited.get(address), coupon, job)
    answer = limited.get(address, asked)
    assert answer.status_code < 500
    _shows_nothing(answer, coupon, job)
    answer = limited.post(address, asked)
    assert answer.status_code < 500
    _shows_nothing(answer, coupon, job)


def test_figures_of_staff_who_see_other_stores_are_kept_apart(staff, limited, store, elsewhere):
    """The dashboard keeps its figures for a minute: they are those of the stores that are shown."""
    tea = apps.get_model("storefront_carts.Cart")
    for shop in (store, elsewhere, elsewhere):
        MAKERS[tea](shop, 1)
    every = {tile["tile"].key: tile["figure"].value for tile in staff.get("/admin/").context["tiles"]}
    mine = {tile["tile"].key: tile["figure"].value for tile in limited.get("/admin/").context["tiles"]}
    assert every["carts.active"] == 3
    assert mine["carts.active"] == 1
    assert {tile["tile"].key: tile["figure"].value for tile in staff.get("/admin/").context["tiles"]} == every


def test_who_sees_two_of_three_stores_chooses_between_them(limited, helper, store, other_store, elsewhere):
    stores.limit(user=helper, stores=[store, other_store])
    home = limited.get("/admin/").content.decode()
    assert "?store=other" in home and "?store=elsewhere" not in home
    page = limited.get("/admin/storefront/channel/add/")
    assert set(page.context["adminform"].form.fields["store"].queryset) >= {store, other_store}
    _shows_nothing(page)
    answer = limited.post("/admin/storefront/channel/add/", {"store": "elsewhere", "name": "Kiosk", "type": "pos"})
    assert answer.status_code == 200
    assert "store" in answer.context["adminform"].form.errors
    assert not apps.get_model("storefront.Channel").objects.filter(name="Kiosk").exists()


def test_the_only_store_of_a_member_of_staff_is_filled_in(limited, store, elsewhere):
    assert limited.post("/admin/storefront/channel/add/", {"name": "Kiosk", "type": "pos"}).status_code == 302
    assert apps.get_model("storefront.Channel").objects.get(name="Kiosk").store == store


def test_a_download_that_is_made_while_it_is_sent_stays_limited(limited, store):
    address = reverse("admin:catalog-export", args=[store.pk, "csv"])
    seen: list[Any] = []
    real = StoreManager.get_queryset

    def noted(self: Any) -> Any:
        seen.append(scope.stores())
        return real(self)

    answer = limited.get(address)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StoreManager, "get_queryset", noted)
        b"".join(answer.streaming_content)
    assert set(seen) == {frozenset({store.pk})}
    assert scope.stores() is None


# --- stores themselves ----------------------------------------------------------------------------------------------
def test_another_store_has_no_page_and_none_is_opened(limited, store, elsewhere):
    text = limited.get("/admin/storefront/store/").content.decode()
    assert "/admin/storefront/store/demo/change/" in text
    assert NAME not in text
    for page in ("change", "history"):
        assert limited.get(f"/admin/storefront/store/elsewhere/{page}/").status_code == 404
    assert limited.get("/admin/storefront/store/add/").status_code == 403
    assert limited.get("/admin/storefront/store/demo/change/").status_code == 200


def test_a_remembered_store_is_not_found_either(elsewhere):
    assert store_by_id("elsewhere") == elsewhere  # kept in the process from now on
    with scope.limited_to(frozenset({"demo"})), pytest.raises(StoreNotFound):
        store_by_id("elsewhere")
    forget()


# --- who is limited -------------------------------------------------------------------------------------------------
def test_staff_see_all_stores_unless_somebody_limits_them(browser, store, elsewhere):
    user = StaffUser.objects.create_user("berta", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_store"))
    browser.force_login(user)
    assert NAME in browser.get("/admin/storefront/store/").content.decode()
    stores.limit(user=user, stores=[])
    assert "/change/" not in browser.get("/admin/storefront/store/").content.decode()
    assert browser.get("/admin/").status_code == 200
    stores.limit(user=user, stores=None)
    assert NAME in browser.get("/admin/storefront/store/").content.decode()


def test_superusers_see_all_stores_whatever_was_chosen(staff, superuser, store, elsewhere):
    stores.limit(user=superuser, stores=[store])
    assert NAME in staff.get("/admin/storefront/store/").content.decode()


def test_a_closed_limit_stays_closed_when_its_store_goes(helper, elsewhere):
    stores.limit(user=helper, stores=[elsewhere])
    elsewhere.delete()
    assert stores.seen_by(helper) == frozenset()


def test_a_superuser_limits_staff_on_their_page(staff, helper, store, elsewhere):
    address = f"/admin/auth/user/{helper.pk}/change/"
    page = staff.get(address)
    form = page.context["inline_admin_formsets"][0].formset.forms[0]
    assert form.initial["all_stores"] is False
    sent = _sent(helper) | {
        "staff_stores-TOTAL_FORMS": "1",
        "staff_stores-INITIAL_FORMS": "1",
        "staff_stores-0-staff": str(helper.pk),
        "staff_stores-0-stores": ["elsewhere"],
    }
    assert staff.post(address, sent).status_code == 302
    assert stores.seen_by(helper) == {"elsewhere"}
    assert NAME in staff.get("/admin/auth/user/").content.decode()


def test_nobody_else_does(limited, helper, store, elsewhere):
    address = f"/admin/auth/user/{helper.pk}/change/"
    assert limited.get(address).status_code == 200
    sent = _sent(helper) | {
        "staff_stores-TOTAL_FORMS": "1",
        "staff_stores-INITIAL_FORMS": "1",
        "staff_stores-0-staff": str(helper.pk),
        "staff_stores-0-all_stores": "on",
        "staff_stores-0-stores": ["elsewhere"],
    }
    limited.post(address, sent)
    assert stores.seen_by(helper) == {"demo"}


def test_limited_staff_meet_only_staff_who_see_no_more_than_they(limited, helper, superuser, store, elsewhere):
    def member(name: str, seen: Any) -> Any:
        user = StaffUser.objects.create_user(name, password="x", is_staff=True)
        if seen != "no row":
            stores.limit(user=user, stores=seen)
        return user

    hidden = [superuser, member("everywhere", None), member("unlimited", "no row"), member("there", [elsewhere])]
    hidden.append(member("both", [store, elsewhere]))
    shown = [helper, member("here", [store]), member("nowhere", [])]
    for user in hidden:
        for page in ("change/", "password/", "history/", "delete/"):
            assert limited.get(f"/admin/auth/user/{user.pk}/{page}").status_code == 404, (user, page)
    for user in shown:
        assert limited.get(f"/admin/auth/user/{user.pk}/change/").status_code == 200, user


def test_whom_limited_staff_add_sees_no_more_than_they(limited, store, elsewhere):
    sent = {
        "username": "new",
        "password1": "a-Long-enough-1",
        "password2": "a-Long-enough-1",
        "usable_password": "true",
    }
    assert limited.post("/admin/auth/user/add/", sent).status_code == 302
    assert stores.seen_by(StaffUser.objects.get(username="new")) == {"demo"}


def test_the_command_shows_and_sets_what_staff_see(helper, superuser, elsewhere):
    def run(*words: str) -> str:
        out = StringIO()
        call_command("staff_stores", *words, stdout=out)
        return out.getvalue().strip()

    assert run("hugo") == "hugo sees demo."
    assert run("hugo", "--store", "elsewhere", "--store", "demo") == "hugo sees demo, elsewhere."
    assert run("hugo", "--all") == "hugo sees all stores."
    assert run("hugo", "--none") == "hugo sees no store."
    assert run("anna") == "anna is a superuser and sees all stores."
    with pytest.raises(CommandError):
        run("nobody")
    with pytest.raises(CommandError):
        run("hugo", "--store", "missing")
    assert stores.seen_by(helper) == frozenset()


def _sent(user: Any) -> dict[str, Any]:
    return {
        "username": user.username,
        "is_active": "on",
        "is_staff": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "10:00:00",
    }


# --- what holds it together -----------------------------------------------------------------------------------------
# Rows of these are only reached from a row that has a store.
BY_THEIR_PARENT = {
    "storefront.ImportPart",
    "storefront.ImportProblem",
    "storefront_catalog.ProductAttribute_choices",
    "storefront_catalog.ProductImage_variants",
    "storefront.StaffStores_stores",
}
OF_THE_INSTALLATION = {
    "storefront.CountryState",
    "storefront.Pincode",
    "storefront.RateCounter",
    "storefront.StaffStores",
    "storefront.WorkerBeat",
}


def test_every_model_of_a_store_is_read_through_the_manager_that_knows_the_limit():
    for model in apps.get_models(include_auto_created=True):
        if not model._meta.app_label.startswith("storefront"):
            continue
        label = model._meta.label
        if not _of_a_store(model) or label in BY_THEIR_PARENT | OF_THE_INSTALLATION:
            assert label in BY_THEIR_PARENT | OF_THE_INSTALLATION, f"{label} belongs to no store: say why"
            continue
        for manager in model._meta.managers:
            assert isinstance(manager, StoreManager), (label, manager.name)


def test_no_form_keeps_a_choice_of_rows_from_before_its_page_began():
    """A query in a class body begins when the module is imported, where nobody is limited."""
    site.get_urls()

    def below(form: Any) -> Any:
        for child in form.__subclasses__():
            yield child
            yield from below(child)

    checked = 0
    for form in below(BaseForm):
        if form.__module__.startswith(("django.", "unfold.", "tests.")) or (
            hasattr(form, "_meta") and form._meta.model
        ):
            declared = getattr(form, "declared_fields", {})
        else:
            declared = getattr(form, "base_fields", {})
        for name, field in declared.items():
            if isinstance(field, ModelChoiceField) and _of_a_store(field.queryset.model):
                checked += 1
                assert field.queryset.query.is_empty(), f"{form.__module__}.{form.__name__}.{name}: set it in __init__"
    assert checked


def test_a_limit_is_of_its_thread_and_ends(store, elsewhere):
    with scope.limited_to(frozenset({"demo"})):
        assert list(Store.objects.all()) == [store]
        with scope.limited_to(None):
            assert Store.objects.count() == 2
        assert Store.objects.count() == 1
        assert not StaffStores.objects.exists()
    assert Store.objects.count() == 2
    assert isinstance(Store._base_manager, models.Manager)
