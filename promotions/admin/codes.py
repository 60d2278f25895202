"""A coupon's codes: typed, made by the thousand, counted, downloaded and, as long as nobody has used them, deleted."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, Sum
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront.admin_base import TextareaWidget, TextWidget, site
from storefront.errors import DomainError
from storefront.spreadsheets import csv_lines

from .. import services
from ..codes import code_key
from ..models import Code, CodeBatch, Coupon, Kind
from . import common

SHOWN = 100  # codes on the page; the file has all
CHUNK = 2_000
VIEW = f"{common.APP}.view_coupon"


class TypedForm(forms.Form):
    texts = forms.CharField(
        label=gettext_lazy("Codes"),
        max_length=20_000,
        widget=TextareaWidget(attrs={"rows": 4}),
        help_text=gettext_lazy("One a line. Capitals and small letters are the same."),
    )


class ManyForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=80,
        widget=TextWidget(),
        help_text=gettext_lazy("For staff: who gets them."),
    )
    count = forms.IntegerField(
        label=gettext_lazy("How many"), min_value=1, max_value=services.MAX_CODES, initial=100,
        widget=TextWidget(attrs={"inputmode": "numeric"}),
    )  # fmt: skip
    beginning = forms.CharField(
        label=gettext_lazy("Beginning"), max_length=20, required=False, widget=TextWidget(attrs={"placeholder": "DIW-"})
    )
    length = forms.IntegerField(
        label=gettext_lazy("Random characters"), min_value=6, max_value=32, initial=8,
        widget=TextWidget(attrs={"inputmode": "numeric"}),
    )  # fmt: skip


def _coupon(pk: str) -> Coupon:
    found: Coupon | None = Coupon.objects.filter(pk=pk).select_related("store").first()
    if found is None:
        raise Http404
    return found


def page(request: HttpRequest, pk: str) -> HttpResponseBase:
    coupon = _coupon(pk)
    doing = request.POST.get("do", "")
    if request.method == "POST" and not common.may(request, "change", Kind.COUPON):
        raise PermissionDenied
    typed = TypedForm(request.POST if doing == "type" else None)
    many = ManyForm(request.POST if doing == "make" else None)
    told = ""
    if request.method == "POST":
        told = _do(request, coupon, doing, typed, many)
    if told:
        common.tell(request, told)
        return HttpResponseRedirect(request.get_full_path())
    return site.render(
        request,
        "promotions/codes.html",
        {**_shown(request, coupon), "typed": typed, "many": many},
        title=_("Codes of %(name)s") % {"name": coupon},
    )


def _do(request: HttpRequest, coupon: Coupon, doing: str, typed: TypedForm, many: ManyForm) -> str:
    """What was done, in words; "" when nothing was, and then a form says why."""
    where: dict[str, Any] = {"store": coupon.store, "offer_id": coupon.pk}
    if doing == "type" and typed.is_valid():
        texts = [line.strip() for line in typed.cleaned_data["texts"].splitlines() if line.strip()]
        try:
            return _("Codes added: %(count)d.") % {"count": len(services.add_codes(**where, codes=texts))}
        except DomainError as error:
            typed.add_error("texts", str(error.message))
    elif doing == "make" and many.is_valid():
        try:
            data = many.cleaned_data
            made = services.generate_codes(
                **where,
                count=data["count"],
                name=data["name"],
                prefix=data["beginning"],
                length=data["length"],
                made_by=request.user.get_username(),
            )
            return _("Codes made: %(count)d.") % {"count": made.size}
        except DomainError as error:
            for name, messages in error.errors.items():
                field = "beginning" if name == "prefix" else name
                many.add_error(field if field in many.fields else None, [str(message) for message in messages])
    elif doing == "delete":
        return _("Codes deleted: %(count)d.") % {"count": _delete(request, coupon)}
    return ""


def _delete(request: HttpRequest, coupon: Coupon) -> int:
    """The chosen codes, or those of a batch, that nobody has used."""
    rows = Code.objects.filter(store=coupon.store, offer=coupon)
    batch = request.POST.get("batch", "")
    if batch:
        rows = rows.filter(batch=batch[:64], use_count=0)
    else:
        rows = rows.filter(pk__in=[int(pk) for pk in request.POST.getlist("code") if pk.isdecimal() and len(pk) < 18])
    ids = iter(list(rows.values_list("pk", flat=True)))
    count = 0
    while chunk := list(islice(ids, CHUNK)):
        count += services.delete_codes(store=coupon.store, offer_id=coupon.pk, code_ids=chunk)
    return count


def _shown(request: HttpRequest, coupon: Coupon) -> dict[str, Any]:
    """Batches with their uses, and the first codes, or those that are looked for: two queries."""
    wanted = request.GET.get("q", "").replace("\x00", "").strip()[:64]
    batches = CodeBatch.objects.filter(store=coupon.store, offer=coupon).annotate(
        left=Count("codes"), used=Sum("codes__use_count")
    )
    codes = Code.objects.filter(store=coupon.store, offer=coupon)
    codes = codes.filter(Q(key=code_key(wanted))) if wanted else codes.filter(batch=None)
    return {
        "coupon": coupon,
        "batches": list(batches[:200]),
        "codes": list(codes.select_related("batch").order_by("pk")[:SHOWN]),
        "wanted": wanted,
        "shown": SHOWN,
        "may_change": common.may(request, "change", Kind.COUPON),
        "back": reverse("admin:storefront_promotions_coupon_change", args=[coupon.pk]),
        "file": reverse("admin:promotions-codes-file", args=[coupon.pk]),
    }


def download(request: HttpRequest, pk: str) -> HttpResponseBase:
    """All codes, or those of a batch, with their uses; streamed, however many."""
    coupon = _coupon(pk)
    rows = Code.objects.filter(store=coupon.store, offer=coupon)
    name = slugify(coupon.name) or "codes"
    batch = request.GET.get("batch", "")
    if batch:
        rows = rows.filter(batch=batch.replace("\x00", "")[:64])
    found = rows.order_by("pk").values_list("text", "batch__name", "use_count").iterator(chunk_size=CHUNK)
    answer = StreamingHttpResponse(csv_lines(("code", "batch", "uses"), found), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


_TITLE = gettext_lazy("Codes")
site.page("promotions/coupons/<str:pk>/codes/", page, _TITLE, permission=VIEW, name="promotions-codes", menu="")
site.page(
    "promotions/coupons/<str:pk>/codes.csv/", download, _TITLE, permission=VIEW, name="promotions-codes-file", menu=""
)
