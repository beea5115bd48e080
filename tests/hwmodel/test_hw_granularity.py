from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.granularity import effective_fraction, n_m_fraction, scattered_fraction


def test_quarter_scattered_over_tiles_of_sixteen_runs_nearly_all() -> None:
    assert scattered_fraction(0.25, 16) == pytest.approx(1 - 0.75**16)
    assert scattered_fraction(0.25, 16) == pytest.approx(0.99, abs=1e-4)


def enumerated(n: int, m: int, tile: int) -> float:
    """Share of the tiles of all possible groups that hold an essential neuron."""
    tiles = [range(start, start + tile) for start in range(0, m, tile)]
    hits = [
        any(channel in tile_ for channel in essential)
        for essential in combinations(range(m), n)
        for tile_ in tiles
    ]
    return sum(hits) / len(hits)


@pytest.mark.parametrize(
    ("n", "m", "tile"),
    [(2, 4, 1), (2, 4, 2), (4, 8, 2), (4, 8, 4), (1, 8, 4), (0, 4, 2), (4, 4, 1)],
)
def test_n_m_within_a_group_agrees_with_enumeration(n: int, m: int, tile: int) -> None:
    assert n_m_fraction(n, m, tile) == pytest.approx(enumerated(n, m, tile))


def test_n_m_in_tiles_of_whole_groups_runs_everything() -> None:
    assert n_m_fraction(1, 4, 4) == n_m_fraction(1, 4, 16) == 1
    assert n_m_fraction(0, 4, 4) == n_m_fraction(0, 4, 16) == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"selection": "topk"}, 1 - 0.75**4),
        ({"selection": "threshold"}, 1 - 0.75**4),
        ({"selection": "random"}, 1 - 0.75**4),
        ({"selection": "inverted"}, 1 - 0.75**4),
        ({"selection": "n_m", "n_m": [1, 8]}, 0.5),
        ({"selection": "block"}, 0.25),
        ({"selection": "channel"}, 0.25),
        ({"selection": "oracle"}, 1),
        ({"selection": "all", "measured_fraction": 1.0}, 1),
        ({"selection": "none", "measured_fraction": 0.0}, 0),
    ],
)
def test_effective_fraction_in_tiles_of_four(
    make_layer: Any, changes: Any, expected: float
) -> None:
    injection = make_layer({"measured_fraction": 0.25, **changes}).injection
    assert effective_fraction(injection, 4) == pytest.approx(expected)


@given(st.floats(0, 1), st.integers(1, 64), st.integers(1, 64))
def test_larger_tiles_skip_less(fraction: float, one: int, other: int) -> None:
    small, large = sorted((one, other))
    assert scattered_fraction(fraction, small) <= scattered_fraction(fraction, large) + 1e-12
    assert scattered_fraction(fraction, small) >= fraction - 1e-12
