"""Roughly where postal codes lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.geography import Point, gst_state_of, kilometres, point_of

POINTS = st.builds(Point, st.floats(6, 37), st.floats(68, 98))


@pytest.mark.parametrize(
    ("pincode", "state"),
    [
        ("110001", "07"),
        ("560001", "29"),
        ("403001", "30"),
        ("737101", "11"),
        ("682555", "31"),
        ("682001", "32"),
        ("194101", "38"),
    ],
)
def test_most_codes_tell_their_state(pincode: str, state: str) -> None:
    assert gst_state_of("IN", pincode) == state


def test_what_is_not_known_is_not_guessed() -> None:
    assert point_of("IN", "990001") is None and gst_state_of("IN", "990001") == ""
    assert point_of("US", "110001") is None and gst_state_of("US", "110001") == ""
    assert point_of("IN", "") is None


@pytest.mark.parametrize(
    ("first", "second", "least", "most"),
    [("560001", "400001", 800, 900), ("110001", "700001", 1250, 1400), ("560001", "560100", 0, 0)],
)
def test_distances_are_about_right(first: str, second: str, least: int, most: int) -> None:
    one, other = point_of("IN", first), point_of("IN", second)
    assert one is not None and other is not None
    assert least <= kilometres(one, other) <= most


@given(one=POINTS, other=POINTS)
def test_a_distance_is_the_same_both_ways_and_none_to_oneself(one: Point, other: Point) -> None:
    assert kilometres(one, other) == pytest.approx(kilometres(other, one))
    assert kilometres(one, one) == 0
    assert 0 <= kilometres(one, other) < 5000
