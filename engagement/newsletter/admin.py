"""The newsletter's list as staff see it: addresses masked, states changed only by what can be justified later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import models
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import (
    ActionVariant,
    ChoicesFilter,
    DateRangeFilter,
    ReadOnlyAdmin,
    StoreModelAdmin,
    StoreTabularInline,
    action,
    display,
    masked_column,
    site,
)
from storefront.models import Store
from storefront.spreadsheets import csv_lines

from . import selectors, services
from .models import NewsletterConsent, NewsletterSubscription, NewsletterText

State = NewsletterSubscription.State
_TONES = {State.PENDING: "info", State.SUBSCRIBED: "success", State.UNSUBSCRIBED: "warning", State.SUPPRESSED: "danger"}
EXPORT_PERMISSION = "storefront_engagement.export_newslettersubscription"
CHANGE_PERMISSION = "storefront_engagement.change_newslettersubscription"


class ConsentInline(ReadOnlyAdmin, StoreTabularInline):
    model = NewsletterConsent
    fields = ("created_at", "kind", "source", "network", "text_version", "detail")
    readonly_fields = fields
    show_change_link = False
    verbose_name_plural = _("History")


@site.admin_for(NewsletterSubscription)
class NewsletterSubscriptionAdmin(ReadOnlyAdmin, StoreModelAdmin):
    empty_hint = _("Readers appear here when they subscribe in the shop.")
    menu, menu_order, menu_title, icon = "customers", 60, _("Newsletter"), "newspaper"
    personal = True
    list_display = (
        masked_column("email", title=_("E-mail")),
        "shown_state",
        "state_since",
        "offers",
        "created_at",
    )
    list_filter = (("state", ChoicesFilter), ("state_since", DateRangeFilter), ("created_at", DateRangeFilter))
    search_fields = ("email__istartswith", "id", "user_id")
    search_help_text = _("Beginning of an e-mail address, or an id.")
    ordering = ("-created_at", "-pk")
    inlines = (ConsentInline,)
    actions = ("unsubscribe", "restore")
    actions_list = ("export",)
    fields = ("store", "email", "shown_state", "state_since", "refuses_promotions", "user_id", "language", "created_at")
    readonly_fields = ("shown_state",)

    @display(
        description=_("State"),
        label={str(state.label): tone for state, tone in _TONES.items()},
        ordering="state",
    )
    def shown_state(self, row: NewsletterSubscription) -> str:
        return str(State(row.state).label)

    @display(description=_("Offers"), label={_("Refused"): "warning"}, ordering="refuses_promotions", empty_value="–")
    def offers(self, row: NewsletterSubscription) -> Any:
        return _("Refused") if row.refuses_promotions else None

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm(CHANGE_PERMISSION))

    def has_export_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm(EXPORT_PERMISSION))

    @action(
        description=_("Unsubscribe"),
        permissions=["decide"],
        icon="unsubscribe",
        variant=ActionVariant.DANGER,
        confirm=_("They get no newsletter any more, and only they themselves can subscribe again."),
    )
    def unsubscribe(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        def leave(row: NewsletterSubscription, by: str) -> bool:
            services.leave(store=row.store, email=row.email, source=services.Source.STAFF, detail=by)
            return row.state in (State.PENDING, State.SUBSCRIBED)

        self._each(request, queryset, leave, _("%(count)d addresses are unsubscribed."))

    @action(description=_("Reachable again"), permissions=["decide"], icon="mark_email_read")
    def restore(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        def lift(row: NewsletterSubscription, by: str) -> bool:
            return services.restore(store=row.store, email=row.email, detail=by)

        self._each(request, queryset, lift, _("%(count)d addresses are reachable again."))

    def _each(
        self,
        request: HttpRequest,
        queryset: models.QuerySet[Any],
        decide: Callable[[NewsletterSubscription, str], bool],
        text: Any,
    ) -> None:
        done = [row for row in queryset.select_related("store") if decide(row, request.user.get_username())]
        for row in done:
            self.log_change(request, row, str(text % {"count": 1}))
        self.tell(request, text % {"count": len(done)}, tone="success" if done else "info")

    @action(description=_("Export"), url_path="export", permissions=["export"], icon="download")
    def export(self, request: HttpRequest) -> HttpResponse:
        stores = list(Store.objects.order_by("name")[:50])
        if len(stores) == 1:
            return HttpResponseRedirect(reverse("admin:newsletter-export", args=[stores[0].pk]))
        links = [(store.name, reverse("admin:newsletter-export", args=[store.pk])) for store in stores]
        return site.render(request, "engagement/export.html", {"links": links}, title=_("Export the newsletter's list"))


def export_file(request: HttpRequest, store_id: str) -> HttpResponseBase:
    """The subscribed addresses of a store, or those in another `state`, as CSV."""
    store = Store.objects.filter(pk=store_id).first()
    state = request.GET.get("state", State.SUBSCRIBED.value)
    if store is None or state not in {*State.values, "all"}:
        raise Http404
    rows = selectors.export_rows(store=store, state="" if state == "all" else state)
    response = StreamingHttpResponse(csv_lines(selectors.EXPORT_COLUMNS, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="newsletter-{store.pk}-{state}.csv"'
    response["Cache-Control"] = "no-store"
    return response


site.page(
    "newsletter/<str:store_id>/export/",
    export_file,
    _("Export the newsletter's list"),
    permission=EXPORT_PERMISSION,
    name="newsletter-export",
    menu="",
)


@site.admin_for(NewsletterText)
class NewsletterTextAdmin(ReadOnlyAdmin, StoreModelAdmin):
    """Every wording that somebody consented to. The present one is set on the store's page."""

    empty_hint = _("Each wording that somebody consented to is kept here.")
    menu = ""
    list_display = ("version", "text", "created_at")
    search_fields = ("version",)
