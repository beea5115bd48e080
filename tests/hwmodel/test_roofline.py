from math import comb
from typing import Any

import pytest

from hwmodel import roofline
from hwmodel.layer_latency import layer_latency
from hwmodel.phase import Phase
from hwmodel.product import Product, dense_product

DENSE_MACS = 903_168


DENSE_BYTES = 32 * 144 + 16 * 784 + 196 * 32


FAST_MEMORY = {"bandwidth_bytes_per_s": 1e12}


def test_phase() -> None:
    assert Phase(3.0, 0.0, 2.0, 0.5).seconds == 3.5
    assert Phase(3.0, 0.0, 2.0, 0.5).bound == "compute"
    assert Phase(1.0, 0.0, 2.0, 0.5).seconds == 2.5
    assert Phase(1.0, 0.0, 2.0, 0.5).bound == "memory"
    assert Phase(2.0, 0.0, 2.0, 0.5).bound == "compute"
    assert Phase(0.0, 0.0, 2.0, 0.5).seconds == 2.5
    assert Phase(0.0, 0.0, 2.0, 0.5).bound == "memory"
    assert Phase(0.0, 0.0, 0.0, 0.5).seconds == 0
    assert Phase(0.0, 0.0, 0.0, 0.5).bound == ""


def test_dense_compute_bound(make_layer: Any, make_preset: Any) -> None:
    phase = roofline.dense_phase(make_layer(), make_preset(), 8)
    assert phase.compute_s == pytest.approx(DENSE_MACS / (1000 * 0.5))
    assert (phase.memory_s, phase.overhead_s) == (DENSE_BYTES / 1000, 0.25)
    assert phase.bound == "compute"


def test_dense_memory_bound(make_layer: Any, make_preset: Any) -> None:
    preset = make_preset(bandwidth_bytes_per_s=1.0)
    row = layer_latency(make_layer(exact_bits=8), preset)
    assert row.dense_int8_s == row.injected_s == row.exact_s == DENSE_BYTES + 0.25
    assert row.bound == "memory"


def test_baselines_use_their_own_precision(make_layer: Any, make_preset: Any) -> None:
    row = layer_latency(make_layer(), make_preset(**FAST_MEMORY))
    assert row.dense_fp32_s == pytest.approx(DENSE_MACS / 100 + 0.25)
    assert row.dense_fp16_s == pytest.approx(DENSE_MACS / 200 + 0.25)
    assert row.dense_int8_s == pytest.approx(DENSE_MACS / 500 + 0.25)


def test_four_bits_gain_nothing_without_four_bit_hardware(
    make_layer: Any, make_preset: Any
) -> None:
    layers = [make_layer({"weight_bits": bits, "projected_bits": bits}) for bits in (4, 8)]
    phases = [roofline.approximation_phase(x, x.injection, make_preset()) for x in layers]
    assert phases[0].compute_s == phases[1].compute_s
    assert phases[0].moved.inputs == phases[1].moved.inputs
    with_four = make_preset({"4": 200.0, "8": 100.0, "32": 20.0})
    phases = [roofline.approximation_phase(x, x.injection, with_four) for x in layers]
    assert phases[0].compute_s == phases[1].compute_s / 2
    assert phases[0].memory_s < phases[1].memory_s


def test_approximation_runs_at_the_wider_operand(make_layer: Any, make_preset: Any) -> None:
    layer = make_layer({"weight_bits": 4, "projected_bits": 16})
    phase = roofline.approximation_phase(layer, layer.injection, make_preset())
    score = (4 + 16 + 5) / 8
    macs, moved = 112_896, 2 * (32 * 18 + 196 * 18) + (4 + score) * 6272
    assert phase == Phase(macs / 200, 0.0, moved / 1000, 0.25)


def test_sparse_projection_is_additions_and_roundings(make_layer: Any, make_preset: Any) -> None:
    layer = make_layer({})
    phase = roofline.projection_phase(layer, layer.injection, make_preset({"8": 1.0, "32": 1.0}))
    assert phase.compute_s == pytest.approx(169_344 / (50 * 0.2) + 16_072 / (50 * 0.5))
    assert phase.work is None
    assert phase.memory_s == (864 * 9 / 8 + 16 * 784 * 4 + 196 * 18) / 1000


def test_a_sparse_projection_runs_dense_where_that_is_faster(
    make_layer: Any, make_preset: Any
) -> None:
    """196 x 20 x 144 MACs at 500 a second, against 169,344 additions at 10."""
    layer = make_layer({})
    for skips in (True, False):
        preset = make_preset(skips_zeros=skips)
        phase = roofline.projection_phase(layer, layer.injection, preset)
        assert phase.compute_s == pytest.approx(196 * 20 * 144 / 500 + 16_072 / 25)
        assert phase.work is not None


def test_projection_without_zero_skipping_is_a_dense_matrix(
    make_layer: Any, make_preset: Any
) -> None:
    preset = make_preset(skips_zeros=False)
    layer = make_layer({"input_bits": 16})
    phase = roofline.projection_phase(layer, layer.injection, preset)
    assert phase.compute_s == pytest.approx(196 * 20 * 144 / 200 + 16_072 / 25)
    shared = make_layer({"projection": "tap_shared", "k_c": 2, "nonzeros": 10})
    phase = roofline.projection_phase(shared, shared.injection, preset)
    assert phase.compute_s == pytest.approx(784 * 4 * 16 / 500 + (12_544 + 784 * 2) / 25)


def test_outputs_fill_tiles_and_take_time(make_layer: Any, make_preset: Any) -> None:
    """26 neurons take the lanes of 28, two groups of 13 those of 32 unless lanes mix groups.

    At 8 bits 5 outputs a cycle are finished.
    """
    apart = make_preset(outputs_per_cycle={"8": 5.0})
    mixed = make_preset(outputs_per_cycle={"8": 5.0}, mixes_groups=True)
    one, two = make_layer(None, out_channels=26), make_layer(None, out_channels=26, groups=2)
    for layer, preset, d, lanes in (
        (one, apart, 144, 28), (two, apart, 72, 32), (two, mixed, 72, 28)
    ):  # fmt: skip
        for bits, each in ((8, d / 500 + 1 / 50), (16, d / 200)):
            phase = roofline.dense_phase(layer, preset, bits, batch=3)
            assert phase.compute_s == pytest.approx(3 * 196 * lanes * each)


@pytest.mark.parametrize("per_group", [1, 8, 24])
@pytest.mark.parametrize("loads", [None, "measured"])
def test_groups_have_tiles_of_their_own(
    make_layer: Any, make_preset: Any, per_group: int, loads: str | None
) -> None:
    """A tile of 16 has 1, 8 or 16 neurons of a group: 1 - 0.9^n of them run.

    Where lanes mix groups they are cut from all neurons, and what was measured within groups tells
    nothing of them.
    """
    within = min(16, per_group)
    shares = [comb(within, j) * 0.1**j * 0.9 ** (within - j) for j in range(within + 1)]
    found = {
        "selection": "topk", "fraction": 0.1, "measured_fraction": 0.1, "k": 2, "nonzeros": 2,
        "loads": loads and {"16": [*shares, *[0.0] * (16 - within)]},
    }  # fmt: skip
    sizes = {"in_channels": 4 * per_group, "out_channels": 4 * per_group, "exact_bits": 8}
    grouped = make_layer(found, groups=4, **sizes)
    one = make_layer(found, in_channels=per_group, out_channels=per_group, exact_bits=8)
    for tiles in ({"tile_outputs": 16}, {"elements": {"neurons": 16, "in_step": 8}}):
        apart, mixed = make_preset(**tiles), make_preset(**tiles, mixes_groups=True)
        own, alone = (roofline.exact_phase(x, x.injection, apart).work for x in (grouped, one))
        assert own.share == pytest.approx(alone.share)
        assert own.waiting == pytest.approx(alone.waiting)
        if "elements" not in tiles:
            assert own.share == pytest.approx(1 - 0.9**within)
            across = roofline.exact_phase(grouped, grouped.injection, mixed).work
            assert across.share == pytest.approx(1 - 0.9 ** min(16, 4 * per_group))


def test_measured_tiles_of_whole_groups_are_those_of_mixed_lanes_too(
    make_layer: Any, make_preset: Any
) -> None:
    found = {"selection": "topk", "measured_fraction": 0.25, "loads": {"4": [0.5, 0, 0.5, 0, 0]}}
    layer = make_layer(found, groups=2)
    for preset in (make_preset(), make_preset(mixes_groups=True)):
        assert roofline.exact_phase(layer, layer.injection, preset).work.share == 0.5


def test_additions_need_no_multiplier(make_layer: Any, make_preset: Any) -> None:
    """Inputs of P at 16 bits, where nothing multiplies more than 8."""
    layer = make_layer({"input_bits": 16}, exact_bits=8)
    phase = roofline.projection_phase(layer, layer.injection, make_preset({"8": 100.0}))
    assert phase.work is None
    assert phase.compute_s == pytest.approx(169_344 / 10 + 3_528 / 25)
    lacking = make_preset({"8": 100.0}, skips_zeros=False)
    assert layer_latency(layer, lacking).injected_s is None


def test_gaussian_projection_runs_at_32_bits(make_layer: Any, make_preset: Any) -> None:
    layer = make_layer({"projection": "gaussian", "nonzeros": 2592})
    phase = roofline.projection_phase(layer, layer.injection, make_preset())
    assert phase.compute_s == pytest.approx(196 * 20 * 144 / 100 + 16_072 / 25)


def test_learned_projection_runs_at_32_bits(make_layer: Any, make_preset: Any) -> None:
    layer = make_layer({"projection": "tap_shared_pca", "k_c": 2, "nonzeros": 31})
    phase = roofline.projection_phase(layer, layer.injection, make_preset())
    assert phase.compute_s == pytest.approx(784 * 4 * 16 / 100 + (12_544 + 1_568) / 25)
    assert phase.memory_s == (2 * 16 * 4 + 16 * 784 * 4 + 784 * 2) / 1000


@pytest.mark.parametrize("noise", ["gaussian", "uniform"])
@pytest.mark.parametrize("selection", ["topk", "random", "channel"])
def test_noise_on_exact_values_is_slower_than_dense(
    make_layer: Any, make_preset: Any, selection: str, noise: str
) -> None:
    """All MACs at 100 a second, three quarters of 6272 additions at 10."""
    layer = make_layer({"selection": selection, "noise": noise, "measured_fraction": 0.25})
    preset = make_preset()
    phase = roofline.exact_phase(layer, layer.injection, preset)
    assert phase.compute_s == pytest.approx(DENSE_MACS / 100 + 4_704 / 10)
    assert phase.memory_s == pytest.approx((4 * DENSE_BYTES + 784) / 1000)
    row = layer_latency(layer, preset)
    assert row.injected_s > row.dense_fp32_s
    assert (row.approximation_s == 0) == (row.projection_s == 0) == (selection == "random")


def test_selection(make_layer: Any, make_preset: Any) -> None:
    """Scores of 4 + 4 bits and 18 sums: 13 bits, read in three passes, or one for each bit."""
    layer = make_layer({})
    phase = roofline.selection_phase(layer, layer.injection, make_preset())
    assert phase == Phase(0.0, 18_816 / 10, (3 * 6272 * 13 / 8 + 784) / 1000, 0.25)
    bisected = make_layer({"algorithm": "bisection"})
    phase = roofline.selection_phase(bisected, bisected.injection, make_preset())
    assert phase.memory_s == pytest.approx((13 * 6272 * 13 / 8 + 784) / 1000)
    block = make_layer({"selection": "4x4"})
    phase = roofline.selection_phase(block, block.injection, make_preset())
    assert phase.compute_s == 6272 / 25
    for changes, operations in (
        ({"selection": "threshold"}, 6_272),
        ({"selection": "threshold", "normalise": True}, 2 * 6_272),
        ({"selection": "2:4"}, 6_272 * 1.5),
        ({"algorithm": "bisection"}, 6_272 * 13),
    ):
        streamed = make_layer(changes)
        phase = roofline.selection_phase(streamed, streamed.injection, make_preset())
        assert phase.compute_s == pytest.approx(operations / 25)


def test_exact_phase_runs_whole_tiles(make_layer: Any, make_preset: Any) -> None:
    preset = make_preset(**FAST_MEMORY)
    scattered, blocks = make_layer({}), make_layer({"selection": "4x4"})
    phase = roofline.exact_phase(scattered, scattered.injection, preset)
    assert phase.compute_s == pytest.approx((1 - 0.5**4) * DENSE_MACS / 100)
    phase = roofline.exact_phase(blocks, blocks.injection, preset)
    assert phase.compute_s == pytest.approx(0.5 * DENSE_MACS / 100)


def test_a_batch_shares_weights_and_overheads(make_layer: Any, make_preset: Any) -> None:
    compute = roofline.dense_phase(make_layer(), make_preset(), 8, batch=5)
    assert compute.compute_s == pytest.approx(5 * DENSE_MACS / 500)
    assert compute.memory_s == pytest.approx((32 * 144 + 5 * (16 * 784 + 196 * 32)) / 1000)
    assert compute.overhead_s == 0.25


def test_products_of_activations_share_no_weights(linear_layer: Any, make_preset: Any) -> None:
    heads = linear_layer(None, kind="matmul", groups=2, in_size=[1, 5])
    weights = linear_layer(None, in_size=[1, 5])
    assert dense_product(heads, 3) == Product(5, 5, 32, count=6)
    assert dense_product(weights, 3) == Product(15, 10, 64)
    preset = make_preset(bandwidth_bytes_per_s=1.0)
    moved = 64 * 5 + 10 * 32 + 5 * 10
    assert roofline.dense_phase(heads, preset, 8, batch=3).memory_s == 3 * moved
