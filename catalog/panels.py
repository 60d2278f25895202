"""What the catalogue adds to the dashboard: what is running out."""

from __future__ import annotations

from django.db.models import Count, F, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront import panels
from storefront.admin_base import list_link

from .models import Product, Stock

LOW = 5  # units left, and fewer
PERMISSION = "storefront_catalog.view_stock"


def _counts(period: panels.Period) -> dict[str, int]:
    def read() -> dict[str, int]:
        sold = Stock.objects.filter(
            **period.scope, tracked=True, backorder=False, variant__active=True, variant__product__active=True
        ).annotate(left=F("on_hand") - F("reserved"))
        return sold.aggregate(
            out=Count("pk", filter=Q(left__lte=0)), low=Count("pk", filter=Q(left__gt=0, left__lte=LOW))
        )

    found: dict[str, int] = period.once("catalog.stock", read)
    return found


def out(period: panels.Period) -> panels.Figure:
    count = _counts(period)["out"]
    return panels.Figure(
        count, _("variants cannot be bought"), list_link(Product, stock="out"), "bad" if count else "good"
    )


def low(period: panels.Period) -> panels.Figure:
    count = _counts(period)["low"]
    return panels.Figure(
        count,
        _("have %(count)d units or fewer") % {"count": LOW},
        list_link(Product, stock="low"),
        "warning" if count else "good",
    )


panels.tile(
    "catalog.out",
    title=gettext_lazy("Out of stock"),
    icon="production_quantity_limits",
    compute=out,
    permission=PERMISSION,
    order=40,
)
panels.tile(
    "catalog.low", title=gettext_lazy("Low stock"), icon="inventory", compute=low, permission=PERMISSION, order=42
)
