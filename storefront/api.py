"""The base of every API view: store and shopper from the request, envelope and refusals to the answer.

A view says who may call it with `access`, one value or one per action, and answers `Reply(content, message=...)`.
"""

from __future__ import annotations

import enum
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.http import Http404, HttpRequest, HttpResponse, QueryDict, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser, FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from storefront import errors, idempotency, languages, limits, selectors, wire
from storefront.codecs import Body, EnvelopeRenderer
from storefront.conf import limit_rules
from storefront.contracts import Shopper
from storefront.errors import DomainError
from storefront.ids import new_id
from storefront.models import Store
from storefront.plugs import plug
from storefront.selectors import KeyHolder

logger = logging.getLogger(__name__)


class Access(enum.Enum):
    """Who may call an action."""

    OPEN = "open"  # nobody is asked; a token is read when there is one
    KEY = "key"  # the API key; a token is read when there is one
    KEY_OR_TOKEN = "key_or_token"
    VISITOR = "visitor"  # any valid token
    LOGGED_IN = "logged_in"


class Reply(Response):
    """A success: the envelope around `content` (None leaves the key out).

    Written at once. DRF's answers are templates, rendered later by what was negotiated; here there is nothing to
    negotiate, and the ceremony would cost more than the writing.
    """

    def __init__(self, content: Mapping[str, Any] | None = None, *, message: object = None) -> None:
        body: dict[str, Any] = {"message": str(message or _("Done.")), "success": True}
        if content is not None:
            body["content"] = content
        self._post_render_callbacks: list[Any] = []
        HttpResponse.__init__(self, wire.dumps(body), content_type="application/json")
        self.data = body


class StoreViewSet(ViewSetMixin, APIView):
    """Gives an action `self.store`, `self.shopper`, `self.key` and a parsed `request.data`.

    Nothing of the request goes below the view but what the view passes on. Foreign resources are 404.
    """

    access: ClassVar[Access | Mapping[str, Access]] = Access.VISITOR
    inputs: ClassVar[Mapping[str, type[BaseSerializer[Any]]]] = {}  # the serializer of each action that reads a body
    http_method_names = ["get", "post", "put", "delete", "head"]  # a browser's preflight is answered before us
    parser_classes: Sequence[type[BaseParser]] = (Body,)
    renderer_classes = (EnvelopeRenderer,)
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    action: str | None  # type: ignore[assignment]  # None for a method without a handler
    store: Store
    shopper: Shopper
    key: KeyHolder | None = None

    @classmethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        """Outside of `ATOMIC_REQUESTS`, where a shop has that: services open their own transactions, a refusal must
        not undo what was counted for it, and a slow catalogue must not hold locks."""
        return transaction.non_atomic_requests(super().as_view(actions, **initkwargs))

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """DRF's, less what fixed parsers, one renderer and no authenticators leave without a purpose."""
        self.args, self.kwargs, self.headers = args, kwargs, {}
        method = (request.method or "").lower()
        self.action = self.action_map.get(method) if method in self.http_method_names else None
        context: dict[str, Any] = {"view": self, "args": args, "kwargs": kwargs}
        asked = self.request = Request(
            request, parsers=self.get_parsers(), negotiator=_NEGOTIATION, parser_context=context
        )
        asked.META = request.META  # its own: what it lacks, DRF's request finds in a roundabout way
        response: HttpResponseBase
        try:
            self.initial(asked)
            handler = getattr(self, method) if self.action else self.http_method_not_allowed
            response = handler(asked, *args, **kwargs)
        except Exception as exc:
            response = self.handle_exception(exc)
        response = self.finalize_response(asked, response)
        # DRF ties a view to its own handlers, and its request to both. Untied, they go at once; as they are, all that
        # belongs to a request, its body too, stays until the collector comes by, and that comes by the more often.
        context.clear()
        self.__dict__.clear()
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        accept = request.META.get("HTTP_ACCEPT")
        if accept and "*/*" not in accept and "application/" not in accept:
            raise errors.NotAcceptable
        self.store = selectors.store(self.kwargs["store_id"])
        languages.speak(languages.asked(request._request) or languages.spoken(self.store.language))
        if self.action is None:  # no handler: 405, whoever asks
            return
        access = self.access if isinstance(self.access, Access) else self.access[self.action]
        self.shopper, self.key = identify(self.store, request, access)
        request.user = self.shopper  # type: ignore[assignment]

    def brake(self, name: str, *parts: str) -> None:
        """Counts this call against a named limit; by network unless `parts` say otherwise."""
        if limit_rules(name):
            limits.hit(limits.rules(name, self.store.pk, *(parts or (self.network,))))

    def read(self, request: Request) -> dict[str, Any]:
        """The validated body of this action, through its serializer in `inputs`. Raises ValidationError.

        One instance of a serializer serves all requests (making one costs more than using it), so these have no
        context: what depends on the store or the shopper is the service's to check.
        """
        assert self.action is not None
        return dict(_reader(self.inputs[self.action], get_language()).run_validation(request.data))  # type: ignore[arg-type]

    def once(self, call: Callable[[str], Response], *, outside: bool = False) -> Any:
        """`call(id)` for this request, or the answer of its caller's first one with the same `Idempotency-Key`.

        `id` is a fresh one for what is made. `call` runs in a transaction with the key; `outside` of one where it asks
        a provider or takes files in (`storefront.idempotency`). Read and check the body first.
        """
        request = self.request
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")
        where: dict[str, Any] = {
            "store": self.store,
            "caller": self.shopper.user_id,
            "route": f"{request.method} {request.path}",
            "key": key,
            "body": _comparable(request.data) if key else None,
        }
        if outside:
            return idempotency.once_outside(**where, call=call)
        return idempotency.once(**where, call=lambda: call(new_id()))

    @property
    def network(self) -> str:
        return limits.network_of(self.request)

    @property
    def group_id(self) -> str | None:
        """Whose catalogue prices to show: the header's group if it is one of the store's, else the shopper's (D-22)."""
        asked = self.request.META.get("HTTP_X_CUSTOMER_GROUP_ID")
        return asked if asked and asked in selectors.groups(store=self.store) else self.shopper.group_id

    @property
    def wants_debug(self) -> bool:
        return str(self.request.META.get("HTTP_X_DEBUG_MODE", "")).lower() == "true"

    def handle_exception(self, exc: Exception) -> Response:
        return refuse(exc, self)

    def finalize_response(  # type: ignore[override]  # DRF itself lets Django answers pass
        self, request: Any, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        if isinstance(response, Response) and not response.is_rendered:
            response.accepted_renderer = _RENDERER
            response.accepted_media_type = "application/json"
            response.renderer_context = {}  # type: ignore[attr-defined]
        response["Vary"] = "Authorization, X-Api-Key, x-customer-group-id, Accept-Language, Origin"
        response["Content-Language"] = get_language() or settings.LANGUAGE_CODE
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = "no-store"
        return response


class _Negotiation(DefaultContentNegotiation):
    """DRF's, without comparing media types by their parts for a body that says plainly what it is."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        if request.content_type in ("application/json", "application/json; charset=utf-8"):
            return next(iter(parsers))  # each view's first parser is Body
        return super().select_parser(request, parsers)


_RENDERER = EnvelopeRenderer()
_NEGOTIATION = _Negotiation()


@cache
def _reader(serializer: type[BaseSerializer[Any]], language: str | None) -> BaseSerializer[Any]:
    """One for each language: DRF's messages with a figure in them stay in the language in which they were first read."""
    return serializer()


def _comparable(data: Any) -> Any:
    """A body by which two requests can be held against each other: files by their contents."""
    if not isinstance(data, QueryDict):
        return data
    return {
        name: [_digest(value) if isinstance(value, UploadedFile) else value for value in values]
        for name, values in data.lists()
    }


def _digest(file: UploadedFile[Any]) -> str:
    found = hashlib.sha256(str(file.name).encode())
    for chunk in file.chunks():
        found.update(chunk)
    file.seek(0)
    return found.hexdigest()


class UploadViewSet(StoreViewSet):
    """An action that takes files."""

    parser_classes = (Body, MultiPartParser, FormParser)


def identify(store: Store, request: Request, access: Access) -> tuple[Shopper, KeyHolder | None]:
    """The caller, or a refusal. The published client sends the key alone, a token alone, or both."""
    headers = request.META
    shopper: Shopper | None = None
    if headers.get("HTTP_AUTHORIZATION"):
        try:
            shopper = plug("SHOPPER").identify(store=store, request=request)
        except errors.Unauthenticated:
            if access in (Access.VISITOR, Access.LOGGED_IN):
                raise
            if access is Access.KEY_OR_TOKEN and not headers.get("HTTP_X_API_KEY"):
                raise
    raw_key = headers.get("HTTP_X_API_KEY")
    key = None
    if access is Access.KEY or (access is Access.KEY_OR_TOKEN and shopper is None):
        key = selectors.key_holder(store=store, raw_key=raw_key or "")
    elif shopper is None and access is not Access.OPEN:
        raise errors.Unauthenticated
    if access is Access.LOGGED_IN and not (shopper and shopper.is_logged_in):
        raise errors.LoginRequired
    return shopper or _nobody(store.pk), key


@lru_cache(maxsize=1024)
def _nobody(store_id: str) -> Shopper:
    """Who holds an API key alone, if that. Frozen, so one serves all."""
    return Shopper(store_id=store_id)


def refuse(exc: Exception, view: StoreViewSet | None = None) -> Response:
    """Any exception as an answer. What nobody foresaw is logged and is a 500 in the envelope."""
    error = as_domain_error(exc)
    if error.status >= 500 and not isinstance(exc, DomainError):
        logger.exception("request_failed", exc_info=exc, extra={"action": getattr(view, "action", None)})
    response = Response(wire.error_body(error), status=error.status)
    if error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    if error.status == 405 and view is not None:
        response["Allow"] = ", ".join(view.allowed_methods)
    response.exception = True
    return response


def as_domain_error(exc: Exception) -> DomainError:
    """The refusal that an exception means."""
    match exc:
        case DomainError():
            return exc
        case exceptions.ValidationError():
            found = field_errors(exc.detail)
            first = next(iter(found.values()), [""])[0]
            return errors.Invalid(first or None, errors=found)
        case DjangoValidationError():
            found = exc.message_dict if hasattr(exc, "error_dict") else {"non_field_errors": exc.messages}
            return errors.Invalid(next(iter(found.values()))[0], errors=found)
        case exceptions.ParseError():
            return errors.MalformedBody()
        case exceptions.MethodNotAllowed():
            return errors.MethodNotAllowed()
        case exceptions.UnsupportedMediaType():
            return errors.UnsupportedMediaType()
        case exceptions.NotAcceptable():
            return errors.NotAcceptable()
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return errors.Unauthenticated()
        case exceptions.PermissionDenied() | exceptions.NotFound() | Http404():
            return errors.NotFound()
        case exceptions.Throttled():
            return errors.TooManyRequests(retry_after=int(getattr(exc, "wait", None) or 1))
        case RequestDataTooBig():
            return errors.BodyTooLarge()
        case SuspiciousOperation():  # among others: a form of too many fields or files
            return errors.MalformedBody()
        case (
            OperationalError() | InterfaceError() | UnreadablePostError()
        ):  # the last: its sender was gone, or too slow
            return errors.Unavailable(retry_after=1)
        case DatabaseError() | _:
            return errors.ServerError()


def field_errors(detail: Any, path: str = "") -> dict[str, list[str]]:
    """DRF's nested error detail as {dotted field path: [messages]}."""
    if isinstance(detail, Mapping):
        found: dict[str, list[str]] = {}
        for name, inner in detail.items():
            key = name if name != "non_field_errors" else ""
            found |= field_errors(inner, ".".join(part for part in (path, str(key)) if part))
        return found
    if isinstance(detail, list) and any(isinstance(inner, (Mapping, list)) for inner in detail):
        found = {}
        for index, inner in enumerate(detail):
            found |= field_errors(inner, f"{path}.{index}" if path else str(index))
        return found
    messages = detail if isinstance(detail, list) else [detail]
    return {path or "non_field_errors": [str(message) for message in messages]} if messages else {}
