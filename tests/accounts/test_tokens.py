"""Forged and misused tokens (R-07): none of them is anybody."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from accounts import tokens
from storefront import crypto
from storefront.models import Store
from tests.accounts.test_visitors import again, claims
from tests.conftest import Api
from tests.contract import assert_is_error, assert_matches

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:The HMAC key")]


def segment(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def header(**changes: Any) -> dict[str, Any]:
    return {"alg": "HS256", "kid": crypto.key_id(key()), "typ": "JWT"} | changes


def key() -> bytes:
    return crypto.derived_keys("token")[0]


def signed(payload: dict[str, Any], head: dict[str, Any] | None = None, secret: bytes | None = None) -> str:
    message = f"{segment(head or header())}.{segment(payload)}"
    signature = hmac.digest(key() if secret is None else secret, message.encode(), "sha256")
    return f"{message}.{segment(signature)}"


def own(claims_: dict[str, Any], **changes: Any) -> str:
    """A token that this server could have made, but for the changes."""
    body = {name: value for name, value in (claims_ | changes).items() if value is not ...}
    return tokens.backend("demo").encode(body)


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# The last character of a signature's 43 carries four bits; three others of the alphabet decode to the same ones.
SAME_BYTES = {ALPHABET[index]: ALPHABET[index + 1] for index in range(0, 64, 4)}

Forge = Callable[[dict[str, Any], str], str]
FORGERIES: dict[str, Forge] = {
    "alg none": lambda c, _t: f"{segment({'alg': 'none', 'typ': 'JWT'})}.{segment(c)}.",
    "alg None with our kid": lambda c, _t: f"{segment(header(alg='None'))}.{segment(c)}.",
    "no signature": lambda _c, t: t.rpartition(".")[0] + ".",
    "signature with padding": lambda _c, t: t + "=",
    "signature spelt otherwise": lambda _c, t: t[:-1] + SAME_BYTES[t[-1]],
    "two parts": lambda _c, t: t.rpartition(".")[0],
    "four parts": lambda _c, t: t + ".x",
    "signature of another token": lambda c, t: ".".join([*own(c, ulid="x").split(".")[:2], t.split(".")[2]]),
    "other key": lambda c, _t: signed(c, secret=b"x" * 32),
    "empty key": lambda c, _t: signed(c, secret=b""),
    "the key's public name as key": lambda c, _t: signed(c, secret=crypto.key_id(key()).encode()),
    "HS512 under our key": lambda c, _t: jwt.encode(c, key(), algorithm="HS512", headers={"kid": crypto.key_id(key())}),
    "HS384 under our key": lambda c, _t: jwt.encode(c, key(), algorithm="HS384"),
    "RS256 claimed": lambda c, _t: signed(c, header(alg="RS256")),
    "no kid": lambda c, _t: signed(c, {"alg": "HS256", "typ": "JWT"}),
    "unknown kid": lambda c, _t: signed(c, header(kid="00000000")),
    "kid as path": lambda c, _t: signed(c, header(kid="../../dev/null"), secret=b""),
    "jku": lambda c, _t: signed(c, header(jku="https://evil.example/keys")),
    "jwk": lambda c, _t: signed(c, header(jwk={"kty": "oct", "k": segment(b"x" * 32)}), secret=b"x" * 32),
    "x5u": lambda c, _t: signed(c, header(x5u="https://evil.example/chain")),
    "crit": lambda c, _t: signed(c, header(crit=["exp"])),
    "other store": lambda c, _t: own(c, aud="other"),
    "several stores": lambda c, _t: own(c, aud=["other", "third"]),
    "no store": lambda c, _t: own(c, aud=...),
    "other issuer": lambda c, _t: own(c, iss="somebody"),
    "no issuer": lambda c, _t: own(c, iss=...),
    "expired": lambda c, _t: own(c, exp=int(time.time()) - 11),
    "no expiry": lambda c, _t: own(c, exp=...),
    "expiry in words": lambda c, _t: own(c, exp="tomorrow"),
    "not yet valid": lambda c, _t: own(c, nbf=int(time.time()) + 3600),
    "issued in the future": lambda c, _t: own(c, iat=int(time.time()) + 3600),
    "refresh used as access": lambda c, _t: own(c, token_type="refresh"),
    "no type": lambda c, _t: own(c, token_type=...),
    "no jti": lambda c, _t: own(c, jti=...),
    "nobody": lambda c, _t: own(c, ulid=...),
    "empty id": lambda c, _t: own(c, ulid=""),
    "id that is no text": lambda c, _t: own(c, ulid=7),
    "a body that is no object": lambda _c, _t: signed([]),  # type: ignore[arg-type]
    "a body that is no JSON": lambda _c, _t: f"{segment(header())}.{segment(b'x')}." + segment(
        hmac.digest(key(), f"{segment(header())}.{segment(b'x')}".encode(), hashlib.sha256)
    ),
    "whitespace inside": lambda _c, t: t.replace(".", ". ", 1),
    "too long": lambda c, _t: own(c, padding="x" * 5000),
    "not ASCII": lambda _c, t: t[:-1] + "é",
}  # fmt: skip


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_forged_token_is_nobody(kind: str, shopper: Api) -> None:
    forged = FORGERIES[kind](claims(shopper.token), shopper.token)
    shopper.token = forged
    refused = shopper.get(f"/auth/user/{shopper.user_id}", Authorization=f"Bearer {forged}".encode().decode("latin-1"))
    assert_is_error(refused, 401, "token_expired" if kind == "expired" else "unauthorized")


@pytest.mark.parametrize("kind", [kind for kind in FORGERIES if kind not in {"expired", "not ASCII"}])
def test_a_forged_token_keeps_no_identity_and_refreshes_nothing(kind: str, shopper: Api) -> None:
    forged = FORGERIES[kind](claims(shopper.token), shopper.token)
    continued = assert_matches("get-anonymous-token", again(shopper, forged))
    assert continued["user"]["id"] != shopper.user_id and continued["user"]["is_anonymous"] is True
    refresh = FORGERIES[kind](claims(shopper.refresh_token), shopper.refresh_token)
    if kind != "refresh used as access":
        assert_is_error(shopper.post("/auth/refresh-token", {"refresh_token": refresh}), 400)


def test_the_table_would_notice_a_server_that_believes_everything(shopper: Api) -> None:
    """An unchanged token made by the same helpers is accepted."""
    shopper.token = own(claims(shopper.token))
    assert shopper.get(f"/auth/user/{shopper.user_id}").status_code == 200
    shopper.token = signed(claims(shopper.token))
    assert shopper.get(f"/auth/user/{shopper.user_id}").status_code == 200


def test_a_token_that_was_remembered_still_expires(shopper: Api, configure: Any) -> None:
    import time_machine

    assert shopper.get(f"/auth/user/{shopper.user_id}").status_code == 200
    with time_machine.travel(time.time() + 895):
        assert shopper.get(f"/auth/user/{shopper.user_id}").status_code == 200
    with time_machine.travel(time.time() + 911):
        assert_is_error(shopper.get(f"/auth/user/{shopper.user_id}"), 401, "token_expired")


def test_a_token_that_was_remembered_in_one_store_is_not_believed_in_another(visitor: Api, other_store: Store) -> None:
    assert visitor.post("/auth/logout").status_code == 200
    visitor.store = other_store
    assert_is_error(visitor.post("/auth/logout"), 401, "unauthorized")


def test_claiming_to_be_logged_in_takes_a_session(visitor: Api) -> None:
    """Even under our own key: the flag alone opens nothing."""
    visitor.token = own(claims(visitor.token), is_logged_in=True, customer_id="x")
    assert_is_error(visitor.get(f"/auth/user/{visitor.user_id}"), 401, "login_required")


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_is_read_generously(visitor: Api, scheme: str) -> None:
    assert visitor.post("/auth/logout", Authorization=f"{scheme} {visitor.token}").status_code == 200


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Basic YTpi", "Token x", ""])
def test_no_bearer_is_nobody(visitor: Api, value: str) -> None:
    assert_is_error(visitor.post("/auth/logout", Authorization=value), 401, "unauthorized")


def test_tokens_are_not_in_reprs(visitor: Api) -> None:
    pair = tokens.Pair(access="eyJhbGciOi", refresh="eyJhbGciOi")
    assert "eyJ" not in repr(pair)
