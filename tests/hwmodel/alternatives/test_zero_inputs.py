from typing import Any

import pytest

from hwmodel.alternatives import phase
from hwmodel.alternatives.zero_inputs import NAMES
from hwmodel.roofline import dense_phase

(NAME,) = NAMES
INPUTS = 16 * 784


def test_products_by_zero_are_left_out(make_layer: Any, make_preset: Any) -> None:
    found = phase(NAME, make_layer(zero_inputs=0.75), make_preset(skips_zero_inputs=True), 2)
    assert not isinstance(found, str)
    assert found.product_s == pytest.approx(2 * 903_168 / 4 / 500)
    assert found.moved.inputs == pytest.approx(2 * INPUTS * (0.25 + 0.125))
    assert found.gathered == found.moved.inputs


def test_without_zeros_it_is_dense(make_layer: Any, make_preset: Any) -> None:
    layer, preset = make_layer(zero_inputs=0.0), make_preset(skips_zero_inputs=True)
    assert phase(NAME, layer, preset) == dense_phase(layer, preset, 8)


def test_a_platform_that_skips_none(make_layer: Any, make_preset: Any) -> None:
    for changes in ({}, {"skips_zero_inputs": False}):
        found = phase(NAME, make_layer(zero_inputs=0.5), make_preset(**changes))
        assert found == "no multipliers that skip them"


def test_a_layer_that_was_not_measured_is_dense(make_layer: Any, make_preset: Any) -> None:
    layer, preset = make_layer(), make_preset(skips_zero_inputs=True)
    assert phase(NAME, layer, preset) == dense_phase(layer, preset, 8)
