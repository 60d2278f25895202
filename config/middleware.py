"""Django's middleware for staff pages. The API has no sessions, cookies or forms, so its requests pass by."""

from collections.abc import Awaitable

from corsheaders.middleware import CorsMiddleware as _Cors
from django.contrib.auth.middleware import AuthenticationMiddleware as _Authentication
from django.contrib.messages.middleware import MessageMiddleware as _Message
from django.contrib.sessions.middleware import SessionMiddleware as _Session
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware as _XFrameOptions
from django.middleware.common import CommonMiddleware as _Common
from django.middleware.csrf import CsrfViewMiddleware as _Csrf
from django_otp.middleware import OTPMiddleware as _Otp
from whitenoise.middleware import WhiteNoiseMiddleware as _WhiteNoise

from storefront.middleware import back_office_only


class CorsMiddleware(_Cors):
    """Asks django-cors-headers only where a browser asks from another origin; all others get the same without it."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if "HTTP_ORIGIN" in request.META or request.method == "OPTIONS":
            return super().__call__(request)
        response = self.get_response(request)
        assert isinstance(response, HttpResponseBase)
        response.headers.setdefault("Vary", "Origin")
        return response


AuthenticationMiddleware = back_office_only(_Authentication)
CommonMiddleware = back_office_only(_Common)
CsrfViewMiddleware = back_office_only(_Csrf)
MessageMiddleware = back_office_only(_Message)
OtpMiddleware = back_office_only(_Otp)
SessionMiddleware = back_office_only(_Session)
WhiteNoiseMiddleware = back_office_only(_WhiteNoise)
XFrameOptionsMiddleware = back_office_only(_XFrameOptions)
