"""What happens to every request around its view."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404
from django.utils import translation

from storefront import errors, languages, origin, wire
from storefront.conf import conf
from storefront.errors import DomainError

GetResponse = Callable[[HttpRequest], HttpResponse]
logger = structlog.get_logger("storefront.request")
API_PREFIX = "/api/"
REFUSED = "storefront.refused"  # in the environment: a DomainError that the server raised over the body


class StorefrontMiddleware:
    """Request ids, one log line a request with nothing personal in it, input limits, JSON for errors outside views.

    The line holds method, route pattern, status, duration and ids: no path values, no query string, no body.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.log_requests: bool = getattr(settings, "LOG_REQUESTS", True)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        request_id = self._request_id(request)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            if request.path_info.startswith(API_PREFIX):
                response = self._in_language(request)
            elif REFUSED in request.META:
                response = wire.error_response(request.META[REFUSED])
            else:
                response = self.get_response(request)
            response["X-Request-Id"] = request_id
            match = request.resolver_match
            if self.log_requests and not request.path_info.startswith("/health/"):
                logger.info(
                    "request",
                    method=request.method,
                    route=match.route if match else None,
                    status=response.status_code,
                    ms=round((time.perf_counter() - started) * 1000, 1),
                    store=match.kwargs.get("store_id") if match else None,
                )
            return response
        finally:
            structlog.contextvars.unbind_contextvars("request_id")

    def _in_language(self, request: HttpRequest) -> HttpResponse:
        before = translation.get_language()
        language = languages.asked(request) or settings.LANGUAGE_CODE
        if language != before:
            translation.activate(language)
        try:
            return self._api(request)
        finally:
            if translation.get_language() != before:  # a view may have gone over to its store's
                translation.activate(before) if before else translation.deactivate_all()

    def _api(self, request: HttpRequest) -> HttpResponse:
        origin.remember(request)
        try:
            check_input(request)
        except DomainError as error:
            return wire.error_response(error)
        response = self.get_response(request)
        without_body = response.streaming or response.status_code == 304
        if not without_body and not response.has_header("Content-Length"):
            response["Content-Length"] = str(len(response.content))  # without it, servers send the answer in chunks
        if response.status_code >= 400 and not response.get("Content-Type", "").startswith("application/json"):
            return in_json(response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """An exception that left a view of the API: DRF catches its own, so this is one from a plain view."""
        if not request.path_info.startswith(API_PREFIX) or isinstance(exception, Resolver404):
            return None
        from storefront.api import as_domain_error

        error = as_domain_error(exception)
        if error.status >= 500:
            logger.exception("request_failed")
        return wire.error_response(error)

    @staticmethod
    def _request_id(request: HttpRequest) -> str:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        if 8 <= len(given) <= 64 and given.isascii() and given.replace("-", "").isalnum():
            return str(given)
        return os.urandom(8).hex()


_larger_uploads: dict[re.Pattern[str], int] = {}


def allow_uploads(pattern: str, limit: int) -> None:
    """Lets addresses that match all of `pattern` take forms of up to `limit` bytes. From an app's `ready`."""
    _larger_uploads[re.compile(pattern)] = limit


def body_limit(path: str, content_type: str) -> int:
    """How many bytes a body of that type may have at that address."""
    if not content_type.startswith("multipart/"):
        return conf().MAX_BODY_BYTES
    larger = (limit for pattern, limit in _larger_uploads.items() if pattern.fullmatch(path))
    return next(larger, conf().MAX_UPLOAD_BYTES)


def check_input(request: HttpRequest) -> None:
    """Refuses what no view should see: too large a body, NUL or broken UTF-8 in the address."""
    meta = request.META
    if REFUSED in meta:
        raise meta[REFUSED]
    length = meta.get("CONTENT_LENGTH") or "0"
    if length != "0":
        if not length.isdigit():
            raise errors.MalformedBody
        if int(length) > body_limit(request.path_info, meta.get("CONTENT_TYPE", "")):
            raise errors.BodyTooLarge
    elif meta.get("HTTP_TRANSFER_ENCODING"):
        # A body of unknown length; `config.bodies` gives it one. Other servers must do so, too.
        meta["CONTENT_LENGTH"] = "0"
    check_address(request)


def check_address(request: HttpRequest) -> None:
    """Refuses NUL and broken UTF-8 in it. Databases refuse NUL only when they are asked, which would be a fault of ours."""
    if "\x00" in request.path_info or "\ufffd" in request.path_info:
        raise errors.NotFound
    if "%00" in request.META.get("QUERY_STRING", ""):
        raise errors.Invalid(code="malformed_query")


def in_json(response: HttpResponseBase) -> HttpResponse:
    """The envelope of a refusal, in the place of one that Django worded for a page; what is said of neither is kept."""
    known: dict[int, type[DomainError]] = {
        400: DomainError,  # a name of the host that is not ours, most of all; a body is refused where it is read
        401: errors.Unauthenticated,
        403: errors.NotFound,
        404: errors.NotFound,
        405: errors.MethodNotAllowed,
        413: errors.BodyTooLarge,
        415: errors.UnsupportedMediaType,
        429: errors.TooManyRequests,
        503: errors.Unavailable,
    }
    kept = {
        name: value
        for name, value in response.headers.items()
        if not name.startswith("Content-") and name != "Cache-Control"
    }
    return wire.error_response(known.get(response.status_code, errors.ServerError)(), headers=kept)


def back_office_only(middleware: type[Any]) -> type[Any]:
    """The same middleware for staff pages only: sessions, CSRF and messages mean nothing to the API.

    A run of them costs a request of the API one call: the first one passes it straight to what follows the last.
    """

    class BackOffice(middleware):  # type: ignore[misc]
        def __init__(self, get_response: GetResponse) -> None:
            super().__init__(get_response)
            following = getattr(get_response, "__wrapped__", None)  # Django wraps each one to turn errors into answers
            self.straight: GetResponse = getattr(following, "straight", get_response)

        def __call__(self, request: HttpRequest) -> Any:
            if request.path_info.startswith(API_PREFIX):
                return self.straight(request)
            return super().__call__(request)

    if hasattr(middleware, "process_view"):

        def process_view(self: Any, request: HttpRequest, *args: Any) -> Any:
            if request.path_info.startswith(API_PREFIX):
                return None
            return middleware.process_view(self, request, *args)

        BackOffice.process_view = process_view
    BackOffice.__name__ = BackOffice.__qualname__ = middleware.__name__
    return BackOffice
