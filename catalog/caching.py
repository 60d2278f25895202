"""HTTP caching of what everybody with the same key reads alike.

A read with the API key alone may be kept by browsers and caches for a short while, and then be asked for again by its
`ETag`, which costs no more than the version of the catalogue. A read with a token stays `no-store`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpResponse, HttpResponseNotModified
from django.utils.translation import get_language
from rest_framework.request import Request

from storefront import origin
from storefront.conf import conf

from . import changes, promotions, selectors

Action = Callable[..., Any]
_seen: dict[str, str] = {}  # the version of each store that this process met last


def cacheable(action: Action) -> Action:
    """An action of a `CatalogViewSet` whose answer depends on the address, the store, the price group and the language only."""

    @wraps(action)
    def answer(self: Any, request: Request, **url: Any) -> HttpResponse:
        if self.key is None or request.META.get("HTTP_AUTHORIZATION"):
            response: HttpResponse = action(self, request, **url)
            return response
        tag = _tag(self, request)  # before anything is read: a change meanwhile gives an old tag, never a new one
        if _known(request.META.get("HTTP_IF_NONE_MATCH", ""), tag):
            response = HttpResponseNotModified()
        else:
            response = action(self, request, **url)
        settings = conf()
        response["ETag"] = tag
        response["Cache-Control"] = (
            f"public, max-age={settings.CATALOG_MAX_AGE}, stale-while-revalidate={settings.CATALOG_STALE}"
        )
        return response

    return answer


def _tag(view: Any, request: Request) -> str:
    """Weak, for a proxy may compress the same answer."""
    store = view.store
    version = changes.version(store=store)
    if _seen.get(store.pk) != version:  # another process may have changed categories that this one remembers
        selectors.forget_tree(store_id=store.pk)
        _seen[store.pk] = version
    parts = (
        version,
        store.pk,
        store.modified_at.isoformat(),
        *view.group_ids,
        "",
        origin.current(),
        promotions.version(store=store),
        get_language() or "",
        request.META.get("QUERY_STRING", ""),
        request._request.path,
    )
    return f'W/"{hashlib.blake2b(chr(31).join(parts).encode(), digest_size=12).hexdigest()}"'


def _known(header: str, tag: str) -> bool:
    """`*` is no tag of ours: whether there is anything at the address is for the action to say."""
    return any(part.strip().removeprefix("W/") == tag.removeprefix("W/") for part in header.split(","))
