"""Measured time of each layer of a deployed network, and up to which share skipping pays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from nenni.cost.dense_variants import ENGINES, PackedConv2d, convolution_of_bytes
from nenni.deployment.choosing import fastest, skipping_calls
from nenni.deployment.deploy import EVERYWHERE, deploy
from nenni.deployment.program import on
from nenni.method.injection import noisy_layers, remove, set_fractions
from nenni.networks.asking import answer
from nenni.networks.copying import copied
from nenni.networks.hooks import hooked

SHARES = (1 / 8, 1 / 4, 1 / 2)
"""Of exact tiles, at which each layer is timed beside its own."""
WAYS = ("fp32", "bf16", "int8", "deployed_dense", "deployed")
_OF_TORCH = {"fp32": torch.float32, "bf16": torch.bfloat16}
Calls = dict[str, Callable[[], object]]


@dataclass(frozen=True)
class LayerTimes:
    """A layer on the clock, in seconds of a batch; all ways took turns.

    Attributes
    ----------
    seconds : dict
        Of the convolution alone by torch, ``fp32``, ``bf16`` and ``int8``; with what follows it
        and is computed at once, by the kernels of the deployed network: ``deployed_dense``, all
        neurons, and ``deployed``, tiles skipped.
    crossover : float
        Share of exact tiles at which skipping takes the time of ``deployed_dense``, see
        :func:`crossing`.
    """

    seconds: dict[str, float]
    crossover: float


@torch.no_grad()
def layer_times(model: nn.Module, images: Tensor) -> dict[str, LayerTimes]:
    """Each layer that skips tiles: dense in three precisions, deployed dense, and skipping.

    Parameters
    ----------
    model : Module
        Injected, such as :func:`nenni.deploy` takes.
    images : Tensor
        The batch (N, C, H, W).

    Raises
    ------
    UserError
        If the network cannot be deployed.
    """
    deployed = deploy(model, images, skip=EVERYWHERE)
    kernel = deployed.kernel
    skipping = skipping_calls(deployed.simulation, images, kernel)
    ways = _by_torch(remove(model), [name for name, *_ in skipping], images)
    for name, layer, codes, added in skipping:
        ways[name]["deployed_dense"] = partial(on, kernel, layer.exact, codes, added)
        ways[name]["deployed"] = partial(on, kernel, layer, codes, added)
    for share in SHARES:
        graph = deploy(_at(model, share), images, skip=EVERYWHERE, kernel=kernel).simulation
        for name, layer, codes, added in skipping_calls(graph, images, kernel):
            ways[name][f"{share}"] = partial(on, kernel, layer, codes, added)
    return {name: _times(fastest(calls)) for name, calls in ways.items()}


def crossing(shares: Sequence[float], over_dense: Sequence[float]) -> float:
    """Share of exact tiles at which skipping takes as long as dense, in [0, 1].

    Time over that of dense is a straight line through the shares that were tried; where it meets 1
    beyond them the line goes on, and 0 and 1 stand for never and always.

    Parameters
    ----------
    shares, over_dense : sequence of float
        What was tried, and the time of each over that of dense.
    """
    slope, start = np.polyfit(shares, over_dense, 1)
    if slope <= 0:  # no slower with more tiles: the same side at every share
        return float(np.mean(over_dense) < 1)
    return float(np.clip((1 - start) / slope, 0, 1))


def _times(found: dict[str, float]) -> LayerTimes:
    dense = found["deployed_dense"]
    over = [found[f"{share}"] / dense for share in SHARES]
    seconds = found | {"int8": min(found[engine] for engine in ENGINES)}
    return LayerTimes({way: seconds[way] for way in WAYS}, crossing(SHARES, over))


def _at(model: nn.Module, share: float) -> nn.Module:
    """A copy with another share of exact tiles in each layer."""
    other = copied(model)
    set_fractions(other, dict.fromkeys((name for name, _ in noisy_layers(other)), share))
    return other


def _by_torch(plain: nn.Module, names: Sequence[str], images: Tensor) -> dict[str, Calls]:
    """Torch's kernels for the convolution of each layer, its later calls named ``c:2``."""
    found: dict[str, Calls] = {}

    def keep(layer: str) -> Callable[..., None]:
        def hook(module: nn.Conv2d, inputs: tuple[Tensor, ...], _: Tensor) -> None:
            calls = 1 + sum(name.partition(":")[0] == layer for name in found)
            name = layer if calls == 1 else f"{layer}:{calls}"
            found[name] = _dense(module, inputs[0])

        return hook

    layers = dict.fromkeys(name.partition(":")[0] for name in names)
    handles = [plain.get_submodule(n).register_forward_hook(keep(n)) for n in layers]
    with hooked(handles):
        answer(plain, images)
    return {name: found[name] for name in names}


def _dense(layer: nn.Conv2d, x: Tensor) -> Calls:
    calls: Calls = {}
    for name, dtype in _OF_TORCH.items():
        packed = PackedConv2d(layer, x.shape, dtype)
        calls[name] = partial(packed, x.to(dtype, memory_format=torch.channels_last))
    return calls | {engine: convolution_of_bytes(layer, x, engine) for engine in ENGINES}
