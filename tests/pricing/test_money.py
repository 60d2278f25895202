"""Rounding, tax and sharing: properties over all amounts, and the cases that a reader wants to see."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from storefront.money import INR, ZERO, Currency, allocate, number, percent_of, rounded, tax_inside, tax_on

JPY = Currency(code="JPY", name="Yen", symbol="¥", exponent=0)
KWD = Currency(code="KWD", name="Dinar", symbol="KD", exponent=3)
currencies = some.sampled_from([INR, JPY, KWD])
amounts = some.decimals(min_value=0, max_value=10**9, places=4, allow_nan=False, allow_infinity=False)
rates = some.decimals(min_value=0, max_value=100, places=2, allow_nan=False, allow_infinity=False)
shares = some.lists(
    some.decimals(min_value=0, max_value=10**7, places=3, allow_nan=False, allow_infinity=False),
    min_size=1,
    max_size=30,
)


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("0.005", INR, "0.01"),
        ("0.0049999", INR, "0.00"),
        ("2.675", INR, "2.68"),  # a float would say 2.67
        ("-0.005", INR, "-0.01"),
        ("0.5", JPY, "1"),
        ("1.49", JPY, "1"),
        ("1.0005", KWD, "1.001"),
    ],
)
def test_halves_go_up(amount: str, currency: Currency, expected: str) -> None:
    assert rounded(Decimal(amount), currency) == Decimal(expected)


@given(amounts, currencies)
def test_rounding_moves_by_half_a_unit_at_most_and_only_once(amount: Decimal, currency: Currency) -> None:
    found = rounded(amount, currency)
    assert abs(found - amount) <= currency.unit / 2
    assert rounded(found, currency) == found
    assert found % currency.unit == 0


@given(some.decimals(min_value=0, max_value=10**12, places=2, allow_nan=False, allow_infinity=False))
def test_a_json_number_is_the_amount(amount: Decimal) -> None:
    assert Decimal(repr(number(amount))) == amount


# --- tax ------------------------------------------------------------------------------------------------------------
@given(amounts, rates, currencies)
def test_tax_inside_an_amount_leaves_the_net_and_both_are_the_amount(
    amount: Decimal, rate: Decimal, currency: Currency
) -> None:
    gross = rounded(amount, currency)
    tax = tax_inside(gross, rate, currency)
    net = gross - tax
    assert net + tax == gross
    assert ZERO <= tax <= gross
    assert abs(tax - net * rate / 100) <= currency.unit  # taxing the net again is off by one unit at most


@given(amounts, rates, currencies)
def test_tax_put_on_top_can_be_backed_out_again(amount: Decimal, rate: Decimal, currency: Currency) -> None:
    net = rounded(amount, currency)
    tax = tax_on(net, rate, currency)
    assert tax >= 0
    assert abs(tax_inside(net + tax, rate, currency) - tax) <= currency.unit


@pytest.mark.parametrize(
    ("gross", "rate", "tax"), [("118", "18", "18"), ("99", "18", "15.10"), ("100", "0", "0"), ("0.01", "28", "0")]
)
def test_tax_inside(gross: str, rate: str, tax: str) -> None:
    assert tax_inside(Decimal(gross), Decimal(rate), INR) == Decimal(tax)


# --- percents -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("part", "whole", "percent"), [("100", "3000", "3.33"), ("1", "8", "12.5"), ("5", "0", "0"), ("0", "9", "0")]
)
def test_percents(part: str, whole: str, percent: str) -> None:
    assert percent_of(Decimal(part), Decimal(whole)) == Decimal(percent)


# --- sharing --------------------------------------------------------------------------------------------------------
@given(some.integers(min_value=0, max_value=10**12), shares, currencies)
def test_shares_add_up_and_are_fair(units: int, weights: list[Decimal], currency: Currency) -> None:
    total = units * currency.unit
    found = allocate(total, weights, currency)
    assert sum(found) == total
    whole = sum(weights)
    for share, weight in zip(found, weights, strict=True):
        assert share >= 0
        assert share % currency.unit == 0
        if whole:
            assert abs(share - total * weight / whole) <= currency.unit


@given(shares, some.data(), currencies)
def test_no_share_exceeds_its_weight_while_the_total_does_not(
    weights: list[Decimal], data: some.DataObject, currency: Currency
) -> None:
    """So a discount shared over lines never makes a line negative."""
    weights = [rounded(weight, currency) for weight in weights]
    most = int(sum(weights) / currency.unit)
    total = data.draw(some.integers(min_value=0, max_value=most)) * currency.unit
    for share, weight in zip(allocate(total, weights, currency), weights, strict=True):
        assert share <= weight or not any(weights)


@given(some.integers(min_value=0, max_value=10**6), shares)
def test_equal_weights_differ_by_one_unit_at_most_and_the_first_gets_more(units: int, weights: list[Decimal]) -> None:
    equal = allocate(units * INR.unit, [Decimal(7)] * len(weights), INR)
    assert max(equal) - min(equal) <= INR.unit
    assert equal == sorted(equal, reverse=True)


@given(some.integers(min_value=0, max_value=10**6), shares)
def test_the_order_of_different_weights_does_not_matter(units: int, weights: list[Decimal]) -> None:
    weights = list(dict.fromkeys(weights))
    total = units * INR.unit
    forward = dict(zip(weights, allocate(total, weights, INR), strict=True))
    backward = dict(zip(reversed(weights), allocate(total, list(reversed(weights)), INR), strict=True))
    assert all(abs(forward[weight] - backward[weight]) <= INR.unit for weight in weights)


@pytest.mark.parametrize(
    ("total", "weights", "expected"),
    [
        ("100", ["1", "1", "1"], ["33.34", "33.33", "33.33"]),
        ("0.05", ["3", "7"], ["0.02", "0.03"]),  # 0.015 and 0.035: the tie goes to the first
        ("10", ["0", "0"], ["5", "5"]),
        ("0.01", ["0", "5"], ["0", "0.01"]),
        ("0", ["1", "2"], ["0", "0"]),
        ("5", [], []),
    ],
)
def test_shares(total: str, weights: list[str], expected: list[str]) -> None:
    assert allocate(Decimal(total), [Decimal(weight) for weight in weights], INR) == [Decimal(e) for e in expected]


@pytest.mark.parametrize(("total", "weights"), [("0.001", ["1"]), ("-1", ["1"]), ("1", ["1", "-1"])])
def test_what_cannot_be_shared_is_refused(total: str, weights: list[str]) -> None:
    with pytest.raises(ValueError, match=r"negative|whole units"):
        allocate(Decimal(total), [Decimal(weight) for weight in weights], INR)
