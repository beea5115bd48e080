"""Describe a network layer by layer, as the cost model reads it."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nenni.attention import make_attention_explicit
from nenni.errors import UserError
from nenni.injection import noisy_layers, seed_noise
from nenni.layers import NoisyLayer

VERSION = 1
"""Version of the schema of layers.json."""


@torch.no_grad()
def describe(
    model: nn.Module, images: Tensor, name: str, seed: int, batch_size: int = 250
) -> dict[str, Any]:
    """Shapes, bits, projections and measured fractions of every convolution and linear layer.

    Layers stand in the order in which they run; one that runs again has an entry for each time,
    ``name#2`` and so on. Those that do not run cost nothing and are left out.

    Parameters
    ----------
    model : Module
        Plain or injected, in eval mode.
    images : Tensor
        Images (N, C, H, W) on which the shares of essential neurons are measured.
    name : str
        Name of the network, for the reader.
    seed : int
        Root of the draws of a randomised selection.
    batch_size : int
        Images per forward pass.

    Returns
    -------
    dict
        The content of ``layers.json``.
    """
    model = copy.deepcopy(model)
    make_attention_explicit(model)
    seed_noise(model, seed, "describe")
    found = {
        layer_name: layer
        for layer_name, layer in model.named_modules()
        if isinstance(layer, NoisyLayer | nn.Conv2d | nn.Linear)
        and not layer_name.endswith(".wrapped")
    }
    shapes = _shapes(model, found, images[:1])
    noisy = dict(noisy_layers(model))
    counts: dict[str, list[int]] = {layer_name: [0, 0] for layer_name in noisy}
    handles = [
        layer.register_forward_hook(_mask_hook(counts[layer_name]))
        for layer_name, layer in noisy.items()
    ]
    try:
        for batch in images.split(batch_size) if noisy else ():
            model(batch)
    finally:
        for handle in handles:
            handle.remove()
    layers = []
    for layer_name, calls in shapes.items():
        layer = found[layer_name]
        for call, (inputs, outputs) in enumerate(calls, 1):
            label = layer_name if call == 1 else f"{layer_name}#{call}"
            if isinstance(layer, NoisyLayer):
                entry = _geometry(label, layer.wrapped, inputs, outputs)
                essential, total = counts[layer_name]
                entry["injection"] = _injection(layer, essential / total)
                entry["exact_bits"] = layer.choices.exact_bits
            else:
                entry = _geometry(label, layer, inputs, outputs)
            layers.append(entry)
    return {
        "version": VERSION,
        "model": name,
        "input_shape": list(images.shape[1:]),
        "layers": layers,
    }


def _shapes(
    model: nn.Module, layers: Mapping[str, nn.Module], image: Tensor
) -> dict[str, list[tuple[torch.Size, torch.Size]]]:
    """Shapes of the input and the output of each layer at each of its calls, in order."""
    shapes: dict[str, list[tuple[torch.Size, torch.Size]]] = {}

    def hook_for(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            shapes.setdefault(name, []).append((inputs[0].shape, output.shape))

        return hook

    handles = [layer.register_forward_hook(hook_for(name)) for name, layer in layers.items()]
    try:
        model(image)
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def _mask_hook(count: list[int]) -> Callable[..., None]:
    def hook(layer: NoisyLayer, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        x = inputs[0]
        exact = layer.choices.selection.judges_exact
        mask = layer.mask(layer.essential(x) if exact else layer.approximate(x))
        count[0] += int(mask.sum())
        count[1] += mask.numel()

    return hook


def _geometry(
    name: str, layer: nn.Conv2d | nn.Linear, inputs: torch.Size, outputs: torch.Size
) -> dict[str, Any]:
    if isinstance(layer, nn.Conv2d):
        shape: dict[str, Any] = {
            "kind": "conv2d",
            "in_channels": layer.in_channels,
            "out_channels": layer.out_channels,
            "kernel_size": list(layer.kernel_size),
            "stride": list(layer.stride),
            "padding": _padding(name, layer),
            "dilation": list(layer.dilation),
            "groups": layer.groups,
            "in_size": list(inputs[2:]),
            "out_size": list(outputs[2:]),
        }
    else:
        positions = inputs[1:-1].numel()
        shape = {
            "kind": "linear",
            "in_channels": layer.in_features,
            "out_channels": layer.out_features,
            "kernel_size": [1, 1],
            "stride": [1, 1],
            "padding": [0, 0],
            "dilation": [1, 1],
            "groups": 1,
            "in_size": [1, positions],
            "out_size": [1, positions],
        }
    return {"name": name, **shape, "exact_bits": 32, "injection": None}


def _padding(name: str, layer: nn.Conv2d) -> list[int]:
    left, right, top, bottom = layer._reversed_padding_repeated_twice
    if (left, top) != (right, bottom):
        raise UserError(
            f"layer {name}: its padding '{layer.padding}' differs between the sides, for which the "
            "cost model has no place"
        )
    return [top, left]


def _injection(layer: NoisyLayer, measured: float) -> dict[str, Any]:
    choices = layer.choices.to_config()
    selection, projection, noise = (choices[kind] for kind in ("selection", "projection", "noise"))
    name = selection["name"]
    return {
        "projection": projection["name"],
        "k": layer.W_tilde[0, 0].numel(),
        "k_c": layer.P.shape[1] if layer.choices.projection.shared_taps else None,
        "nonzeros": round(int(layer.P.count_nonzero()) / layer.pool),
        "weight_bits": choices["weight_bits"],
        "input_bits": choices["input_bits"],
        "projected_bits": choices["projected_bits"],
        "selection": name,
        "fraction": layer.choices.selection.nominal(),
        "measured_fraction": measured,
        "n_m": [selection["n"], selection["m"]] if name == "n_m" else None,
        "block": [selection["channels"], selection["positions"]] if name == "block" else None,
        "normalise": choices["normalise"],
        "noise": noise["name"],
        "pool": layer.pool,
    }
