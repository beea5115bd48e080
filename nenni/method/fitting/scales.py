"""The steps of the roundings of inputs, from one batch of images."""

from collections import Counter

import torch
from torch import Tensor

from nenni.method import quantise
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.visit import Seen


@torch.no_grad()
def calibrate_scales(seen: Seen) -> None:
    """Set the steps of Q_a, Q_p and of the exact path's inputs to those of least squared error.

    That is over all calls of a layer.
    """
    batch = next(seen.batches())
    left: Counter[str] = Counter()
    batch(lambda name, *_: left.update([name]))
    calls: dict[str, list[Tensor]] = {}

    def visit(name: str, layer: NoisyLayer, x: Tensor, _: Tensor) -> None:
        left[name] -= 1
        if left[name]:
            calls.setdefault(name, []).append(x.clone())
        else:
            _calibrate(layer, [*calls.pop(name, []), x])

    batch(visit)


def _calibrate(layer: NoisyLayer, calls: list[Tensor]) -> None:
    choices, x = layer.choices, quantise.joined(calls)
    layer.exact_scale.copy_(quantise.mse_scale(x, choices.exact_bits))
    layer.input_scale.copy_(quantise.mse_scale(x, choices.input_bits))
    for i in range(layer.pool):
        projected = quantise.joined([layer.projected(x, i) for x in calls])
        layer.projected_scale[i] = quantise.mse_scale(projected, choices.projected_bits)
