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


def test_without_zeros_it_is_dense(make_layer: Any, make_preset: Any) -> None:
    layer, preset = make_layer(zero_inputs=0.0), make_preset(skips_zero_inputs=True)
    assert phase(NAME, layer, preset) == dense_phase(layer, preset, 8)


@pytest.mark.parametrize(
    ("changes", "skips", "why"),
    [({"zero_inputs": 0.5}, False, "no multipliers that skip them"), ({}, True, "not measured")],
)
def test_why_there_is_none(
    changes: Any, skips: bool, why: str, make_layer: Any, make_preset: Any
) -> None:
    found = phase(NAME, make_layer(**changes), make_preset(skips_zero_inputs=skips))
    assert isinstance(found, str)
    assert why in found
