"""`SHOPPER`: who the bearer of a token is. Also a DRF authentication class, for a shop's own views."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken

from storefront import crypto
from storefront import selectors as kernel
from storefront.contracts import Shopper
from storefront.errors import TokenExpired, Unauthenticated
from storefront.models import Store

from . import selectors, tokens
from .tokens import AccessToken


class TokenShoppers(JWTAuthentication):
    """A visitor's token costs no query. A logged-in shopper's costs one, every SESSION_CHECK_SECONDS."""

    _SIZE = 2048

    def __init__(self) -> None:
        # Tokens that were verified lately. Checking a signature costs far more than finding a string.
        self._verified: dict[tuple[str, str], tuple[int, Shopper]] = {}
        self._keys: tuple[bytes, ...] = ()

    def identify(self, *, store: Store, request: Any) -> Shopper | None:
        raw = bearer(request)
        if raw is None:
            return None
        shopper = self._remembered(store.pk, raw) or self._verify(store.pk, raw)
        if shopper.session_id:
            if not selectors.session_lives(store=store, session_id=shopper.session_id):
                raise Unauthenticated
        elif not shopper.is_anonymous and not selectors.user_lives(store=store, user_id=shopper.user_id):
            raise Unauthenticated
        return shopper

    def _remembered(self, store_id: str, raw: str) -> Shopper | None:
        found = self._verified.get((store_id, raw))
        if found is None:
            return None
        if self._keys is not crypto.derived_keys("token"):
            self._verified.clear()
            return None
        expires, shopper = found
        return shopper if tokens.now_seconds() < expires else None

    def _verify(self, store_id: str, raw: str) -> Shopper:
        try:
            token = AccessToken(raw, store_id=store_id)
        except tokens.ExpiredTokenError as error:
            raise TokenExpired from error
        except tokens.TokenError as error:
            raise Unauthenticated from error
        shopper = shopper_of(store_id, token)
        keys = crypto.derived_keys("token")
        if self._keys is not keys or len(self._verified) >= self._SIZE:
            self._verified = {}
            self._keys = keys
        self._verified[store_id, raw] = (int(token["exp"]), shopper)
        return shopper

    def authenticate(self, request: Request) -> tuple[Shopper, None] | None:  # type: ignore[override]
        """DRF's entry: the store is the `store_id` of the address. Raises InvalidToken."""
        store = kernel.store((request.parser_context or {})["kwargs"]["store_id"])
        try:
            shopper = self.identify(store=store, request=request)
        except Unauthenticated as error:
            raise InvalidToken from error
        return (shopper, None) if shopper else None


def bearer(request: Any) -> str | None:
    """The token of the Authorization header, or None when there is none of that scheme."""
    scheme, _, raw = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return raw.strip() or None if scheme.lower() == "bearer" else None


def shopper_of(store_id: str, token: AccessToken) -> Shopper:
    claims: dict[str, Any] = token.payload
    return Shopper(
        store_id=store_id,
        user_id=claims["ulid"],
        customer_id=claims.get("customer_id"),
        group_id=claims.get("customer_group_id"),
        session_id=claims.get("sid"),
        channel_id=(claims.get("channel") or {}).get("id"),
        anonymous_id=claims.get("anonymous_id"),
        is_logged_in=bool(claims.get("is_logged_in")) and bool(claims.get("sid")),
        is_anonymous=bool(claims.get("is_anonymous", True)),
        claims=claims,
    )
