"""The rules of docs/claims.md, case by case."""

from typing import Any

import pytest

from nenni.results.verdict import (
    DIRECTION,
    LARGE,
    NOT_REPRODUCED,
    REPRODUCED,
    SEEDS_NEEDED,
    SOME,
    UNDECIDED,
    Measured,
    answer,
    borders,
    not_derivable,
    verdict,
)

GAIN = borders("robust_gain", 0.16, None)  # borders at 4 and 12 points
FALL = borders("clean_loss", 0.16, None)


def measured(low: float, high: float, **changes: Any) -> Measured:
    """In points."""
    fields: dict[str, Any] = {"seeds": 5, "differs": ""} | changes
    return Measured((low + high) / 200, low / 100, high / 100, **fields)


@pytest.mark.parametrize(
    ("low", "high", "effect", "large", "found", "where"),
    [
        (12, 20, "yes", "yes", REPRODUCED, "beyond +12.0, three quarters of what is claimed"),
        (13, 14, "yes", "yes", REPRODUCED, "beyond +12.0"),
        (4, 11.9, "yes", "no", DIRECTION, "beyond +4.0, a quarter of what is claimed and short of +12.0"),
        (5, 15, "yes", "undecided", DIRECTION, "and on both sides of +12.0"),
        (3.9, 30, "undecided", "undecided", UNDECIDED, "on both sides of +4.0, a quarter"),
        (-1, 5, "undecided", "no", UNDECIDED, "on both sides of +4.0"),
        (-1, 3.9, "no", "no", NOT_REPRODUCED, "short of +4.0, a quarter of what is claimed"),
        (-30, -20, "no", "no", NOT_REPRODUCED, "short of +4.0"),
    ],
)  # fmt: skip
def test_a_gain(low: float, high: float, effect: str, large: str, found: str, where: str) -> None:
    assert (SOME, LARGE) == (0.25, 0.75)
    *answers, was, reason = verdict(measured(low, high), GAIN)
    assert (answers, was) == ([effect, large], found)
    assert reason.startswith(f"{(low + high) / 2:+.1f} points [{low:+.1f}, {high:+.1f}], ")
    assert where in reason


@pytest.mark.parametrize("low", [-30.0, -12.5, -8.0, -3.0, 0.5, 4.5, 13.0])
def test_a_fall_is_a_gain_upside_down(low: float) -> None:
    high = low + 2
    gain, fall = verdict(measured(low, high), GAIN), verdict(measured(-high, -low), FALL)
    assert gain[:3] == fall[:3]
    assert FALL.some == -GAIN.some


def test_a_smaller_effect_is_told() -> None:
    assert "; an effect, but a smaller one" in verdict(measured(0.5, 3), GAIN)[3]
    assert "smaller" not in verdict(measured(-0.5, 3), GAIN)[3]
    assert "smaller" in verdict(measured(-3, -0.5), FALL)[3]


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (-2, 1, REPRODUCED),
        (-1.9, 5, REPRODUCED),
        (-2.1, 1, UNDECIDED),
        (-5, -2.1, NOT_REPRODUCED),
    ],
)
def test_accuracy_that_is_kept(low: float, high: float, found: str) -> None:
    effect, large, was, reason = verdict(measured(low, high), borders("clean_kept", None, 0.02))
    assert was == found
    assert effect == large
    assert reason.endswith("-2.0, the margin")


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [(-4, -1, REPRODUCED), (-4, 1, UNDECIDED), (0.1, 3, NOT_REPRODUCED)],
)
def test_a_fall_of_any_size(low: float, high: float, found: str) -> None:
    *_, was, reason = verdict(measured(low, high), borders("robust_loss", None, None))
    assert was == found
    assert reason.endswith("no change")


@pytest.mark.parametrize(
    ("seeds", "differs", "found"),
    [
        (5, "", REPRODUCED),
        (4, "", DIRECTION),
        (2, "", DIRECTION),
        (5, "on mnist, not cifar10", DIRECTION),
        (1, "", UNDECIDED),
        (None, "", REPRODUCED),
    ],
)
def test_what_reproduced_needs(seeds: int | None, differs: str, found: str) -> None:
    assert SEEDS_NEEDED == 5
    *_, was, reason = verdict(measured(20, 30, seeds=seeds, differs=differs), GAIN)
    assert was == found
    if differs:
        assert differs in reason
    if seeds in (2, 4):
        assert f"{seeds} seeds of the 5" in reason
    assert ("one seed" in reason) == (seeds == 1)
    assert ("[" in reason) == (seeds is not None)


@pytest.mark.parametrize("differs", ["", "on mnist, not cifar10"])
def test_one_seed_decides_nothing(differs: str) -> None:
    for low, high in ((20, 30), (5, 6), (-30, -20)):
        assert verdict(measured(low, high, seeds=1, differs=differs), GAIN)[2] == UNDECIDED


def test_bitops_are_to_reach_the_figure_within_rounding() -> None:
    at = borders("bitops_reduction", 0.826, None)
    cases = ((0.826, REPRODUCED), (0.8256, REPRODUCED), (0.8254, DIRECTION), (0.2, NOT_REPRODUCED))
    for value, found in cases:
        was = verdict(Measured(value, value, value, None, "", "%"), at)
        assert was[2] == found
        assert was[3].startswith(f"{100 * value:+.1f} %, ")
    assert "at most 75.0 % can go" in not_derivable(0.75, 0.826)


def test_an_answer_is_at_the_border_for_both_directions() -> None:
    assert answer(0.1, 0.2, 0.1, falls=False) == "yes"
    assert answer(0.0, 0.1, 0.1, falls=False) == "undecided"
    assert answer(-0.2, -0.1, -0.1, falls=True) == "yes"
    assert answer(-0.1, 0.0, -0.1, falls=True) == "undecided"


def test_no_two_intervals_that_overlap_contradict_each_other() -> None:
    """Whatever the borders: one wholly beyond and one wholly short have no point in common."""
    there, not_there = (REPRODUCED, DIRECTION), (NOT_REPRODUCED,)
    grid = [x / 2 for x in range(-20, 40)]
    found = [
        (low, low + w, verdict(measured(low, low + w), GAIN)[2]) for low in grid for w in (1, 6)
    ]
    for low, high, was in found:
        for other_low, other_high, other in found:
            if was in there and other in not_there:
                assert other_high < low or other_low > high
