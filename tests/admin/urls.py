"""The back office alone, with two pages as an app would add them: its tests need no API."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from storefront.admin_base import site
from storefront.errors import InProgress


def greeting(request: HttpRequest) -> HttpResponse:
    return site.render(request, "storefront/staff/confirm.html", {"text": "Hello from a page"}, title="Greeting")


def refusal(request: HttpRequest) -> HttpResponse:
    raise InProgress("Not while it rains")


_own = site.pages
site.page("test/greeting/", greeting, "Greeting", permission="storefront.view_store")
site.page("test/refusal/", refusal, "Refusal", menu="")

urlpatterns = [path("admin/", site.urls)]
PAGES = site.pages
site.pages = _own  # elsewhere the site is as it was: other addresses do not know these two
