"""What carts add to the dashboard and to a user's page. Figures look at recent carts only, however many there are."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront import panels
from storefront.admin_base import change_link, list_link

from .models import Cart

PERMISSION = "storefront_carts.view_cart"


def active(period: panels.Period) -> panels.Figure:
    """Open carts that somebody changed in the last 24 hours."""
    found = Cart.objects.filter(**period.scope, modified_at__gte=period.day_ago, closed_at=None).aggregate(
        count=Count("pk", distinct=True), units=Sum("lines__quantity")
    )
    size = (found["units"] or 0) / found["count"] if found["count"] else 0
    detail = _("%(size).1f units on average") % {"size": size}
    return panels.Figure(found["count"], detail, list_link(Cart))


def a_day(period: panels.Period) -> panels.Chart:
    """By the day on which they were made, carts whose last change is not older than the chart."""
    rows = (
        Cart.objects.filter(**period.scope, modified_at__gte=period.fortnight_ago, created_at__gte=period.fortnight_ago)
        .annotate(day=TruncDate("created_at", tzinfo=period.zone))
        .values_list("day")
        .annotate(count=Count("pk"))
        .order_by()
    )
    series = panels.Series(gettext_lazy("New carts"), panels.over_days(rows, period.days()), "info")
    return panels.Chart(period.day_labels(), [series], link=list_link(Cart))


def carts_of_user(request: HttpRequest, user: Any) -> panels.Table:
    found = (
        Cart.objects.filter(store_id=user.store_id, user_id=user.pk)
        .annotate(units=Sum("lines__quantity"))
        .order_by("-pk")[:8]
    )
    return panels.Table(
        headers=(_("Cart"), _("Units"), _("Last change"), _("Open until")),
        rows=[
            (change_link(cart), cart.units or 0, cart.modified_at, _("ordered") if cart.closed_at else cart.expires_at)
            for cart in found
        ],
        link=list_link(Cart, user_id__exact=user.pk),
        empty=_("This user has no cart."),
    )


panels.tile(
    "carts.active",
    title=gettext_lazy("Open carts, 24 hours"),
    icon="shopping_cart",
    compute=active,
    permission=PERMISSION,
    order=30,
)
panels.chart("carts.days", title=gettext_lazy("New carts a day"), compute=a_day, permission=PERMISSION, order=30)
panels.register(
    "storefront_accounts.user",
    title=gettext_lazy("Carts"),
    icon="shopping_cart",
    compute=carts_of_user,
    permission=PERMISSION,
    order=30,
)
