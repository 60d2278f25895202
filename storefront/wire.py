"""Bytes in, bytes out: JSON as the API reads and writes it, with limits that hold before anything is parsed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from storefront.conf import conf
from storefront.errors import DomainError, MalformedBody

# A string may lack its end: a pattern that then failed would be tried again from every quote inside, in square time.
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*\\?(?:"|\Z)', re.DOTALL)
_STRANGE = re.compile(rb"\\u0000|[0-9]{19}|[0-9][eE]")  # worth a look at the values; most bodies have none


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Promise):
        return str(value)
    raise TypeError(type(value))


def dumps(value: Any) -> bytes:
    """JSON bytes. Decimals become numbers here and nowhere else; dates ISO 8601 with Z."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z)


def loads(body: bytes) -> Any:
    """The value of a JSON body; {} when it is empty.

    Raises MalformedBody for what no handler should ever meet: bad UTF-8, lone surrogates, NUL characters, infinite
    numbers, integers beyond 64 bits, nesting deeper than MAX_JSON_DEPTH.
    """
    if not body or body.isspace():
        return {}
    depth = conf().MAX_JSON_DEPTH
    if body.count(b"[") + body.count(b"{") > depth and _depth(body) > depth:
        raise MalformedBody(_("The request body is nested too deeply."), code="body_too_deep")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedBody(_("The request body is not valid JSON.")) from error
    if _STRANGE.search(body):
        _refuse_strange(value)
    return value


_LARGEST = float(2**63)


def _depth(body: bytes) -> int:
    level = deepest = 0
    for byte in _STRINGS.sub(b"", body):
        if byte in b"[{":
            level += 1
            deepest = max(deepest, level)
        elif byte in b"]}":
            level -= 1
    return deepest


def _refuse_strange(value: Any) -> None:
    stack = [value]
    while stack:
        found = stack.pop()
        if isinstance(found, str):
            if "\x00" in found:
                raise MalformedBody(_("Text must not contain the NUL character."))
        elif isinstance(found, float):
            if not -_LARGEST < found < _LARGEST:
                raise MalformedBody(_("A number in the request body is out of range."))
        elif isinstance(found, int):
            if not -_LARGEST <= found < _LARGEST:
                raise MalformedBody(_("A number in the request body is out of range."))
        elif isinstance(found, dict):
            stack.extend(found.keys())
            stack.extend(found.values())
        elif isinstance(found, list):
            stack.extend(found)


def error_body(error: DomainError) -> dict[str, Any]:
    body: dict[str, Any] = {"message": str(error.message), "success": False, "code": error.code}
    if error.status == 400:
        body["errors"] = {path: [str(message) for message in messages] for path, messages in error.errors.items()}
    return body


def error_response(error: DomainError, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """The envelope of a refusal, for edges outside DRF."""
    response = HttpResponse(dumps(error_body(error)), content_type="application/json", status=error.status)
    response["Content-Length"] = str(len(response.content))
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    if error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    for name, value in (headers or {}).items():
        response[name] = value
    return response
