"""Multiply-accumulates agree with established counters."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from torch import nn

from hwmodel import Layer
from hwmodel.op_count import dense_macs

RESNET = Path(__file__).parent / "data" / "resnet18_32x32_layers.csv"


def resnet_rows() -> list[dict[str, str]]:
    lines = [line for line in RESNET.read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def resnet_layer(row: dict[str, str]) -> Layer:
    kernel, is_linear = int(row["kernel"]), row["layer"] == "fc"
    data = {
        "name": row["layer"],
        "kind": "linear" if is_linear else "conv2d",
        "in_channels": int(row["c_in"]),
        "out_channels": int(row["c_out"]),
        "kernel_size": [kernel] * 2,
        "stride": [int(row["stride"])] * 2,
        "padding": [kernel // 2] * 2,
        "dilation": [1, 1],
        "groups": 1,
        "in_size": [int(row["in_size"])] * 2,
        "out_size": [int(row["out_size"])] * 2,
        "exact_bits": 32,
    }
    return Layer.model_validate_json(json.dumps(data))


def test_resnet18() -> None:
    totals = {"conv2d": 0, "linear": 0}
    for row in resnet_rows():
        layer = resnet_layer(row)
        assert dense_macs(layer) == int(row["macs"]), row["layer"]
        totals[layer.kind] += int(row["repeat"]) * dense_macs(layer)
    assert totals == {"conv2d": 555_417_600, "linear": 5_120}


def small_cnn() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.Conv2d(8, 12, (3, 5), stride=(2, 1), padding=(1, 2), groups=4),
        nn.Conv2d(12, 16, 3, dilation=(2, 1), padding=(0, 1)),
        nn.Conv2d(16, 6, 1, stride=2),
        nn.Flatten(),
        nn.Linear(6 * 2 * 8, 20),
        nn.Linear(20, 10),
    )


def layer_of(module: nn.Module, name: str, inputs: Any, output: Any) -> Layer | None:
    if isinstance(module, nn.Conv2d):
        data = {
            "kind": "conv2d",
            "in_channels": module.in_channels,
            "out_channels": module.out_channels,
            "kernel_size": module.kernel_size,
            "stride": module.stride,
            "padding": module.padding,
            "dilation": module.dilation,
            "groups": module.groups,
            "in_size": tuple(inputs.shape[2:]),
            "out_size": tuple(output.shape[2:]),
        }
    elif isinstance(module, nn.Linear):
        data = {
            "kind": "linear",
            "in_channels": module.in_features,
            "out_channels": module.out_features,
            "kernel_size": (1, 1),
            "stride": (1, 1),
            "padding": (0, 0),
            "dilation": (1, 1),
            "groups": 1,
            "in_size": (1, 1),
            "out_size": (1, 1),
        }
    else:
        return None
    return Layer.model_validate({"name": name, "exact_bits": 32, **data})


def traced(model: nn.Sequential, image: torch.Tensor) -> Iterator[Layer]:
    for name, module in model.named_children():
        output = module(image)
        layer = layer_of(module, name, image, output)
        if layer is not None:
            yield layer
        image = output


def test_small_cnn_agrees_with_fvcore() -> None:
    model, image = small_cnn().eval(), torch.zeros(1, 3, 16, 16)
    layers = {layer.name: dense_macs(layer) for layer in traced(model, image)}
    analysis = FlopCountAnalysis(model, image).unsupported_ops_warnings(False)
    counted = {name: int(flops) for name, flops in analysis.by_module().items() if name in layers}
    assert len(layers) == 6
    assert layers == counted
    assert sum(layers.values()) == analysis.total()


@pytest.mark.parametrize("positions", [1, 7])
def test_linear_at_several_positions_agrees_with_fvcore(positions: int, linear_layer: Any) -> None:
    shape = (1, 64) if positions == 1 else (1, positions, 64)
    counted = FlopCountAnalysis(nn.Linear(64, 10), torch.zeros(shape)).total()
    assert dense_macs(linear_layer(in_size=[1, positions])) == counted
