"""What every request of the API shares: envelope, limits on input, errors outside views."""

from __future__ import annotations

import gc
import time
from typing import Any

import pytest
from django.db import OperationalError

from storefront import services, wire
from storefront.api import StoreViewSet
from storefront.errors import MalformedBody, Unavailable
from storefront.middleware import REFUSED
from storefront.models import Store
from tests.conftest import Api
from tests.contract import assert_is_error

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.kernel.urls")]


def test_a_success_is_the_envelope_around_the_content(api: Api) -> None:
    body = api.post("/echo", {"name": "tea"}).json()
    assert body == {"message": "Done.", "success": True, "content": {"name": "tea"}}


def test_a_request_leaves_nothing_for_the_garbage_collector(api: Api) -> None:
    def views() -> int:
        return sum(issubclass(type(found), StoreViewSet) for found in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = views()
        assert api.post("/echo", {"name": "tea"}).status_code == 200
        assert views() == before
    finally:
        gc.enable()


def test_an_answer_without_content_has_no_such_key(api: Api) -> None:
    assert "content" not in api.get("/either", X_Api_Key=api.key).json()


def test_nested_field_errors_become_dotted_paths(api: Api) -> None:
    body = assert_is_error(api.post("/echo", {"name": "x" * 11, "rows": [{"a": 1}, {"b": "no"}]}), 400)
    assert body["code"] == "validation_error"
    assert set(body["errors"]) == {"name", "rows.1.b"}


def test_a_refusal_names_its_field(api: Api) -> None:
    assert_is_error(api.get("/refuse"), 400, "validation_error", field="name")


def test_throttling_says_when_to_come_back(api: Api) -> None:
    response = api.put("/refuse", {})
    assert_is_error(response, 429, "too_many_requests")
    assert response["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "malformed_body"),
        (b'{"name": "\\u0000"}', "malformed_body"),
        (b'{"name": "\xff"}', "malformed_body"),
        (b'{"name": "\\ud800"}', "malformed_body"),
        (b'{"name": 1e999}', "malformed_body"),
        (b'{"name": NaN}', "malformed_body"),
        (b'{"name": ' + b"9" * 5000 + b"}", "malformed_body"),
        (b'{"name": ' + b"9" * 30 + b"}", "malformed_body"),
        (b"[" * 100_000, "body_too_deep"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "body_too_deep"),
        (b"[]", "validation_error"),
        (b'"text"', "validation_error"),
        (b"null", "validation_error"),
    ],
)
def test_a_hostile_body_is_a_clear_400(api: Api, body: bytes, code: str) -> None:
    assert_is_error(api.post("/echo", body), 400, code)


def test_text_without_an_end_costs_no_square_time() -> None:
    """Half a million quotes, each of them the start of a text that never ends, once took an hour."""
    began = time.process_time()
    with pytest.raises(MalformedBody):
        wire.loads(b"[" * 40 + b'\\"' * 500_000)
    assert time.process_time() - began < 2


def test_brackets_inside_text_are_not_nesting(api: Api) -> None:
    assert api.post("/echo", {"name": "[{[{[{[{[{"}).status_code == 200


def test_an_escaped_backslash_before_u0000_is_plain_text(api: Api) -> None:
    assert api.post("/echo", b'{"name": "\\\\u0000"}').json()["content"] == {"name": "\\u0000"}


def test_an_empty_body_is_an_empty_object(api: Api) -> None:
    assert_is_error(api.post("/echo", b""), 400, "validation_error", field="name")


def test_a_large_body_is_413_in_json_before_it_is_read(api: Api, configure: Any) -> None:
    configure(MAX_BODY_BYTES=100)
    assert_is_error(api.post("/echo", {"name": "x" * 200}), 413, "body_too_large")


def test_another_content_type_is_415_in_json(api: Api) -> None:
    response = api.client.post("/api/v1/demo/storefront/echo", "a=1", content_type="text/plain")
    assert_is_error(response, 415, "unsupported_media_type")


def test_an_unknown_address_is_404_in_json_even_under_debug(api: Api, settings: Any) -> None:
    settings.DEBUG = True
    assert_is_error(api.get("/nowhere"), 404, "not_found")
    assert_is_error(api.client.get("/api/other"), 404, "not_found")


def test_a_wrong_method_is_405_in_json_and_names_the_right_ones(api: Api) -> None:
    response = api.delete("/echo")
    assert_is_error(response, 405, "method_not_allowed")
    assert "POST" in response["Allow"]


def test_options_without_a_preflight_is_405(api: Api) -> None:
    assert_is_error(api.request("OPTIONS", "/echo"), 405, "method_not_allowed")


def test_only_a_client_that_refuses_json_gets_406(api: Api) -> None:
    assert_is_error(api.get("/either", Accept="text/html", X_Api_Key=api.key), 406, "not_acceptable")
    assert api.get("/either", Accept="text/html,*/*", X_Api_Key=api.key).status_code == 200


@pytest.mark.parametrize("path", ["/fail", "/plain"])
def test_an_unforeseen_error_is_500_in_json_without_detail(api: Api, path: str, caplog: Any) -> None:
    api.client.raise_request_exception = False
    response = api.get(path)
    assert response.status_code == 500
    assert response.json() == {
        "message": "Something went wrong on our side. Please try again.",
        "success": False,
        "code": "server_error",
    }


def test_a_database_that_is_away_is_503(api: Api, monkeypatch: Any) -> None:
    def away(_store_id: str) -> Store:
        raise OperationalError("gone")

    monkeypatch.setattr("storefront.selectors.store", away)
    response = api.get("/either", X_Api_Key=api.key)
    assert_is_error(response, 503, "temporarily_unavailable")
    assert response["Retry-After"]


@pytest.mark.parametrize("query", ["?page=%00", "?%00"])
def test_nul_in_the_query_is_400(api: Api, query: str) -> None:
    assert_is_error(api.get(f"/either{query}", X_Api_Key=api.key), 400, "malformed_query")


def test_an_unknown_or_inactive_store_is_404(api: Api, other_store: Store) -> None:
    Store.objects.filter(pk=other_store.pk).update(active=False)
    for store_id in ("nobody", other_store.pk):
        response = api.client.get(f"/api/v1/{store_id}/storefront/either")
        assert_is_error(response, 404, "store_not_found")


def test_a_key_opens_its_own_store_only(api: Api, other_store: Store, new_api: Any) -> None:
    assert api.get("/keyed", X_Api_Key=api.key).json()["content"]["channel"]["type"] == "web"
    assert_is_error(api.get("/keyed"), 401, "unauthorized")
    assert_is_error(api.get("/keyed", X_Api_Key="pk_" + "x" * 40), 401, "unauthorized")
    assert_is_error(new_api(other_store).get("/keyed", X_Api_Key=api.key), 401, "unauthorized")


def test_a_token_is_needed_where_a_key_is_not_enough(api: Api) -> None:
    assert_is_error(api.get("/visit", X_Api_Key=api.key), 401, "unauthorized")
    assert_is_error(api.get("/visit", Authorization="Bearer junk"), 401)


def test_every_answer_carries_a_request_id(api: Api) -> None:
    assert len(api.get("/either")["X-Request-Id"]) == 16
    assert api.get("/either", X_Request_Id="abcdef-123456")["X-Request-Id"] == "abcdef-123456"
    assert api.get("/either", X_Request_Id="bad id\n")["X-Request-Id"] != "bad id\n"


def test_a_browser_may_call_from_anywhere_with_the_clients_headers(api: Api) -> None:
    response = api.client.options(
        "/api/v1/demo/storefront/echo",
        headers={
            "Origin": "https://shop.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,x-api-key,content-type,x-customer-group-id,x-debug-mode",
        },
    )
    allowed = response["Access-Control-Allow-Headers"]
    for name in ("authorization", "x-api-key", "content-type", "x-customer-group-id", "x-debug-mode"):
        assert name in allowed
    assert response["Access-Control-Allow-Origin"] == "*"


def test_every_refusal_may_be_read_by_pages_of_other_origins_and_kept_by_nobody(api: Api) -> None:
    origin = {"Origin": "https://shop.example"}
    too_slow: dict[str, Any] = {REFUSED: Unavailable(retry_after=1)}
    calls = [
        (404, api.client.get("/api/v1/demo/storefront/orders-of-tomorrow", headers=origin)),
        (401, api.client.get("/api/v1/demo/storefront/visit", headers=origin)),
        (400, api.client.get("/api/v1/demo/storefront/either?page=%00", headers=origin)),
        (413, api.client.post("/api/v1/demo/storefront/echo", b" " * 2_000_000, "application/json", headers=origin)),
        (
            503,
            api.client.get("/api/v1/demo/storefront/either", headers=origin, **too_slow),
        ),
    ]
    for status, response in calls:
        assert response["Access-Control-Allow-Origin"] == "*"
        assert response["Cache-Control"] == "no-store"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response.status_code == status
        assert response.json()["success"] is False


def test_a_warm_request_asks_the_database_nothing_for_store_and_key(api: Api, django_assert_num_queries: Any) -> None:
    api.get("/keyed", X_Api_Key=api.key)
    with django_assert_num_queries(0):
        api.get("/keyed", X_Api_Key=api.key)


def test_a_rotated_key_overlaps_with_its_successor_and_a_revoked_one_ends(store: Store, api: Api, channel: Any) -> None:
    from datetime import timedelta

    from storefront.models import ApiKey

    key = ApiKey.objects.get(store=store)
    new = services.rotate_key(store=store, key=key, overlap=timedelta(hours=1))
    for text in (api.key, new.text):
        assert api.get("/keyed", X_Api_Key=text).status_code == 200
    services.rotate_key(store=store, key=key, overlap=timedelta(0))
    from storefront import selectors

    selectors.forget()
    assert_is_error(api.get("/keyed", X_Api_Key=api.key), 401)
    assert api.get("/keyed", X_Api_Key=new.text).status_code == 200
    assert not ApiKey.objects.filter(key_hash__contains=new.text[3:20]).exists()
