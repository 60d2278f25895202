"""What only delivery may know. A row names a secret; the app that owns it gives the value when the message leaves.

    secrets.register("otp", code_of_challenge)      # from an app's ready()
    secrets.resolve("otp:01J...", now=now)          # {"code": "123456"}

A resolver is called with the id and `now`, returns the values that the template may show beside the row's own, and
raises `Gone` when there is nothing left to say: the code was replaced or is too old, or (`Used`) did its work.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Gone(Exception):
    """The secret no longer exists, so its message must not be sent."""


class Used(Gone):
    """The secret has served its purpose: no reason to say it again, but none to hide it from who was promised it.

    A message of which no attempt has ended yet still leaves with `values`; any other one doesn't.
    """

    def __init__(self, kind: str, values: dict[str, str]) -> None:
        super().__init__(kind)
        self.values = values


class Resolver(Protocol):
    def __call__(self, secret_id: str, /, *, now: datetime) -> dict[str, str]: ...


_resolvers: dict[str, Resolver] = {}


def register(kind: str, resolver: Resolver) -> None:
    """Names the owner of a kind of secret. Registering again replaces it."""
    _resolvers[kind] = resolver


def resolve(ref: str, *, now: datetime) -> dict[str, str]:
    """The values behind a reference; {} for "". Raises Gone. Never store or log the answer."""
    if not ref:
        return {}
    kind, _, secret_id = ref.partition(":")
    resolver = _resolvers.get(kind)
    if resolver is None:
        raise Gone(kind)
    return resolver(secret_id, now=now)
