"""Waiting for the fullest tile, against enumeration of all cases."""

from itertools import product
from math import prod
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.imbalance import loads, slowest, waiting
from hwmodel.roofline import exact_phase

SHARES = st.lists(st.floats(0.01, 1), min_size=2, max_size=5).map(
    lambda found: [share / sum(found) for share in found]
)


@given(SHARES, st.integers(1, 4))
def test_the_mean_of_the_fullest_is_that_over_all_cases(shares: list[float], elements: int) -> None:
    cases = product(range(len(shares)), repeat=elements)
    expected = sum(max(case) * prod(shares[j] for j in case) for case in cases)
    assert slowest(shares, elements) == pytest.approx(expected)


@given(SHARES, st.integers(1, 30))
def test_more_elements_wait_longer_and_none_longer_than_a_full_tile(
    shares: list[float], elements: int
) -> None:
    assert slowest(shares, elements) <= slowest(shares, elements + 1) + 1e-12
    assert slowest(shares, elements) <= len(shares) - 1


def test_measured_loads_go_before_what_independence_gives(make_layer: Any) -> None:
    measured = make_layer({"selection": "topk", "loads": {"2": [0.5, 0.0, 0.5]}})
    assert loads(measured.injection, 2, 32) == (0.5, 0.0, 0.5)
    assert waiting(measured.injection, 2, 2, 32) == pytest.approx(2 * 0.75 / 1)
    assert loads(measured.injection, 3, 32) == pytest.approx([1 / 8, 3 / 8, 3 / 8, 1 / 8])


def test_no_element_waits_alone_or_where_all_have_the_same(make_layer: Any) -> None:
    scattered = make_layer({"selection": "topk", "measured_fraction": 0.3}).injection
    assert waiting(scattered, 8, 1, 32) == pytest.approx(1)
    pattern = make_layer({"selection": "2:4"}).injection
    assert waiting(pattern, 8, 64, 32) == 1
    assert waiting(pattern, 6, 64, 32) > 1
    nothing = make_layer({"selection": "topk", "measured_fraction": 0.0}).injection
    assert waiting(nothing, 8, 64, 32) == 1


def test_time_waits_and_energy_does_not(make_layer: Any, make_preset: Any) -> None:
    """Of single neurons: as many as are essential, however they lie; tiles play no role."""
    layer = make_layer({"selection": "topk", "measured_fraction": 0.25}, exact_bits=8)
    found = {}
    for in_step in (1, 16):
        elements = {"neurons": 8, "in_step": in_step}
        found[in_step] = exact_phase(layer, layer.injection, make_preset(elements=elements))
    assert found[1].product_s == pytest.approx(0.25 * 196 * 32 * 144 / 500)
    longer = waiting(layer.injection, 8, 16, 32)
    assert longer > 1.5
    assert found[16].product_s == pytest.approx(longer * found[1].product_s)
    assert found[16].work.macs == found[1].work.macs == pytest.approx(0.25 * 903_168)


def test_tiles_within_a_block_are_full_or_empty(make_layer: Any) -> None:
    """Of 16 of them one is full but with a chance of 0.75 to the 16th."""
    block = make_layer({"selection": "64x8", "measured_fraction": 0.25}).injection
    assert loads(block, 16, 32) == [0.75, *[0.0] * 15, 0.25]
    assert waiting(block, 16, 16, 32) == pytest.approx((1 - 0.75**16) / 0.25)
    apart = make_layer({"selection": "4x8", "measured_fraction": 0.25}).injection
    assert len(set(loads(apart, 16, 32))) > 2
