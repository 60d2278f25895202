"""Where the API is reached from, so that stored paths of files become absolute addresses in its answers.

Documents that are stored ready for output write `HERE` where the origin belongs; whoever sends them calls `complete`.
"""

from __future__ import annotations

from contextvars import ContextVar

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest

from storefront.conf import conf

HERE = "\ufdd0"  # a code point that Unicode keeps for internal use, so no text of a shop holds it
_request: ContextVar[HttpRequest | None] = ContextVar("storefront_origin", default=None)
_KEPT = "_storefront_origin"  # on the request: checking a host takes ten microseconds, and a cart asks 50 times


def remember(request: HttpRequest) -> None:
    """Called at the edge, once a request."""
    _request.set(request)


def current() -> str:
    """Scheme and host: PUBLIC_URL, else the running request's, else "" (addresses then stay relative)."""
    fixed = conf().PUBLIC_URL
    request = None if fixed else _request.get()
    if request is None:
        return fixed.rstrip("/")
    found: str | None = request.__dict__.get(_KEPT)
    if found is None:
        try:
            found = f"{request.scheme}://{request.get_host()}"
        except DisallowedHost:
            found = ""
        request.__dict__[_KEPT] = found
    return found


def absolute(address: str) -> str:
    """The address of a file as the storage gives it, made absolute."""
    return current() + address if address.startswith("/") else address


def marked(address: str) -> str:
    """The same for a document to be stored."""
    return HERE + address if address.startswith("/") else address


def complete(text: str) -> str:
    """A stored document, ready to be sent."""
    return text.replace(HERE, current()) if HERE in text else text
