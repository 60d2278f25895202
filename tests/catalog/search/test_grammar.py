"""The filter language: what it takes, what it refuses and where, and that nothing breaks it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.search import grammar
from catalog.search.grammar import And, Compare, Exists, In, IsEmpty, IsNull, Not, Or, Range, parse, written
from storefront.errors import Invalid

A, B, C = (Compare(name, "=", "1") for name in "abc")

READINGS: dict[str, Any] = {
    "a = 1": A,
    "a=1": A,
    "  a =\n1 ": A,
    "a != 1": Not(A),
    "a > 1": Compare("a", ">", "1"),
    "a>=1": Compare("a", ">=", "1"),
    "a < -1.5": Compare("a", "<", "-1.5"),
    "a <= 1": Compare("a", "<=", "1"),
    "a 1 TO 2": Range("a", "1", "2"),
    "a IN [x, 'y z',w]": In("a", ("x", "y z", "w")),
    "a IN[x,]": In("a", ("x",)),
    "a IN []": In("a", ()),
    "a NOT IN [x]": Not(In("a", ("x",))),
    "a EXISTS": Exists("a"),
    "a NOT EXISTS": Not(Exists("a")),
    "NOT a EXISTS": Not(Exists("a")),
    "a IS NULL": IsNull("a"),
    "a IS NOT NULL": Not(IsNull("a")),
    "a IS EMPTY": IsEmpty("a"),
    "a IS NOT EMPTY": Not(IsEmpty("a")),
    "a = 1 OR b = 1 AND c = 1": Or((A, And((B, C)))),
    "(a = 1 OR b = 1) AND c = 1": And((Or((A, B)), C)),
    "NOT a = 1 AND b = 1": And((Not(A), B)),
    "NOT (a = 1 AND b = 1)": Not(And((A, B))),
    "NOT NOT a = 1": Not(Not(A)),
    "((a = 1))": A,
    r"a = 'O\'Neill \\ \"x\"'": Compare("a", "=", 'O\'Neill \\ "x"'),
    'a = "it\'s"': Compare("a", "=", "it's"),
    "attribute.metal = 'Rosé gold'": Compare("attribute.metal", "=", "Rosé gold"),
    "a = 'AND'": Compare("a", "=", "AND"),
    "a = and": Compare("a", "=", "and"),
    "'categories.name' = कुर्ता": Compare("categories.name", "=", "कुर्ता"),
    "a = ''": Compare("a", "=", ""),
    "tags = t-shirt/xl_2.0": Compare("tags", "=", "t-shirt/xl_2.0"),
}


@pytest.mark.parametrize("text", READINGS)
def test_a_text_is_read(text: str) -> None:
    assert parse(text) == READINGS[text]


def test_lists_join_with_and_and_lists_in_them_with_or() -> None:
    assert parse(["a = 1", ["b = 1", "c = 1"]]) == And((A, Or((B, C))))
    assert parse([["a = 1", "b = 1"]]) == Or((A, B))
    assert parse(["a = 1 OR b = 1", "c = 1"]) == And((Or((A, B)), C))


@pytest.mark.parametrize("value", [None, "", "  ", [], [[]], [""], [["", " "]]])
def test_nothing_does_not_narrow(value: Any) -> None:
    assert parse(value) is None


REFUSED: dict[str, tuple[Any, str, int | None]] = {
    "no operator": ("a", "filter", 2),
    "no value": ("a =", "filter", 4),
    "no attribute": ("= 1", "filter", 1),
    "a lower-case operator": ("a = 1 and b = 2", "filter", 7),
    "two values": ("a = 1 2", "filter", 7),
    "an open parenthesis": ("(a = 1", "filter", 1),
    "a closed parenthesis": ("a = 1)", "filter", 6),
    "an open quote": ("a = 'x", "filter", 5),
    "a quote that only seems closed": (r"a = 'x\'", "filter", 5),
    "half a range": ("a 1", "filter", 4),
    "a range without an end": ("a 1 TO", "filter", 7),
    "an open list": ("a IN [1, 2", "filter", 11),
    "a list without commas": ("a IN [1 2]", "filter", 9),
    "a list without a bracket": ("a IN 1", "filter", 6),
    "a list of nothing and a comma": ("a IN [,]", "filter", 7),
    "NOT before nothing": ("a NOT 1", "filter", 7),
    "IS before nothing": ("a IS 1", "filter", 6),
    "an operator at the end": ("a = 1 AND", "filter", 10),
    "an operator at the start": ("AND a = 1", "filter", 1),
    "empty parentheses": ("()", "filter", 2),
    "a sign that means nothing": ("a ! 1", "filter", 3),
    "a fault in a list": (["a = 1", "b ="], "filter.1", 4),
    "a fault in a list in a list": (["a = 1", ["b = 1", "c >"]], "filter.1.1", 4),
    "three levels": ([[["a = 1"]]], "filter.0.0", None),
    "a number": (7, "filter", None),
    "a number in a list": ([7], "filter.0", None),
    "a number in a list in a list": ([[7]], "filter.0.0", None),
    "an object": ({"a": 1}, "filter", None),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_fault_is_named_with_its_place(case: str) -> None:
    value, path, position = REFUSED[case]
    with pytest.raises(Invalid) as refusal:
        parse(value)
    assert refusal.value.code == "invalid_filter"
    assert list(refusal.value.errors) == [path]
    if position is not None:
        assert f"(character {position})" in str(refusal.value.message)


@pytest.mark.parametrize(
    "value",
    [
        "(" * 5000,
        "(" * 30 + "a = 1" + ")" * 30,
        "NOT " * 30 + "a = 1",
        "a = 1 OR " * 300 + "a = 1",
        f"a IN [{'1,' * 600}]",
        "a = '" + "x" * 20_000 + "'",
        ["a = 1"] * 201,
        [["a = 1"] * 201],
        ["a = '" + "x" * 5_100 + "'"] * 2,
        "'" + "\\" * 9_000,
    ],
)
def test_more_than_a_shop_needs_is_refused(value: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        parse(value)
    assert refusal.value.code == "invalid_filter"


TEXTS = st.text(max_size=12)
CONDITIONS = st.one_of(
    st.builds(Compare, TEXTS, st.sampled_from(sorted(grammar.COMPARISONS)), TEXTS),
    st.builds(Range, TEXTS, TEXTS, TEXTS),
    st.builds(In, TEXTS, st.lists(TEXTS, max_size=4).map(tuple)),
    st.builds(Exists, TEXTS),
    st.builds(IsNull, TEXTS),
    st.builds(IsEmpty, TEXTS),
)


def _joined(inner: Any) -> Any:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(Not, inner), st.builds(And, several), st.builds(Or, several))


@settings(max_examples=200, deadline=None)
@given(st.recursive(CONDITIONS, _joined, max_leaves=8))
def test_what_is_written_is_read_back_the_same(node: Any) -> None:
    assert parse(written(node)) == node


PIECES = st.sampled_from(
    [*sorted(grammar.KEYWORDS), *"=<>!()[],'\"\\", "!=", ">=", "a", "'b c'", "1", " ", "\n", "é", "\x00"]
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(PIECES, max_size=30).map(" ".join), st.lists(PIECES, max_size=30).map("".join), st.text()))
def test_any_text_is_read_or_refused(text: str) -> None:
    for value in (text, [text], [[text, text]]):
        try:
            parse(value)
        except Invalid as refusal:
            assert refusal.code == "invalid_filter"
