"""Each layer and the whole network are timed in all ways, and the ratio is over the faster dense one."""

from typing import Any

import pandas as pd
import pytest
import torch
from scripts import script_named
from torch import nn


@pytest.fixture(scope="module")
def script() -> Any:
    found = script_named("deployment_speed")
    found.FRACTIONS = (found.EVERY_TILE, 0.5)
    return found


@pytest.mark.long
def test_every_injected_layer_has_a_row_and_the_network_the_last(script: Any) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        table = pd.DataFrame(script.measure(8, 1))
    finally:
        torch.set_num_threads(before)
    (every,) = table[:1].to_dict("records")
    assert (every["layer"], every["fraction"]) == (script.WHOLE, 1)
    layers, (whole,) = table[1:-1], table[-1:].to_dict("records")
    assert len(layers) == len(set(layers["layer"])) > 10
    assert whole["layer"] == script.WHOLE
    best = layers[["torch", "dense"]].min(axis=1)
    assert (layers["over_best_dense"] == best / layers["skipping"]).all()
    assert whole["over_best_dense"] == min(whole["torch"], whole["dense"]) / whole["where_faster"]
    first = layers.iloc[0]
    assert (first["layer"], first["macs"]) == ("layer1.0.conv1", 8 * 8 * 9 * 32 * 32)


def test_what_a_gpu_has_for_dense_layers_is_the_layer_in_bfloat16(script: Any) -> None:
    torch.manual_seed(0)
    layer, x = nn.Conv2d(4, 8, 3, padding=1), torch.rand(2, 4, 6, 6)
    with torch.no_grad():
        found = script._by_torch(layer, x, script.ON_A_GPU)()
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found.float(), layer(x).relu(), rtol=0.02, atol=0.02)
