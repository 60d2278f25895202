"""Around every page of the back office: how long a sign-in lasts, and what a page may load."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from storefront.conf import conf
from storefront.middleware import API_PREFIX
from storefront.staff import access


def policy(*, inline_scripts: bool = False) -> str:
    """What pages may load: nothing from other hosts than where this shop keeps its static files and uploads.

    'unsafe-eval' is for Alpine's expressions in attributes; charts and menus set styles inline. Scripts are files, so
    an injected <script> does not run; only the documentation pages start from an inline one.
    """
    static, media = _origin(settings.STATIC_URL), _origin(settings.MEDIA_URL)
    pictures = "".join(f" {origin}" for origin in conf().STAFF_IMAGE_ORIGINS)
    inline = " 'unsafe-inline'" if inline_scripts else ""
    return "; ".join(
        [
            "default-src 'self'",
            f"script-src 'self'{static} 'unsafe-eval'{inline}",
            f"style-src 'self'{static} 'unsafe-inline'",
            f"img-src 'self'{static}{media}{pictures} data: blob:",
            f"font-src 'self'{static} data:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


def _origin(address: str | None) -> str:
    parts = urlsplit(address or "")
    return f" {parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else ""


class StaffMiddleware:
    """Belongs after the middleware of authentication, one-time tokens and messages. Requests of the API pass by."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.policy, self.docs_policy = policy(), policy(inline_scripts=True)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(API_PREFIX):
            return self.get_response(request)
        signed_in = settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session
        if signed_in and access.overdue(request, now=time.time()):
            logout(request)
            messages.info(request, _("You were signed out after a while. Please sign in again."))
        response = self.get_response(request)
        debug_page = settings.DEBUG and response.status_code == 500  # Django's own, which lives on inline scripts
        if response.get("Content-Type", "").startswith("text/html") and not debug_page:
            docs = request.path_info.startswith("/docs")
            response.headers.setdefault("Content-Security-Policy", self.docs_policy if docs else self.policy)
        return response
