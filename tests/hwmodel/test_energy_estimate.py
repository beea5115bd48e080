"""Energy by hand with the constants of Horowitz's table, and its limits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwmodel
from hwmodel.energy_estimate import (
    Energy,
    add_pj,
    arithmetic_pj,
    dense_energy,
    injected_energy,
    mac_pj,
    phase_energy,
)
from hwmodel.energy_table import EnergyTable
from hwmodel.movement import movements
from hwmodel.roofline import exact_phase, injected_phases, projection_phase
from hwmodel.variants import at_bits

DENSE_MACS = 903_168
WEIGHTS, INPUTS, OUTPUTS = 32 * 144, 16 * 784, 196 * 32
BUFFER, MEMORY = 12.5, 162.5


@pytest.fixture(scope="module")
def table() -> EnergyTable:
    return hwmodel.load_energy_table("horowitz_45nm")


def test_multiply_accumulates(table: EnergyTable) -> None:
    assert mac_pj(table, 32, 32) == pytest.approx(3.7 + 0.9)
    assert mac_pj(table, 16, 16) == mac_pj(table, 4, 16) == pytest.approx(1.1 + 0.4)
    assert mac_pj(table, 8, 8) == pytest.approx(0.2 + 0.1)
    assert mac_pj(table, 4, 4) == pytest.approx(0.2 / 4 + 0.1)
    assert mac_pj(table, 32, 4) == mac_pj(table, 32, 32)


def test_additions(table: EnergyTable) -> None:
    assert add_pj(table, 8) == pytest.approx(0.03)
    assert add_pj(table, 32) == pytest.approx(0.1)
    assert add_pj(table, 4) == pytest.approx(0.015)
    assert add_pj(table, 20) == pytest.approx(0.065)


@given(st.integers(2, 31))
def test_wider_additions_cost_more(bits: int) -> None:
    found = hwmodel.load_energy_table("horowitz_45nm")
    assert add_pj(found, bits) < add_pj(found, bits + 1)


def test_dense(make_layer: Any, make_preset: Any, table: EnergyTable) -> None:
    """Everything crosses memory and buffer; at 4 bits as at 8, where nothing narrower multiplies."""
    moved = WEIGHTS + INPUTS + OUTPUTS
    for bits in (8, 4):
        found = dense_energy(make_layer(), bits, table, make_preset())
        assert found.arithmetic_pj == pytest.approx(DENSE_MACS * 0.3)
        assert found.buffer_pj == moved * BUFFER
        assert found.memory_pj == moved * MEMORY
    four = dense_energy(make_layer(), 4, table, make_preset({"4": 1.0}))
    assert four.arithmetic_pj == pytest.approx(DENSE_MACS * 0.15)
    assert four.memory_pj == moved / 2 * MEMORY


def test_a_batch_shares_weights(make_layer: Any, make_preset: Any, table: EnergyTable) -> None:
    found = dense_energy(make_layer(), 8, table, make_preset(), batch=5)
    assert found.memory_pj == (WEIGHTS + 5 * (INPUTS + OUTPUTS)) * MEMORY
    assert found.arithmetic_pj == pytest.approx(5 * DENSE_MACS * 0.3)


def test_injected(make_layer: Any, make_preset: Any, table: EnergyTable) -> None:
    """Half of the neurons in tiles of 4, of which 15 of 16 run; sparse P of 864 non-zeros.

    Sums of 48 numbers of 4 bits take 10, z~ of 18 products of 4 x 4 bits 13; W~ runs at 8 bits.
    Adding non-zeros is faster than 8-bit products here.
    """
    layer = make_layer({})
    found = injected_energy(layer, table, make_preset({"8": 1.0, "32": 1.0}))
    assert found is not None
    run = 1 - 0.5**4
    sums, compare = 0.03 + 0.07 * 2 / 24, 0.03 + 0.07 * 5 / 24
    arithmetic = (
        run * DENSE_MACS * 4.6
        + 196 * 18 * 32 * (0.2 + 0.1)
        + 196 * 864 * sums
        + INPUTS * 0.015
        + 196 * 18 * 0.015
        + 3 * OUTPUTS * compare
        + (WEIGHTS + INPUTS) * 4 * 0.3  # gathered
        + OUTPUTS * 0.01  # the mask searched
    )
    assert found.arithmetic_pj == pytest.approx(arithmetic)
    # All weight rows are needed by one of 196 positions; P has 864 indices of 8 bits and signs.
    weights = WEIGHTS * 4 + 864 * 9 / 8 + 32 * 18
    projected, score = 196 * 18, 13 / 8
    moved = INPUTS * 4 + projected + projected + OUTPUTS * (4 + score)  # P, W~
    moved += 3 * OUTPUTS * score + OUTPUTS / 8  # selection: scores three times, mask
    moved += INPUTS * 4 + OUTPUTS / 8 + run * OUTPUTS * 4  # exact
    assert found.memory_pj == pytest.approx((weights + moved) * MEMORY)
    assert found.buffer_pj == pytest.approx((weights + moved) * BUFFER)


def test_zeros_that_are_not_skipped_are_multiplied(
    make_layer: Any, make_preset: Any, table: EnergyTable
) -> None:
    layer = make_layer({})
    phase = projection_phase(layer, layer.injection, make_preset(skips_zeros=False))
    rounded = INPUTS * 0.015 + 196 * 18 * 0.015
    assert arithmetic_pj(phase, table) == pytest.approx(196 * 18 * 144 * 0.3 + rounded)
    real = make_layer({"projection": "gaussian", "nonzeros": 2592})
    phase = projection_phase(real, real.injection, make_preset())
    assert arithmetic_pj(phase, table) == pytest.approx(196 * 18 * 144 * 4.6 + rounded)
    floats = make_layer({"input_bits": 32})
    phase = projection_phase(floats, floats.injection, make_preset({"8": 1.0, "32": 1.0}))
    projected = 196 * 18 * 0.015
    assert arithmetic_pj(phase, table) == pytest.approx(196 * 864 * 0.9 + projected)


@pytest.mark.parametrize("dataflow", ["output_stationary", "weight_stationary"])
@pytest.mark.parametrize("changes", [{}, {"selection": "channel"}, {"selection": "4x4"}])
@pytest.mark.parametrize("batch", [1, 3])
def test_bytes_are_those_of_the_traffic(
    make_network: Any, layer_dict: Any, make_preset: Any, table: EnergyTable,
    dataflow: str, changes: Any, batch: int,
) -> None:  # fmt: skip
    array = {"rows": 32, "columns": 8, "dataflow": dataflow}
    preset = make_preset({"8": 100.0}, array=array, tile_outputs=8)
    network = make_network(layer_dict(changes, name="a", exact_bits=8))
    dense, *phases = movements(network, preset, batch)
    (row,) = [r for r in hwmodel.energy(network, table, preset, batch) if r.layer == "a"]
    for energy, parts in ((row.dense, [dense]), (row.injected, phases)):
        memory = sum(p.memory_weights + p.memory_inputs + p.memory_outputs for p in parts)
        inner = sum(
            (p.array_weights or 0) + (p.array_inputs or 0) + (p.array_outputs or 0) for p in parts
        )
        assert inner > memory
        assert energy.memory_pj == pytest.approx(memory * MEMORY)
        assert energy.buffer_pj == pytest.approx((memory + inner) * BUFFER)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_tiles_that_time_runs_take_energy(
    make_layer: Any, make_preset: Any, table: EnergyTable, share: float
) -> None:
    """Multiply-accumulates in proportion to the time on the multipliers, what picks them aside."""
    table = table.model_copy(update={"gather_pj_per_byte": None, "mask_pj_per_bit": None})
    layer, full = make_layer({"measured_fraction": share}), make_layer({"measured_fraction": 1.0})
    for tile in (1, 4, 16):
        preset = make_preset(tile_outputs=tile)
        some, all_ = (exact_phase(x, x.injection, preset) for x in (layer, full))
        assert arithmetic_pj(some, table) / arithmetic_pj(all_, table) == pytest.approx(
            some.compute_s / all_.compute_s
        )


def test_limits(make_layer: Any, make_preset: Any, table: EnergyTable) -> None:
    """With all neurons exact and nothing judged, injection costs what dense does."""
    preset = make_preset()
    layer = make_layer({"selection": "all", "measured_fraction": 1.0}, exact_bits=8)
    assert injected_energy(layer, table, preset) == dense_energy(layer, 8, table, preset)
    plain = make_layer(exact_bits=16)
    assert injected_energy(plain, table, preset) == dense_energy(plain, 16, table, preset)
    nothing = make_layer({"selection": "none", "measured_fraction": 0.0, "noise": "zero"})
    phases = injected_phases(at_bits(nothing, 8), preset)
    assert phases is not None
    found = [phase_energy(phase, preset, table) for phase in phases]
    assert found[:2] == [Energy(0, 0, 0)] * 2
    assert sum(part.arithmetic_pj for part in found) == 0
    assert injected_energy(layer, table, make_preset({"4": 1.0})) is None


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from([8, 16, 32]))
def test_more_exact_neurons_take_more(
    make_layer: Any, make_preset: Any, one: float, other: float, bits: int
) -> None:
    found, preset = hwmodel.load_energy_table("horowitz_45nm"), make_preset()
    layers = (make_layer({"measured_fraction": f}, exact_bits=bits) for f in sorted((one, other)))
    less, more = (injected_energy(layer, found, preset) for layer in layers)
    assert less is not None
    assert more is not None
    assert less.total_pj <= more.total_pj * (1 + 1e-12)


def test_rows_add_up(
    make_network: Any, layer_dict: Any, make_preset: Any, table: EnergyTable
) -> None:
    network = make_network(layer_dict(None, name="a"), layer_dict({}, name="b"))
    rows = hwmodel.energy(network, table, make_preset())
    assert [(row.layer, row.bits, row.evaluated) for row in rows[-3:]] == [
        ("total", 32, True), ("total", 16, False), ("total", 8, False),
    ]  # fmt: skip
    for total in rows[-3:]:
        parts = [row for row in rows[:-3] if row.bits == total.bits]
        assert total.injected.total_pj == pytest.approx(sum(p.injected.total_pj for p in parts))
        assert total.dense.memory_pj == pytest.approx(sum(p.dense.memory_pj for p in parts))
        saved = 1 - total.injected.total_pj / total.dense.total_pj
        assert total.reduction == pytest.approx(saved)


def test_widths_that_the_platform_has(
    make_network: Any, layer_dict: Any, make_preset: Any, table: EnergyTable
) -> None:
    """Each layer, and in total what all of them can run; 4 bits where there is a rate for them."""
    network = make_network(layer_dict(None, name="a"), layer_dict({"input_bits": 32}, name="b"))
    for widths, of_a, of_both in (
        ({"8": 1.0, "16": 1.0}, [16, 8], []),
        ({"4": 1.0, "32": 1.0}, [32, 16, 8, 4], [32, 16, 8, 4]),
        ({"8": 1.0, "32": 1.0}, [32, 16, 8], [32, 16, 8]),
    ):
        found: dict[str, list[int]] = {"a": [], "b": [], "total": []}
        for row in hwmodel.energy(network, table, make_preset(widths, skips_zeros=False)):
            found[row.layer].append(row.bits)
        assert (found["a"], found["b"], found["total"]) == (of_a, of_both, of_both)


def test_what_stays_on_the_chip_takes_the_buffer_s_energy_alone(
    make_layer: Any, make_preset: Any, table: EnergyTable
) -> None:
    layer = make_layer({"selection": "threshold"}, exact_bits=8)
    for phase in injected_phases(layer, make_preset(schedule="fused")) or ():
        found = phase_energy(phase, make_preset(), table)
        assert found.memory_pj == pytest.approx(phase.moved.total * MEMORY)
        assert found.buffer_pj == pytest.approx((phase.moved.total + phase.kept.total) * BUFFER)
    assert phase.kept.total > 0
