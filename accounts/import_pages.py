"""Importing customers in the back office: upload, a dry run with its errors, and then the import itself.

The file waits in private storage between the steps, for its uploader alone, and goes after the import or an hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from django import forms
from django.contrib import messages
from django.core import signing
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from storefront import private_files
from storefront.admin_base import SelectWidget, site
from storefront.errors import DomainError
from storefront.middleware import allow_uploads
from storefront.models import Store
from storefront.spreadsheets import csv_lines
from storefront.staff import trail

from . import importing, uploads
from .models import User

PERMISSION, SECOND_PERMISSION = "storefront_accounts.add_user", "storefront_accounts.change_user"
SHOWN_PROBLEMS = 50
MAX_BYTES = 5 * 1_048_576
_SALT = "accounts.import_pages"


class UploadForm(forms.Form):
    store = forms.ModelChoiceField(
        label=_("Store"), queryset=Store.objects.none(), empty_label=None, widget=SelectWidget
    )
    file = forms.FileField(label=_("CSV file"), help_text=_("Up to 5 MB, in UTF-8."))

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
        if (file.size or 0) > MAX_BYTES:
            raise forms.ValidationError(_("The file is larger than 5 MB."))
        return file


def upload(request: HttpRequest) -> HttpResponseBase:
    """The form; a file that it takes leads to its dry run."""
    if not allowed(request):
        return site.refuse(request, _("You may not see this page."), status=403)
    form = UploadForm(request.POST or None, request.FILES or None) if request.method == "POST" else UploadForm()
    if request.method == "POST" and form.is_valid():
        store = form.cleaned_data.get("store") or form.only_store
        name = uploads.keep(form.cleaned_data["file"].read())
        signed = signing.dumps(
            {
                "store": store.pk,
                "file": name,
                "staff": str(request.user.pk),
                "name": form.cleaned_data["file"].name[:100],
            },
            salt=_SALT,
        )
        return redirect("admin:accounts-import-check", signed)
    context = {"form": form, "columns": importing.COLUMNS}
    return site.render(request, "accounts/import.html", context, title=_("Import customers"))


def check(request: HttpRequest, signed: str) -> HttpResponseBase:
    """A get is the dry run with its first errors; a post imports, once, and forgets the file."""
    store, name, shown_name = _file_of(request, signed)
    problems: list[importing.Problem] = []

    def refuse(problem: importing.Problem) -> None:
        if len(problems) < SHOWN_PROBLEMS:
            problems.append(problem)

    apply = request.method == "POST"
    try:
        with _opened(name) as file:
            if apply:
                trail.imported_list(store=store, kind=User._meta.label, fields=importing.COLUMNS, staff=request.user)
            report = importing.run(store=store, file=file, dry_run=not apply, refuse=refuse)
    except DomainError as error:
        private_files.discard(name)
        messages.error(request, str(error.message))
        return redirect("admin:accounts-import")
    if apply:
        private_files.discard(name)
    context = {
        "store": store,
        "name": shown_name,
        "report": report,
        "problems": problems,
        "applied": apply,
        "signed": signed,
    }
    return site.render(request, "accounts/import_check.html", context, title=_("Import customers"))


def errors(request: HttpRequest, signed: str) -> HttpResponseBase:
    """All errors of a file as CSV, from a dry run of its own; five megabytes of them fit into memory."""
    store, name, _shown_name = _file_of(request, signed)
    problems: list[importing.Problem] = []
    with _opened(name) as file:
        importing.run(store=store, file=file, dry_run=True, refuse=problems.append)
    lines: Iterator[bytes] = csv_lines(importing.PROBLEM_COLUMNS, (problem.cells() for problem in problems))
    answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="import-errors.csv"'
    answer["Cache-Control"] = "no-store"
    return answer


def allowed(request: HttpRequest) -> bool:
    """Whether they may both add and change users, as an import does."""
    return request.user.has_perm(PERMISSION) and request.user.has_perm(SECOND_PERMISSION)


def _file_of(request: HttpRequest, signed: str) -> tuple[Store, str, str]:
    """The store and the file of a signed address. Raises Http404 for a forged or old one, and for anybody else's."""
    try:
        facts = signing.loads(signed, salt=_SALT, max_age=uploads.KEEP)
    except signing.BadSignature as error:
        raise Http404 from error
    store = Store.objects.filter(pk=facts["store"]).first()
    if store is None or facts["staff"] != str(request.user.pk) or not allowed(request):
        raise Http404
    return store, facts["file"], facts["name"]


def _opened(name: str) -> IO[bytes]:
    try:
        return private_files.storage().open(name)
    except FileNotFoundError as error:
        raise Http404 from error


def register() -> None:
    """Adds the pages to the back office."""
    title = _("Import customers")
    site.page("accounts/import/", upload, title, "upload_file", PERMISSION, name="accounts-import", menu="")
    allow_uploads(r".*/accounts/import/", MAX_BYTES + 65_536)
    for path, view, name in (("", check, "accounts-import-check"), ("errors/", errors, "accounts-import-errors")):
        site.page(f"accounts/import/<str:signed>/{path}", view, title, permission=PERMISSION, name=name, menu="")
