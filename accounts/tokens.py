"""Access and refresh tokens: simplejwt's classes on a key ring of our own, one audience per store.

HS256 only. A token's header must be, byte for byte, one that this server writes for a live key, so no header of an
attacker's making (`none`, another algorithm, `jku`, `jwk`, `crit`) is ever looked at.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import jwt
import orjson
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import (
    ExpiredTokenError,
    TokenBackendError,
    TokenBackendExpiredToken,
    TokenError,
)
from rest_framework_simplejwt.tokens import AccessToken as _AccessToken
from rest_framework_simplejwt.tokens import RefreshToken as _RefreshToken

from storefront import crypto
from storefront.conf import conf

ISSUER = "storefront"
ALGORITHM = "HS256"
MAX_LENGTH = 4096
_REQUIRED = ["exp", "iat", "jti", "iss", "aud"]


def _segment(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Backend(TokenBackend):
    """The backend of one store. The newest key signs; older ones still verify, found by the header's `kid`."""

    def __init__(self, store_id: str, keys: tuple[bytes, ...]) -> None:
        super().__init__(
            ALGORITHM,
            signing_key=keys[0],  # type: ignore[arg-type]  # PyJWT takes bytes; only the annotation says text
            audience=store_id,
            issuer=ISSUER,
            leeway=conf().TOKEN_LEEWAY_SECONDS,
        )
        self.keys = keys
        self._key_of_header = {
            _segment(orjson.dumps({"alg": ALGORITHM, "kid": crypto.key_id(key), "typ": "JWT"})): key for key in keys
        }
        self._header = next(iter(self._key_of_header)) + b"."

    def get_verifying_key(self, token: bytes) -> bytes:  # type: ignore[override]
        key = self._key_of_header.get(token.partition(b".")[0])
        if key is None:
            raise jwt.InvalidKeyError
        return key

    def encode(self, payload: dict[str, Any]) -> str:
        """Signs the payload as it is; five times as fast as building the same bytes through PyJWT."""
        message = self._header + _segment(orjson.dumps(payload))
        signature = _segment(hmac.digest(self.keys[0], message, "sha256"))
        return (message + b"." + signature).decode()

    def decode(  # type: ignore[override]
        self, token: str | bytes, verify: bool = True, *, expired_too: bool = False
    ) -> dict[str, Any]:
        """The claims of a token that holds. `expired_too` forgives its age and nothing else.

        The signature must be written as we write it: base64 spells the same bytes in more than one way, and a token
        with any character changed is not ours.
        """
        raw = token.encode("ascii", "replace") if isinstance(token, str) else token
        try:
            key = self.get_verifying_key(raw)
            message, _, signature = raw.rpartition(b".")
            if not hmac.compare_digest(_segment(hmac.digest(key, message, "sha256")), signature):
                raise jwt.InvalidSignatureError
            claims: dict[str, Any] = jwt.decode(
                raw,
                key,
                algorithms=[ALGORITHM],
                audience=self.audience,
                issuer=self.issuer,
                leeway=self.get_leeway(),
                options={"require": _REQUIRED, "verify_exp": not expired_too},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenBackendExpiredToken("expired") from error
        except jwt.PyJWTError as error:
            raise TokenBackendError("invalid") from error
        return claims


_backends: dict[str, Backend] = {}


def backend(store_id: str) -> Backend:
    keys = crypto.derived_keys("token")
    found = _backends.get(store_id)
    if found is None or found.keys is not keys:
        if len(_backends) > 4096:
            _backends.clear()
        found = _backends[store_id] = Backend(store_id, keys)
    return found


class _OfStore:
    """What both kinds of token share: they are read for one store."""

    def __init__(self, token: str | bytes, *, store_id: str, expired_too: bool = False) -> None:
        self.store_id = store_id
        self.expired_too = expired_too
        if len(token) > MAX_LENGTH:
            raise TokenError("too long")
        super().__init__(token)  # type: ignore[call-arg]

    def get_token_backend(self) -> Any:
        return _Lenient(backend(self.store_id)) if self.expired_too else backend(self.store_id)

    def check_exp(self, *args: Any, **kwargs: Any) -> None:
        if not self.expired_too:
            super().check_exp(*args, **kwargs)  # type: ignore[misc]

    def verify(self) -> None:
        super().verify()  # type: ignore[misc]
        claims: dict[str, Any] = self.payload  # type: ignore[attr-defined]
        if not isinstance(claims.get("ulid"), str) or not claims["ulid"]:
            raise TokenError("names nobody")
        if not isinstance(claims["exp"], int):
            raise TokenError("has no end")


class _Lenient(NamedTuple):
    """A backend that forgives a token's age, for the one endpoint that may."""

    strict: Backend

    def decode(self, token: str | bytes, verify: bool = True) -> dict[str, Any]:
        return self.strict.decode(token, verify, expired_too=True)

    def get_leeway(self) -> Any:
        return self.strict.get_leeway()


class AccessToken(_OfStore, _AccessToken):
    """Raises TokenError (ExpiredTokenError for age alone) unless the token holds for this store."""


class RefreshToken(_OfStore, _RefreshToken):  # type: ignore[misc]
    """Like AccessToken, of the other kind: neither is ever taken for the other."""


def now_seconds() -> float:
    return time.time()


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Whom a pair of tokens speaks of. Everything but the ids is None for whoever isn't logged in."""

    user_id: str
    anonymous_id: str
    channel: Mapping[str, str]
    is_logged_in: bool = False
    is_anonymous: bool = True
    session_id: str | None = None
    customer_id: str | None = None
    group_id: str | None = None
    email: str | None = None
    phone: str | None = None
    username: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)  # more claims, of a logged-in shopper


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """An access token and its refresh token. Never logged: the dataclass hides both."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)


def mint_access(*, store_id: str, holder: Holder, now: datetime) -> str:
    issued = int(now.timestamp())
    claims: dict[str, Any] = {
        "ulid": holder.user_id,
        "email": holder.email,
        "phone": holder.phone,
        "username": holder.username,
        "first_name": holder.first_name,
        "last_name": holder.last_name,
        "store_id": store_id,
        "is_logged_in": holder.is_logged_in,
        "is_anonymous": holder.is_anonymous,
        "customer_id": holder.customer_id,
        "customer_group_id": holder.group_id,
        "anonymous_id": holder.anonymous_id,
        "channel": holder.channel,
        "token_type": "access",
        "exp": issued + conf().ACCESS_TOKEN_SECONDS,
        "iat": issued,
        "jti": secrets.token_hex(16),
        "iss": ISSUER,
        "aud": store_id,
        **holder.facts,
    }
    if holder.session_id:
        claims["sid"] = holder.session_id
    return backend(store_id).encode(claims)


def mint_refresh(
    *, store_id: str, holder: Holder, issued_at: datetime, expires_at: datetime, jti: str | None = None
) -> str:
    """The same arguments give the same bytes, as long as the signing key stays."""
    claims: dict[str, Any] = {
        "ulid": holder.user_id,
        "anonymous_id": holder.anonymous_id,
        "is_anonymous": holder.is_anonymous,
        "channel": holder.channel,
        "token_type": "refresh",
        "exp": int(expires_at.timestamp()),
        "iat": int(issued_at.timestamp()),
        "jti": jti or secrets.token_hex(16),
        "iss": ISSUER,
        "aud": store_id,
    }
    if holder.session_id:
        claims["sid"] = holder.session_id
    return backend(store_id).encode(claims)


__all__ = [
    "AccessToken",
    "Backend",
    "ExpiredTokenError",
    "Holder",
    "Pair",
    "RefreshToken",
    "TokenError",
    "backend",
    "mint_access",
    "mint_refresh",
    "now_seconds",
]
