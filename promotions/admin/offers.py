"""The lists and pages of coupons and promotions. Everything is written by `promotions.services`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum, Window
from django.db.models.functions import Coalesce, RowNumber
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront.admin_base import (
    ActionVariant,
    BooleanFilter,
    ChoicesFilter,
    DateRangeFilter,
    StoreModelAdmin,
    action,
    display,
    site,
)
from storefront.errors import DomainError
from storefront.models import Store

from .. import services
from ..codes import code_key
from ..models import Code, CodeBatch, Coupon, Kind, Offer, OfferType, OfferUse, Promotion, State
from . import common
from .common import MENU, TONES, money
from .editor import CARDS, OfferForm, kinds_of_offer, rule_fields

DAYS = 30  # of the sums in lists
SHOWN_CODES = 2


class OfferList(ChangeList):
    """A page of the list with what stands beside its rows, asked for all of them at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        attach(self.result_list)


def attach(offers: list[Any]) -> None:
    """Gives each offer `gives`, `used`, `saving`, `revenue` and `code_line`: two queries, one more for coupons, and the
    names that their sentences hold. Sums are of the last 30 days, so that they stay cheap."""
    scope = {"store__in": {offer.store_id for offer in offers}, "offer__in": [offer.pk for offer in offers]}
    gives = common.sentences(offers)
    uses = OfferUse.objects.filter(**scope)
    recent = uses.filter(state=OfferUse.State.CONFIRMED, held_at__gte=timezone.now() - timedelta(days=DAYS))
    sums = {
        pk: (saving, revenue)
        for pk, saving, revenue in recent.order_by().values_list("offer").annotate(Sum("saving"), Sum("revenue"))
    }
    waiting = OfferUse.objects.filter(offer=OuterRef("pk"), counted=False).filter(state__in=OfferUse.TAKEN)
    made = CodeBatch.objects.filter(offer=OuterRef("pk")).order_by()
    counted = Offer.objects.filter(store__in=scope["store__in"], pk__in=scope["offer__in"]).values_list(
        "pk",
        Coalesce(Subquery(waiting.order_by().values("offer").annotate(n=Count("pk")).values("n")), 0),
        Coalesce(Subquery(made.values("offer").annotate(n=Sum("size")).values("n"), IntegerField()), 0),
    )
    facts = {pk: (uncounted, generated) for pk, uncounted, generated in counted}
    typed = _typed_codes(scope) if any(offer.kind == Kind.COUPON for offer in offers) else {}
    for offer in offers:
        uncounted, generated = facts.get(offer.pk, (0, 0))
        saving, revenue = sums.get(offer.pk, (0, 0))
        offer.gives = gives[offer.pk]
        offer.used = offer.redemption_count + uncounted
        offer.saving, offer.revenue = money(offer.store, saving), money(offer.store, revenue)
        codes = typed.get(offer.pk, [])
        parts = [", ".join(codes[:SHOWN_CODES]) + (" …" if len(codes) > SHOWN_CODES else "")] if codes else []
        if generated:
            parts.append(_("%(count)s generated") % {"count": f"{generated:,}"})
        offer.code_line = " + ".join(parts) or "–"


def _typed_codes(scope: dict[str, Any]) -> dict[str, list[str]]:
    rows = Code.objects.filter(**scope, batch=None).annotate(
        place=Window(RowNumber(), partition_by="offer_id", order_by="id")
    )
    found: dict[str, list[str]] = {}
    for pk, text in rows.filter(place__lte=SHOWN_CODES + 1).order_by("offer_id", "place").values_list("offer", "text"):
        found.setdefault(pk, []).append(text)
    return found


class OfferAdmin(StoreModelAdmin):
    """What both kinds share."""

    kind = ""
    menu = MENU
    form = OfferForm
    change_form_template = "promotions/offer_form.html"
    list_select_related = ("store",)
    list_filter = (
        ("state", ChoicesFilter),
        ("type", ChoicesFilter),
        ("eligibility", ChoicesFilter),
        ("public", BooleanFilter),
        ("starts_at", DateRangeFilter),
        ("expires_at", DateRangeFilter),
    )
    ordering = ("-created_at", "-pk")
    actions = ("publish_many", "stop_many", "duplicate_many", "delete_unused")
    actions_detail: Any = ("publish", "stop", "try_out", "duplicate")
    readonly_fields = ("shown_state", "gives")

    class Media:
        css = {"all": ("promotions/offers.css",)}
        js = ("promotions/offers.js",)

    # -- list --
    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return OfferList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request).select_related("store")
        return found

    @display(description=gettext_lazy("State"), ordering="state", label=TONES)
    def shown_state(self, offer: Offer) -> Any:
        return common.state_of(offer, timezone.now())

    @display(description=gettext_lazy("Gives"))
    def gives(self, offer: Any) -> str:
        if not hasattr(offer, "gives"):
            offer.gives = common.sentences([offer])[offer.pk]
        return str(offer.gives)

    @display(description=gettext_lazy("Codes"))
    def code_line(self, offer: Any) -> str:
        return str(offer.code_line)

    @display(description=gettext_lazy("Uses"), ordering="redemption_count")
    def use_line(self, offer: Any) -> str:
        if offer.total_limit is None:
            return f"{offer.used:,}"
        return _("%(count)s of %(limit)s") % {"count": f"{offer.used:,}", "limit": f"{offer.total_limit:,}"}

    @display(description=gettext_lazy("When"), ordering="starts_at")
    def dates(self, offer: Offer) -> str:
        begins, ends = (
            date_format(timezone.localtime(moment, offer.store.zone), "j M Y") if moment else "…"
            for moment in (offer.starts_at, offer.expires_at)
        )
        return f"{begins} – {ends}"

    @display(description=gettext_lazy("Saved, 30 days"))
    def saving(self, offer: Any) -> str:
        return str(offer.saving)

    @display(description=gettext_lazy("Revenue, 30 days"))
    def revenue(self, offer: Any) -> str:
        return str(offer.revenue)

    # -- rights --
    def has_state_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return common.may(request, "change", self.kind)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """A live offer can be stopped, any other published."""
        found = super().get_actions_detail(request, object_id)
        live = Offer.objects.filter(pk=unquote(str(object_id)), state=State.LIVE).exists()
        return [one for one in found if one.path != ("publish" if live else "stop")]

    def has_copy_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return common.may(request, "add", self.kind)

    def has_look_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return common.may(request, "view", self.kind)

    def has_remove_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return common.may(request, "delete", self.kind)

    # -- form --
    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        facts = {
            "kind": self.kind,
            "type_": obj.type if obj is not None else _asked_type(request, self.kind),
            "store": obj.store if obj is not None else _asked_store(request),
            "refusal": getattr(request, "_offer_refusal", None),
            "__module__": form.__module__,
        }
        return type(form.__name__, (form,), facts)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        type_ = obj.type if obj is not None else _asked_type(request, self.kind)
        coupon = self.kind == Kind.COUPON
        changes = self.has_change_permission(request, obj) if obj is not None else True
        shown = (
            ["name", "description", "terms", ("public",)]
            if not changes
            else ["name", "description", "terms", "tags", "public"]
        )
        first: list[Any] = ["store"] if obj is not None else []
        if obj is not None:
            first += [("shown_state", "gives")]
        if obj is not None and obj.state == State.LIVE and changes:
            first += ["confirm"]
        if coupon and obj is None:
            shown.append("new_codes")
        fieldsets: list[Any] = [(None, {"fields": [*first, *shown]})]
        if changes:
            fieldsets.append(
                (
                    gettext_lazy("What it gives"),
                    {"fields": [*rule_fields(type_), "seen_revision"], "classes": ["sf-rule"]},
                )
            )
        conditions = ["minimum_order_total", ("max_items", "item_priority")]
        who: list[Any] = [
            "eligibility",
            *(["segments", "groups"] if changes else []),
            ("first_order_only", "requires_login"),
        ]
        limits = ("total_limit", "customer_limit", "code_limit") if coupon else ("total_limit", "customer_limit")
        fieldsets += [
            (gettext_lazy("Conditions and limits"), {"fields": [*conditions, limits]}),
            (gettext_lazy("Who may have it"), {"fields": who, "classes": ["sf-audience"]}),
            (
                gettext_lazy("When, and together with what"),
                {"fields": ["starts_at", "expires_at", ("priority", "combinable")]},
            ),
        ]
        return _without_hidden_store(super(), request, obj, fieldsets)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Asks for the type first, and for the store where there are several."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.GET.get("type") not in kinds_of_offer(self.kind) or _asked_store(request) is None:
            return self._choose_type(request)
        title = OfferType(request.GET["type"]).label
        return super().add_view(request, form_url, {"subtitle": title, **(extra_context or {})})  # type: ignore[no-any-return]

    def _choose_type(self, request: HttpRequest) -> HttpResponse:
        stores = list(Store.objects.order_by("name")[:50])
        cards = [
            {
                "title": OfferType(type_).label,
                "icon": icon,
                "does": does,
                "example": example,
                "links": [(store, urlencode({"type": str(type_), "store": store.pk})) for store in stores],
            }
            for type_, (icon, does, example) in CARDS.items()
            if type_ in kinds_of_offer(self.kind)
        ]
        context = {"cards": cards, "several": len(stores) > 1}
        title = _("New coupon") if self.kind == Kind.COUPON else _("New promotion")
        return site.render(request, "promotions/types.html", context, title=title)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """What services refuse comes back in the form, at its field or row."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except DomainError as error:
            if request.method != "POST":
                raise
            request._offer_refusal = error  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: Offer, form: Any, change: bool) -> None:
        if change and form.is_as_it_was:
            return
        if change:
            saved = services.update_offer(
                store=obj.store, offer_id=obj.pk, revision=form.cleaned_data["seen_revision"] or 0, **form.values()
            )
        else:
            saved = services.create_offer(
                store=form.store, kind=self.kind, type=form.type_, codes=form.typed_codes(), **form.values()
            )
        obj.__dict__.update(saved.__dict__)
        self.tell(request, _("It now says: %(sentence)s.") % {"sentence": common.sentences([obj])[obj.pk]}, tone="info")

    # -- deleting --
    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Codes go with their coupon; a use keeps it for good."""
        ids = [offer.pk for offer in objs]
        used = set(OfferUse.objects.filter(offer__in=ids).order_by().values_list("offer", flat=True).distinct())
        kept = [_("%(name)s has been used: stop it instead.") % {"name": offer} for offer in objs if offer.pk in used]
        return [str(offer) for offer in objs], {self.opts.verbose_name_plural: len(ids)}, set(), kept

    def delete_model(self, request: HttpRequest, obj: Offer) -> None:
        services.delete_offer(store=obj.store, offer_id=obj.pk)

    # -- actions of the list --
    def get_actions(self, request: HttpRequest) -> Any:
        found = super().get_actions(request)
        found.pop("delete_selected", None)
        return found

    def _each(self, request: HttpRequest, rows: QuerySet[Any], act: Callable[[Offer], Any], told: str) -> None:
        """Does it to each; what cannot be done is said, the rest is done."""
        done, refused = 0, []
        for offer in rows.select_related("store"):
            try:
                act(offer)
                done += 1
            except DomainError as error:
                refused.append(f"{offer}: {error.message}")
        if done:
            self.tell(request, f"{told} {done}")
        for text in refused[:10]:
            self.tell(request, text, tone="warning")

    @action(description=gettext_lazy("Publish"), permissions=["state"], icon="play_arrow")
    def publish_many(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        now = timezone.now()
        self._each(
            request,
            queryset,
            lambda offer: services.publish_offer(store=offer.store, offer_id=offer.pk, now=now),
            _("Live now:"),
        )

    @action(description=gettext_lazy("Stop"), permissions=["state"], icon="stop")
    def stop_many(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._each(
            request, queryset, lambda offer: services.stop_offer(store=offer.store, offer_id=offer.pk), _("Stopped:")
        )

    @action(description=gettext_lazy("Duplicate"), permissions=["copy"], icon="content_copy")
    def duplicate_many(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._each(
            request,
            queryset,
            lambda offer: services.duplicate_offer(store=offer.store, offer_id=offer.pk),
            _("Drafts made:"),
        )

    @action(
        description=gettext_lazy("Delete those never used"),
        permissions=["remove"],
        icon="delete",
        confirm=gettext_lazy("Their codes go with them. This cannot be undone."),
    )
    def delete_unused(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._each(
            request, queryset, lambda offer: services.delete_offer(store=offer.store, offer_id=offer.pk), _("Deleted:")
        )

    # -- actions of a page --
    def _offer(self, request: HttpRequest, object_id: str) -> Offer:
        found: Offer | None = self.get_queryset(request).filter(pk=object_id).first()
        if found is None:
            raise Http404
        return found

    def _address(self, offer: Offer) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[offer.pk])

    @action(
        description=gettext_lazy("Publish"),
        url_path="publish",
        permissions=["state"],
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
    )
    def publish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        offer = self._offer(request, object_id)
        if request.method == "POST":
            services.publish_offer(store=offer.store, offer_id=offer.pk, now=timezone.now())
            self.tell(request, _("It is live."))
            return HttpResponseRedirect(self._address(offer))
        return site.confirm(
            request,
            title=_("Publish %(name)s") % {"name": offer},
            text=_("Shoppers get this at once: %(sentence)s.") % {"sentence": self.gives(offer)},
            button=_("Publish"),
            back=self._address(offer),
        )

    @action(
        description=gettext_lazy("Stop"),
        url_path="stop",
        permissions=["state"],
        icon="stop",
        variant=ActionVariant.DANGER,
    )
    def stop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        offer = self._offer(request, object_id)
        if request.method == "POST":
            services.stop_offer(store=offer.store, offer_id=offer.pk)
            self.tell(request, _("It is stopped."))
            return HttpResponseRedirect(self._address(offer))
        return site.confirm(
            request,
            title=_("Stop %(name)s") % {"name": offer},
            text=_("Carts lose it when they are next read. Orders that have it keep it."),
            button=_("Stop"),
            back=self._address(offer),
            dangerous=True,
        )

    @action(description=gettext_lazy("Duplicate"), url_path="duplicate", permissions=["copy"], icon="content_copy")
    def duplicate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        offer = self._offer(request, object_id)
        if request.method == "POST":
            made = services.duplicate_offer(store=offer.store, offer_id=offer.pk)
            self.tell(request, _("A draft with the same rule, without codes and uses."))
            return HttpResponseRedirect(self._address(made))
        return site.confirm(
            request,
            title=_("Duplicate %(name)s") % {"name": offer},
            text=_("Makes a draft with the same rule, limits and customers, without codes and uses."),
            button=_("Duplicate"),
            back=self._address(offer),
        )

    @action(description=gettext_lazy("Try it out"), url_path="try", permissions=["look"], icon="science")
    def try_out(self, request: HttpRequest, object_id: str) -> HttpResponse:
        offer = self._offer(request, object_id)
        query = urlencode({"store": offer.store_id, "trial": offer.pk})
        return HttpResponseRedirect(f"{reverse('admin:promotions-simulator')}?{query}")


def _without_hidden_store(parent: Any, request: HttpRequest, obj: Any, fieldsets: Any) -> Any:
    """Leaves the store out where there is only one, as other pages do."""
    several = Store.objects.order_by("pk")[1:2].exists()
    if several:
        return fieldsets
    return [
        (title, {**options, "fields": [name for name in options["fields"] if name != "store"]})
        for title, options in fieldsets
    ]


def _asked_type(request: HttpRequest, kind: str) -> str:
    asked = request.GET.get("type", "")
    return asked if asked in kinds_of_offer(kind) else OfferType.DISCOUNT


def _asked_store(request: HttpRequest) -> Store | None:
    """The store that a new offer is for: the one that is named, or the only one."""
    named = request.GET.get("store", "").replace("\x00", "")[:64]
    if named:
        return Store.objects.filter(pk=named).first()
    stores = list(Store.objects.order_by("pk")[:2])
    return stores[0] if len(stores) == 1 else None


@site.admin_for(Coupon)
class CouponAdmin(OfferAdmin):
    kind, menu_order, icon = Kind.COUPON, 10, "confirmation_number"
    list_display = ("name", "shown_state", "gives", "code_line", "use_line", "saving", "revenue", "dates")
    search_fields = ("name",)
    search_help_text = gettext_lazy("A part of the name, or a whole code.")
    actions_detail = ("publish", "stop", "codes", "try_out", "duplicate")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        term = search_term.replace("\x00", "").strip()
        if not term:
            return queryset, False
        stores = list(Store.objects.values_list("pk", flat=True)[:200])
        coded = Code.objects.filter(store__in=stores, key=code_key(term)).values("offer")
        return queryset.filter(Q(name__icontains=term) | Q(pk__in=coded)), False

    @action(description=gettext_lazy("Codes"), url_path="codes", permissions=["look"], icon="qr_code")
    def codes(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:promotions-codes", args=[self._offer(request, object_id).pk]))


@site.admin_for(Promotion)
class PromotionAdmin(OfferAdmin):
    kind, menu_order, icon = Kind.PROMOTION, 20, "sell"
    list_display = ("name", "shown_state", "gives", "priority", "use_line", "saving", "revenue", "dates")
    search_fields = ("name",)
