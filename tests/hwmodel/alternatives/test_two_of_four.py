from typing import Any

import pytest

from hwmodel.alternatives import phase
from hwmodel.alternatives.two_of_four import NAMES
from hwmodel.roofline import dense_phase

(NAME,) = NAMES
WEIGHTS, INPUTS, OUTPUTS = 32 * 144, 16 * 784, 196 * 32


def test_half_of_the_products_and_five_eighths_of_the_weights(
    make_layer: Any, make_preset: Any
) -> None:
    layer = make_layer(exact_bits=8)
    found = phase(NAME, layer, make_preset(skips_two_of_four=True), 3)
    assert not isinstance(found, str)
    assert found.product_s == pytest.approx(3 * 903_168 / 2 / 500)
    assert found.moved.weights == pytest.approx(WEIGHTS * 5 / 8)
    assert (found.moved.inputs, found.moved.outputs) == (3 * INPUTS, 3 * OUTPUTS)
    assert found.gathered == found.moved.inputs
    assert found.work is not None
    assert found.work.macs == 3 * 903_168 / 2


@pytest.mark.parametrize(
    "changes", [{"groups": 2}, {"in_channels": 3, "kernel_size": [1, 1], "padding": [0, 0]}]
)
def test_layers_that_stay_dense(changes: Any, make_layer: Any, make_preset: Any) -> None:
    layer, preset = make_layer(**changes), make_preset(skips_two_of_four=True)
    assert phase(NAME, layer, preset) == dense_phase(layer, preset, 8)


def test_other_platforms_have_none(make_layer: Any, make_preset: Any) -> None:
    for changes in ({}, {"skips_two_of_four": False}):
        assert phase(NAME, make_layer(), make_preset(**changes)) == "no multipliers that skip them"
