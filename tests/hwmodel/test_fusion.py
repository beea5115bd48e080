"""What stays on the chip, by hand: 32 neurons at 14 x 14 positions, 16 channels of 28 x 28."""

from typing import Any

import pytest

from hwmodel.fusion import held_approximation_bytes, held_bytes, kept
from hwmodel.roofline import injected_phases

NEURONS, INPUTS = 196 * 32, 16 * 784


@pytest.mark.parametrize("selection", ["topk", "4x2", "channel"])
def test_rankings_hold_all_scores_the_mask_and_the_inputs(make_layer: Any, selection: str) -> None:
    layer = make_layer({"selection": selection})
    for batch in (1, 5):
        held = held_bytes(layer, layer.injection, 8, 16, batch)
        assert held == batch * (NEURONS * 17 + INPUTS * 8) / 8


@pytest.mark.parametrize("selection", ["threshold", "2:4", "random"])
def test_others_hold_one_position_and_the_weights_or_all_inputs(
    make_layer: Any, selection: str
) -> None:
    layer = make_layer({"selection": selection})
    weights, position = 32 * (144 * 8 + 18 * 4), 32 * 17 + 144 * 8
    assert held_bytes(layer, layer.injection, 8, 16, 7) == (weights + position) / 8
    few = make_layer({"selection": selection}, in_size=[3, 3])
    inputs = 2 * 16 * 9 * 8
    assert held_bytes(few, few.injection, 8, 16, 2) == (inputs + position) / 8


@pytest.mark.parametrize("selection", ["topk", "4x2", "threshold"])
@pytest.mark.parametrize("noise", ["z~", "gaussian"])
def test_z_waits_as_long_as_its_scores_where_it_is_an_output(
    make_layer: Any, selection: str, noise: str
) -> None:
    layer = make_layer({"selection": selection, "noise": noise})
    numbers = 32 if selection == "threshold" else 3 * NEURONS
    held = held_approximation_bytes(layer, layer.injection, 8, 3)
    assert held == (numbers if noise == "z~" else 0)


@pytest.mark.parametrize(("capacity", "fits"), [(60_000.0, True), (40_000.0, False), (None, True)])
def test_all_or_nothing_fits(
    make_layer: Any, make_preset: Any, capacity: float | None, fits: bool
) -> None:
    """In half of the buffer: the other is worked in."""
    buffer = {} if capacity is None else {"buffer_bytes": capacity}
    layer = make_layer({"selection": "topk"}, exact_bits=8)
    held = held_bytes(layer, layer.injection, 8, 13)
    assert 20_000 < held < 30_000
    preset = make_preset(schedule="fused", **buffer)
    assert kept(layer, layer.injection, preset, 13).scores is fits
    assert kept(layer, layer.injection, preset, 13).projected
    serial = make_preset(**buffer)
    assert not kept(layer, layer.injection, serial, 13).projected
    assert not kept(layer, layer.injection, serial, 13).scores


def test_bytes_of_fused_phases(make_layer: Any, make_preset: Any) -> None:
    """P x, scores, mask and the second reading of the inputs go; weights and outputs remain."""
    layer = make_layer({"selection": "threshold"}, exact_bits=8)
    serial = injected_phases(layer, make_preset())
    fused = injected_phases(layer, make_preset(schedule="fused"), batch=3)
    projection, approximation, selection, exact = fused
    assert projection.moved.outputs == 0
    assert projection.moved.inputs == 3 * INPUTS
    assert approximation.moved.inputs == 0
    assert approximation.moved.weights == 32 * 18
    assert selection.moved.total == 0
    assert exact.moved.inputs == 0
    assert exact.moved.outputs == 3 * serial[3].moved.outputs
    assert approximation.moved.outputs + exact.moved.outputs == 3 * NEURONS
    for alone, together in zip(serial, fused, strict=True):
        both = together.moved + together.kept
        assert both.inputs == pytest.approx(3 * alone.moved.inputs)
        assert both.outputs == pytest.approx(3 * alone.moved.outputs)
        assert together.moved.weights >= alone.moved.weights


@pytest.mark.parametrize("selection", ["topk", "channel", "4x2", "2:4"])
def test_a_buffer_for_scores_and_z_writes_each_output_once(
    make_layer: Any, make_preset: Any, selection: str
) -> None:
    """Tiles of several neurons too: what runs is not written as z~."""
    layer = make_layer({"selection": selection}, exact_bits=8)
    scores = held_bytes(layer, layer.injection, 8, 13)
    both = scores + held_approximation_bytes(layer, layer.injection, 8)
    written = []
    for half in (scores, both):
        preset = make_preset(schedule="fused", buffer_bytes=2 * half, tile_outputs=4)
        phases = injected_phases(layer, preset)
        written.append(sum(phase.moved.outputs for phase in phases))
        assert phases[2].moved.total == 0
    runs = phases[3].moved.outputs
    assert 0 < runs <= NEURONS
    assert written == pytest.approx([NEURONS + runs, NEURONS])


def test_inputs_are_read_where_no_projection_has(make_layer: Any, make_preset: Any) -> None:
    layer = make_layer({"selection": "random", "noise": "zero"}, exact_bits=8)
    *_, exact = injected_phases(layer, make_preset(schedule="fused"))
    assert exact.moved.inputs == INPUTS
    assert exact.kept.inputs == NEURONS / 8
