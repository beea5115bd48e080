from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.crossover import at_fraction
from hwmodel.granularity import (
    block_fraction,
    carried_occupancy,
    effective_fraction,
    n_of_m_fraction,
    scattered_fraction,
)


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
    assert n_of_m_fraction(n, m, tile) == pytest.approx(enumerated(n, m, tile))


def test_n_m_in_tiles_of_whole_groups_runs_everything() -> None:
    assert n_of_m_fraction(1, 4, 4) == n_of_m_fraction(1, 4, 16) == 1
    assert n_of_m_fraction(0, 4, 4) == n_of_m_fraction(0, 4, 16) == 0


@pytest.mark.parametrize(
    ("channels", "tile", "expected"),
    [
        (16, 16, 0.25),
        (32, 16, 0.25),
        (8, 16, 1 - 0.75**2),
        (4, 16, 1 - 0.75**4),
        (1, 16, 1 - 0.75**16),
        # tiles 0-3, 4-7, 8-11 on blocks 0-5, 6-11: the second straddles
        (6, 4, (0.25 + 0.4375 + 0.25) / 3),
        # tiles 0-3, 4-7, 8-11 on blocks of three: two blocks each
        (3, 4, 0.4375),
        # tiles 0-4 and 5-9 on blocks of two: three blocks each
        (2, 5, 1 - 0.75**3),
    ],
)
def test_blocks_in_tiles(channels: int, tile: int, expected: float) -> None:
    assert block_fraction(0.25, channels, tile) == pytest.approx(expected)


@given(st.floats(0, 1), st.integers(1, 40), st.integers(1, 40))
def test_blocks_in_tiles_agree_with_laying_them_out(
    fraction: float, channels: int, tile: int
) -> None:
    touched = [
        len({channel // channels for channel in range(start, start + tile)})
        for start in range(0, channels * tile, tile)
    ]
    expected = sum(1 - (1 - fraction) ** blocks for blocks in touched) / len(touched)
    found = block_fraction(fraction, channels, tile)
    assert found == pytest.approx(expected, abs=1e-12)
    assert fraction - 1e-12 <= found <= scattered_fraction(fraction, tile) + 1e-12


@given(st.floats(0, 1), st.integers(1, 16), st.integers(1, 16))
def test_blocks_of_whole_tiles_keep_their_fraction_and_parts_scatter(
    fraction: float, tile: int, times: int
) -> None:
    assert block_fraction(fraction, tile * times, tile) == pytest.approx(fraction)
    scattered = scattered_fraction(fraction, times)
    assert block_fraction(fraction, tile, tile * times) == pytest.approx(scattered)


def test_channels_keep_their_fraction(make_layer: Any) -> None:
    injection = make_layer({"selection": "channel", "measured_fraction": 0.25}).injection
    assert [effective_fraction(injection, t, 32) for t in (1, 4, 16)] == [0.25] * 3


def test_a_tile_holds_no_more_neurons_than_the_layer(make_layer: Any) -> None:
    """Sixteen neurons are one tile of 16, 32 or 64; one block of 16 channels is all of a tile."""
    scattered = make_layer({"measured_fraction": 0.05}).injection
    found = [effective_fraction(scattered, tile, 16) for tile in (16, 32, 64)]
    assert found == [1 - 0.95**16] * 3
    block = {"selection": "16x8", "measured_fraction": 0.25}
    assert effective_fraction(make_layer(block).injection, 64, 16) == 0.25


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"selection": "topk"}, 1 - 0.75**4),
        ({"selection": "threshold"}, 1 - 0.75**4),
        ({"selection": "random"}, 1 - 0.75**4),
        ({"selection": "inverted"}, 1 - 0.75**4),
        ({"selection": "1:8"}, 0.5),
        ({"selection": "4x1"}, 0.25),
        ({"selection": "8x7"}, 0.25),
        ({"selection": "2x7"}, 1 - 0.75**2),
        ({"selection": "1x1"}, 1 - 0.75**4),
        ({"selection": "channel"}, 0.25),
        ({"selection": "topk", "noise": "zero"}, 1 - 0.75**4),
        ({"selection": "topk", "noise": "resample", "pool": 3}, 1 - 0.75**4),
        ({"selection": "topk", "noise": "gaussian"}, 1),
        ({"selection": "1:8", "noise": "uniform"}, 1),
        ({"selection": "4x1", "noise": "gaussian"}, 1),
        ({"selection": "channel", "noise": "uniform"}, 1),
        ({"selection": "none", "measured_fraction": 0.0, "noise": "gaussian"}, 1),
        ({"selection": "oracle"}, 1),
        ({"selection": "all", "measured_fraction": 1.0}, 1),
        ({"selection": "none", "measured_fraction": 0.0}, 0),
    ],
)
def test_effective_fraction_in_tiles_of_four(
    make_layer: Any, changes: Any, expected: float
) -> None:
    injection = make_layer({"measured_fraction": 0.25, **changes}).injection
    assert effective_fraction(injection, 4, 32) == pytest.approx(expected)


@given(st.floats(0, 1), st.integers(1, 64), st.integers(1, 64))
def test_larger_tiles_skip_less(fraction: float, one: int, other: int) -> None:
    small, large = sorted((one, other))
    assert scattered_fraction(fraction, small) <= scattered_fraction(fraction, large) + 1e-12
    assert scattered_fraction(fraction, small) >= fraction - 1e-12


@pytest.mark.parametrize(
    ("selection", "expected"), [("topk", 0.75), ("random", 0.75), ("channel", 0.5), ("oracle", 1.0)]
)
def test_measured_occupancy_goes_before_independence(
    make_layer: Any, selection: str, expected: float
) -> None:
    layer = make_layer({"selection": selection, "occupancy": {"16": 0.75}})
    assert effective_fraction(layer.injection, 16, 32) == expected
    assert effective_fraction(layer.injection, 8, 32) != 0.75


def test_occupancy_is_carried_to_other_fractions(make_layer: Any) -> None:
    """Half of the neurons in three quarters of the tiles: as two neurons a tile."""
    layer = at_fraction(make_layer({"occupancy": {"16": 0.75}}), 0.25)
    assert layer.injection is not None
    assert effective_fraction(layer.injection, 16, 32) == pytest.approx(1 - 0.75**2)
    assert effective_fraction(layer.injection, 8, 32) == scattered_fraction(0.25, 8)


def test_occupancy_is_carried_as_that_of_a_group(make_layer: Any) -> None:
    """Tiles of 16 with 8 neurons of a group each, which are as 8 independent ones at most."""
    for measured in (scattered_fraction(0.5, 8), 1 - 1e-9):
        found = {"nonzeros": 9, "occupancy": {"16": measured}}
        layer = at_fraction(make_layer(found, groups=4), 0.25)
        assert layer.injection is not None
        assert effective_fraction(layer.injection, 16, 8) == pytest.approx(1 - 0.75**8)


def test_occupancies_that_tell_nothing_are_dropped(make_layer: Any) -> None:
    """Of blocks of 16 channels at .75 every tile of 32 ran; at .25 that says nothing."""
    full = {"selection": "16x8", "measured_fraction": 0.75}
    layer = at_fraction(make_layer({**full, "occupancy": {"32": 1.0}}), 0.25)
    assert layer.injection is not None
    assert layer.injection.occupancy is None
    assert effective_fraction(layer.injection, 32, 32) == 1 - 0.75**2


INNER = st.floats(1e-6, 1 - 1e-6)


@given(data=st.data(), fraction=INNER, other=st.floats(0, 1), tile=st.integers(1, 64))
def test_carried_occupancies(data: st.DataObject, fraction: float, other: float, tile: int) -> None:
    independent = scattered_fraction(fraction, tile)
    occupancy = data.draw(st.floats(fraction, min(1 - 1e-9, tile * fraction)))
    found = carried_occupancy(occupancy, fraction, other, tile)
    assert other - 1e-9 <= found <= min(1, tile * other) + 1e-9
    assert carried_occupancy(occupancy, fraction, 0, tile) == 0
    assert carried_occupancy(occupancy, fraction, 1, tile) == 1
    more = carried_occupancy(occupancy, fraction, min(1, other + 0.05), tile)
    assert found <= more + 1e-12
    here = carried_occupancy(occupancy, fraction, fraction, tile)
    assert here == pytest.approx(min(occupancy, independent), rel=1e-6)
    if independent < 1 - 1e-9:
        carried = carried_occupancy(independent, fraction, other, tile)
        assert carried == pytest.approx(scattered_fraction(other, tile), abs=1e-6)
