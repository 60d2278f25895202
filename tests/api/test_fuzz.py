"""Generated requests over every served operation (R-15): no 5xx, no undeclared status, always the envelope."""

from __future__ import annotations

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.wsgi import application

CASES = int(os.environ.get("FUZZ_CASES", "15"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

schema = schemathesis.openapi.from_wsgi("/api/schema?format=json", application)


@pytest.fixture
def shop(store: Any, api_key: str, api: Any) -> Any:
    """A store with a catalogue, and a visitor's client."""
    from catalog import demo

    demo.build(store=store)
    return api.become_visitor()


@schema.parametrize()
@settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@pytest.mark.django_db
@pytest.mark.timeout(300)
def test_generated_requests_get_declared_answers(case: Any, shop: Any) -> None:
    case.path_parameters["store_id"] = shop.store.pk
    case.headers["Authorization"] = f"Bearer {shop.token}"
    case.headers["X-Api-Key"] = shop.key
    response = case.call(base_url=f"http://testserver/api/v1/{shop.store.pk}/storefront")
    case.validate_response(response, checks=CHECKS)


