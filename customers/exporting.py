"""The customers of a store as a spreadsheet, streamed; never a formula. Every export is written down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from storefront import provided
from storefront.admin_base import site
from storefront.models import Store
from storefront.spreadsheets import csv_lines
from storefront.staff import trail

from .models import Customer

COLUMNS = ("id", "name", "email", "phone", "business", "group", "created_at")
PERMISSION = "storefront_customers.export_customer"
CHUNK = 500


def rows(*, store: Store) -> Iterator[tuple[Any, ...]]:
    """One row for each customer who is not erased, with its primary user; two queries for 500 of them."""
    found = Customer.objects.filter(store=store, erased_at=None).select_related("group").order_by("pk")
    last = ""
    while chunk := list(found.filter(pk__gt=last)[:CHUNK]):
        people = provided.ask("people_of_customers", default={}, store=store, customer_ids=[row.pk for row in chunk])
        for row in chunk:
            name, email, phone = people.get(row.pk, ("", "", ""))
            business = (row.business or {}).get("name", "")
            group = row.group.name if row.group else ""
            yield (row.pk, name, email, phone, business, group, row.created_at.isoformat())
        last = chunk[-1].pk


def export(request: HttpRequest, store_id: str) -> HttpResponseBase:
    """Asks first; the file comes by a post, and with the file the record of it."""
    store = Store.objects.filter(pk=store_id).first()
    if store is None:
        raise Http404
    if request.method != "POST":
        return site.confirm(
            request,
            title=_("Export customers"),
            text=_("One file with names and contacts of all customers of %(store)s. The export is written down.")
            % {"store": store.name},
            button=_("Download"),
            back=reverse("admin:storefront_customers_customer_changelist"),
        )
    trail.exported_list(staff=request.user, store=store, kind=Customer._meta.label, fields=COLUMNS)
    answer = StreamingHttpResponse(csv_lines(COLUMNS, rows(store=store)), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="customers-{store.pk}.csv"'
    return answer


def lead(request: HttpRequest) -> HttpResponseBase:
    """To the page of the only store, or a choice of stores."""
    stores = list(Store.objects.order_by("name")[:50])
    links = [(store.name, reverse("admin:customers-export", args=[store.pk])) for store in stores]
    if len(links) == 1:
        return HttpResponseRedirect(links[0][1])
    return site.render(request, "customers/export.html", {"links": links}, title=_("Export customers"))


site.page(
    "customers/<str:store_id>/export/",
    export,
    _("Export customers"),
    permission=PERMISSION,
    name="customers-export",
    menu="",
)
