"""Generated requests over every served operation (R-15): no 5xx, no undeclared status, always the envelope."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from catalog import demo
from storefront import schema as our_schema
from storefront import selectors, services
from storefront.models import Store
from tests.conftest import Api

CASES = int(os.environ.get("FUZZ_CASES", "12"))  # of each operation; the bar's 50 take some minutes
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ORIGIN = "http://testserver"

schema = schemathesis.openapi.from_dict(Client().get("/api/schema").json())


@pytest.fixture(scope="module")
def shop(django_db_setup: Any, django_db_blocker: Any) -> Iterator[Api]:
    """A store with a catalogue and a visitor's client, one for all the requests; gone afterwards."""
    with django_db_blocker.unblock():
        store = services.create_store(store_id="fuzzed", name="Fuzzed")
        demo.build(store=store)
        yield Api(store, services.create_key(store=store, name="Web").text).become_visitor()
        Store.objects.filter(pk=store.pk).delete()
        selectors.forget()


@pytest.mark.django_db
@schema.parametrize()
@settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@pytest.mark.timeout(600)
def test_generated_requests_get_declared_answers(case: Any, shop: Api) -> None:
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
