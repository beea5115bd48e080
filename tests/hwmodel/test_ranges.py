"""Ranges of numbers whose extremes are known."""

from collections.abc import Mapping
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from hwmodel.assumptions import Assumption, Value
from hwmodel.ranges import Number, flips, interval

ONE, TWO = (Assumption("preset", (name,), 1.0, (0.5, 3.0)) for name in ("one", "two"))
BOTH = [ONE, TWO]
ALONE = [(each, end) for each in BOTH for end in each.ends]


def weighed(slopes: tuple[float, float], together: float = 0.0) -> Number:
    def number(values: Mapping[Assumption, Value]) -> float:
        one, two = (float(values.get(each, each.value)) for each in (ONE, TWO))
        return slopes[0] * one + slopes[1] * two + together * one * two

    return number


@given(st.tuples(st.floats(-9, 9), st.floats(-9, 9)))
def test_of_a_number_that_rises_or_falls_with_each_the_ends_are_those_of_all_corners(
    slopes: tuple[float, float],
) -> None:
    number = weighed(slopes)
    corners = [number({ONE: a, TWO: b}) for a, b in product((0.5, 1.0, 3.0), repeat=2)]
    found = interval(number, BOTH)
    assert found.value == number({})
    assert abs(found.low - min(corners)) < 1e-9
    assert abs(found.high - max(corners)) < 1e-9


@given(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), st.floats(-9, 9))
def test_the_range_always_holds_the_point_and_each_constant_alone(
    slopes: tuple[float, float], together: float
) -> None:
    number = weighed(slopes, together)
    found = interval(number, BOTH)
    for values in ({}, *({each: end} for each, end in ALONE)):
        assert found.low <= number(values) <= found.high


def test_without_constants_it_is_a_point() -> None:
    found = interval(weighed((1.0, 2.0)), [])
    assert (found.low, found.value, found.high) == (3.0, 3.0, 3.0)


def test_what_crosses_the_border_alone_comes_furthest_first() -> None:
    number = weighed((1.0, 4.0))  # 5 at the point
    assert [(f.assumption, f.end, f.result) for f in flips(number, BOTH, 6.0)] == [
        (TWO, 3.0, 13.0), (ONE, 3.0, 7.0),
    ]  # fmt: skip
    assert [(f.assumption, f.end, f.result) for f in flips(number, BOTH, 4.0)] == [(TWO, 0.5, 3.0)]
    assert flips(number, BOTH, 99.0) == []


def test_one_constant_may_turn_another_s_direction() -> None:
    """Alone a larger first constant harms; with the second at its lower end it favours."""

    def number(values: Mapping[Assumption, Value]) -> float:
        one, two = (float(values.get(each, each.value)) for each in (ONE, TWO))
        return one * (0.9 - two) - two

    corners = [number({ONE: a, TWO: b}) for a, b in product((0.5, 1.0, 3.0), repeat=2)]
    assert number({ONE: 3.0}) < number({})
    assert interval(number, BOTH).high == max(corners)


def test_what_lies_on_the_border_turns_nothing() -> None:
    number = weighed((0.0, 0.0001))
    assert flips(number, BOTH, 0.0001) == []
    assert flips(number, BOTH, 0.0) == []
