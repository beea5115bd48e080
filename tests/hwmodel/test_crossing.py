"""What crosses more than once, of inputs, weights, sums, and of products of activations."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwmodel
from hwmodel.crossing import Crossings
from hwmodel.energy_estimate import phase_energy
from hwmodel.refetch import Passes
from hwmodel.roofline import dense_phase, injected_phases, named_phases
from hwmodel.traffic import Traffic, dense_traffic


def buffered(preset: hwmodel.Preset, size: float | None) -> hwmodel.Preset:
    sourced = {"value": size, "tag": "assumed", "source": "test"}
    data = preset.model_dump() | {"buffer_bytes": sourced if size else None}
    return hwmodel.Preset.model_validate(data)


def test_operands_cross_as_often_as_they_are_fetched() -> None:
    once = Traffic(weights=10, inputs=100, outputs=7)
    assert Crossings(Passes(3, 2), 0.0, 5.0).applied(once) == Traffic(20, 300, 17)
    both = Traffic(weights=0, inputs=100, outputs=7)
    assert Crossings(Passes(3, 2), 40.0, 0.0).applied(both) == Traffic(0, 3 * 60 + 2 * 40, 7)
    kept = Traffic(weights=10, inputs=0, outputs=7)
    assert Crossings(Passes(3, 2), 0.0, 0.0).applied(kept) == Traffic(20, 0, 7)


@pytest.mark.parametrize("name", hwmodel.preset_names())
@pytest.mark.parametrize("selection", ["topk", "threshold", "channel", "4x2", "2:4"])
@given(
    st.floats(1, 1e6),
    st.floats(1, 100),
    st.sampled_from(["serial", "fused", "overlapped"]),
    st.sampled_from([1, 4]),
    st.sampled_from([16, 128]),
)
def test_more_buffer_is_never_more_bytes_time_of_memory_or_energy(
    make_layer: Any,
    name: str,
    selection: str,
    small: float,
    times: float,
    order: Any,
    batch: int,
    channels: int,
) -> None:
    changes = {"in_channels": channels, "exact_bits": 8}
    layer = make_layer({"selection": selection}, **changes)
    preset = hwmodel.load_preset(name)
    schedule = preset.schedule.model_copy(update={"value": order})
    preset = preset.model_copy(update={"schedule": schedule})
    table = hwmodel.load_energy_table("horowitz_45nm")
    totals = []
    for size in (small, small * times, None):
        there = buffered(preset, size)
        phases = [p for _, p in named_phases(layer, there, batch)]
        energies = [phase_energy(p, there, table).memory_pj for p in phases]
        totals.append(
            (sum(p.moved.total for p in phases), sum(p.memory_s for p in phases), sum(energies))
        )
    for less, more in zip(totals[1:], totals, strict=False):
        assert all(a <= b * (1 + 1e-12) for a, b in zip(less, more, strict=True))


@pytest.mark.parametrize("name", hwmodel.preset_names())
def test_an_ample_buffer_changes_nothing(make_layer: Any, name: str) -> None:
    layer, preset = make_layer({"selection": "topk"}, exact_bits=8), hwmodel.load_preset(name)
    for large, without in zip(
        injected_phases(layer, buffered(preset, 1e9)), injected_phases(layer, buffered(preset, None)),
        strict=True,
    ):  # fmt: skip
        assert large.moved == without.moved
        assert large == without


def test_weights_of_a_layer_by_hand(make_layer: Any) -> None:
    """32 x 144 weights of one byte, 12,544 inputs, on 32 x 32, output stationary, 8 kB held of 16.

    All neurons are one fold: inputs stream once. The weights are 4,608 bytes, and held.
    At 4 kB of which 2 are held, they come for each of 7 turns of positions.
    """
    layer, preset = make_layer(None, exact_bits=8), hwmodel.load_preset("systolic_32x32")
    held = dense_phase(layer, buffered(preset, 16_000), 8)
    assert held.moved == dense_traffic(layer, 8)
    again = dense_phase(layer, buffered(preset, 4_000), 8)
    assert again.moved.weights == 7 * 4608
    assert again.moved.inputs == held.moved.inputs


def test_partial_sums_that_spill_are_written_and_read_back(make_layer: Any) -> None:
    """144 inputs on 128 rows are 2 folds: one partial sum of 4 bytes goes, and comes."""
    layer, preset = make_layer(None, exact_bits=8), hwmodel.load_preset("systolic_128x64")
    phase = dense_phase(layer, buffered(preset, 200), 8)
    assert phase.spilled == 4 * 196 * 32
    assert phase.moved.outputs == 196 * 32 + 2 * phase.spilled


def test_heads_fetch_either_operand_again(make_layer: Any) -> None:
    flat = {"kernel_size": [1, 1], "stride": [1, 1], "padding": [0, 0], "in_size": [1, 64]}
    layer = make_layer(
        None, kind="matmul", in_channels=256, out_channels=256, groups=4, exact_bits=8, **flat
    )
    preset = hwmodel.load_preset("edge_npu")
    once = dense_phase(layer, buffered(preset, None), 8)
    again = dense_phase(layer, buffered(preset, 4096), 8)
    assert once.moved.weights == again.moved.weights == 0
    assert once.moved.inputs == 4 * (64 * 64 + 64 * 64)
    assert again.moved.inputs == 4 * (64 * 64 + 2 * 64 * 64)


@pytest.mark.parametrize(
    ("name", "selection", "order"),
    [("systolic_32x32", "2:4", "fused"), ("edge_npu", "channel", "serial"),
     ("server_cpu", "channel", "serial"), ("server_cpu", "4x2", "overlapped")],
)  # fmt: skip
def test_a_larger_buffer_moves_no_more_of_a_layer_of_a_network(
    make_layer: Any, name: str, selection: str, order: str
) -> None:
    """64 channels at 32 x 32, of which some inputs stay on the chip, or weights are gathered."""
    same = {"kernel_size": [3, 3], "stride": [1, 1], "padding": [1, 1], "in_size": [32, 32]}
    layer = make_layer(
        {"selection": selection}, in_channels=64, out_channels=64, exact_bits=8, **same
    )
    preset = hwmodel.load_preset(name)
    sourced = {"value": order, "tag": "assumed", "source": "test"}
    preset = hwmodel.Preset.model_validate(preset.model_dump() | {"schedule": sourced})
    sizes = (1e3, 8e3, 2e4, 4e4, 8e4, 1.6e5, 3e5, 1e6, 1e7)
    moved = [
        sum(p.moved.total for p in injected_phases(layer, buffered(preset, size), 4) or ())
        for size in sizes
    ]
    assert moved == sorted(moved, reverse=True)
