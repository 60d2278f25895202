"""Gift cards: made one by one or by the thousand, found by their last four or their whole code, frozen."""

from __future__ import annotations

import csv
import io
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import (
    ActionVariant,
    ChoicesFilter,
    DateRangeFilter,
    DropdownFilter,
    ReadOnlyAdmin,
    RelatedFilter,
    SelectWidget,
    StoreModelAdmin,
    TextWidget,
    action,
    display,
    money,
    site,
)
from storefront.errors import DomainError
from storefront.models import Store

from ..models import GiftCard, GiftCardBatch
from ..services import gift_cards
from .common import MENU, MoneyForm, NewCardForm, end_of_day

State = GiftCard.State
CHANGE = "storefront_wallets.change_giftcard"
ADD = "storefront_wallets.add_giftcard"


class _StoreChoice(forms.Form):
    """Asks for the store where there are several."""

    store = forms.ModelChoiceField(label=_("Store"), queryset=Store.objects.none(), widget=SelectWidget())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stores = Store.objects.order_by("name")
        self.only = stores[0] if stores.count() == 1 else None
        if self.only is not None:
            del self.fields["store"]
        else:
            self.fields["store"].queryset = stores  # type: ignore[attr-defined]

    @property
    def chosen(self) -> Store:
        return self.only or self.cleaned_data["store"]


class IssueForm(_StoreChoice, NewCardForm):
    code = forms.CharField(
        label=_("Code"), max_length=40, required=False, widget=TextWidget(), help_text=_("Empty for a random one.")
    )
    note = forms.CharField(
        label=_("Note"), max_length=200, required=False, widget=TextWidget(), help_text=_("For staff.")
    )
    field_order = ("store", "amount", "expires_on", "with_pin", "active", "code", "note")


class IssueManyForm(_StoreChoice, NewCardForm):
    name = forms.CharField(
        label=_("Name of the batch"), max_length=80, widget=TextWidget(), help_text=_("Such as Diwali 2026; only once.")
    )
    count = forms.IntegerField(
        label=_("How many"),
        min_value=1,
        max_value=gift_cards.MAX_BATCH,
        widget=TextWidget(attrs={"inputmode": "numeric"}),
    )
    field_order = ("store", "name", "count", "amount", "expires_on", "with_pin", "active")


class BalanceFilter(DropdownFilter):
    title = _("balance")
    parameter_name = "balance"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("some", _("Something left")), ("none", _("Used up"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted: dict[str, dict[str, Any]] = {"some": {"account__balance__gt": 0}, "none": {"account__balance": 0}}
        return queryset.filter(**wanted.get(self.value() or "", {}))


class CardForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = GiftCard
        fields = ("expires_at", "note")


@site.admin_for(GiftCard)
class GiftCardAdmin(StoreModelAdmin):
    menu, menu_order, icon = MENU, 50, "redeem"
    form = CardForm
    list_display = ("label", "shown_state", "shown_balance", "shown_issued", "batch", "expires_at", "created_at")
    list_filter = (
        ("state", ChoicesFilter),
        BalanceFilter,
        ("batch", RelatedFilter),
        ("expires_at", DateRangeFilter),
        ("created_at", DateRangeFilter),
    )
    search_fields = ("=last4",)
    search_help_text = _("The last four of a code, or a whole code.")
    ordering = ("-created_at", "-pk")
    fieldsets = (
        (None, {"fields": ("store", ("label", "shown_state"), ("shown_balance", "shown_held", "shown_issued"))}),
        (_("Terms"), {"fields": ("expires_at", "note")}),
        (_("Origin"), {"fields": (("batch", "made_by"), ("has_pin", "created_at"))}),
    )
    readonly_fields = (
        "label",
        "shown_state",
        "shown_balance",
        "shown_held",
        "shown_issued",
        "batch",
        "made_by",
        "has_pin",
    )
    actions = ("freeze_many", "thaw_many", "activate_many")
    actions_list = ("issue_many",)
    actions_detail = ("freeze", "thaw", "activate", "adjust")

    @display(description=_("Code"), ordering="last4")
    def label(self, card: GiftCard) -> str:
        return str(card)

    @display(
        description=_("State"),
        ordering="state",
        label={State.ACTIVE.label: "success", State.FROZEN.label: "danger", State.INACTIVE.label: "info"},
    )
    def shown_state(self, card: GiftCard) -> Any:
        return State(card.state).label

    @display(description=_("Balance"), ordering="account__balance")
    def shown_balance(self, card: GiftCard) -> str:
        return money(card.store, card.account.balance)

    @display(description=_("Held"))
    def shown_held(self, card: GiftCard) -> str:
        return money(card.store, card.account.held)

    @display(description=_("Issued with"), ordering="issued")
    def shown_issued(self, card: GiftCard) -> str:
        return money(card.store, card.issued)

    @display(description=_("PIN"), boolean=True)
    def has_pin(self, card: GiftCard) -> bool:
        return bool(card.pin_hash)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request).select_related("account", "store", "batch")
        return found

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """A whole code is looked up by its hash, in each store that there is."""
        normal = gift_cards.normalised(search_term)
        if len(normal) < 8:
            return queryset.filter(last4=normal) if normal else queryset, False
        store_ids = Store.objects.values_list("pk", flat=True)[:200]
        hashes = [made for store_id in store_ids for made in gift_cards.code_hashes(store_id, search_term)]
        return queryset.filter(code_hash__in=hashes), False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: GiftCard, form: Any, change: bool) -> None:
        if "expires_at" in form.changed_data:
            gift_cards.set_expiry(store=obj.store, card_id=obj.pk, expires_at=obj.expires_at)
        if "note" in form.changed_data:
            obj.save(update_fields=["note"])

    # -- making --
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The code is in the answer to the form and nowhere else."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = IssueForm(request.POST or None)
        back = reverse("admin:storefront_wallets_giftcard_changelist")
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            try:
                made = gift_cards.issue(
                    store=form.chosen,
                    amount=data["amount"],
                    code=data["code"],
                    with_pin=data["with_pin"],
                    active=data["active"],
                    expires_at=end_of_day(data["expires_on"], form.chosen),
                    note=data["note"],
                    made_by=request.user.get_username(),
                )
            except DomainError as error:
                form.add_error("code" if "code" in error.errors else "amount", str(error.message))
            else:
                card = self.get_queryset(request).get(pk=made.card_id)
                self.log_addition(request, card, "Issued")
                return self._show(request, card, made)
        return site.confirm(
            request,
            title=_("New gift card"),
            text=_("Its code is shown once: only a hash of it is kept."),
            button=_("Issue"),
            back=back,
            form=form,
        )

    def _show(self, request: HttpRequest, card: GiftCard, made: gift_cards.NewGiftCard) -> HttpResponse:
        return site.render(
            request,
            "wallets/new_card.html",
            {
                "made": made,
                "balance": self.shown_balance(card),
                "card": card,
                "next_url": reverse("admin:storefront_wallets_giftcard_change", args=[card.pk]),
            },
            title=_("New gift card"),
        )

    def has_issue_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm(ADD)

    @action(description=_("Issue many"), url_path="issue-many", permissions=["issue"], icon="library_add")
    def issue_many(self, request: HttpRequest) -> HttpResponse:
        return redirect("admin:wallets-gift-cards")

    # -- states --
    def has_state_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm(CHANGE)

    @action(description=_("Freeze"), permissions=["state"], icon="ac_unit")
    def freeze_many(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._set_many(request, queryset, frozen=True)

    @action(description=_("Unfreeze"), permissions=["state"], icon="wb_sunny")
    def thaw_many(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._set_many(request, queryset, frozen=False)

    @action(description=_("Activate"), permissions=["state"], icon="check")
    def activate_many(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._set_many(request, queryset, active=True)

    def _set_many(self, request: HttpRequest, queryset: QuerySet[Any], **state: bool) -> None:
        count = 0
        for store in Store.objects.filter(pk__in=queryset.order_by().values("store")):
            ids = list(queryset.filter(store=store).values_list("pk", flat=True))
            count += gift_cards.set_state(store=store, card_ids=ids, **state)
        self.tell(request, _("%(count)d cards were changed.") % {"count": count})

    @action(
        description=_("Freeze"), url_path="freeze", permissions=["state"], icon="ac_unit", variant=ActionVariant.DANGER
    )
    def freeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        text = _("The card pays for nothing more until it is unfrozen. Orders that hold a part of it keep that.")
        return self._set(request, object_id, _("Freeze this card"), text, _("Freeze"), frozen=True)

    @action(description=_("Unfreeze"), url_path="thaw", permissions=["state"], icon="wb_sunny")
    def thaw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._set(
            request, object_id, _("Unfreeze this card"), _("The card can pay again."), _("Unfreeze"), frozen=False
        )

    @action(description=_("Activate"), url_path="activate", permissions=["state"], icon="check")
    def activate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        text = _("From now on the card can pay.")
        return self._set(request, object_id, _("Activate this card"), text, _("Activate"), active=True)

    def _set(
        self, request: HttpRequest, object_id: str, title: Any, text: Any, button: Any, **state: bool
    ) -> HttpResponse:
        card = self._card(request, object_id)
        back = reverse("admin:storefront_wallets_giftcard_change", args=[card.pk])
        if request.method == "POST":
            if gift_cards.set_state(store=card.store, card_ids=[card.pk], **state):
                self.log_change(request, card, str(button))
            return HttpResponseRedirect(back)
        return site.confirm(request, title=title, text=text, button=button, back=back, dangerous="frozen" in state)

    @action(description=_("Adjust"), url_path="adjust", permissions=["state"], icon="exposure")
    def adjust(self, request: HttpRequest, object_id: str) -> HttpResponse:
        card = self._card(request, object_id)
        back = reverse("admin:storefront_wallets_giftcard_change", args=[card.pk])
        form = MoneyForm(request.POST or None, store=card.store)
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            try:
                gift_cards.adjust(
                    store=card.store,
                    card_id=card.pk,
                    amount=data["amount"],
                    reason=data["reason"],
                    made_by=request.user.get_username(),
                    owner=data["act"],
                )
                return HttpResponseRedirect(back)
            except DomainError:
                form.add_error("amount", _("There is less than that on the card, or orders hold it."))
        return site.confirm(
            request,
            title=_("Adjust this card"),
            text=_("An entry in the ledger, with your name. What is held for orders cannot be taken away."),
            button=_("Adjust"),
            back=back,
            form=form,
        )

    def _card(self, request: HttpRequest, object_id: str) -> GiftCard:
        card: GiftCard | None = self.get_queryset(request).filter(pk=object_id).first()
        if card is None:
            raise PermissionDenied
        return card


# --- batches --------------------------------------------------------------------------------------------------------
@site.admin_for(GiftCardBatch)
class BatchAdmin(ReadOnlyAdmin, StoreModelAdmin):
    empty_hint = _("Gift cards that are issued many at a time appear here.")
    menu, menu_order, icon = MENU, 60, "style"
    list_display = ("name", "count", "shown_amount", "expires_at", "made_by", "created_at")
    list_select_related = ("store",)
    list_filter = (("created_at", DateRangeFilter),)
    search_fields = ("name",)
    ordering = ("-created_at", "-pk")
    fields = ("store", "name", ("count", "shown_amount"), "expires_at", ("made_by", "created_at"))
    readonly_fields = ("shown_amount",)
    actions_detail = ("freeze_all", "activate_all")

    @display(description=_("Amount of each"), ordering="amount")
    def shown_amount(self, batch: GiftCardBatch) -> str:
        return money(batch.store, batch.amount)

    def has_state_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm(CHANGE)

    @action(
        description=_("Freeze all"), url_path="freeze", permissions=["state"], icon="ac_unit",
        variant=ActionVariant.DANGER,
    )  # fmt: skip
    def freeze_all(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._set(request, object_id, _("Freeze every card of this batch"), _("Freeze all"), frozen=True)

    @action(description=_("Activate all"), url_path="activate", permissions=["state"], icon="check")
    def activate_all(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._set(request, object_id, _("Activate every card of this batch"), _("Activate all"), active=True)

    def _set(self, request: HttpRequest, object_id: str, title: Any, button: Any, **state: bool) -> HttpResponse:
        batch = self.get_queryset(request).select_related("store").filter(pk=object_id).first()
        if batch is None:
            raise PermissionDenied
        back = reverse("admin:storefront_wallets_giftcardbatch_change", args=[batch.pk])
        if request.method == "POST":
            count = gift_cards.set_batch_state(store=batch.store, batch_id=batch.pk, **state)
            self.log_change(request, batch, str(button))
            self.tell(request, _("%(count)d cards were changed.") % {"count": count})
            return HttpResponseRedirect(back)
        text = _("%(name)s: %(count)d cards.") % {"name": batch.name, "count": batch.count}
        return site.confirm(request, title=title, text=text, button=button, back=back, dangerous="frozen" in state)


def issue_page(request: HttpRequest) -> HttpResponse:
    """Answers the form with the file of codes; nothing keeps them for a second download."""
    form = IssueManyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        expires_at = end_of_day(data["expires_on"], form.chosen)
        try:
            made = gift_cards.issue_many(
                store=form.chosen,
                name=data["name"],
                count=data["count"],
                amount=data["amount"],
                with_pin=data["with_pin"],
                active=data["active"],
                expires_at=expires_at,
                made_by=request.user.get_username(),
            )
        except DomainError as error:
            field = next((name for name in error.errors if name in form.fields), None)
            form.add_error(field, str(error.message))
        else:
            return _file(data["name"], made, str(data["amount"]), expires_at)
    return site.confirm(
        request,
        title=_("Issue many gift cards"),
        text=_(
            "You get a file of the codes, once: only hashes are kept. If it gets lost, freeze the batch and issue another."
        ),
        button=_("Issue and download"),
        back=reverse("admin:storefront_wallets_giftcard_changelist"),
        form=form,
    )


def _file(name: str, made: list[gift_cards.NewGiftCard], amount: str, expires_at: Any) -> HttpResponse:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("code", "pin", "amount", "expires_at"))
    writer.writerows((card.code, card.pin, amount, expires_at.isoformat() if expires_at else "") for card in made)
    answer = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="gift-cards-{slugify(name) or "batch"}.csv"'
    return answer


site.page(
    "wallets/gift-cards/",
    issue_page,
    _("Issue many gift cards"),
    name="wallets-gift-cards",
    permission=ADD,
    menu="",
)
