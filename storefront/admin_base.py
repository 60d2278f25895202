"""The back office's foundation. The only module that knows the theme (django-unfold): replace it here.

An app's `admin.py` imports everything from here:

    from storefront.admin_base import StoreModelAdmin, site, display, ChoicesFilter

    @site.admin_for(Product)
    class ProductAdmin(StoreModelAdmin):
        menu, icon = "shop", "inventory_2"
        list_display = ("name", "state")
        list_filter = (("state", ChoicesFilter),)

What `StoreModelAdmin` brings: a store filter and column once there are two stores, the only store filled in and out of
sight while there is one, references kept within the store, selects that search for foreign keys, one query for a list
whatever its length, `created_at` read-only, readable JSON fields, and the panels that other apps add to the page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin as PlainModelAdmin
from django.contrib.admin.utils import unquote
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from unfold import forms as theme_forms
from unfold.admin import ModelAdmin as ThemeModelAdmin
from unfold.admin import StackedInline as ThemeStackedInline
from unfold.admin import TabularInline as ThemeTabularInline
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter as SearchFilter,
)
from unfold.contrib.filters.admin import (
    BooleanRadioFilter as BooleanFilter,
)
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter as ChoicesFilter,
)
from unfold.contrib.filters.admin import (
    DropdownFilter as ThemeDropdownFilter,
)
from unfold.contrib.filters.admin import (
    MultipleChoicesDropdownFilter as MultipleChoicesFilter,
)
from unfold.contrib.filters.admin import (
    RangeDateFilter,
)
from unfold.contrib.filters.admin import (
    RangeNumericFilter as NumberRangeFilter,
)
from unfold.contrib.filters.admin import (
    RelatedDropdownFilter as RelatedFilter,
)
from unfold.contrib.filters.admin import (
    TextFilter as ThemeTextFilter,
)
from unfold.decorators import action as theme_action
from unfold.decorators import display as theme_display
from unfold.enums import ActionVariant
from unfold.forms import (
    AdminOwnPasswordChangeForm,
    AdminPasswordChangeForm,
    AuthenticationForm,
    BaseDialogForm,
    PaginationInlineFormSet,
    UserChangeForm,
    UserCreationForm,
)
from unfold.sites import UnfoldAdminSite
from unfold.utils import parse_date_str
from unfold.widgets import (
    BASE_INPUT_CLASSES,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from storefront import contacts, panels, privacy
from storefront.errors import DomainError
from storefront.models import Store
from storefront.staff import trail

__all__ = [
    "ActionVariant",
    "AdminOwnPasswordChangeForm",
    "AdminPasswordChangeForm",
    "BooleanFilter",
    "CheckboxesWidget",
    "ChoicesFilter",
    "DateRangeFilter",
    "DialogForm",
    "DropdownFilter",
    "JsonWidget",
    "MultipleChoicesFilter",
    "NumberRangeFilter",
    "PasswordWidget",
    "ReadOnlyAdmin",
    "RelatedFilter",
    "SearchFilter",
    "SelectManyWidget",
    "SelectWidget",
    "StoreModelAdmin",
    "StoreStackedInline",
    "StoreTabularInline",
    "SwitchWidget",
    "TextFilter",
    "TextWidget",
    "TextareaWidget",
    "UserChangeForm",
    "UserCreationForm",
    "action",
    "change_link",
    "display",
    "list_link",
    "masked",
    "masked_column",
    "readable",
    "site",
]

CheckboxesWidget = UnfoldAdminCheckboxSelectMultipleWidget
PasswordWidget = UnfoldAdminPasswordWidget
SelectWidget = UnfoldAdminSelectWidget
SelectSearchWidget = UnfoldAdminSelect2Widget
SelectManyWidget = UnfoldAdminSelect2MultipleWidget
SwitchWidget = UnfoldBooleanSwitchWidget
TextWidget = UnfoldAdminTextInputWidget
TextareaWidget = UnfoldAdminTextareaWidget
DialogForm = BaseDialogForm
INPUT_CLASS = " ".join(BASE_INPUT_CLASSES)

View = Callable[..., HttpResponseBase]
Method = TypeVar("Method", bound=Callable[..., Any])
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


# --- the site -------------------------------------------------------------------------------------------------------
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
        """Also turns a service's refusal into a page that says why, where Django would answer 500."""

        def told(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                return view(request, *args, **kwargs)  # type: ignore[no-any-return]
            except DomainError as error:
                return self.refuse(request, error.message, status=error.status)

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
        status: int = 200,
    ) -> HttpResponse:
        """A page that asks before something is done; its form posts to the same address."""
        context = {"text": text, "button": button, "back": back, "form": form, "dangerous": dangerous}
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


# --- decorators -----------------------------------------------------------------------------------------------------
def display(
    *,
    description: Any = None,
    ordering: Any = None,
    boolean: bool | None = None,
    empty_value: str | None = None,
    label: Any = None,
    header: bool | None = None,
    image: bool | None = None,
) -> Callable[[Method], Method]:
    """A column. `label` shows it as a badge: True, or a map from its value to success, info, warning or danger."""
    found: Callable[[Method], Method] = theme_display(
        description=description,
        ordering=ordering,
        boolean=boolean,
        empty_value=empty_value,
        label=label,
        header=header,
        image=image,
    )
    return found


def action(
    *,
    description: Any,
    permissions: Sequence[str] | None = None,
    url_path: str | None = None,
    icon: str | None = None,
    variant: ActionVariant = ActionVariant.DEFAULT,
    attrs: dict[str, Any] | None = None,
    dialog: dict[str, Any] | None = None,
) -> Callable[[Method], Method]:
    """An action of `actions`, `actions_detail`, `actions_list` or `actions_row`.

    Those of a page (`actions_detail`, `actions_row`) are called by link as `method(request, object_id)`: let them
    change something on POST only, and answer a GET with `site.confirm`.
    """
    found: Callable[[Method], Method] = theme_action(
        description=description,
        permissions=permissions,
        url_path=url_path,
        icon=icon,
        variant=variant,
        attrs=attrs,
        dialog=dialog,
    )
    return found


# --- fields ---------------------------------------------------------------------------------------------------------
class JsonWidget(forms.Textarea):
    """JSON for people: an object as rows of name and value, anything else as indented text."""

    template_name = "storefront/staff/json_widget.html"

    def format_value(self, value: Any) -> str | None:
        import json

        try:
            return json.dumps(json.loads(value or "null"), indent=2, ensure_ascii=False) if value else value
        except ValueError:
            return str(value)

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        import json

        context = super().get_context(name, value, attrs)
        try:
            parsed = json.loads(value or "{}")
        except (TypeError, ValueError):
            parsed = None
        rows = None
        if isinstance(parsed, dict) and not any(isinstance(item, dict | list) for item in parsed.values()):
            rows = [
                {"name": key, "value": item if isinstance(item, str) else json.dumps(item)}
                for key, item in parsed.items()
            ]
        context["widget"] |= {"rows": rows, "input_class": INPUT_CLASS}
        return context


def readable(value: Any) -> str:
    """JSON for reading: names with their values, lists with commas, an empty one as a dash."""
    if value is None or value == "" or value == {} or value == []:
        return "–"
    if isinstance(value, bool):
        return str(_("Yes") if value else _("No"))
    if isinstance(value, dict):
        pairs = format_html_join("", "<div><dt>{}</dt><dd>{}</dd></div>", ((k, readable(v)) for k, v in value.items()))
        return format_html('<dl class="sf-json-shown">{}</dl>', pairs)
    if isinstance(value, list):
        if any(isinstance(item, dict | list) for item in value):
            items = format_html_join("", "<li>{}</li>", ((readable(item),) for item in value))
            return format_html('<ul class="sf-json-shown">{}</ul>', items)
        return ", ".join(str(item) for item in value)
    return str(value)


class _ReadonlyField(theme_forms.UnfoldAdminReadonlyField):  # type: ignore[misc]
    """Shows JSON that cannot be changed as the theme has no setting for it: in words."""

    def _get_contents(self) -> Any:
        name = self.field["field"]
        if isinstance(name, str) and isinstance(_field(type(self.form.instance), name), models.JSONField):
            return conditional_escape(readable(getattr(self.form.instance, name)))
        return super()._get_contents()


theme_forms.UnfoldAdminReadonlyField = _ReadonlyField


class DropdownFilter(ThemeDropdownFilter):  # type: ignore[misc]
    """A filter of one's own: `title`, `parameter_name`, `lookups` and `queryset`, as for Django's SimpleListFilter."""


class TextFilter(ThemeTextFilter):  # type: ignore[misc]
    """The same with a text to type."""


class DateRangeFilter(RangeDateFilter):  # type: ignore[misc]
    """From one day to another, both included, on dates and moments."""

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any] | None:
        name = str(self.parameter_name)
        first, last = (self._day(self.used_parameters.get(f"{name}_{end}")) for end in ("from", "to"))
        if first:
            queryset = queryset.filter(**{f"{name}__gte": first})
        if last:
            queryset = queryset.filter(**{f"{name}__lt": last + timedelta(days=1)})
        return queryset

    def _day(self, text: Any) -> Any:
        day = parse_date_str(text) if isinstance(text, str) and text else None
        if day is None or not isinstance(self.field, models.DateTimeField):
            return day
        return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone())


def masked(contact: str | None) -> str:
    """A phone or e-mail address as staff see it in lists; an empty one as a dash."""
    return contacts.mask(contact) if contact else "–"


def masked_column(field: str, *, title: Any) -> Any:
    """A list column for the contact in `field`, masked: `list_display = (masked_column("phone", title=_("Phone")),)`."""

    def column(row: models.Model) -> str:
        return masked(getattr(row, field))

    column.__name__ = f"masked_{field}"
    return display(description=title, ordering=field)(column)


# --- forms of stores' rows ------------------------------------------------------------------------------------------
def _field(model: type[models.Model], name: str) -> models.Field[Any, Any] | None:
    try:
        found = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return found if isinstance(found, models.Field) else None


def _has_store(model: type[models.Model]) -> bool:
    found = _field(model, "store")
    return found is not None and found.related_model is Store


class _StoreForm:
    """Mixed into every form of a store's row: gives it its store before it is checked, and keeps references inside."""

    only_store: Store | None = None
    instance: Any
    cleaned_data: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.only_store is not None and self.instance.store_id is None:
            self.instance.store = self.only_store

    def _get_validation_exclusions(self) -> set[str]:
        """The store is never left out, so that "once per store" is told as an error, not met as a failed insert."""
        found: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return found - {"store"} if self.instance.store_id else found

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data  # type: ignore[misc]
        chosen = data.get("store")
        store_id = chosen.pk if chosen is not None else self.instance.store_id
        for name, value in list(data.items()):
            rows: Iterable[Any] = value if isinstance(value, models.QuerySet) else [value]
            if store_id and any(getattr(row, "store_id", store_id) != store_id for row in rows):
                self.add_error(name, ValidationError(_("This belongs to another store.")))  # type: ignore[attr-defined]
        return data


def _with_store(form: type[Any], only_store: Store | None) -> type[Any]:
    if not _has_store(form._meta.model):
        return form
    return type(form.__name__, (_StoreForm, form), {"only_store": only_store, "__module__": form.__module__})


class StoreInlineFormSet(PaginationInlineFormSet):  # type: ignore[misc]
    """Gives the rows of an inline their parent's store."""

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form = super()._construct_form(i, **kwargs)
        if _has_store(self.model) and form.instance.store_id is None:
            form.instance.store_id = _store_id(self.instance)
        return form


def _store_id(row: Any) -> str | None:
    return row.pk if isinstance(row, Store) else getattr(row, "store_id", None)


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts up to 20,000 rows and no further: who looks for one of more narrows the list instead of paging."""

    limit = 20_000

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if not isinstance(rows, models.QuerySet):
            return len(rows)
        return int(rows.order_by()[: self.limit].count())


# --- model pages ----------------------------------------------------------------------------------------------------
def _stores(request: HttpRequest) -> list[Store]:
    """Up to two stores, read once a request: enough to know whether there is a choice."""
    found: list[Store] | None = getattr(request, "_stores_of_staff", None)
    if found is None:
        found = list(Store.objects.order_by("pk")[:2])
        request._stores_of_staff = found  # type: ignore[attr-defined]
    return found


class _StoreOptions:
    """What model pages and their inlines share."""

    model: type[models.Model]
    admin_site: Any
    formfield_overrides: Any = {models.JSONField: {"widget": JsonWidget}}

    def get_autocomplete_fields(self, request: HttpRequest) -> Sequence[str]:
        """Foreign keys whose targets can be searched; other targets are few enough for a plain select."""
        explicit = list(super().get_autocomplete_fields(request))  # type: ignore[misc]
        for field in (*self.model._meta.fields, *self.model._meta.many_to_many):
            target = field.related_model
            if field.name in explicit or not isinstance(target, type) or target is Store:
                continue
            registered = self.admin_site._registry.get(target)
            if registered is not None and registered.get_search_fields(request):
                explicit.append(field.name)
        return explicit

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, models.URLField):
            kwargs.setdefault("assume_scheme", "https")
        return super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]


class StoreModelAdmin(_StoreOptions, ThemeModelAdmin):  # type: ignore[misc]
    """A model's pages. `menu`, `menu_title`, `menu_order` and `icon` place it in the side menu (`menu` "" hides it)."""

    menu: str | None = None
    menu_title: Any = None
    menu_order = 50
    icon = "table_rows"

    list_per_page = 50
    list_max_show_all = 200
    paginator = BoundedPaginator
    show_full_result_count = False
    list_filter_submit = True
    list_fullwidth = True
    show_facets = admin.ShowFacets.NEVER  # a count for every choice scans the table
    warn_unsaved_form = True
    personal = False  # whether it shows personal data: then reads and changes are written down, and logs hold ids only
    change_form_outer_after_template = "storefront/staff/panels.html"

    # -- lists --
    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        shown = list(super().get_list_display(request))
        if _has_store(self.model) and "store" not in shown and len(_stores(request)) > 1:
            shown.append("store")
        return shown

    def get_list_filter(self, request: HttpRequest) -> Sequence[Any]:
        filters = list(super().get_list_filter(request))
        if _has_store(self.model) and len(_stores(request)) > 1:
            named = [entry[0] if isinstance(entry, tuple | list) else entry for entry in filters]
            if "store" not in named:
                filters.insert(0, ("store", RelatedFilter))
        return filters

    def get_list_select_related(self, request: HttpRequest) -> Sequence[str] | bool:
        """Every foreign key that the list shows, nullable ones too: Django's own guess leaves those out."""
        explicit = self.list_select_related
        if explicit is True:
            return True
        found = list(explicit) if isinstance(explicit, tuple | list) else []
        for name in self.get_list_display(request):
            field = _field(self.model, name) if isinstance(name, str) else None
            if isinstance(field, models.ForeignKey) and name not in found:
                found.append(name)
        return found or False

    # -- forms --
    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[Any]:
        found = list(super().get_readonly_fields(request, obj))
        for name in ("created_at", "modified_at"):
            if _field(self.model, name) is not None and name not in found:
                found.append(name)
        if obj is not None and _has_store(self.model) and "store" not in found:
            found.append("store")  # a row never moves to another store
        return found

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        hidden = set()
        if _has_store(self.model) and len(_stores(request)) == 1:
            hidden.add("store")
        if obj is None:
            hidden |= {"created_at", "modified_at"}
        fieldsets = []
        for title, options in super().get_fieldsets(request, obj):
            fields = []
            for entry in options["fields"]:
                if isinstance(entry, tuple | list):
                    kept = tuple(name for name in entry if name not in hidden)
                    if kept:
                        fields.append(kept)
                elif entry not in hidden:
                    fields.append(entry)
            if fields:
                fieldsets.append((title, {**options, "fields": fields}))
        return fieldsets

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        stores = _stores(request) if _has_store(self.model) else []
        return _with_store(form, stores[0] if len(stores) == 1 else None)

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:
        return _with_store(super().get_changelist_form(request, **kwargs), None)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for inline_form in formset.forms:
            row = inline_form.instance
            if _has_store(type(row)) and row.store_id is None:
                row.store_id = _store_id(form.instance)
        super().save_formset(request, form, formset, change)

    # -- pages --
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        extra = dict(extra_context or {})
        if object_id is not None and request.method == "GET":
            row = self.get_object(request, unquote(object_id))
            if row is not None and self.has_view_or_change_permission(request, row):
                extra["panels"] = panels.panels_of(model_label=self.model._meta.label, request=request, row=row)
                if self.personal:
                    trail.viewed(request=request, row=row)
        return super().changeform_view(request, object_id, form_url, extra)

    # -- the record of what staff do --
    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        request._fields_changed = list(form.changed_data)  # type: ignore[attr-defined]
        return super().construct_change_message(request, form, formsets, add)

    def log_change(self, request: HttpRequest, obj: Any, message: Any, *, action: str = trail.Action.CHANGE) -> Any:
        """Also who changed whose personal data; call it in the transaction of the change."""
        if not self.personal:
            return super().log_change(request, obj, message)
        from django.contrib.admin.models import CHANGE

        return self._log(request, obj, message, action, CHANGE)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        if not self.personal:
            return super().log_deletions(request, queryset)
        from django.contrib.admin.models import DELETION

        return [self._log(request, row, "", trail.Action.ERASE, DELETION) for row in queryset]

    def _log(self, request: HttpRequest, row: Any, message: Any, action: str, flag: int) -> Any:
        from django.contrib.admin.models import LogEntry
        from django.contrib.contenttypes.models import ContentType

        trail.record(staff=request.user, action=action, row=row, fields=getattr(request, "_fields_changed", ()))
        return LogEntry.objects.create(
            user_id=request.user.pk,  # type: ignore[misc]
            content_type=ContentType.objects.get_for_model(row, for_concrete_model=False),
            object_id=row.pk,
            object_repr=str(row.pk),  # the name of a person would outlive them here
            action_flag=flag,
            change_message=json.dumps(message) if isinstance(message, list) else message,
        )

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        """One row at a time, so that what a model does on deletion is done."""
        for row in queryset:
            self.delete_model(request, row)

    # -- help for actions --
    def export_people(self, request: HttpRequest, row: Any, people: Any) -> HttpResponse:
        """All that is kept about these persons as a file to download, written down as an export of `row`."""
        found = privacy.export_people(store=row.store, people=people)
        trail.record(staff=request.user, action=trail.Action.EXPORT, row=row)
        answer = JsonResponse(found, json_dumps_params={"ensure_ascii": False, "indent": 2})
        answer["Content-Disposition"] = f'attachment; filename="customer-{row.pk}.json"'
        return answer

    def tell(self, request: HttpRequest, text: Any, *, tone: str = "success") -> None:
        """A message above the next page; tone: success, info, warning, error."""
        messages.add_message(request, getattr(messages, tone.upper()), text)


class _InlineOptions(_StoreOptions):
    formset: Any = StoreInlineFormSet
    extra = 0
    show_change_link = True

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> Any:
        excluded = list(super().get_exclude(request, obj) or ())  # type: ignore[misc]
        return [*excluded, "store"] if _has_store(self.model) else excluded

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)  # type: ignore[misc]
        formset.form = _with_store(formset.form, None)
        return formset


class StoreTabularInline(_InlineOptions, ThemeTabularInline):  # type: ignore[misc]
    """Rows of a table on their parent's page, in its store."""


class StoreStackedInline(_InlineOptions, ThemeStackedInline):  # type: ignore[misc]
    """The same, each row as a block of its own."""


class ReadOnlyAdmin:
    """First base of a page, or an inline, on which nothing can be added, changed or deleted by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def change_link(row: Any, text: Any = "") -> str:
    """A link to a row's page, or its text alone where it has none."""
    if row is None:
        return "–"
    if not site.is_registered(type(row)):
        return str(text or row)
    meta = type(row)._meta
    address = reverse(f"{site.name}:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}" class="text-primary-600 dark:text-primary-500">{}</a>', address, text or row)


def list_link(model: type[models.Model], **filters: Any) -> str:
    """The address of a model's list, filtered: `list_link(Message, state__exact="dead")`; "" where it has none."""
    if not site.is_registered(model):
        return ""
    address = reverse(f"{site.name}:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address
