"""Measured time of each layer of a deployed network, and up to which share skipping pays."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nenni.cost.dense_variants import ENGINES, PackedConv2d, convolution_of_bytes
from nenni.deployment.choosing import fastest, skipping_calls
from nenni.deployment.deploy import EVERYWHERE, deploy
from nenni.deployment.program import computing
from nenni.method.injection import remove
from nenni.networks.asking import answer
from nenni.networks.hooks import hooked

SHARES = (1 / 8, 1 / 4, 1 / 2)
"""Of exact tiles, at which each layer is timed beside its own."""
WAYS = ("fp32", "bf16", "int8", "deployed_dense", "deployed")
_OF_TORCH = {"fp32": torch.float32, "bf16": torch.bfloat16}
Calls = dict[str, Callable[[], Any]]


@dataclass(frozen=True)
class LayerTimes:
    """A layer on the clock, in seconds of a batch; all ways took turns.

    Attributes
    ----------
    seconds : dict
        Of the convolution alone by torch, ``fp32``, ``bf16`` and ``int8``; with what follows it
        and is computed at once, by the kernels of the deployed network: ``deployed_dense``, all
        neurons, and ``deployed``, tiles skipped. NaN where this torch has no such kernel.
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
    ways = _by_torch(remove(model).eval(), [name for name, *_ in skipping], images)
    exact: dict[str, dict[str, float]] = {name: {} for name in ways}
    for name, layer, codes, added in skipping:
        ways[name]["deployed_dense"] = partial(computing(kernel, layer.exact), codes, added)
        ways[name]["deployed"] = partial(computing(kernel, layer), codes, added)
        for share in SHARES:
            other = replace(layer, share=share)
            ways[name][f"{share}"] = partial(computing(kernel, other), codes, added)
            exact[name][f"{share}"] = other.kept / other.tiles
    return {name: _times(fastest(calls), exact[name]) for name, calls in ways.items()}


def crossing(shares: Sequence[float], over_dense: Sequence[float]) -> float:
    """Share of exact tiles at which skipping takes as long as dense, in [0, 1].

    Time over that of dense is a straight line through the shares that were tried; where it meets 1
    beyond them the line goes on, and 0 and 1 stand for never and always. NaN where all shares are
    the same, as in a layer of one tile.

    Parameters
    ----------
    shares, over_dense : sequence of float
        What was tried, and the time of each over that of dense.
    """
    if len(set(shares)) == 1:
        return math.nan
    slope, start = np.polyfit(shares, over_dense, 1)
    if slope <= 0:  # no slower with more tiles: the same side at every share
        return float(np.mean(over_dense) < 1)
    return float(np.clip((1 - start) / slope, 0, 1))


def _times(found: dict[str, float], exact: dict[str, float]) -> LayerTimes:
    dense = found["deployed_dense"]
    over = [found[share] / dense for share in exact]
    engines = [found[engine] for engine in ENGINES if engine in found]
    seconds = found | {"int8": min(engines, default=math.nan)}
    ways = {way: seconds.get(way, math.nan) for way in WAYS}
    return LayerTimes(ways, crossing([*exact.values()], over))


def _by_torch(plain: nn.Module, names: Sequence[str], images: Tensor) -> dict[str, Calls]:
    """Torch's kernels for the convolution of each layer, its later calls named ``c:2``."""
    inputs: dict[str, tuple[nn.Conv2d, Tensor]] = {}

    def keep(layer: str) -> Callable[..., None]:
        def hook(module: nn.Conv2d, given: tuple[Tensor, ...], _: Tensor) -> None:
            calls = 1 + sum(name.partition(":")[0] == layer for name in inputs)
            inputs[layer if calls == 1 else f"{layer}:{calls}"] = module, given[0]

        return hook

    layers = dict.fromkeys(name.partition(":")[0] for name in names)
    handles = [plain.get_submodule(n).register_forward_hook(keep(n)) for n in layers]
    with hooked(handles):
        answer(plain, images)
    return {name: _dense(*inputs[name]) for name in names}


def _dense(layer: nn.Conv2d, x: Tensor) -> Calls:
    """Each way for which this processor and this torch have a kernel."""
    made: Calls = {way: partial(_packed, layer, x, dtype) for way, dtype in _OF_TORCH.items()}
    made |= {engine: partial(convolution_of_bytes, layer, x, engine) for engine in ENGINES}
    calls: Calls = {}
    for way, make in made.items():
        with suppress(RuntimeError):
            call = make()
            call()
            calls[way] = call
    return calls


def _packed(layer: nn.Conv2d, x: Tensor, dtype: torch.dtype) -> Callable[[], object]:
    packed = PackedConv2d(layer, x.shape, dtype)
    return partial(packed, x.to(dtype, memory_format=torch.channels_last))
