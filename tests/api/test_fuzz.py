"""Generated requests over every served operation (R-15): no 5xx, no undeclared status, always the envelope."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from django.conf import settings
from django.test import Client, override_settings
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.models import User
from catalog import demo
from customers.models import KycDocumentType
from payments import credit
from storefront import schema as our_schema
from storefront import selectors, services
from storefront.models import Store
from tests.api import shoppers
from tests.api.test_object_access import ACCOUNT, ADDRESS, DOCUMENT
from tests.conftest import Api
from tests.payments.factories import mandate_row

CASES = int(os.environ.get("FUZZ_CASES", "12"))  # of each operation; the bar's 50 take some minutes
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ORIGIN = "http://testserver"

SETTINGS = hypothesis_settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

schema = schemathesis.openapi.from_dict(Client().get("/api/schema").json())


@pytest.fixture(scope="module")
def shop(django_db_setup: Any, django_db_blocker: Any) -> Iterator[Api]:
    """A store with a catalogue and a visitor's client, one for all the requests; gone afterwards."""
    with django_db_blocker.unblock():
        store = services.create_store(store_id="fuzzed", name="Fuzzed", debug_mode=True)
        demo.build(store=store)
        yield Api(store, services.create_key(store=store, name="Web").text).become_visitor()
        User.objects.filter(store=store).delete()  # they protect their customers
        Store.objects.filter(pk=store.pk).delete()
        selectors.forget()


@pytest.fixture(scope="module")
def owner(shop: Api, django_db_blocker: Any) -> Api:
    """A registered shopper of the same store, with a cart."""
    with django_db_blocker.unblock(), override_settings(STOREFRONT=settings.STOREFRONT | {"OTP_DEBUG": True}):
        api = shoppers.registered(shop.store, "owner@example.com")
        sku = api.get("/catalog/skus?limit=1&sku=TAWA-26").json()["content"]["skus"][0]
        item = {"product_id": sku["product_id"], "variant_id": sku["variant_id"], "quantity": 1}
        api.cart_id = api.post("/carts", {"items": [item]}).json()["content"]["cart"]["id"]  # type: ignore[attr-defined]
    return api


@pytest.mark.django_db
@schema.parametrize()
@SETTINGS
@pytest.mark.timeout(600)
def test_generated_requests_get_declared_answers(case: Any, shop: Api) -> None:
    _check(case, shop)


@pytest.mark.django_db
@schema.include(path_regex="^/(auth|carts)").parametrize()
@SETTINGS
@pytest.mark.timeout(600)
def test_generated_requests_of_a_shopper_about_their_own_things_get_declared_answers(case: Any, owner: Api) -> None:
    """With the caller's own ids in the path, so that bodies are looked at and not only refused."""
    for name in case.path_parameters or {}:
        own = owner.cart_id if case.path.startswith("/carts/{id}") else owner.user_id  # type: ignore[attr-defined]
        case.path_parameters[name] = own
    _check(case, owner)


@pytest.fixture(scope="module")
def holder(shop: Api, django_db_blocker: Any) -> Api:
    """Another shopper, with something of each kind that customers own."""
    with django_db_blocker.unblock(), override_settings(STOREFRONT=settings.STOREFRONT | {"OTP_DEBUG": True}):
        api = shoppers.registered(shop.store, "holder@example.com")
        KycDocumentType.objects.create(store=shop.store, pk="pan", title="PAN card", kind="pan")
        api.own = {"id": api.user_id, "customer_id": api.user_id}  # type: ignore[attr-defined]
        for name, path, body in (
            ("address_id", "addresses", ADDRESS),
            ("document_id", "documents", DOCUMENT),
            ("account_id", "bank-accounts", ACCOUNT),
        ):
            (made,) = api.post(f"/customers/{api.user_id}/{path}", body).json()["content"].values()
            api.own[name] = made["id"]  # type: ignore[attr-defined]
        credit.open_line(store=shop.store, customer_id=api.user_id)
        api.own["mandate_id"] = mandate_row(shop.store, api.user_id).pk  # type: ignore[attr-defined]
    return api


@pytest.mark.django_db
@schema.include(path_regex="^/customers").parametrize()
@SETTINGS
@pytest.mark.timeout(600)
def test_generated_requests_of_a_customer_get_declared_answers(case: Any, holder: Api) -> None:
    for name in case.path_parameters or {}:
        case.path_parameters[name] = holder.own.get(name, holder.user_id)  # type: ignore[attr-defined]
    _check(case, holder)


def _check(case: Any, shop: Api) -> None:
    case.headers["Authorization"] = f"Bearer {shop.token}"
    case.headers["X-Api-Key"] = shop.key
    base = f"{ORIGIN}{our_schema.BASE.replace('{store_id}', shop.store.pk)}"
    sent = requests.Request(**case.as_transport_kwargs(base_url=base)).prepare()
    case.validate_response(_answer(sent, shop.client), checks=CHECKS)


def _answer(sent: requests.PreparedRequest, client: Client) -> Response:
    """What the application says, in the terms of the library that checks it."""
    address = urlsplit(str(sent.url))
    body = sent.body.encode() if isinstance(sent.body, str) else (sent.body or b"")
    headers = {name: value for name, value in sent.headers.items() if name.lower() != "content-type"}
    said = client.generic(
        str(sent.method),
        address.path,
        body,
        content_type=sent.headers.get("Content-Type", "application/json"),
        query_params=None,
        headers=headers,
        QUERY_STRING=address.query,
    )
    return Response(
        status_code=said.status_code,
        headers={name.lower(): [value] for name, value in said.headers.items()},
        content=said.content,
        request=sent,
        elapsed=0,
        verify=False,
        encoding="utf-8",
    )
