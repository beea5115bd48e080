from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.alternatives import phase
from hwmodel.alternatives.unstructured import at_density
from hwmodel.roofline import dense_phase

WEIGHTS = 32 * 144


def test_zeros_are_skipped_where_that_is_faster(make_layer: Any, make_preset: Any) -> None:
    """A multiply-accumulate of a non-zero takes 1/10 of a second here, one of the array 1/500."""
    layer = make_layer(exact_bits=8)
    slow = phase("10 % of weights INT8", layer, make_preset(overhead_s=1.0))
    assert not isinstance(slow, str)
    assert slow.product_s == pytest.approx(903_168 / 500)
    fast = phase("10 % of weights INT8", layer, make_preset(elementwise_per_cycle=500.0))
    assert not isinstance(fast, str)
    assert fast.product_s == 0
    assert fast.other_s == pytest.approx(0.1 * 903_168 / 1000)
    assert fast.moved.weights == pytest.approx(WEIGHTS * 0.1 * (8 + 8) / 8)


def test_bytes_alone_are_saved_elsewhere(make_layer: Any, make_preset: Any) -> None:
    layer, preset = (
        make_layer(exact_bits=8),
        make_preset(skips_zeros=False, bandwidth_bytes_per_s=1.0),
    )
    found = phase("10 % of weights INT8", layer, preset)
    assert not isinstance(found, str)
    assert found.product_s == dense_phase(layer, preset, 8).product_s
    assert found.moved.weights == pytest.approx(WEIGHTS * 0.2)


def test_a_bit_for_each_weight_is_less_than_indices_of_many(
    make_layer: Any, make_preset: Any
) -> None:
    found = at_density(make_layer(exact_bits=8), make_preset(skips_zeros=False), 1, 0.5)
    assert found.moved.weights == pytest.approx(WEIGHTS * (0.5 + 1 / 8))


@given(st.floats(0.01, 1), st.floats(0.01, 1), st.booleans())
def test_fewer_weights_never_take_longer(
    make_layer: Any, make_preset: Any, one: float, other: float, skips: bool
) -> None:
    few, many = sorted((one, other))
    layer = make_layer(exact_bits=8)
    preset = make_preset(skips_zeros=skips, bandwidth_bytes_per_s=1e4, elementwise_per_cycle=100.0)
    sparse, denser = (at_density(layer, preset, 2, density) for density in (few, many))
    assert sparse.seconds <= denser.seconds * (1 + 1e-9)
    assert at_density(layer, preset, 2, 1.0) == dense_phase(layer, preset, 8, 2)
