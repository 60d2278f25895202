"""Around every page of the back office: how long a sign-in lasts, and what a page may load."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from storefront.middleware import API_PREFIX
from storefront.staff import access

# Nothing from other hosts. 'unsafe-eval' is for Alpine's expressions in attributes; styles are set inline by charts
# and menus. Scripts are files: an injected <script> does not run.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
# The documentation pages start from an inline script of drf-spectacular's templates.
DOCS_POLICY = POLICY.replace("'unsafe-eval'", "'unsafe-inline' 'unsafe-eval'")


class StaffMiddleware:
    """Belongs after the middleware of authentication, one-time tokens and messages. Requests of the API pass by."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(API_PREFIX):
            return self.get_response(request)
        signed_in = settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session
        if signed_in and access.overdue(request, now=time.time()):
            logout(request)
            messages.info(request, _("You were signed out after a while. Please sign in again."))
        response = self.get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            docs = request.path_info.startswith("/docs")
            response.headers.setdefault("Content-Security-Policy", DOCS_POLICY if docs else POLICY)
        return response
