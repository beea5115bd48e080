from typing import Any

import pytest

from hwmodel import traffic
from hwmodel.traffic import Traffic

TAP = {"projection": "tap_shared", "k": 18, "k_c": 2, "nonzeros": 3}
GROUPED = {
    "in_channels": 8,
    "out_channels": 12,
    "groups": 2,
    "in_size": [5, 5],
    "stride": [1, 1],
}


def test_dense(make_layer: Any) -> None:
    expected = Traffic(weights=32 * 144, inputs=16 * 784, outputs=196 * 32)
    assert traffic.dense_traffic(make_layer(), 8) == expected
    assert expected.total == 4608 + 12_544 + 6272
    doubled = traffic.dense_traffic(make_layer(), 16)
    assert doubled == Traffic(weights=2 * 4608, inputs=2 * 12_544, outputs=2 * 6272)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"k": 6, "nonzeros": 50}, 50 * 2 * (6 + 1)),
        (TAP, 3 * 2 * (2 + 1)),
        ({"projection": "gaussian", "k": 6, "nonzeros": 216}, 6 * 36 * 2 * 32),
        ({**TAP, "projection": "tap_shared_pca"}, 2 * 4 * 2 * 32),
        ({"projection": "count_sketch", "k": 6, "nonzeros": 36}, 36 * 2 * (3 + 1)),
    ],
)
def test_projection_matrix(make_layer: Any, changes: Any, expected: int) -> None:
    layer = make_layer(changes, **GROUPED)
    assert traffic.projection_matrix_bits(layer, layer.injection) == expected


def test_projection(make_layer: Any) -> None:
    layer = make_layer({})
    assert traffic.projection_traffic(layer, layer.injection, 32, 8) == Traffic(
        weights=864 * 9 / 8, inputs=16 * 784 * 4, outputs=196 * 18
    )


def test_approximation(make_layer: Any) -> None:
    layer = make_layer({})
    found = traffic.approximation_traffic(layer, layer.injection, 8, 8, 32, 13)
    assert found == Traffic(weights=32 * 18, inputs=196 * 18, outputs=196 * 32 * (4 + 13 / 8))


@pytest.mark.parametrize(
    ("changes", "bits"),
    [({"noise": "zero"}, 13), ({"selection": "random"}, 32), ({"selection": "oracle"}, 32)],
)
def test_the_approximation_is_written_where_it_is_used(
    make_layer: Any, changes: Any, bits: int
) -> None:
    """As scores of 13 bits where it is judged, as outputs of 32 where it is given."""
    layer = make_layer(changes)
    found = traffic.approximation_traffic(layer, layer.injection, 8, 8, 32, 13)
    assert found.outputs == 196 * 32 * bits / 8


def test_exact_scores_are_written_and_read(make_layer: Any) -> None:
    layer = make_layer({"selection": "oracle"})
    found = traffic.exact_traffic(layer, layer.injection, 8, 24, 1)
    assert found.outputs == 6272 * (1 + 3)
    assert traffic.selection_traffic(layer, layer.injection, 24).inputs == 3 * 6272 * 3


@pytest.mark.parametrize(
    ("selection", "measured", "scores", "mask"),
    [
        ("topk", 0.5, 3 * 6272 * 4, 784),
        ("threshold", 0.5, 6272 * 4, 784),
        ("2:4", 0.5, 6272 * 4, 784),
        ("4x4", 0.5, 6272 * 4, 784),
        ("channel", 0.5, 6272 * 4, 784),
        ("random", 0.5, 0, 784),
        ("all", 1.0, 0, 0),
        ("none", 0.0, 0, 0),
    ],
)
def test_selection(
    make_layer: Any, selection: str, measured: float, scores: int, mask: int
) -> None:
    layer = make_layer({"selection": selection, "measured_fraction": measured})
    moved = traffic.selection_traffic(layer, layer.injection, 32)
    assert moved == Traffic(weights=0, inputs=scores, outputs=mask)


@pytest.mark.parametrize("bits", [4, 13, 32])
def test_bisection_passes_once_for_each_bit(make_layer: Any, bits: int) -> None:
    layer = make_layer({"algorithm": "bisection"})
    moved = traffic.selection_traffic(layer, layer.injection, bits)
    assert moved.inputs == bits * 6272 * bits / 8


def test_exact_reads_every_row_that_some_position_needs(make_layer: Any) -> None:
    layer = make_layer({}, in_size=[2, 2], stride=[1, 1])
    moved = traffic.exact_traffic(layer, layer.injection, 32, 13, 0.5)
    assert moved == Traffic(
        weights=(1 - 0.5**4) * 32 * 144 * 4,
        inputs=16 * 4 * 4 + 4 * 32 / 8,
        outputs=0.5 * 4 * 32 * 4,
    )


def test_exact_skips_the_rows_of_skipped_channels(make_layer: Any) -> None:
    layer = make_layer({"selection": "channel"})
    moved = traffic.exact_traffic(layer, layer.injection, 8, 13, 0.5)
    assert moved.weights == 0.5 * 32 * 144


@pytest.mark.parametrize(("positions", "units"), [(1, 9), (2, 5), (3, 3), (9, 1), (50, 1)])
def test_exact_shares_rows_between_the_positions_of_a_block(
    make_layer: Any, positions: int, units: int
) -> None:
    layer = make_layer({"selection": f"4x{positions}"}, in_size=[3, 3], stride=[1, 1])
    moved = traffic.exact_traffic(layer, layer.injection, 8, 13, 0.25)
    assert moved.weights == pytest.approx((1 - 0.75**units) * 32 * 144)


def test_zeros_are_written(make_layer: Any) -> None:
    approximated, zeroed = make_layer({}), make_layer({"noise": "zero"})
    usual = traffic.exact_traffic(approximated, approximated.injection, 8, 13, 0.25)
    moved = traffic.exact_traffic(zeroed, zeroed.injection, 8, 13, 0.25)
    assert (usual.outputs, moved.outputs) == (1_568, 6_272)
    assert (usual.weights, usual.inputs) == (moved.weights, moved.inputs)
    assert traffic.exact_traffic(zeroed, zeroed.injection, 8, 13, 0) == Traffic(outputs=6_272)


def test_one_of_the_pool_is_read(make_layer: Any) -> None:
    one = make_layer({})
    pool = make_layer({"noise": "resample", "pool": 8})
    for moved, widths in (
        (traffic.projection_traffic, (8, 8)), (traffic.approximation_traffic, (8, 8, 8, 13)),
    ):  # fmt: skip
        assert moved(pool, pool.injection, *widths) == moved(one, one.injection, *widths)


def test_limits_of_the_fraction(make_layer: Any) -> None:
    layer = make_layer({"selection": "all", "measured_fraction": 1.0})
    assert traffic.exact_traffic(layer, layer.injection, 8, 13, 0) == Traffic()
    full = traffic.exact_traffic(layer, layer.injection, 8, 13, 1)
    assert full == traffic.dense_traffic(layer, 8)
