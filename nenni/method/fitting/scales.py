"""The steps of the roundings of inputs, from one batch of images."""

import torch
from torch import Tensor

from nenni.method import quantise
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.visit import Seen


@torch.no_grad()
def calibrate_scales(seen: Seen) -> None:
    """Set the steps of Q_a, Q_p and of the exact path's inputs to those of least squared error."""

    def visit(_: str, layer: NoisyLayer, x: Tensor, __: Tensor) -> None:
        choices = layer.choices
        layer.exact_scale.copy_(quantise.mse_scale(x, choices.exact_bits))
        layer.input_scale.copy_(quantise.mse_scale(x, choices.input_bits))
        for i in range(layer.pool):
            projected = layer.projected(x, i)
            layer.projected_scale[i] = quantise.mse_scale(projected, choices.projected_bits)

    next(seen.batches())(visit)
