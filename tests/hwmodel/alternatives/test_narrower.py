from typing import Any

import pytest

from hwmodel.alternatives import phase
from hwmodel.alternatives.narrower import NAMES, narrowed
from hwmodel.roofline import dense_phase

(NAME,) = NAMES


def test_half_of_the_products_and_weights(make_layer: Any, make_preset: Any) -> None:
    layer = make_layer(in_channels=160, out_channels=320)
    found, dense = phase(NAME, layer, make_preset(), 2), dense_phase(layer, make_preset(), 8, 2)
    assert not isinstance(found, str)
    assert found.product_s == pytest.approx(dense.product_s / 2, rel=0.02)
    assert found.moved.weights == pytest.approx(dense.moved.weights / 2, rel=0.02)
    assert found.moved.outputs == pytest.approx(dense.moved.outputs * 0.5**0.5, rel=0.02)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (12, 23, 1)),
        ({"groups": 16, "out_channels": 16}, (12, 12, 12)),
        ({"groups": 4}, (12, 24, 3)),
        ({"in_channels": 1}, (1, 23, 1)),
    ],
)
def test_channels_or_groups(make_layer: Any, changes: Any, expected: tuple[int, ...]) -> None:
    found = narrowed(make_layer({} if not changes else None, **changes))
    assert (found.in_channels, found.out_channels, found.groups) == expected
    assert found.injection is None
