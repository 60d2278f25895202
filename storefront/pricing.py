"""The pricing pipeline: pure steps over a frozen quote (decision D-25). Never imports Django.

A step fetches its facts in `gather`, batched, once per quote; computes in `apply`, without clock, rows or network;
and rounds once per line. Every total is a sum of rounded parts. `docs/pricing.md` names each amount, with examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from storefront.contracts import Claim, Sellable, Sku
from storefront.money import ZERO, Currency

PROMOTION = "promotion:"  # the beginning of a discount's source; the promotion's id follows
COUPON = "coupon:"
THRESHOLD = "threshold"  # the source of shipping that is free because the cart is worth enough


class Discount(NamedTuple):
    """What a source takes off a whole line, in the terms of the line's `amount`; never negative."""

    source: str  # "promotion:<id>" or "coupon:<id>"
    amount: Decimal


class Problem(NamedTuple):
    """What keeps a cart from being paid: a stable code, and the product that it is about if it is about one.

    `message` is the sentence for a shopper, of steps whose codes the cart does not know.
    """

    code: str
    name: str = ""
    message: Any = ""  # str or a lazy translation


class Refusal(NamedTuple):
    """Why a wish that the cart holds does not count. `code` is stable (docs/errors.md), `message` is for a shopper."""

    code: str
    message: Any  # str or a lazy translation


class Line(NamedTuple):
    """One sku in the quote. Amounts are of the whole line in `Quote.currency`, rounded, unless they say "unit".

    A tuple, for the lines of a cart are copied by each step. Set fields with `_replace`, which leaves the old line as
    it is. `discounted = amount - discount` and `net + tax` is what the line costs, `discounted` where prices include
    tax.
    """

    sku: Sku
    quantity: int  # >= 1; a gift stands on a line of its own, beside one of the same sku that is paid
    sellable: Sellable | None = None  # None: the catalogue no longer knows it; it costs nothing and cannot be bought
    free_quantity: int = 0  # how many of `quantity` are given away: all of a gift, none of other lines
    is_free_item: bool = False  # the whole line is a gift that the shopper did not put there
    free_source: str = ""  # who gives it: "promotion:<id>" or "coupon:<id>"
    free_value: Decimal = ZERO  # what its units would cost; counts as a saving, in no total that is paid
    on_promotion: bool = False  # a promotion takes something off, or is shown beside the price in the catalogue (D-35)
    # ListPrice
    unit_price: Decimal = ZERO  # selling price of one unit as the store shows it, with or without tax
    amount: Decimal = ZERO  # unit price times paid units, before discounts, with or without tax as shown; 0 for a gift
    # promotions, coupon
    discounts: tuple[Discount, ...] = ()
    # Tax
    unit_price_excluding_tax: Decimal = ZERO  # for display; sums are made of the lines' own amounts
    subtotal: Decimal = ZERO  # `amount` without tax: before tax and discounts
    net: Decimal = ZERO  # `discounted` without tax
    tax: Decimal = ZERO  # on `net`
    tax_rate: Decimal = ZERO  # percent, as the TAX plug says
    # Handling
    handling: Decimal = ZERO  # excluding tax
    handling_tax: Decimal = ZERO

    @property
    def discount(self) -> Decimal:
        found = ZERO
        for _source, amount in self.discounts:
            found += amount
        return found

    def discount_from(self, prefix: str) -> Decimal:
        """The part of the discount whose source starts with `prefix`."""
        found = ZERO
        for source, amount in self.discounts:
            if source.startswith(prefix):
                found += amount
        return found

    def saving_from(self, prefix: str) -> Decimal:
        """The same, with the value of a gift from such a source."""
        saved = self.discount_from(prefix)
        return saved + self.free_value if self.free_source.startswith(prefix) else saved

    @property
    def discounted(self) -> Decimal:
        """What is left of `amount` after discounts, with or without tax as shown."""
        return self.amount - self.discount if self.discounts else self.amount


class Sums(NamedTuple):
    """What lines alone add up to."""

    amount: Decimal
    discount: Decimal
    promotion_discount: Decimal
    coupon_discount: Decimal
    promotion_gifts: Decimal
    coupon_gifts: Decimal
    subtotal: Decimal
    net: Decimal
    tax: Decimal
    handling: Decimal
    handling_tax: Decimal


def sums_of(lines: Iterable[Line]) -> Sums:
    amount = discount = promotion = coupon = subtotal = net = tax = handling = handling_tax = ZERO
    promotion_gifts = coupon_gifts = ZERO
    for line in lines:
        amount += line.amount
        subtotal += line.subtotal
        net += line.net
        tax += line.tax
        if line.handling:
            handling += line.handling
            handling_tax += line.handling_tax
        for source, share in line.discounts:
            discount += share
            if source.startswith(PROMOTION):
                promotion += share
            elif source.startswith(COUPON):
                coupon += share
        if line.free_value:
            if line.free_source.startswith(PROMOTION):
                promotion_gifts += line.free_value
            elif line.free_source.startswith(COUPON):
                coupon_gifts += line.free_value
    return Sums(
        amount, discount, promotion, coupon, promotion_gifts, coupon_gifts, subtotal, net, tax, handling, handling_tax
    )


class Lines(tuple[Line, ...]):
    """Lines that are not touched again, and therefore remember their sums: five steps and the answer ask for totals.
    A step may as well leave a plain tuple."""

    @cached_property
    def sums(self) -> Sums:
        return sums_of(self)


class Totals(NamedTuple):
    """The sums over a quote. Each is a sum of rounded parts, so they add up to the last unit:

    `grand_total = subtotal_including_tax - discount + handling + handling_tax + shipping + shipping_tax`, and
    `grand_total = to_be_paid + points_value + credit_used + gift_card_used`.
    """

    amount: Decimal  # lines before discounts as shown: what percentages are taken of (D-23)
    discount: Decimal  # promotion_discount + coupon_discount + others
    promotion_discount: Decimal
    coupon_discount: Decimal
    promotion_savings: Decimal  # promotion_discount, gifts by promotions, and shipping that one made free
    coupon_savings: Decimal
    subtotal: Decimal  # lines before tax and discounts
    items_net: Decimal  # lines after discounts, without tax
    items_tax: Decimal  # on items_net
    subtotal_including_tax: Decimal  # items_net + items_tax + discount
    handling: Decimal
    handling_tax: Decimal
    shipping: Decimal  # cost less discount; 0 while it is not known
    total_tax: Decimal  # items, handling and shipping
    grand_total: Decimal
    other_savings: Decimal  # points, credit and gift card
    to_be_paid: Decimal  # never below zero


class Quote(NamedTuple):
    """A cart priced for one moment. Steps return a copy with their part filled in, made with `_replace`."""

    store_id: str
    currency: Currency
    group_id: str | None = None  # the shopper's own group, never the header's (D-22)
    customer_id: str | None = None
    user_id: str = ""
    is_logged_in: bool = False
    cart_id: str = ""  # "" for a quote that is no cart: a simulation
    channel_id: str | None = None
    now: datetime | None = None
    lines: tuple[Line, ...] = ()
    sellables: Mapping[Sku, Sellable | None] = MappingProxyType({})  # asked already; not asked for again
    # wishes that the cart holds
    coupon_code: str = ""
    points_asked: int = 0
    credit_asked: Decimal = ZERO
    gift_card_id: str = ""  # the wallet's own id of the card; its code is nowhere
    billing_address: Mapping[str, Any] | None = None  # the contract's CustomerAddress
    shipping_address: Mapping[str, Any] | None = None
    fulfillment: Mapping[str, Any] | None = None  # the contract's FulfillmentPreference; None: not chosen
    # Promotions and coupon leave these for the steps that follow
    free_shipping: tuple[str, ...] = ()  # sources that make shipping free; the first one does
    bonus_points: int = 0  # points that a coupon promises beside what the programme gives
    # Shipping
    shipping_cost: Decimal | None = None  # None: not known yet
    shipping_discount: Decimal = ZERO
    shipping_discount_source: str = ""  # "promotion:<id>", "coupon:<id>" or THRESHOLD
    shipping_tax_rate: Decimal | None = None
    shipping_tax: Decimal = ZERO
    # wallets, in the order in which they pay
    points_redeemed: int = 0
    points_value: Decimal = ZERO
    points_earned: int = 0
    credit_used: Decimal = ZERO
    gift_card_used: Decimal = ZERO
    claims: tuple[Claim, ...] = ()  # what an order of this quote takes of scarce things, stock aside; without owner
    refusals: Mapping[str, Refusal] = MappingProxyType({})  # by wish: coupon, points, credit, gift_card, fulfillment
    problems: tuple[Problem, ...] = ()  # what keeps the cart from being paid; the first is shown
    facts: Mapping[str, Any] = MappingProxyType({})  # what steps leave for the serializer, by step name

    def refused(self, wish: str, code: str, message: Any) -> Quote:
        """A copy that says why this wish does not count."""
        return self._replace(refusals={**self.refusals, wish: Refusal(code, message)})

    def noted(self, **facts: Any) -> Quote:
        """A copy with these facts for the serializer, over earlier ones of the same names."""
        return self._replace(facts={**self.facts, **facts})

    def totals(self) -> Totals:
        (
            amount, discount, promotion, coupon, promotion_gifts, coupon_gifts, subtotal, net, tax, handling, handling_tax
        ) = self.lines.sums if isinstance(self.lines, Lines) else sums_of(self.lines)  # fmt: skip
        shipping = ZERO if self.shipping_cost is None else self.shipping_cost - self.shipping_discount
        total_tax = tax + handling_tax + self.shipping_tax
        grand_total = net + handling + shipping + total_tax
        other_savings = self.points_value + self.credit_used + self.gift_card_used
        return Totals(
            amount=amount,
            discount=discount,
            promotion_discount=promotion,
            coupon_discount=coupon,
            promotion_savings=promotion + promotion_gifts + self._shipping_saved(PROMOTION),
            coupon_savings=coupon + coupon_gifts + self._shipping_saved(COUPON),
            subtotal=subtotal,
            items_net=net,
            items_tax=tax,
            subtotal_including_tax=net + tax + discount,
            handling=handling,
            handling_tax=handling_tax,
            shipping=shipping,
            total_tax=total_tax,
            grand_total=grand_total,
            other_savings=other_savings,
            to_be_paid=max(grand_total - other_savings, ZERO),
        )

    def _shipping_saved(self, prefix: str) -> Decimal:
        return self.shipping_discount if self.shipping_discount_source.startswith(prefix) else ZERO


class PricingStep(Protocol):
    """One step of `PRICING_STEPS`."""

    def gather(self, quote: Quote) -> Any:
        """All I/O of the step: batched, once per quote, never under a lock that it takes itself."""
        ...

    def apply(self, quote: Quote, facts: Any) -> Quote:
        """Pure: the same quote and facts give the same quote."""
        ...


def price(quote: Quote, steps: Iterable[PricingStep]) -> Quote:
    """Runs the steps in order."""
    for step in steps:
        quote = step.apply(quote, step.gather(quote))
    return quote
