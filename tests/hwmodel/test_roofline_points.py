"""Points under the roofs, by hand and within them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.roofline_points import points

MACS = 903_168


def test_by_hand(make_network: Any, layer_dict: Any, make_preset: Any) -> None:
    """Half of the channels; the approximation runs at 8 bits, z~ leaves in 32, and in 13 as score.

    Cycles are of the products alone, not of the roundings with P.
    """
    network = make_network(layer_dict({"selection": "channel"}, name="a"))
    dense, projection, approximation, exact = points(network, make_preset(), batch=2)
    assert (dense.phase, dense.run_bits) == ("dense", 32)
    moved = 4 * (32 * 144 + 2 * (16 * 784 + 196 * 32))
    assert dense.macs_per_byte == pytest.approx(2 * MACS / moved)
    assert dense.macs_per_s == pytest.approx(2 * MACS / (2 * MACS / 100 + 0.25))
    assert (dense.peak_macs_per_s, dense.bandwidth_bytes_per_s) == (100, 1000)
    assert (dense.utilisation, dense.cycles) == (dense.macs_per_s / 200, 10 * 2 * MACS / 100)
    assert projection.macs_per_s < 2 * 196 * 18 * 144 / (2 * 196 * 20 * 144 / 500)
    rows = 1 - 0.5**2
    moved = 4 * rows * 32 * 144 + 2 * (4 * 16 * 784 + 6_272 / 8 + 2 * 6_272)
    assert exact.macs_per_byte == pytest.approx(MACS / moved)
    assert projection.cycles == pytest.approx(10 * 2 * 196 * 20 * 144 / 500)
    score = 13 / 8
    macs, moved = 2 * 112_896, 32 * 18 + 2 * (196 * 18 + (4 + score) * 6_272)
    assert approximation.run_bits == 8
    assert approximation.macs_per_byte == pytest.approx(macs / moved)
    assert approximation.peak_macs_per_s == 500


@given(share=st.floats(0, 1), batch=st.integers(1, 9))
def test_no_point_is_above_the_roofs(
    make_network: Any, layer_dict: Any, make_preset: Any, share: float, batch: int
) -> None:
    network = make_network(
        layer_dict(None, name="a"), layer_dict({"measured_fraction": share}, name="b")
    )
    for point in points(network, make_preset(), batch):
        roof = min(point.peak_macs_per_s, point.bandwidth_bytes_per_s * point.macs_per_byte)
        assert point.macs_per_s <= roof * (1 + 1e-9)


def test_what_does_not_run_has_no_point(
    make_network: Any, layer_dict: Any, make_preset: Any
) -> None:
    trivial = {"selection": "all", "measured_fraction": 1.0}
    none = {"selection": "none", "measured_fraction": 0.0}
    network = make_network(layer_dict(trivial, name="a"), layer_dict(none, name="b"))
    found = [(p.layer, p.phase) for p in points(network, make_preset())]
    assert found == [
        ("a", "dense"), ("a", "exact"),
        ("b", "dense"), ("b", "projection"), ("b", "approximation"),
    ]  # fmt: skip
    assert points(network, make_preset({"8": 100.0})) == []
