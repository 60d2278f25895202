"""Facts about quantities and readiness. Pure: sellables and quotes in, refusals and problems out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront.contracts import Component, Sellable, Sku
from storefront.errors import DomainError
from storefront.plugs import has
from storefront.pricing import Problem, Quote

from .errors import AboveMaximum, BelowMinimum, OutOfStock, ProductNotFound, VariantRequired, WrongStep

MAX_LINES = 250  # different skus in a cart
MAX_QUANTITY = 1_000_000  # units of one sku, whatever the product says

# What a shopper reads in `status_error_message`; %(name)s is the product, or the document, at fault.
PROBLEMS: dict[str, str | Promise] = {
    "cart_empty": gettext_lazy("Your cart is empty."),
    "login_required": gettext_lazy("Please log in to order."),
    "document_missing": gettext_lazy("Before you can order we need an approved document: %(name)s."),
    "item_unavailable": gettext_lazy("%(name)s is no longer available."),
    "item_out_of_stock": gettext_lazy("There are not enough units of %(name)s left."),
    "item_quantity": gettext_lazy("%(name)s cannot be ordered in this quantity."),
    "address_missing": gettext_lazy("Please add a billing and a shipping address."),
    "fulfillment_missing": gettext_lazy("Please choose how you want to get your order."),
}


def stock_suffices(sellable: Sellable | None, quantity: int) -> bool:
    """Whether that many can be sold now; backorder counts as stock."""
    if sellable is None or not sellable.active or sellable.needs_variant:
        return False
    return sellable.available is None or sellable.backorder or quantity <= sellable.available


def beside_each_other(lines: Iterable[tuple[Sku, int]], sellables: Mapping[Sku, Sellable | None]) -> dict[Sku, int]:
    """How many there are of each sku in these lines beside what the others of them take; nothing without bundles.

    A bundle and what it holds are sold from one stock, and so are two bundles that hold the same. Skus that never run
    out are left out, and what nobody can buy takes nothing.
    """
    if not any(found is not None and found.components for found in sellables.values()):
        return {}
    wanted: dict[Sku, int] = {}
    for sku, quantity in lines:
        wanted[sku] = wanted.get(sku, 0) + quantity
    parts: dict[Sku, tuple[Component, ...]] = {}
    for sku in wanted:
        found = sellables.get(sku)
        if found is not None and found.active:
            own = Component(sku, 1, None if found.backorder else found.available)
            parts[sku] = found.components or (own,)
    left: dict[Sku, int] = {}
    for sku, needed in parts.items():
        for part in needed:
            if part.available is not None:
                left[part.sku] = left.get(part.sku, part.available) - part.units * wanted[sku]
    beside: dict[Sku, int] = {}
    for sku, needed in parts.items():
        limits = [left[part.sku] // part.units for part in needed if part.available is not None]
        if limits:
            beside[sku] = max(0, wanted[sku] + min(limits))
    return beside


def refusal(
    sellable: Sellable | None, quantity: int, *, field: str, variant_field: str = "variant_id"
) -> DomainError | None:
    """Why a cart cannot hold `quantity` (at least 1) of this, or None (D-20). `field` names the quantity in the body.

    Steps are counted from the minimum: from 2 in steps of 3 are 2, 5, 8.
    """
    if sellable is None:
        return ProductNotFound()
    if sellable.needs_variant:  # nothing else of such a sellable counts
        return VariantRequired(field=variant_field)
    if not sellable.active:
        return ProductNotFound()
    available = None if sellable.backorder else sellable.available
    if available is not None and available < 1:
        return OutOfStock(field=field)
    if quantity < sellable.min_quantity:
        return BelowMinimum(_("Please order at least %(count)d.") % {"count": sellable.min_quantity}, field=field)
    most = MAX_QUANTITY if sellable.max_quantity is None else min(sellable.max_quantity, MAX_QUANTITY)
    if quantity > most:
        return AboveMaximum(_("You can order at most %(count)d.") % {"count": most}, field=field)
    if sellable.step > 1 and (quantity - sellable.min_quantity) % sellable.step:
        return WrongStep(
            _("Please order %(first)d, %(second)d, %(third)d and so on.")
            % {
                "first": sellable.min_quantity,
                "second": sellable.min_quantity + sellable.step,
                "third": sellable.min_quantity + 2 * sellable.step,
            },
            field=field,
        )
    if available is not None and quantity > available:
        return OutOfStock(_("Only %(count)d left.") % {"count": available}, field=field)
    return None


def line_problem(sellable: Sellable | None, quantity: int) -> Problem | None:
    """What keeps a line that is already in a cart from being bought; rules may have changed since it was put there."""
    found = refusal(sellable, quantity, field="quantity")
    if found is None:
        return None
    name = sellable.product_name if sellable is not None else _("An item")
    match found:
        case OutOfStock():
            return Problem("item_out_of_stock", name)
        case ProductNotFound() | VariantRequired():
            return Problem("item_unavailable", name)
        case _:
            return Problem("item_quantity", name)


def readiness(quote: Quote) -> tuple[Problem, ...]:
    """All that keeps a priced cart from being paid, in the order in which a shopper can mend it.

    A cart of digital goods alone needs neither address nor delivery (D-46).
    """
    if not quote.lines:
        return (Problem("cart_empty"), *quote.problems)
    found = list(quote.problems)
    if needs_delivery(quote):
        if quote.billing_address is None or quote.shipping_address is None:
            found.append(Problem("address_missing"))
        refused = quote.refusals.get("fulfillment")
        if refused is not None:
            found.append(Problem(refused.code, message=refused.message))
        elif quote.fulfillment is None and has("FULFILLMENT"):  # a shop that keeps delivery elsewhere is not asked
            found.append(Problem("fulfillment_missing"))
    return tuple(found)


def needs_delivery(quote: Quote) -> bool:
    """Whether anything in it must be sent or collected."""
    return any(line.sellable is None or line.sellable.product_type != "digital" for line in quote.lines)


def problem_text(problem: Problem) -> str:
    """The sentence for a problem: its own, or that of PROBLEMS for its code."""
    if problem.message:
        return str(problem.message)
    text = PROBLEMS.get(problem.code, gettext_lazy("This cart cannot be paid yet."))
    return str(text) % {"name": problem.name}
