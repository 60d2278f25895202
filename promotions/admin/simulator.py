"""The page on which staff try a cart: what would it cost, and why? It only reads, so its address can be kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.forms.formsets import BaseFormSet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import SelectWidget, TextWidget, site
from storefront.contracts import Sku
from storefront.models import CustomerGroup, Store
from storefront.money import ZERO
from storefront.pricing import Line, Quote

from .. import rulebook
from ..models import Kind, Offer
from ..rulebook import LiveOffer
from . import common, simulation, targets
from .pick import PickField
from .targets import CUSTOMER, SELLABLE

MAX_LINES = 30
MAX_TRIALS = 300  # offers in the box to choose from


def _amount(label: Any, help_text: Any = "") -> forms.DecimalField:
    return forms.DecimalField(
        label=label, required=False, min_value=0, max_value=10**9, decimal_places=3, help_text=help_text,
        widget=TextWidget(attrs={"inputmode": "decimal"}),
    )  # fmt: skip


class LineForm(forms.Form):
    product = PickField(label=_("Product"))
    quantity = forms.IntegerField(
        label=_("How many"), required=False, min_value=1, max_value=100_000,
        widget=TextWidget(attrs={"inputmode": "numeric", "placeholder": "1"}),
    )  # fmt: skip

    use_required_attribute = False

    def __init__(self, *args: Any, store_id: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["product"].aim(store_id, (SELLABLE,))  # type: ignore[attr-defined]


class CartForm(forms.Form):
    store = forms.ModelChoiceField(label=_("Store"), queryset=Store.objects.none(), widget=SelectWidget())
    trial = forms.ChoiceField(
        label=_("As if this were live"), required=False, widget=SelectWidget(),
        help_text=_("A draft, or another offer that is not live; a coupon needs no code here."),
    )  # fmt: skip
    coupon = forms.CharField(label=_("Coupon code"), required=False, max_length=64, widget=TextWidget())
    customer = PickField(label=_("Customer"), help_text=_("Empty for a visitor who is not logged in."))
    group = forms.ChoiceField(label=_("Customer group"), required=False, widget=SelectWidget())
    points = forms.IntegerField(
        label=_("Points to use"), required=False, min_value=0, max_value=10**9,
        widget=TextWidget(attrs={"inputmode": "numeric"}),
    )  # fmt: skip
    credit = _amount(_("Store credit to use"))
    pincode = forms.CharField(
        label=_("PIN code"), required=False, max_length=12, widget=TextWidget(),
        help_text=_("With it, the cheapest delivery is priced."),
    )  # fmt: skip
    state = forms.CharField(label=_("State"), required=False, max_length=60, widget=TextWidget())
    moment = forms.DateTimeField(
        label=_("When"), required=False, help_text=_("Empty for now. As the store's clocks have it."),
        widget=TextWidget(attrs={"type": "datetime-local"}),
    )  # fmt: skip

    use_required_attribute = False

    def __init__(self, *args: Any, shop: Store, kinds: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stores = Store.objects.order_by("name")
        self.fields["store"].queryset = stores  # type: ignore[attr-defined]
        if stores[:2].count() == 1:
            self.fields["store"].widget = forms.HiddenInput()
        self.fields["customer"].aim(shop.pk, (CUSTOMER,))  # type: ignore[attr-defined]
        groups = CustomerGroup.objects.filter(store=shop).order_by("name").values_list("pk", "name")
        self.fields["group"].choices = [("", _("That of the customer")), *groups]  # type: ignore[attr-defined]
        rows = Offer.objects.filter(store=shop, kind__in=kinds).exclude(state="live").order_by("-modified_at")
        wanted = str(self.data.get("trial") or self.initial.get("trial") or "").replace("\x00", "")
        names = dict(rows.values_list("pk", "name")[:MAX_TRIALS])
        names |= dict(Offer.objects.filter(Q(pk=wanted), store=shop, kind__in=kinds).values_list("pk", "name"))
        self.fields["trial"].choices = [("", _("Only what is live")), *names.items()]  # type: ignore[attr-defined]


def simulator(request: HttpRequest) -> HttpResponse:
    kinds = [kind for kind in Kind.values if common.may(request, "view", kind)]
    if not kinds:
        raise PermissionDenied
    named = request.GET.get("store", "").replace("\x00", "")[:64]
    shop = Store.objects.filter(pk=named).first() or Store.objects.order_by("name").first()
    if shop is None:
        return site.refuse(request, _("There is no store yet."), status=404)
    with timezone.override(shop.zone):
        return _page(request, shop, kinds)


def _page(request: HttpRequest, shop: Store, kinds: list[str]) -> HttpResponse:
    """With moments as the store's clocks have them."""
    data = request.GET if "lines-TOTAL_FORMS" in request.GET else None
    initial = {"store": shop, "trial": request.GET.get("trial", "")}
    form = CartForm(data, shop=shop, kinds=kinds, initial=initial)
    made = forms.formset_factory(LineForm, extra=3, max_num=MAX_LINES, absolute_max=MAX_LINES)
    lines: BaseFormSet[Any] = made(data, prefix="lines", form_kwargs={"store_id": shop.pk})
    context: dict[str, Any] = {"form": form, "lines": lines, "shop": shop}
    if data is not None and form.is_valid() and lines.is_valid():
        wanted = [row.cleaned_data for row in lines.forms if row.cleaned_data.get("product")]
        if wanted:
            context |= _answer(shop, form.cleaned_data, wanted)
        else:
            context["nothing"] = True
    response = site.render(request, "promotions/simulator.html", context, title=_("Try a cart"))
    return response.render() if isinstance(response, TemplateResponse) else response


def _answer(shop: Store, data: Mapping[str, Any], wanted: list[Mapping[str, Any]]) -> dict[str, Any]:
    trial = _trial(shop, data["trial"])
    found = simulation.simulate(_quote(shop, data, wanted), trial=trial)
    verdicts = [(verdict, _page_of(verdict)) for verdict in found.verdicts]
    return {
        "found": found,
        "trial": trial,
        "totals": simulation.totals(found.quote),
        "applied": [entry for entry in verdicts if entry[0].applied or entry[0].on_trial],
        "others": [entry for entry in verdicts if not entry[0].applied and not entry[0].on_trial],
    }


def _trial(shop: Store, offer_id: str) -> LiveOffer | None:
    if not offer_id:
        return None
    offer = Offer.objects.filter(store=shop, pk=offer_id).first()
    if offer is None:
        return None
    return rulebook.compiled(offer, offer.audience.values_list("target_id", flat=True))


def _page_of(verdict: simulation.Verdict) -> str:
    return reverse(f"admin:{common.APP}_{verdict.kind}_change", args=[verdict.offer_id])


def _quote(shop: Store, data: Mapping[str, Any], wanted: list[Mapping[str, Any]]) -> Quote:
    customer_id = data["customer"]
    address = None
    if data["pincode"] or data["state"]:
        address = {"pincode": "".join(data["pincode"].split()), "state": data["state"], "country": shop.countries[0]}
    lines: dict[Sku, int] = {}
    for row in wanted:
        target = targets.target_of(row["product"])
        sku = Sku(target.product_id, target.variant_id)
        lines[sku] = lines.get(sku, 0) + (row.get("quantity") or 1)
    return Quote(
        store_id=shop.pk,
        currency=shop.currency,
        group_id=data["group"] or _group_of(shop, customer_id),
        customer_id=customer_id or None,
        is_logged_in=bool(customer_id),
        now=data["moment"] or timezone.now(),
        lines=tuple(Line(sku, quantity) for sku, quantity in lines.items()),
        coupon_code=data["coupon"].strip(),
        points_asked=data["points"] or 0,
        credit_asked=data["credit"] or ZERO,
        shipping_address=address,
        billing_address=address,
    )


def _group_of(shop: Store, customer_id: str) -> str | None:
    if not customer_id or not apps.is_installed("customers"):
        return None
    rows = apps.get_model("storefront_customers", "Customer")._default_manager.filter(store=shop, pk=customer_id)
    group: str | None = rows.values_list("group_id", flat=True).first()
    return group


site.page(
    "promotions/simulator/",
    simulator,
    _("Try a cart"),
    "science",
    name="promotions-simulator",
    menu=common.MENU,
    order=30,
)
