"""Whether both applications do the same: equal answers to equal requests, and as many statements for them.

What may differ is what is new in each answer: ids, times, tokens (their claims are compared instead), and the port in
addresses of files.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import baseline
from benchmarks.jobs import Call, Job
from benchmarks.servers import BASELINE, OURS, Server
from benchmarks.shop import Shop, Statements

SAMPLES = 8  # requests of each job whose answers are compared
_NEW = {"expires_at", "created_at", "modified_at", "iat", "exp", "jti"}
_PORT = re.compile(r"http://127\.0\.0\.1:\d+")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A line for each difference. `wording` tells statements that do the same in other words."""

    differences: list[str]
    wording: list[str]


def compare(
    ours: Server, theirs: Server, made: Shop, statements: Mapping[str, Statements], jobs: Sequence[Job]
) -> Comparison:
    found, wording = [], []
    for job in jobs:
        calls = job.calls(made)
        for call in calls[:: max(len(calls) // SAMPLES, 1)][:SAMPLES]:
            answers = {server.name: _answer(server, call) for server in (ours, theirs)}
            unlike = list(_unlike(answers[OURS], answers[BASELINE], ""))
            found += [f"{job.name}: {line}" for line in unlike[:5]]
            if unlike:
                break
        wanted, sent = statements[job.key].work, _sent(*job.two_calls(made))
        if len(wanted) != len(sent):
            found.append(f"{job.name}: {len(wanted)} statements in ours, {len(sent)} in the hand-written application")
            continue
        # Not in order: a lock may be taken before or after a price is known, and nothing is gained or lost by that.
        ours_worded, theirs_worded = Counter(map(_worded, wanted)), Counter(map(_worded, sent))
        wording += [f"{job.name}:\n  ours          {sql}" for sql in ours_worded - theirs_worded]
        wording += [f"{job.name}:\n  hand-written  {sql}" for sql in theirs_worded - ours_worded]
    return Comparison(found, wording)


def _worded(sql: str) -> str:
    """A statement without what is a matter of layout, or of how many rows a page or a cart has."""
    text = " ".join(sql.replace('"', "").replace("?", "%s").split()).replace("( ", "(").replace(" )", ")")
    return re.sub(r"%s(, ?%s)+", "%s, ...", text)


def _answer(server: Server, call: Call) -> Any:
    status, body = server.request(call.method, call.path, call.headers, call.body)
    return {"status": status, "body": _plain(json.loads(body), new_cart=call.path.endswith("/carts"))}


def _plain(value: Any, *, new_cart: bool = False) -> Any:
    """The value without what is new in it."""
    if isinstance(value, dict):
        found = {name: _plain(inner, new_cart=new_cart) for name, inner in value.items() if name not in _NEW}
        if new_cart and "cart_items" in found:
            del found["id"]
        if "access_token" in found:
            found["user"]["id"] = found["access_token"]["ulid"] = found["access_token"]["anonymous_id"] = "new"
            found["refresh_token"]["ulid"] = found["refresh_token"]["anonymous_id"] = "new"
        return found
    if isinstance(value, list):
        return [_plain(inner, new_cart=new_cart) for inner in value]
    if isinstance(value, str) and value.startswith("eyJ"):
        payload = value.split(".")[1]
        return _plain(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
    return _PORT.sub("http://host", value) if isinstance(value, str) else value


def _unlike(first: Any, second: Any, path: str) -> Iterator[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        for name in dict.fromkeys([*first, *second]):
            if name not in first or name not in second:
                yield f"{path}.{name} only in {'the hand-written' if name in second else 'ours'}"
            else:
                yield from _unlike(first[name], second[name], f"{path}.{name}")
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for index, (one, other) in enumerate(zip(first, second, strict=True)):
            yield from _unlike(one, other, f"{path}.{index}")
    elif first != second or type(first) is not type(second):
        yield f"{path}: ours {str(first)[:80]!r}, hand-written {str(second)[:80]!r}"


def _sent(before: Call, measured: Call) -> list[str]:
    """The statements that the hand-written application takes for a request, once one before has warmed it."""
    application = baseline.application()
    database = application._database
    sent: list[str] = []
    for name in ("rows", "write"):
        real = getattr(database, name)

        def counted(sql: str, parameters: Sequence[Any] = (), real: Any = real) -> Any:
            sent.append(sql)
            return real(sql, parameters)

        setattr(database, name, counted)
    for call in (before, measured):
        sent.clear()
        path, _, query = call.path.partition("?")
        headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in call.headers.items()}
        environ = {
            "REQUEST_METHOD": call.method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(call.body)),
            "wsgi.input": io.BytesIO(call.body),
            "wsgi.url_scheme": "http",
            "HTTP_HOST": "127.0.0.1",
            **headers,
        }
        for _chunk in application(environ, lambda *_: None):
            pass
    database.connection().close()
    return sent
