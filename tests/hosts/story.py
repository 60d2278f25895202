"""What a shop with tables of its own is tried with: the same for each of them, in that shop's own process.

A shop's tests join these classes with a mixin that puts wares into its tables (see `storefront.testing`).
"""

from __future__ import annotations

import re
import sys
from typing import Any

from django.apps import apps
from django.core import mail
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import models
from django.test import override_settings
from django.urls import URLPattern, URLResolver, get_resolver

from messaging.models import ProviderAccount
from storefront import outbox, services
from storefront.contracts import Sku
from storefront.models import Store
from storefront.testing import CatalogContract, Ware
from tests.conftest import Api
from tests.contract import assert_component, assert_is_error, assert_matches

OURS = ("storefront", "messaging", "customers", "accounts", "carts")


class Wares:
    """The part of CatalogContract that a shop fills."""

    store_id = CatalogContract.store_id
    tea, shirt = CatalogContract.tea, CatalogContract.shirt

    def new_store(self) -> Store:
        store = services.create_store(store_id=self.store_id, name="Bazaar")
        ProviderAccount.objects.create(
            store=store, channel="email", driver="email", name="Mail", sender="shop@bazaar.example"
        )
        return store


def body(sku: Sku, quantity: int) -> dict[str, Any]:
    return {"product_id": sku.product_id, "variant_id": sku.variant_id or None, "quantity": quantity}


def cart_of(response: Any, operation: str) -> dict[str, Any]:
    return dict(assert_matches(operation, response)["cart"])


class ShopperStory:
    """A shopper's way through the API: no account, a cart, an account, the same cart."""

    def setUp(self) -> None:
        self.store = self.new_store()
        (self.tea_sku,) = self.put(self.tea)
        self.small, self.medium = self.put(self.shirt)

    def visitor(self) -> Api:
        return Api(self.store, services.create_key(store=self.store, name="Web").text).become_visitor()

    def logged_in(self, api: Api, email: str) -> Api:
        """By the code in the e-mail that the queue delivers through this project's own e-mail settings."""
        outbox.drain_all()
        mail.outbox.clear()
        asked = api.post("/auth/login/email", {"email": email, "register_if_not_exists": True})
        content = assert_matches("login-with-email", asked)
        outbox.drain_all()
        (message,) = mail.outbox
        assert (message.to, message.from_email) == ([email], "shop@bazaar.example")
        code = re.search(r"\b\d{6}\b", message.body)
        assert code is not None
        sent = {"otp": code[0], "otp_token": content["otp_token"], "otp_action": content["otp_action"]}
        return api.take(api.post("/auth/verify-otp", sent))

    def test_a_cart_is_priced_from_the_shops_own_tables(self) -> None:
        api = self.visitor()
        made = api.post("/carts", {"items": [body(self.tea_sku, 2), body(self.medium, 1)]})
        cart = cart_of(made, "create-cart")
        tea, shirt = cart["cart_items"]
        assert (tea["product_id"], tea["variant_id"], tea["product_name"]) == (*self.tea_sku[:1], None, self.tea.name)
        assert (shirt["product_id"], shirt["variant_id"]) == self.medium
        assert (tea["selling_price"], shirt["selling_price"]) == (float(self.tea.price), float(self.shirt.price))
        assert cart["grand_total"] == float(self.tea.price * 2 + self.shirt.price)
        assert cart_of(api.get(f"/carts/{cart['id']}"), "get-cart")["grand_total"] == cart["grand_total"]
        changed = api.post(f"/carts/{cart['id']}/items", body(self.tea_sku, 3))
        assert cart_of(changed, "update-cart")["grand_total"] == float(self.tea.price * 3 + self.shirt.price)

    def test_what_cannot_be_bought_is_refused_and_nothing_changes(self) -> None:
        api = self.visitor()
        cart = cart_of(api.post("/carts", {"items": [body(self.tea_sku, 1)]}), "create-cart")
        items = f"/carts/{cart['id']}/items"
        assert_is_error(api.post(items, body(self.tea_sku, self.tea.stock + 1)), 400, "out_of_stock", "quantity")
        assert_is_error(api.post(items, body(Sku(self.small.product_id), 1)), 400, "variant_required", "variant_id")
        for unknown in ("9" * 64, "nothing", "0"):
            assert_is_error(api.post(items, body(Sku(unknown), 1)), 404, "product_not_found")
        assert cart_of(api.get(f"/carts/{cart['id']}"), "get-cart")["cart_items"] == cart["cart_items"]

    def test_what_the_shop_withdraws_stays_in_the_cart_by_name(self) -> None:
        api = self.visitor()
        cart = cart_of(api.post("/carts", {"items": [body(self.tea_sku, 1), body(self.medium, 1)]}), "create-cart")
        self.withdraw(self.tea_sku.product_id)
        read = cart_of(api.get(f"/carts/{cart['id']}"), "get-cart")
        assert [line["stock_available"] for line in read["cart_items"]] == [False, True]
        assert read["cart_items"][0]["product_name"] == self.tea.name

    def test_logging_in_by_code_brings_both_carts_together(self) -> None:
        account = self.logged_in(self.visitor(), "asha@example.com")
        theirs = account.post("/carts", {"items": [body(self.tea_sku, 1), body(self.medium, 2)]})
        assert_matches("create-cart", theirs)
        api = self.visitor()
        cart = cart_of(api.post("/carts", {"items": [body(self.tea_sku, 3)]}), "create-cart")
        self.logged_in(api, "asha@example.com")
        assert api.user_id == account.user_id
        merged = cart_of(api.get(f"/carts/users/{api.user_id}"), "get-user-cart")
        assert merged["id"] == cart["id"]
        assert {line["product_id"]: line["quantity"] for line in merged["cart_items"]} == {
            self.tea_sku.product_id: 3,
            self.medium.product_id: 2,
        }

    def test_items_have_the_contracts_shape(self) -> None:
        for item in self.catalog().items(self.store_id, [self.tea_sku, self.small]).values():
            assert_component("Item", item)


class Neighbours:
    """Nothing of ours takes a name that the shop has, and its checks stay clean."""

    def test_checks_are_clean_and_migrations_complete(self) -> None:
        call_command("check", fail_level="WARNING", verbosity=0)
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)

    def test_our_catalogue_and_our_project_are_not_even_loaded(self) -> None:
        assert not {name.split(".")[0] for name in sys.modules} & {"catalog", "config"}

    def test_forgetting_the_plug_is_noticed_at_the_start(self) -> None:
        loaded = set(sys.modules)
        try:
            with override_settings(STOREFRONT={}):
                found = [message for message in run_checks() if message.id == "storefront.E002"]
        finally:
            for name in set(sys.modules) - loaded:
                del sys.modules[name]
        assert len(found) == 1
        assert "CATALOG" in found[0].msg

    def test_tables_are_told_apart(self) -> None:
        tables = [
            (model._meta.db_table, model._meta.app_config.name) for model in apps.get_models() if not model._meta.proxy
        ]
        assert len({table for table, _app in tables}) == len(tables)
        assert {app for table, app in tables if table.startswith("storefront")} <= set(OURS)
        assert all(table.startswith("storefront") for table, app in tables if app in OURS)

    def test_the_shops_models_get_no_attribute_from_ours(self) -> None:
        for model in apps.get_models():
            for relation in model._meta.related_objects:
                if relation.related_model._meta.app_config.name in OURS:
                    assert model._meta.app_config.name in OURS or relation.get_accessor_name() is None, relation

    def test_names_of_addresses_are_told_apart(self) -> None:
        ours, theirs = set(), set()
        for pattern in walk(get_resolver().url_patterns):
            module = getattr(pattern.callback, "__module__", "")
            (ours if module.split(".")[0] in OURS else theirs).add(pattern.name)
        assert ours - {None}
        assert not (ours & theirs) - {None}

    def test_no_request_of_ours_is_one_transaction(self) -> None:
        """Not even in a shop with ATOMIC_REQUESTS: a refusal would undo the count of wrong codes."""
        views = [pattern.callback for pattern in walk(get_resolver().url_patterns)]
        ours = [view for view in views if getattr(view, "__module__", "").split(".")[0] in OURS]
        assert len(ours) > 20
        assert all("default" in getattr(view, "_non_atomic_requests", ()) for view in ours)

    def test_the_shops_admin_shows_nothing_of_ours(self) -> None:
        from django.contrib import admin

        registered: list[type[models.Model]] = list(admin.site._registry)
        assert registered
        assert not [model for model in registered if model._meta.app_config.name in OURS]


def walk(patterns: Any) -> Any:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from walk(pattern.url_patterns)
        elif isinstance(pattern, URLPattern):
            yield pattern


__all__ = ["CatalogContract", "Neighbours", "ShopperStory", "Ware", "Wares"]
