"""The pipeline: properties over any cart, with and without discounts, and examples with their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from carts.steps import Handling, ListPrice
from storefront.contracts import Sellable, Sku
from storefront.money import INR, ZERO, Currency, allocate, rounded, tax_inside, tax_on
from storefront.pricing import Discount, Line, PricingStep, Quote, Totals, price
from tests.pricing.offline import Tax

JPY = Currency(code="JPY", name="Yen", symbol="¥", exponent=0)
PLAIN: tuple[PricingStep, ...] = (ListPrice(), Tax(), Handling())


class Off:
    """A discount off the whole cart, shared to lines by their amounts: what promotions and coupons will do."""

    def __init__(self, source: str, percent: Decimal) -> None:
        self.source = source
        self.percent = percent

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: Any) -> Quote:
        left = [line.discounted for line in quote.lines]
        total = rounded(sum(left, ZERO) * self.percent / 100, quote.currency)
        return quote._replace(
            lines=tuple(
                line._replace(discounts=(*line.discounts, Discount(self.source, share)))
                for line, share in zip(quote.lines, allocate(total, left, quote.currency), strict=True)
            )
        )


class Ship:
    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: Any) -> Quote:
        tax = tax_on(Decimal("49.5"), Decimal(18), quote.currency)
        return quote._replace(
            shipping_cost=Decimal(50), shipping_discount=rounded(Decimal("0.5"), quote.currency), shipping_tax=tax
        )


class Pay:
    def __init__(self, credit: Decimal) -> None:
        self.credit = credit

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: Any) -> Quote:
        return quote._replace(credit_used=min(self.credit, quote.totals().grand_total))


def sellable(number: int, **facts: Any) -> Sellable:
    return Sellable(
        sku=Sku(f"P{number}"), code=None, slug=f"p{number}", product_name=f"P{number}",
        **{name: Decimal(value) if isinstance(value, str) else value for name, value in facts.items()},
    )  # fmt: skip


def quote_of(goods: Sequence[tuple[Sellable | None, int]], currency: Currency = INR) -> Quote:
    lines = tuple(Line(found.sku if found else Sku(f"X{n}"), q) for n, (found, q) in enumerate(goods))
    known = {line.sku: found for line, (found, _q) in zip(lines, goods, strict=True)}
    return Quote(store_id="demo", currency=currency, lines=lines, sellables=known)


def priced(
    *goods: tuple[Sellable | None, int], steps: Sequence[PricingStep] = PLAIN, currency: Currency = INR
) -> Quote:
    return price(quote_of(goods, currency), steps)


def numbers(**bounds: Any) -> some.SearchStrategy[Decimal]:
    return some.decimals(allow_nan=False, allow_infinity=False, **bounds)


facts_of_goods = some.fixed_dictionaries(
    {
        "selling_price": numbers(min_value=0, max_value=100_000, places=3),
        "price_including_tax": some.booleans(),
        "tax_rate": some.sampled_from([Decimal(rate) for rate in ("0", "5", "12", "18", "28", "17.35")]),
        "handling_charge": some.one_of(some.just(ZERO), numbers(min_value=0, max_value=500, places=3)),
        "handling_tax_rate": some.sampled_from([ZERO, Decimal(18)]),
        "available": some.one_of(some.none(), some.integers(min_value=0, max_value=50)),
        "active": some.booleans(),
    }
)
carts = some.lists(
    some.tuples(some.one_of(some.none(), facts_of_goods), some.integers(min_value=1, max_value=999)), max_size=12
).map(lambda rows: [(sellable(n, **facts) if facts is not None else None, q) for n, (facts, q) in enumerate(rows)])
currencies = some.sampled_from([INR, JPY])
pipelines = some.sampled_from(
    [
        PLAIN,
        (ListPrice(), Off("promotion:1", Decimal(10)), Tax(), Handling()),
        (ListPrice(), Off("promotion:1", Decimal("33.33")), Off("coupon:2", Decimal(50)), Tax(), Handling(), Ship()),
        (ListPrice(), Off("coupon:2", Decimal(100)), Tax(), Ship(), Handling(), Pay(Decimal(75))),
    ]
)


@given(carts, pipelines, currencies)
def test_every_total_is_the_sum_of_its_lines(goods: Any, steps: Any, currency: Currency) -> None:
    quote = price(quote_of(goods, currency), steps)
    totals, lines = quote.totals(), quote.lines
    for name, of_line in {
        "amount": lambda line: line.amount,
        "subtotal": lambda line: line.subtotal,
        "items_net": lambda line: line.net,
        "items_tax": lambda line: line.tax,
        "discount": lambda line: line.discount,
        "handling": lambda line: line.handling,
        "handling_tax": lambda line: line.handling_tax,
        "promotion_discount": lambda line: line.discount_from("promotion:"),
        "coupon_discount": lambda line: line.discount_from("coupon:"),
    }.items():
        assert getattr(totals, name) == sum(map(of_line, lines), ZERO), name
    assert totals.discount == totals.promotion_discount + totals.coupon_discount


@given(carts, pipelines, currencies)
def test_totals_add_up_to_the_last_unit(goods: Any, steps: Any, currency: Currency) -> None:
    quote = price(quote_of(goods, currency), steps)
    found = quote.totals()
    shipping = found.shipping + quote.shipping_tax
    handling = found.handling + found.handling_tax
    assert found.total_tax == found.items_tax + found.handling_tax + quote.shipping_tax
    assert found.grand_total == found.items_net + found.items_tax + handling + shipping
    assert found.grand_total == found.subtotal_including_tax - found.discount + handling + shipping
    assert found.to_be_paid == found.grand_total - found.other_savings
    if not found.discount:
        assert found.subtotal_including_tax == found.subtotal + found.items_tax


@given(carts, pipelines, currencies)
def test_nothing_is_negative_and_everything_is_in_whole_units(goods: Any, steps: Any, currency: Currency) -> None:
    quote = price(quote_of(goods, currency), steps)
    amounts = list(quote.totals())
    for line in quote.lines:
        amounts += [line.amount, line.discount, line.discounted, line.subtotal, line.net, line.tax]
        amounts += [line.handling, line.handling_tax]
    assert all(amount >= 0 for amount in amounts)
    assert all(amount % currency.unit == 0 for amount in amounts)


@given(carts, pipelines, currencies)
def test_net_and_tax_are_what_the_shopper_pays_for_a_line(goods: Any, steps: Any, currency: Currency) -> None:
    for line in price(quote_of(goods, currency), steps).lines:
        if line.sellable is None:
            assert line.amount == line.net == line.tax == 0
        elif line.sellable.price_including_tax:
            assert line.net + line.tax == line.discounted
        else:
            assert line.net == line.discounted
            assert line.subtotal == line.amount


@given(carts, currencies, some.randoms(use_true_random=False))
def test_the_order_in_which_lines_came_does_not_matter(goods: Any, currency: Currency, random: Any) -> None:
    shuffled = list(goods)
    random.shuffle(shuffled)
    forward = price(quote_of(goods, currency), PLAIN)
    other = price(quote_of(shuffled, currency), PLAIN)
    assert forward.totals() == other.totals()
    known = {line.sellable.sku: line for line in forward.lines if line.sellable}
    assert all(known[line.sellable.sku] == line for line in other.lines if line.sellable)
    assert sorted(problem.code for problem in forward.problems) == sorted(problem.code for problem in other.problems)


@given(carts, pipelines, currencies)
def test_the_same_quote_gives_the_same_prices_and_stays_as_it_was(goods: Any, steps: Any, currency: Currency) -> None:
    quote = quote_of(goods, currency)
    before = quote._replace(lines=tuple(Line(*line) for line in quote.lines))
    assert price(quote, steps) == price(quote, steps)
    assert quote == before


@given(carts, currencies)
def test_taking_a_discount_away_restores_the_cart(goods: Any, currency: Currency) -> None:
    quote = quote_of(goods, currency)
    with_it = price(quote, (ListPrice(), Off("coupon:1", Decimal(20)), Tax(), Handling()))
    without = with_it._replace(lines=tuple(line._replace(discounts=()) for line in with_it.lines))
    tax = Tax()
    assert tax.apply(without, tax.gather(without)).totals() == price(quote, PLAIN).totals()


@given(carts)
def test_a_discount_never_raises_the_price(goods: Any) -> None:
    plain = price(quote_of(goods), PLAIN).totals()
    cheaper = price(quote_of(goods), (ListPrice(), Off("coupon:1", Decimal(7)), Tax(), Handling())).totals()
    assert cheaper.grand_total <= plain.grand_total
    assert cheaper.items_tax <= plain.items_tax
    assert cheaper.amount == plain.amount
    assert cheaper.subtotal == plain.subtotal


@given(carts)
def test_a_line_costs_the_same_in_any_company(goods: Any) -> None:
    together = price(quote_of(goods), PLAIN)
    alone = [price(quote_of([pair]), PLAIN).totals().grand_total for pair in goods]
    assert together.totals().grand_total == sum(alone, ZERO)


# --- examples -------------------------------------------------------------------------------------------------------
def test_a_line_is_rounded_once_and_not_unit_by_unit() -> None:
    """3 x 99 including 18%: 45.31 of tax in 297, while 3 times the 15.10 in one unit would be 45.30."""
    line = priced((sellable(1, selling_price="99", tax_rate="18"), 3)).lines[0]
    assert (line.amount, line.tax, line.net) == (Decimal(297), Decimal("45.31"), Decimal("251.69"))
    assert line.unit_price_excluding_tax == Decimal("83.90")


def test_prices_without_tax_get_it_on_top() -> None:
    totals = priced((sellable(1, selling_price="99.99", tax_rate="12.5", price_including_tax=False), 7)).totals()
    assert (totals.subtotal, totals.items_tax) == (Decimal("699.93"), Decimal("87.49"))
    assert totals.grand_total == Decimal("787.42")


def test_prices_with_and_without_tax_mix() -> None:
    totals = priced(
        (sellable(1, selling_price="118", tax_rate="18"), 1),
        (sellable(2, selling_price="100", tax_rate="5", price_including_tax=False), 2),
        (sellable(3, selling_price="50"), 1),
    ).totals()
    assert (totals.subtotal, totals.items_tax, totals.grand_total) == (Decimal(350), Decimal(28), Decimal(378))


def test_a_discount_of_a_price_with_tax_takes_its_tax_along() -> None:
    steps = (ListPrice(), Off("coupon:1", Decimal(10)), Tax(), Handling())
    totals = priced((sellable(1, selling_price="1180", tax_rate="18"), 1), steps=steps).totals()
    assert (totals.amount, totals.coupon_discount) == (Decimal(1180), Decimal(118))
    assert (totals.items_net, totals.items_tax) == (Decimal(900), Decimal(162))
    assert (totals.subtotal, totals.subtotal_including_tax) == (Decimal(1000), Decimal(1180))
    assert totals.grand_total == Decimal(1062)


def test_what_is_owed_after_credit_is_never_negative() -> None:
    quote = priced((sellable(1, selling_price="10"), 1))._replace(credit_used=Decimal(25), points_value=Decimal(1))
    assert (quote.totals().grand_total, quote.totals().to_be_paid) == (Decimal(10), ZERO)


def test_an_empty_quote_costs_nothing() -> None:
    assert price(quote_of([]), PLAIN).totals() == Totals(*[ZERO] * len(Totals._fields))


def test_what_needs_a_variant_has_no_price() -> None:
    line = priced((sellable(1, selling_price="10", tax_rate="18", needs_variant=True), 2)).lines[0]
    assert (line.amount, line.net, line.tax) == (ZERO, ZERO, ZERO)


def test_a_currency_without_decimals_is_rounded_to_whole_units() -> None:
    totals = priced((sellable(1, selling_price="99.5", tax_rate="10"), 1), currency=JPY).totals()
    assert (totals.items_net, totals.items_tax, totals.grand_total) == (Decimal(91), Decimal(9), Decimal(100))


def test_tax_inside_a_line_is_what_the_formula_says() -> None:
    line = priced((sellable(1, selling_price="1299.50", tax_rate="28"), 4)).lines[0]
    assert line.tax == tax_inside(Decimal(5198), Decimal(28), INR) == Decimal("1137.06")


def test_handling_asks_nobody() -> None:
    assert Handling().gather(quote_of([])) == {}


def test_a_gift_costs_nothing_and_is_worth_what_it_would_cost() -> None:
    """Beside a paid line of the same sku; out of stock, it keeps no cart from being paid."""
    tea = sellable(1, selling_price="118", tax_rate="18", available=2, handling_charge="5", handling_tax_rate="18")
    quote = quote_of([(tea, 2)])
    gift = Line(tea.sku, 3, free_quantity=3, is_free_item=True, free_source="promotion:1")
    quote = price(quote._replace(lines=(*quote.lines, gift)), PLAIN)
    paid, given = quote.lines
    assert (given.amount, given.net, given.tax, given.subtotal) == (ZERO, ZERO, ZERO, ZERO)
    assert (given.unit_price, given.unit_price_excluding_tax, given.free_value) == (118, 100, 354)
    assert (given.handling, given.handling_tax) == (Decimal(15), Decimal("2.70")), "what is given must be packed"
    totals = quote.totals()
    assert (totals.amount, totals.items_net, totals.items_tax) == (paid.amount, paid.net, paid.tax)
    assert (totals.promotion_savings, totals.promotion_discount, totals.discount) == (354, 0, 0)
    assert totals.grand_total == 236 + Decimal("29.50")
    assert quote.problems == ()
