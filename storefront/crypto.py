"""Keyed hashes, derived keys and encryption at rest. Nothing here ever logs its input."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from functools import cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

from storefront.conf import conf


@cache
def secret_keys() -> tuple[bytes, ...]:
    keys = conf().SECRET_KEYS or (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return tuple(key.encode() for key in keys)


@cache
def derived_keys(purpose: str) -> tuple[bytes, ...]:
    """32-byte keys for one purpose, newest first. `TOKEN_KEYS` and `OTP_KEYS` override the general keys."""
    own = {"token": conf().TOKEN_KEYS, "otp": conf().OTP_KEYS}.get(purpose) or ()
    sources = tuple(key.encode() for key in own) or secret_keys()
    return tuple(hmac.digest(source, b"storefront:" + purpose.encode(), "sha256") for source in sources)


def key_id(key: bytes) -> str:
    """A short public name of a key, to find it again after a rotation."""
    return hashlib.sha256(b"kid:" + key).hexdigest()[:8]


def keyed_hash(purpose: str, *parts: str) -> str:
    """64 hex characters, HMAC-SHA-256 under the newest key. Parts cannot run into one another."""
    return _keyed_hash(derived_keys(purpose)[0], parts)


def keyed_hashes(purpose: str, *parts: str) -> list[str]:
    """The same under every live key, for look-ups after a rotation; the newest first."""
    return [_keyed_hash(key, parts) for key in derived_keys(purpose)]


def _keyed_hash(key: bytes, parts: tuple[str, ...]) -> str:
    return hmac.digest(key, "\x1f".join(parts).encode(), "sha256").hex()


def same(first: str, second: str) -> bool:
    """Equality in constant time."""
    return hmac.compare_digest(first.encode(), second.encode())


@cache
def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived_keys("encryption")])


def encrypt(text: str) -> str:
    return _fernet().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Raises ValueError when no live key opens it."""
    try:
        return _fernet().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise ValueError("No live key opens this value.") from error


def renewed(token: str) -> str | None:
    """The same under the newest key; None when it is under it already. Raises ValueError when no live key opens it."""
    newest = Fernet(base64.urlsafe_b64encode(derived_keys("encryption")[0]))
    try:
        newest.decrypt(token.encode())
    except InvalidToken:
        return encrypt(decrypt(token))
    return None


class EncryptedJSONField(models.TextField):  # type: ignore[type-arg]
    """JSON encrypted at rest (Fernet; keys rotate through SECRET_KEY_FALLBACKS). Cannot be searched."""

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else encrypt(json.dumps(value))

    def from_db_value(self, value: str | None, *_: Any) -> Any:
        return None if value is None else json.loads(decrypt(value))

    def to_python(self, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    def value_to_string(self, obj: models.Model) -> str:
        """Serialised dumps stay encrypted."""
        return str(self.get_prep_value(self.value_from_object(obj)))


def forget() -> None:
    for derived in (secret_keys, derived_keys, _fernet):
        derived.cache_clear()
