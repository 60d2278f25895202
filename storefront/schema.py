"""The OpenAPI document: our routes, described by the published contract, with what our decisions add to it.

Which routes there are, who may call them and which inputs they read comes from the code; `disagreements` holds that
against the contract. Response shapes are the contract's own, and tests validate real answers against them (ADR 0006).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from storefront import contract
from storefront.api import Access, StoreViewSet
from storefront.contract import Operation
from storefront.descriptions import INTRODUCTION, OPERATIONS, PARAMETERS, REFUSALS, TAGS

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

TAKE_A_KEY = (  # operations that make something: with the same Idempotency-Key they make it once (D-63)
    "create-address",
    "create-bank-account",
    "create-cart",
    "create-customer",
    "create-customer-mandate",
    "create-document",
    "create-product-review",
    "pause-customer-mandate",
    "resume-customer-mandate",
    "revoke-customer-mandate",
)
_NAME = {"type": ["string", "null"]}
_ALSO_READ: dict[str, dict[str, Any]] = {  # inputs that we read beyond the contract's
    "create-cart": {"customer_note": {"type": ["string", "null"]}},
    "redeem-gift-card": {"pin": {"type": ["string", "null"], "description": "Of cards that have one."}},
    "register-with-email": {"country_code": {"type": ["string", "null"]}},
    "register-with-password": {"first_name": _NAME, "last_name": _NAME},
}


class ContractSchema(AutoSchema):
    """Describes an API operation by the contract; other views are left out of the document."""

    def get_operation(self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any) -> Any:
        operation = find(method, path)
        if operation is None:
            return None
        facts = copy.deepcopy(operation.facts)
        given = set(facts["responses"]) - {"200"}
        has_body = "requestBody" in facts
        for status in REFUSALS:
            possible = {"409": operation.id in TAKE_A_KEY, "413": has_body, "415": has_body}.get(status, True)
            if possible or status in given:
                facts["responses"][status] = {"$ref": f"#/components/responses/{_answer_name(status)}"}
        _tell(facts)
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
    if facts["operationId"] in TAKE_A_KEY:  # D-63, D-19
        facts.setdefault("parameters", []).append({"$ref": "#/components/parameters/IdempotencyKey"})


def _tell(facts: dict[str, Any]) -> None:
    """The words of an operation, what its parameters mean, and an example of its body."""
    told = OPERATIONS[facts["operationId"]]
    words = (
        {"summary": told.summary, "description": told.description} if told.description else {"summary": told.summary}
    )
    rest = {**facts}
    facts.clear()
    facts |= {"operationId": rest.pop("operationId"), **words, **rest}
    for parameter in facts.get("parameters", ()):
        _tell_parameter(parameter)
    for body in facts.get("requestBody", {}).get("content", {}).values():
        if also := _ALSO_READ.get(facts["operationId"]):
            body["schema"] = {"allOf": [body["schema"], {"type": "object", "properties": copy.deepcopy(also)}]}
        if told.example is not None:
            body["example"] = copy.deepcopy(told.example)


def _tell_parameter(parameter: dict[str, Any]) -> None:
    if description := PARAMETERS.get(parameter.get("name", "")):
        parameter.setdefault("description", description)


def _answer_name(status: str) -> str:
    return HTTPStatus(int(status)).phrase.title().replace(" ", "")


def _answers() -> dict[str, Any]:
    """The refusals of all operations, once."""
    found: dict[str, Any] = {}
    for status, (description, example) in REFUSALS.items():
        answer = {
            "description": description,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}, "example": example}},
        }
        if status in ("429", "503"):
            answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
        found[_answer_name(status)] = answer
    return found


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
    components["responses"] = _answers()
    components["parameters"] = {
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            "description": PARAMETERS["Idempotency-Key"],
        }
    }
    components["securitySchemes"]["AccessToken"]["description"] = "A visitor's or a shopper's, from `/auth/…`."
    components["securitySchemes"]["ApiKey"]["description"] = "The store's publishable key; pages may show it."
    waiting = list(_references(paths))
    while waiting:
        kind, name = waiting.pop().removeprefix("#/components/").split("/")
        section = components.setdefault(kind, {})
        if name not in section:
            section[name] = copy.deepcopy(source["components"][kind][name])
            waiting += list(_references(section[name]))
    for parameter in components["parameters"].values():
        _tell_parameter(parameter)
    for section in components.values():
        for name in sorted(section):
            section[name] = section.pop(name)
    used = {tag for methods in paths.values() for facts in methods.values() for tag in facts["tags"]}
    store_id = "demo"
    if request is not None:
        store_id = request.GET.get("store_id") or store_id
    return {
        "openapi": result["openapi"],
        "info": {**result["info"], "description": INTRODUCTION.strip()},
        "tags": [{"name": name, "description": description} for name, description in TAGS.items() if name in used],
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
