from typing import Any

import pytest

from hwmodel.alternatives import phase
from hwmodel.roofline import dense_phase


@pytest.mark.parametrize(("name", "bits"), [("FP32", 32), ("FP16", 16), ("INT8", 8), ("INT4", 4)])
def test_dense_at_its_own_width(name: str, bits: int, make_layer: Any, make_preset: Any) -> None:
    layer = make_layer({"selection": "topk"})
    preset = make_preset({"4": 200.0, "8": 100.0, "16": 40.0, "32": 20.0})
    assert phase(f"dense {name}", layer, preset, 2) == dense_phase(layer, preset, bits, 2)


@pytest.mark.parametrize(("name", "bits"), [("INT4", 4), ("FP16", 16)])
def test_a_width_that_the_platform_lacks(
    name: str, bits: int, make_layer: Any, make_preset: Any
) -> None:
    preset = make_preset({"8": 100.0, "32": 20.0})
    assert phase(f"dense {name}", make_layer(), preset) == f"no multipliers of {bits} bits"
