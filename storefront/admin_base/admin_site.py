"""The site itself: what apps add to it, who may enter, its menu."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django import forms
from django.apps import apps
from django.contrib.admin import ModelAdmin as PlainModelAdmin
from django.db import models
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from unfold.forms import AuthenticationForm
from unfold.sites import UnfoldAdminSite

from storefront import scope
from storefront.errors import DomainError

View = Callable[..., HttpResponseBase]
Admin = TypeVar("Admin", bound="type[PlainModelAdmin[Any]]")

# The groups of the side menu: key -> (title, order). An app's models go to their app's group unless they say otherwise.
MENU: dict[str, tuple[Any, int]] = {
    "shop": (_("Shop"), 10),
    "customers": (_("Customers"), 20),
    "promotions": (_("Promotions"), 25),
    "carts": (_("Carts"), 30),
    "delivery": (_("Delivery"), 32),
    "wallets": (_("Loyalty and credit"), 36),
    "payments": (_("Payments"), 35),
    "messages": (_("Messages"), 40),
    "settings": (_("Settings"), 90),
}
_MENU_OF_APP = {
    "storefront_catalog": "shop",
    "storefront_accounts": "customers",
    "storefront_customers": "customers",
    "storefront_carts": "carts",
    "storefront_payments": "payments",
    "storefront_fulfillment": "delivery",
    "storefront_messaging": "messages",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an app beside its models' pages."""

    path: str
    view: View
    title: Any
    name: str
    icon: str
    permission: str
    menu: str
    order: int


class StoreAdminSite(UnfoldAdminSite):  # type: ignore[misc]
    """The back office: password and, where due, a second factor before every page; see `storefront.staff`."""

    index_template = "storefront/staff/index.html"
    login_form = AuthenticationForm
    final_catch_all_view = True

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.pages: list[Page] = []

    @property
    def installed(self) -> bool:
        """Whether this project has our back office: the theme goes with it."""
        return apps.is_installed("unfold")

    # -- what apps add --
    def admin_for(self, *models_: type[models.Model]) -> Callable[[Admin], Admin]:
        """Registers the decorated class for these models, in place of what was registered for them before.

        In a shop with an admin of its own nothing is: its pages stay as they are, and ours need more than it has.
        """

        def register(admin_class: Admin) -> Admin:
            for model in models_ if self.installed else ():
                if self.is_registered(model):
                    self.unregister(model)
                self.register(model, admin_class)
            return admin_class

        return register

    def page(
        self,
        path: str,
        view: View,
        title: Any,
        icon: str = "article",
        permission: str = "",
        *,
        name: str = "",
        menu: str = "settings",
        order: int = 50,
    ) -> None:
        """Adds a page at `/admin/<path>`, named `admin:<name>` (the path in slug form unless given).

        `permission` ("app_label.codename") guards page and menu entry; every page needs a signed-in member of staff.
        `menu` "" keeps it out of the menu. Answer with `site.render`, so that it looks like its neighbours.
        """
        name = name or slugify(path.replace("/", "-").replace("<", "").replace(">", "").replace(":", "-"))
        self.pages = [known for known in self.pages if known.name != name]
        self.pages.append(Page(path, view, title, name, icon, permission, menu, order))

    def render(
        self,
        request: HttpRequest,
        template: str,
        context: dict[str, Any] | None = None,
        *,
        title: Any,
        status: int = 200,
    ) -> TemplateResponse:
        """A page in the frame of the back office. The template extends `storefront/staff/page.html`."""
        request.current_app = self.name
        full = {**self.each_context(request), "title": title, **(context or {})}
        return TemplateResponse(request, template, full, status=status)

    # -- addresses --
    def extra_urls(self) -> list[URLPattern]:
        from storefront.staff import views as staff

        own = [
            path("second-step/", staff.SecondStep.as_view(site=self), name="second_step"),
            path("enrol/", staff.Enrol.as_view(site=self), name="enrol"),
            path("security/", self.admin_view(staff.Security.as_view(site=self)), name="security"),
        ]
        return own + [path(page.path, self.admin_view(self._guarded(page)), name=page.name) for page in self.pages]

    def _guarded(self, page: Page) -> View:
        def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if page.permission and not request.user.has_perm(page.permission):
                return self.refuse(request, _("You may not see this page."), status=403)
            return page.view(request, *args, **kwargs)

        return view

    def catch_all_view(self, request: HttpRequest, url: str) -> HttpResponse:
        """Addresses without their last slash lead on; the project's API has none, so Django's own setting is off."""
        if not url.endswith("/") and request.method in {"GET", "HEAD"}:
            return HttpResponseRedirect(f"{request.path}/")
        found: HttpResponse = super().catch_all_view(request, url)
        return found

    # -- who may enter --
    def has_permission(self, request: HttpRequest) -> bool:
        from storefront.staff import access

        return super().has_permission(request) and access.second_factor_done(request)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Around every page: limits it to the stores that the member of staff sees, sets their clocks, and says why
        something is refused.

        The answer is rendered inside, so that queries of templates are limited as well, and of a download each part.
        """

        def told(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            from storefront.admin_base import clocks
            from storefront.staff import stores

            seen = stores.seen_by(request.user)
            with scope.limited_to(seen), timezone.override(clocks.of_page(request)):
                try:
                    answer: HttpResponseBase = view(request, *args, **kwargs)
                except DomainError as error:
                    answer = self.refuse(request, error.message, status=error.status)
                except Http404:
                    answer = self.refuse(
                        request,
                        _(
                            "There is nothing at this address. It may have been deleted, or belong to a store that is not yours."
                        ),
                        status=404,
                    )
                if isinstance(answer, SimpleTemplateResponse):
                    answer.render()
            if seen is not None and isinstance(answer, StreamingHttpResponse) and not answer.is_async:
                answer.streaming_content = scope.streamed(answer.streaming_content, seen)
            return answer

        for name in ("csrf_exempt", "model_admin"):
            if hasattr(view, name):
                setattr(told, name, getattr(view, name))
        return super().admin_view(told, cacheable)

    def refuse(self, request: HttpRequest, message: Any, *, status: int) -> HttpResponse:
        return self.render(
            request, "storefront/staff/refused.html", {"message": message}, title=_("Not possible"), status=status
        )

    def confirm(
        self,
        request: HttpRequest,
        *,
        title: Any,
        text: Any,
        button: Any,
        back: str = "",
        form: forms.Form | None = None,
        dangerous: bool = False,
        hidden: Sequence[tuple[str, str]] = (),
        status: int = 200,
    ) -> HttpResponse:
        """A page that asks before something is done; its form posts to the same address, with `hidden` as it is."""
        context = {
            "text": text,
            "button": button,
            "back": back,
            "form": form,
            "dangerous": dangerous,
            "hidden": hidden,
        }
        return self.render(request, "storefront/staff/confirm.html", context, title=title, status=status)

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        from storefront.staff import views as staff

        return staff.PasswordStep.as_view(site=self)(request)

    # -- dashboard --
    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        from storefront.staff import dashboard

        page: TemplateResponse = super().index(request, {**dashboard.context(request), **(extra_context or {})})
        return page

    # -- menu --
    def menu(self, request: HttpRequest) -> list[dict[str, Any]]:
        """The side menu for this member of staff: pages that they may not see are left out."""
        groups: dict[str, list[tuple[int, str, dict[str, Any]]]] = {key: [] for key in MENU}
        for model, model_admin in self._registry.items():
            key = getattr(model_admin, "menu", None)
            if key is None:
                key = _MENU_OF_APP.get(model._meta.app_label, "settings")
            if not key or not model_admin.has_view_permission(request):
                continue
            title = getattr(model_admin, "menu_title", None) or model._meta.verbose_name_plural
            entry = {
                "title": str(title)[:1].upper() + str(title)[1:],
                "icon": getattr(model_admin, "icon", "table_rows"),
                "link": reverse(f"{self.name}:{model._meta.app_label}_{model._meta.model_name}_changelist"),
            }
            groups.setdefault(key, []).append((getattr(model_admin, "menu_order", 50), entry["title"], entry))
        for page in self.pages:
            if page.menu and "<" not in page.path and (not page.permission or request.user.has_perm(page.permission)):
                entry = {"title": page.title, "icon": page.icon, "link": reverse(f"{self.name}:{page.name}")}
                groups.setdefault(page.menu, []).append((page.order, str(page.title), entry))
        home = {"title": _("Dashboard"), "icon": "dashboard", "link": reverse(f"{self.name}:index")}
        titles = sorted((key for key in groups if groups[key]), key=lambda key: MENU.get(key, (key, 60))[1])
        return [{"items": [home]}] + [
            {
                "title": MENU.get(key, (key, 60))[0],
                "separator": True,
                "items": [entry for _order, _title, entry in sorted(groups[key], key=lambda found: found[:2])],
            }
            for key in titles
        ]


site = StoreAdminSite()


def default_site() -> StoreAdminSite:
    """For `AdminConfig.default_site`: what others register with Django's own admin lands here."""
    return site
