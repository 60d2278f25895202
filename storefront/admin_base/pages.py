"""The pages of a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.paginator import Paginator
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin as ThemeModelAdmin
from unfold.views import ChangeList as ThemeChangeList

from storefront import panels, privacy
from storefront.admin_base import clocks, people
from storefront.admin_base.decorators import display
from storefront.admin_base.filters import RelatedFilter
from storefront.admin_base.forms import with_store
from storefront.admin_base.options import StoreOptions
from storefront.admin_base.rows import field_of, has_store, store_id_of, stores_seen
from storefront.models import Store
from storefront.staff import trail


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts up to 20,000 rows and no further: who looks for one of more narrows the list instead of paging."""

    limit = 20_000

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if not isinstance(rows, models.QuerySet):
            return len(rows)
        return int(rows.order_by()[: self.limit].count())


class _List(ThemeChangeList):  # type: ignore[misc]
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.model_admin.introduce(request, self.result_list)


class StoreModelAdmin(StoreOptions, ThemeModelAdmin):  # type: ignore[misc]
    """A model's pages. `menu`, `menu_title`, `menu_order` and `icon` place it in the side menu (`menu` "" hides it)."""

    menu: str | None = None
    menu_title: Any = None
    menu_order = 50
    icon = "table_rows"
    empty_hint: Any = ""  # what fills a list that staff do not fill themselves

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

    customer_path = ""  # from a row to the id of its customer, for `customer_name` and `known_as`

    # -- lists --
    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return _List

    def introduce(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Tells the rows of a list, or the one of a page, the names that they do not hold: by few queries for all."""
        if self.customer_path:
            people.introduce(request, rows, self.customer_path)

    def known_as(self, row: Any) -> str:
        return people.known_as(row, self.customer_path)

    @display(description=gettext_lazy("Customer"))
    def customer_name(self, row: Any) -> str:
        return people.customer_link(row, self.customer_path)

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        shown = list(super().get_list_display(request))
        if has_store(self.model) and "store" not in shown and len(stores_seen(request)) > 1:
            shown.append("store")
        if has_store(self.model) and clocks.differ(request):
            return [clocks.moment(self._moment(name)) if self._moment(name) else name for name in shown]
        return shown

    def get_list_display_links(self, request: HttpRequest, list_display: Sequence[Any]) -> Any:
        """Columns that `get_list_display` put in place of fields are links as these are."""
        links = super().get_list_display_links(request, list_display)
        if links is None:
            return None
        return [name for name in list_display if name in links or getattr(name, "__name__", None) in links]

    def _moment(self, name: Any) -> Any:
        field = field_of(self.model, name) if isinstance(name, str) else None
        return field if isinstance(field, models.DateTimeField) else None

    def get_list_filter(self, request: HttpRequest) -> Sequence[Any]:
        filters = list(super().get_list_filter(request))
        if has_store(self.model) and len(stores_seen(request)) > 1:
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
            field = field_of(self.model, name) if isinstance(name, str) else None
            if isinstance(field, models.ForeignKey) and name not in found:
                found.append(name)
        return found or False

    # -- forms --
    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[Any]:
        found = list(super().get_readonly_fields(request, obj))
        for name in ("created_at", "modified_at"):
            if field_of(self.model, name) is not None and name not in found:
                found.append(name)
        if obj is not None and has_store(self.model) and "store" not in found:
            found.append("store")  # a row never moves to another store
        return found

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        hidden = set()
        if has_store(self.model) and len(stores_seen(request)) == 1:
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
        stores = stores_seen(request) if has_store(self.model) else []
        return with_store(form, stores[0] if len(stores) == 1 else None)

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:
        return with_store(super().get_changelist_form(request, **kwargs), None)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for inline_form in formset.forms:
            row = inline_form.instance
            if has_store(type(row)) and row.store_id is None:
                row.store_id = store_id_of(form.instance)
        super().save_formset(request, form, formset, change)

    # -- pages --
    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The row; the page goes by the clocks of its store from here on."""
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            clocks.follow(request, row if isinstance(row, Store) else getattr(row, "store", None))
            self.introduce(request, [row])
        return row

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        extra = dict(extra_context or {})
        if object_id is None and has_store(self.model) and request.POST.get("store"):
            clocks.follow(request, Store.objects.filter(pk=request.POST["store"].replace("\x00", "")[:64]).first())
        if object_id is not None and request.method == "GET":
            row = self.get_object(request, unquote(object_id))
            if row is not None and self.has_view_or_change_permission(request, row):
                extra["panels"] = panels.panels_of(model_label=self.model._meta.label, request=request, row=row)
                if self.personal:
                    trail.viewed(request=request, row=row)
        return super().changeform_view(request, object_id, form_url, extra)

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> Any:
        """A row that is not there, or not for these staff, is 404 on every page of it."""
        raise Http404

    def _get_instance_method(self, method_name: str) -> Any:
        """The same for actions of a row, whatever their methods look for."""
        method = super()._get_instance_method(method_name)

        @wraps(method)
        def of_a_row(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            object_id = kwargs.get("object_id")
            if object_id is not None and self.get_object(request, unquote(object_id)) is None:
                raise Http404
            return method(request, *args, **kwargs)

        return of_a_row

    # -- the record of what staff do --
    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        request._fields_changed = list(form.changed_data)  # type: ignore[attr-defined]
        return super().construct_change_message(request, form, formsets, add)

    def log_change(self, request: HttpRequest, obj: Any, message: Any, *, action: str = trail.Action.CHANGE) -> Any:
        """Also who changed whose personal data; call it in the transaction of the change."""
        getattr(request, "_rows_logged", set()).add(obj.pk)
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

    def run_on_many(
        self,
        request: HttpRequest,
        method: Any,
        queryset: models.QuerySet[Any],
        *,
        description: Any,
        confirm: Any,
    ) -> Any:
        """Runs an action of the list: asks before where it says so, and writes it into the rows' history after it.

        A row about which the action itself wrote something is not written about twice.
        """
        if confirm is not None and "confirmed" not in request.POST:
            return self._ask_first(request, method.__name__, queryset, description=description, text=confirm)
        rows = list(queryset)
        logged: set[Any] = set()
        request._rows_logged = logged  # type: ignore[attr-defined]
        answer = method(self, request, queryset)
        if not isinstance(answer, HttpResponseBase):  # one that leads on to a page has done nothing yet
            for row in rows:
                if row.pk not in logged:
                    self.log_change(request, row, str(description))
        return answer

    def _ask_first(
        self, request: HttpRequest, name: str, queryset: models.QuerySet[Any], *, description: Any, text: Any
    ) -> HttpResponse | None:
        count = queryset.count()
        if not count:
            self.tell(request, _("None of these rows is there any more."), tone="warning")
            return None
        ids = queryset.order_by().values_list("pk", flat=True)[: self.list_max_show_all]
        hidden = [(ACTION_CHECKBOX_NAME, str(pk)) for pk in ids]
        hidden += [("action", name), ("select_across", request.POST.get("select_across", "0")), ("confirmed", "1")]
        chosen = ngettext("%(count)d row is chosen.", "%(count)d rows are chosen.", count) % {"count": count}
        return self.admin_site.confirm(  # type: ignore[no-any-return]
            request,
            title=description,
            text=f"{chosen} {text}",
            button=description,
            back=request.get_full_path(),
            hidden=hidden,
            dangerous=True,
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
