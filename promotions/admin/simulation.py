"""A sample cart priced step by step, for staff to see what comes from where. Writes nothing: it never claims anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from storefront.errors import DomainError, Unavailable
from storefront.money import ZERO
from storefront.plugs import has, plug, plug_list
from storefront.pricing import COUPON, PROMOTION, Line, PricingStep, Problem, Quote, price

from .. import wording
from ..models import Kind
from ..plugs import StoreOffers
from ..rulebook import LiveOffer
from ..steps import Coupon, Promotions

STEPS = {
    "ListPrice": _("Prices of the catalogue"),
    "Promotions": _("Promotions"),
    "Coupon": _("Coupon"),
    "Tax": _("Tax"),
    "Handling": _("Packing"),
    "Shipping": _("Delivery"),
    "Applied": _("What was applied"),
    "Points": _("Loyalty points"),
    "Credit": _("Store credit"),
    "GiftCard": _("Gift card"),
}
LINE = {
    "unit_price": _("Price"),
    "amount": _("Amount"),
    "discount": _("Discount"),
    "discounted": _("Left"),
    "net": _("Before tax"),
    "tax": _("Tax"),
    "handling": _("Packing"),
}
SHIPPING = "Shipping"
NOT_DELIVERABLE = _("These goods cannot be sent there.")
TOTALS = {
    "amount": _("Lines"),
    "promotion_savings": _("Saved by promotions"),
    "coupon_savings": _("Saved by the coupon"),
    "items_net": _("Lines before tax"),
    "items_tax": _("Tax on lines"),
    "handling": _("Packing"),
    "shipping": _("Delivery"),
    "total_tax": _("Tax in all"),
    "grand_total": _("Total"),
    "other_savings": _("Points, credit, gift card"),
    "to_be_paid": _("To be paid"),
}


class Cell(NamedTuple):
    text: str
    changed: bool  # by this step


class ShownLine(NamedTuple):
    name: str
    quantity: int
    free: bool
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Step:
    """What one step left. `lines` and `totals` are there where it changed something."""

    title: Any
    lines: list[ShownLine] = field(default_factory=list)
    totals: list[tuple[Any, Cell]] = field(default_factory=list)
    failed: str = ""

    @property
    def changed(self) -> bool:
        return bool(self.lines or self.totals or self.failed)


class Verdict(NamedTuple):
    offer_id: str
    kind: str
    name: str
    applied: bool
    saving: str
    why: str
    on_trial: bool = False
    possible: bool = False  # it would count if the shopper asked for it


@dataclass(frozen=True, slots=True)
class Simulated:
    quote: Quote
    steps: list[Step]
    verdicts: list[Verdict]
    refusals: list[tuple[str, Any]]
    problems: list[tuple[str, str]]

    @property
    def headers(self) -> list[Any]:
        return list(LINE.values())


def simulate(quote: Quote, *, trial: LiveOffer | None = None) -> Simulated:
    """Runs the steps of the shop over `quote`, with `trial` as if it were live. Where its address has a PIN code and no
    delivery is chosen, the cheapest is. A step that cannot be had in time is told and left out."""
    steps: list[Step] = []
    for step in plug_list("PRICING_STEPS"):
        title = STEPS.get(type(step).__name__, type(step).__name__)
        if type(step).__name__ == SHIPPING:
            quote = _with_delivery(quote)
        try:
            after = price(quote, [_with_trial(step, trial)])
        except Unavailable as error:
            steps.append(Step(title, failed=str(error.message)))
            continue
        steps.append(_compared(title, quote, after))
        quote = after
    return Simulated(
        quote,
        steps,
        _verdicts(quote, trial),
        [(wish, refusal.message) for wish, refusal in quote.refusals.items()],
        [
            (problem.name, capfirst(str(problem.message) or problem.code.replace("_", " ")))
            for problem in quote.problems
        ],
    )


def _with_delivery(quote: Quote) -> Quote:
    """As a shopper would choose who only looks at the price; says so where nothing can be sent there."""
    known = quote.fulfillment is not None or not (quote.shipping_address or {}).get("pincode")
    if known or not has("FULFILLMENT"):
        return quote
    fulfillment = plug("FULFILLMENT")
    try:
        paid = quote._replace(free_shipping=())  # of two ways that would be free, the one that costs the shop less
        found = fulfillment.options(paid, pincode=None, kind="delivery")["deliver"]
        if not found["is_serviceable"]:
            return quote._replace(problems=(*quote.problems, Problem("not_deliverable", message=NOT_DELIVERABLE)))
        shipments = [
            {"id": row["id"], "shipping_provider_id": min(row["shipping_methods"], key=_least)["id"]}
            for row in found["shipments"]
        ]
        if not shipments:
            return quote
        wish = {"fulfillment_type": "delivery", "shipments": shipments}
        return quote._replace(fulfillment=fulfillment.preference(quote, wish))
    except DomainError:  # the step itself says what is wrong
        return quote


def _least(method: Mapping[str, Any]) -> Decimal:
    """Of a method whose amount may be a range."""
    return Decimal(str(method["shipping_amount"]).partition("-")[0])


def _with_trial(step: PricingStep, trial: LiveOffer | None) -> PricingStep:
    if trial is not None and isinstance(step, (Promotions, Coupon)):
        return step.trying(trial)
    return step


# --- steps ----------------------------------------------------------------------------------------------------------
def _compared(title: Any, before: Quote, after: Quote) -> Step:
    def money(amount: Decimal) -> str:
        return wording.money(amount, after.currency)

    old: Sequence[Line | None] = [*before.lines, *[None] * (len(after.lines) - len(before.lines))]
    lines = [
        ShownLine(
            _name(line),
            line.quantity,
            line.is_free_item,
            [_cell(old_line, line, name, money) for name in LINE],
        )
        for old_line, line in zip(old, after.lines, strict=False)
    ]
    if not any(cell.changed for line in lines for cell in line.cells) and len(before.lines) == len(after.lines):
        lines = []
    was, now = before.totals(), after.totals()
    totals = [
        (label, Cell(money(getattr(now, name)), getattr(now, name) != getattr(was, name)))
        for name, label in TOTALS.items()
    ]
    shown = [(label, cell) for label, cell in totals if cell.changed]
    if after.bonus_points != before.bonus_points:
        shown.append((_("Bonus points"), Cell(str(after.bonus_points), True)))
    if after.points_earned != before.points_earned:
        shown.append((_("Points earned"), Cell(str(after.points_earned), True)))
    if after.free_shipping != before.free_shipping:
        shown.append((_("Delivery"), Cell(str(_("free")), True)))
    return Step(title, lines, shown)


def _cell(before: Line | None, line: Line, name: str, money: Any) -> Cell:
    value = getattr(line, name)
    was = getattr(before, name) if before is not None else ZERO
    return Cell(money(value) if value else "–", value != was)


def _name(line: Line) -> str:
    found = line.sellable
    if found is None:
        return line.sku.product_id
    return f"{found.product_name} ({found.variant_name})" if found.variant_name else found.product_name


def totals(quote: Quote) -> list[tuple[Any, str]]:
    """All sums of the finished quote."""
    found = quote.totals()
    shown = [(label, wording.money(getattr(found, name), quote.currency)) for name, label in TOTALS.items()]
    if quote.shipping_cost is None:
        shown = [(label, str(_("not known")) if label == TOTALS["shipping"] else text) for label, text in shown]
    return shown


# --- offers ---------------------------------------------------------------------------------------------------------
def _verdicts(quote: Quote, trial: LiveOffer | None) -> list[Verdict]:
    """Of each offer that the shopper may see, and of the one on trial."""
    found: list[Verdict] = []
    applied = {source.partition(":")[2] for source in _sources(quote)}
    if trial is not None:
        judged = StoreOffers().judge(quote, trial)
        found.append(_verdict(quote, judged, trial.name, applied, on_trial=True))
    for kind in Kind.values:
        found += [
            _verdict(quote, offer, str(offer.details.get("name", "")), applied)
            for offer in plug("OFFERS").evaluate(quote, kind=kind)
            if trial is None or offer.offer_id != trial.id
        ]
    return found


def _verdict(quote: Quote, offer: Any, name: str, applied: Iterable[str], *, on_trial: bool = False) -> Verdict:
    counts = offer.offer_id in applied
    why = " ".join(filter(None, (str(offer.reason), str(offer.suggestion))))
    if not why and offer.applicable and not counts:
        why = str(_("Would count if its code were typed."))
    if not why and offer.applicable:
        why = str(offer.details.get("savings_message", ""))
    possible = bool(offer.applicable) and not counts
    saving = wording.money(offer.saving, quote.currency) if offer.saving else ""
    return Verdict(offer.offer_id, offer.kind, name, counts, saving, why, on_trial, possible)


def _sources(quote: Quote) -> set[str]:
    found = {PROMOTION + str(noted["id"]) for noted in quote.facts.get("promotions", ())}
    coupon = quote.facts.get("coupon")
    return found | {COUPON + str(coupon["id"])} if coupon else found
