"""Latency on systolic arrays, against ZigZag and by hand."""

import csv
from pathlib import Path
from typing import Any

import pytest

import hwmodel
from hwmodel import roofline
from hwmodel.layer_latency import layer_latency
from hwmodel.layer_spec import Layer
from hwmodel.preset import Preset

ZIGZAG = Path(__file__).parent / "data" / "zigzag_tpu_like_resnet18_32x32.csv"
SHAPES = {"l3": (256, 8), "l4": (512, 4)}


def zigzag(layer: str, kind: str) -> float:
    lines = [line for line in ZIGZAG.read_text().splitlines() if not line.startswith("#")]
    rows = {(row["layer"], row["kind"]): row for row in csv.DictReader(lines)}
    return float(rows[layer, kind]["latency_cycles"])


def of_zigzag(make_layer: Any, name: str, kind: str) -> Layer:
    """A 3 x 3 convolution of ResNet-18 in INT8, or W~ of it: an eighth of the inputs a neuron."""
    channels, size = SHAPES[name]
    same = {"in_size": [size, size], "stride": [1, 1], "exact_bits": 8}
    if kind == "approx":
        same |= {"in_channels": 9 * channels // 8, "kernel_size": [1, 1], "padding": [0, 0]}
    layer: Layer = make_layer(None, **{"in_channels": channels, "out_channels": channels, **same})
    return layer


@pytest.mark.parametrize(("name", "kind"), [("l3", "dense"), ("l4", "dense"), ("l4", "approx")])
def test_what_weights_bound_is_within_five_percent_of_zigzag(
    make_layer: Any, name: str, kind: str
) -> None:
    preset = hwmodel.load_preset("systolic_32x32")
    phase = roofline.dense_phase(of_zigzag(make_layer, name, kind), preset, 8)
    assert phase.bound == "memory"
    assert phase.seconds * preset.clock_hz.value == pytest.approx(zigzag(name, kind), rel=0.05)


def with_array(preset: Preset, dataflow: str) -> Preset:
    def sourced(value: object) -> dict[str, Any]:
        return {"value": value, "tag": "assumed", "source": "test"}

    array = {"rows": sourced(4), "columns": sourced(8), "dataflow": sourced(dataflow)}
    macs = {"8": sourced(32.0), "16": sourced(16.0)}
    return Preset.model_validate(preset.model_dump() | {"array": array, "mac_per_cycle": macs})


def test_cycles_in_place_of_a_utilisation(make_layer: Any, make_preset: Any) -> None:
    """196 x 144 x 32 in folds of 4 x 8 at 10 cycles a second, twice as long at 16 bits."""
    preset = with_array(make_preset(), "output_stationary")
    cycles = 49 * 4 * (144 + 4 + 8 - 2) - 1
    assert roofline.dense_phase(make_layer(), preset, 8).compute_s == pytest.approx(cycles / 10)
    assert roofline.dense_phase(make_layer(), preset, 16).compute_s == pytest.approx(cycles / 5)
    assert layer_latency(make_layer(), preset).dense_fp32_s is None


def test_positions_without_essential_neurons_are_left_out(
    make_layer: Any, make_preset: Any
) -> None:
    """A quarter of the tiles: a quarter of 196 positions in each of 36 x 4 folds."""
    preset = with_array(make_preset(), "weight_stationary")
    tiles = {"measured_fraction": 0.1, "occupancy": {"4": 0.25}}
    layer = make_layer(tiles, exact_bits=8)
    phase = roofline.exact_phase(layer, layer.injection, preset)
    assert phase.compute_s == pytest.approx((36 * 4 * (49 + 8 + 8 - 2) - 1) / 10)
    none = make_layer({"measured_fraction": 0.0}, exact_bits=8)
    assert roofline.exact_phase(none, none.injection, preset).compute_s == 0


@pytest.mark.parametrize("name", ["systolic_32x32", "systolic_128x64"])
def test_a_batch_whose_channels_differ_runs_whole_where_that_is_faster(
    linear_layer: Any, name: str
) -> None:
    """One position each: gathered for every input, folds would hold one row of positions."""
    preset = hwmodel.load_preset(name)
    times = []
    for share in (0.0, 0.1, 0.5, 0.999, 1.0):
        injection = {"selection": "channel", "measured_fraction": share}
        layer = linear_layer(injection, in_channels=512, out_channels=512, exact_bits=8)
        times.append(roofline.exact_phase(layer, layer.injection, preset, batch=64).compute_s)
    assert times == sorted(times)
    assert times[-1] == roofline.dense_phase(layer, preset, 8, batch=64).compute_s


def test_channels_are_gathered(make_layer: Any, make_preset: Any) -> None:
    """A quarter of 32 channels is one fold of 8, for each input of a batch its own."""
    preset = with_array(make_preset(), "weight_stationary")
    layer = make_layer({"selection": "channel", "measured_fraction": 0.25}, exact_bits=8)
    one, three = (roofline.exact_phase(layer, layer.injection, preset, n) for n in (1, 3))
    assert one.compute_s == pytest.approx((36 * (196 + 8 + 8 - 2) - 1) / 10)
    assert three.compute_s == pytest.approx(3 * one.compute_s)


def test_boxes_of_a_product(make_layer: Any, make_preset: Any) -> None:
    """14 x 14 positions, 32 neurons, 9 taps of 16 channels in boxes of 4 x 8 x 3: 49 x 4 x 9 x 6."""
    box = {"positions": 4, "neurons": 8, "channels": 3}
    preset = make_preset({"8": 96.0}, unrolled=box)
    phase = roofline.dense_phase(make_layer(None, exact_bits=8), preset, 8)
    assert phase.compute_s == pytest.approx(49 * 4 * 9 * 6 / 10)
    depthwise = make_layer(None, exact_bits=8, groups=16, out_channels=16)
    phase = roofline.dense_phase(depthwise, preset, 8)
    assert phase.compute_s == pytest.approx(16 * 49 * 1 * 9 * 1 / 10)


def test_a_box_excludes_an_array(make_preset: Any) -> None:
    box = {"positions": 4, "neurons": 8, "channels": 3}
    array = {"rows": 4, "columns": 8, "dataflow": "output_stationary"}
    for other in ({"array": array}, {"elements": {"neurons": 4, "in_step": 2}}):
        with pytest.raises(ValueError, match="should be the only one of array and elements"):
            make_preset({"8": 96.0}, unrolled=box, **other)


def test_depthwise_layers_share_folds(make_layer: Any, make_preset: Any) -> None:
    """9 inputs on 32 rows: 3 of 16 groups at once, in 6 folds."""
    array = {"rows": 32, "columns": 8, "dataflow": "weight_stationary"}
    preset = make_preset({"8": 256.0}, array=array)
    layer = make_layer(None, exact_bits=8, groups=16, out_channels=16)
    phase = roofline.dense_phase(layer, preset, 8)
    assert phase.compute_s == pytest.approx(6 * (196 + 64 + 8 - 2 - 1) / 10)


def test_neurons_of_a_fold_are_those_of_the_groups_in_it(make_layer: Any, make_preset: Any) -> None:
    """9 inputs on 32 rows: 3 groups of a neuron each in a fold, or one group in a fold of its own."""
    array = {"rows": 32, "columns": 8, "dataflow": "weight_stationary"}
    preset = make_preset({"8": 256.0}, array=array, tile_outputs=8)
    found = {"selection": "topk", "measured_fraction": 0.25, "k": 2, "nonzeros": 2}
    for groups, d, together in ((16, 1, 3), (4, 4, 1)):
        layer = make_layer(found, exact_bits=8, groups=groups, out_channels=16)
        phase = roofline.exact_phase(layer, layer.injection, preset)
        assert phase.work.share == pytest.approx(1 - 0.75 ** (together * d))


def test_channels_that_are_run_whole_read_all_weights(make_layer: Any, make_preset: Any) -> None:
    """With two inputs that need different channels, gathering them apart takes longer here."""
    array = {"rows": 8, "columns": 8, "dataflow": "weight_stationary"}
    preset = make_preset({"8": 64.0}, array=array)
    layer = make_layer(
        {"selection": "channel", "measured_fraction": 0.75}, exact_bits=8, in_size=[3, 3]
    )
    dense = roofline.dense_phase(layer, preset, 8, 2)
    found = roofline.exact_phase(layer, layer.injection, preset, 2)
    assert found.product_s == dense.product_s
    assert found.moved.weights == dense.moved.weights
