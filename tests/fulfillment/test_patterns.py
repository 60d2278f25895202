"""Postal codes as staff write them hold exactly the codes that they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.patterns import BadPattern, Pincodes

CODES = st.integers(100000, 999999).map(str)


@given(code=CODES, other=CODES)
def test_a_number_holds_itself_alone(code: str, other: str) -> None:
    found = Pincodes.read(code)
    assert code in found
    assert (other in found) == (other == code)


@given(code=CODES, length=st.integers(1, 5), other=CODES)
def test_a_beginning_holds_what_begins_so(code: str, length: int, other: str) -> None:
    found = Pincodes.read(f"{code[:length]}*")
    assert code in found
    assert (other in found) == (other[:length] == code[:length])


@given(first=CODES, second=CODES, other=CODES)
def test_a_range_holds_both_ends_and_what_lies_between(first: str, second: str, other: str) -> None:
    low, high = sorted((first, second))
    found = Pincodes.read(f"{low}-{high}")
    assert low in found and high in found
    assert (other in found) == (int(low) <= int(other) <= int(high))
    assert str(int(high) + 1) not in found
    assert str(int(low) - 1) not in found


@given(codes=st.lists(CODES, min_size=1, max_size=8), other=CODES)
def test_entries_add_up_however_they_are_set_apart(codes: list[str], other: str) -> None:
    for mark in (",", "\n", ";", " , \n"):
        found = Pincodes.read(mark.join(codes))
        assert all(code in found for code in codes)
        assert (other in found) == (other in codes)


@pytest.mark.parametrize(
    "text",
    ["abc", "56000", "5600011", "060001", "0*", "*", "560099-560001", "56-57", "560001-5600021", "5600**", "५६०००१"],
)
def test_what_is_no_pattern_of_the_country_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadPattern) as caught:
        Pincodes.read(f"560001,{text}")
    assert caught.value.text == text


def test_blanks_inside_an_entry_do_not_count() -> None:
    assert "560001" in Pincodes.read(" 560 001 ,, ")
    assert "560050" in Pincodes.read("560001 - 560099")


def test_no_entries_hold_nothing() -> None:
    assert not Pincodes.read(" \n, ")
    assert "560001" not in Pincodes.read("")


def test_other_countries_may_have_letters() -> None:
    found = Pincodes.read("sw1a1aa, ec1*", country="GB")
    assert "SW1A1AA" in found and "EC1A" in found and "SW1A1AB" not in found
