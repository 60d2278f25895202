"""Addresses beside the API: landing page, documentation, OpenAPI document, health, admin, files in development."""

from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import URLPattern, URLResolver, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView
from django.views.static import serve
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView

from storefront import health, wire
from storefront.admin_base import site


def landing(request: HttpRequest) -> HttpResponse:
    return render(request, "config/landing.html", {"debug": settings.DEBUG})


def openapi_document(request: HttpRequest) -> HttpResponse:
    """The document, for anyone and from anywhere: editors and generators fetch it."""
    return HttpResponse(_document(), content_type="application/json")


@cache
def _document() -> bytes:
    return wire.dumps(SchemaGenerator().get_schema(request=None, public=True))


def uploaded(request: HttpRequest, path: str) -> HttpResponseBase:
    """A file that was uploaded; in development only. Never run, never guessed at by the browser."""
    response = serve(request, path, document_root=str(settings.MEDIA_ROOT))
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _read(route: str, view: Callable[..., HttpResponseBase], name: str | None = None) -> URLPattern:
    """An address that is read and nothing else. Other methods get 405, without a question for a form's token."""
    return path(route, csrf_exempt(require_safe(view)), name=name)


urlpatterns: list[URLPattern | URLResolver] = [
    _read("", landing, name="landing"),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", site.urls),
    _read("health", RedirectView.as_view(pattern_name="ready")),
    _read("health/live", health.live, name="live"),
    _read("health/ready", health.ready, name="ready"),
    _read("api/schema", openapi_document, name="schema"),
    _read("docs", SpectacularSwaggerView.as_view(url_name="schema", template_name="config/swagger.html"), name="docs"),
    _read(
        "docs/redoc", SpectacularRedocView.as_view(url_name="schema", template_name="config/redoc.html"), name="redoc"
    ),
]
if settings.DEBUG:
    urlpatterns.append(re_path(r"^media/(?P<path>.+)$", uploaded, name="media"))
