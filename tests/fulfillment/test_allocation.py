"""Which location sends what: as few as possible, always the same ones, never more than lies there."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from fulfillment.allocation import allocate
from storefront.contracts import Sku

TEA, CUP, POT = Sku("TEA"), Sku("CUP"), Sku("POT")
PLACES = ["A", "B", "C", "D"]
SKUS = [TEA, CUP, POT, Sku("MUG", "BLUE")]

WANTED = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 6), min_size=1)
STOCK = st.dictionaries(
    st.sampled_from(SKUS), st.dictionaries(st.sampled_from(PLACES), st.one_of(st.none(), st.integers(-2, 7)))
)


def test_one_location_that_has_all_wins_over_an_earlier_one_that_has_part() -> None:
    stock = {TEA: {"A": 5, "B": 5}, CUP: {"B": 5}}
    assert allocate({TEA: 1, CUP: 1}, stock, ["A", "B"], split=True).sent == {"B": {TEA: 1, CUP: 1}}


def test_the_earlier_of_two_that_have_all_sends() -> None:
    stock = {TEA: {"A": 5, "B": 5}}
    assert allocate({TEA: 1}, stock, ["A", "B"], split=True).sent == {"A": {TEA: 1}}
    assert allocate({TEA: 1}, stock, ["B", "A"], split=True).sent == {"B": {TEA: 1}}


def test_a_sku_is_divided_only_where_nobody_has_enough() -> None:
    stock = {TEA: {"A": 2, "B": 3}, CUP: {"A": 1, "B": 4}}
    assert allocate({TEA: 5, CUP: 3}, stock, ["A", "B"], split=True).sent == {"A": {TEA: 2}, "B": {TEA: 3, CUP: 3}}


def test_without_splitting_the_one_that_has_most_sends_and_the_rest_is_missing() -> None:
    answer = allocate({TEA: 5, CUP: 1}, {TEA: {"A": 2, "B": 3}, CUP: {"A": 1}}, ["A", "B"], split=False)
    assert answer.sent == {"A": {TEA: 2, CUP: 1}}
    assert answer.missing == {TEA: 3}


def test_unlimited_stock_is_enough_for_everything() -> None:
    answer = allocate({TEA: 10**6}, {TEA: {"A": None}}, ["A"], split=True)
    assert answer.sent == {"A": {TEA: 10**6}} and not answer.missing


def test_nothing_wanted_and_nowhere_to_send_from() -> None:
    assert allocate({}, {}, ["A"], split=True).sent == {}
    answer = allocate({TEA: 2}, {TEA: {"A": 5}}, [], split=True)
    assert answer.sent == {} and answer.missing == {TEA: 2}


def test_many_locations_with_a_little_each_still_answer() -> None:
    places = [f"P{number}" for number in range(40)]
    skus = [Sku(f"S{number}") for number in range(40)]
    stock = {sku: {places[number]: 1} for number, sku in enumerate(skus)}
    answer = allocate(dict.fromkeys(skus, 1), stock, places, split=True)
    assert len(answer.sent) == 40 and not answer.missing


@given(wanted=WANTED, stock=STOCK, split=st.booleans())
def test_units_are_conserved_and_never_more_than_there_are(
    wanted: dict[Sku, int], stock: dict[Sku, dict[str, int | None]], split: bool
) -> None:
    answer = allocate(wanted, stock, PLACES, split=split)
    for sku, count in wanted.items():
        sent = sum(units.get(sku, 0) for units in answer.sent.values())
        assert sent + answer.missing.get(sku, 0) == count
        for place, units in answer.sent.items():
            there = stock.get(sku, {}).get(place, 0)
            assert there is None or units.get(sku, 0) <= max(there, 0)
    assert all(count > 0 for units in answer.sent.values() for count in units.values())
    assert split or len(answer.sent) <= 1
    assert answer == allocate(wanted, stock, PLACES, split=split)


# --- bundles --------------------------------------------------------------------------------------------------------
BOX, PAIR = Sku("BOX"), Sku("PAIR")
RECIPES = {BOX: [(CUP, 4), (TEA, 1)], PAIR: [(CUP, 2)]}


def with_bundles(stock: dict[Sku, dict[str, int | None]]) -> dict[Sku, dict[str, int | None]]:
    """The same with what can be made of it at each place, as a catalogue answers it."""
    found = dict(stock)
    for bundle, parts in RECIPES.items():
        found[bundle] = {}
        for place in PLACES:
            there = [(stock.get(part, {}).get(place, 0), each) for part, each in parts]
            limits = [max(0, count) // each for count, each in there if count is not None]
            found[bundle][place] = min(limits) if limits else None
    return found


def test_a_bundle_and_what_it_holds_do_not_share_a_unit() -> None:
    stock = with_bundles({CUP: {"A": 4, "B": 2}, TEA: {"A": 1}})
    answer = allocate({CUP: 2, BOX: 1}, stock, ["A", "B"], split=True, recipes=RECIPES)
    assert answer.sent == {"A": {BOX: 1}, "B": {CUP: 2}} and not answer.missing
    answer = allocate({CUP: 2, BOX: 1}, stock, ["A", "B"], split=False, recipes=RECIPES)
    assert answer.sent == {"B": {CUP: 2}} and answer.missing == {BOX: 1}, "what sends most"
    answer = allocate({PAIR: 2, BOX: 1}, stock, ["A", "B"], split=True, recipes=RECIPES)
    assert _units(answer.sent) == 2 and sum(answer.missing.values()) == 1


def test_a_part_that_the_catalogue_does_not_know_limits_nothing() -> None:
    assert allocate({BOX: 2}, {BOX: {"A": 2}}, ["A"], split=True, recipes=RECIPES).sent == {"A": {BOX: 2}}


@given(
    wanted=st.dictionaries(st.sampled_from([*SKUS, BOX, PAIR]), st.integers(1, 6), min_size=1),
    stock=STOCK,
    split=st.booleans(),
)
def test_no_place_gives_more_than_lies_there_to_bundles_and_their_parts(
    wanted: dict[Sku, int], stock: dict[Sku, dict[str, int | None]], split: bool
) -> None:
    answer = allocate(wanted, with_bundles(stock), PLACES, split=split, recipes=RECIPES)
    for place, units in answer.sent.items():
        taken: dict[Sku, int] = {}
        for sku, count in units.items():
            for part, each in RECIPES.get(sku, [(sku, 1)]):
                taken[part] = taken.get(part, 0) + count * each
        for part, count in taken.items():
            there = stock.get(part, {}).get(place, 0)
            assert there is None or count <= max(there, 0)
    for sku, count in wanted.items():
        sent = sum(units.get(sku, 0) for units in answer.sent.values())
        assert sent + answer.missing.get(sku, 0) == count
    assert split or len(answer.sent) <= 1


@given(wanted=WANTED, stock=STOCK)
def test_no_smaller_group_could_send_as_much(wanted: dict[Sku, int], stock: dict[Sku, dict[str, int | None]]) -> None:
    answer = allocate(wanted, stock, PLACES, split=True)
    best = _units(answer.sent)
    for size in range(len(answer.sent)):
        for group in combinations(PLACES, size):
            assert _units(allocate(wanted, stock, list(group), split=True).sent) < best


def _units(sent: dict[str, dict[Sku, int]]) -> int:
    return sum(count for units in sent.values() for count in units.values())
