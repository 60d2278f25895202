"""The published contract as a test oracle: real answers must match it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

CONTRACT = Path(__file__).resolve().parents[1] / "storefront" / "contract" / "storefront.openapi.json"
ERROR_STATUSES = {400, 401, 404, 405, 406, 409, 413, 415, 429, 503}


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(CONTRACT.read_text())
    return loaded


@cache
def operations() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """operationId: (path, method, operation)."""
    found = {}
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            if isinstance(operation, dict) and "operationId" in operation:
                found[operation["operationId"]] = (path, method, operation)
    return found


@cache
def _validator(operation_id: str) -> Draft202012Validator:
    _path, _method, operation = operations()[operation_id]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    return Draft202012Validator(_as_answered(schema | {"components": document()["components"]}))


@cache
def _component(name: str) -> Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}
    return Draft202012Validator(_as_answered(schema))


def _as_answered(schema: Any) -> Any:
    """A schema as it holds for answers: what is only written is not required there, and may not be there either."""
    if isinstance(schema, list):
        return [_as_answered(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    members = schema.get("properties")
    written = set()
    if isinstance(members, dict):
        written = {name for name, member in members.items() if isinstance(member, dict) and member.get("writeOnly")}
    found = {name: _as_answered(part) for name, part in schema.items()}
    if written:
        found["properties"] |= dict.fromkeys(written, False)
        found["required"] = [name for name in schema.get("required", ()) if name not in written]
    return found


def problems(operation_id: str, body: Any) -> list[str]:
    """What in the body of a 200 breaks the contract."""
    return [
        f"{'.'.join(str(part) for part in error.absolute_path)}: {error.message[:300]}"
        for error in _validator(operation_id).iter_errors(body)
    ]


def assert_matches(operation_id: str, response: Any, status: int = 200) -> dict[str, Any]:
    """The answer has that status and the contract's shape for it. Returns `content` (or the body without one)."""
    assert response.status_code == status, (response.status_code, response.content[:2000])
    assert response["Content-Type"].startswith("application/json")
    body = response.json()
    if status != 200:
        assert_is_error(response, status)
        return dict(body)
    assert body["success"] is True
    assert body["message"]
    found = problems(operation_id, body)
    assert not found, found
    return dict(body.get("content", body))


def assert_is_error(response: Any, status: int, code: str | None = None, field: str | None = None) -> dict[str, Any]:
    """The answer is a refusal in the envelope, with that code and naming that field where given."""
    assert response.status_code == status, (response.status_code, response.content[:2000])
    assert status in ERROR_STATUSES
    body = response.json()
    assert body["success"] is False
    assert body["message"] and isinstance(body["code"], str)
    if code is not None:
        assert body["code"] == code, body
    if field is not None:
        assert field in body["errors"], body
    return dict(body)


def assert_component(name: str, value: Any) -> None:
    found = [f"{list(error.absolute_path)}: {error.message[:300]}" for error in _component(name).iter_errors(value)]
    assert not found, found
