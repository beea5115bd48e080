"""Accesses by level: by hand, as ZigZag counts them, and their limits."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwmodel
from hwmodel.energy_estimate import phase_energy
from hwmodel.level_accesses import level_accesses, level_pj
from hwmodel.roofline import dense_phase, injected_phases

DATA = Path(__file__).parent / "data"


def zigzag(name: str) -> tuple[hwmodel.Preset, hwmodel.EnergyTable]:
    named = str(DATA / f"zigzag_{name}")
    return (
        hwmodel.load_preset(f"{named}.preset.toml"),
        hwmodel.load_energy_table(f"{named}.energy.toml"),
    )


def with_levels(levels: dict[str, Any]) -> hwmodel.EnergyTable:
    def sourced(value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"value": value, "tag": "assumed", "source": "test"}
        return value

    data = hwmodel.load_energy_table("horowitz_45nm").model_dump()
    made = {n: {k: sourced(v) for k, v in level.items()} for n, level in levels.items()}
    return hwmodel.EnergyTable.model_validate(data | {"levels": made})


BOTH = {"read_pj_per_byte": 1.0, "write_pj_per_byte": 2.0}


def test_words_that_zigzag_counts(make_layer: Any) -> None:
    """A 3 x 3 layer of 64 channels at 32 x 32 on tpu_like: the file that ZigZag 3.9.1 dumps.

    It has 37,748,736 reads of a weight and of a sum of 2 bytes at the multipliers, 36,864 weights
    written there, 4,608 reads of 256 bytes of inputs from the SRAM, 256 writes, and 256 writes of
    outputs.
    """
    preset, table = zigzag("tpu_like")
    same = {"in_channels": 64, "out_channels": 64, "in_size": [32, 32], "stride": [1, 1]}
    layer = make_layer(None, exact_bits=8, **same)
    found = {
        (a.level, a.operand): (a.read, a.written)
        for a in level_accesses(dense_phase(layer, preset, 8), preset, table)
    }
    assert found["rf_128B", "weights"] == (37_748_736, 36_864)
    assert found["rf_2B", "sums"][1] == 2 * 37_748_736
    assert found["sram_2MB", "inputs"] == (4_608 * 256, 256 * 256)
    assert found["sram_2MB", "sums"][0] == 65_536


def test_one_level_by_hand(make_layer: Any, make_preset: Any) -> None:
    """196 x 144 x 32 in boxes of 4 positions, 8 neurons and 2 channels, all held on the chip.

    Inputs are given for each of 4 turns of neurons, weights for 49 of positions, and a sum for each
    of 72 of depth, all but the first of which are given back.
    """
    box = {"neurons": 8, "channels": 2, "positions": 4}
    preset = make_preset({"8": 64.0}, unrolled=box)
    table = with_levels({"sram": {"holds": ["inputs", "weights", "sums"], **BOTH}})
    found = level_accesses(dense_phase(make_layer(None, exact_bits=8), preset, 8), preset, table)
    inputs, weights, sums = found
    assert (inputs.read, inputs.written) == (196 * 144 * 4, 16 * 784)
    assert (weights.read, weights.written) == (32 * 144 * 49, 32 * 144)
    assert (sums.read, sums.written) == (4 * 196 * 32 * 71 + 196 * 32, 4 * 196 * 32 * 72)


def test_registers_at_the_multipliers_take_every_operation(
    make_layer: Any, make_preset: Any
) -> None:
    """Each of 4 multipliers that share a weight has it in its own register."""
    preset = make_preset({"8": 64.0}, unrolled={"neurons": 8, "channels": 2, "positions": 4})
    holds = {"holds": ["weights"], "at_multipliers": True, **BOTH}
    layer, macs = make_layer(None, exact_bits=8), 196 * 144 * 32
    phase = dense_phase(layer, preset, 8)
    for capacity, entering in ((1e6, 32 * 144), (64.0, 32 * 144)):
        table = with_levels(
            {
                "register": {**holds, "capacity_bytes": capacity},
                "sram": {"holds": ["weights", "inputs"], **BOTH},
            }
        )
        register, sram = (a for a in level_accesses(phase, preset, table) if a.operand == "weights")
        assert (register.read, register.written) == (macs, 4 * entering)
        assert (sram.read, sram.written) == (entering, 32 * 144)


def test_phases_without_products_pass_the_outermost_level(
    make_layer: Any, make_preset: Any
) -> None:
    preset = make_preset()
    table = with_levels(
        {
            "register": {"holds": ["sums"], "at_multipliers": True, **BOTH},
            "sram": {"holds": ["inputs", "sums"], **BOTH},
        }
    )
    layer = make_layer({"selection": "topk"}, exact_bits=8)
    selection = injected_phases(layer, preset)[2]
    inputs, sums = level_accesses(selection, preset, table)
    assert (inputs.level, inputs.read, inputs.written) == (
        "sram", selection.moved.inputs, selection.moved.inputs,
    )  # fmt: skip
    assert (sums.level, sums.read) == ("sram", selection.moved.outputs)


def test_energies_add_up(make_layer: Any) -> None:
    preset, table = zigzag("edge_tpu_like")
    phase = dense_phase(make_layer(None, exact_bits=8), preset, 8)
    accesses = level_accesses(phase, preset, table)
    assert phase_energy(phase, preset, table).buffer_pj == level_pj(accesses, table.levels)
    written = phase.moved.outputs
    assert phase_energy(phase, preset, table).memory_pj == pytest.approx(
        (phase.moved.total - written) * 700 / 8 + written * 750 / 8
    )


@given(st.floats(1, 1e6), st.floats(1, 100), st.sampled_from(["tpu_like", "edge_tpu_like"]))
def test_a_larger_level_takes_no_more(
    make_layer: Any, capacity: float, times: float, name: str
) -> None:
    preset, table = zigzag(name)
    phase = dense_phase(make_layer(None, exact_bits=8), preset, 8)
    for level in table.levels or {}:
        energies = []
        for size in (capacity, times * capacity):
            held = table.levels[level].model_copy(
                update={"capacity_bytes": preset.clock_hz.model_copy(update={"value": size})}
            )
            changed = table.model_copy(update={"levels": table.levels | {level: held}})
            energies.append(phase_energy(phase, preset, changed).total_pj)
        assert energies[1] <= energies[0] * (1 + 1e-12)
