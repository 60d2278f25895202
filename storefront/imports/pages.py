"""Imports in the back office: upload, dry run, the import itself and its errors; the same pages for every kind.

An app's `admin.py` calls `register` with what is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import FileWidget, SelectWidget, site
from storefront.errors import DomainError
from storefront.middleware import allow_uploads
from storefront.models import Store

from . import jobs
from .models import ImportJob

SHOWN_JOBS, SHOWN_PROBLEMS = 20, 50
MAX_UPLOAD_BYTES = 64 * 1_048_576
FORM_BYTES = 65_536  # of a request beside its file


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportPages:
    """What is a kind's own of its pages. All of `permissions` are needed."""

    kind: str
    path: str
    name: str
    title: Any
    heading: Any
    intro: Any
    permissions: Sequence[str]
    columns: Sequence[str] = ()  # named in the introduction
    menu: str = ""
    order: int = 50
    beside: str = ""  # a template shown below the form, with what `context` gives
    context: Callable[[HttpRequest], dict[str, Any]] = lambda _request: {}

    def allowed(self, request: HttpRequest) -> bool:
        return all(request.user.has_perm(permission) for permission in self.permissions)


class UploadForm(forms.Form):
    store = forms.ModelChoiceField(
        label=_("Store"), queryset=Store.objects.none(), empty_label=None, widget=SelectWidget
    )
    file = forms.FileField(label=_("CSV or JSON lines file"), widget=FileWidget, help_text=_("Up to 64 MB, in UTF-8."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stores = list(Store.objects.order_by("pk")[:2])
        if len(stores) == 1:
            del self.fields["store"]
            self.only_store = stores[0]
        else:
            self.fields["store"].queryset = Store.objects.order_by("name")  # type: ignore[attr-defined]

    def clean_file(self) -> UploadedFile[Any]:
        file: UploadedFile[Any] = self.cleaned_data["file"]
        if (file.size or 0) > MAX_UPLOAD_BYTES:
            raise forms.ValidationError(_("The file is larger than 64 MB."))
        return file

    def begin(self, kind: str, staff: Any) -> ImportJob | None:
        """The dry run of the file, or None with the reason among the errors."""
        file: UploadedFile[Any] = self.cleaned_data["file"]
        name = str(file.name)
        format_ = "json" if name.lower().endswith((".json", ".jsonl", ".ndjson")) else "csv"
        store = self.cleaned_data.get("store") or self.only_store
        assert file.file is not None
        try:
            return jobs.begin(
                store=store, kind=kind, file=file.file, name=name, format=format_, dry_run=True,
                made_by=staff.get_username(), upload=True,
            )  # fmt: skip
        except DomainError as error:
            self.add_error("file", str(error.message))
        return None


def imports(pages: ImportPages, request: HttpRequest) -> HttpResponseBase:
    """What was imported lately, and the form that begins an import with its dry run."""
    if not pages.allowed(request):
        return _not_allowed(request)
    form = UploadForm(request.POST or None, request.FILES or None) if request.method == "POST" else UploadForm()
    if request.method == "POST" and form.is_valid():
        job = form.begin(pages.kind, request.user)
        if job is not None:
            return redirect(f"admin:{pages.name}-job", job.pk)
    latest = ImportJob.objects.filter(kind=pages.kind).select_related("store").order_by("-created_at")[:SHOWN_JOBS]
    context = {"form": form, "jobs": latest, "pages": pages, **pages.context(request)}
    return site.render(request, "storefront/imports/imports.html", context, title=pages.title)


def import_job(pages: ImportPages, request: HttpRequest, pk: str) -> HttpResponseBase:
    """How far an import is. The page asks again every two seconds while it runs."""
    if not pages.allowed(request):
        return _not_allowed(request)
    job = get_object_or_404(ImportJob.objects.select_related("store"), kind=pages.kind, pk=pk)
    if request.method == "POST":
        wish = request.POST.get("wish")
        if wish == "cancel":
            jobs.cancel(job=job)
        elif wish in {"apply", "check"}:
            if not job.parts.exists():
                raise Http404
            try:
                jobs.restart(job=job, dry_run=wish == "check", staff=request.user)
            except DomainError as error:
                return site.refuse(request, error.message, status=400)
        return redirect(f"admin:{pages.name}-job", pk)
    context = {
        "job": job,
        "pages": pages,
        "problems": job.problems.order_by("pk")[:SHOWN_PROBLEMS],
        "has_file": job.parts.exists(),
        "finished": job.state == ImportJob.State.DONE,
    }
    return site.render(request, "storefront/imports/job.html", context, title=job.name)


def import_errors(pages: ImportPages, request: HttpRequest, pk: str) -> HttpResponseBase:
    if not pages.allowed(request):
        return _not_allowed(request)
    job = get_object_or_404(ImportJob, kind=pages.kind, pk=pk)
    return download(jobs.error_file(job=job), f"errors-{job.pk}.csv", "text/csv")


def download(content: Any, name: str, content_type: str) -> StreamingHttpResponse:
    """A stream that browsers save, and nobody keeps on the way."""
    response = StreamingHttpResponse(content, content_type=f"{content_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _not_allowed(request: HttpRequest) -> HttpResponseBase:
    return site.refuse(request, _("You may not see this page."), status=403)


def register(pages: ImportPages) -> None:
    """Adds the pages of a kind to the back office, named `<name>`, `<name>-job` and `<name>-errors`."""
    first, path, name = pages.permissions[0], pages.path, pages.name
    site.page(
        path, partial(imports, pages), pages.title, "upload_file", first, name=name, menu=pages.menu, order=pages.order
    )
    allow_uploads(rf".*/{path}", MAX_UPLOAD_BYTES + FORM_BYTES)
    for tail, view, suffix in (("", import_job, "job"), ("errors/", import_errors, "errors")):
        site.page(
            f"{path}<str:pk>/{tail}",
            partial(view, pages),
            pages.title,
            permission=first,
            name=f"{name}-{suffix}",
            menu="",
        )
