"""Django's middleware for staff pages, and refusals beside the API. The API has no sessions, cookies or forms, so its requests pass by."""

from collections.abc import Awaitable, Callable

from corsheaders.middleware import CorsMiddleware as _Cors
from django.contrib.auth.middleware import AuthenticationMiddleware as _Authentication
from django.contrib.messages.middleware import MessageMiddleware as _Message
from django.contrib.sessions.middleware import SessionMiddleware as _Session
from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware as _XFrameOptions
from django.middleware.common import CommonMiddleware as _DjangoCommon
from django.middleware.csrf import CsrfViewMiddleware as _Csrf
from django_otp.middleware import OTPMiddleware as _Otp
from whitenoise.middleware import WhiteNoiseMiddleware as _WhiteNoise

from storefront import wire
from storefront.errors import DomainError
from storefront.middleware import API_PREFIX, back_office_only, check_address, in_json


class CorsMiddleware(_Cors):
    """Asks django-cors-headers only where a browser asks from another origin; all others get the same without it."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if "HTTP_ORIGIN" in request.META or request.method == "OPTIONS":
            return super().__call__(request)
        response = self.get_response(request)
        assert isinstance(response, HttpResponseBase)
        response.headers.setdefault("Vary", "Origin")
        return response


class RefusalsInJson:
    """Refuses in JSON what is no page for people: misspelt addresses of the API get its envelope, and so do scanners.

    The admin and the pages behind links in messages word their refusals themselves.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(API_PREFIX):  # whose refusals are JSON already
            return self.get_response(request)
        try:
            check_address(request)
        except DomainError as error:
            return wire.error_response(error)
        response = self.get_response(request)
        if response.status_code < 400 or request.path_info.startswith("/admin/"):
            return response
        match = request.resolver_match
        if match is not None and match.route.startswith("newsletter/"):
            return response
        if response.get("Content-Type", "").startswith("application/json"):
            return response
        return in_json(response)


class _Common(_DjangoCommon):
    """Probes of health call a machine by whatever name or number they know it by."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        if request.path_info.startswith("/health/"):
            return None
        return super().process_request(request)


AuthenticationMiddleware = back_office_only(_Authentication)
CommonMiddleware = back_office_only(_Common)
CsrfViewMiddleware = back_office_only(_Csrf)
MessageMiddleware = back_office_only(_Message)
OtpMiddleware = back_office_only(_Otp)
SessionMiddleware = back_office_only(_Session)
WhiteNoiseMiddleware = back_office_only(_WhiteNoise)
XFrameOptionsMiddleware = back_office_only(_XFrameOptions)
