"""What carts add to the dashboard and to a user's page. Figures look at recent carts only, however many there are."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront import panels
from storefront.admin_base import change_link, list_link
from storefront.pricing import Line

from . import rules, selectors
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


def priced(request: HttpRequest, cart: Cart) -> panels.Table:
    """What is in a cart and what it costs its owner now. Only here are staff shown prices: a list would price each."""
    quote = selectors.owners_view(cart=cart, now=timezone.now()).quote
    totals, symbol = quote.totals(), quote.currency.symbol
    problems = rules.readiness(quote)

    def money(amount: Decimal) -> str:
        return f"{symbol} {amount}"

    return panels.Table(
        headers=(_("Product"), _("SKU"), _("Units"), _("Unit price"), _("Amount"), _("Tax"), ""),
        rows=[
            (
                _name(line),
                (line.sellable.code if line.sellable else None) or "–",
                line.quantity,
                money(line.unit_price),
                money(line.amount),
                money(line.tax),
                _remark(line),
            )
            for line in quote.lines
        ],
        facts=(
            (_("Before tax"), money(totals.subtotal)),
            (_("Tax"), money(totals.total_tax)),
            (_("Handling"), money(totals.handling)),
            (_("To be paid"), money(totals.to_be_paid)),
            (_("Ready for payment"), rules.problem_text(problems[0]) if problems else _("yes")),
        ),
        empty=_("This cart is empty."),
    )


def _name(line: Line) -> str:
    if line.sellable is None:
        return " ".join(line.sku).strip()
    return " – ".join(part for part in (line.sellable.product_name, line.sellable.variant_name) if part)


def _remark(line: Line) -> str:
    problem = rules.line_problem(line.sellable, line.quantity)
    return rules.problem_text(problem) if problem else ""


panels.register(
    "storefront_carts.cart",
    title=gettext_lazy("In the cart, at today's prices"),
    icon="sell",
    compute=priced,
    permission=PERMISSION,
    order=10,
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
