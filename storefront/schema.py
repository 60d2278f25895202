"""The OpenAPI document: our routes, described by the published contract, with what our decisions add to it.

Which routes there are, who may call them and which inputs they read comes from the code; `disagreements` holds that
against the contract. Response shapes are the contract's own, and tests validate real answers against them (ADR 0006).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from storefront import contract
from storefront.api import Access, StoreViewSet
from storefront.contract import Operation

BASE = "/api/v1/{store_id}/storefront"
COMPLETE_TAGS = (
    "analytics",
    "auth",
    "campaigns",
    "carts",
    "catalog",
    "common",
    "coupons-promotions",
    "customers",
    "fulfillment",
    "store",
    "wishlist",
)  # modules of which every operation must be served

_REFUSALS = {
    "400": "Bad Request",
    "401": "Unauthorized",
    "404": "Not Found",
    "405": "Method Not Allowed",
    "406": "Not Acceptable",
    "409": "Conflict: the first call with this Idempotency-Key still runs",
    "413": "Body Too Large",
    "415": "Unsupported Media Type",
    "429": "Too Many Requests",
    "503": "Temporarily Unavailable",
}


class ContractSchema(AutoSchema):
    """Describes an API operation by the contract; other views are left out of the document."""

    def get_operation(self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any) -> Any:
        operation = find(method, path)
        if operation is None:
            return None
        facts = copy.deepcopy(operation.facts)
        for status, description in _REFUSALS.items():
            facts["responses"].setdefault(status, {"description": description})
            facts["responses"][status] = {
                "description": description,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            }
            if status in ("429", "503"):
                facts["responses"][status]["headers"] = {
                    "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}
                }
        _extend(facts)
        return facts


def _extend(facts: dict[str, Any]) -> None:
    """What our decisions add to an operation."""
    schema = facts["responses"]["200"]["content"]["application/json"]["schema"]
    content = schema.get("properties", {}).get("content")
    if facts["operationId"].startswith("register-with-"):  # D-65
        schema["properties"]["content"] = {
            "allOf": [content, {"$ref": "#/components/schemas/LegacyRegisterContent"}],
        }
    debug = {"$ref": "#/components/parameters/DebugMode"}
    if debug in facts.get("parameters", ()):  # D-7
        schema["properties"]["content"] = {
            "allOf": [
                schema["properties"]["content"],
                {
                    "type": "object",
                    "properties": {
                        "otp": {
                            "type": "string",
                            "description": "The code itself; only for stores in debug mode on a debugging server.",
                        }
                    },
                },
            ]
        }
    if facts["operationId"] == "create-cart":  # D-63, D-19
        facts.setdefault("parameters", []).append(
            {"name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string"}}
        )


def find(method: str, path: str) -> Operation | None:
    """The contract's operation for one of our paths, which carry the base."""
    if not path.startswith(BASE):
        return None
    return contract.operations().get((method.lower(), contract.shape(path.removeprefix(BASE))))


def finish(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Paths as the contract writes them, below a server with the store's id, and the components they need."""
    paths: dict[str, Any] = {}
    for path, methods in result["paths"].items():
        for method, facts in methods.items():
            operation = find(method, path)
            if operation is not None:
                paths.setdefault(operation.path, {})[method] = facts
    source = contract.document()
    components: dict[str, Any] = {"securitySchemes": copy.deepcopy(source["components"]["securitySchemes"])}
    components["schemas"] = {
        "Error": {
            "type": "object",
            "description": "The envelope of every refusal; `errors` maps field paths to messages on 400.",
            "properties": {
                "message": {"type": "string"},
                "success": {"type": "boolean", "const": False},
                "code": {"type": "string"},
                "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
            },
            "required": ["message", "success", "code"],
        }
    }
    waiting = list(_references(paths))
    while waiting:
        kind, name = waiting.pop().removeprefix("#/components/").split("/")
        section = components.setdefault(kind, {})
        if name not in section:
            section[name] = copy.deepcopy(source["components"][kind][name])
            waiting += list(_references(section[name]))
    for section in components.values():
        for name in sorted(section):
            section[name] = section.pop(name)
    store_id = "demo"
    if request is not None:
        store_id = request.GET.get("store_id") or store_id
    return {
        "openapi": result["openapi"],
        "info": result["info"],
        "servers": [{"url": BASE, "variables": {"store_id": {"default": store_id}}}],
        "paths": paths,
        "components": components,
    }


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def served() -> dict[str, tuple[Operation, type[StoreViewSet], str]]:
    """Every contract operation that has a route: operationId to (operation, view class, action)."""
    return {operation.id: (operation, view, action) for _path, _m, operation, view, action in _routes() if operation}


def _routes() -> Iterator[tuple[str, str, Operation | None, type[StoreViewSet], str]]:
    from drf_spectacular.generators import EndpointEnumerator

    for path, _regex, method, callback in EndpointEnumerator().get_api_endpoints():
        if path.startswith(BASE):
            yield path, method, find(method, path), callback.cls, callback.actions.get(method.lower(), "")


def disagreements() -> list[str]:
    """Where our code and the contract differ: missing or extra routes, wrong access, inputs that differ."""
    found: list[str] = []
    routes = list(_routes())
    for path, method, operation, view, action in routes:
        if operation is None:
            found.append(f"{method} {path}: not in the contract")
            continue
        found += _wrong_access(operation, view, action)
        found += _wrong_inputs(operation, view, action)
    have = {operation.id for *_rest, operation, _view, _action in routes if operation}
    for operation in contract.operations().values():
        if operation.tag in COMPLETE_TAGS and operation.id not in have:
            found.append(f"{operation.id}: not served")
    return found


def _wrong_access(operation: Operation, view: type[StoreViewSet], action: str) -> list[str]:
    access = view.access if isinstance(view.access, Access) else view.access.get(action)
    if access is None:
        return [f"{operation.id}: {view.__name__} names no access for {action}"]
    if operation.facts.get("x-auth") == "api_key":
        allowed = {Access.KEY}
    elif operation.facts.get("x-public-client") or operation.tag == "catalog":
        allowed = {Access.KEY_OR_TOKEN, Access.LOGGED_IN, Access.VISITOR}
        if operation.facts.get("x-public-client"):
            allowed = {Access.KEY_OR_TOKEN}
    elif "401" not in operation.facts["responses"] and "{" not in operation.path:  # an id in the path has an owner
        allowed = {Access.OPEN}
    else:
        allowed = {Access.VISITOR, Access.LOGGED_IN}
    return [] if access in allowed else [f"{operation.id}: access {access.value} does not fit the contract"]


def _wrong_inputs(operation: Operation, view: type[StoreViewSet], action: str) -> list[str]:
    wanted = contract.body_fields(operation)
    declared = view.inputs.get(action)
    if wanted is None:
        return []
    if declared is None:
        return [f"{operation.id}: {view.__name__}.inputs has no serializer for {action}"]
    fields = {
        name: field
        for name, field in declared().fields.items()  # type: ignore[attr-defined]
        if not field.read_only and not isinstance(field, serializers.HiddenField)
    }
    writable, required = wanted
    found = [f"{operation.id}: the input {name} is not read" for name in sorted(writable - set(fields))]
    for name, field in sorted(fields.items()):
        if field.required and name not in required:
            found.append(f"{operation.id}: the input {name} is required, but not by the contract")
    return found
