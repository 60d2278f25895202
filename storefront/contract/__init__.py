"""The published contract, as data: `storefront.openapi.json` beside this file. Facts only; read on demand."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("storefront.openapi.json")
_PARAMETER = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its path below the storefront base, lower-case method and body of facts."""

    path: str
    method: str
    facts: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.facts["operationId"])

    @property
    def tag(self) -> str:
        return str(self.facts["tags"][0])


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return loaded


def shape(path: str) -> str:
    """A path with its parameters' names taken out, so that ours and the contract's compare equal."""
    return _PARAMETER.sub("{}", path)


@cache
def operations() -> dict[tuple[str, str], Operation]:
    """Every operation by (method, shape of path)."""
    found = {}
    for path, methods in document()["paths"].items():
        for method, facts in methods.items():
            if isinstance(facts, dict) and "operationId" in facts:
                found[method, shape(path)] = Operation(path, method, facts)
    return found


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with its outermost reference followed."""
    while "$ref" in schema:
        target: Any = document()
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = target
    return schema


def component(name: str) -> dict[str, Any]:
    """A named schema."""
    return resolve({"$ref": f"#/components/schemas/{name}"})


def body_fields(operation: Operation) -> tuple[set[str], set[str]] | None:
    """(writable, required) names of a request body, over all its variants; None without a body.

    Read-only members are left out, though the contract lists some as required.
    """
    body = operation.facts.get("requestBody")
    if body is None:
        return None
    media = next(iter(body["content"].values()))["schema"]
    return _fields(media)


def _fields(schema: dict[str, Any]) -> tuple[set[str], set[str]]:
    schema = resolve(schema)
    writable: set[str] = set()
    required: set[str] | None = None
    for name, member in schema.get("properties", {}).items():
        if not resolve(member).get("readOnly"):
            writable.add(name)
    if schema.get("properties"):
        required = set(schema.get("required", ())) & writable
    for part in schema.get("allOf", ()):
        names, needed = _fields(part)
        writable |= names
        required = (required or set()) | needed
    for kind in ("oneOf", "anyOf"):
        variants = [_fields(variant) for variant in schema.get(kind, ())]
        if variants:
            writable |= set().union(*(names for names, _ in variants))
            shared = set.intersection(*(needed for _, needed in variants))
            required = shared if required is None else required | shared
    return writable, required or set()
