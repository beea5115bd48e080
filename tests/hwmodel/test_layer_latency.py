"""The phases of a layer put together, and layers added."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel import roofline
from hwmodel.layer_latency import latency, layer_latency


@pytest.mark.parametrize("noise", ["approximation", "gaussian", "uniform", "zero", "resample"])
def test_all_exact_runs_as_dense(make_layer: Any, make_preset: Any, noise: str) -> None:
    layer = make_layer({"selection": "all", "measured_fraction": 1.0, "noise": noise})
    row = layer_latency(layer, make_preset())
    assert row.injected_s == row.exact_s == row.dense_fp32_s
    assert row.projection_s == row.approximation_s == row.selection_s == 0


def test_approximation_that_is_not_needed_needs_no_precision(
    make_layer: Any, make_preset: Any
) -> None:
    preset = make_preset({"8": 100.0, "16": 40.0})
    zeroed = {"selection": "random", "noise": "zero", "projected_bits": 32}
    assert layer_latency(make_layer(zeroed, exact_bits=8), preset).injected_s is not None
    judged = make_layer({**zeroed, "selection": "topk"}, exact_bits=8)
    assert layer_latency(judged, preset).injected_s is None


def test_pool_makes_no_difference(make_layer: Any, make_preset: Any) -> None:
    pool = make_layer({"noise": "resample", "pool": 8})
    assert layer_latency(pool, make_preset()) == layer_latency(make_layer({}), make_preset())


def test_granularity_is_told_apart(make_layer: Any, make_preset: Any) -> None:
    """Half of the neurons, in tiles of four: scattered, in blocks of four, dense."""
    found = [
        layer_latency(layer, make_preset())
        for layer in (
            make_layer({}), make_layer({"selection": "4x4"}), make_layer(None)
        )
    ]  # fmt: skip
    assert [row.essential for row in found] == [0.5, 0.5, 1]
    assert [row.executed for row in found] == pytest.approx([1 - 0.5**4, 0.5, 1])
    gathered = make_layer({"selection": "channel", "measured_fraction": 0.05})
    assert layer_latency(gathered, make_preset()).executed == pytest.approx(4 / 32)
    none = make_layer({"selection": "none", "measured_fraction": 0.0})
    assert layer_latency(none, make_preset()).executed == 0
    assert layer_latency(make_layer({}), make_preset({"8": 1.0})).executed is None


def test_injected_layer_is_the_sum_of_its_phases(make_layer: Any, make_preset: Any) -> None:
    layer, preset = make_layer({}), make_preset()
    row = layer_latency(layer, preset)
    phases = [
        roofline.projection_phase(layer, layer.injection, preset),
        roofline.approximation_phase(layer, layer.injection, preset),
        roofline.selection_phase(layer, layer.injection, preset),
        roofline.exact_phase(layer, layer.injection, preset),
    ]
    seconds = (row.projection_s, row.approximation_s, row.selection_s, row.exact_s)
    assert seconds == tuple(phase.seconds for phase in phases)
    assert row.injected_s == pytest.approx(sum(phase.seconds for phase in phases))
    assert row.bound == "compute"


def test_phases_with_nothing_to_do_are_not_started(make_layer: Any, make_preset: Any) -> None:
    row = layer_latency(make_layer({"selection": "none", "measured_fraction": 0.0}), make_preset())
    assert row.selection_s == row.exact_s == 0
    assert row.bound == ""
    plain = layer_latency(make_layer(), make_preset())
    assert plain.projection_s == plain.approximation_s == plain.selection_s == 0
    assert plain.injected_s == plain.exact_s == plain.dense_fp32_s


def test_missing_precision_leaves_cells_empty(
    make_network: Any, layer_dict: Any, make_preset: Any
) -> None:
    preset = make_preset({"8": 100.0, "16": 40.0})
    network = make_network(layer_dict(None, name="a", exact_bits=8), layer_dict({}, name="b"))
    known, lacking, total = latency(network, preset)
    assert known.dense_fp32_s is None
    assert known.injected_s == known.dense_int8_s is not None
    assert lacking.injected_s is lacking.exact_s is lacking.projection_s is None
    assert lacking.bound == ""
    assert lacking.dense_fp16_s is not None
    assert total.dense_fp32_s is total.injected_s is total.exact_s is None
    assert total.dense_int8_s == 2 * known.dense_int8_s


def test_total_adds_layers(make_network: Any, layer_dict: Any, make_preset: Any) -> None:
    network = make_network(layer_dict(None, name="a"), layer_dict({}, name="b", exact_bits=8))
    first, second, total = latency(network, make_preset())
    assert (first.layer, second.layer, total.layer) == ("a", "b", "total")
    assert total.bound == ""
    for name in (
        "dense_fp32_s",
        "dense_fp16_s",
        "dense_int8_s",
        "injected_s",
        "projection_s",
        "approximation_s",
        "selection_s",
        "exact_s",
    ):
        assert getattr(total, name) == getattr(first, name) + getattr(second, name)


@given(st.floats(0, 1), st.floats(0, 1))
def test_latency_grows_with_the_fraction(
    make_layer: Any, make_preset: Any, one: float, other: float
) -> None:
    preset = make_preset()
    fast, slow = (
        layer_latency(make_layer({"measured_fraction": f}), preset) for f in sorted((one, other))
    )
    assert fast.injected_s <= slow.injected_s * (1 + 1e-12)


@pytest.mark.parametrize("selection", ["topk", "oracle"])
def test_oracle_is_slower_than_dense(make_layer: Any, make_preset: Any, selection: str) -> None:
    row = layer_latency(
        make_layer({"selection": selection, "measured_fraction": 1.0}), make_preset()
    )
    assert row.injected_s > row.dense_fp32_s


@given(batch=st.integers(1, 64), share=st.floats(0, 1))
def test_a_batch_takes_more_than_one_and_less_than_so_many(
    make_layer: Any, make_preset: Any, batch: int, share: float
) -> None:
    for selection in ("topk", "channel", "random"):
        layer = make_layer({"selection": selection, "measured_fraction": share})
        preset = make_preset()
        one, all_, more = (
            layer_latency(layer, preset, n).injected_s for n in (1, batch, batch + 1)
        )
        assert one <= all_ * (1 + 1e-12)
        assert all_ <= more * (1 + 1e-12)
        assert all_ <= batch * one * (1 + 1e-12)
