"""Importing and exporting in the back office. Imported by the app's `admin.py`."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import site
from storefront.imports import pages
from storefront.models import Store

from . import exporting
from .kind import ProductImports

PERMISSION = "storefront_catalog.import_product"
EXPORT_PERMISSION = "storefront_catalog.view_price"  # it holds the cost prices too


def export(request: HttpRequest, store_id: str, kind: str) -> HttpResponseBase:
    if kind not in {"csv", "jsonl"}:
        raise Http404
    store = get_object_or_404(Store, pk=store_id)
    content = exporting.export(store=store, format="csv" if kind == "csv" else "json")
    content_type = "text/csv" if kind == "csv" else "application/x-ndjson"
    return pages.download(content, f"products-{store.pk}.{kind}", content_type)


def _exports(request: HttpRequest) -> dict[str, Any]:
    may_export = request.user.has_perm(EXPORT_PERMISSION)
    return {"stores": Store.objects.order_by("name")[:50] if may_export else []}


def register() -> None:
    """Adds the pages to the back office."""
    title = _("Import and export")
    pages.register(
        pages.ImportPages(
            kind=ProductImports.name,
            path="catalog/import/",
            name="catalog-import",
            title=title,
            heading=_("Import products"),
            intro=_(
                "Prices, stock and categories too: a row for each variant. The file of an export has every column, so "
                "take one as a pattern; only “product” must be there. Every row is checked first; nothing is written "
                "before you say so."
            ),
            permissions=(PERMISSION,),
            menu="shop",
            order=60,
            beside="catalog/exports.html",
            context=_exports,
        )
    )
    site.page(
        "catalog/export/<str:store_id>/<str:kind>/",
        export,
        title,
        name="catalog-export",
        menu="",
        permission=EXPORT_PERMISSION,
    )
