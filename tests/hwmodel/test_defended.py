"""What a defence other than an injection costs: operations, time, bytes and energy, by hand."""

from typing import Any

import pytest

import hwmodel
from hwmodel import bitops
from hwmodel.bitops import Term
from hwmodel.defended import own_phase
from hwmodel.energy_estimate import arithmetic_pj, injected_energy
from hwmodel.hypothetical import read_granularity
from hwmodel.layer_latency import layer_latency
from hwmodel.layer_spec import Layer
from hwmodel.roofline import injected_phases, named_phases
from hwmodel.whole_layer import dense_phase

MACS, WEIGHTS, INPUTS, OUTPUTS = 903_168, 32 * 144, 16 * 784, 196 * 32
NOISE = {"draws": 100, "macs": 200, "additions": 30, "stored": 50}
TWO_OF_FOUR = {"nonzeros": WEIGHTS // 2, "n_of_m": [2, 4]}


@pytest.fixture
def defended(make_layer: Any) -> Any:
    def make(bits: int = 32, **defence: Any) -> Layer:
        layer: Layer = make_layer(None, exact_bits=bits, defence={"name": "test", **defence})
        return layer

    return make


def test_operations_and_bitops_of_noise(defended: Any) -> None:
    """M = 196, n = 32, d = 144; three additions of 32 bits for each draw."""
    assert bitops.layer_terms(defended(**NOISE), 32) == (
        Term("conv", "exact", MACS, 0, 0, 0, "32x32", MACS * 1024),
        Term("conv", "defence", 200, 330, 0, 0, "32", 200 * 1024 + 330 * 32),
    )


def test_at_fewer_bits_a_draw_stays_as_wide(defended: Any) -> None:
    """8 x 8 products of 144 inputs add up to 24 bits."""
    _, term = bitops.layer_terms(defended(**NOISE), 8)
    assert term.bits == "24"
    assert term.bitops == 200 * 24 * 24 + 30 * 24 + 300 * 32


def test_operations_of_a_ranking_and_of_comparisons(defended: Any) -> None:
    _, term = bitops.layer_terms(defended(ranked=1000, comparisons=7), 32)
    assert (term.comparisons, term.bitops) == (3007, 3007 * 32)


def test_products_of_weights_that_are_zero_are_not_counted(defended: Any) -> None:
    exact, added = bitops.layer_terms(defended(**TWO_OF_FOUR), 32)
    assert (exact.macs, exact.bitops) == (MACS / 2, MACS / 2 * 1024)
    assert (added.macs, added.bitops) == (0, 0)


def test_reductions_have_it_among_the_overheads(defended: Any, make_network: Any) -> None:
    network = hwmodel.Network(
        version=5, model="m", input_shape=(1, 28, 28), layers=(defended(**NOISE),)
    )
    row = next(
        r for r in hwmodel.reductions(network) if r.layer == "total" and r.baseline == "fp32"
    )
    assert row.reduction_without == 0
    assert row.reduction_with == pytest.approx(-(200 * 1024 + 330 * 32) / (MACS * 1024))
    at_8 = make_network({**_json(defended(8))})
    fp32 = {r.baseline: r for r in hwmodel.reductions(at_8) if r.variant == "as_evaluated"}["fp32"]
    assert fp32.reduction_with == 1 - 64 / 1024
    assert fp32.evaluated


def _json(layer: Layer) -> dict[str, Any]:
    found: dict[str, Any] = layer.model_dump(mode="json")
    return found


def test_time_of_what_is_added(defended: Any, make_preset: Any) -> None:
    """At 10 Hz, 5 a cycle, half used in a row and a fifth where it jumps: 25 and 10 a second."""
    preset = make_preset()
    dense = dense_phase(defended(), preset, 32)
    phase = own_phase(defended(**NOISE, ranked=10), preset)
    assert phase.product_s == dense.product_s
    assert phase.other_s == pytest.approx((300 + 200 + 30) / 25 + 30 / 10)
    assert phase.moved.total == dense.moved.total + 4 * 50
    assert injected_phases(defended(**NOISE, ranked=10), preset)[3] == phase  # type: ignore[index]
    row = layer_latency(defended(**NOISE, ranked=10), preset)
    assert row.dense_fp32_s == dense.seconds
    assert row.injected_s == row.exact_s == phase.seconds
    assert [name for name, _ in named_phases(defended(**NOISE), preset, 1)] == ["dense", "exact"]


def test_energy_of_what_is_added(defended: Any, make_preset: Any) -> None:
    """Horowitz: integer additions 0.1, floating point 0.9 and 3.7 pJ, all of 32 bits."""
    table, preset = hwmodel.load_energy_table("horowitz_45nm"), make_preset()
    added = arithmetic_pj(own_phase(defended(**NOISE, ranked=10), preset), table)
    plain = arithmetic_pj(own_phase(defended(), preset), table)
    assert added - plain == pytest.approx(330 * 0.1 + 30 * 0.9 + 200 * 4.6)
    integers = arithmetic_pj(own_phase(defended(8, macs=10), preset), table)
    assert integers - arithmetic_pj(own_phase(defended(8), preset), table) > 0
    energy = injected_energy(defended(**NOISE), table, preset)
    assert energy is not None
    assert energy.total_pj > injected_energy(defended(), table, preset).total_pj  # type: ignore[union-attr]


def test_two_of_four_runs_on_multipliers_for_it_alone(defended: Any, make_preset: Any) -> None:
    layer = defended(8, **TWO_OF_FOUR)
    plain, able = make_preset(), make_preset(skips_two_of_four=True)
    assert own_phase(layer, plain) == dense_phase(layer, plain, 8)
    dense, sparse = dense_phase(layer, able, 8), own_phase(layer, able)
    assert sparse.product_s == pytest.approx(dense.product_s / 2, rel=0.01)
    assert sparse.moved.weights == WEIGHTS * (4 + 1) / 8  # half of them, with 2 bits of where
    assert sparse.gathered == sparse.moved.inputs
    assert own_phase(defended(8, nonzeros=WEIGHTS // 2), able) == dense


def test_layers_with_other_defences_are_not_alike(defended: Any) -> None:
    assert defended().shape != defended(draws=1).shape != defended(draws=2).shape
    assert defended(draws=1).shape == defended(draws=1).shape


def test_a_hypothetical_injection_takes_its_place(defended: Any, make_network: Any) -> None:
    """First and last stay exact."""
    layers = [_json(defended(**NOISE)) | {"name": name, "out_channels": 32} for name in "abc"]
    network = hwmodel.injected(
        make_network(*layers), projection="ternary:shared", ratio=0.125, fraction=0.25,
        granularity=read_granularity("1x1"),
    )  # fmt: skip
    assert all(layer.defence is None for layer in network.layers)
    assert network.layers[1].injection is not None
