"""The demo shop: made once, found again, for development only."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from accounts.models import User
from catalog.models import Product
from config import demo
from storefront import selectors
from storefront.models import ApiKey, Store
from tests.conftest import Api

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def development(settings: Any, tmp_path: Path, monkeypatch: Any) -> None:
    settings.DEBUG = True
    settings.VAR_DIR = tmp_path
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.setattr("catalog.demo.build", _with(_build_plainly, "catalog.demo.build"))


def _with(call: Any, path: str) -> Any:
    from django.utils.module_loading import import_string

    real = import_string(path)
    return lambda **named: call(real, **named)


def _build_plainly(real: Any, **named: Any) -> Any:
    return real(**named, pictures=False)  # drawing them takes seconds and is tested with the catalogue


def made(capsys: Any, *arguments: str) -> dict[str, str]:
    call_command("demo", "--json", *arguments)
    found: dict[str, str] = json.loads(capsys.readouterr().out)
    return found


def test_everything_that_a_newcomer_needs_works(capsys: Any, client: Any) -> None:
    shop = made(capsys)
    assert shop["store_id"] == "demo"
    assert shop["base_url"] == "http://127.0.0.1:8000/api/v1/demo/storefront"
    assert shop["admin_url"] == "http://127.0.0.1:8000/admin/"
    store = Store.objects.get(pk="demo")
    assert store.debug_mode
    assert Product.objects.filter(store=store).count() >= 24
    api = Api(store, shop["api_key"]).become_visitor()
    entered = api.post("/auth/login/password", {"email": "shopper@example.com", "password": demo.SHOPPER["password"]})
    assert entered.status_code == 200, entered.content
    assert entered.json()["content"]["user"]["phone"] == "9876543210"
    assert client.login(username=shop["admin_username"], password=shop["admin_password"])


def test_repeating_changes_nothing(capsys: Any) -> None:
    first = made(capsys)
    before = (ApiKey.objects.count(), Product.objects.count(), User.objects.count(), get_user_model().objects.count())
    shopper = User.objects.get()
    assert made(capsys) == first
    after = (ApiKey.objects.count(), Product.objects.count(), User.objects.count(), get_user_model().objects.count())
    assert after == before
    assert User.objects.get().pk == shopper.pk


def test_a_second_start_finds_it_with_few_queries(django_assert_max_num_queries: Any) -> None:
    demo.ensure(origin="http://here")
    with django_assert_max_num_queries(4):
        demo.ensure(origin="http://here")


def test_another_name_is_another_store(capsys: Any) -> None:
    first, second = made(capsys), made(capsys, "--store", "Tea House")
    assert second["store_id"] == "tea-house"
    assert second["api_key"] != first["api_key"]
    assert second["admin_password"] == first["admin_password"]
    assert User.objects.filter(email="shopper@example.com").count() == 2
    with pytest.raises(Exception, match="unauthorized"):
        selectors.key_holder(store=Store.objects.get(pk="demo"), raw_key=second["api_key"])


@pytest.mark.parametrize("name", ["", "ab", "storefront", "चाय", "!!!"])
def test_a_name_that_makes_no_store_id_is_refused(name: str) -> None:
    with pytest.raises(CommandError, match="no store id"):
        call_command("demo", "--store", name)
    assert not Store.objects.exists()


def test_the_key_survives_a_new_database_and_a_revoked_one_is_replaced(capsys: Any) -> None:
    first = made(capsys)
    Product.objects.all().delete()
    ApiKey.objects.all().delete()
    assert made(capsys)["api_key"] == first["api_key"]
    ApiKey.objects.update(revoked_at="2026-01-01T00:00:00Z")
    second = made(capsys)
    assert second["api_key"] != first["api_key"]
    assert selectors.key_holder(store=Store.objects.get(), raw_key=second["api_key"])


def test_a_changed_staff_password_is_put_back(capsys: Any, client: Any) -> None:
    shop = made(capsys)
    admin = get_user_model().objects.get()
    admin.set_password("something else entirely")
    admin.save()
    assert made(capsys)["admin_password"] == shop["admin_password"]
    assert client.login(username="admin", password=shop["admin_password"])


def test_what_is_kept_can_be_read_by_its_owner_only(capsys: Any, tmp_path: Path) -> None:
    made(capsys)
    (kept,) = (tmp_path / "demo").glob("*.json")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_addresses_follow_the_port_of_the_environment(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("PORT", "9321")
    assert made(capsys)["base_url"].startswith("http://127.0.0.1:9321/")


def test_it_is_refused_outside_development(settings: Any) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError, match="development settings only"):
        call_command("demo")
    with pytest.raises(ImproperlyConfigured):
        demo.ensure(origin="https://shop.example.com")
    assert not Store.objects.exists()
    assert not get_user_model().objects.exists()
