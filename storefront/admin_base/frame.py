"""What the theme's settings name: the menu, the user menu, styles, scripts and the badge of the environment."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from storefront.admin_base.admin_site import site


def menu(request: HttpRequest) -> list[dict[str, Any]]:
    return site.menu(request)


def account_links(request: HttpRequest) -> list[dict[str, Any]]:
    """The links of the user menu."""
    return [
        {"title": _("Two-factor sign-in"), "link": reverse("admin:security")},
        {"title": _("Change password"), "link": reverse("admin:password_change")},
    ]


def stylesheet(request: HttpRequest) -> str:
    return static("storefront/admin.css")


def script(request: HttpRequest) -> str:
    return static("storefront/admin.js")


def favicon(request: HttpRequest) -> str:
    return static("storefront/favicon.svg")


def environment(request: HttpRequest) -> list[Any] | None:
    """A badge that says that this is no live shop."""
    from django.conf import settings

    return [_("Development"), "warning"] if settings.DEBUG else None
