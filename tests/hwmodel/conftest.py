"""Builders of small layers and networks."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from injection_cases import injection_dict

from hwmodel.layer_spec import Layer
from hwmodel.network_spec import Network
from hwmodel.preset import Preset

CONV: dict[str, Any] = {
    "name": "conv",
    "kind": "conv2d",
    "in_channels": 16,
    "out_channels": 32,
    "kernel_size": [3, 3],
    "stride": [2, 2],
    "padding": [1, 1],
    "dilation": [1, 1],
    "groups": 1,
    "in_size": [28, 28],
    "out_size": [14, 14],
    "exact_bits": 32,
    "zero_inputs": None,
    "defence": None,
}


def _out_length(length: int, kernel: int, stride: int, padding: Any, dilation: int) -> int:
    taken = dilation * (kernel - 1)
    both = 2 * padding if isinstance(padding, int) else sum(padding)
    return len(range(0, length + both - taken, stride))


def conv_dict(injection: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    """The example convolution with changes, its output size following from them."""
    layer = {**copy.deepcopy(CONV), **changes}
    keys = ("in_size", "kernel_size", "stride", "padding", "dilation")
    if "out_size" not in changes:
        axes = zip(*(layer[k] for k in keys), strict=True)
        layer["out_size"] = [_out_length(*axis) for axis in axes]
    layer["injection"] = None if injection is None else injection_dict(injection, layer)
    return layer


def network_dict(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"version": 5, "model": "example", "input_shape": [1, 28, 28], "layers": list(layers)}


@pytest.fixture(scope="session")
def layer_dict() -> Callable[..., dict[str, Any]]:
    """The example convolution as JSON data: (injection changes or None, layer changes)."""
    return conv_dict


@pytest.fixture(scope="session")
def make_layer() -> Callable[..., Layer]:
    """The example convolution as a layer: (injection changes or None, layer changes)."""

    def make(injection: dict[str, Any] | None = None, **changes: Any) -> Layer:
        return Layer.model_validate_json(json.dumps(conv_dict(injection, **changes)))

    return make


@pytest.fixture(scope="session")
def linear_layer() -> Callable[..., Layer]:
    """A linear layer of 64 inputs and 10 outputs, with the injection's changes."""

    def make(injection: dict[str, Any] | None = None, **changes: Any) -> Layer:
        flat: dict[str, Any] = {"kernel_size": [1, 1], "stride": [1, 1], "padding": [0, 0]}
        flat |= {"kind": "linear", "in_channels": 64, "out_channels": 10, "in_size": [1, 1]}
        data = conv_dict(injection, **{**flat, **changes})
        return Layer.model_validate_json(json.dumps(data))

    return make


@pytest.fixture(scope="session")
def make_network() -> Callable[..., Network]:
    """A network of the given layers' JSON data."""

    def make(*layers: dict[str, Any]) -> Network:
        return Network.model_validate_json(json.dumps(network_dict(*layers)))

    return make


@pytest.fixture(scope="session")
def network_json() -> Callable[..., dict[str, Any]]:
    """JSON data of a network of the given layers' data."""
    return network_dict


def _sourced(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {key: _sourced(part) for key, part in value.items()}
    return {"value": value, "tag": "assumed", "source": "test"}


@pytest.fixture(scope="session")
def make_preset() -> Callable[..., Preset]:
    """A platform of round numbers, with changes to the values."""

    def make(mac_per_cycle: dict[str, float] | None = None, **changes: Any) -> Preset:
        values: dict[str, Any] = {
            "clock_hz": 10.0,
            "elementwise_per_cycle": 5.0,
            "utilisation_dense": 0.5,
            "utilisation_irregular": 0.2,
            "bandwidth_bytes_per_s": 1000.0,
            "overhead_s": 0.25,
            "tile_outputs": 4,
            "skips_zeros": True,
        }
        values.update(changes)
        values["mac_per_cycle"] = mac_per_cycle or {"8": 100.0, "16": 40.0, "32": 20.0}
        sourced = {key: _sourced(value) for key, value in values.items()}
        return Preset.model_validate({"description": "test", **sourced})

    return make


@pytest.fixture
def plain(make_network: Any, layer_dict: Any) -> Network:
    """First and last layer, one with too few inputs, one grouped, one that can be injected."""
    small = {"in_channels": 4, "stride": [1, 1]}
    network: Network = make_network(
        layer_dict(None, name="first"), layer_dict(None, name="few", **small),
        layer_dict(None, name="grouped", groups=2), layer_dict(None, name="inner", out_channels=64),
        layer_dict(None, name="last"),
    )  # fmt: skip
    return network
