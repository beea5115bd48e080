"""Energy by hand with the constants of Horowitz's table, its limits, and faulty tables."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwmodel
from hwmodel.energy_estimate import (
    add_pj,
    arithmetic_pj,
    dense_energy,
    injected_energy,
    mac_pj,
    projection_pj,
)
from hwmodel.energy_table import EnergyTable

DENSE_MACS = 903_168


WEIGHTS, INPUTS, OUTPUTS = 32 * 144, 16 * 784, 196 * 32


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


def test_dense(make_layer: Any, table: EnergyTable) -> None:
    found = dense_energy(make_layer(), 8, table)
    assert found.arithmetic_pj == pytest.approx(DENSE_MACS * 0.3)
    assert found.buffer_pj == (INPUTS + OUTPUTS) * 12.5
    assert found.memory_pj == WEIGHTS * 162.5


def test_injected(make_layer: Any, table: EnergyTable) -> None:
    """Half of the neurons, sparse P of 864 non-zeros: sums of 48 numbers of 4 bits take 10."""
    layer = make_layer({})
    found = injected_energy(layer, 32, table)
    sums = 0.03 + 0.07 * 2 / 24
    compare = 0.03 + 0.07 * 5 / 24  # z~ of 18 products of 4 x 4 bits takes 13
    arithmetic = (
        DENSE_MACS / 2 * 4.6
        + 196 * 18 * 32 * (0.05 + 0.1)
        + 196 * 864 * sums
        + INPUTS * 0.015
        + 196 * 18 * 0.015
        + 3 * OUTPUTS * compare
    )
    assert found.arithmetic_pj == pytest.approx(arithmetic)
    # All weight rows are needed by one of 196 positions; P has 864 indices of 8 bits and signs.
    weights = WEIGHTS * 4 + 864 * 9 / 8 + 32 * 18 / 2
    assert found.memory_pj == pytest.approx(weights * 162.5)
    projected = 196 * 18 / 2
    moved = INPUTS * 4 + projected + projected + OUTPUTS * 4  # projection, approximation
    moved += OUTPUTS * 4 + OUTPUTS / 8  # selection: scores, mask
    moved += INPUTS * 4 + OUTPUTS / 8 + OUTPUTS * 4 / 2  # exact
    assert found.buffer_pj == pytest.approx(moved * 12.5)


def test_real_and_unrounded_projections(make_layer: Any, table: EnergyTable) -> None:
    real = make_layer({"projection": "gaussian", "nonzeros": 2592})
    assert projection_pj(real, real.injection, table) == pytest.approx(196 * 18 * 144 * 4.6)
    floats = make_layer({"input_bits": 32})
    assert projection_pj(floats, floats.injection, table) == pytest.approx(196 * 864 * 0.9)


def test_limits(make_layer: Any, table: EnergyTable) -> None:
    """With all neurons exact and nothing judged, injection costs what dense does."""
    layer = make_layer({"selection": "all", "measured_fraction": 1.0})
    assert injected_energy(layer, 8, table) == dense_energy(layer, 8, table)
    plain = make_layer()
    assert injected_energy(plain, 16, table) == dense_energy(plain, 16, table)
    nothing = make_layer({"selection": "none", "measured_fraction": 0.0, "noise": "zero"})
    assert arithmetic_pj(nothing, nothing.injection, 8, table) == 0


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from([8, 16, 32]))
def test_more_exact_neurons_take_more(make_layer: Any, one: float, other: float, bits: int) -> None:
    found = hwmodel.load_energy_table("horowitz_45nm")
    less, more = (
        injected_energy(make_layer({"measured_fraction": share}), bits, found).total_pj
        for share in sorted((one, other))
    )
    assert less <= more * (1 + 1e-12)


def test_rows_add_up(make_network: Any, layer_dict: Any, table: EnergyTable) -> None:
    network = make_network(layer_dict(None, name="a"), layer_dict({}, name="b"))
    rows = hwmodel.energy(network, table)
    assert [(row.layer, row.bits, row.evaluated) for row in rows[-3:]] == [
        ("total", 32, True), ("total", 16, False), ("total", 8, False),
    ]  # fmt: skip
    for total in rows[-3:]:
        parts = [row for row in rows[:-3] if row.bits == total.bits]
        assert total.injected.total_pj == pytest.approx(sum(p.injected.total_pj for p in parts))
        assert total.dense.memory_pj == pytest.approx(sum(p.dense.memory_pj for p in parts))
        saved = 1 - total.injected.total_pj / total.dense.total_pj
        assert total.reduction == pytest.approx(saved)
