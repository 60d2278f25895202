"""What carts add to the dashboard and to a user's page. Figures look at recent carts only, however many there are."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront import panels, privacy
from storefront.admin_base import change_link, list_link, money
from storefront.contracts import Sellable
from storefront.errors import NotFound
from storefront.plugs import plug
from storefront.pricing import Line, Quote

from . import rules, selectors, tax
from .models import Cart, WishlistItem

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
    return _carts(user.store_id, [user.pk], list_link(Cart, user_id__exact=user.pk))


def carts_of_customer(request: HttpRequest, customer: Any) -> panels.Table:
    """The carts of its users, or of the guest; three queries."""
    try:
        people = privacy.find(store=customer.store, who=customer.pk)
    except NotFound:
        people = []
    return _carts(customer.store_id, [person.user_id for person in people[:20]])


def _carts(store_id: str, user_ids: list[str], link: str = "") -> panels.Table:
    found = (
        Cart.objects.filter(store_id=store_id, user_id__in=user_ids)
        .annotate(units=Sum("lines__quantity"))
        .order_by("-pk")[:8]
    )
    return panels.Table(
        headers=(_("Cart"), _("Units"), _("Last change"), _("Open until")),
        rows=[
            (change_link(cart), cart.units or 0, cart.modified_at, _("ordered") if cart.closed_at else cart.expires_at)
            for cart in found
        ],
        link=link,
        empty=_("No carts."),
    )


def wishlist_of_user(request: HttpRequest, user: Any) -> panels.Table:
    found = list(
        WishlistItem.objects.filter(store_id=user.store_id, user_id=user.pk).order_by("-created_at", "-pk")[:8]
    )
    skus = [item.sku for item in found]
    known = plug("CATALOG").sellables(user.store_id, skus, group_id=None)
    return panels.Table(
        headers=(_("Product"), _("Since")),
        rows=[(name_of(known[item.sku]) if item.sku in known else str(item), item.created_at) for item in found],
        link=list_link(WishlistItem, q=user.pk),
        empty=_("This user remembers nothing."),
    )


def priced(request: HttpRequest, cart: Cart) -> panels.Table:
    """What is in a cart and what it costs its owner now. Only here are staff shown prices: a list would price each."""
    quote = _quote(cart)
    totals = quote.totals()
    problems = rules.readiness(quote)
    amount_of = partial(money, cart.store)
    facts: list[tuple[Any, Any]] = [(_("Before tax and discounts"), amount_of(totals.subtotal))]
    for title, amount in (
        (_("Promotions"), totals.promotion_discount),
        (_("Coupon"), totals.coupon_discount),
    ):
        if amount:
            facts.append((title, f"− {amount_of(amount)}"))
    facts += [(_("Items with tax"), amount_of(totals.items_net + totals.items_tax))]
    if totals.handling:
        facts.append((_("Handling with tax"), amount_of(totals.handling + totals.handling_tax)))
    if quote.shipping_cost is None:
        facts.append((_("Shipping with tax"), _("not chosen")))
    else:
        facts.append((_("Shipping with tax"), amount_of(totals.shipping + quote.shipping_tax)))
    facts += [(f"{part.name} {part.rate.normalize():f}%", amount_of(part.amount)) for part in tax.summary(quote)]
    facts.append((_("Grand total"), amount_of(totals.grand_total)))
    for title, amount in (
        (_("Points"), quote.points_value),
        (_("Store credit"), quote.credit_used),
        (_("Gift card"), quote.gift_card_used),
    ):
        if amount:
            facts.append((title, f"− {amount_of(amount)}"))
    facts += [
        (_("To be paid"), amount_of(totals.to_be_paid)),
        (_("Ready for payment"), rules.problem_text(problems[0]) if problems else _("yes")),
    ]
    return panels.Table(
        headers=(_("Product"), _("SKU"), _("Units"), _("Unit price"), _("Discount"), _("Net"), _("Tax"), ""),
        rows=[
            (
                _name(line),
                (line.sellable.code if line.sellable else None) or "–",
                line.quantity,
                amount_of(line.unit_price),
                amount_of(line.discount) if line.discounts else "–",
                amount_of(line.net),
                amount_of(line.tax),
                _remark(line),
            )
            for line in quote.lines
        ],
        facts=tuple(facts),
        empty=_("This cart is empty."),
    )


def wishes(request: HttpRequest, cart: Cart) -> panels.Table:
    """What the shopper asked for beside products, and whether it counts."""
    quote = _quote(cart)
    amount_of = partial(money, cart.store)
    rows: list[tuple[Any, ...]] = []

    def row(wish: str, title: Any, asked: Any, counts: Any) -> None:
        refusal = quote.refusals.get(wish)
        rows.append((title, asked, counts if refusal is None else refusal.message))

    if cart.coupon_code:
        row("coupon", _("Coupon"), cart.coupon_code, amount_of(quote.totals().coupon_savings))
    if cart.points_asked:
        row("points", _("Points"), cart.points_asked, amount_of(quote.points_value))
    if cart.credit_asked:
        row("credit", _("Store credit"), amount_of(cart.credit_asked), amount_of(quote.credit_used))
    if cart.gift_card_id:
        row("gift_card", _("Gift card"), f"•••• {cart.gift_card_last4}", amount_of(quote.gift_card_used))
    if cart.fulfillment:
        cost = (
            _("not known") if quote.shipping_cost is None else amount_of(quote.shipping_cost - quote.shipping_discount)
        )
        row("fulfillment", _("Delivery"), _KINDS.get(cart.fulfillment.get("fulfillment_type", ""), "–"), cost)
    return panels.Table(
        headers=(_("Wish"), _("Asked for"), _("Counts")), rows=rows, empty=_("Nothing beside its products.")
    )


_KINDS = {
    "delivery": gettext_lazy("Sent"),
    "collect-in-store": gettext_lazy("Collected in a shop"),
    "partial-collect-and-delivery": gettext_lazy("Partly collected, partly sent"),
}


def _quote(cart: Cart) -> Quote:
    """Priced once for all panels of a page."""
    found: Quote | None = getattr(cart, "_quote", None)
    if found is None:
        found = selectors.owners_view(cart=cart, now=timezone.now()).quote
        cart._quote = found  # type: ignore[attr-defined]
    return found


def _name(line: Line) -> str:
    if line.sellable is None:
        return " ".join(line.sku).strip()
    return name_of(line.sellable)


def name_of(sellable: Sellable) -> str:
    return " – ".join(part for part in (sellable.product_name, sellable.variant_name) if part)


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
panels.register(
    "storefront_carts.cart",
    title=gettext_lazy("What the shopper asked for"),
    icon="redeem",
    compute=wishes,
    permission=PERMISSION,
    order=20,
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
    title=gettext_lazy("Wishlist"),
    icon="favorite",
    compute=wishlist_of_user,
    permission="storefront_carts.view_wishlistitem",
    order=35,
)
panels.register(
    "storefront_accounts.user",
    title=gettext_lazy("Carts"),
    icon="shopping_cart",
    compute=carts_of_user,
    permission=PERMISSION,
    order=30,
)
panels.register(
    "storefront_customers.customer",
    title=gettext_lazy("Carts"),
    icon="shopping_cart",
    compute=carts_of_customer,
    permission=PERMISSION,
    order=30,
)
