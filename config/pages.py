"""Addresses beside the API: landing page, documentation, OpenAPI document, health, admin, files in development."""

from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import path, re_path
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


urlpatterns = [
    path("", landing, name="landing"),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", site.urls),
    path("health", RedirectView.as_view(pattern_name="ready")),
    path("health/live", health.live, name="live"),
    path("health/ready", health.ready, name="ready"),
    path("api/schema", openapi_document, name="schema"),
    path("docs", SpectacularSwaggerView.as_view(url_name="schema", template_name="config/swagger.html"), name="docs"),
    path(
        "docs/redoc", SpectacularRedocView.as_view(url_name="schema", template_name="config/redoc.html"), name="redoc"
    ),
]
if settings.DEBUG:
    urlpatterns.append(re_path(r"^media/(?P<path>.+)$", uploaded, name="media"))
