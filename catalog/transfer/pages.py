"""Importing and exporting in the back office. Imported by the app's `admin.py`."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import SelectWidget, site
from storefront.errors import DomainError
from storefront.middleware import allow_uploads
from storefront.models import Store

from . import exporting, jobs
from .models import ImportJob

PERMISSION = "storefront_catalog.add_importjob"
EXPORT_PERMISSION = "storefront_catalog.view_price"  # it holds the cost prices too
SHOWN_JOBS, SHOWN_PROBLEMS = 20, 50
MAX_UPLOAD_BYTES = 64 * 1_048_576


class UploadForm(forms.Form):
    store = forms.ModelChoiceField(
        label=_("Store"), queryset=Store.objects.none(), empty_label=None, widget=SelectWidget
    )
    file = forms.FileField(label=_("CSV or JSON lines file"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stores = list(Store.objects.order_by("pk")[:2])
        if len(stores) == 1:
            del self.fields["store"]
            self.only_store = stores[0]
        else:
            self.fields["store"].queryset = Store.objects.order_by("name")  # type: ignore[attr-defined]

    def begin(self, made_by: str) -> ImportJob | None:
        """The dry run of the file, or None with the reason among the errors."""
        file: UploadedFile[Any] = self.cleaned_data["file"]
        name = str(file.name)
        kind = "json" if name.lower().endswith((".json", ".jsonl", ".ndjson")) else "csv"
        store = self.cleaned_data.get("store") or self.only_store
        assert file.file is not None
        try:
            return jobs.begin(
                store=store, file=file.file, name=name, format=kind, dry_run=True, made_by=made_by, upload=True
            )  # fmt: skip
        except DomainError as error:
            self.add_error("file", str(error.message))
        return None


def imports(request: HttpRequest) -> HttpResponseBase:
    """What was imported lately, and the form that begins an import with its dry run."""
    form = UploadForm(request.POST or None, request.FILES or None) if request.method == "POST" else UploadForm()
    if request.method == "POST" and form.is_valid():
        job = form.begin(request.user.get_username())
        if job is not None:
            return redirect("admin:catalog-import-job", job.pk)
    latest = ImportJob.objects.select_related("store").order_by("-created_at")[:SHOWN_JOBS]
    context = {"form": form, "jobs": latest, "stores": Store.objects.order_by("name")[:50]}
    context["may_export"] = request.user.has_perm(EXPORT_PERMISSION)
    return site.render(request, "catalog/imports.html", context, title=_("Import and export"))


def import_job(request: HttpRequest, pk: str) -> HttpResponseBase:
    """How far an import is. The page asks again every two seconds while it runs."""
    job = get_object_or_404(ImportJob.objects.select_related("store"), pk=pk)
    if request.method == "POST":
        wish = request.POST.get("wish")
        if wish == "cancel":
            jobs.cancel(job=job)
        elif wish in {"apply", "check"}:
            _again(job, dry_run=wish == "check")
        return redirect("admin:catalog-import-job", pk)
    context = {
        "job": job,
        "problems": job.problems.order_by("pk")[:SHOWN_PROBLEMS],
        "has_file": job.parts.exists(),
        "finished": job.state == ImportJob.State.DONE,
    }
    return site.render(request, "catalog/import_job.html", context, title=job.name)


def _again(job: ImportJob, *, dry_run: bool) -> None:
    if not job.parts.exists():
        raise Http404
    jobs.restart(job=job, dry_run=dry_run)


def import_errors(request: HttpRequest, pk: str) -> HttpResponseBase:
    job = get_object_or_404(ImportJob, pk=pk)
    return _download(exporting.csv_lines(jobs.problem_lines(job=job)), f"errors-{job.pk}.csv", "text/csv")


def export(request: HttpRequest, store_id: str, kind: str) -> HttpResponseBase:
    if kind not in {"csv", "jsonl"}:
        raise Http404
    store = get_object_or_404(Store, pk=store_id)
    content = exporting.export(store=store, format="csv" if kind == "csv" else "json")
    return _download(content, f"products-{store.pk}.{kind}", "text/csv" if kind == "csv" else "application/x-ndjson")


def _download(content: Any, name: str, content_type: str) -> HttpResponse | StreamingHttpResponse:
    response = StreamingHttpResponse(content, content_type=f"{content_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def export_address(store: Store, kind: str = "csv") -> str:
    return reverse("admin:catalog-export", args=[store.pk, kind])


def register() -> None:
    """Adds the pages to the back office."""
    title = _("Import and export")
    site.page(
        "catalog/import/", imports, title, "upload_file", PERMISSION, name="catalog-import", menu="shop", order=60
    )
    allow_uploads(r".*/catalog/import/", MAX_UPLOAD_BYTES)
    site.page("catalog/import/<str:pk>/", import_job, title, name="catalog-import-job", menu="", permission=PERMISSION)
    site.page(
        "catalog/import/<str:pk>/errors/",
        import_errors,
        title,
        name="catalog-import-errors",
        menu="",
        permission=PERMISSION,
    )
    site.page(
        "catalog/export/<str:store_id>/<str:kind>/",
        export,
        title,
        name="catalog-export",
        menu="",
        permission=EXPORT_PERMISSION,
    )
